//! What a plan is to be made for.

use std::collections::BTreeMap;

use sluice_model::decision::Occasion;
use sluice_model::manifest::Manifest;
use sluice_model::object::{Object, ObjectKey};
use sluice_model::selection::Selector;
use sluice_plan::Hooks;

/// What a plan is to be made for.
#[derive(Debug, Clone, PartialEq)]
pub struct Intent {
    /// The commit; empty where the application is being deleted.
    pub revision: String,
    /// Why deletions are looked at.
    pub occasion: Occasion,
    /// Delete what Git no longer has, as far as the policies let it.
    pub prune: bool,
    /// When hooks run.
    pub hooks: Hooks,
    /// Only these objects; everything where empty.
    pub selection: Vec<Selector>,
    /// What Git still has of what is to be deleted: protection counts wherever it is written.
    pub protections: BTreeMap<ObjectKey, Object>,
}

impl Intent {
    /// What `status` shows and people approve: all that a sync of `revision` could do.
    pub fn whole(revision: &str) -> Self {
        Self {
            revision: revision.to_owned(),
            occasion: Occasion::Sync,
            prune: true,
            hooks: Hooks::WithChanges,
            selection: Vec::new(),
            protections: BTreeMap::new(),
        }
    }

    /// The deletion of the application with all it owns. `manifests` are what Git has of it.
    pub fn farewell(manifests: &[Manifest]) -> Self {
        let protections = manifests
            .iter()
            .map(|manifest| (manifest.object.key(), manifest.object.clone()));
        Self {
            revision: String::new(),
            occasion: Occasion::ApplicationDeleted,
            prune: true,
            hooks: Hooks::Always,
            selection: Vec::new(),
            protections: protections.collect(),
        }
    }
}
