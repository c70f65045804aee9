;; Asks for the whole object, 40,000 times in one go.
(module
  (import "sluice:policy/objects@0.2.0" "[method]object.get-many" (func $get-many (param i32 i32 i32 i32)))
  ;; prelude
  (func (export "sluice:policy/health@0.2.0#assess") (param $object i32) (param $assessment i32) (result i32)
    ;; 320 KB of zeros: pointers of no length, each of them the empty one
    (drop (memory.grow (i32.const 20)))
    (call $get-many (local.get $object) (i32.const 65536) (i32.const 40000) (i32.const 200))
    unreachable))
