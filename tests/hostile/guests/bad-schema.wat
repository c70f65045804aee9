;; Has settings with a schema that is no JSON.
(module
  (import "sluice:policy/setup@0.2.0" "[method]descriptor.set-settings-schema" (func $set-schema (param i32 i32 i32)))
  (memory (export "memory") 1)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 4096))
  (data (i32.const 16) "{oops")
  (func (export "sluice:policy/plugin@0.2.0#describe") (param $descriptor i32)
    (call $set-schema (local.get $descriptor) (i32.const 16) (i32.const 5)))
  ;; 160: all is well
  (func (export "sluice:policy/plugin@0.2.0#configure") (param i32) (result i32) (i32.const 160))
  (func (export "sluice:policy/health@0.2.0#assess") (param i32 i32) (result i32) unreachable))
