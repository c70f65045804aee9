;; Answers with a message of four mebibytes.
(module
  ;; prelude
  (data (i32.const 200) "\00\00\00\00\01\00\00\00\00\00\01\00\00\00\40\00")
  (func (export "sluice:policy/health@0.1.0#assess") (param i32 i64 i32) (result i32)
    (drop (memory.grow (i32.const 80)))
    (call $drop (local.get 0))
    (i32.const 200)))
