  (memory (export "memory") 1 32767)
  ;; A bump allocator: addresses below 4096 are for constants and answers.
  (global $next (mut i32) (i32.const 4096))
  (func (export "cabi_realloc") (param $old i32) (param $size i32) (param $align i32) (param $new i32) (result i32)
    (local $at i32)
    (local.set $at (i32.and (i32.add (global.get $next) (i32.const 15)) (i32.const -16)))
    (global.set $next (i32.add (local.get $at) (local.get $new)))
    (local.get $at))
  ;; 8: the description   16: its text   64: a manifest of 56 bytes
  (data (i32.const 8) "\10\00\00\00\13\00\00\00")
  (data (i32.const 16) "{\"name\": \"hostile\"}")
  (data (i32.const 64) "{apiVersion: v1, kind: ConfigMap, metadata: {name: one}}")
  ;; 256: the answer, one document that lies at 320: its text, no source, no part
  (data (i32.const 256) "\00\00\00\00\40\01\00\00\01\00\00\00")
  (data (i32.const 320) "\40\00\00\00\38\00\00\00")
