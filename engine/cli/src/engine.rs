//! The pipeline, as commands use it: for an Application of the cluster, or for one in a file.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use sluice_apply::Event;
use sluice_cluster::{Cluster, Home};
use sluice_model::application::Application;
use sluice_model::manifest::Manifest;
use sluice_operations::{Preview, Progress};
use sluice_pipeline::mirrors::Mirrors;
use sluice_pipeline::{Pipeline, Prepared, Reaching, RenderedSource};
use sluice_source::{Access, KnownHosts, Limits};

use crate::connection::{self, Connection};
use crate::documents;
use crate::failure::{CliError, Failure};
use crate::global::Global;
use crate::output::without_password;

/// How long a command waits for a renderer of the plugin directory: longer than compiling one may take.
const COMPILING: Duration = Duration::from_secs(330);

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
    /// One by its name, or one in a file.
    pub(crate) fn of(application: Option<String>, filename: Option<PathBuf>) -> Self {
        Self {
            application,
            filename,
        }
    }

    /// True if the Application is in a file.
    pub(crate) fn is_file(&self) -> bool {
        self.filename.is_some()
    }
}

/// Where repositories are kept and how they are reached.
#[derive(Debug, Args)]
pub(crate) struct Git {
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
}

/// An Application and the stages that work on it.
pub(crate) struct Engine {
    /// What can be found out about it.
    pub(crate) preview: Preview,
    /// The Kubernetes version that charts are told without a cluster.
    pub(crate) kube_version: Option<String>,
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
                let operations = connection.operations();
                operations.recall(&mut application, &connection.namespace).await?;
                application
            }
            // clap requires one of the two.
            (name, None) => {
                let key = connection.key(name.as_deref().unwrap_or_default());
                connection.operations().get(&key).await?
            }
        };
        Self::of(&connection, &application, git, global)
    }

    /// For an Application, whatever the cluster has of it.
    pub(crate) fn of(
        connection: &Connection,
        application: &Application,
        git: &Git,
        global: &Global,
    ) -> Result<Self, Failure> {
        let mirrors = Mirrors::new(global.repositories()?);
        let mut pipeline = Pipeline::new(
            mirrors,
            global.plugins(),
            connection.home.clone(),
            connection.target(),
        );
        pipeline.reaching = git.reaching();
        pipeline.renderers = global.renderers();
        // Nobody asks again.
        pipeline.patience = COMPILING;
        pipeline.kept_renderings = Some(global.cache_folder().into());
        let operations = connection.operations();
        let preview = Preview::of(operations, pipeline, application, &connection.namespace)?;
        Ok(Self {
            preview,
            kube_version: None,
        })
    }

    /// For an Application in a file and no cluster at all: whatever asks one fails.
    pub(crate) fn without_cluster(which: &Which, git: &Git, global: &Global) -> Result<Self, Failure> {
        let file = which.filename.as_deref().ok_or(CliError::OfflineNeedsFile)?;
        let nowhere = kube::Config::new("http://127.0.0.1:1".parse().expect("an address"));
        let cluster = Cluster::from_config(nowhere).map_err(Failure::of)?;
        let namespace = global.namespace.clone().unwrap_or_else(|| "default".to_owned());
        let connection = Connection {
            home: Home::new(cluster),
            namespace,
        };
        Self::of(&connection, &documents::application(file)?, git, global)
    }

    /// Verifies and renders a revision, source by source, as it is without a cluster: to be looked at, never to be applied.
    pub(crate) async fn rendered(&self, revision: Option<&str>) -> Result<Vec<RenderedSource>, Failure> {
        // It is long, and commands wait for several things.
        Ok(Box::pin(self.preview.rendered(revision, self.kube_version.clone())).await?)
    }

    /// Verifies and renders a revision; the wanted one if none is named.
    pub(crate) async fn manifests(&self, revision: Option<&str>) -> Result<Vec<Manifest>, Failure> {
        let found = self.preview.manifests(revision, &mut self.telling()).await?;
        Ok(found.1)
    }

    /// Returns the plan of a revision; of the wanted one if none is named.
    pub(crate) async fn prepare(&self, revision: Option<&str>) -> Result<Arc<Prepared>, Failure> {
        Ok(self.preview.prepare(revision, &mut self.telling()).await?)
    }

    /// Returns what tells how far an answer is.
    pub(crate) fn telling(&self) -> impl FnMut(Progress) + Send + use<> {
        let name = self.preview.job.key.to_string();
        let mut told = connection::Progress::new();
        move |progress| told.tell(&name, &line(progress))
    }
}

fn line(progress: Progress) -> String {
    match progress {
        Progress::Fetching(url) => format!("fetching {}", without_password(&url)),
        Progress::Rendering(commit) => format!("rendering {commit}"),
        Progress::Comparing => "comparing with the cluster".to_owned(),
        Progress::Applying(event) => match event {
            Event::Rehearsing { steps } => format!("trying {steps} steps without storing them"),
            Event::Later { object, why } => format!("{object} is {why}"),
            Event::Wave { name, steps } => format!("{name}: {steps} steps"),
            Event::Waiting { name, objects } => {
                format!("{name}: waiting for {} objects to become healthy", objects.len())
            }
            Event::Done(outcome) => format!("{} {:?}", outcome.object, outcome.result),
            Event::Stored(object) => format!("{} is stored", object.reference()),
            Event::Gone(object) => format!("{object} is gone"),
        },
    }
}
