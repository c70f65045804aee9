//! From what was found to what the status says. Pure.

use std::collections::BTreeSet;

use sluice_decide::BLOCKED;
use sluice_health::{ObjectHealth, worst};
use sluice_model::ObjectRef;
use sluice_model::application::{ApplicationStatus, HealthState, ObjectState, PendingApproval, SyncStatus};
use sluice_model::health::HealthStatus;
use sluice_model::object::{GroupKind, Object};
use sluice_model::outcome::{Outcome, StepResult};
use sluice_model::plan::{Action, Plan, Step};
use sluice_model::revisions;
use sluice_pipeline::{Compared, Prepared, codes};
use sluice_plugin_host::{PluginProblem, RejectedFile};
use sluice_reconcile::explain;
use sluice_report::conditions::Finding;

/// A status lists so many objects at most: it must never grow past etcd's limit.
const LISTED: usize = 50;

/// The message of the `Rendered` condition, which names what was not read.
pub(crate) fn rendered(manifests: usize, submodules: &[String]) -> String {
    /// More would hide the rest of the status.
    const NAMED: usize = 5;
    if submodules.is_empty() {
        return format!("{manifests} manifests");
    }
    let named: Vec<&str> = submodules.iter().take(NAMED).map(String::as_str).collect();
    let more = match submodules.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!(
        "{manifests} manifests; submodules are not followed: {}{more}",
        named.join(", ")
    )
}

/// Is the cluster as a plan's revision wants it? Kept by a policy is as wanted; kept by the engine is not.
pub(crate) fn sync_status(plan: &Plan) -> SyncStatus {
    let kept_back = plan.kept.iter().any(|kept| kept.decided_by.is_none());
    match plan.is_empty() && !kept_back {
        true => SyncStatus::Synced,
        false => SyncStatus::OutOfSync,
    }
}

/// The `Synced` condition where nothing failed.
pub(crate) fn synced(plan: &Plan, commit: &str) -> Finding {
    let commit = &revisions::short(commit);
    if let Some(block) = plan.blocked.first() {
        let object = block
            .object
            .as_ref()
            .map(|object| format!("{object}: "))
            .unwrap_or_default();
        let more = match plan.blocked.len() {
            1 => String::new(),
            number => format!(" (and {} more)", number - 1),
        };
        let code = &sluice_apply::codes::BLOCKED;
        return Finding::no(
            code.id,
            format!("{object}{}{more}\nhint: {}", block.reason, code.hint),
        );
    }
    let kept = plan.steps.first().filter(|_| !plan.steps.iter().any(Step::mends));
    if let Some((step, change)) = kept.and_then(|step| Some((step, step.changes.first()?))) {
        return Finding::no(
            "FieldKept",
            format!(
                "Git dropped `{}` of {}, and the API server keeps it whatever is applied: only a new object loses it",
                change.pointer, step.object
            ),
        );
    }
    if !plan.steps.is_empty() {
        let first = plan
            .steps
            .first()
            .map(|step| step.object.to_string())
            .unwrap_or_default();
        let number = plan.steps.len();
        return Finding::no(
            "OutOfSync",
            format!("{number} objects differ from {commit}, {first} first"),
        );
    }
    if !plan.held.is_empty() {
        let number = plan.held.len();
        return Finding::no(
            "DeletionsHeld",
            format!(
                "{number} deletions wait for an approval of plan {}",
                plan.digest()
            ),
        );
    }
    if let Some(kept) = plan.kept.iter().find(|kept| kept.decided_by.is_none()) {
        return Finding::no(
            "DeletionsKept",
            format!("{} is no longer in Git and stays: {}", kept.object, kept.reason),
        );
    }
    Finding::yes("Synced", format!("the cluster is as {commit} wants it"))
}

/// The `Synced` condition of a revision without manifests.
pub(crate) fn empty(commit: &str) -> Finding {
    let code = &codes::EMPTY;
    Finding::no(
        code.id,
        format!(
            "{}: {} ({commit}); everything stays as it is\nhint: {}",
            code.id, code.summary, code.hint
        ),
    )
}

