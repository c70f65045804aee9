;; Sets a wave, and then gives up.
(module
  (import "sluice:policy/changes@0.2.0" "[method]change.set-wave" (func $set-wave (param i32 i32)))
  ;; prelude
  (func (export "sluice:policy/sync@0.2.0#decide") (param $list i32) (param $count i32) (param $context i32) (result i32)
    (call $set-wave (i32.load (local.get $list)) (i32.const 7))
    unreachable))
