//! The stages with their I/O, in their order: what the loop does again and again and a command does a single time.
//!
//! ```text
//! find ─▶ grounds ─▶ trust ─▶ manifests ─▶ live ─▶ prepare ─▶ (apply)
//! source  verify     verify   render       observe  decide, with the plugins and
//!                             settle                the server to ask
//! ```
//!
//! Where to start reading: [`Job::resolve`] reads an Application; [`Pipeline`] has a method for each stage, and each takes what the
//! one before it returned. Every stage can be called by itself. What was found out about an application is remembered in the
//! [`Pipeline`], so that an application at rest costs no request; [`Pipeline::forget`] lets go of it.
//!
//! A caller keeps what this crate does not: time (every judgement is handed its `now`), retries, how many applications are looked at
//! at once, and everything that is written. Nothing here writes to a cluster but dry-runs. Whatever blocks or computes runs on
//! threads for that, so a runtime of one thread is enough.
#![forbid(unsafe_code)]

mod blocking;
mod bounds;
mod charts;
pub mod codes;
mod credentials;
mod dry_run;
mod error;
mod given;
mod health;
mod job;
mod keyrings;
mod live;
pub mod mirrors;
mod namespace;
mod per_application;
mod plan_cache;
mod prepare;
mod references;
mod rendering;
mod rollback;
mod sources;
mod trust;
mod unrecorded;
mod variables;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sluice_cluster::{Home, Kind, Kinds, Target};
use sluice_model::Application;
use sluice_model::application::NamespaceMetadata;
use sluice_model::manifest::{Manifest, Origin as Place};
use sluice_model::object::{GroupKind, Object, ObjectKey};
use sluice_model::plan::ApplicationKey;
use sluice_model::secret::mask;
use sluice_observe::Relatives;
use sluice_plugin_host::{Compiler, PluginHost, Renderers, SyncObject, Workplace};
use sluice_render::Scope;
use sluice_sops::Keys;
use sluice_source::{SourceError, is_elsewhere};
use tokio::time::Instant;

use blocking::blocking;
use mirrors::Mirrors;
use per_application::PerApplication;
use references::References;

pub use bounds::Bounds;
pub use credentials::{Reaching, SHARED_CERTIFICATES, SHARED_KNOWN_HOSTS, SHARED_REPOSITORIES};
pub use error::PipelineError;
pub use given::Given;
pub use health::HealthMemory;
pub use job::{Defaults, Job, KeyringPlace, Problem, TrustStart};
pub use keyrings::Grounds;
pub use prepare::{Plugins, Prepared};
pub use rendering::{Capabilities, RENDERING_SECRET, RENDERING_SECRET_KEY, Randomness};
pub use sluice_decide::{Claimed, Compared, Intent, Live};
pub use sluice_render::Rendered;
pub use sluice_sops::{Keys as DecryptionKeys, SopsError};
pub use sources::{
    ChartOrigin, Found, GitOrigin, JobSource, Origin, RenderedSource, Trusted, TrustedSource, id_of,
};
pub use trust::{HeldBack, Starts};
pub use variables::{Expanded, Variable};

/// A small renderer is compiled by then; a loop that comes back need not wait longer.
const PATIENCE: Duration = Duration::from_secs(2);

/// The stages and what they need. Cheap to clone.
#[derive(Clone)]
pub struct Pipeline {
    /// The mirrors of all repositories.
    pub mirrors: Mirrors,
    /// The plugins that answer for the policies.
    pub plugins: PluginHost,
    /// Where the objects are: for kinds, and what is live.
    pub target: Target,
    /// Where the Applications are: for keyrings, credentials, ledgers and status.
    pub home: Home,
    references: References,
    /// What health checks see beside the objects that they judge.
    pub relatives: Arc<Relatives>,
    /// Where objects may be.
    pub bounds: Bounds,
    /// What holds for an Application that does not say otherwise.
    pub defaults: Defaults,
    answers: PerApplication<sluice_decide::Answers>,
    /// For which revision and metadata the destination namespace was as it should be.
    namespaces: PerApplication<(Option<String>, Option<NamespaceMetadata>)>,
    complete: PerApplication<Arc<live::Complete>>,
    prepared: PerApplication<Arc<plan_cache::CachedPlan>>,
    /// The renderers of charts and kustomizations.
    pub renderers: Renderers,
    /// How long a rendering waits for a renderer of the plugin directory that is being compiled; then that is its error.
    pub patience: Duration,
    /// What their randomness comes from.
    pub randomness: Randomness,
    /// Whether kustomizations say which file each object comes from, which costs time.
    pub origins: bool,
    /// The folder where renderings are kept over a restart. They are only if the Secret [`RENDERING_SECRET`] can be read.
    pub kept_renderings: Option<Arc<Path>>,
    renderings: Arc<rendering::Cache>,
    /// Keys that open encrypted files, in place of those that Applications name.
    pub keys: Option<Arc<Keys>>,
    /// Ask the cluster for nothing that a rendering is given: what an Application names there is an error, unless it is optional.
    pub offline: bool,
    /// How repositories are reached where an Application says nothing else.
    pub reaching: Reaching,
}

