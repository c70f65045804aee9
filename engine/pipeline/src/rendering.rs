//! Rendering with what it needs: the renderers, other files of the verified commit, what the cluster can do, and randomness.
//!
//! A rendering follows from the files that were read, the settings, the renderer and the cluster's capabilities. As long as none of them
//! changes, the last one is the answer ([`Cache`]), for every Application that would ask the same.

mod cache;

use std::sync::Arc;

use hmac::{Hmac, Mac as _};
use sha2::{Digest as _, Sha256};
use sluice_model::application::Source;
use sluice_model::plan::ApplicationKey;
use sluice_model::rendering::{Context, Input, Outcome, Rendering};
use sluice_model::tree::Tree;
use sluice_model::trust::Verified;
use sluice_plugin_host::Renderers;
use sluice_render::{Problem, Rendered, SourceKind, Tools};
use sluice_source::{SourceError, TreeLimits};

use crate::blocking::blocking;
use crate::error::PipelineError;
use crate::{Job, Pipeline, Trusted};

pub(crate) use cache::Cache;
use cache::{Lookup, Question};

/// What charts may ask of the cluster: its version and what it serves. Without them the library's own default counts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// Such as `1.36.0`.
    pub kube_version: Option<String>,
    /// `apps/v1` and `apps/v1/Deployment`, sorted.
    pub api_versions: Vec<String>,
}

/// What the randomness of renderings comes from. Whoever knows it knows the passwords that charts make up.
#[derive(Clone, Default)]
pub enum RenderingKey {
    /// None: a chart that makes something up is refused.
    #[default]
    None,
    /// A secret of the installation.
    Secret(Arc<[u8]>),
    /// Public: for looking at a chart, not for a cluster.
    Public,
}

/// How long the clock of renderings stands still: a certificate that a chart makes is the same as long as its input and this month are.
const PERIOD: i64 = 30 * 24 * 60 * 60;

impl Pipeline {
    /// Returns what the destination cluster can do, for a source that asks for it.
    ///
    /// # Errors
    /// [`PipelineError::Cluster`] if the cluster does not say.
    pub(crate) async fn capabilities(
        &self,
        trusted: &Trusted,
        job: &Job,
    ) -> Result<Capabilities, PipelineError> {
        match SourceKind::of(trusted.tree.get(), &job.spec.source) {
            Ok(SourceKind::Helm | SourceKind::Kustomize) => {
                let kinds = self.target.kinds().await?;
                Ok(Capabilities {
                    kube_version: kinds.server_version().map(str::to_owned),
                    api_versions: kinds.api_versions(),
                })
            }
            Ok(SourceKind::Directory) | Err(_) => Ok(Capabilities::default()),
        }
    }

    /// Renders a trusted tree. Namespaces are as they are written, and kinds are not checked; [`Pipeline::manifests`] does both.
    ///
    /// # Errors
    /// [`PipelineError::Render`] with everything that is wrong; [`PipelineError::Source`] if other files of the commit cannot be read.
    pub async fn render(
        &self,
        job: &Job,
        trusted: &Trusted,
        capabilities: Capabilities,
    ) -> Result<Rendered, PipelineError> {
        let now = jiff::Timestamp::now().as_second();
        let month = jiff::Timestamp::from_second(now - now.rem_euclid(PERIOD)).unwrap_or_default();
        let mut tools = Equipment {
            renderers: self.renderers.clone(),
            cache: Arc::clone(&self.renderings),
            key: self.rendering_key.clone(),
            application: job.key.clone(),
            namespace: job.destination().to_owned(),
            trusted: trusted.clone(),
            capabilities,
            now: month.to_string(),
            failed: None,
        };
        let (tree, source): (_, Source) = (Arc::clone(&trusted.tree), job.spec.source.clone());
        blocking(move || {
            let rendered = sluice_render::render(&tree, &source, &mut tools);
            match tools.failed.take() {
                Some(error) => Err(error.into()),
                None => rendered.map_err(PipelineError::from),
            }
        })
        .await?
    }
}

/// What a renderer is equipped with.
struct Equipment {
    renderers: Renderers,
    cache: Arc<Cache>,
    key: RenderingKey,
    application: ApplicationKey,
    namespace: String,
    trusted: Trusted,
    capabilities: Capabilities,
    now: String,
    /// Why the repository could not be read: the stage only says that it could not.
    failed: Option<SourceError>,
}

impl Tools for Equipment {
    fn files(&mut self, path: &str) -> Result<Option<Verified<Tree>>, Problem> {
        let Trusted {
            revision,
            repository,
            tree,
            ..
        } = &self.trusted;
        match repository.at(revision, path, &TreeLimits::default()) {
            Ok(found) => Ok(found.and_then(|found| tree.with(found))),
            Err(error) => {
                let reason = error.to_string();
                self.failed = Some(error);
                Err(Problem::Unreachable { reason })
            }
        }
    }

    fn run(&mut self, renderer: &'static str, input: &Input) -> Result<Outcome, Problem> {
        self.renderers
            .render(renderer, input)
            .map_err(|error| Problem::Renderer {
                renderer,
                reason: error.to_string(),
            })
    }

    fn context(&mut self, input: &Input) -> Context {
        Context {
            release: self.application.name.clone(),
            namespace: self.namespace.clone(),
            kube_version: self.capabilities.kube_version.clone(),
            api_versions: self.capabilities.api_versions.clone(),
            seed: self.key.seed(&self.application, input),
            now: self.now.clone(),
        }
    }

    fn recall(&mut self, renderer: &'static str, input: &Input, context: &Context) -> Option<Rendering> {
        let question = Question::of(renderer, input, context)?;
        let cache = Arc::clone(&self.cache);
        cache.find(&question, &mut Lookup::of(input, self), &context.seed)
    }

    fn remember(&mut self, renderer: &'static str, input: &Input, context: &Context, rendering: &Rendering) {
        if let Some(question) = Question::of(renderer, input, context) {
            let cache = Arc::clone(&self.cache);
            cache.keep(question, &mut Lookup::of(input, self), &context.seed, rendering);
        }
    }
}

impl RenderingKey {
    /// The seed of a rendering, hexadecimal: the same for the same Application and the same input, and not to be guessed from them.
    fn seed(&self, application: &ApplicationKey, input: &Input) -> String {
        let key: &[u8] = match self {
            Self::None => return String::new(),
            Self::Secret(key) => key,
            Self::Public => b"public",
        };
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
}

/// Never shows a key.
impl std::fmt::Debug for RenderingKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Secret(_) => "Secret",
            Self::Public => "Public",
        })
    }
}
