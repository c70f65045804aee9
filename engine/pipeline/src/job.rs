//! What of an Application the stages need, read and checked once: nothing after [`Job::resolve`] parses a text of the spec.
//!
//! What a stage reads by itself (the repository's URL, globs, signing rules) it refuses with its own code.

mod resolve;
mod sources;

use std::path::PathBuf;
use std::time::Duration;

use sluice_cluster::ServiceAccount;
use sluice_compare::Rules;
use sluice_decide::Subject;
use sluice_model::application::{
    ACCEPTED_HISTORY_ANNOTATION, ApplicationSpec, ApplicationStatus, VerificationMode, VerificationState,
};
use sluice_model::applyset::{HomeOf, Identity};
use sluice_model::census::Census;
use sluice_model::object::Object;
use sluice_model::plan::ApplicationKey;
use sluice_model::retry::Retry;
use sluice_model::{Application, applyset, revisions};

pub use resolve::Problem;

use crate::{JobSource, PipelineError};

/// What holds for an Application that does not say otherwise.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Defaults {
    /// Its namespace, for one in a file.
    pub namespace: String,
    /// The ServiceAccount of its namespace that it acts as; if missing, the engine's own account.
    pub account: Option<String>,
}

/// An Application as the stages take it: its spec, read, and what of its status they go on from.
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    /// Which application.
    pub key: ApplicationKey,
    /// What it wants, as written. What of it is a text that has to be read stands beside it, read.
    pub spec: ApplicationSpec,
    /// As whom its objects are read and written; if missing, the engine's own account.
    pub account: Option<ServiceAccount>,
    /// Fields that something else decides, by the Application's rules.
    pub rules: Rules,
    /// How long it may take to become healthy.
    pub health_timeout: Duration,
    /// How a failed sync is tried again.
    pub retry: Retry,
    /// True where the destination namespace is the application's business.
    pub creates_namespace: bool,
    /// Where keys are read from.
    pub keyrings: Vec<KeyringPlace>,
    /// Its sources, in the order of the spec.
    pub sources: Vec<JobSource>,
    /// What was verified of sources that it has no more, or that are called otherwise now.
    pub orphans: Vec<VerificationState>,
    /// The commit that a person accepts although the history was rewritten.
    pub accepted: Option<String>,
    /// The commit that the cluster was last moved to.
    pub synced: Option<String>,
    /// Its Jobs that completed and may be gone since ([`sluice_model::application::ApplicationStatus::completed`]).
    pub completed: Vec<String>,
    /// What it owned when deletions began to wait, if any waits ([`sluice_model::application::ApplicationStatus::owned_before`]).
    pub owned_before: Option<Census>,
    /// What it says of its members ([`sluice_apply::Members`]): where to look for live objects.
    pub recorded: sluice_apply::Members,
}

/// Where public keys are read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyringPlace {
    /// A ConfigMap of the Application's namespace.
    ConfigMap(String),
    /// A Secret of the Application's namespace.
    Secret(String),
    /// A file or folder.
    File(PathBuf),
}

/// Where trust starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TrustStart {
    /// This commit, whole id.
    Commit(String),
    /// The commit of this annotated tag.
    Tag(String),
}

impl Job {
    /// Reads an Application, from the cluster or from a file.
    ///
    /// # Errors
    /// Every mistake of its spec, in the order of the spec's fields.
    pub fn resolve(application: &Application, defaults: &Defaults) -> Result<Self, Vec<Problem>> {
        match resolve::read(application, defaults) {
            (job, problems) if problems.is_empty() => Ok(job),
            (_, problems) => Err(problems),
        }
    }

    /// As [`Job::resolve`], for an Application that only lets its objects go: what it says of anything but the account that does
    /// so does not matter any more, and must not hold its deletion.
    ///
    /// # Errors
    /// [`Problem`] if the account cannot be one.
    pub fn to_let_go(application: &Application, defaults: &Defaults) -> Result<Self, Vec<Problem>> {
        let (job, mut problems) = resolve::read(application, defaults);
        problems.retain(Problem::is_of_account);
        match problems.is_empty() {
            true => Ok(job),
            false => Err(problems),
        }
    }

