;; Gives a verdict, and then says that it cannot judge.
(module
  (import "sluice:policy/assessments@0.2.0" "[method]assessment.healthy" (func $healthy (param i32 i32 i32)))
  ;; prelude
  (data (i32.const 200) "\01\00\00\00\e0\00\00\00\06\00\00\00")
  (data (i32.const 224) "no way")
  (func (export "sluice:policy/health@0.2.0#assess") (param $object i32) (param $assessment i32) (result i32)
    (call $healthy (local.get $assessment) (i32.const 0) (i32.const 0))
    (i32.const 200)))
