;; Takes table entries until it gets no more.
(module
  ;; prelude
  (table $entries 1 funcref)
  (func (export "sluice:policy/health@0.1.0#assess") (param i32 i64 i32) (result i32)
    (loop $more
      (br_if $more (i32.ne (table.grow $entries (ref.null func) (i32.const 4096)) (i32.const -1))))
    unreachable))
