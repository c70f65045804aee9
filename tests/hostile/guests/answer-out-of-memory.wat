;; Says that its answer lies beyond its memory.
(module
  ;; prelude
  (func (export "sluice:policy/health@0.2.0#assess") (param $object i32) (param $assessment i32) (result i32) (i32.const 0x7ffffff0)))
