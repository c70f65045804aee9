;; Lets everything go, and one more that it was never given.
(module
  (import "sluice:policy/candidates@0.2.0" "[method]candidate.allow" (func $allow (param i32)))
  ;; prelude
  (func (export "sluice:policy/prune@0.2.0#review") (param $list i32) (param $count i32) (param $deletion i32) (param $context i32)
    (result i32)
    (local $end i32)
    (local.set $end (i32.add (local.get $list) (i32.mul (local.get $count) (i32.const 4))))
    (loop $more
      (call $allow (i32.load (local.get $list)))
      (local.set $list (i32.add (local.get $list) (i32.const 4)))
      (br_if $more (i32.lt_u (local.get $list) (local.get $end))))
    (call $allow (i32.const 4711))
    (i32.const 160)))
