//! The cluster that the global options mean, and what a person at a terminal is told while something takes long.

use std::io::{self, IsTerminal as _};

use sluice_cluster::{Cluster, ConnectOptions, Home, Target};
use sluice_model::application::Application;
use sluice_model::plan::ApplicationKey;
use sluice_operations::{Operations, Standing};

use crate::failure::{CliError, Failure};
use crate::global::Global;
use crate::output::plain;

/// Runs what waits for a cluster. Only commands that do so start a runtime.
pub(crate) fn block_on<T>(future: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(CliError::Runtime)?;
    runtime.block_on(future)
}

/// The Application of that name in the cluster that is meant: for commands that only look at it.
pub(crate) fn application(name: &str, global: &Global) -> Result<Application, Failure> {
    block_on(async {
        let connection = Connection::open(global).await?;
        Ok(connection.operations().get(&connection.key(name)).await?)
    })
}

/// Which cluster the global options mean.
pub(crate) fn options(global: &Global) -> ConnectOptions {
    ConnectOptions {
        kubeconfig: global.kubeconfig.clone(),
        context: global.context.clone(),
    }
}

/// A cluster and the namespace that is meant.
pub(crate) struct Connection {
    /// Where the Applications are.
    pub(crate) home: Home,
    /// `-n`, or that of the context.
    pub(crate) namespace: String,
}

impl Connection {
    /// Reads the configuration. Sends nothing yet.
    pub(crate) async fn open(global: &Global) -> Result<Self, Failure> {
        let cluster = Cluster::connect(&options(global)).await.map_err(Failure::of)?;
        let namespace = global
            .namespace
            .clone()
            .unwrap_or_else(|| cluster.default_namespace().to_owned());
        Ok(Self {
            home: Home::new(cluster),
            namespace,
        })
    }

    /// Returns where the objects are: in the cluster of the Applications, as long as `spec.destination.name` names no other.
    pub(crate) fn target(&self) -> Target {
        Target::new(Cluster::clone(&self.home))
    }

    /// Returns what can be asked of its Applications.
    pub(crate) fn operations(&self) -> Operations {
        Operations::new(self.home.clone(), "cli")
    }

    /// Returns the Application of that name in the namespace that is meant.
    pub(crate) fn key(&self, name: &str) -> ApplicationKey {
        ApplicationKey {
            namespace: self.namespace.clone(),
            name: name.to_owned(),
        }
    }
}

/// Tells a person at a terminal what goes on while something takes long.
pub(crate) struct Progress {
    is_seen: bool,
    last: String,
}

impl Progress {
    /// Silent if stderr is no terminal.
    pub(crate) fn new() -> Self {
        Self {
            is_seen: io::stderr().is_terminal(),
            last: String::new(),
        }
    }

    /// Writes a line if it says something new.
    pub(crate) fn tell(&mut self, subject: &str, line: &str) {
        if self.is_seen && line != self.last {
            anstream::eprintln!("{subject}: {}", plain(line));
            line.clone_into(&mut self.last);
        }
    }
}

/// Returns what tells how an Application stands, whenever that is something new.
pub(crate) fn telling(name: &str) -> impl FnMut(Option<&Application>) + Send {
    let mut progress = Progress::new();
    move |application| progress.tell(name, &Standing::of(application).to_string())
}
