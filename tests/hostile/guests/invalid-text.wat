;; Answers with a message that is no UTF-8.
(module
  ;; prelude
  (data (i32.const 200) "\00\00\00\00\01\00\00\00\e0\00\00\00\04\00\00\00")
  (data (i32.const 224) "\ff\fe\fd\fc")
  (func (export "sluice:policy/health@0.1.0#assess") (param i32 i64 i32) (result i32)
    (call $drop (local.get 0))
    (i32.const 200)))
