//! What wit-bindgen makes of the world `health-check`: a crate of its own, because the macros that it exports have the same names for
//! every world. Objects and log are made here too, for all three. Write plugins with `sluice-plugin`, not with this.
#![allow(unsafe_op_in_unsafe_fn, clippy::all, reason = "generated")]

wit_bindgen::generate!({
    path: "../../../../wit/policy/0.1.0",
    world: "health-check",
    ownership: Borrowing { duplicate_if_necessary: false },
    pub_export_macro: true,
});
