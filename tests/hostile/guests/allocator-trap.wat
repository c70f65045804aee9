;; Has an allocator that gives up: the host cannot hand it anything.
(module
  (import "sluice:policy/setup@0.2.0" "[method]descriptor.set-summary" (func $set-summary (param i32 i32 i32)))
  (import "sluice:policy/setup@0.2.0" "[method]descriptor.add-claim" (func $add-claim (param i32 i32 i32 i32 i32)))
  (import "sluice:policy/objects@0.2.0" "[method]object.to-json" (func $to-json (param i32 i32)))
  (memory (export "memory") 1)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) unreachable)
  ;; 16: "hostile"   64: "ConfigMap"
  (data (i32.const 16) "hostile")
  (data (i32.const 64) "ConfigMap")
  (func (export "sluice:policy/plugin@0.2.0#describe") (param $descriptor i32)
    (call $set-summary (local.get $descriptor) (i32.const 16) (i32.const 7))
    (call $add-claim (local.get $descriptor) (i32.const 0) (i32.const 0) (i32.const 64) (i32.const 9)))
  ;; 160: all is well
  (func (export "sluice:policy/plugin@0.2.0#configure") (param i32) (result i32) (i32.const 160))
  (func (export "sluice:policy/health@0.2.0#assess") (param $object i32) (param $assessment i32) (result i32)
    (call $to-json (local.get $object) (i32.const 300))
    (i32.const 160)))
