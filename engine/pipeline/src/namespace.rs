//! When the destination namespace is looked at.

use sluice_decide::{destination_namespace, namespace_manifest};
use sluice_model::difference::Difference;
use sluice_model::manifest::Manifest;
use sluice_plan::DestinationNamespace;

use crate::error::PipelineError;
use crate::{Intent, Job, Live, Pipeline};

impl Pipeline {
    /// The destination namespace, where the application is to see to it. Asks only where something of the application is
    /// missing or a new revision brings a new chance: an application that runs costs no request.
    pub(crate) async fn destination_namespace(
        &self,
        job: &Job,
        intent: &Intent,
        manifests: &[Manifest],
        live: &Live,
    ) -> Result<Option<DestinationNamespace>, PipelineError> {
        let (name, policy) = (job.destination(), &job.spec.sync_policy);
        let written = manifests.iter().any(|manifest| {
            manifest.object.kind() == "Namespace"
                && manifest.object.group().is_empty()
                && manifest.object.name() == name
        });
        if written || !job.creates_namespace {
            return Ok(None);
        }
        let metadata = policy.managed_namespace_metadata.as_ref();
        let here = |manifest: &&Manifest| manifest.object.namespace() == Some(name);
        let missing = manifests
            .iter()
            .filter(here)
            .any(|manifest| live.find(&manifest.object.key()).is_none());
        let known = (job.synced.clone(), metadata.cloned());
        let settled = self.namespaces.has(&job.key, &known);
        if !missing && (metadata.is_none() || (settled && job.synced.as_deref() == Some(&intent.revision))) {
            return Ok(None);
        }
        let desired = namespace_manifest(name, metadata).map_err(PipelineError::internal)?;
        let reference = desired.reference();
        let cluster = self.target_of(job);
        let kind = cluster.kind_of(&reference).await?;
        let live = cluster.get(&kind, &reference).await?.map(sluice_observe::lean);
        let namespace = destination_namespace(desired, live, metadata);
        let is_settled = match &namespace.difference {
            Difference::Same => true,
            Difference::Unowned(changes) => changes.is_empty(),
            Difference::Changed(_) | Difference::Missing => false,
        };
        if is_settled {
            self.namespaces.put(&job.key, known);
        }
        Ok(Some(namespace))
    }
}
