;; Says "first" of itself when it is asked first, and "other" ever after.
(module
  (import "sluice:policy/setup@0.2.0" "[method]descriptor.set-summary" (func $set-summary (param i32 i32 i32)))
  (memory (export "memory") 1)
  (global $asked (mut i32) (i32.const 0))
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 4096))
  (data (i32.const 16) "firstother")
  (func (export "sluice:policy/plugin@0.2.0#describe") (param $descriptor i32)
    (global.set $asked (i32.add (global.get $asked) (i32.const 1)))
    (call $set-summary
      (local.get $descriptor)
      (select (i32.const 16) (i32.const 21) (i32.eq (global.get $asked) (i32.const 1)))
      (i32.const 5)))
  ;; 160: all is well
  (func (export "sluice:policy/plugin@0.2.0#configure") (param i32) (result i32) (i32.const 160))
  (func (export "sluice:policy/health@0.2.0#assess") (param i32 i32) (result i32) unreachable))
