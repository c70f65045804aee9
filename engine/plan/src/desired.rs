//! From what Git has to applies: which objects are sent, when, and what stands in the way.

use serde_json::{Map, Value};
use sluice_model::applyset::PART_OF_LABEL;
use sluice_model::decision::{ApplyOptions, HookCleanup, Occasion, Phase, Strategy};
use sluice_model::difference::{Difference, FieldChange};
use sluice_model::manager::{Manager, Operation};
use sluice_model::manifest::Origin;
use sluice_model::object::Object;
use sluice_model::plan::{Action, Block, Precondition, Rerecord, Step};
use sluice_model::secret;

use crate::input::{DesiredObject, Hooks, PlanInput};
use crate::naming::HookNames;
use crate::order::{self, Placed};
use crate::runs;

/// What becomes of the desired objects.
pub(crate) struct Applies {
    /// In order.
    pub(crate) steps: Vec<Step>,
    pub(crate) blocked: Vec<Block>,
    pub(crate) unchanged: u32,
    /// The waves of the Sync phase, which deletions look at.
    pub(crate) waves: Vec<i32>,
}

/// An apply whose place in the order is still open.
struct Apply<'a> {
    object: Object,
    origin: Option<Origin>,
    phase: Phase,
    wave: i32,
    /// The hook's clean-up; none for what is a part of the application.
    hook: Option<&'a [HookCleanup]>,
    strategy: Strategy,
    force: bool,
    validate: bool,
    options: ApplyOptions,
    changes: Vec<FieldChange>,
    precondition: Option<Precondition>,
    take_over: Vec<Manager>,
    record: Rerecord,
    recreate: bool,
}

impl Placed for Apply<'_> {
    fn object(&self) -> &Object {
        &self.object
    }

    fn place(&self) -> (Phase, i32) {
        (self.phase, self.wave)
    }

    fn move_to(&mut self, phase: Phase, wave: i32) {
        (self.phase, self.wave) = (phase, wave);
    }
}

/// Decides about every desired object. `deletes` says whether the plan deletes anything.
pub(crate) fn decide(input: &PlanInput, set: &str, deletes: bool) -> Applies {
    let (mut parts, mut hooks, mut blocked, mut unchanged) = (Vec::new(), Vec::new(), Vec::new(), 0);
    let names = HookNames::of(input.desired.iter().map(|desired| &desired.manifest));
    for desired in input.desired.iter().filter(|desired| is_meant(desired, input)) {
        if let Some(reason) = &desired.decision.hold {
            let decided_by = desired.decision.decided_by.get("hold").cloned();
            blocked.push(block(desired, reason.clone(), decided_by));
        }
        let wanted = if desired.decision.hook {
            hook(desired, input, &names)
        } else {
            part(desired, input, set, &mut unchanged)
        };
        if wanted.is_empty() {
            continue;
        }
        if let Some(owner) = foreign_owner(desired, set) {
            let reason = format!("belongs to another application: it is a member of the set `{owner}`");
            blocked.push(block(desired, reason, None));
        }
        if desired.manifest.object.name().is_empty() && !desired.decision.hook {
            let reason =
                "has no name: only hooks may use `generateName`, since a part must be found again".to_owned();
            blocked.push(block(desired, reason, None));
            continue;
        }
        if desired.decision.hook {
            hooks.extend(wanted)
        } else {
            parts.extend(wanted)
        }
    }
    let run_hooks = match input.options.hooks {
        Hooks::Always => true,
        Hooks::Never => false,
        Hooks::WithChanges => deletes || !parts.is_empty(),
    };
    let mut applies = parts;
    if run_hooks {
        applies.extend(hooks);
    }
    applies.extend(namespace(input, &applies));
    order::sort(&mut applies, input.occasion);
    blocked.sort_by(|a, b| (&a.object, &a.reason).cmp(&(&b.object, &b.reason)));
    let waves = applies
        .iter()
        .filter(|apply| apply.phase == Phase::Sync)
        .map(|apply| apply.wave)
        .collect();
    Applies {
        steps: applies.into_iter().map(|apply| step(apply, set)).collect(),
        blocked,
        unchanged,
        waves,
    }
}

fn block(desired: &DesiredObject, reason: String, decided_by: Option<String>) -> Block {
    Block {
        object: Some(desired.manifest.object.reference()),
        reason,
        decided_by,
    }
}

