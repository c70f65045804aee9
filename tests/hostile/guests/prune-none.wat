;; Answers for no candidate at all.
(module
  ;; prelude
  (func (export "sluice:policy/prune@0.1.0#review") (param i32 i32 i64 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)
    (i32.const 160)))
