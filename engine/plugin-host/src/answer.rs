//! What the host answers: always a value, and beside it what went wrong.

use serde::Serialize;
use sluice_model::{Coded as _, ErrorCode};

use crate::codes::PluginError;

/// A complete answer, cautious defaults filled in, and why they had to be.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer<T> {
    /// The answer. Always there.
    pub value: T,
    /// The plugins that did not answer, each once; empty where all did.
    pub problems: Vec<PluginProblem>,
}

/// A plugin that failed, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginProblem {
    /// The documented code.
    pub code: &'static ErrorCode,
    /// The plugin's name.
    pub plugin: String,
    /// `sha256:…` of the plugin's file; empty where there is none.
    pub digest: String,
    /// What happened, causes and Wasm backtrace included.
    pub message: String,
}

impl PluginProblem {
    pub(crate) fn new(plugin: &str, digest: &str, error: &PluginError) -> Self {
        Self {
            code: error.code(),
            plugin: plugin.to_owned(),
            digest: digest.to_owned(),
            message: error.message(),
        }
    }

    /// Adds those of some problems that are not among others yet.
    pub fn add_new(all: &mut Vec<Self>, some: impl IntoIterator<Item = Self>) {
        for problem in some {
            if !all.contains(&problem) {
                all.push(problem);
            }
        }
    }

    /// `P10: plugin "x": …`: one line for conditions and logs.
    pub fn one_line(&self) -> String {
        format!("{}: plugin `{}`: {}", self.code.id, self.plugin, self.message)
    }
}

/// Code, plugin, digest, message, hint.
impl Serialize for PluginProblem {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct as _;
        let mut fields = serializer.serialize_struct("PluginProblem", 5)?;
        fields.serialize_field("code", self.code.id)?;
        fields.serialize_field("plugin", &self.plugin)?;
        fields.serialize_field("digest", &self.digest)?;
        fields.serialize_field("message", &self.message)?;
        fields.serialize_field("hint", self.code.hint)?;
        fields.end()
    }
}

/// Each failure once, however many objects it was about.
#[derive(Default)]
pub(crate) struct Problems(pub(crate) Vec<PluginProblem>);

impl Problems {
    /// Notes a failure, and says it in one line.
    pub(crate) fn add(&mut self, plugin: &str, digest: &str, error: &PluginError) -> String {
        let new = PluginProblem::new(plugin, digest, error);
        let line = new.one_line();
        let is_known = |old: &PluginProblem| old.code == new.code && old.plugin == new.plugin;
        if !self.0.iter().any(is_known) {
            self.0.push(new);
        }
        line
    }
}
