;; Says that its answer lies beyond its memory.
(module
  ;; prelude
  (func (export "sluice:policy/health@0.1.0#assess") (param i32 i64 i32) (result i32) (i32.const 0x7ffffff0)))