/// True where the operation is about it. Hooks belong to the operation, whatever it is about.
fn is_meant(desired: &DesiredObject, input: &PlanInput) -> bool {
    let decision = &desired.decision;
    let runs = decision.hook && input.options.hooks != Hooks::Never;
    !decision.ignored && (runs || input.selects(&desired.manifest.object))
}

/// The id of the other application that owns the live object.
fn foreign_owner<'a>(desired: &'a DesiredObject, set: &str) -> Option<&'a str> {
    desired
        .live
        .as_ref()
        .filter(|_| !desired.released)?
        .label(PART_OF_LABEL)
        .filter(|owner| *owner != set)
}

/// The applies of a hook, one for each phase that it runs in.
fn hook<'a>(desired: &'a DesiredObject, input: &PlanInput, names: &HookNames) -> Vec<Apply<'a>> {
    let decision = &desired.decision;
    let mut phases: Vec<Phase> = decision.phases.clone();
    phases.sort_unstable();
    phases.dedup();
    phases.retain(|phase| !decision.skip && runs(input.occasion, *phase));
    let apply = |phase| Apply {
        object: names.named(&desired.manifest, &input.revision, phase),
        origin: Some(desired.manifest.origin.clone()),
        phase,
        wave: decision.wave,
        hook: Some(&decision.delete_policies),
        strategy: decision.strategy,
        force: decision.force,
        validate: decision.validate,
        options: decision.options.clone(),
        changes: Vec::new(),
        // It may be gone, or another one, by the time it runs: hooks are made anew.
        precondition: None,
        take_over: Vec::new(),
        record: Rerecord::default(),
        recreate: false,
    };
    phases.into_iter().map(apply).collect()
}

/// The apply of a part of the application, where one is needed.
fn part<'a>(desired: &'a DesiredObject, input: &PlanInput, set: &str, unchanged: &mut u32) -> Vec<Apply<'a>> {
    let decision = &desired.decision;
    let never = decision.skip || input.occasion == Occasion::ApplicationDeleted;
    if never || decision.phases.iter().all(|phase| *phase == Phase::Skip) {
        return Vec::new();
    }
    let changes = match (decision.strategy, &desired.difference, &desired.live) {
        (Strategy::LeaveAlone, _, _) => return Vec::new(),
        (Strategy::CreateOnly, _, Some(_)) => {
            *unchanged += 1;
            return Vec::new();
        }
        // As it should be, but without the label it would not be found again.
        (_, Difference::Same, Some(live)) if live.label(PART_OF_LABEL) != Some(set) => {
            vec![label_change(live, set)]
        }
        (_, Difference::Same, _) => {
            *unchanged += 1;
            return Vec::new();
        }
        (_, Difference::Missing, _) => Vec::new(),
        (_, Difference::Unowned(changes) | Difference::Changed(changes), _) => changes.clone(),
    };
    vec![Apply {
        object: desired.manifest.object.clone(),
        origin: Some(desired.manifest.origin.clone()),
        phase: decision
            .phases
            .iter()
            .copied()
            .filter(|phase| *phase != Phase::Skip)
            .min()
            .unwrap_or(Phase::Sync),
        wave: decision.wave,
        hook: None,
        strategy: decision.strategy,
        force: decision.force || takes_back(desired),
        validate: decision.validate,
        options: decision.options.clone(),
        changes,
        precondition: desired.live.as_ref().and_then(identity),
        take_over: desired.predecessors.clone(),
        record: desired.record.clone(),
        recreate: desired.recreate,
    }]
}

/// Whether fields that others have on record are taken from them without a policy that says so.
///
/// Of an object that is ours: yes from a manager that just wrote them (`kubectl edit`, `kubectl scale`, a script), since undoing that is
/// what a sync is for; no from one that applies them, and so declared that they are its own: that is a conflict for people. Of an object
/// that we are about to adopt: only from its earlier deployers and from people; what any other controller wrote may be why
/// the object works.
fn takes_back(desired: &DesiredObject) -> bool {
    let (changes, from): (_, fn(&DesiredObject, &Manager) -> bool) = match &desired.difference {
        Difference::Changed(changes) => (changes, |_, holder| holder.operation == Operation::Update),
        Difference::Unowned(changes) => (changes, |desired, holder| {
            desired.predecessors.contains(holder) || holder.is_by_hand()
        }),
        Difference::Same | Difference::Missing => return false,
    };
    let mut holders = changes
        .iter()
        .filter_map(|change| change.holder.as_ref())
        .peekable();
    desired.decision.strategy != Strategy::Merge
        && holders.peek().is_some()
        && holders.all(|holder| from(desired, holder))
}

