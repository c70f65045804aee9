//! Rendering with what it needs: the renderers, other files of the verified commit, what the cluster can do, and randomness.
//!
//! A rendering follows from the files that were read, the settings, the renderer and the cluster's capabilities. As long as none of them
//! changes, the last one is the answer ([`Cache`]), for every Application that would ask the same.

mod added;
mod cache;
mod decryption;
mod disk;
mod places;
mod remote;
mod revealing;

use std::collections::BTreeMap;
use std::sync::Arc;

use hmac::{Hmac, Mac as _};
use sha2::{Digest as _, Sha256};
use sluice_model::application::{Source, VerificationMode};
use sluice_model::manifest::Manifest;
use sluice_model::plan::ApplicationKey;
use sluice_model::rendering::{Complaint, Context, Input, Outcome, Renderer, Rendering};
use sluice_model::secret::Redactor;
use sluice_model::tree::Tree;
use sluice_model::trust::Verified;
use sluice_plugin_host::{AddedRenderer, PluginError, Renderers};
use sluice_render::{FetchedChart, Problem, SourceKind, Tools, WantedChart};

use crate::blocking::blocking;
use crate::error::PipelineError;
use crate::references::Named;
use crate::sources::place_in;
use crate::variables::is_path_open;
use crate::{Found, Job, JobSource, Pipeline, RenderedSource, Trusted, TrustedSource};

pub(crate) use cache::Cache;
use cache::{Answer, Lookup, Question};
use decryption::Vault;
use disk::Disk;
use places::Places;
use remote::Address;
use revealing::Revealing;

/// What charts may ask of the cluster and of the clock. What is not known is the library's own default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// The server's version, such as `1.36.0`.
    pub kube_version: Option<String>,
    /// What it serves, `apps/v1` and `apps/v1/Deployment`, sorted.
    pub api_versions: Arc<[String]>,
    /// The time that charts are told, RFC 3339.
    pub now: String,
}

/// The Secret that the randomness of renderings comes from, in the namespace of what is shared. Who can read it can tell the passwords
/// that charts make up.
pub const RENDERING_SECRET: &str = "sluice-rendering";
/// Its entry: 32 bytes or more.
pub const RENDERING_SECRET_KEY: &str = "key";

/// What the randomness of renderings comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Randomness {
    /// The Secret [`RENDERING_SECRET`]. If it cannot be read, a chart that makes something up is refused.
    #[default]
    Secret,
    /// Nothing secret: for looking at a chart, never for a cluster.
    Public,
}

/// How long the clock of renderings stands still: a certificate that a chart makes is the same as long as its input and this month are.
const PERIOD: i64 = 30 * 24 * 60 * 60;

impl Capabilities {
    /// What is known without a cluster: the time alone.
    pub fn unknown() -> Self {
        let now = jiff::Timestamp::now().as_second();
        let month = jiff::Timestamp::from_second(now - now.rem_euclid(PERIOD)).unwrap_or_default();
        Self {
            now: month.to_string(),
            ..Self::default()
        }
    }
}

impl Pipeline {
    /// Returns what the destination cluster can do, for a source that asks for it; nothing at all for plain manifests.
    ///
    /// # Errors
    /// [`PipelineError::Cluster`] if the cluster does not say.
    pub async fn capabilities(&self, trusted: &Trusted) -> Result<Capabilities, PipelineError> {
        if !trusted.sources.iter().any(is_rendered) {
            return Ok(Capabilities::default());
        }
        let kinds = self.target.kinds().await?;
        Ok(Capabilities {
            kube_version: kinds.server_version().map(str::to_owned),
            api_versions: kinds.api_versions(),
            ..Capabilities::unknown()
        })
    }

    /// What the randomness of renderings comes from; none if that cannot be read.
    async fn rendering_key(&self) -> Option<Vec<u8>> {
        match self.randomness {
            Randomness::Public => Some(b"public".to_vec()),
            Randomness::Secret => {
                let values = self.shared(Named::Secret, RENDERING_SECRET).await.ok()??;
                let key = values.get(RENDERING_SECRET_KEY)?.clone();
                (key.len() >= 32).then_some(key)
            }
        }
    }

