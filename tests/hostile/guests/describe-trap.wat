;; Does not say what it is.
(module
  (memory (export "memory") 1)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 4096))
  (func (export "sluice:policy/plugin@0.2.0#describe") (param i32) unreachable)
  ;; 160: all is well
  (func (export "sluice:policy/plugin@0.2.0#configure") (param i32) (result i32) (i32.const 160))
  (func (export "sluice:policy/health@0.2.0#assess") (param i32 i32) (result i32) unreachable))
