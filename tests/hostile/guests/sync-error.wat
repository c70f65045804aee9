;; Sets a wave, and then says that it cannot decide.
(module
  (import "sluice:policy/changes@0.2.0" "[method]change.set-wave" (func $set-wave (param i32 i32)))
  ;; prelude
  (data (i32.const 200) "\01\00\00\00\e0\00\00\00\06\00\00\00")
  (data (i32.const 224) "no way")
  (func (export "sluice:policy/sync@0.2.0#decide") (param $list i32) (param $count i32) (param $context i32) (result i32)
    (call $set-wave (i32.load (local.get $list)) (i32.const 7))
    (i32.const 200)))
