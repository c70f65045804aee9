;; Wants 125 MiB from the start.
(module
  (memory (export "memory") 2000)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 4096))
  (func (export "sluice:policy/plugin@0.2.0#describe") (param i32))
  ;; 160: all is well
  (func (export "sluice:policy/plugin@0.2.0#configure") (param i32) (result i32) (i32.const 160))
  (func (export "sluice:policy/health@0.2.0#assess") (param i32 i32) (result i32) unreachable))
