//! The destination namespace: whether it is there, and whether its labels and annotations are as the Application says.

use serde_json::{Map, Value, json};
use sluice_model::difference::Difference;
use sluice_model::manifest::Manifest;
use sluice_model::object::Object;
use sluice_plan::DestinationNamespace;

use crate::error::PipelineError;
use crate::pipeline::{Intent, Job, Live, Pipeline};

/// The option that makes the namespace the application's business.
const CREATE: &str = "CreateNamespace=true";

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
        if written || !policy.sync_options.iter().any(|option| option == CREATE) {
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
        let mut about = Map::new();
        about.insert("name".to_owned(), name.into());
        if let Some(metadata) = metadata {
            for (field, values) in [
                ("labels", &metadata.labels),
                ("annotations", &metadata.annotations),
            ] {
                if !values.is_empty() {
                    about.insert(field.to_owned(), json!(values));
                }
            }
        }
        let desired = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": Value::Object(about)});
        let desired = Object::new(desired).map_err(PipelineError::internal)?;
        let reference = desired.reference();
        let cluster = self.cluster_of(job)?;
        let kind = cluster.kind_of(&reference).await?;
        let live = cluster.get(&kind, &reference).await?.map(sluice_observe::lean);
        let difference = match metadata {
            Some(_) => sluice_compare::compare(&desired, live.as_ref(), &[]),
            // It only has to be there.
            None if live.is_some() => Difference::Same,
            None => Difference::Missing,
        };
        let is_settled = match &difference {
            Difference::Same => true,
            Difference::Unowned(changes) => changes.is_empty(),
            Difference::Changed(_) | Difference::Missing => false,
        };
        if is_settled {
            self.namespaces.put(&job.key, known);
        }
        Ok(Some(DestinationNamespace {
            desired,
            live,
            difference,
        }))
    }
}
