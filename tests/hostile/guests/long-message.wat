;; Answers with a long message full of control characters; not an error, but nothing that may reach a terminal as it is.
(module
  (import "sluice:policy/assessments@0.2.0" "[method]assessment.healthy" (func $healthy (param i32 i32 i32)))
  ;; prelude
  (data (i32.const 512) "\1b[31mred\0anext")
  (func (export "sluice:policy/health@0.2.0#assess") (param $object i32) (param $assessment i32) (result i32)
    (call $healthy (local.get $assessment) (i32.const 512) (i32.const 2048))
    (i32.const 160)))
