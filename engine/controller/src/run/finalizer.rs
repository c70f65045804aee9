//! The finalizer of an Application, so that nothing is left behind unasked. It is there before the first object is written.

use kube::ResourceExt as _;
use sluice_apply::Finalizers;
use sluice_cluster::{ClusterError, Reply};
use sluice_model::Application;
use sluice_model::application::PRUNE_FINALIZER;

use super::actor::Actor;

impl Actor {
    /// The finalizers as they are to be; none where they are. A sync writes them with its first record of members.
    pub(super) fn finalizers(&self, application: &Application) -> Option<Finalizers> {
        let version = application.resource_version().unwrap_or_default();
        let ours = self.finalizers.clone();
        let mut newest = ours
            .filter(|ours| number(&ours.version) >= number(&version))
            .unwrap_or_else(|| Finalizers {
                names: application.finalizers().to_vec(),
                version,
            });
        if newest.names.iter().any(|name| name == PRUNE_FINALIZER) {
            return None;
        }
        newest.names.push(PRUNE_FINALIZER.to_owned());
        Some(newest)
    }

    /// Puts the finalizer on, where no sync did.
    pub(super) async fn put_finalizer(&mut self, application: &Application) -> Result<(), ClusterError> {
        let Some(finalizers) = self.finalizers(application) else {
            return Ok(());
        };
        match self.patch_metadata(finalizers.metadata()).await {
            Ok(reply) => self.take_note(&reply),
            Err(error) if error.is_not_found() => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Takes in what the API server answered a write: the watch may not have told yet.
    pub(super) fn take_note(&mut self, reply: &Reply) {
        let metadata = &reply.value["metadata"];
        let texts = metadata["finalizers"].as_array().into_iter().flatten();
        self.finalizers = Some(Finalizers {
            names: texts
                .filter_map(|name| name.as_str().map(str::to_owned))
                .collect(),
            version: metadata["resourceVersion"]
                .as_str()
                .unwrap_or_default()
                .to_owned(),
        });
    }
}

/// Versions are numbers on every API server that there is.
fn number(version: &str) -> u64 {
    version.parse().unwrap_or_default()
}
