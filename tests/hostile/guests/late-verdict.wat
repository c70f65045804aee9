;; Keeps its first assessment, and uses it when it is asked about the next object.
(module
  (import "sluice:policy/assessments@0.2.0" "[method]assessment.healthy" (func $healthy (param i32 i32 i32)))
  ;; prelude
  (global $first (mut i32) (i32.const 0))
  (func (export "sluice:policy/health@0.2.0#assess") (param $object i32) (param $assessment i32) (result i32)
    (if (i32.eqz (global.get $first)) (then (global.set $first (local.get $assessment))))
    (call $healthy (global.get $first) (i32.const 0) (i32.const 0))
    (i32.const 160)))
