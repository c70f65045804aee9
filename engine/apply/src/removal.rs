//! Deleting an object: what Argo CD left on its hooks is taken off, and what other finalizers hold is told.

use serde_json::{Value, json};
use sluice_cluster::{ClusterError, Kind, Target};
use sluice_model::application::FIELD_MANAGER;
use sluice_model::decision::Propagation;
use sluice_model::plan::Precondition;
use sluice_model::{Object, ObjectRef};

use crate::retry;

/// What Argo CD puts on the hooks that it runs, and takes off once it has seen their end. Where it no longer looks after a hook
/// that we delete, nothing else takes it off.
const ARGO_CD: &str = "argocd.argoproj.io/hook-finalizer";
/// How often an object is read again because it changed in between.
const TRIES: u32 = 5;

/// Deletes a hook with all that runs for it, if it is still this very object.
pub async fn remove_hook(
    cluster: &Target,
    hook: &Object,
    propagation: Propagation,
) -> Result<(), ClusterError> {
    let reference = hook.reference();
    let kind = cluster.kind_of(&reference).await?;
    let precondition = Precondition {
        uid: hook.metadata("uid").unwrap_or_default().to_owned(),
        resource_version: None,
    };
    match delete(cluster, &kind, &reference, propagation, Some(&precondition)).await {
        Err(error) if error.is_not_found() => Ok(()),
        answer => answer.map(drop),
    }
}

/// Deletes an object, and takes off it what Argo CD left on its hooks. Returns true if other finalizers still hold it.
pub(crate) async fn delete(
    cluster: &Target,
    kind: &Kind,
    reference: &ObjectRef,
    propagation: Propagation,
    precondition: Option<&Precondition>,
) -> Result<bool, ClusterError> {
    let request = || cluster.delete(kind, reference, propagation, precondition, false);
    match retry::safely(cluster, request).await {
        // The server answers with the object as long as it is there.
        Ok(reply) => release(cluster, kind, reference, Object::new(reply.value).ok()).await,
        Err(error) => Err(error),
    }
}

/// Takes [`ARGO_CD`] off an object that is being deleted, and no other finalizer: those have their own controllers. Returns true
/// if they still hold it.
pub(crate) async fn release(
    cluster: &Target,
    kind: &Kind,
    reference: &ObjectRef,
    mut going: Option<Object>,
) -> Result<bool, ClusterError> {
    let uid = going
        .as_ref()
        .and_then(|going| going.metadata("uid"))
        .map(str::to_owned);
    let mut tries = 0;
    while let Some(rest) = going.as_ref().and_then(without_argo_cds) {
        let version = going.as_ref().and_then(|going| going.metadata("resourceVersion"));
        let patch = json!({"metadata": {"finalizers": rest, "resourceVersion": version, "uid": uid}});
        let request = || cluster.merge_patch(kind, reference, None, FIELD_MANAGER, &patch);
        tries += 1;
        match retry::safely(cluster, request).await {
            Err(ClusterError::Modified { .. }) if tries < TRIES => {
                let live = retry::safely(cluster, || cluster.get(kind, reference)).await?;
                going = live.filter(|live| live.metadata("uid") == uid.as_deref());
            }
            Err(error) if error.is_not_found() => return Ok(false),
            answer => return answer.map(|_| !rest.is_empty()),
        }
    }
    Ok(going.is_some_and(|going| !going.finalizers().is_empty()))
}

/// The finalizers of an object that goes without Argo CD's; none where that is not among them, or where it does not go.
fn without_argo_cds(going: &Object) -> Option<Vec<Value>> {
    let finalizers = going.value().pointer("/metadata/finalizers")?.as_array()?;
    let rest: Vec<Value> = finalizers
        .iter()
        .filter(|name| *name != ARGO_CD)
        .cloned()
        .collect();
    (going.is_deleting() && rest.len() < finalizers.len()).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn argo_cds_finalizer_alone_is_taken_off_and_only_from_what_goes() {
        let hook = |finalizers: Value, going: bool| {
            let mut value = json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "h", "finalizers": finalizers}});
            if going {
                value["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z".into();
            }
            without_argo_cds(&Object::new(value).unwrap())
        };
        assert_eq!(hook(json!([ARGO_CD]), true), Some(vec![]));
        assert_eq!(
            hook(json!(["foregroundDeletion", ARGO_CD]), true),
            Some(vec![json!("foregroundDeletion")])
        );
        assert_eq!(hook(json!(["foregroundDeletion"]), true), None);
        assert_eq!(hook(json!([ARGO_CD]), false), None);
        assert_eq!(hook(json!(null), true), None);
    }
}
