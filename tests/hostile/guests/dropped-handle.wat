;; Gives its object back and looks at it again.
(module
  (import "sluice:policy/objects@0.2.0" "[method]object.to-json" (func $to-json (param i32 i32)))
  ;; prelude
  (func (export "sluice:policy/health@0.2.0#assess") (param $object i32) (param $assessment i32) (result i32)
    (call $drop (local.get $object))
    (call $to-json (local.get $object) (i32.const 300))
    (i32.const 160)))