    /// Renders what is trusted and [expanded](Pipeline::expanded), source by source. Namespaces are as they are written, and kinds are not checked;
    /// [`Pipeline::manifests`] does both.
    ///
    /// # Errors
    /// [`PipelineError::Render`] with everything that is wrong; [`PipelineError::Source`] if other files of the commit cannot be read.
    pub async fn render(
        &self,
        job: &Job,
        trusted: &Trusted,
        capabilities: &Capabilities,
    ) -> Result<Vec<RenderedSource>, PipelineError> {
        let mut sources = Vec::new();
        for source in &trusted.sources {
            let name = &source.source.name;
            if source.source.gives_values_alone() {
                continue;
            }
            let rendered = self
                .render_once_compiled(job, source, trusted, capabilities)
                .await;
            let mut finished = rendered.map_err(|error| match error {
                PipelineError::Render(errors) => {
                    PipelineError::Render(errors.at_files(|file| Some(place_in(name, file))))
                }
                other => other,
            })?;
            for manifest in &mut finished.rendered.manifests {
                manifest.origin.file = place_in(name, &manifest.origin.file);
            }
            sources.push(finished);
        }
        Ok(sources)
    }

    async fn render_source(
        &self,
        job: &Job,
        places: Places,
        capabilities: &Capabilities,
    ) -> Result<RenderedSource, PipelineError> {
        let trusted = places.own();
        let key = match is_rendered(trusted) {
            true => self.rendering_key().await,
            false => None,
        };
        let mut source: Source = trusted.source.spec.clone();
        let values = self.chart_values(job, &source).await?;
        let mut handed = Vec::new();
        if let (Some(values), Some(helm)) = (values, &mut source.helm) {
            handed = values.secrets;
            helm.values_object = Some(values.values);
            helm.values = String::new();
        }
        if let Some(helm) = &mut source.helm {
            helm.values_from = Vec::new();
        }
        let variables = self.variables(job).await?;
        let is_chart = matches!(SourceKind::of(trusted.tree.get(), &source), Ok(SourceKind::Helm));
        let vault = Vault::new(self.decryption_keys(job).await?, is_chart);
        let kept = self.kept_renderings.as_deref().zip(key.as_deref());
        let has_secrets = !handed.is_empty();
        let added = source
            .plugin
            .as_ref()
            .map(|plugin| self.plugins.renderer(&plugin.name));
        let mut tools = Equipment {
            disk: kept
                // What has a secret value in it is kept in memory alone.
                .filter(|_| self.randomness == Randomness::Secret && !has_secrets)
                .and_then(|(folder, key)| Disk::of(folder, key)),
            key,
            job: job.clone(),
            places,
            capabilities: capabilities.clone(),
            added,
            vault,
            answer: None,
            failed: None,
            runtime: tokio::runtime::Handle::current(),
            pipeline: self.clone(),
            has_fetched: false,
            began: tokio::time::Instant::now(),
        };
        blocking(move || {
            let tree = tools.opened(tools.places.folder());
            let rendered = sluice_render::render(&tree, &source, &mut tools);
            if let Some(error) = tools.failed.take() {
                return Err(error);
            }
            tools.vault.check(&rendered)?;
            handed.extend(tools.vault.handed());
            let handed = Redactor::of_values(handed);
            let revealing = Revealing {
                vault: &tools.vault,
                variables: &variables,
                handed: &handed,
            };
            let finished = rendered.and_then(|rendered| revealing.finish(rendered));
            let rendered = finished.map_err(|mut errors| {
                errors.redact(&handed);
                PipelineError::from(errors)
            })?;
            let renderer = rendered.kind.renderer(&source).map(|renderer| {
                let digest = tools.digest(renderer).unwrap_or_default();
                format!("{}@{digest}", renderer.name())
            });
            Ok(RenderedSource {
                name: tools.places.own().source.name.clone(),
                renderer,
                rendered,
            })
        })
        .await?
    }
}

/// True for charts and kustomizations, which ask for the cluster, the clock and chance.
fn is_rendered(trusted: &TrustedSource) -> bool {
    if trusted.source.gives_values_alone() {
        return false;
    }
    if is_path_open(&trusted.source.spec) {
        return true;
    }
    let kind = SourceKind::of(trusted.tree.get(), &trusted.source.spec);
    kind.is_ok_and(|kind| kind.renderer(&trusted.source.spec).is_some())
}

