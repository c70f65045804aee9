//! What wit-bindgen makes of the world `sync-policy`: a crate of its own, because the macros that it exports have the same names for
//! every world. Write plugins with `sluice-plugin`, not with this.
#![allow(unsafe_op_in_unsafe_fn, clippy::all, reason = "generated")]

wit_bindgen::generate!({
    path: "../../../../wit/policy/0.2.0",
    world: "sync-policy",
    ownership: Borrowing { duplicate_if_necessary: false },
    pub_export_macro: true,
    with: {
        "sluice:policy/objects@0.2.0": sluice_plugin_health::sluice::policy::objects,
        "sluice:policy/log@0.2.0": sluice_plugin_health::sluice::policy::log,
        "sluice:policy/context@0.2.0": sluice_plugin_health::sluice::policy::context,
        "sluice:policy/setup@0.2.0": sluice_plugin_health::sluice::policy::setup,
    },
});
