;; Renders what is no UTF-8.
(module
  ;; renderer prelude
  (func (export "sluice:render/renderer@0.1.0#describe") (result i32) (i32.const 8))
  (func (export "sluice:render/renderer@0.1.0#render") (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)
    (i32.store8 (i32.const 64) (i32.const 0xff))
    (i32.const 256)))