/// What a renderer is equipped with.
struct Equipment {
    /// The renderers, the cache of their answers, and how charts are fetched.
    pipeline: Pipeline,
    /// Where renderings are kept over a restart, if they are.
    disk: Option<Disk>,
    /// What randomness comes from, if that is known.
    key: Option<Vec<u8>>,
    job: Job,
    /// The source that is rendered, and those that it can see.
    places: Places,
    capabilities: Capabilities,
    /// The renderer of the plugin directory that the source names: the same version from the first question to the last.
    added: Option<Result<AddedRenderer, PluginError>>,
    /// The encrypted files of the commit.
    vault: Vault,
    /// What was recalled or remembered last.
    answer: Option<Arc<Answer>>,
    /// Why the repository could not be read: the stage only says that it could not.
    failed: Option<PipelineError>,
    /// Where charts are fetched, which waits for the network.
    runtime: tokio::runtime::Handle,
    /// Whether a chart was fetched for this rendering.
    has_fetched: bool,
    began: tokio::time::Instant,
}

impl Equipment {
    /// `sha256:…` of the version of a renderer that is asked; none if there is none.
    fn digest(&self, renderer: Renderer<'_>) -> Option<&str> {
        match renderer {
            Renderer::Standard(name) => Renderers::digest(name),
            Renderer::Added(_) => Some(self.added.as_ref()?.as_ref().ok()?.digest()),
        }
    }

    /// What is asked, of which version of the renderer; none if there is none.
    fn question(&self, renderer: Renderer<'_>, input: &Input, context: &Context) -> Option<Question> {
        Question::of(self.digest(renderer)?, input, context)
    }

    /// The same files, those that are encrypted opened. What has their values in clear is not kept on disk.
    fn opened(&mut self, tree: Verified<Tree>) -> Verified<Tree> {
        let opened = self.vault.open(tree);
        if self.vault.is_clear() {
            self.disk = None;
        }
        opened
    }
}

impl Tools for Equipment {
    fn files(&mut self, path: &str) -> Result<Option<Verified<Tree>>, Problem> {
        let found = self.places.read(path).map_err(|error| {
            let reason = error.to_string();
            self.failed = Some(error);
            Problem::Unreachable { reason }
        })?;
        Ok(found.map(|found| self.opened(found)))
    }

    fn remote(&mut self, address: &str) -> Result<String, Problem> {
        let unmet = |what: String, reason: String| Problem::Unmet { what, reason };
        let Some(address) = Address::read(address) else {
            return Err(unmet("a base".to_owned(), "its address is empty".to_owned()));
        };
        let path = self.places.path_of(&address);
        path.map_err(|reason| unmet(format!("`{address}`"), reason))
    }

    fn chart(&mut self, wanted: &WantedChart) -> Result<FetchedChart, Problem> {
        self.has_fetched = true;
        let trusted = self.places.own();
        let fetched = self.runtime.block_on(async {
            let found = Found {
                source: JobSource {
                    spec: Source {
                        repo_url: wanted.repository.clone(),
                        ..trusted.source.spec.clone()
                    },
                    ..trusted.source.clone()
                },
                origin: trusted.origin.clone(),
                version: 0,
            };
            let grounds = match self.job.mode() {
                VerificationMode::None => None,
                _ => Some(self.pipeline.grounds(&self.job, &found).await?),
            };
            let spec = &trusted.source.spec;
            self.pipeline
                .dependency(&self.job, spec, grounds.as_ref(), wanted, self.began)
                .await
        });
        match fetched {
            Ok(fetched) => fetched,
            Err(error) => {
                let reason = error.to_string();
                self.failed = Some(error);
                Err(Problem::Unreachable { reason })
            }
        }
    }

    fn run(&mut self, renderer: Renderer<'_>, input: &Input) -> Result<Outcome, Problem> {
        match renderer {
            Renderer::Standard(name) => {
                let answer = self.pipeline.renderers.render(name, input);
                answer.map_err(|error| Problem::Renderer {
                    renderer: name.to_owned(),
                    reason: error.to_string(),
                })
            }
            Renderer::Added(name) => added::asked(self.added.as_ref(), name, input),
        }
    }

