;; Answers with a message that is no UTF-8.
(module
  (import "sluice:policy/assessments@0.2.0" "[method]assessment.healthy" (func $healthy (param i32 i32 i32)))
  ;; prelude
  (data (i32.const 224) "\ff\fe\fd\fc")
  (func (export "sluice:policy/health@0.2.0#assess") (param $object i32) (param $assessment i32) (result i32)
    (call $healthy (local.get $assessment) (i32.const 224) (i32.const 4))
    (i32.const 160)))
