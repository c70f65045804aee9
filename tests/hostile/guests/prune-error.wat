;; Says that it cannot judge.
(module
  ;; prelude
  (data (i32.const 200) "\01\00\00\00\e0\00\00\00\06\00\00\00")
  (data (i32.const 224) "no way")
  (func (export "sluice:policy/prune@0.1.0#review") (param i32 i32 i64 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)
    (i32.const 200)))
