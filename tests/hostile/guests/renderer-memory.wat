;; Takes memory until it gets no more, then gives up, as a program does whose allocation failed.
(module
  ;; renderer prelude
  (func (export "sluice:render/renderer@0.1.0#describe") (result i32) (i32.const 8))
  (func (export "sluice:render/renderer@0.1.0#render") (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)
    (loop $more
      (br_if $more (i32.ne (memory.grow (i32.const 64)) (i32.const -1))))
    unreachable))
