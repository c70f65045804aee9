;; Says "first" of itself when it is asked first, and "other" ever after.
(module
  (memory (export "memory") 1)
  (global $asked (mut i32) (i32.const 0))
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 4096))
  (data (i32.const 16) "firstother")
  (data (i32.const 96) "\10\00\00\00\05\00\00\00")
  (data (i32.const 128) "\15\00\00\00\05\00\00\00")
  (func (export "sluice:policy/plugin@0.1.0#describe") (result i32)
    (global.set $asked (i32.add (global.get $asked) (i32.const 1)))
    (select (i32.const 96) (i32.const 128) (i32.eq (global.get $asked) (i32.const 1))))
  (func (export "sluice:policy/plugin@0.1.0#configure") (param i32 i32) (result i32) (i32.const 160))
  (func (export "sluice:policy/health@0.1.0#assess") (param i32 i64 i32) (result i32) unreachable))