impl Pipeline {
    /// Returns a pipeline that asks for what it needs when it needs it: without bounds, with the defaults of [`Defaults`] and
    /// [`Reaching`].
    pub fn new(mirrors: Mirrors, plugins: PluginHost, home: Home, target: Target) -> Self {
        let references = References::asking(home.clone());
        let relatives = Arc::new(Relatives::new(target.clone(), None, Arc::new(|_| {})));
        Self {
            mirrors,
            plugins,
            target,
            home,
            references,
            relatives,
            bounds: Bounds::default(),
            defaults: Defaults::default(),
            answers: PerApplication::default(),
            namespaces: PerApplication::default(),
            complete: PerApplication::default(),
            prepared: PerApplication::default(),
            renderers: Renderers::new(None, Compiler::Child(Workplace::default())),
            patience: PATIENCE,
            randomness: Randomness::default(),
            origins: false,
            kept_renderings: None,
            renderings: Arc::default(),
            keys: None,
            offline: false,
            reaching: Reaching::default(),
        }
    }

    /// Watches the ConfigMaps and Secrets that Applications name from now on, each one by its name, where it would ask for them each
    /// time otherwise. `on_change` is called with the namespace in which one of them changed, and must not block.
    #[must_use]
    pub fn watching_references(self, on_change: Arc<dyn Fn(&str) + Send + Sync>) -> Self {
        Self {
            references: References::watching(self.home.clone(), on_change),
            ..self
        }
    }

