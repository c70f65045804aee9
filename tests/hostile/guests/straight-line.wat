;; Calls the host 20,000 times without a single loop, so that the plugin's own code never comes to where it would be stopped.
(module
  (import "sluice:policy/objects@0.2.0" "[method]object.length" (func $length (param i32 i32 i32 i32)))
  ;; prelude
  (data (i32.const 200) "/list/[key=none]")
  (func (export "sluice:policy/health@0.2.0#assess") (param $object i32) (param $assessment i32) (result i32)
    ;; calls
    unreachable))
