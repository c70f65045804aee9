;; Writes the whole object to the log, and then ends as the test says.
(module
  (import "sluice:policy/objects@0.2.0" "[method]object.to-json" (func $to-json (param i32 i32)))
  (import "sluice:policy/log@0.2.0" "write" (func $write (param i32 i32 i32)))
  (import "sluice:policy/assessments@0.2.0" "[method]assessment.healthy" (func $healthy (param i32 i32 i32)))
  ;; prelude
  (func (export "sluice:policy/health@0.2.0#assess") (param $object i32) (param $assessment i32) (result i32)
    (call $to-json (local.get $object) (i32.const 300))
    (call $write (i32.const 2) (i32.load (i32.const 300)) (i32.load (i32.const 304)))
    ;; ends
    (i32.const 160)))
