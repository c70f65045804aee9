;; Lets everything go, and then says that it cannot judge.
(module
  (import "sluice:policy/candidates@0.2.0" "[method]candidate.allow" (func $allow (param i32)))
  ;; prelude
  (data (i32.const 200) "\01\00\00\00\e0\00\00\00\06\00\00\00")
  (data (i32.const 224) "no way")
  (func (export "sluice:policy/prune@0.2.0#review") (param $list i32) (param $count i32) (param $deletion i32) (param $context i32)
    (result i32)
    (local $end i32)
    (local.set $end (i32.add (local.get $list) (i32.mul (local.get $count) (i32.const 4))))
    (loop $more
      (call $allow (i32.load (local.get $list)))
      (local.set $list (i32.add (local.get $list) (i32.const 4)))
      (br_if $more (i32.lt_u (local.get $list) (local.get $end))))
    (i32.const 200)))
