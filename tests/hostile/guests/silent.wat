;; Says nothing at all.
(module
  ;; prelude
  (func (export "sluice:policy/health@0.2.0#assess") (param $object i32) (param $assessment i32) (result i32) (i32.const 160)))