fn label_change(live: &Object, set: &str) -> FieldChange {
    FieldChange {
        pointer: format!("/metadata/labels/{}", PART_OF_LABEL.replace('/', "~1")),
        live: live.label(PART_OF_LABEL).map(Into::into),
        desired: Some(set.into()),
        holder: None,
        stays: false,
    }
}

fn identity(live: &Object) -> Option<Precondition> {
    Some(Precondition {
        uid: live.metadata("uid")?.to_owned(),
        resource_version: None,
    })
}

/// The destination namespace, where it is missing and something is about to go there, or where its labels and annotations are to
/// change. It carries no label of ownership: whatever else lives in it must not go with the application.
fn namespace<'a>(input: &PlanInput, applies: &[Apply<'_>]) -> Option<Apply<'a>> {
    let namespace = input.namespace.as_ref()?;
    let name = namespace.desired.name();
    let given = input
        .desired
        .iter()
        .map(|desired| &desired.manifest.object)
        .any(|object| object.group().is_empty() && object.kind() == "Namespace" && object.name() == name);
    let needed = applies.iter().any(|apply| apply.object.namespace() == Some(name));
    let changes = match &namespace.difference {
        Difference::Missing if needed => Vec::new(),
        Difference::Unowned(changes) | Difference::Changed(changes) if !changes.is_empty() => changes.clone(),
        Difference::Missing | Difference::Unowned(_) | Difference::Changed(_) | Difference::Same => {
            return None;
        }
    };
    if given || input.occasion == Occasion::ApplicationDeleted {
        return None;
    }
    Some(Apply {
        object: namespace.desired.clone(),
        origin: None,
        phase: Phase::Sync,
        wave: applies.iter().map(|apply| apply.wave).min().unwrap_or_default(),
        hook: None,
        strategy: Strategy::ServerSideApply,
        force: false,
        validate: true,
        options: ApplyOptions::default(),
        changes,
        precondition: namespace.live.as_ref().and_then(identity),
        take_over: Vec::new(),
        record: Rerecord::default(),
        recreate: false,
    })
}

fn step(apply: Apply<'_>, set: &str) -> Step {
    let Apply {
        object,
        origin,
        phase,
        wave,
        hook,
        strategy,
        force,
        validate,
        options,
        changes,
        precondition,
        take_over,
        record,
        recreate,
    } = apply;
    let reference = object.reference();
    let ours = if origin.is_some() {
        with_label(&object, set)
    } else {
        object
    };
    let mut cleanup = hook.unwrap_or_default().to_vec();
    cleanup.sort_unstable();
    cleanup.dedup();
    let again = strategy == Strategy::RecreateAlways && precondition.is_some();
    let delete_first = again || recreate || cleanup.contains(&HookCleanup::BeforeHookCreation);
    let mut changes = changes;
    // Comparing masks already; a plan is shown to everybody, so it does not rely on that.
    secret::mask_changes(&mut changes, [&ours]);
    let manifest = secret::mask(&ours).into_shared();
    Step {
        phase,
        wave,
        object: reference,
        action: Action::Apply {
            manifest,
            strategy,
            force,
            validate,
            delete_first,
            take_over,
            record,
            cleanup,
            options,
        },
        origin,
        changes,
        precondition,
        rests_on: Vec::new(),
    }
}

fn with_label(object: &Object, set: &str) -> Object {
    object.edit(|map| {
        let mut metadata = taken(map, "metadata");
        let mut labels = taken(&mut metadata, "labels");
        labels.insert(PART_OF_LABEL.to_owned(), set.into());
        metadata.insert("labels".to_owned(), Value::Object(labels));
        map.insert("metadata".to_owned(), Value::Object(metadata));
    })
}

/// The map under a key, taken out; an empty one where there is none.
fn taken(map: &mut Map<String, Value>, key: &str) -> Map<String, Value> {
    match map.remove(key) {
        Some(Value::Object(map)) => map,
        Some(_) | None => Map::new(),
    }
}
