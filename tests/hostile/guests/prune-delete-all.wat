;; Lets everything go: two candidates, `delete` twice. No failure; but its word must not beat a more cautious one.
(module
  ;; prelude
  (data (i32.const 200) "\00\00\00\00\e0\00\00\00\02\00\00\00")
  (data (i32.const 224) "\01\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\01\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00")
  (func (export "sluice:policy/prune@0.1.0#review") (param i32 i32 i64 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)
    (i32.const 200)))