/// The objects whose health does not count for the application's, because policies leave them out.
pub(crate) fn left_out(prepared: &Prepared) -> BTreeSet<ObjectRef> {
    let left_out = prepared.objects.iter().filter(|object| !object.decision.counts());
    left_out.map(Compared::reference).collect()
}

/// The `Healthy` condition and the status' health, from all objects but those that are left out.
pub(crate) fn health(objects: &[ObjectHealth], left_out: &BTreeSet<ObjectRef>) -> (HealthState, Finding) {
    let counts = |object: &&ObjectHealth| !left_out.contains(&object.object);
    let objects: Vec<&ObjectHealth> = objects.iter().filter(counts).collect();
    let Some(worst) = worst(objects.iter().copied()) else {
        return (
            HealthState {
                status: HealthStatus::Healthy,
                ..HealthState::default()
            },
            Finding::yes("NoObjects", "there are no objects"),
        );
    };
    let status = worst.verdict.status;
    if status == HealthStatus::Healthy {
        let state = HealthState {
            status,
            ..HealthState::default()
        };
        return (state, Finding::yes("Healthy", healthy(&objects)));
    }
    let message = explain(worst);
    let finding = match status {
        HealthStatus::Unknown => Finding::unknown("Unknown", message.clone()),
        _ => Finding::no(&format!("{status:?}"), message.clone()),
    };
    let state = HealthState {
        status,
        message,
        ..HealthState::default()
    };
    (state, finding)
}

/// How many objects are healthy; those of which no plugin has an opinion do not count.
fn healthy(objects: &[&ObjectHealth]) -> String {
    let has_check = |object: &&&ObjectHealth| object.verdict.plugin.is_some();
    let judged = objects.iter().filter(has_check).count();
    match objects.len() - judged {
        0 => format!("{judged} objects are healthy"),
        unjudged => format!("{judged} objects are healthy, {unjudged} have no check"),
    }
}

/// The `PluginsReady` condition.
pub(crate) fn plugins(problems: &[PluginProblem], rejected: &[RejectedFile]) -> Finding {
    let mut lines: Vec<String> = problems
        .iter()
        .map(|problem| format!("{}\nhint: {}", problem.one_line(), problem.code.hint))
        .collect();
    for file in rejected {
        let goes_on = if file.still_serving {
            "; the one before it goes on serving"
        } else {
            ""
        };
        lines.push(format!(
            "{}{goes_on}\nhint: {}",
            file.problem.one_line(),
            file.problem.code.hint
        ));
    }
    let code = problems
        .first()
        .or_else(|| rejected.first().map(|file| &file.problem))
        .map(|problem| problem.code.id);
    match code {
        None => Finding::yes("Ready", "every policy answered"),
        Some(code) => Finding::no(code, lines.join("\n")),
    }
}

/// What waits for a person.
pub(crate) fn pending(plan: &Plan) -> Option<PendingApproval> {
    if plan.held.is_empty() {
        return None;
    }
    let deletions = plan.held.iter().take(LISTED).map(|held| {
        let by = held
            .decided_by
            .as_ref()
            .map(|plugin| format!(" ({plugin})"))
            .unwrap_or_default();
        object_state(&held.step.object, "HeldDeletion", format!("{}{by}", held.reason))
    });
    Some(PendingApproval {
        plan_digest: plan.digest(),
        count: count(plan.held.len()),
        deletions: deletions.collect(),
    })
}

