  (import "sluice:policy/objects@0.1.0" "[resource-drop]object" (func $drop (param i32)))
  (memory (export "memory") 1 32767)
  ;; A bump allocator: addresses below 4096 are for constants and answers.
  (global $next (mut i32) (i32.const 4096))
  (func (export "cabi_realloc") (param $old i32) (param $size i32) (param $align i32) (param $new i32) (result i32)
    (local $at i32)
    (local.set $at (i32.and (i32.add (global.get $next) (i32.const 15)) (i32.const -16)))
    (global.set $next (i32.add (local.get $at) (local.get $new)))
    (local.get $at))
  ;; 16: "hostile"   32: claims: one, group "" and kind "ConfigMap"   64: "ConfigMap"
  (data (i32.const 16) "hostile")
  (data (i32.const 32) "\00\00\00\00\00\00\00\00\40\00\00\00\09\00\00\00")
  (data (i32.const 64) "ConfigMap")
  ;; 96: the descriptor: summary, claims, no schema, no time
  (data (i32.const 96) "\10\00\00\00\07\00\00\00\20\00\00\00\01\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00")
  (func (export "sluice:policy/plugin@0.1.0#describe") (result i32) (i32.const 96))
  ;; 160: all is well
  (func (export "sluice:policy/plugin@0.1.0#configure") (param i32 i32) (result i32) (i32.const 160))
