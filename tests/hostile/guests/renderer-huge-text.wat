;; Renders a manifest of 64 mebibytes.
(module
  ;; renderer prelude
  (func (export "sluice:render/renderer@0.1.0#describe") (result i32) (i32.const 8))
  (func (export "sluice:render/renderer@0.1.0#render") (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)
    (drop (memory.grow (i32.const 1025)))
    (i32.store (i32.const 324) (i32.const 0x4000000))
    (i32.const 256)))
