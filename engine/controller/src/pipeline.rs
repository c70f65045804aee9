//! The stages in their order, once: what the loop does again and again and a command does a single time.
//!
//! ```text
//! trusted ─▶ manifests ─▶ live ─▶ prepare ─▶ (apply)
//! source     render       observe  sync policies, compare,
//! verify     settle                prune policies, plan
//! ```
//!
//! Every step can be called by itself; each takes what the one before it gave. Whatever blocks or computes runs on threads
//! for that, so a runtime of one thread is enough.

mod bounds;
mod decide;
mod doubts;
mod health;
mod keyrings;
mod live;
mod memory;
mod namespace;

use std::collections::BTreeSet;
use std::sync::Arc;

use sluice_cluster::{Cluster, Kind};
use sluice_model::application::{ApplicationSpec, NamespaceMetadata, VerificationMode};
use sluice_model::manifest::Manifest;
use sluice_model::object::{GroupKind, Object};
use sluice_model::plan::ApplicationKey;
use sluice_model::tree::{Revision, Tree};
use sluice_model::trust::{Evidence, SignatureReport, Signer, Verified};
use sluice_model::{Application, applyset};
use sluice_plugin_host::PluginHost;
use sluice_render::Scope;
use sluice_source::{Fetched, TreeLimits};
use sluice_verify::{Keyring, Policy, Request, Verifier};
use tokio::time::Instant;

use crate::error::PipelineError;
use crate::mirrors::{Mirrors, Reach};
use crate::references::References;

use memory::Memory;

pub use bounds::Bounds;
pub use decide::{Compared, Intent, Prepared};
pub use health::{HealthMemory, ObjectHealth, worst};
pub use live::Live;

/// More new commits than this are not verified in one go: a person should look at what happened.
const HISTORY_LIMIT: usize = 100_000;

/// The stages and what they need. Cheap to clone.
#[derive(Clone)]
pub struct Pipeline {
    /// Repositories.
    pub mirrors: Mirrors,
    /// Policies.
    pub plugins: PluginHost,
    /// The cluster, for kinds, live objects, keyrings and credentials.
    pub cluster: Cluster,
    pub(crate) references: References,
    /// Where objects may be.
    pub bounds: Bounds,
    pub(crate) answers: Memory<doubts::Answers>,
    /// For which revision and metadata the destination namespace was as it should be.
    pub(crate) namespaces: Memory<(Option<String>, Option<NamespaceMetadata>)>,
    /// OpenSSH `known_hosts` for all repositories; that of the user and of the system where missing.
    pub known_hosts: Option<std::path::PathBuf>,
}

/// What of an Application the stages need.
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    /// Which application.
    pub key: ApplicationKey,
    /// What it wants.
    pub spec: ApplicationSpec,
    /// The commit up to which its history is trusted.
    pub last_trusted: Option<String>,
    /// The commit that the cluster was last moved to.
    pub synced: Option<String>,
    /// What it says of its members ([`sluice_apply::Members`]): where to look for live objects.
    pub recorded: sluice_apply::Members,
}

impl Job {
    /// Reads an Application, from the cluster or from a file. `namespace` is where it is meant to be where it does not say.
    pub fn of(application: &Application, namespace: &str) -> Self {
        let annotations = application.metadata.annotations.clone().unwrap_or_default();
        let record = serde_json::json!({"apiVersion": "sluice.dev/v1alpha1", "kind": "Application", "metadata": {"annotations": annotations}});
        let recorded = Object::new(record)
            .map(|object| sluice_apply::Members::recorded(&object))
            .unwrap_or_default();
        let verification = application
            .status
            .as_ref()
            .and_then(|status| status.verification.as_ref());
        Self {
            key: ApplicationKey {
                namespace: application
                    .metadata
                    .namespace
                    .clone()
                    .unwrap_or_else(|| namespace.to_owned()),
                name: application.metadata.name.clone().unwrap_or_default(),
            },
            spec: application.spec.clone(),
            synced: application
                .status
                .as_ref()
                .map(|status| status.sync.revision.clone())
                .filter(|revision| !revision.is_empty()),
            last_trusted: verification.and_then(|state| state.trusted_revision.clone()),
            recorded,
        }
    }