/// The objects that need attention, the most urgent first.
pub(crate) fn attention(prepared: &Prepared, health: &[ObjectHealth]) -> Vec<ObjectState> {
    let plan = &prepared.plan;
    let mut list = Vec::new();
    for block in &plan.blocked {
        if let Some(object) = &block.object {
            list.push(object_state(object, BLOCKED, block.reason.clone()));
        }
    }
    let mut sick: Vec<&ObjectHealth> = health
        .iter()
        .filter(|health| health.verdict.status != HealthStatus::Healthy)
        .collect();
    sick.sort_by_key(|health| std::cmp::Reverse(health.verdict.status));
    for health in sick {
        let by = health
            .verdict
            .plugin
            .as_ref()
            .map(|plugin| format!(" ({plugin})"))
            .unwrap_or_default();
        list.push(object_state(
            &health.object,
            &format!("{:?}", health.verdict.status),
            format!("{}{by}", health.verdict.message),
        ));
    }
    for step in &plan.steps {
        let message = match &step.action {
            Action::Delete { begun: true, .. } => "is on its way out; others wait for it".to_owned(),
            Action::Delete { .. } => "is no longer in Git".to_owned(),
            Action::Apply { .. } if step.precondition.is_none() => "is not in the cluster".to_owned(),
            Action::Apply { .. } => {
                let fields: Vec<&str> = step
                    .changes
                    .iter()
                    .take(5)
                    .map(|change| change.pointer.as_str())
                    .collect();
                let more = if step.changes.len() > fields.len() {
                    ", …"
                } else {
                    ""
                };
                format!("{}{more}", fields.join(", "))
            }
        };
        list.push(object_state(&step.object, "OutOfSync", message));
    }
    for kept in &plan.kept {
        let by = kept
            .decided_by
            .as_ref()
            .map(|plugin| format!(" ({plugin})"))
            .unwrap_or_default();
        list.push(object_state(&kept.object, "Kept", format!("{}{by}", kept.reason)));
    }
    list.truncate(LISTED);
    list
}

fn object_state(object: &ObjectRef, state: &str, message: String) -> ObjectState {
    ObjectState {
        kind: GroupKind::new(&object.group, &object.kind).to_string(),
        namespace: object.namespace.clone(),
        name: object.name.clone(),
        state: state.to_owned(),
        message,
    }
}

/// `2 created, 1 configured, 3 deleted`.
pub(crate) fn summary(outcomes: &[Outcome]) -> String {
    let kinds = [
        (StepResult::Created, "created"),
        (StepResult::Configured, "configured"),
        (StepResult::Unchanged, "unchanged"),
        (StepResult::Deleted, "deleted"),
        (StepResult::Failed, "failed"),
        (StepResult::NotTried, "not tried"),
    ];
    let parts: Vec<String> = kinds
        .iter()
        .filter_map(|(result, name)| {
            let number = outcomes
                .iter()
                .filter(|outcome| outcome.result == *result)
                .count();
            (number > 0).then(|| format!("{number} {name}"))
        })
        .collect();
    match parts.is_empty() {
        true => "nothing to do".to_owned(),
        false => parts.join(", "),
    }
}

/// The message of a failed sync, with those of its hooks for that case which failed as well.
pub(crate) fn with_hooks(message: String, hooks: &[Outcome]) -> String {
    let failed = hooks.iter().filter(|hook| hook.result == StepResult::Failed);
    let lines =
        failed.map(|hook| format!("\nthe SyncFail hook {} failed too: {}", hook.object, hook.message));
    lines.fold(message, |message, line| message + &line)
}

