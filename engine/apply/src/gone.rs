//! Waiting for the server to finish what it was told: deletions, and CRDs that are to be served.

use std::time::Duration;

use serde_json::Value;
use sluice_cluster::{ClusterError, Kind, Target};
use sluice_model::object::Object;
use sluice_model::{ObjectRef, plan::Precondition};
use tokio::time::Instant;

use crate::error::ApplyError;

/// The first and the longest pause between two looks. Single objects, while an operation is under way: cheaper than a watch.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));

/// What a step could fail with.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The server refused.
    Cluster(ClusterError),
    /// It took too long, or something is missing.
    Apply(ApplyError),
}

impl From<ClusterError> for Failure {
    fn from(error: ClusterError) -> Self {
        Self::Cluster(error)
    }
}

/// Waits until the object with this uid is gone, or replaced by another one.
pub(crate) async fn until_gone(
    cluster: &Target,
    kind: &Kind,
    reference: &ObjectRef,
    precondition: Option<&Precondition>,
    patience: Duration,
) -> Result<(), Failure> {
    let deadline = Instant::now() + patience;
    let mut pause = PAUSES.0;
    loop {
        let live = crate::retry::safely(cluster, || cluster.get(kind, reference)).await?;
        let Some(live) = live else { return Ok(()) };
        if precondition.is_some_and(|precondition| live.metadata("uid") != Some(precondition.uid.as_str())) {
            return Ok(());
        }
        if Instant::now() >= deadline {
            return Err(Failure::Apply(ApplyError::StillThere {
                object: Box::new(reference.clone()),
                seconds: patience.as_secs(),
                finalizers: live.finalizers().into_iter().map(str::to_owned).collect(),
            }));
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(PAUSES.1);
    }
}

/// Waits until a CRD is served.
pub(crate) async fn until_established(
    cluster: &Target,
    kind: &Kind,
    reference: &ObjectRef,
    patience: Duration,
) -> Result<(), Failure> {
    let deadline = Instant::now() + patience;
    let mut pause = PAUSES.0;
    loop {
        let live = crate::retry::safely(cluster, || cluster.get(kind, reference)).await?;
        if live.is_some_and(|live| is_established(&live)) {
            return Ok(());
        }
        if Instant::now() >= deadline {
            return Err(Failure::Apply(ApplyError::NotEstablished {
                object: Box::new(reference.clone()),
                seconds: patience.as_secs(),
            }));
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(PAUSES.1);
    }
}

/// Waits until the server lists these kinds: one that stands beside the one that was told may hear of them later. Where they do
/// not come, the step that needs them says so.
pub(crate) async fn until_listed(cluster: &Target, kinds: &[Kind], patience: Duration) {
    let deadline = Instant::now() + patience;
    let mut pause = PAUSES.0;
    loop {
        let Ok(known) = crate::retry::safely(cluster, || cluster.refresh_kinds()).await else {
            return;
        };
        let is_listed = |kind: &Kind| known.find(&kind.group, &kind.version, &kind.kind).is_some();
        if kinds.iter().all(is_listed) || Instant::now() >= deadline {
            return;
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(PAUSES.1);
    }
}

fn is_established(crd: &Object) -> bool {
    let conditions = crd
        .value()
        .pointer("/status/conditions")
        .and_then(Value::as_array);
    let is =
        |condition: &Value, key: &str, value: &str| condition.get(key).and_then(Value::as_str) == Some(value);
    conditions
        .into_iter()
        .flatten()
        .any(|condition| is(condition, "type", "Established") && is(condition, "status", "True"))
}
