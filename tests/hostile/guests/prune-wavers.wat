;; Says of each candidate that it stays, then that it goes, waits, and stays for another reason; and of what it owns that it stays,
;; then that it goes.
(module
  (import "sluice:policy/candidates@0.2.0" "[method]candidate.allow" (func $allow (param i32)))
  (import "sluice:policy/candidates@0.2.0" "[method]candidate.hold" (func $hold (param i32 i32 i32)))
  (import "sluice:policy/candidates@0.2.0" "[method]candidate.keep" (func $keep (param i32 i32 i32)))
  (import "sluice:policy/candidates@0.2.0" "[method]candidate.set-propagation" (func $set-propagation (param i32 i32)))
  ;; prelude
  (data (i32.const 224) "first")
  (data (i32.const 240) "later")
  (func (export "sluice:policy/prune@0.2.0#review") (param $list i32) (param $count i32) (param $deletion i32) (param $context i32)
    (result i32)
    (local $end i32)
    (local.set $end (i32.add (local.get $list) (i32.mul (local.get $count) (i32.const 4))))
    (loop $more
      (call $keep (i32.load (local.get $list)) (i32.const 224) (i32.const 5))
      (call $allow (i32.load (local.get $list)))
      (call $hold (i32.load (local.get $list)) (i32.const 240) (i32.const 5))
      (call $keep (i32.load (local.get $list)) (i32.const 240) (i32.const 5))
      (call $set-propagation (i32.load (local.get $list)) (i32.const 2))
      (call $set-propagation (i32.load (local.get $list)) (i32.const 0))
      (local.set $list (i32.add (local.get $list) (i32.const 4)))
      (br_if $more (i32.lt_u (local.get $list) (local.get $end))))
    (i32.const 160)))
