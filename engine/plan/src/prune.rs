//! From what Git no longer has to deletions: what goes, what waits, what stays.

use std::borrow::Cow;
use std::cell::LazyCell;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use sluice_model::applyset;
use sluice_model::decision::{HookCleanup, Occasion, Phase, PruneVerdict};
use sluice_model::layer::Layer;
use sluice_model::object::{Object, ObjectKey, ObjectRef};
use sluice_model::plan::{Action, HeldDeletion, KeptObject, Precondition, Step};

use crate::input::{PlanInput, PruneCandidate};
use crate::naming::{HookNames, is_run_of};
use crate::order;
use crate::runs;

/// Why the deletion of an object waits that has our label and no record of managers.
const UNRECORDED: &str = "its record of managers was lost (a restored backup, or wiped), so only its label says that it is this application's";

/// Why everything stays where a revision has nothing that makes up an application.
pub const EMPTY_REVISION: &str = "the revision has no manifests at all, which is taken for a mistake";

/// What becomes of the candidates.
pub(crate) struct Deletions<'a> {
    /// Those that go and those that wait.
    pub(crate) steps: Vec<Deletion<'a>>,
    /// Those that stay, in order.
    pub(crate) kept: Vec<KeptObject>,
}

/// A deletion whose place in the order is still open.
pub(crate) struct Deletion<'a> {
    candidate: &'a PruneCandidate,
    /// Why it waits; none where it may be done.
    held: Option<Held<'a>>,
}

/// Why a deletion waits for a person, and because of whom.
struct Held<'a> {
    reason: Cow<'a, str>,
    decided_by: Option<&'a String>,
}

impl<'a> Held<'a> {
    fn by_us(reason: impl Into<Cow<'a, str>>) -> Self {
        Self {
            reason: reason.into(),
            decided_by: None,
        }
    }
}

/// Decides about every candidate.
pub(crate) fn decide<'a>(input: &'a PlanInput, set: &str) -> Deletions<'a> {
    let desired = Desired::of(input);
    let empty = input.occasion == Occasion::Sync && !input.options.allow_empty && !has_parts(input);
    // By key, so that neither the order of the candidates nor one that is given twice makes a difference.
    let mut candidates: BTreeMap<ObjectKey, &PruneCandidate> = BTreeMap::new();
    for candidate in &input.candidates {
        candidates.entry(candidate.live.key()).or_insert(candidate);
    }
    let mut seen = BTreeSet::new();
    let (mut steps, mut kept) = (Vec::new(), Vec::new());
    for (key, candidate) in candidates {
        let live = &candidate.live;
        let wanted = input.occasion == Occasion::Sync && desired.has(&key, candidate);
        // The server has some objects in two API groups: one identity is one object.
        let mut again = || live.metadata("uid").is_some_and(|uid| !seen.insert(uid));
        let meant = applyset::owner(live) == Some(set) && input.selects(live);
        if wanted || !meant || again() {
            continue;
        }
        if live.is_deleting() {
            // If finalizers hold the object, other deletions may have to wait for it.
            if input.options.prune && !live.finalizers().is_empty() {
                steps.push(Deletion {
                    candidate,
                    held: None,
                });
            }
            continue;
        }
        let mut keep = |reason: &str, decided_by: Option<&String>| {
            let (reason, decided_by) = (reason.to_owned(), decided_by.cloned());
            kept.push(KeptObject {
                object: live.reference(),
                reason,
                decided_by,
            });
        };
        let decided_by = candidate.prune.decided_by.as_ref();
        match &candidate.prune.verdict {
            PruneVerdict::Keep { reason } => keep(reason, decided_by),
            _ if candidate.claimed.is_some() => keep(candidate.claimed.as_deref().unwrap_or_default(), None),
            _ if empty => keep(EMPTY_REVISION, None),
            _ if !input.options.prune => keep("this sync does not prune", None),
            PruneVerdict::Hold { reason } => steps.push(Deletion {
                candidate,
                held: Some(Held {
                    reason: reason.into(),
                    decided_by,
                }),
            }),
            PruneVerdict::Delete => steps.push(Deletion {
                candidate,
                held: applyset::is_unrecorded(live).then(|| Held::by_us(UNRECORDED)),
            }),
        }
    }
    keep_what_is_needed(&mut steps, &kept);
    kept.sort_by(|a, b| a.object.cmp(&b.object));
    Deletions { steps, kept }
}