    /// The id that its objects carry.
    pub fn applyset(&self) -> String {
        applyset::id(&self.key.namespace, &self.key.name)
    }

    /// Where namespaced objects without a namespace go.
    pub fn destination(&self) -> &str {
        self.spec
            .destination
            .namespace
            .as_deref()
            .unwrap_or(&self.key.namespace)
    }

    /// How much of the history must be signed.
    pub fn mode(&self) -> VerificationMode {
        self.spec
            .verification
            .as_ref()
            .map_or(VerificationMode::None, |verification| verification.mode)
    }
}

/// A revision that was let through.
#[derive(Debug, Clone)]
pub struct Trusted {
    /// Which.
    pub revision: Revision,
    /// Its files.
    pub tree: Arc<Verified<Tree>>,
    /// Who signed it; none where nothing was asked for.
    pub signer: Option<Signer>,
    /// Every signature that was looked at for it.
    pub reports: Vec<SignatureReport>,
}

/// A repository at a revision, not judged yet.
#[derive(Debug, Clone)]
pub struct Found {
    /// What the name means now.
    pub revision: Revision,
    repository: Arc<Fetched>,
}

impl Pipeline {
    /// A pipeline that asks for what it needs when it needs it.
    pub fn new(mirrors: Mirrors, plugins: PluginHost, cluster: Cluster) -> Self {
        let references = References::asking(cluster.clone());
        Self {
            mirrors,
            plugins,
            cluster,
            references,
            bounds: Bounds::default(),
            answers: Memory::default(),
            namespaces: Memory::default(),
            known_hosts: None,
        }
    }

    /// The cluster, as the account that an application's objects are read and written as.
    ///
    /// # Errors
    /// [`PipelineError::Spec`] where what the spec names is no name.
    pub fn cluster_of(&self, job: &Job) -> Result<Cluster, PipelineError> {
        let Some(account) = &job.spec.destination.service_account else {
            return Ok(self.cluster.clone());
        };
        self.cluster
            .acting_as(&job.key.namespace, account)
            .map_err(|error| PipelineError::Spec {
                field: "spec.destination.serviceAccount",
                detail: error.to_string(),
            })
    }

    /// Fetches the repository, unless that was done since, and finds out what `revision` (the target where missing) means.
    pub async fn find(
        &self,
        job: &Job,
        revision: Option<&str>,
        since: Instant,
    ) -> Result<Found, PipelineError> {
        if job.spec.destination.name != "in-cluster" {
            return Err(PipelineError::Destination {
                name: job.spec.destination.name.clone(),
            });
        }
        // A name that is none is better said before the repository is asked.
        self.cluster_of(job)?;
        let reach = self.reach(job).await?;
        let repository = self
            .mirrors
            .fetch(&job.spec.source.repo_url, &reach, since)
            .await?;
        let name = revision.unwrap_or(&job.spec.source.target_revision).to_owned();
        let reader = Arc::clone(&repository);
        let revision = blocking(move || reader.resolve(&name)).await??;
        Ok(Found { revision, repository })
    }

