//! The Application itself, as it stands in the cluster that the controller works for: its status, annotations, finalizer and
//! Events.

use std::sync::Arc;

use kube::ResourceExt as _;
use serde_json::{Value, json};
use sluice_apply::Finalizers;
use sluice_cluster::{ClusterError, Reply};
use sluice_model::application::{ApplicationStatus, PRUNE_FINALIZER};
use sluice_model::plan::ApplicationKey;
use sluice_model::{Application, Coded as _, ObjectRef};
use sluice_report::events::Happening;
use tokio::sync::watch;

use crate::fleet::Shared;

/// Recorded as the owner of status, finalizer and record. Not `sluice`, which owns what Git has: an Application may itself come
/// from Git.
pub(crate) const MANAGER: &str = "sluice-controller";

/// Writes one Application.
pub(crate) struct Writer {
    shared: Arc<Shared>,
    key: ApplicationKey,
    /// The Application as the watch has it; none once it is gone.
    pub(crate) application: watch::Receiver<Option<Arc<Application>>>,
    uid: Option<String>,
    /// What the status in the cluster says, as far as is known.
    written: ApplicationStatus,
    /// The finalizers, as of our last write.
    finalizers: Option<Finalizers>,
}

impl Writer {
    pub(crate) fn new(
        shared: Arc<Shared>,
        key: ApplicationKey,
        application: watch::Receiver<Option<Arc<Application>>>,
    ) -> Self {
        Self {
            shared,
            key,
            application,
            uid: None,
            written: ApplicationStatus::default(),
            finalizers: None,
        }
    }

    /// Returns true if this is another Application than before, though of the same name.
    pub(crate) fn meet(&mut self, application: &Application) -> bool {
        if application.metadata.uid.is_some() && application.metadata.uid == self.uid {
            return false;
        }
        self.uid.clone_from(&application.metadata.uid);
        self.written = application.status.clone().unwrap_or_default();
        self.finalizers = None;
        true
    }

    /// Returns a reference to the Application.
    pub(crate) fn reference(&self) -> ObjectRef {
        ObjectRef {
            group: "sluice.dev".to_owned(),
            version: "v1alpha1".to_owned(),
            kind: "Application".to_owned(),
            namespace: Some(self.key.namespace.clone()),
            name: self.key.name.clone(),
        }
    }

    /// Writes the status if it says anything new.
    pub(crate) async fn write(&mut self, status: &ApplicationStatus) -> Result<(), ClusterError> {
        let Some(patch) = sluice_report::status::patch(&self.written, status) else {
            return Ok(());
        };
        let (kind, reference) = (sluice_cluster::Kind::applications(), self.reference());
        let home = &self.shared.pipeline.home;
        match home
            .merge_patch(&kind, &reference, Some("status"), MANAGER, &patch)
            .await
        {
            Ok(reply) => {
                self.take_note(&reply);
                self.written = status.clone();
                Ok(())
            }
            Err(error) if error.is_not_found() => Ok(()),
            Err(error) => {
                tracing::warn!(application = %self.key, code = error.code().id, %error, "the status could not be written");
                Err(error)
            }
        }
    }

    /// Takes annotations off. Returns the version of the Application from which on they are gone.
    pub(crate) async fn remove_annotations(&self, keys: &[&str]) -> Result<u64, ClusterError> {
        let nulls: serde_json::Map<String, Value> =
            keys.iter().map(|key| ((*key).to_owned(), Value::Null)).collect();
        match self.patch_metadata(json!({"annotations": nulls})).await {
            Err(error) if error.is_not_found() => Ok(0),
            result => result.map(|reply| {
                let version = reply.value.pointer("/metadata/resourceVersion");
                number(version.and_then(Value::as_str).unwrap_or_default())
            }),
        }
    }

    async fn patch_metadata(&self, metadata: Value) -> Result<Reply, ClusterError> {
        let patch = json!({"metadata": metadata});
        let kind = sluice_cluster::Kind::applications();
        let home = &self.shared.pipeline.home;
        home.merge_patch(&kind, &self.reference(), None, MANAGER, &patch)
            .await
    }

    /// Returns the finalizers as they are to be; none if they are. A sync writes them with its first record of members, so that
    /// the finalizer is there before the first object is.
    pub(crate) fn finalizers(&self, application: &Application) -> Option<Finalizers> {
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

    /// A sync wrote the finalizers.
    pub(crate) fn wrote_finalizers(&mut self, finalizers: Finalizers) {
        self.finalizers = Some(finalizers);
    }

    /// Puts the finalizer on, if no sync did.
    pub(crate) async fn put_finalizer(&mut self) -> Result<(), ClusterError> {
        let Some(application) = self.application.borrow().clone() else {
            return Ok(());
        };
        if application.metadata.deletion_timestamp.is_some() {
            return Ok(());
        }
        let Some(finalizers) = self.finalizers(&application) else {
            return Ok(());
        };
        match self.patch_metadata(finalizers.metadata()).await {
            Ok(reply) => self.take_note(&reply),
            Err(error) if error.is_not_found() => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Takes the finalizer off: the Application may go.
    pub(crate) async fn release(&self) -> Result<(), ClusterError> {
        let Some(application) = self.application.borrow().clone() else {
            return Ok(());
        };
        let rest: Vec<&String> = application
            .finalizers()
            .iter()
            .filter(|finalizer| *finalizer != PRUNE_FINALIZER)
            .collect();
        let metadata = json!({"finalizers": rest, "resourceVersion": application.resource_version()});
        match self.patch_metadata(metadata).await {
            Err(error) if error.is_not_found() => Ok(()),
            // If it was changed meanwhile: the next look has the newer one.
            result => result.map(drop),
        }
    }

    /// Tells an Event.
    pub(crate) fn tell(&self, happening: Happening, note: &str) {
        let application = self.application.borrow().clone();
        if let Some(application) = application {
            self.shared.events.tell(&application, happening, note);
        }
    }

    /// Takes in what the API server answered a write: the watch may not have told yet.
    fn take_note(&mut self, reply: &Reply) {
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
