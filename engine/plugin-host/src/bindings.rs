//! What every world imports: objects, the log, the context and the setup of a plugin. One implementation serves all worlds; what
//! only one of them has is bound in its own file.

wasmtime::component::bindgen!({
    path: "../../wit/policy/0.2.0",
    inline: "
        package sluice:host;
        world shared {
            import sluice:policy/objects@0.2.0;
            import sluice:policy/log@0.2.0;
            import sluice:policy/context@0.2.0;
            import sluice:policy/setup@0.2.0;
        }
    ",
    imports: { default: trappable },
    with: {
        "sluice:policy/objects.object": crate::state::HostObject,
        "sluice:policy/context.context": crate::context::HostContext,
        "sluice:policy/setup.descriptor": crate::setup::HostDescriptor,
        "sluice:policy/setup.settings": crate::setup::HostSettings,
    },
});

pub(crate) use sluice::policy::{context, log, objects, setup};
