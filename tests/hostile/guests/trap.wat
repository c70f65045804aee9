;; Gives up.
(module
  ;; prelude
  (func (export "sluice:policy/health@0.1.0#assess") (param i32 i64 i32) (result i32) unreachable))
