//! One step: the object that is sent, how it is sent, and what the answer means.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;
use sluice_cluster::{ClusterError, Kind, Patch, Reply, Target};
use sluice_model::decision::{Propagation, Strategy};
use sluice_model::manager::Takeover;
use sluice_model::object::{Object, ObjectKey};
use sluice_model::outcome::StepResult;
use sluice_model::plan::{Action, Precondition, Step};
use sluice_model::secret;

use crate::Options;
use crate::error::ApplyError;
use crate::fields;
use crate::gone::{self, Failure};
use crate::grounds;
use crate::record::{OVERTAKEN, is_of_lost_version, take_over};
use crate::removal;
use crate::retry;

/// A step that is ready to be done.
#[derive(Debug)]
pub(crate) struct Ready<'a> {
    /// What the plan says.
    pub(crate) step: &'a Step,
    /// The whole object, Secret values included; none for deletions.
    pub(crate) object: Option<Object>,
}

/// What a step came to.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) result: StepResult,
    pub(crate) message: String,
    /// The object as the server has it now.
    pub(crate) stored: Option<Object>,
    /// True for a deleted object that finalizers hold.
    pub(crate) is_held: bool,
}

impl Done {
    fn nothing(message: &str) -> Self {
        Self {
            result: StepResult::Unchanged,
            message: message.to_owned(),
            ..Self::now(None)
        }
    }

    fn now(stored: Option<Object>) -> Self {
        Self {
            result: StepResult::Configured,
            message: String::new(),
            stored,
            is_held: false,
        }
    }

    fn deleted(message: &str, is_held: bool) -> Self {
        Self {
            result: StepResult::Deleted,
            message: message.to_owned(),
            stored: None,
            is_held,
        }
    }
}

impl<'a> Ready<'a> {
    /// Puts the values of a Secret back into the plan's manifest.
    pub(crate) fn new(step: &'a Step, manifests: &BTreeMap<ObjectKey, Object>) -> Result<Self, ApplyError> {
        let Action::Apply { manifest, .. } = &step.action else {
            return Ok(Self { step, object: None });
        };
        let missing = || ApplyError::NoManifest {
            object: Box::new(step.object.clone()),
        };
        let mut object = Object::shared(Arc::clone(manifest)).map_err(|_| missing())?;
        if secret::has_secrets(&object) {
            let source = manifests.get(&step.object.key()).ok_or_else(missing)?;
            object = secret::restore(&object, source).ok_or_else(missing)?;
        }
        Ok(Self {
            step,
            object: Some(object),
        })
    }
}

/// What trying a step came to.
pub(crate) enum Tried {
    /// Nothing would be sent.
    Nothing,
    /// The server's answer; 201 for what would be created.
    Answer(Reply),
    /// It would be deleted and created again, and what would be created is sound.
    Anew,
}

/// Tries a step without storing anything.
pub(crate) async fn rehearse(
    cluster: &Target,
    kind: &Kind,
    ready: &Ready<'_>,
) -> Result<Tried, ClusterError> {
    let step = ready.step;
    let precondition = step.precondition.as_ref();
    let (strategy, force, validate, delete_first, take_over, record, object) =
        match (&step.action, &ready.object) {
            (Action::Delete { begun: true, .. }, _) => return Ok(Tried::Nothing),
            (Action::Delete { propagation, .. }, _) => {
                let request = || cluster.delete(kind, &step.object, *propagation, precondition, true);
                return match retry::safely(cluster, request).await {
                    Err(error) if error.is_not_found() => Ok(Tried::Nothing),
                    answer => answer.map(Tried::Answer),
                };
            }
            (
                Action::Apply {
                    strategy,
                    force,
                    validate,
                    delete_first,
                    take_over,
                    record,
                    ..
                },
                Some(object),
            ) => (
                *strategy,
                *force,
                *validate,
                *delete_first,
                take_over,
                record,
                object,
            ),
            (Action::Apply { .. }, None) => return Ok(Tried::Nothing),
        };
    let how = Patch {
        force,
        strict: validate,
        dry_run: true,
    };
    match strategy {
        Strategy::LeaveAlone => return Ok(Tried::Nothing),
        Strategy::CreateOnly if precondition.is_some() => return Ok(Tried::Nothing),
        _ if object.name().is_empty() => {
            return retry::safely(cluster, || cluster.create(kind, object, how))
                .await
                .map(Tried::Answer);
        }
        _ if delete_first && precondition.is_some() => return anew(cluster, kind, object, how).await,
        _ => {}
    }
    if strategy == Strategy::Replace {
        // As it will be sent: what apply refuses (entries with equal keys, the other branch of a union) may be taken.
        return replace(cluster, kind, step, object, how).await.map(Tried::Answer);
    }
    // Here, where nothing was written yet, even the version must be the one the plan was made for.
    let sent = pinned(object, precondition, true);
    let answer = match send(cluster, kind, sent.clone(), how).await {
        // A manager that is taken over has nothing to say any more by the time of the write.
        Err(ClusterError::Conflict { conflicts })
            if conflicts
                .iter()
                .all(|conflict| take_over.contains(&conflict.manager)) =>
        {
            let forced = Patch { force: true, ..how };
            send(cluster, kind, sent.clone(), forced).await
        }
        answer => answer,
    };
    let answer = match answer {
        // What is claimed in the record is gone by the time of the write, and what cannot be read in it is readable.
        Err(error @ ClusterError::Invalid { .. })
            if precondition.is_some() && (!record.is_empty() || error.is_of_recorded_version()) =>
        {
            let patch = fields::without(sent.into_value(), &record.claim);
            let request = || cluster.try_patch(kind, &step.object, &patch, how.strict);
            retry::safely(cluster, request).await
        }
        answer => answer,
    };
    match answer {
        Err(error) if strategy == Strategy::Recreate && precondition.is_some() && error.is_immutable() => {
            anew(cluster, kind, object, how).await
        }
        answer => answer.map(Tried::Answer),
    }
}

