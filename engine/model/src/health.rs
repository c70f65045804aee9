//! Whether an object does its work.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// From the best to the worst; an application is as healthy as the worst of its objects.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
pub enum HealthStatus {
    /// It does its work.
    Healthy,
    /// Its owner paused it.
    Suspended,
    /// It is on its way.
    Progressing,
    /// It is not in the cluster.
    Missing,
    /// It failed.
    Degraded,
    /// It cannot be told; never taken for healthy.
    #[default]
    Unknown,
}

/// Whether an application works.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HealthState {
    /// The worst of its objects. While it goes back and forth, a better one is shown once it lasts.
    #[serde(default)]
    pub status: HealthStatus,
    /// Which object, why, and which plugin says so.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// Since when it is shown, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// How it changed, newest first, at most ten.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub transitions: Vec<HealthTransition>,
}

/// A change of an application's health.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HealthTransition {
    /// What it became.
    pub status: HealthStatus,
    /// When, RFC 3339.
    pub since: String,
}

/// What was decided about one object, and by whom.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthVerdict {
    /// The status.
    pub status: HealthStatus,
    /// Why, for people; empty where there is nothing to add.
    pub message: String,
    /// The plugin that decided; none where no plugin had an opinion.
    pub plugin: Option<String>,
}

impl HealthVerdict {
    /// What holds where no plugin has an opinion: the object exists, and that is all there is to it.
    pub fn no_opinion() -> Self {
        Self {
            status: HealthStatus::Healthy,
            message: String::new(),
            plugin: None,
        }
    }
}
