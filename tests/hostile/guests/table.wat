;; Takes table entries until it gets no more.
(module
  ;; prelude
  (table $entries 1 funcref)
  (func (export "sluice:policy/health@0.2.0#assess") (param $object i32) (param $assessment i32) (result i32)
    (loop $more
      (br_if $more (i32.ne (table.grow $entries (ref.null func) (i32.const 4096)) (i32.const -1))))
    unreachable))