/// Deletes an object whose change the server takes in no other way, once the new one is known to be sound.
async fn recreate(
    cluster: &Target,
    kind: &Kind,
    step: &Step,
    object: &Object,
    how: Patch,
    options: &Options,
) -> Result<Reply, Failure> {
    anew(cluster, kind, object, Patch { dry_run: true, ..how }).await?;
    remove_first(cluster, kind, step, options).await?;
    Ok(apply(cluster, kind, object, None, how).await?)
}

/// Whether an object could be created, although one of that name is there: everything but the name is looked at first.
async fn anew(cluster: &Target, kind: &Kind, object: &Object, how: Patch) -> Result<Tried, ClusterError> {
    match retry::safely(cluster, || cluster.create(kind, object, how)).await {
        Ok(_) | Err(ClusterError::Modified { exists: true, .. }) => Ok(Tried::Anew),
        // What it replaces still counts; quotas are looked at last of all.
        Err(ClusterError::Quota { message }) if grounds::is_by_one(&message) => Ok(Tried::Anew),
        Err(error) => Err(error),
    }
}

/// Does a step. `before` is the version of the live object that the rehearsal found.
pub(crate) async fn perform(
    cluster: &Target,
    kind: &Kind,
    ready: &Ready<'_>,
    before: Option<&str>,
    options: &Options,
) -> Result<Done, Failure> {
    let step = ready.step;
    let (strategy, force, validate, delete_first, earlier, record, object) =
        match (&step.action, &ready.object) {
            (Action::Delete { propagation, begun }, _) => {
                return delete(cluster, kind, step, *propagation, *begun).await;
            }
            (
                Action::Apply {
                    strategy,
                    force,
                    validate,
                    delete_first,
                    take_over: earlier,
                    record,
                    ..
                },
                Some(object),
            ) => (
                *strategy,
                *force,
                *validate,
                *delete_first,
                earlier,
                record,
                object,
            ),
            (Action::Apply { .. }, None) => return Ok(Done::nothing("nothing to send")),
        };
    if delete_first {
        remove_first(cluster, kind, step, options).await?;
    }
    let precondition = step.precondition.as_ref().filter(|_| !delete_first);
    let becomes_ours = Takeover {
        managers: earlier,
        claim: Some(&record.claim),
        version: object.api_version(),
        all_at_version: false,
    };
    if let Some(precondition) = precondition
        && (!earlier.is_empty()
            || !record.claim.is_empty()
            || is_of_lost_version(cluster, step, record).await)
    {
        take_over(cluster, kind, step, precondition, &becomes_ours).await?;
    }
    let how = Patch {
        force,
        strict: validate,
        dry_run: false,
    };
    let reply = match strategy {
        Strategy::LeaveAlone => return Ok(Done::nothing("left alone")),
        Strategy::CreateOnly if precondition.is_some() => return Ok(Done::nothing("exists already")),
        _ if object.name().is_empty() => {
            retry::if_untouched(cluster, || cluster.create(kind, object, how)).await?
        }
        // `RecreateAlways` is in the plan as a deletion first.
        Strategy::ServerSideApply | Strategy::CreateOnly | Strategy::RecreateAlways => {
            apply_over(cluster, kind, step, object, precondition, how, &becomes_ours).await?
        }
        Strategy::Merge => merge(cluster, kind, object, precondition, how).await?,
        Strategy::Replace => replace(cluster, kind, step, object, how).await?,
        Strategy::Recreate => {
            match apply_over(cluster, kind, step, object, precondition, how, &becomes_ours).await {
                Err(error) if precondition.is_some() && error.is_immutable() => {
                    recreate(cluster, kind, step, object, how, options).await?
                }
                answer => answer?,
            }
        }
    };
    let created = reply.status == 201;
    let stored = reply.object()?;
    let result = match stored.metadata("resourceVersion") {
        _ if created => StepResult::Created,
        Some(now) if Some(now) == before => StepResult::Unchanged,
        _ => StepResult::Configured,
    };
    Ok(Done {
        result,
        ..Done::now(Some(stored))
    })
}

