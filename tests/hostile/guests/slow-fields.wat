;; Asks 20,000 times in one go for what stands at the end of a long list.
(module
  (import "sluice:policy/objects@0.2.0" "[method]object.get-many" (func $get-many (param i32 i32 i32 i32)))
  ;; prelude
  (data (i32.const 200) "/list/[key=none]")
  (func (export "sluice:policy/health@0.2.0#assess") (param $object i32) (param $assessment i32) (result i32)
    (local $at i32)
    (drop (memory.grow (i32.const 20)))
    (local.set $at (i32.const 65536))
    (loop $more
      (i32.store (local.get $at) (i32.const 200))
      (i32.store offset=4 (local.get $at) (i32.const 16))
      (local.set $at (i32.add (local.get $at) (i32.const 8)))
      (br_if $more (i32.lt_u (local.get $at) (i32.const 225536))))
    (call $get-many (local.get $object) (i32.const 65536) (i32.const 20000) (i32.const 300))
    unreachable))
