;; Answers `suspended`, and keeps what it was handed.
(module
  (import "sluice:policy/assessments@0.2.0" "[method]assessment.suspended" (func $verdict (param i32 i32 i32)))
  ;; prelude
  (func (export "sluice:policy/health@0.2.0#assess") (param $object i32) (param $assessment i32) (result i32)
    (call $verdict (local.get $assessment) (i32.const 0) (i32.const 0))
    (i32.const 160)))
