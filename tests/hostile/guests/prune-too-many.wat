;; Answers `delete` for three candidates, whatever it was asked.
(module
  ;; prelude
  (data (i32.const 200) "\00\00\00\00\e0\00\00\00\03\00\00\00")
  ;; 224: decisions of 16 bytes: 1 = delete, no word on propagation
  (data (i32.const 224) "\01\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\01\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\01\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00")
  (func (export "sluice:policy/prune@0.1.0#review") (param i32 i32 i64 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)
    (i32.const 200)))
