//! Following an Application until it is as one wants it, or the time is over.

use std::time::Duration;

use futures::StreamExt as _;
use kube::Api;
use kube::runtime::{WatchStreamExt as _, watcher};
use sluice_model::Application;
use sluice_model::plan::ApplicationKey;

use crate::applications::Operations;
use crate::error::{OperationError, Standing};

/// How an Application is followed.
pub struct Follow<'a> {
    /// How long at most.
    pub timeout: Duration,
    /// Is told of every state of the Application; none if it does not exist.
    pub seen: &'a mut (dyn FnMut(Option<&Application>) + Send),
}

impl Operations {
    /// Looks at the Application whenever it changes, until `judge` has an answer. `judge` is handed none if there is no such
    /// Application. `wanted` says in a word what is waited for.
    pub(crate) async fn follow<T>(
        &self,
        key: &ApplicationKey,
        wanted: &str,
        how: Follow<'_>,
        mut judge: impl FnMut(Option<&Application>) -> Result<Option<T>, OperationError>,
    ) -> Result<T, OperationError> {
        let api: Api<Application> = Api::namespaced(self.home.client().clone(), &key.namespace);
        let Follow { timeout, seen } = how;
        let mut standing: Option<Standing> = None;
        let followed = async {
            // A watch that breaks is begun again by itself, after a growing wait.
            let mut states = watcher::watch_object(api, &key.name).default_backoff().boxed();
            while let Some(state) = states.next().await {
                let state = match state {
                    Ok(state) => state,
                    Err(error) => {
                        tracing::debug!(%error, "the watch broke");
                        continue;
                    }
                };
                standing = Some(Standing::of(state.as_ref()));
                seen(state.as_ref());
                if let Some(answer) = judge(state.as_ref())? {
                    return Ok(Some(answer));
                }
            }
            Ok(None)
        };
        match tokio::time::timeout(timeout, followed).await {
            Ok(Ok(Some(answer))) => Ok(answer),
            Ok(Err(error)) => Err(error),
            // The stream of a watch never ends by itself.
            Ok(Ok(None)) | Err(_) => Err(OperationError::Timeout {
                application: key.clone(),
                wanted: wanted.to_owned(),
                after: format!("{timeout:?}"),
                now: standing.unwrap_or_else(|| Standing("the cluster told nothing of it".to_owned())),
            }),
        }
    }
}

/// Returns the Application, if it is still there.
pub(crate) fn there<'a>(
    key: &ApplicationKey,
    application: Option<&'a Application>,
) -> Result<&'a Application, OperationError> {
    application.ok_or_else(|| OperationError::Gone {
        application: key.clone(),
    })
}