    /// Ends the watches of ConfigMaps and Secrets that none of these Applications names. Those that are shared stay.
    pub fn retain_references<'a>(&self, applications: impl IntoIterator<Item = &'a Application>) {
        self.references
            .retain(applications, self.reaching.shared.as_deref());
    }

    /// Forgets what was found out about an application: it is gone, or a person wants all of it found out again.
    pub fn forget(&self, key: &ApplicationKey) {
        drop(self.answers.take(key));
        drop(self.namespaces.take(key));
        drop(self.complete.take(key));
        drop(self.prepared.take(key));
    }

    /// Returns the target, as the account that an application's objects are read and written as.
    pub fn target_of(&self, job: &Job) -> Target {
        match &job.account {
            Some(account) => self.target.acting_as(account),
            None => self.target.clone(),
        }
    }

    /// Fetches a source, unless that was done since, and returns what `revision` means in it; [`JobSource::wanted`] if missing.
    ///
    /// # Errors
    /// [`PipelineError::Source`] and [`PipelineError::Chart`] if it cannot be fetched or has no such revision; [`PipelineError::Credentials`] and
    /// [`PipelineError::Hosts`] if what it is reached with cannot be used.
    pub async fn find(
        &self,
        job: &Job,
        source: &JobSource,
        revision: Option<&str>,
        since: Instant,
    ) -> Result<Found, PipelineError> {
        if !source.spec.is_git() {
            return self.find_chart(job, source, revision, since).await;
        }
        let reach = self.reach(job, &source.spec).await?;
        let url = &source.spec.repo_url;
        let name = revision.unwrap_or_else(|| source.wanted());
        let mut mirror = self.mirrors.fetch(url, &reach, since).await?;
        let mut revision = mirror.resolve(name).await?;
        if let Err(SourceError::UnknownRevision { .. }) = &revision
            && is_elsewhere(name)
        {
            mirror = self.mirrors.fetch_also(url, &reach, name).await?;
            revision = mirror.resolve(name).await?;
        }
        let origin = GitOrigin {
            revision: revision?,
            repository: mirror.repository,
        };
        Ok(Found {
            source: trust::continued(job, source, &origin).await?,
            origin: Origin::Git(origin),
            version: mirror.version,
        })
    }

    /// Renders what is trusted, and settles namespaces and kinds against the cluster. Returns its manifests, each with its file and
    /// line.
    ///
    /// # Errors
    /// [`PipelineError::Render`] with everything that is wrong with them; [`PipelineError::OutOfBounds`] if some are of objects
    /// outside of [`Pipeline::bounds`]; [`PipelineError::Cluster`] if the kinds of the cluster cannot be found out.
    pub async fn manifests(&self, job: &Job, trusted: &Trusted) -> Result<Vec<Manifest>, PipelineError> {
        let expanded = self.expanded(job, trusted).await?;
        let (job, trusted) = (&expanded.job, &expanded.trusted);
        let capabilities = self.capabilities(trusted).await?;
        let mut manifests = Vec::new();
        for source in Box::pin(self.render(job, trusted, &capabilities)).await? {
            let rendered = source.rendered.manifests;
            let automated = job.spec.sync_policy.automated;
            let may_be_empty = automated.is_some_and(|automated| automated.allow_empty);
            // A wrong path of one source must not look as if all of its objects were to go.
            if rendered.is_empty() && !source.name.is_empty() && !may_be_empty {
                return Err(PipelineError::EmptySource {
                    source_name: source.name,
                });
            }
            manifests.extend(rendered);
        }
        self.settle(job, manifests).await
    }

    /// Returns true if the cluster is known to serve the kinds of all of them, so that what [`Pipeline::manifests`] settled stays so.
    pub fn serves(&self, manifests: &[Manifest]) -> bool {
        let kinds = self.target.known_kinds();
        manifests.iter().all(|manifest| kinds.has(&manifest.object))
    }

    async fn settle(&self, job: &Job, rendered: Vec<Manifest>) -> Result<Vec<Manifest>, PipelineError> {
        let mut kinds = self.target.kinds().await?;
        let defined: BTreeSet<GroupKind> = rendered
            .iter()
            .flat_map(|manifest| Kind::defined_by(&manifest.object))
            .map(|kind| kind.group_kind())
            .collect();
        let missed = |kinds: &Kinds| -> Vec<Object> {
            let objects = rendered.iter().map(|manifest| &manifest.object);
            objects
                .filter(|object| !kinds.has(object) && !defined.contains(&object.group_kind()))
                .cloned()
                .collect()
        };
        let mut unknown = missed(&kinds);
        if !unknown.is_empty() {
            kinds = self.target.refresh_kinds().await?;
            unknown = missed(&kinds);
        }
        let awaited = self.awaited(job, unknown).await?;
        let scope = |object: &Object| match kinds.find(object.group(), object.version(), object.kind()) {
            Some(kind) if !kind.namespaced => Some(Scope::Cluster),
            Some(_) => Some(Scope::Namespaced),
            // As most kinds are; should it turn out to be another, the next look knows better.
            None => awaited.contains(&object.key()).then_some(Scope::Namespaced),
        };
        let allowed = |object: &Object, first: &Place, again: &Place| {
            sources::of_place(first) != sources::of_place(again) && job.spec.allows_duplicate(object)
        };
        let settled = sluice_render::settle_with(rendered, &scope, job.destination(), &allowed)?;
        self.bounds.check(&settled)?;
        Ok(settled)
    }

    /// Those of some objects of unknown kinds of which a sync policy says that their kind will be known by the time they are
    /// applied.
    async fn awaited(&self, job: &Job, unknown: Vec<Object>) -> Result<BTreeSet<ObjectKey>, PipelineError> {
        if unknown.is_empty() {
            return Ok(BTreeSet::new());
        }
        let (plugins, job) = (self.plugins.clone(), job.clone());
        blocking(move || {
            let asked: Vec<SyncObject> = unknown.iter().map(|object| mask(object).into()).collect();
            let context = prepare::sync_context(&job, jiff::Timestamp::now());
            let answer = plugins.sync(&job.spec.policies.sync, &asked, &context);
            let decided = unknown.iter().zip(answer.value);
            decided
                .filter(|(_, decision)| decision.options.skip_dry_run_on_missing_kind)
                .map(|(object, _)| object.key())
                .collect()
        })
        .await
    }
}
