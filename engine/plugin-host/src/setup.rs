//! What a plugin says of itself, and the settings that it is handed.

use wasmtime::component::Resource;
use wasmtime::{Error, Result};

use crate::bindings::setup;
use crate::claims::Claim;
use crate::state::{State, one_line};

/// Claims of a plugin: each is compared with the kind of every object.
const CLAIMS: usize = 1_000;

/// The handle of a [`Descriptor`].
#[expect(unreachable_pub, reason = "the generated bindings re-export it")]
pub enum HostDescriptor {}

/// The handle of [`Settings`].
#[expect(unreachable_pub, reason = "the generated bindings re-export it")]
pub enum HostSettings {}

/// A plugin's own words about itself, not checked yet.
#[derive(Default)]
pub(crate) struct Descriptor {
    pub(crate) summary: String,
    pub(crate) claims: Vec<Claim>,
    pub(crate) settings_schema: Option<String>,
    pub(crate) uses_time: bool,
}

/// The settings of one instance, and what it does not like about them.
pub(crate) struct Settings {
    pub(crate) json: String,
    /// Each in one line, with its place.
    pub(crate) problems: Vec<String>,
}

impl setup::Host for State {}

impl setup::HostDescriptor for State {
    fn set_summary(&mut self, handle: Resource<HostDescriptor>, summary: String) -> Result<()> {
        self.descriptor(&handle)?.summary = one_line(&summary);
        Ok(())
    }

    fn add_claim(&mut self, handle: Resource<HostDescriptor>, group: String, kind: String) -> Result<()> {
        self.spend(group.len() + kind.len())?;
        let claims = &mut self.descriptor(&handle)?.claims;
        if claims.len() == CLAIMS {
            return Err(Error::msg(format!("more than {CLAIMS} claims")));
        }
        claims.push(Claim { group, kind });
        Ok(())
    }

    fn set_settings_schema(&mut self, handle: Resource<HostDescriptor>, schema: String) -> Result<()> {
        self.spend(schema.len())?;
        self.descriptor(&handle)?.settings_schema = Some(schema);
        Ok(())
    }

    fn set_uses_time(&mut self, handle: Resource<HostDescriptor>) -> Result<()> {
        self.descriptor(&handle)?.uses_time = true;
        Ok(())
    }

    fn drop(&mut self, _: Resource<HostDescriptor>) -> Result<()> {
        self.tick()
    }
}

impl setup::HostSettings for State {
    fn to_json(&mut self, handle: Resource<HostSettings>) -> Result<String> {
        Ok(self.settings(&handle)?.json.clone())
    }

    fn add_problem(
        &mut self,
        handle: Resource<HostSettings>,
        pointer: String,
        message: String,
    ) -> Result<()> {
        let problem = one_line(&format!("`{pointer}`: {message}"));
        self.spend(problem.len())?;
        self.settings(&handle)?.problems.push(problem);
        Ok(())
    }

    fn drop(&mut self, _: Resource<HostSettings>) -> Result<()> {
        self.tick()
    }
}
