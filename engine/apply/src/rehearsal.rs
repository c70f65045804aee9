//! The whole plan as a server-side dry-run: schema, admission, quota, conflicts and rights, all answers at once, before the
//! first write.
//!
//! What the plan itself is about to make is taken into account: an object of a kind whose CRD is in the plan cannot be
//! rehearsed; one in a namespace that is in the plan may miss it; one that refers to another of the plan may miss that.

use std::collections::BTreeSet;

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use sluice_cluster::{Cluster, ClusterError, Kind, Reply};
use sluice_model::decision::Strategy;
use sluice_model::object::{GroupKind, Object};
use sluice_model::plan::{Action, Step};

use crate::Options;
use crate::error::{ApplyError, Refusal};
use crate::retry;
use crate::step::{self, Ready, Tried};

/// What the rehearsal found out about one step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Found {
    /// It will be created.
    New,
    /// The object is there, at this version.
    Exists(String),
    /// The object is there and makes room for a new one.
    Anew,
    /// It could not be rehearsed, or need not be.
    Unknown,
}

/// What the plan itself brings.
struct Coming {
    kinds: BTreeSet<GroupKind>,
    namespaces: BTreeSet<String>,
    names: BTreeSet<String>,
}

/// Rehearses every step.
pub(crate) async fn rehearse(
    cluster: &Cluster,
    steps: &[Ready<'_>],
    options: &Options,
) -> Result<Vec<Found>, ApplyError> {
    let coming = &Coming::of(steps);
    let (mut next, mut results) = (steps.iter().enumerate(), Vec::with_capacity(steps.len()));
    let mut under_way = FuturesUnordered::new();
    loop {
        // Each is made when its turn comes: a plan may have many thousands of steps.
        let room = options.concurrency.max(1).saturating_sub(under_way.len());
        for (index, ready) in next.by_ref().take(room) {
            under_way.push(async move { (index, try_one(cluster, ready, coming).await) });
        }
        let Some(result) = under_way.next().await else {
            break;
        };
        results.push(result);
    }
    results.sort_by_key(|(index, _)| *index);
    let (mut found, mut refusals, mut moved) = (Vec::new(), Vec::new(), Vec::new());
    for (ready, (_, result)) in steps.iter().zip(results) {
        match result {
            Ok(what) => found.push(what),
            Err(Trouble::Moved(how)) => moved.push(how),
            Err(Trouble::Refused(error)) => {
                let refusal = Refusal::new(ready.step.object.clone(), ready.step.origin.clone(), &error);
                refusals.push(refusal);
            }
        }
    }
    match (moved.is_empty(), refusals.is_empty()) {
        (false, _) => Err(ApplyError::MovedOn { objects: moved }),
        (true, false) => Err(ApplyError::Refused { refusals }),
        (true, true) => Ok(found),
    }
}

enum Trouble {
    Moved(String),
    Refused(ClusterError),
}

async fn try_one(cluster: &Cluster, ready: &Ready<'_>, coming: &Coming) -> Result<Found, Trouble> {
    let step = ready.step;
    let kind: Kind = match retry::safely(cluster, || cluster.kind_of(&step.object)).await {
        Ok(kind) => kind,
        Err(ClusterError::UnknownKind { .. }) if coming.kinds.contains(&step.object.group_kind()) => {
            return Ok(Found::Unknown);
        }
        // A policy says that the kind will be known by then.
        Err(ClusterError::UnknownKind { .. }) if skips_missing_kind(step) => return Ok(Found::Unknown),
        Err(error) => return Err(Trouble::Refused(error)),
    };
    match step::rehearse(cluster, &kind, ready).await {
        Ok(Tried::Nothing) => Ok(Found::Unknown),
        Ok(Tried::Anew) => Ok(Found::Anew),
        Ok(Tried::Answer(reply)) => judge(step, reply),
        Err(ClusterError::Modified { message, .. }) => {
            Err(Trouble::Moved(format!("{}: {message}", step.object)))
        }
        Err(error) if may_pass(step, &error, coming) => Ok(Found::Unknown),
        Err(error) => Err(Trouble::Refused(error)),
    }
}

fn skips_missing_kind(step: &Step) -> bool {
    matches!(&step.action, Action::Apply { options, .. } if options.skip_dry_run_on_missing_kind)
}

fn judge(step: &Step, reply: Reply) -> Result<Found, Trouble> {
    let Action::Apply {
        strategy,
        delete_first,
        ..
    } = &step.action
    else {
        return Ok(Found::Unknown);
    };
    if reply.status == 201 {
        return Ok(Found::New);
    }
    if step.precondition.is_none() && !delete_first && *strategy != Strategy::CreateOnly {
        return Err(Trouble::Moved(format!("{} exists by now", step.object)));
    }
    let version = Object::new(reply.value)
        .ok()
        .and_then(|object| object.metadata("resourceVersion").map(str::to_owned));
    Ok(version.map_or(Found::Unknown, Found::Exists))
}

/// True where the refusal is one of the rehearsal only.
fn may_pass(step: &Step, error: &ClusterError, coming: &Coming) -> bool {
    // A hook makes room for itself.
    let replaced = match &step.action {
        Action::Apply { delete_first, .. } => *delete_first,
        Action::Delete { .. } => false,
    };
    let merged = matches!(
        &step.action,
        Action::Apply {
            strategy: Strategy::Merge,
            ..
        }
    );
    match error {
        // An immutable field, where the object will be a new one.
        ClusterError::Invalid { message, .. } => replaced && error.is_immutable() || no_dry_run(message),
        ClusterError::Conflict { .. } => merged,
        // A webhook that cannot be asked without side effects.
        ClusterError::Admission { message } | ClusterError::Refused { message, .. } => {
            no_dry_run(message) || coming.is_named_missing(message)
        }
        ClusterError::NotFound {
            namespace: Some(namespace),
            ..
        } => coming.namespaces.contains(namespace),
        ClusterError::NotFound { message, .. } | ClusterError::Forbidden { message } => {
            coming.is_named_missing(message)
        }
        _ => false,
    }
}

fn no_dry_run(message: &str) -> bool {
    message.contains("does not support dry run")
}

impl Coming {
    fn of(steps: &[Ready<'_>]) -> Self {
        let applied = || steps.iter().filter_map(|ready| ready.object.as_ref());
        Self {
            kinds: applied()
                .flat_map(Kind::defined_by)
                .map(|kind| kind.group_kind())
                .collect(),
            namespaces: applied()
                .filter(|object| object.group().is_empty() && object.kind() == "Namespace")
                .map(|object| object.name().to_owned())
                .collect(),
            names: applied().map(|object| object.name().to_owned()).collect(),
        }
    }

    /// `serviceaccount "x" not found` where the plan brings an `x`.
    fn is_named_missing(&self, message: &str) -> bool {
        message.contains("not found")
            && message.split('"').skip(1).step_by(2).any(|quoted| {
                let name = quoted.rsplit('/').next().unwrap_or(quoted);
                self.names.contains(name)
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_plan_brings_is_not_missing() {
        let coming = Coming {
            kinds: BTreeSet::new(),
            namespaces: BTreeSet::new(),
            names: BTreeSet::from(["robot".to_owned()]),
        };
        assert!(coming.is_named_missing(
            "error looking up service account shop/robot: serviceaccount \"robot\" not found"
        ));
        assert!(!coming.is_named_missing("serviceaccount \"other\" not found"));
        assert!(!coming.is_named_missing("\"robot\" is forbidden"));
    }

    /// A ServiceAccount often has the name of the namespace that it is in.
    #[test]
    fn a_namespace_comes_as_a_namespace_only() {
        let step: Step = serde_json::from_value(serde_json::json!({
            "phase": "Sync", "wave": 0,
            "object": {"group": "", "version": "v1", "kind": "ServiceAccount", "namespace": "robot", "name": "robot"},
            "action": {
                "do": "apply", "strategy": "server-side-apply", "force": false, "validate": true, "deleteFirst": false,
                "manifest": {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "robot", "namespace": "robot"}},
            },
        }))
        .unwrap();
        let missing = ClusterError::NotFound {
            message: "namespaces \"robot\" not found".to_owned(),
            namespace: Some("robot".to_owned()),
        };
        let mut coming = Coming {
            kinds: BTreeSet::new(),
            namespaces: BTreeSet::new(),
            names: BTreeSet::from(["robot".to_owned()]),
        };
        assert!(!may_pass(&step, &missing, &coming));
        coming.namespaces.insert("robot".to_owned());
        assert!(may_pass(&step, &missing, &coming));
    }
}
