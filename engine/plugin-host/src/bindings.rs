//! What every world imports: objects and the log. One implementation, in `state`, serves all worlds; what only one of them
//! has is bound in its own file.

wasmtime::component::bindgen!({
    path: "../../wit/policy/0.1.0",
    inline: "
        package sluice:host;
        world shared {
            import sluice:policy/objects@0.1.0;
            import sluice:policy/log@0.1.0;
        }
    ",
    imports: { default: trappable },
    with: { "sluice:policy/objects.object": crate::state::HostObject },
});

pub(crate) use sluice::policy::{log, objects};
