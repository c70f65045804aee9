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
mod earlier;
mod health;
mod keyrings;
mod live;
mod memory;
mod namespace;
mod reach;
mod trust;

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};

use sluice_cluster::{Cluster, Kind};
use sluice_model::application::{
    ACCEPTED_HISTORY_ANNOTATION, ApplicationSpec, NamespaceMetadata, VerificationMode, VerificationState,
};
use sluice_model::manifest::Manifest;
use sluice_model::object::{GroupKind, Object};
use sluice_model::plan::ApplicationKey;
use sluice_model::tree::Revision;
use sluice_model::{Application, applyset};
use sluice_plugin_host::PluginHost;
use sluice_render::Scope;
use sluice_source::Fetched;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::error::PipelineError;
use crate::mirrors::{Mirror, Mirrors};
use crate::references::References;

use memory::Memory;

pub use bounds::Bounds;
pub use decide::{Compared, Intent, Prepared};
pub use health::{HealthMemory, ObjectHealth, worst};
pub use keyrings::Grounds;
pub(crate) use live::{BLOCKED, denied, wanted_by};
pub use live::{Claimed, Live};
pub use reach::{Reaching, SHARED_CERTIFICATES, SHARED_KNOWN_HOSTS, SHARED_REPOSITORIES};
pub use trust::{HeldBack, Starts, Trusted};

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
    /// How repositories are reached where an Application says nothing else.
    pub reaching: Reaching,
}

/// What of an Application the stages need.
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    /// Which application.
    pub key: ApplicationKey,
    /// What it wants.
    pub spec: ApplicationSpec,
    /// What of its history was verified.
    pub verified: VerificationState,
    /// The commit that a person accepts although the history was rewritten.
    pub accepted: Option<String>,
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
        let status = application.status.as_ref();
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
            verified: status
                .and_then(|status| status.verification.clone())
                .unwrap_or_default(),
            accepted: annotations.get(ACCEPTED_HISTORY_ANNOTATION).cloned(),
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

    /// The revision that is wanted: the pinned one, or what the target revision means.
    pub fn wanted(&self) -> &str {
        let pinned = self.spec.pin.as_ref().map(|pin| pin.revision.as_str());
        pinned.unwrap_or(&self.spec.source.target_revision)
    }

    /// How much of the history must be signed.
    pub fn mode(&self) -> VerificationMode {
        self.spec
            .verification
            .as_ref()
            .map_or(VerificationMode::None, |verification| verification.mode)
    }
}

/// A repository at a revision, not judged yet.
#[derive(Debug, Clone)]
pub struct Found {
    /// What the name means now.
    pub revision: Revision,
    /// How new the repository was then ([`crate::mirrors::Mirror::version`]).
    pub version: u64,
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
            reaching: Reaching::default(),
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

    /// Fetches the repository, unless that was done since, and finds out what `revision` means; [`Job::wanted`] where missing.
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
        let Mirror { repository, version } = self
            .mirrors
            .fetch(&job.spec.source.repo_url, &reach, since)
            .await?;
        let name = revision.unwrap_or_else(|| job.wanted()).to_owned();
        let reader = Arc::clone(&repository);
        let revision = blocking(move || reader.resolve(&name)).await??;
        Ok(Found {
            revision,
            version,
            repository,
        })
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
}

/// As many computations at once as there are processors, and as many again that wait for the disk: of a hundred applications
/// that wake together, more would only need more memory.
static TURNS: LazyLock<Semaphore> =
    LazyLock::new(|| Semaphore::new(std::thread::available_parallelism().map_or(4, usize::from) * 2));

/// Runs what blocks or computes on a thread for that, in its turn.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, PipelineError> {
    let _turn = TURNS.acquire().await.map_err(PipelineError::internal)?;
    tokio::task::spawn_blocking(work)
        .await
        .map_err(PipelineError::internal)
}
