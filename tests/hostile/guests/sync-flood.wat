;; Ignores manager after manager, for as long as it may.
(module
  (import "sluice:policy/changes@0.2.0" "[method]change.ignore-managers" (func $ignore-managers (param i32 i32 i32)))
  ;; prelude
  (func (export "sluice:policy/sync@0.2.0#decide") (param $list i32) (param $count i32) (param $context i32) (result i32)
    ;; 64 KiB of zeros: names without a letter
    (drop (memory.grow (i32.const 1)))
    (loop $again
      (call $ignore-managers (i32.load (local.get $list)) (i32.const 65536) (i32.const 8192))
      (br $again))
    unreachable))
