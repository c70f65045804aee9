;; Answers with a long message full of control characters; not an error, but nothing that may reach a terminal as it is.
(module
  ;; prelude
  (data (i32.const 200) "\00\00\00\00\01\00\00\00\00\02\00\00\00\08\00\00")
  (data (i32.const 512) "\1b[31mred\0anext")
  (func (export "sluice:policy/health@0.1.0#assess") (param i32 i64 i32) (result i32)
    (call $drop (local.get 0))
    (i32.const 200)))
