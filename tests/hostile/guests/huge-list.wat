;; Hands the host a list of 2^27 pointers.
(module
  (import "sluice:policy/objects@0.2.0" "[method]object.get-many" (func $get-many (param i32 i32 i32 i32)))
  ;; prelude
  (func (export "sluice:policy/health@0.2.0#assess") (param $object i32) (param $assessment i32) (result i32)
    (call $get-many (local.get $object) (i32.const 0) (i32.const 0x8000000) (i32.const 300))
    (i32.const 160)))
