;; Fails while it takes its settings, without a word on what is wrong with them.
(module
  (import "sluice:policy/setup@0.2.0" "[method]descriptor.set-summary" (func $set-summary (param i32 i32 i32)))
  (import "sluice:policy/setup@0.2.0" "[method]descriptor.add-claim" (func $add-claim (param i32 i32 i32 i32 i32)))
  (memory (export "memory") 1 32767)
  ;; A bump allocator: addresses below 4096 are for constants and answers.
  (global $next (mut i32) (i32.const 4096))
  (func (export "cabi_realloc") (param $old i32) (param $size i32) (param $align i32) (param $new i32) (result i32)
    (local $at i32)
    (local.set $at (i32.and (i32.add (global.get $next) (i32.const 15)) (i32.const -16)))
    (global.set $next (i32.add (local.get $at) (local.get $new)))
    (local.get $at))
  ;; 16: "hostile"   64: "ConfigMap"
  (data (i32.const 16) "hostile")
  (data (i32.const 64) "ConfigMap")
  (func (export "sluice:policy/plugin@0.2.0#describe") (param $descriptor i32)
    (call $set-summary (local.get $descriptor) (i32.const 16) (i32.const 7))
    (call $add-claim (local.get $descriptor) (i32.const 0) (i32.const 0) (i32.const 64) (i32.const 9)))
  (data (i32.const 200) "\01\00\00\00\e0\00\00\00\06\00\00\00")
  (data (i32.const 224) "no way")
  (func (export "sluice:policy/plugin@0.2.0#configure") (param i32) (result i32) (i32.const 200))
  (func (export "sluice:policy/health@0.2.0#assess") (param i32 i32) (result i32) unreachable))
