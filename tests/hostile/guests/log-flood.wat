;; Writes 100,000 lines to the log and then answers `healthy`.
(module
  (import "sluice:policy/log@0.2.0" "write" (func $write (param i32 i32 i32)))
  (import "sluice:policy/assessments@0.2.0" "[method]assessment.healthy" (func $healthy (param i32 i32 i32)))
  ;; prelude
  (func (export "sluice:policy/health@0.2.0#assess") (param $object i32) (param $assessment i32) (result i32)
    (local $left i32)
    (local.set $left (i32.const 100000))
    (loop $more
      (call $write (i32.const 2) (i32.const 16) (i32.const 7))
      (local.set $left (i32.sub (local.get $left) (i32.const 1)))
      (br_if $more (local.get $left)))
    (call $healthy (local.get $assessment) (i32.const 0) (i32.const 0))
    (i32.const 160)))
