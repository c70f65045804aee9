//! Deleting hooks that have run, or that are not to run any longer.

use sluice_cluster::{Cluster, ClusterError};
use sluice_model::Object;
use sluice_model::decision::Propagation;
use sluice_model::plan::Precondition;

use crate::retry;

/// Deletes a hook with all that runs for it, if it is still this very object.
pub async fn remove_hook(
    cluster: &Cluster,
    hook: &Object,
    propagation: Propagation,
) -> Result<(), ClusterError> {
    let reference = hook.reference();
    let kind = cluster.kind_of(&reference).await?;
    let precondition = Precondition {
        uid: hook.metadata("uid").unwrap_or_default().to_owned(),
        resource_version: None,
    };
    let request = || cluster.delete(&kind, &reference, propagation, Some(&precondition), false);
    match retry::safely(cluster, request).await {
        Err(error) if error.is_not_found() => Ok(()),
        answer => answer.map(drop),
    }
}