    /// Verifies a revision and reads its files.
    ///
    /// # Errors
    /// [`PipelineError::Verify`] where it is refused; the last trusted one can then be asked for by its commit.
    pub async fn trust(
        &self,
        job: &Job,
        found: &Found,
        keyring: Arc<Keyring>,
        now: jiff::Timestamp,
    ) -> Result<Trusted, PipelineError> {
        let (mode, path) = (job.mode(), job.spec.source.path.clone());
        let last_trusted = job.last_trusted.clone();
        let Found { revision, repository } = found.clone();
        blocking(move || {
            let tree = repository.tree(&revision, &path, &TreeLimits::default())?;
            if mode == VerificationMode::None {
                let tree = Arc::new(Verifier::not_required(tree));
                return Ok(Trusted {
                    revision,
                    tree,
                    signer: None,
                    reports: Vec::new(),
                });
            }
            let history = repository.history(&revision, last_trusted.as_deref(), HISTORY_LIMIT)?;
            let policy = Policy::default();
            let verifier = Verifier::new(&keyring, &policy, now);
            let refused = |error| PipelineError::Verify {
                commit: revision.commit.clone(),
                error: Arc::new(error),
            };
            let request = Request {
                mode,
                requested: &revision.requested,
                last_trusted: last_trusted.as_deref(),
                ..Request::default()
            };
            let verification = verifier
                .revision(tree, &history, &request, &**repository)
                .map_err(refused)?;
            let signer = match verification.tree.evidence() {
                Evidence::Signed { signer, .. } | Evidence::Tagged { signer, .. } => Some(signer.clone()),
                Evidence::NotRequired | Evidence::AlreadyTrusted => None,
            };
            Ok(Trusted {
                revision,
                tree: Arc::new(verification.tree),
                signer,
                reports: verification.reports,
            })
        })
        .await?
    }

    /// [`Pipeline::find`], [`Pipeline::keyring`] and [`Pipeline::trust`] in one, for commands.
    pub async fn trusted(&self, job: &Job, revision: Option<&str>) -> Result<Trusted, PipelineError> {
        let found = self.find(job, revision, Instant::now()).await?;
        let keyring = self.keyring(job).await?;
        self.trust(job, &found, Arc::new(keyring), jiff::Timestamp::now())
            .await
    }

    /// Renders a trusted tree and settles namespaces and kinds against the cluster.
    pub async fn manifests(&self, job: &Job, trusted: &Trusted) -> Result<Vec<Manifest>, PipelineError> {
        let (tree, source) = (Arc::clone(&trusted.tree), job.spec.source.clone());
        let rendered = blocking(move || sluice_render::render(&tree, &source)).await??;
        self.settle(rendered, job.destination()).await
    }

    /// Settles namespaces and kinds against the cluster.
    pub async fn settle(
        &self,
        rendered: Vec<Manifest>,
        destination: &str,
    ) -> Result<Vec<Manifest>, PipelineError> {
        let mut kinds = self.cluster.kinds().await?;
        let known = |kinds: &sluice_cluster::Kinds, object: &Object| {
            kinds
                .find(object.group(), object.version(), object.kind())
                .is_some()
        };
        let defined: BTreeSet<GroupKind> = rendered
            .iter()
            .flat_map(|manifest| Kind::defined_by(&manifest.object))
            .map(|kind| kind.group_kind())
            .collect();
        let missed = |object: &Object| !known(&kinds, object) && !defined.contains(&object.group_kind());
        if rendered.iter().any(|manifest| missed(&manifest.object)) {
            kinds = self.cluster.refresh_kinds().await?;
        }
        let scope = |group: &str, version: &str, kind: &str| {
            kinds
                .find(group, version, kind)
                .map(|kind| match kind.namespaced {
                    true => Scope::Namespaced,
                    false => Scope::Cluster,
                })
        };
        let settled = sluice_render::settle(rendered, &scope, destination)?;
        self.bounds.check(&settled)?;
        Ok(settled)
    }

    async fn reach(&self, job: &Job) -> Result<Reach, PipelineError> {
        let mut reach = match &job.spec.source.credentials {
            Some(secret) => self.credentials(&job.key.namespace, &secret.name).await?,
            None => Reach::default(),
        };
        reach.access.known_hosts.clone_from(&self.known_hosts);
        Ok(reach)
    }
}

/// Runs what blocks or computes on a thread for that.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, PipelineError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(PipelineError::internal)
}
