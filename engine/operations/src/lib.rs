//! What a person may ask of an Application, with its checks: typed requests, typed answers, coded errors.
//!
//! The command line is one face of this crate; a REST API can be another. A face keeps what is its own: how a request is written,
//! how an answer is shown, and how a failure ends. What is allowed, what is refused and why is decided here, once.
//!
//! Where to start reading: [`Operations`] reaches the Applications of a cluster. Each request is a method of it, in a file of its
//! own: [`Operations::sync`], [`Operations::rollback`], [`Operations::approve`], [`Operations::pause`], [`Operations::resume`],
//! [`Operations::refresh`], [`Operations::terminate`]. A request is written down in the Application and carried out by the
//! controller, so who may ask is decided by RBAC on Applications; how it goes is followed by [`Operations::follow_sync`],
//! [`Operations::wait`] and the like. [`Preview`] answers what a sync would do without asking the controller, and
//! [`Preview::execute`] carries out a plan that was saved before. [`Checkup`] judges the health of live objects; [`explain`] asks the
//! policies about manifests; [`Operations::history`] returns what was done.
#![forbid(unsafe_code)]

mod applications;
mod approve;
pub mod codes;
mod error;
mod execute;
mod explain;
mod follow;
mod health;
mod history;
mod orphans;
mod pause;
mod preview;
mod refresh;
mod rollback;
mod sync;
mod terminate;
mod wait;

pub use applications::Operations;
pub use approve::{Approval, Approved, CommitId, PlanDigest};
pub use error::{OperationError, Standing};
pub use execute::Executed;
pub use explain::{Asker, Explained, ExplainedObject, explain};
pub use follow::Follow;
pub use health::{Checkup, Family, Health, Part, health};
pub use orphans::{Orphan, OrphanReason};
pub use pause::Resumed;
pub use preview::{Preview, Progress};
pub use refresh::Depth;
pub use rollback::{Rollback, RolledBack};
pub use sync::{SyncRequest, Synced, kept_deletions};
pub use wait::Condition;

#[cfg(test)]
mod fixture {
    use sluice_model::Application;
    use sluice_model::plan::ApplicationKey;

    /// Returns an Application that has seen much.
    pub(crate) fn guestbook() -> Application {
        let text = fs_err::read_to_string(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../tests/cli/fixtures/status.yaml"
        ))
        .unwrap();
        serde_yaml::from_str(&text).unwrap()
    }

    pub(crate) fn key() -> ApplicationKey {
        ApplicationKey {
            namespace: "shop".to_owned(),
            name: "guestbook".to_owned(),
        }
    }
}
