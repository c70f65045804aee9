;; Answers with what is neither a result nor an error.
(module
  ;; prelude
  (data (i32.const 200) "\63\00\00\00")
  (func (export "sluice:policy/health@0.2.0#assess") (param $object i32) (param $assessment i32) (result i32) (i32.const 200)))