/// The refusal of an object that was replaced since the plan was made.
pub(crate) fn another(step: &Step) -> ClusterError {
    ClusterError::Modified {
        message: format!("{} is another object by now", step.object),
        exists: true,
    }
}

async fn apply(
    cluster: &Target,
    kind: &Kind,
    object: &Object,
    precondition: Option<&Precondition>,
    how: Patch,
) -> Result<Reply, ClusterError> {
    send(cluster, kind, pinned(object, precondition, false), how).await
}

/// As [`apply`]. Where an entry of the record is at a version of the kind that lacks a field which the object has, or that is gone, the
/// server cannot read it: then all are written at the version that Git has, and the apply sent again. No manager loses a field by that.
async fn apply_over(
    cluster: &Target,
    kind: &Kind,
    step: &Step,
    object: &Object,
    precondition: Option<&Precondition>,
    how: Patch,
    becomes_ours: &Takeover<'_>,
) -> Result<Reply, ClusterError> {
    match (
        apply(cluster, kind, object, precondition, how).await,
        precondition,
    ) {
        (Err(error), Some(identity)) if error.is_of_recorded_version() => {
            let readable = Takeover {
                all_at_version: true,
                ..becomes_ours.clone()
            };
            take_over(cluster, kind, step, identity, &readable).await?;
            apply(cluster, kind, object, precondition, how).await
        }
        (answer, _) => answer,
    }
}

/// Server-side apply. Without validation, fields that the schema does not have are left out: the server cannot take them.
async fn send(cluster: &Target, kind: &Kind, object: Object, how: Patch) -> Result<Reply, ClusterError> {
    match retry::safely(cluster, || cluster.apply(kind, &object, how)).await {
        Err(ClusterError::Invalid { fields, .. }) if !how.strict && !fields.is_empty() => {
            let mut value = object.into_value();
            for field in &fields {
                fields::remove(&mut value, field);
            }
            let known = Object::new(value).map_err(|error| ClusterError::Invalid {
                message: error.to_string().into(),
                fields,
            })?;
            retry::safely(cluster, || cluster.apply(kind, &known, how)).await
        }
        answer => answer,
    }
}

/// Leaves out what others own, and only that.
async fn merge(
    cluster: &Target,
    kind: &Kind,
    object: &Object,
    precondition: Option<&Precondition>,
    how: Patch,
) -> Result<Reply, ClusterError> {
    match apply(cluster, kind, object, precondition, how).await {
        Err(ClusterError::Conflict { conflicts }) => {
            let mut value = object.value().clone();
            for conflict in &conflicts {
                fields::remove(&mut value, &conflict.field);
            }
            match Object::new(value) {
                Ok(rest) => apply(cluster, kind, &rest, precondition, how).await,
                Err(_) => Err(ClusterError::Conflict { conflicts }),
            }
        }
        answer => answer,
    }
}

/// The whole object as Git has it, whatever was there.
async fn replace(
    cluster: &Target,
    kind: &Kind,
    step: &Step,
    object: &Object,
    how: Patch,
) -> Result<Reply, ClusterError> {
    let mut tries = 0;
    loop {
        let Some(live) = retry::safely(cluster, || cluster.get(kind, &step.object)).await? else {
            return retry::if_untouched(cluster, || cluster.create(kind, object, how)).await;
        };
        if let Some(precondition) = &step.precondition
            && live.metadata("uid") != Some(precondition.uid.as_str())
        {
            return Err(another(step));
        }
        let version = live.metadata("resourceVersion").unwrap_or_default().to_owned();
        let pinned = object.edit(|map| {
            if let Some(Value::Object(metadata)) = map.get_mut("metadata") {
                metadata.insert("resourceVersion".to_owned(), version.into());
            }
        });
        tries += 1;
        match retry::safely(cluster, || cluster.replace(kind, &pinned, how)).await {
            Err(ClusterError::Modified { .. }) if tries < OVERTAKEN => {}
            answer => return answer,
        }
    }
}