/// Of hooks that have only `generateName` and run in this plan, what is left of earlier runs, where they are to be deleted before the next
/// one: where `BeforeHookCreation` was asked for. By default they stay, as with Argo CD. They make no plan by themselves.
pub(crate) fn earlier_runs<'a>(input: &'a PlanInput, set: &str, applies: &[Step]) -> Vec<Deletion<'a>> {
    let replaces = |desired: &&crate::DesiredObject| {
        let decision = &desired.decision;
        decision.hook
            && decision.decided_by.contains_key("deletePolicies")
            && decision
                .delete_policies
                .contains(&HookCleanup::BeforeHookCreation)
    };
    let replacing: Vec<&crate::DesiredObject> = input.desired.iter().filter(replaces).collect();
    if replacing.is_empty() || !input.options.prune {
        return Vec::new();
    }
    let runs_now: Vec<Object> = applies
        .iter()
        .filter_map(|step| match &step.action {
            Action::Apply { manifest, .. } => Object::new(Value::clone(manifest)).ok(),
            Action::Delete { .. } => None,
        })
        .collect();
    let hooks = replacing.into_iter().map(|desired| &desired.manifest.object);
    let hooks: Vec<&Object> = hooks
        .filter(|hook| runs_now.iter().any(|run| is_run_of(run, hook)))
        .collect();
    if hooks.is_empty() {
        return Vec::new();
    }
    let now = Desired::of(input).keys;
    let is_left = |candidate: &&PruneCandidate| {
        let live = &candidate.live;
        candidate.sync.hook
            && candidate.prune.verdict == PruneVerdict::Delete
            && candidate.claimed.is_none()
            && hooks.iter().any(|hook| is_run_of(live, hook))
            && !now.contains(&live.key())
            && !live.is_deleting()
            && !applyset::is_unrecorded(live)
            && applyset::owner(live) == Some(set)
            && input.selects(live)
    };
    let left: BTreeMap<ObjectKey, &PruneCandidate> = input
        .candidates
        .iter()
        .filter(is_left)
        .map(|candidate| (candidate.live.key(), candidate))
        .collect();
    let gone = |candidate| Deletion {
        candidate,
        held: None,
    };
    left.into_values().map(gone).collect()
}

