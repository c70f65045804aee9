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
