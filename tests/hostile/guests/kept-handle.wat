;; Keeps the object that it was lent.
(module
  ;; prelude
  (data (i32.const 200) "\00\00\00\00\01")
  (func (export "sluice:policy/health@0.1.0#assess") (param i32 i64 i32) (result i32) (i32.const 200)))