/// Holds what must not go before what waits or stays: the namespace that an object is in and the definition of its kind, with which it
/// would go too, and what may be the operator of a custom object whose deletion waits.
fn keep_what_is_needed(steps: &mut [Deletion<'_>], kept: &[KeptObject]) {
    let waiting = steps.iter().filter(|deletion| deletion.held.is_some());
    let waiting: Vec<ObjectRef> = waiting
        .map(|deletion| deletion.candidate.live.reference())
        .collect();
    for deletion in steps.iter_mut().filter(|it| it.held.is_none() && !it.has_begun()) {
        let live = &deletion.candidate.live;
        let waits = waiting
            .iter()
            .find(|other| takes_along(live, other) || may_run(live, other));
        let stays = || kept.iter().find(|other| takes_along(live, &other.object));
        let reason = match waits {
            Some(other) => Some(format!("{other} needs it, whose deletion waits")),
            None => stays().map(|other| format!("{} would go with it, and is kept", other.object)),
        };
        deletion.held = reason.map(Held::by_us);
    }
}

/// True where an object goes with another one: with its namespace, or with the definition of its kind.
fn takes_along(live: &Object, other: &ObjectRef) -> bool {
    let text = |pointer: &str| live.value().pointer(pointer).and_then(Value::as_str);
    match Layer::of(&live.reference()) {
        Layer::Namespace => other.namespace.as_deref() == Some(live.name()),
        Layer::Definition => {
            text("/spec/group") == Some(&other.group) && text("/spec/names/kind") == Some(&other.kind)
        }
        Layer::Setting | Layer::Work | Layer::Gate | Layer::Custom => false,
    }
}

/// True for what may run the operator of a custom object, or give it its rights.
fn may_run(live: &Object, other: &ObjectRef) -> bool {
    const RUNS: &[(&str, &str)] = &[
        ("apps", "Deployment"),
        ("apps", "StatefulSet"),
        ("apps", "DaemonSet"),
        ("", "Pod"),
        ("", "ServiceAccount"),
        ("rbac.authorization.k8s.io", "Role"),
        ("rbac.authorization.k8s.io", "RoleBinding"),
        ("rbac.authorization.k8s.io", "ClusterRole"),
        ("rbac.authorization.k8s.io", "ClusterRoleBinding"),
    ];
    Layer::of(other) == Layer::Custom && RUNS.contains(&(live.group(), live.kind()))
}

impl Deletions<'_> {
    /// True where any deletion is done rather than held.
    pub(crate) fn any_done(&self) -> bool {
        let mut done = self.steps.iter().filter(|deletion| deletion.held.is_none());
        done.any(|deletion| !deletion.has_begun())
    }
}

impl Deletion<'_> {
    /// True where it only has to come to its end.
    fn has_begun(&self) -> bool {
        self.candidate.live.is_deleting()
    }
}

