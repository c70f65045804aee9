//! What is known of a plugin without asking it to judge anything.

use std::path::PathBuf;

use serde::Serialize;
use serde_json::Value;

use crate::change::RejectedFile;
use crate::claims::Claim;
use crate::worlds::PluginKind;

/// Where a plugin comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum PluginOrigin {
    /// It is part of the binary.
    Standard,
    /// It is this file.
    File(PathBuf),
}

/// What a file of the plugin directory is.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Inspected {
    /// It answers for a policy.
    Policy(Box<PluginInfo>),
    /// It renders.
    Renderer(Box<RendererInfo>),
}

/// A plugin that passed all checks.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PluginInfo {
    /// Its name: that of its file without `.wasm`.
    pub name: String,
    /// Its world.
    pub world: PluginKind,
    /// Where it comes from.
    pub origin: PluginOrigin,
    /// False where it is asked only if `spec.policies` names it.
    pub asked_by_default: bool,
    /// `sha256:…` of its file.
    pub digest: String,
    /// Size of its file.
    pub bytes: usize,
    /// One line: what it decides.
    pub summary: String,
    /// The objects that it speaks about.
    pub claims: Vec<Claim>,
    /// JSON Schema of its settings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settings_schema: Option<Value>,
    /// False where an answer about an unchanged object may be kept.
    pub uses_time: bool,
    /// The interfaces that it imports; the host grants these and no others.
    pub imports: Vec<String>,
    /// A newer file of the same name that was refused, while this one goes on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rejected: Option<RejectedFile>,
}

/// What is known of a renderer without asking it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RendererInfo {
    /// Its name.
    pub name: String,
    /// Its world.
    pub world: &'static str,
    /// Where it comes from.
    pub origin: PluginOrigin,
    /// `sha256:…` of its Wasm.
    pub digest: String,
    /// The interfaces that it imports: none.
    pub imports: [&'static str; 0],
    /// True if its file was found.
    pub is_there: bool,
    /// One line: what it renders.
    pub summary: String,
    /// What it says of itself, if it was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<Value>,
    /// A newer file of the same name that was refused, while this one goes on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rejected: Option<RejectedFile>,
}
