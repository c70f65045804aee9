//! What `bindgen!` makes of the three worlds. Objects and log are shared: one host implementation serves all.

pub(crate) mod health {
    wasmtime::component::bindgen!({
        path: "../../wit/policy/0.1.0",
        world: "health-check",
        imports: { default: trappable },
        with: { "sluice:policy/objects.object": crate::state::HostObject },
    });
}

pub(crate) mod prune {
    wasmtime::component::bindgen!({
        path: "../../wit/policy/0.1.0",
        world: "prune-policy",
        imports: { default: trappable },
        with: {
            "sluice:policy/objects": crate::bindings::health::sluice::policy::objects,
            "sluice:policy/log": crate::bindings::health::sluice::policy::log,
        },
    });
}

pub(crate) mod sync {
    wasmtime::component::bindgen!({
        path: "../../wit/policy/0.1.0",
        world: "sync-policy",
        imports: { default: trappable },
        with: {
            "sluice:policy/objects": crate::bindings::health::sluice::policy::objects,
            "sluice:policy/log": crate::bindings::health::sluice::policy::log,
        },
    });
}

pub(crate) use health::sluice::policy::{log, objects};
