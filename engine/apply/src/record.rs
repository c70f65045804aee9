//! The record of managers, before an object is applied: whose fields become ours, and at which version of its kind it is written.

use serde_json::json;
use sluice_cluster::{ClusterError, Kind, Patch, Target};
use sluice_model::applyset;
use sluice_model::manager::{self, Takeover};
use sluice_model::object::{Object, ObjectRef};
use sluice_model::plan::{Precondition, Rerecord, Step};

use crate::retry;
use crate::step::another;

/// How often an object is read again because it changed before what was made of it was written: controllers write its status.
pub(crate) const OVERTAKEN: u32 = 5;

/// An object that lost its record of managers, with what the server would put on record at its first apply, as far as that can have
/// been ours ([`manager::restored`]).
pub async fn recorded(cluster: &Target, kind: &Kind, live: &Object) -> Result<Object, ClusterError> {
    if manager::managers(live).next().is_some() {
        return Ok(manager::restored(live, live));
    }
    let mut metadata = serde_json::Map::new();
    for field in ["name", "namespace", "uid"] {
        if let Some(value) = live.metadata(field) {
            metadata.insert(field.to_owned(), value.into());
        }
    }
    let identity = json!({"apiVersion": live.api_version(), "kind": live.kind(), "metadata": metadata});
    let identity = Object::new(identity).map_err(|error| ClusterError::Invalid {
        message: error.to_string().into(),
        fields: Vec::new(),
    })?;
    let how = Patch {
        force: true,
        strict: false,
        dry_run: true,
    };
    let answer = retry::safely(cluster, || cluster.apply(kind, &identity, how)).await?;
    Ok(manager::restored(live, &answer.object()?))
}

/// True where our entry of the record is at a version that is served no more: the server would pass over it, and what Git drops
/// would stay.
pub(crate) async fn is_of_lost_version(cluster: &Target, step: &Step, record: &Rerecord) -> bool {
    let Some(recorded) = &record.from_version else {
        return false;
    };
    let (group, version) = recorded.split_once('/').unwrap_or(("", recorded));
    let before = ObjectRef {
        group: group.to_owned(),
        version: version.to_owned(),
        ..step.object.clone()
    };
    matches!(
        cluster.kind_of(&before).await,
        Err(ClusterError::UnknownKind { .. })
    )
}

/// Makes fields of others ours, so that the apply that follows decides about them. Done twice it does nothing.
pub(crate) async fn take_over(
    cluster: &Target,
    kind: &Kind,
    step: &Step,
    precondition: &Precondition,
    takeover: &Takeover<'_>,
) -> Result<(), ClusterError> {
    let mut tries = 0;
    loop {
        let live = retry::safely(cluster, || cluster.get(kind, &step.object)).await?;
        let Some(live) = live.filter(|live| live.metadata("uid") == Some(precondition.uid.as_str())) else {
            return Err(another(step));
        };
        let known = match applyset::is_unrecorded(&live) {
            true => recorded(cluster, kind, &live).await?,
            false => live.clone(),
        };
        let Some(record) = manager::taken_over(&known, takeover) else {
            return Ok(());
        };
        let version = live.metadata("resourceVersion").unwrap_or_default();
        let request = || cluster.write_managers(kind, &step.object, version, &record);
        tries += 1;
        match retry::safely(cluster, request).await {
            Err(ClusterError::Modified { .. }) if tries < OVERTAKEN => {}
            answer => return answer.map(|_| ()),
        }
    }
}
