//! What wit-bindgen makes of the world `health-check`: a crate of its own, because the macros that it exports have the same names for
//! every world. What all three import is made here too. Write plugins with `sluice-plugin`, not with this.
#![allow(unsafe_op_in_unsafe_fn, clippy::all, reason = "generated")]

wit_bindgen::generate!({
    path: "../../../../wit/policy/0.2.0",
    world: "health-check",
    ownership: Borrowing { duplicate_if_necessary: false },
    pub_export_macro: true,
});