async fn delete(
    cluster: &Target,
    kind: &Kind,
    step: &Step,
    propagation: Propagation,
    begun: bool,
) -> Result<Done, Failure> {
    let precondition = step.precondition.as_ref();
    if begun {
        let live = retry::safely(cluster, || cluster.get(kind, &step.object)).await?;
        let same = live.filter(|live| live.metadata("uid") == precondition.map(|p| p.uid.as_str()));
        let held = removal::release(cluster, kind, &step.object, same).await?;
        return Ok(Done::deleted("is on its way out", held));
    }
    match removal::delete(cluster, kind, &step.object, propagation, precondition).await {
        Ok(held) => Ok(Done::deleted("", held)),
        Err(error) if error.is_not_found() => Ok(Done::deleted("was gone already", false)),
        Err(error) => Err(error.into()),
    }
}

/// Deletes the object that has the name now, if it is the one that was planned for, and waits until it is gone. For a hook any
/// is: what is left of earlier runs.
async fn remove_first(cluster: &Target, kind: &Kind, step: &Step, options: &Options) -> Result<(), Failure> {
    let Some(live) = retry::safely(cluster, || cluster.get(kind, &step.object)).await? else {
        return Ok(());
    };
    let uid = live.metadata("uid").unwrap_or_default().to_owned();
    if let Some(planned) = &step.precondition
        && planned.uid != uid
    {
        return Err(another(step).into());
    }
    let precondition = Precondition {
        uid,
        resource_version: None,
    };
    let propagation = match &step.action {
        Action::Apply { options, .. } => options.propagation,
        Action::Delete { propagation, .. } => Some(*propagation),
    };
    let propagation = propagation.unwrap_or(Propagation::Background);
    match removal::delete(cluster, kind, &step.object, propagation, Some(&precondition)).await {
        Ok(_held) => {}
        Err(error) if error.is_not_found() => return Ok(()),
        Err(error) => return Err(error.into()),
    }
    gone::until_gone(
        cluster,
        kind,
        &step.object,
        Some(&precondition),
        options.deletion_timeout,
    )
    .await
}

/// The object with what the server shall check: that it is the one that was planned for.
fn pinned(object: &Object, precondition: Option<&Precondition>, version_too: bool) -> Object {
    let Some(precondition) = precondition else {
        return object.clone();
    };
    object.edit(|map| {
        if let Some(Value::Object(metadata)) = map.get_mut("metadata") {
            metadata.insert("uid".to_owned(), precondition.uid.clone().into());
            if let Some(version) = precondition.resource_version.as_ref().filter(|_| version_too) {
                metadata.insert("resourceVersion".to_owned(), version.clone().into());
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use sluice_model::decision::Phase;

    fn secret_step(manifest: Value) -> Step {
        let object = Object::new(manifest.clone()).unwrap().reference();
        let action = Action::Apply {
            manifest: Arc::new(manifest),
            strategy: Strategy::ServerSideApply,
            force: false,
            validate: true,
            delete_first: false,
            take_over: Vec::new(),
            record: Default::default(),
            cleanup: Vec::new(),
            options: Default::default(),
        };
        Step {
            phase: Phase::Sync,
            wave: 0,
            object,
            action,
            origin: None,
            changes: Vec::new(),
            precondition: None,
            rests_on: Vec::new(),
        }
    }

    #[test]
    fn a_secrets_values_come_from_the_manifests() {
        let planned = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": "n", "labels": {"a": "b"}},
            "data": {"password": secret::MASK}, "datas": secret::MASK});
        let rendered = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": "n"},
            "data": {"password": "aHVudGVyMg=="}, "datas": ["hunter2"]});
        let rendered = Object::new(rendered).unwrap();
        let manifests = BTreeMap::from([(rendered.key(), rendered)]);
        let step = secret_step(planned);
        let ready = Ready::new(&step, &manifests).unwrap();
        let sent = ready.object.as_ref().unwrap();
        assert_eq!(sent.value()["data"]["password"], "aHVudGVyMg==");
        assert_eq!(sent.value()["datas"], json!(["hunter2"]));
        assert_eq!(sent.label("a"), Some("b"));
        let error = Ready::new(&step, &BTreeMap::new()).unwrap_err();
        assert!(matches!(error, ApplyError::NoManifest { .. }));
    }

    #[test]
    fn the_planned_object_is_pinned() {
        let object =
            Object::new(json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}})).unwrap();
        let precondition = Precondition {
            uid: "u".to_owned(),
            resource_version: Some("7".to_owned()),
        };
        let rehearsed = pinned(&object, Some(&precondition), true);
        assert_eq!(
            (rehearsed.metadata("uid"), rehearsed.metadata("resourceVersion")),
            (Some("u"), Some("7"))
        );
        let written = pinned(&object, Some(&precondition), false);
        assert_eq!(
            (written.metadata("uid"), written.metadata("resourceVersion")),
            (Some("u"), None)
        );
    }
}
