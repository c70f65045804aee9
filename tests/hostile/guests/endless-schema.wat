;; Has settings with a schema that refers to itself.
(module
  (memory (export "memory") 1)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 4096))
  (data (i32.const 16) "{\"$ref\":\"#\"}")
  (data (i32.const 96) "\10\00\00\00\0c\00\00\00\00\00\00\00\00\00\00\00\01\00\00\00\10\00\00\00\0c\00\00\00")
  (func (export "sluice:policy/plugin@0.1.0#describe") (result i32) (i32.const 96))
  (func (export "sluice:policy/plugin@0.1.0#configure") (param i32 i32) (result i32) (i32.const 160))
  (func (export "sluice:policy/health@0.1.0#assess") (param i32 i64 i32) (result i32) unreachable))
