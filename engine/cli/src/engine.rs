//! The pipeline, as commands use it: for an Application of the cluster, or for one in a file.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use sluice_cluster::{Cluster, Home};
use sluice_model::application::Application;
use sluice_model::manifest::Manifest;
use sluice_pipeline::mirrors::Mirrors;
use sluice_pipeline::{
    Capabilities, Claimed, Defaults, Intent, Job, Live, Pipeline, Prepared, Randomness, Reaching,
};
use sluice_render::Rendered;
use sluice_source::{Access, KnownHosts, Limits, Repositories};

use crate::connection::{Connection, Progress};
use crate::documents;
use crate::failure::{CliError, Failure};
use crate::global::Global;

/// Which Application is meant.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct Which {
    /// Name of the Application
    #[arg(value_name = "APP")]
    application: Option<String>,
    /// An Application in a file, which the cluster need not have; `-` for stdin
    #[arg(long, short, value_name = "FILE")]
    filename: Option<PathBuf>,
}

impl Which {
    /// True if the Application is in a file.
    pub(crate) fn is_file(&self) -> bool {
        self.filename.is_some()
    }
}

/// Where repositories are kept and how they are reached.
#[derive(Debug, Args)]
pub(crate) struct Git {
    /// Folder for the mirrors of repositories; ~/.cache/sluice by default
    #[arg(long, env = "SLUICE_CACHE_DIR", value_name = "DIR", hide_env_values = true)]
    cache_dir: Option<PathBuf>,
    /// Host keys of SSH servers, as OpenSSH writes them; the user's and the system's by default
    #[arg(long, value_name = "FILE")]
    known_hosts: Option<PathBuf>,
    /// Namespace of what Applications share: the Secret sluice-repositories, the ConfigMaps sluice-known-hosts and
    /// sluice-tls-certificates; nothing is shared by default
    #[arg(long, env = "SLUICE_SHARED_NAMESPACE", value_name = "NAMESPACE", hide_env_values = true, value_parser = crate::global::name)]
    shared_namespace: Option<String>,
    /// How long a fetch may take
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = crate::commands::wait::duration)]
    fetch_timeout: Duration,
    /// How much a fetch may receive
    #[arg(long, value_name = "SIZE", default_value = "4Gi", value_parser = size)]
    fetch_limit: u64,
    /// How large a file of a repository may be, wherever in its history
    #[arg(long, value_name = "SIZE", default_value = "100Mi", value_parser = size)]
    object_limit: u64,
}

/// Bytes, as Kubernetes writes them.
fn size(text: &str) -> Result<u64, String> {
    let units = [("Ki", 10), ("Mi", 20), ("Gi", 30), ("", 0)];
    let (digits, shift) = units
        .iter()
        .find_map(|(unit, shift)| Some((text.strip_suffix(unit)?, *shift)))
        .unwrap_or((text, 0));
    let bytes = digits
        .parse::<u64>()
        .ok()
        .and_then(|number| number.checked_mul(1 << shift));
    bytes
        .filter(|bytes| *bytes > 0)
        .ok_or_else(|| "it is a number of bytes, such as 512Mi or 4Gi".to_owned())
}

impl Git {
    /// The mirrors.
    pub(crate) fn repositories(&self) -> Result<Repositories, Failure> {
        Repositories::open(self.folder()).map_err(Failure::of)
    }

    /// How a repository is reached without an Application: by what the user's own SSH agent and configuration open.
    pub(crate) fn access(&self) -> Access {
        Access {
            known_hosts: self
                .known_hosts
                .clone()
                .map_or(KnownHosts::User, KnownHosts::File),
            limits: self.reaching().limits,
            ..Access::default()
        }
    }

    /// How repositories are reached.
    pub(crate) fn reaching(&self) -> Reaching {
        Reaching {
            known_hosts: self.known_hosts.clone(),
            limits: Limits {
                timeout: self.fetch_timeout,
                receive: self.fetch_limit,
                object: self.object_limit,
            },
            shared: self.shared_namespace.clone(),
        }
    }

    /// The folder of the mirrors.
    pub(crate) fn folder(&self) -> PathBuf {
        if let Some(folder) = &self.cache_dir {
            return folder.clone();
        }
        // The XDG base directory specification: a relative path is to be ignored.
        let set = |name| {
            std::env::var_os(name)
                .map(PathBuf::from)
                .filter(|path| path.is_absolute())
        };
        let cache = set("XDG_CACHE_HOME").or_else(|| set("HOME").map(|home| home.join(".cache")));
        cache.unwrap_or_else(std::env::temp_dir).join("sluice")
    }
}

/// An Application and the stages that work on it.
pub(crate) struct Engine {
    /// The cluster.
    pub(crate) connection: Connection,
    /// The stages.
    pub(crate) pipeline: Pipeline,
    /// What of it the stages need.
    pub(crate) job: Job,
    /// The Kubernetes version that charts are told without a cluster.
    pub(crate) kube_version: Option<String>,
    progress: Progress,
}

