;; Looks at the clock, and has not said that it does.
(module
  (import "sluice:policy/assessments@0.2.0" "[method]assessment.context" (func $context (param i32) (result i32)))
  (import "sluice:policy/context@0.2.0" "[method]context.now" (func $now (param i32) (result i64)))
  ;; prelude
  (func (export "sluice:policy/health@0.2.0#assess") (param $object i32) (param $assessment i32) (result i32)
    (drop (call $now (call $context (local.get $assessment))))
    (i32.const 160)))
