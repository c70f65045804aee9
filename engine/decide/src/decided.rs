//! Everything that was decided, and the plans that can be made of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

use sluice_model::census::Census;
use sluice_model::decision::Occasion;
use sluice_model::manifest::Manifest;
use sluice_model::object::{Object, ObjectKey};
use sluice_model::plan::{Action, Plan};
use sluice_model::secret::{Redactor, has_secrets};
use sluice_model::selection::Selector;
use sluice_plan::{DestinationNamespace, HookNames, Hooks, Options, PlanInput};

use crate::candidates::{candidates, owned};
use crate::policies::Policies;
use crate::{Compared, Intent, Live, Subject};

/// Everything that was decided about one application at one revision.
#[derive(Debug, Clone)]
pub struct Decided {
    /// What would be done.
    pub plan: Plan,
    /// Every desired object, in the order of the manifests.
    pub objects: Vec<Compared>,
    /// What the application owned before.
    pub members: Arc<BTreeMap<ObjectKey, Object>>,
    /// What the application owned when the first of the deletions that wait began to; none if none waits. A status keeps it for
    /// the next [`Subject`].
    pub owned_before: Option<Census>,
    /// What plans are made of, but for [`Self::objects`].
    rest: PlanInput,
    /// Keeps the values of Secrets out of the policies' words; made when there are any.
    redactor: OnceLock<Redactor>,
}

impl Decided {
    /// True where Git has nothing, the cluster something, and the spec does not say that this is meant.
    pub fn is_empty_by_mistake(&self) -> bool {
        let nothing = self.objects.is_empty()
            && self.rest.occasion == Occasion::Sync
            && !self.rest.options.allow_empty
            && !self.rest.candidates.is_empty();
        // Nothing but hooks is nothing too.
        let mut kept = self.plan.kept.iter();
        nothing || kept.any(|kept| kept.decided_by.is_none() && kept.reason == sluice_plan::EMPTY_REVISION)
    }

    /// What is sent for each object, Secret values included: for apply. Hooks are under the names that they get.
    pub fn manifests(&self) -> BTreeMap<ObjectKey, Object> {
        let (named, generated): (Vec<_>, Vec<_>) = self
            .objects
            .iter()
            .partition(|object| !object.desired.name().is_empty());
        let named = named
            .into_iter()
            .map(|object| (object.desired.key(), object.desired.clone()));
        let mut sent: BTreeMap<ObjectKey, Object> = named.collect();
        let written: Vec<Manifest> = generated.iter().map(|object| object.manifest()).collect();
        let names = HookNames::of(written.iter());
        for (object, manifest) in generated.into_iter().zip(&written) {
            let phases = object.decision.phases.iter();
            let runs = phases.map(|phase| names.named(manifest, &self.plan.revision, *phase));
            sent.extend(runs.map(|run| (run.key(), object.desired.clone())));
        }
        sent
    }

    /// The plan for less than [`Intent::whole`], from the same findings.
    pub fn plan_for(&self, prune: bool, hooks: Hooks) -> Plan {
        self.plan_of(prune, hooks, &[])
    }

    /// As [`Decided::plan_for`], for some objects alone; for all of them where none are named.
    pub fn plan_of(&self, prune: bool, hooks: Hooks, selection: &[Selector]) -> Plan {
        let whole = &self.rest.options;
        let has_hooks = self.objects.iter().any(|object| object.decision.hook);
        if selection.is_empty() && whole.prune == prune && (whole.hooks == hooks || !has_hooks) {
            return self.plan.clone();
        }
        let mut rest = self.rest.clone();
        rest.options.prune = prune;
        rest.options.hooks = hooks;
        rest.selection = selection.to_vec();
        make(&self.objects, rest, &self.redactor)
    }

    /// True where any object is meant, in Git or in the cluster.
    pub fn has(&self, selection: &[Selector]) -> bool {
        let desired = self.objects.iter().map(Compared::reference);
        let live = self.members.values().map(Object::reference);
        selection.is_empty()
            || desired
                .chain(live)
                .any(|object| Selector::any(selection, &object))
    }

    /// What will be the application's once a plan made of this is done, with what it holds where that is approved: what is
    /// desired, and what stays of what was.
    pub fn members_after<'a>(&'a self, plan: &Plan, approved: bool) -> impl Iterator<Item = &'a Object> {
        let desired = self
            .objects
            .iter()
            .filter(|object| !object.decision.skip && !object.decision.ignored)
            .map(|object| &object.desired);
        let held = plan.held.iter().map(|held| &held.step).filter(|_| approved);
        let deleted: BTreeSet<ObjectKey> = plan
            .steps
            .iter()
            .chain(held)
            .filter(|step| matches!(step.action, Action::Delete { .. }))
            .map(|step| step.object.key())
            .collect();
        let staying = self
            .members
            .iter()
            .filter(move |(key, _)| !deleted.contains(*key));
        desired.chain(staying.map(|(_, object)| object))
    }

    /// What [`Decided::plan`] was made of.
    pub fn input(&self) -> PlanInput {
        PlanInput {
            desired: self.objects.iter().map(Compared::for_plan).collect(),
            ..self.rest.clone()
        }
    }
}

/// Asks the policies about what Git no longer has, and plans. `namespace` is the destination namespace where the application
/// is to see to it.
pub fn decide(
    subject: &Subject,
    intent: &Intent,
    live: &Live,
    objects: Vec<Compared>,
    namespace: Option<DestinationNamespace>,
    policies: &mut impl Policies,
) -> Decided {
    let candidates = candidates(subject, intent, live, &objects, policies);
    let rest = PlanInput {
        application: subject.key.clone(),
        revision: intent.revision.clone(),
        destination_namespace: subject.destination.clone(),
        policies: policies.digests(),
        occasion: intent.occasion,
        desired: Vec::new(),
        candidates,
        namespace,
        selection: intent.selection.clone(),
        options: Options {
            prune: intent.prune,
            allow_empty: subject.allow_empty,
            hooks: intent.hooks,
        },
    };
    let redactor = OnceLock::new();
    let plan = make(&objects, rest.clone(), &redactor);
    let is_waiting = !plan.held.is_empty();
    let owned_before = is_waiting.then(|| subject.owned_before.clone().unwrap_or_else(|| owned(live)));
    Decided {
        plan,
        redactor,
        owned_before,
        objects,
        rest,
        members: Arc::clone(&live.members),
    }
}

fn make(objects: &[Compared], rest: PlanInput, redactor: &OnceLock<Redactor>) -> Plan {
    let mut plan = sluice_plan::plan(PlanInput {
        desired: objects.iter().map(Compared::for_plan).collect(),
        ..rest
    });
    // A policy sees no Secret, but it may quote another object that has a value of one.
    for reason in plan.reasons_mut().filter(|reason| !reason.is_empty()) {
        redactor.get_or_init(|| hiding(objects)).redact(reason);
    }
    plan
}

/// Knows the values of the Secrets among the objects, as they are and as they should be.
fn hiding(objects: &[Compared]) -> Redactor {
    let states = || objects.iter().flat_map(Compared::states);
    match states().any(has_secrets) {
        true => Redactor::of(states()),
        false => Redactor::default(),
    }
}