/// Gives every deletion its place: the highest wave first; within it custom resources before what makes them work, that before
/// its rights and settings, then definitions and namespaces, each in the reverse order of kinds and names; and those that go
/// last after every other wave. Those that wait for a person keep the place that they would have. What is on its way out already
/// is in the plan only as long as something comes after it.
pub(crate) fn place(
    mut deletions: Vec<Deletion<'_>>,
    applied_waves: &[i32],
) -> (Vec<Step>, Vec<HeldDeletion>) {
    if deletions.iter().any(Deletion::has_begun) {
        let wave_of = waves(&deletions, applied_waves);
        let place = |deletion: &Deletion<'_>| (wave_of(deletion), Reverse(layer(deletion)));
        let still_to_do = |deletion: &&Deletion<'_>| deletion.held.is_none() && !deletion.has_begun();
        let last = deletions.iter().filter(still_to_do).map(place).max();
        deletions.retain(|deletion| !deletion.has_begun() || Some(place(deletion)) < last);
    }
    let wave_of = waves(&deletions, applied_waves);
    let mut placed: Vec<(i32, Deletion<'_>)> = deletions
        .into_iter()
        .map(|deletion| (wave_of(&deletion), deletion))
        .collect();
    placed.sort_by_cached_key(|(wave, deletion)| {
        let object = deletion.candidate.live.reference();
        (
            *wave,
            Reverse((Layer::of(&object), order::kind_rank(&object))),
            Reverse((object.name, object.namespace, object.group, object.kind)),
        )
    });
    let steps = placed.into_iter().map(|(wave, deletion)| step(wave, deletion));
    let (held, done): (Vec<_>, Vec<_>) = steps.partition(|(_, held)| held.is_some());
    let held = held.into_iter().filter_map(|(step, held)| {
        let (reason, decided_by) = held?;
        Some(HeldDeletion {
            step,
            reason,
            decided_by,
        })
    });
    (done.into_iter().map(|(step, _)| step).collect(), held.collect())
}

fn layer(deletion: &Deletion<'_>) -> Layer {
    Layer::of(&deletion.candidate.live.reference())
}

/// In which wave of the plan each is deleted.
fn waves(deletions: &[Deletion<'_>], applied_waves: &[i32]) -> impl Fn(&Deletion<'_>) -> i32 + use<> {
    let waves: BTreeSet<i32> = deletions
        .iter()
        .filter(|d| !d.candidate.sync.prune_last)
        .map(|d| d.candidate.sync.wave)
        .collect();
    let mirrored: BTreeMap<i32, i32> = waves.iter().copied().zip(waves.iter().rev().copied()).collect();
    let last = applied_waves
        .iter()
        .chain(&waves)
        .max()
        .map_or(0, |wave| wave.saturating_add(1));
    move |deletion| match deletion.candidate.sync.prune_last {
        true => last,
        false => mirrored
            .get(&deletion.candidate.sync.wave)
            .copied()
            .unwrap_or_default(),
    }
}

/// The step, and why it waits and because of whom.
fn step(wave: i32, deletion: Deletion<'_>) -> (Step, Option<(String, Option<String>)>) {
    let begun = deletion.has_begun();
    let Deletion { candidate, held } = deletion;
    let live = &candidate.live;
    // Something else may write to an object while it waits for a person, which must not void the approval, or while it goes;
    // an object that is deleted at once must still be the very one that the policies saw.
    let resource_version = match held.is_none() && !begun {
        true => live.metadata("resourceVersion").map(str::to_owned),
        false => None,
    };
    let step = Step {
        phase: Phase::Sync,
        wave,
        object: live.reference(),
        action: Action::Delete {
            propagation: candidate.prune.propagation,
            begun,
        },
        origin: None,
        changes: Vec::new(),
        precondition: live.metadata("uid").map(|uid| Precondition {
            uid: uid.to_owned(),
            resource_version,
        }),
        rests_on: Vec::new(),
    };
    let held = held.map(|held| (held.reason.into_owned(), held.decided_by.cloned()));
    (step, held)
}

/// Everything that Git has, also what no policy wants applied.
struct Desired<'a> {
    /// Under every name that it will have in the cluster.
    keys: BTreeSet<ObjectKey>,
    /// The identities of what the cluster has of it: only what Git has under no key is looked up there.
    uids: LazyCell<BTreeSet<&'a str>, Box<dyn FnOnce() -> BTreeSet<&'a str> + 'a>>,
    /// Hooks that have only `generateName`.
    generated: Vec<&'a Object>,
}

impl<'a> Desired<'a> {
    fn of(input: &'a PlanInput) -> Self {
        let names = HookNames::of(input.desired.iter().map(|desired| &desired.manifest));
        let mut keys = BTreeSet::new();
        for desired in &input.desired {
            let object = &desired.manifest.object;
            keys.insert(object.key());
            if object.name().is_empty() {
                let phases = desired.decision.phases.iter();
                keys.extend(
                    phases
                        .filter(|phase| runs(input.occasion, **phase))
                        .map(|phase| names.named(&desired.manifest, &input.revision, *phase).key()),
                );
            }
        }
        let uids = || {
            let live = input.desired.iter().filter_map(|desired| desired.live.as_ref());
            live.filter_map(|live| live.metadata("uid")).collect()
        };
        let hooks = input.desired.iter().filter(|desired| desired.decision.hook);
        Self {
            keys,
            uids: LazyCell::new(Box::new(uids)),
            generated: hooks
                .map(|desired| &desired.manifest.object)
                .filter(|hook| hook.name().is_empty())
                .collect(),
        }
    }

    /// True where Git has the object, under this key or, as the server has some in two API groups, under another one. What is
    /// left of the earlier runs of a hook is that hook's: each revision leaves one.
    fn has(&self, key: &ObjectKey, candidate: &PruneCandidate) -> bool {
        let live = &candidate.live;
        let same = || live.metadata("uid").is_some_and(|uid| self.uids.contains(uid));
        let is_run = || candidate.sync.hook && self.generated.iter().any(|hook| is_run_of(live, hook));
        self.keys.contains(key) || same() || is_run()
    }
}

/// True where the revision has anything that makes up an application. Hooks alone do not.
fn has_parts(input: &PlanInput) -> bool {
    input
        .desired
        .iter()
        .any(|desired| !desired.decision.ignored && !desired.decision.hook)
}
