;; Says `healthy`, and then `degraded` of the same object.
(module
  (import "sluice:policy/assessments@0.2.0" "[method]assessment.healthy" (func $healthy (param i32 i32 i32)))
  (import "sluice:policy/assessments@0.2.0" "[method]assessment.degraded" (func $degraded (param i32 i32 i32)))
  ;; prelude
  (func (export "sluice:policy/health@0.2.0#assess") (param $object i32) (param $assessment i32) (result i32)
    (call $healthy (local.get $assessment) (i32.const 0) (i32.const 0))
    (call $degraded (local.get $assessment) (i32.const 0) (i32.const 0))
    (i32.const 160)))