    /// Returns which Application it is. `namespace` is where it is meant to be if it does not say.
    pub fn key_of(application: &Application, namespace: &str) -> ApplicationKey {
        let metadata = &application.metadata;
        ApplicationKey {
            namespace: metadata.namespace.clone().unwrap_or_else(|| namespace.to_owned()),
            name: metadata.name.clone().unwrap_or_default(),
        }
    }

    /// Goes on from a newer status than the Application was read with: what of its history was verified, which of its Jobs completed,
    /// and what it owned when deletions began to wait.
    pub fn go_on_from(&mut self, status: &ApplicationStatus) {
        for source in &mut self.sources {
            source.verified = status.verification_of(&source.name).cloned().unwrap_or_default();
        }
        self.orphans = sources::orphans(status, &self.sources);
        self.completed.clone_from(&status.completed);
        self.owned_before = owned_before(status);
    }

    /// Returns what of it `decide` needs.
    pub fn subject(&self) -> Subject {
        let automated = self.spec.sync_policy.automated;
        Subject {
            key: self.key.clone(),
            destination: self.destination().to_owned(),
            rules: self.rules.clone(),
            completed: self.completed.clone(),
            owned_before: self.owned_before.clone(),
            allow_empty: automated.is_some_and(|automated| automated.allow_empty),
        }
    }

    /// Returns what tells its ApplySet from all others in the target. The one destination that there is is the home itself.
    pub fn identity(&self) -> Identity {
        applyset::identity(&self.key, &HomeOf::Here)
    }

    /// Returns the id of its ApplySet, which its objects carry.
    pub fn applyset(&self) -> String {
        self.identity().id
    }

    /// Returns the namespace for namespaced objects that name none.
    pub fn destination(&self) -> &str {
        self.spec
            .destination
            .namespace
            .as_deref()
            .unwrap_or(&self.key.namespace)
    }

    /// Returns the revision of one of its sources that the cluster was last moved to.
    pub fn synced_of(&self, source: &str) -> Option<&str> {
        revisions::of(self.synced.as_deref()?, source)
    }

    /// Returns what a person asks for of each source by one text: of one that is alone the revision, of several `NAME=REVISION`, with commas
    /// between them.
    ///
    /// # Errors
    /// [`PipelineError::Revisions`] if the text names none of the sources.
    pub fn asked(&self, revision: Option<&str>) -> Result<Vec<Option<String>>, PipelineError> {
        let Some(text) = revision else {
            return Ok(vec![None; self.sources.len()]);
        };
        if let [alone] = self.sources.as_slice()
            && alone.name.is_empty()
        {
            return Ok(vec![Some(text.to_owned())]);
        }
        let names: Vec<String> = self.sources.iter().map(|source| source.name.clone()).collect();
        let by_name = sources::by_name(text, &names).map_err(|detail| PipelineError::Revisions { detail })?;
        Ok(names.iter().map(|name| by_name.get(name).cloned()).collect())
    }

    /// Returns how much of the history must be signed.
    pub fn mode(&self) -> VerificationMode {
        self.spec
            .verification
            .as_ref()
            .map_or(VerificationMode::None, |verification| verification.mode)
    }
}

/// What the annotations of an Application say of its members.
fn recorded(application: &Application) -> sluice_apply::Members {
    let annotations = &application.metadata.annotations;
    let record = serde_json::json!({
        "apiVersion": "sluice.dev/v1alpha1", "kind": "Application", "metadata": {"annotations": annotations},
    });
    Object::new(record)
        .map(|object| sluice_apply::Members::recorded(&object))
        .unwrap_or_default()
}

/// What a status remembers of what the application owned when deletions began to wait.
fn owned_before(status: &ApplicationStatus) -> Option<Census> {
    let tallies = &status.owned_before;
    (!tallies.is_empty()).then(|| Census::recorded(tallies))
}

/// The commit that a person accepts although the history was rewritten.
fn accepted(application: &Application) -> Option<String> {
    let annotations = application.metadata.annotations.as_ref()?;
    annotations.get(ACCEPTED_HISTORY_ANNOTATION).cloned()
}

#[cfg(test)]
mod tests;