impl Engine {
    /// For the Application that is meant.
    pub(crate) async fn open(which: &Which, git: &Git, global: &Global) -> Result<Self, Failure> {
        // What is wrong with the file is said without a cluster.
        let file = which
            .filename
            .as_deref()
            .map(documents::application)
            .transpose()?;
        let connection = Connection::open(global).await?;
        let application = match (&which.application, file) {
            (_, Some(mut application)) => {
                Self::recall(&connection, &mut application).await?;
                application
            }
            (Some(name), None) => connection.application(name).await?,
            // clap requires one of the two.
            (None, None) => {
                return Err(CliError::NoApplication {
                    name: String::new(),
                    namespace: String::new(),
                }
                .into());
            }
        };
        Self::of(connection, application, git, global)
    }

    /// For an Application, whatever the cluster has of it.
    pub(crate) fn of(
        connection: Connection,
        application: Application,
        git: &Git,
        global: &Global,
    ) -> Result<Self, Failure> {
        let defaults = Defaults {
            namespace: connection.namespace.clone(),
            ..Defaults::default()
        };
        let job =
            Job::resolve(&application, &defaults).map_err(|problems| Failure::pipeline(problems.into()))?;
        let mirrors = Mirrors::new(git.repositories()?);
        let mut pipeline = Pipeline::new(
            mirrors,
            global.plugins(),
            connection.home.clone(),
            connection.target(),
        );
        pipeline.reaching = git.reaching();
        pipeline.renderers = global.renderers();
        Ok(Self {
            connection,
            pipeline,
            job,
            kube_version: None,
            progress: Progress::new(),
        })
    }

    /// For an Application in a file and no cluster at all: whatever asks one fails.
    pub(crate) fn without_cluster(which: &Which, git: &Git, global: &Global) -> Result<Self, Failure> {
        let file = which.filename.as_deref().ok_or(CliError::OfflineNeedsFile)?;
        let nowhere = kube::Config::new("http://127.0.0.1:1".parse().expect("an address"));
        let cluster = Cluster::from_config(nowhere).map_err(Failure::of)?;
        let namespace = global.namespace.clone().unwrap_or_else(|| "default".to_owned());
        Self::of(
            Connection {
                home: Home::new(cluster),
                namespace,
            },
            documents::application(file)?,
            git,
            global,
        )
    }

    /// An Application in a file may be in the cluster already: what was trusted and what it owns is known there.
    async fn recall(connection: &Connection, application: &mut Application) -> Result<(), Failure> {
        let namespace = application
            .metadata
            .namespace
            .clone()
            .unwrap_or_else(|| connection.namespace.clone());
        let name = application.metadata.name.clone().unwrap_or_default();
        let there = Connection {
            home: connection.home.clone(),
            namespace,
        };
        if let Some(known) = there.find(&name).await? {
            application.status = known.status;
            application.metadata.annotations = known.metadata.annotations;
        }
        Ok(())
    }

    /// Verifies and renders a revision, as it is without a cluster: to be looked at, never to be applied. What a chart makes up is not
    /// what the controller would make up.
    pub(crate) async fn rendered(&self, revision: Option<&str>) -> Result<Rendered, Failure> {
        let trusted = self.pipeline.trusted(&self.job, revision).await;
        let trusted = trusted.map_err(Failure::pipeline)?;
        let mut pipeline = self.pipeline.clone();
        pipeline.randomness = Randomness::Public;
        let capabilities = Capabilities {
            kube_version: self.kube_version.clone(),
            ..Capabilities::unknown()
        };
        let rendered = pipeline.render(&self.job, &trusted, capabilities).await;
        rendered.map_err(Failure::pipeline)
    }

    /// Verifies and renders a revision; the target where none is named.
    pub(crate) async fn manifests(
        &mut self,
        revision: Option<&str>,
    ) -> Result<(String, Vec<Manifest>), Failure> {
        let name = self.job.key.to_string();
        self.progress.tell(
            &name,
            &format!(
                "fetching {}",
                crate::output::without_password(&self.job.spec.source.repo_url)
            ),
        );
        let trusted = self
            .pipeline
            .trusted(&self.job, revision)
            .await
            .map_err(Failure::pipeline)?;
        self.progress
            .tell(&name, &format!("rendering {}", trusted.revision.commit));
        let manifests = self
            .pipeline
            .manifests(&self.job, &trusted)
            .await
            .map_err(Failure::pipeline)?;
        Ok((trusted.revision.commit, manifests))
    }

    /// What other Applications say that they want. A user who may not list them plans without that; the controller does not.
    async fn claims(&self, live: &Live) -> Claimed {
        let Ok(others) = self.connection.applications(true).await else {
            return Claimed::default();
        };
        let others = others.iter().filter_map(|other| {
            let key = Job::key_of(other, "");
            (key != self.job.key).then_some((key, other.status.as_ref()?))
        });
        Claimed::said(live, others)
    }

    /// Everything up to the plan of a revision; of the target where none is named.
    pub(crate) async fn prepare(&mut self, revision: Option<&str>) -> Result<Arc<Prepared>, Failure> {
        let (commit, manifests) = self.manifests(revision).await?;
        self.progress
            .tell(&self.job.key.to_string(), "comparing with the cluster");
        let prepared = async {
            let mut live = self.pipeline.ask_live(&self.job, &manifests).await?;
            live.claims = self.claims(&live).await;
            let now = jiff::Timestamp::now();
            self.pipeline
                .prepare(&self.job, Intent::whole(&commit), &manifests, &live, now)
                .await
        };
        prepared.await.map_err(Failure::pipeline)
    }
}
