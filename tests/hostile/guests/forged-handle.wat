;; Uses an object that it was never given.
(module
  (import "sluice:policy/objects@0.1.0" "[method]object.to-json" (func $to_json (param i32 i32)))
  ;; prelude
  (func (export "sluice:policy/health@0.1.0#assess") (param i32 i64 i32) (result i32)
    (call $to_json (i32.const 4711) (i32.const 300))
    (i32.const 200)))
