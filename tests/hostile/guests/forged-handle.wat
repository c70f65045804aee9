;; Uses an object that it was never given.
(module
  (import "sluice:policy/objects@0.2.0" "[method]object.to-json" (func $to-json (param i32 i32)))
  ;; prelude
  (func (export "sluice:policy/health@0.2.0#assess") (param $object i32) (param $assessment i32) (result i32)
    (call $to-json (i32.const 4711) (i32.const 300))
    (i32.const 160)))
