//! `sluice controller`: the loop, until it is told to end.

use std::time::Duration;

use clap::Args;
use sluice_cluster::{Cluster, Home, Target};
use sluice_controller::Options;
use sluice_pipeline::Bounds;
use tokio_util::sync::CancellationToken;

use crate::commands::wait::duration;
use crate::connection::options;
use crate::engine::Git;
use crate::failure::{CliError, Failure};
use crate::global::Global;

pub(crate) const HELP: &str = "\
Examples:
  sluice controller                            against the current context, for all namespaces
  sluice controller -n shop --plugin-dir ./my-plugins -v
  sluice install | kubectl apply -f -          in the cluster

With -n, only Applications of that namespace are looked at. SIGTERM and Ctrl-C end it: what is
being written is finished, the rest is planned again at the next start. Plugins that change are
taken up without a restart.

Exit codes: 0 when it was told to end; 3 if there is no cluster configuration; 6 if --cache-dir
cannot be used.";

/// The options of `sluice controller`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// How often repositories are asked at least; each Application adds up to half of it at random
    #[arg(long, value_name = "DURATION", default_value = "120s", value_parser = duration)]
    poll: Duration,
    /// Namespace that objects may be in, and that is looked into; may be given many times. The whole cluster by default
    #[arg(long, value_name = "NAMESPACE", value_parser = crate::global::name)]
    manage_namespace: Vec<String>,
    /// ServiceAccount that an Application acts as which names none, in the Application's namespace; by default the engine's own
    /// rights serve it, so that who may write Applications has them too
    #[arg(long, value_name = "NAME", value_parser = crate::global::name)]
    default_service_account: Option<String>,
    /// Requests to the API server under way at once for one Application, at most: fewer if it answers slowly or refuses
    #[arg(long, value_name = "NUMBER", default_value_t = sluice_apply::Options::default().concurrency, value_parser = at_least_one)]
    concurrency: usize,
    /// Applications looked at at once; twice the processors by default
    #[arg(long, value_name = "NUMBER", value_parser = at_least_one)]
    workers: Option<usize>,
    /// Namespace of the Lease by which many instances agree which one works; alone by default
    #[arg(long, value_name = "NAMESPACE", value_parser = crate::global::name)]
    lease_namespace: Option<String>,
    /// Name of this instance in Events and in the Lease
    #[arg(long, value_name = "NAME")]
    instance: Option<String>,
    #[command(flatten)]
    git: Git,
}

fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) | Err(_) => Err("it is a number, 1 or more".to_owned()),
        Ok(number) => Ok(number),
    }
}

/// Runs until SIGTERM or Ctrl-C.
pub(crate) fn run(arguments: Arguments, global: &Global) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(CliError::Runtime)?;
    runtime.block_on(async {
        let cluster = Cluster::connect(&options(global)).await.map_err(Failure::of)?;
        let ending = CancellationToken::new();
        // Before anything else: a signal that comes early must not be lost.
        let signal = ended().map_err(CliError::Runtime)?;
        let end = ending.clone();
        let listening = tokio::spawn(async move {
            signal.await;
            tracing::info!("told to end");
            end.cancel();
        });
        tracing::info!(
            server = cluster.server(),
            version = env!("CARGO_PKG_VERSION"),
            "starting"
        );
        let done = sluice_controller::run(
            Home::new(cluster.clone()),
            Target::new(cluster),
            global.serving_plugins(),
            configured(&arguments, global),
            ending,
        )
        .await;
        listening.abort();
        done.map_err(Failure::pipeline)
    })
}

fn configured(arguments: &Arguments, global: &Global) -> Options {
    let defaults = Options::default();
    Options {
        cache: global.cache_folder(),
        namespace: global.namespace.clone(),
        poll: arguments.poll,
        bounds: Bounds::of(arguments.manage_namespace.iter().cloned()),
        default_account: arguments.default_service_account.clone(),
        concurrency: arguments.workers.unwrap_or(defaults.concurrency),
        apply: sluice_apply::Options {
            concurrency: arguments.concurrency,
            ..defaults.apply
        },
        reaching: arguments.git.reaching(),
        renderer_dir: global.renderer_dir.clone(),
        instance: arguments.instance.clone(),
        lease_namespace: arguments.lease_namespace.clone(),
    }
}

/// Comes to its end with the first signal that asks the process to end.
fn ended() -> std::io::Result<impl Future<Output = ()> + Send> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        Ok(async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        })
    }
    #[cfg(not(unix))]
    Ok(async {
        // Without a handler there is nothing to wait for.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    })
}