    fn context(&mut self, input: &Input) -> Context {
        let job = &self.job;
        let key = self.key.as_deref();
        Context {
            release: job.key.name.clone(),
            namespace: job.destination().to_owned(),
            kube_version: self.capabilities.kube_version.clone(),
            api_versions: self.capabilities.api_versions.to_vec(),
            environment: environment(job, self.places.own(), &input.settings),
            seed: key.map(|key| seed(key, &job.key, input)).unwrap_or_default(),
            now: self.capabilities.now.clone(),
        }
    }

    fn wants_origins(&self) -> bool {
        self.pipeline.origins
    }

    fn recall(&mut self, renderer: Renderer<'_>, input: &Input, context: &Context) -> Option<Rendering> {
        let question = self.question(renderer, input, context)?;
        let (cache, disk) = (Arc::clone(&self.pipeline.renderings), self.disk.clone());
        self.answer = cache.find(
            &question,
            &mut Lookup::of(input, self),
            &context.seed,
            disk.as_ref(),
        );
        self.answer.as_ref().map(|answer| answer.rendering().clone())
    }

    fn remember(&mut self, renderer: Renderer<'_>, input: &Input, context: &Context, rendering: &Rendering) {
        // Whether a chart from elsewhere is still trusted is asked anew each time.
        if self.has_fetched && self.job.mode() != VerificationMode::None {
            self.answer = None;
            return;
        }
        let (cache, disk) = (Arc::clone(&self.pipeline.renderings), self.disk.clone());
        let question = self.question(renderer, input, context);
        self.answer = question.and_then(|question| {
            cache.keep(
                question,
                &mut Lookup::of(input, self),
                &context.seed,
                rendering,
                disk.as_ref(),
            )
        });
    }

    fn decoded(&mut self) -> Option<(Vec<Manifest>, Vec<Complaint>)> {
        self.answer.as_ref()?.decoded.get().cloned()
    }

    fn keep_decoded(&mut self, manifests: &[Manifest], warnings: &[Complaint]) {
        if let Some(answer) = &self.answer {
            // Another Application may have been quicker, with the same.
            let _known = answer.decoded.set((manifests.to_vec(), warnings.to_vec()));
        }
    }
}

/// What Argo CD's build environment has. The revision is in it only if the settings name it: everything else renders alike at the next
/// commit.
fn environment(job: &Job, trusted: &TrustedSource, settings: &str) -> BTreeMap<String, String> {
    let source = &trusted.source.spec;
    // Of a chart it is the version, as with Argo CD.
    let commit = trusted.origin.version().unwrap_or_else(|| trusted.origin.id());
    let short = |length: usize| commit.get(..length).unwrap_or(commit).to_owned();
    let all = [
        ("ARGOCD_APP_NAME", job.key.name.clone()),
        ("ARGOCD_APP_NAMESPACE", job.destination().to_owned()),
        ("ARGOCD_APP_REVISION", commit.to_owned()),
        ("ARGOCD_APP_REVISION_SHORT", short(7)),
        ("ARGOCD_APP_REVISION_SHORT_8", short(8)),
        ("ARGOCD_APP_SOURCE_REPO_URL", source.repo_url.clone()),
        ("ARGOCD_APP_SOURCE_PATH", source.path.clone()),
        (
            "ARGOCD_APP_SOURCE_TARGET_REVISION",
            source.target_revision.clone(),
        ),
    ];
    all.into_iter()
        .filter(|(name, _)| !name.contains("_REVISION") || settings.contains(name))
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

/// The seed of a rendering, hexadecimal: the same for the same Application and the same input, and not to be guessed from them.
fn seed(key: &[u8], application: &ApplicationKey, input: &Input) -> String {
    // A key of any length is one.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else {
        return String::new();
    };
    let mut part = |bytes: &[u8]| {
        mac.update(&(bytes.len() as u64).to_le_bytes());
        mac.update(bytes);
    };
    part(application.namespace.as_bytes());
    part(application.name.as_bytes());
    part(input.path.as_bytes());
    part(input.settings.as_bytes());
    for file in &input.files {
        part(file.path.as_bytes());
        part(&Sha256::digest(&file.content));
    }
    hex::encode(mac.finalize().into_bytes())
}
