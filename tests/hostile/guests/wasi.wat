;; Wants to write to a file.
(module
  (import "wasi_snapshot_preview1" "fd_write" (func (param i32 i32 i32 i32) (result i32)))
  ;; prelude
  (func (export "sluice:policy/health@0.2.0#assess") (param i32 i32) (result i32) unreachable))
