;; Ignores a field whose name is neither a pointer nor a path.
(module
  (import "sluice:policy/changes@0.2.0" "[method]change.ignore-fields" (func $ignore-fields (param i32 i32 i32)))
  ;; prelude
  (data (i32.const 224) "replicas")
  (data (i32.const 240) "\e0\00\00\00\08\00\00\00")
  (func (export "sluice:policy/sync@0.2.0#decide") (param $list i32) (param $count i32) (param $context i32) (result i32)
    (call $ignore-fields (i32.load (local.get $list)) (i32.const 240) (i32.const 1))
    (i32.const 160)))
