//! Where and when a question is asked, as a plugin sees it.

use wasmtime::component::Resource;
use wasmtime::{Error, Result};

use crate::bindings::context;
use crate::state::State;

/// The cluster that the engine runs in, and today the only one.
const CLUSTER: &str = "in-cluster";

/// The handle of a [`Context`].
#[expect(unreachable_pub, reason = "the generated bindings re-export it")]
pub enum HostContext {}

/// What an answer may depend on besides the objects.
pub(crate) struct Context {
    pub(crate) now: i64,
    pub(crate) application: Option<context::Application>,
    pub(crate) sync_options: Vec<String>,
}

impl context::Host for State {}

impl context::HostContext for State {
    fn now(&mut self, handle: Resource<HostContext>) -> Result<i64> {
        if !self.uses_time {
            // Its answers would be kept although they depend on more than the object.
            return Err(Error::msg(
                "it looks at the clock, and does not say so in `describe` (`set-uses-time`)",
            ));
        }
        Ok(self.context(&handle)?.now)
    }

    fn cluster(&mut self, handle: Resource<HostContext>) -> Result<String> {
        self.context(&handle)?;
        Ok(CLUSTER.to_owned())
    }

    /// None: there are no projects yet.
    fn project(&mut self, handle: Resource<HostContext>) -> Result<Option<String>> {
        self.context(&handle)?;
        Ok(None)
    }

    fn application(&mut self, handle: Resource<HostContext>) -> Result<Option<context::Application>> {
        Ok(self.context(&handle)?.application.clone())
    }

    fn sync_options(&mut self, handle: Resource<HostContext>) -> Result<Vec<String>> {
        Ok(self.context(&handle)?.sync_options.clone())
    }

    fn drop(&mut self, _: Resource<HostContext>) -> Result<()> {
        self.tick()
    }
}
