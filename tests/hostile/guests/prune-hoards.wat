;; Lets everything go, and takes handle after handle of what it was given, without giving any back.
(module
  (import "sluice:policy/candidates@0.2.0" "[method]candidate.allow" (func $allow (param i32)))
  (import "sluice:policy/candidates@0.2.0" "[method]candidate.live" (func $live (param i32) (result i32)))
  ;; prelude
  (func (export "sluice:policy/prune@0.2.0#review") (param $list i32) (param $count i32) (param $deletion i32) (param $context i32)
    (result i32)
    (call $allow (i32.load (local.get $list)))
    (loop $again
      (drop (call $live (i32.load (local.get $list))))
      (br $again))
    unreachable))