/// How many objects an application owns.
pub(crate) fn owned<'a>(members: impl Iterator<Item = &'a Object>) -> u32 {
    count(members.count())
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// What a status says if it is not known how things are: what is known of the last sync stays.
pub(crate) fn unknown(status: &mut ApplicationStatus) {
    status.sync.status = SyncStatus::Unknown;
    status.health = HealthState::default();
    status.attention.clear();
}

/// Code, causes and hint in one text.
pub(crate) fn failure(error: &dyn sluice_model::Coded) -> String {
    Finding::failed(error).message_within_limits()
}

#[cfg(test)]
mod tests {
    use super::*;
    use sluice_model::decision::{Phase, Propagation};
    use sluice_model::health::HealthVerdict;
    use sluice_model::plan::{ApplicationKey, HeldDeletion, KeptObject, Step};

    fn object(name: &str) -> ObjectRef {
        ObjectRef {
            group: "apps".to_owned(),
            version: "v1".to_owned(),
            kind: "Deployment".to_owned(),
            namespace: Some("shop".to_owned()),
            name: name.to_owned(),
        }
    }

    fn plan() -> Plan {
        Plan {
            version: sluice_model::plan::PLAN_VERSION.to_owned(),
            application: ApplicationKey {
                namespace: "shop".to_owned(),
                name: "web".to_owned(),
            },
            revision: "0123456789abcdef".to_owned(),
            destination_namespace: "shop".to_owned(),
            policies: Vec::new(),
            steps: Vec::new(),
            held: Vec::new(),
            kept: Vec::new(),
            blocked: Vec::new(),
            unchanged: 1,
        }
    }

    #[test]
    fn held_and_unwillingly_kept_is_not_in_sync() {
        assert_eq!(sync_status(&plan()), SyncStatus::Synced);
        let kept = |decided_by: Option<&str>| {
            let kept = KeptObject {
                object: object("a"),
                reason: "r".to_owned(),
                decided_by: decided_by.map(str::to_owned),
            };
            Plan {
                kept: vec![kept],
                ..plan()
            }
        };
        assert_eq!(sync_status(&kept(Some("prune-standard"))), SyncStatus::Synced);
        assert_eq!(sync_status(&kept(None)), SyncStatus::OutOfSync);
        let step = Step {
            phase: Phase::Sync,
            wave: 0,
            object: object("a"),
            action: Action::Delete {
                propagation: Propagation::Foreground,
                begun: false,
            },
            origin: None,
            changes: Vec::new(),
            precondition: None,
            rests_on: Vec::new(),
        };
        let held = Plan {
            held: vec![HeldDeletion {
                step,
                reason: "PVC".to_owned(),
                decided_by: Some("p".to_owned()),
            }],
            ..plan()
        };
        assert_eq!(sync_status(&held), SyncStatus::OutOfSync);
        let pending = pending(&held).unwrap();
        assert_eq!((pending.count, pending.plan_digest), (1, held.digest()));
        assert_eq!(pending.deletions[0].message, "PVC (p)");
        assert_eq!(synced(&held, "0123456789abcdef").reason, "DeletionsHeld");
    }

    #[test]
    fn the_worst_object_speaks_for_all() {
        let health_of = |name: &str, status, message: &str| ObjectHealth {
            object: object(name),
            verdict: HealthVerdict {
                status,
                message: message.to_owned(),
                plugin: Some("health-kubernetes".to_owned()),
            },
        };
        let objects = [
            health_of("a", HealthStatus::Healthy, ""),
            health_of("b", HealthStatus::Progressing, "1 of 3 replicas are available"),
        ];
        let (state, finding) = health(&objects, &BTreeSet::new());
        assert_eq!(state.status, HealthStatus::Progressing);
        assert_eq!(
            state.message,
            "Deployment.apps shop/b: 1 of 3 replicas are available (health-kubernetes)"
        );
        assert_eq!(
            (finding.status, finding.reason.as_str()),
            ("False", "Progressing")
        );
        let (state, _) = health(&objects, &BTreeSet::from([object("b")]));
        assert_eq!(
            state.status,
            HealthStatus::Healthy,
            "what is left out does not count"
        );
    }

    /// Reported: a SyncFail hook that the server refused was told in the log alone.
    #[test]
    fn a_failed_hook_for_failures_is_told() {
        let hook = |name: &str, result| Outcome {
            object: object(name),
            result,
            message: "no such image".to_owned(),
            rests_on: Vec::new(),
        };
        let hooks = [hook("a", StepResult::Created), hook("b", StepResult::Failed)];
        assert_eq!(
            with_hooks("A05: refused".to_owned(), &hooks),
            "A05: refused\nthe SyncFail hook Deployment.apps shop/b failed too: no such image"
        );
    }

    #[test]
    fn a_summary_counts() {
        let outcome = |result| Outcome {
            object: object("a"),
            result,
            message: String::new(),
            rests_on: Vec::new(),
        };
        let outcomes = [
            outcome(StepResult::Created),
            outcome(StepResult::Deleted),
            outcome(StepResult::Created),
        ];
        assert_eq!(summary(&outcomes), "2 created, 1 deleted");
        assert_eq!(summary(&[]), "nothing to do");
    }
}
