;; Takes memory until it gets no more, then gives up, as a program does whose allocation failed.
(module
  ;; prelude
  (func (export "sluice:policy/health@0.2.0#assess") (param $object i32) (param $assessment i32) (result i32)
    (loop $more
      (br_if $more (i32.ne (memory.grow (i32.const 64)) (i32.const -1))))
    unreachable))
