//! What a look at a folder of plugins or scripts found.

use std::path::PathBuf;

use serde::Serialize;

use crate::answer::PluginProblem;

/// A file of the plugin directory that was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RejectedFile {
    /// The file.
    pub path: PathBuf,
    /// Why the file is not used.
    pub problem: PluginProblem,
    /// True where an earlier version goes on serving under its name.
    pub still_serving: bool,
}

/// What a look at the plugin directory found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// This version serves from now on.
    Serving {
        /// Its name.
        plugin: String,
        /// The digest of the plugin's file, `sha256:…`.
        digest: String,
    },
    /// The file is gone. A standard plugin of its name serves again.
    Removed {
        /// Its name.
        plugin: String,
    },
    /// A file was refused; what served before goes on.
    Rejected(RejectedFile),
}
