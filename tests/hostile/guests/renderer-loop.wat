;; Never answers.
(module
  ;; renderer prelude
  (func (export "sluice:render/renderer@0.1.0#describe") (result i32) (i32.const 8))
  (func (export "sluice:render/renderer@0.1.0#render") (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)
    (loop $again (br $again)) unreachable))
