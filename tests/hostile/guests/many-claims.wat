;; Claims 1,001 kinds.
(module
  (import "sluice:policy/setup@0.2.0" "[method]descriptor.set-summary" (func $set-summary (param i32 i32 i32)))
  (import "sluice:policy/setup@0.2.0" "[method]descriptor.add-claim" (func $add-claim (param i32 i32 i32 i32 i32)))
  (memory (export "memory") 1)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 4096))
  (func (export "sluice:policy/plugin@0.2.0#describe") (param $descriptor i32)
    (local $left i32)
    (local.set $left (i32.const 1001))
    (loop $more
      (call $add-claim (local.get $descriptor) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))
      (local.set $left (i32.sub (local.get $left) (i32.const 1)))
      (br_if $more (local.get $left))))
  ;; 160: all is well
  (func (export "sluice:policy/plugin@0.2.0#configure") (param i32) (result i32) (i32.const 160))
  (func (export "sluice:policy/health@0.2.0#assess") (param i32 i32) (result i32) unreachable))
