;; Answers with a verdict that does not exist.
(module
  ;; prelude
  (data (i32.const 200) "\00\00\00\00\63\00\00\00")
  (func (export "sluice:policy/health@0.1.0#assess") (param i32 i64 i32) (result i32)
    (call $drop (local.get 0))
    (i32.const 200)))
