;; Keeps its first object, and looks at it when it is asked about the next one.
(module
  (import "sluice:policy/objects@0.2.0" "[method]object.to-json" (func $to-json (param i32 i32)))
  (import "sluice:policy/assessments@0.2.0" "[method]assessment.healthy" (func $healthy (param i32 i32 i32)))
  ;; prelude
  (global $first (mut i32) (i32.const 0))
  (func (export "sluice:policy/health@0.2.0#assess") (param $object i32) (param $assessment i32) (result i32)
    (if (i32.eqz (global.get $first)) (then (global.set $first (local.get $object))))
    (call $to-json (global.get $first) (i32.const 300))
    (call $healthy (local.get $assessment) (i32.const 0) (i32.const 0))
    (i32.const 160)))
