;; Keeps the first object that it was lent and looks at it again when it is asked about the second.
(module
  (import "sluice:policy/objects@0.1.0" "[method]object.to-json" (func $to_json (param i32 i32)))
  (import "sluice:policy/objects@0.1.0" "[resource-drop]object" (func $drop (param i32)))
  ;; prelude
  (global $kept (mut i32) (i32.const 0))
  (data (i32.const 200) "\00\00\00\00\01")
  (func (export "sluice:policy/health@0.1.0#assess") (param $object i32) (param i64) (result i32)
    (if (global.get $kept)
      (then (call $to_json (global.get $kept) (i32.const 300)))
      (else (global.set $kept (local.get $object))))
    (call $drop (local.get $object))
    (i32.const 200)))
