//! The whole plan as a server-side dry-run: schema, admission, quota, conflicts and rights, all answers at once, before the
//! first write.
//!
//! The server answers for the world before the plan. A refusal that rests on something that the plan creates, changes or deletes
//! ([`rests`]) is no answer yet: that object is rehearsed again when it is done. Every other refusal is final.

use std::collections::{BTreeMap, BTreeSet};

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use sluice_cluster::{ClusterError, Kind, Reply, Target};
use sluice_model::ObjectRef;
use sluice_model::decision::{Phase, Strategy};
use sluice_model::object::Object;
use sluice_model::plan::{Action, Step};

use crate::error::{ApplyError, Refusal};
use crate::grounds::{self, Ground};
use crate::rests::{self, Gates};
use crate::step::{self, Ready, Tried};
use crate::{Options, gates, retry};

/// What the rehearsal found out about one step.
#[derive(Debug)]
pub(crate) enum Found {
    /// It will be created.
    New,
    /// The object is there, at this version.
    Exists(String),
    /// The object is there and makes room for a new one.
    Anew,
    /// It could not be rehearsed, or need not be.
    Unknown,
    /// It was refused, and that may change with the plan.
    Later(Later),
}

/// A refusal that is no answer yet.
#[derive(Debug)]
pub(crate) struct Later {
    /// The steps that it rests on.
    pub(crate) on: BTreeSet<usize>,
    /// What the server says now.
    pub(crate) refusal: Box<Refusal>,
}

/// The rehearsal of one plan, and what was learned by it.
pub(crate) struct Rehearsal<'r> {
    cluster: &'r Target,
    pub(crate) steps: &'r [Ready<'r>],
    concurrency: usize,
    pub(crate) gates: Gates,
    /// Who answers for each refusal that stands, by the index of the step.
    answering: BTreeMap<usize, BTreeSet<String>>,
    /// Steps for objects that the account was not allowed to look at when the plan was made: they may be there.
    unseen: BTreeSet<usize>,
}

/// What came of rehearsing some steps.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    /// By the index of the step.
    pub(crate) found: Vec<(usize, Found)>,
    /// Refusals that rest on nothing of the plan.
    pub(crate) refusals: Vec<Refusal>,
    /// Objects that are not as they were when the plan was made, and how.
    pub(crate) moved: Vec<String>,
}

impl<'r> Rehearsal<'r> {
    pub(crate) fn new(cluster: &'r Target, steps: &'r [Ready<'r>], options: &Options) -> Self {
        Self {
            cluster,
            steps,
            concurrency: options.concurrency.max(1),
            gates: Gates::default(),
            answering: BTreeMap::new(),
            unseen: BTreeSet::new(),
        }
    }

    /// Rehearses every step, before anything is written.
    pub(crate) async fn all(&mut self) -> Result<Vec<Found>, ApplyError> {
        let mut answers = self.some((0..self.steps.len()).collect(), true).await;
        let hopeless = self.hopeless(&answers.found);
        let (stays, refused): (Vec<_>, Vec<_>) = answers
            .found
            .into_iter()
            .partition(|(index, _)| !hopeless.contains(index));
        let refused = refused.into_iter().filter_map(|(_, found)| match found {
            Found::Later(later) => Some(*later.refusal),
            _ => None,
        });
        answers.refusals.extend(refused);
        match (answers.moved.is_empty(), answers.refusals.is_empty()) {
            (false, _) => Err(ApplyError::MovedOn {
                objects: answers.moved,
            }),
            (true, false) => Err(ApplyError::Refused {
                refusals: answers.refusals,
            }),
            (true, true) => Ok(stays.into_iter().map(|(_, found)| found).collect()),
        }
    }

    /// Rehearses some of the steps. Where something of the plan was written already, an object may have appeared with it.
    pub(crate) async fn some(&mut self, indices: Vec<usize>, first: bool) -> Answers {
        let (cluster, steps) = (self.cluster, self.steps);
        let (mut next, mut results) = (indices.iter(), Vec::with_capacity(indices.len()));
        let mut under_way = FuturesUnordered::new();
        loop {
            // Each is made when its turn comes: a plan may have many thousands of steps.
            let room = self.concurrency.saturating_sub(under_way.len());
            for &index in next.by_ref().take(room) {
                let Some(ready) = steps.get(index) else {
                    continue;
                };
                let is_new = first || self.unseen.contains(&index);
                under_way.push(async move { (index, ready, try_one(cluster, ready, is_new).await) });
            }
            let Some(result) = under_way.next().await else {
                break;
            };
            results.push(result);
        }
        results.sort_by_key(|(index, _, _)| *index);
        let (mut answers, mut refused) = (Answers::default(), Vec::new());
        for (index, ready, result) in results {
            self.answering.remove(&index);
            match result {
                Ok(found) => answers.found.push((index, found)),
                Err(Trouble::Moved(how)) => answers.moved.push(how),
                Err(Trouble::Refused(error)) => refused.push((index, ready, grounds::of(&error), error)),
            }
        }
        if refused.is_empty() {
            return answers;
        }
        let named: Vec<(&ObjectRef, &[Ground])> = refused
            .iter()
            .map(|(_, ready, grounds, _)| (&ready.step.object, grounds.as_slice()))
            .collect();
        gates::learn(cluster, steps, &named, &mut self.gates).await;
        for (index, ready, grounds, _) in &refused {
            self.answering
                .insert(*index, answering(grounds, &ready.step.object));
            if grounds.iter().any(|ground| matches!(ground, Ground::Right(_))) {
                self.unseen.insert(*index);
            }
        }
        for (index, ready, grounds, error) in refused {
            let on = self.rests_on(index, &grounds, &error);
            let refusal = Refusal::new(ready.step.object.clone(), ready.step.origin.clone(), &error);
            match on.is_empty() {
                true if skips_missing_kind(ready.step)
                    && matches!(error, ClusterError::UnknownKind { .. }) =>
                {
                    answers.found.push((index, Found::Unknown));
                }
                true => answers.refusals.push(refusal),
                false => answers.found.push((
                    index,
                    Found::Later(Later {
                        on,
                        refusal: Box::new(refusal),
                    }),
                )),
            }
        }
        answers.found.sort_by_key(|(index, _)| *index);
        answers
    }

    /// What comes in time: in its own wave or before, or what may be done before its turn.
    fn rests_on(&self, index: usize, grounds: &[Ground], error: &ClusterError) -> BTreeSet<usize> {
        let place = |at: usize| {
            self.steps
                .get(at)
                .map(|ready| (ready.step.phase, ready.step.wave))
        };
        let comes = |at: &usize| {
            let in_time = *at < index || place(*at) == place(index);
            // What comes after the sync is for what was synced.
            let is_afterwards = |step: &Step| {
                let applies = matches!(step.action, Action::Apply { .. });
                applies && step.phase > Phase::Sync && Some(step.phase) > place(index).map(|(phase, _)| phase)
            };
            in_time
                || self
                    .steps
                    .get(*at)
                    .is_some_and(|ready| rests::is_movable(ready.step) && !is_afterwards(ready.step))
        };
        // What the same webhook holds up cannot be what mends it.
        let mine = self.answering.get(&index);
        let is_held_up = |at: &usize| {
            mine.zip(self.answering.get(at))
                .is_some_and(|(mine, others)| !mine.is_disjoint(others))
        };
        let mut on = rests::on(self.steps, index, grounds, &error.to_string(), &self.gates);
        on.retain(|at| comes(at) && !is_held_up(at));
        on
    }

    /// Those that rest on one another only.
    fn hopeless(&self, found: &[(usize, Found)]) -> BTreeSet<usize> {
        let mut open: Vec<(usize, &BTreeSet<usize>)> = found
            .iter()
            .filter_map(|(index, found)| match found {
                Found::Later(later) => Some((*index, &later.on)),
                _ => None,
            })
            .collect();
        loop {
            let waiting: BTreeSet<usize> = open.iter().map(|(index, _)| *index).collect();
            let before = open.len();
            open.retain(|(_, on)| on.is_subset(&waiting));
            if open.len() == before {
                return waiting;
            }
        }
    }
}

/// The programs that a refusal comes from, or that do not answer.
fn answering(grounds: &[Ground], object: &ObjectRef) -> BTreeSet<String> {
    let one = |ground: &Ground| match ground {
        Ground::Webhook { name, .. } => Some(format!("webhook {name}")),
        Ground::Conversion(service) => Some(format!("conversion {service:?}")),
        Ground::Api => Some(format!("API {}/{}", object.group, object.version)),
        _ => None,
    };
    grounds.iter().filter_map(one).collect()
}

enum Trouble {
    Moved(String),
    Refused(ClusterError),
}

async fn try_one(cluster: &Target, ready: &Ready<'_>, first: bool) -> Result<Found, Trouble> {
    let step = ready.step;
    let kind: Kind = match retry::safely(cluster, || cluster.kind_of(&step.object)).await {
        Ok(kind) => kind,
        Err(error) => return Err(Trouble::Refused(error)),
    };
    match step::rehearse(cluster, &kind, ready).await {
        Ok(Tried::Nothing) => Ok(Found::Unknown),
        Ok(Tried::Anew) => Ok(Found::Anew),
        Ok(Tried::Answer(reply)) => judge(step, reply, first),
        Err(ClusterError::Modified { message, .. }) => {
            Err(Trouble::Moved(format!("{}: {message}", step.object)))
        }
        Err(error) if may_pass(step, &error) => Ok(Found::Unknown),
        Err(error) => Err(Trouble::Refused(error)),
    }
}

fn judge(step: &Step, reply: Reply, first: bool) -> Result<Found, Trouble> {
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
    if first && step.precondition.is_none() && !delete_first && *strategy != Strategy::CreateOnly {
        return Err(Trouble::Moved(format!("{} exists by now", step.object)));
    }
    let version = Object::new(reply.value)
        .ok()
        .and_then(|object| object.metadata("resourceVersion").map(str::to_owned));
    Ok(version.map_or(Found::Unknown, Found::Exists))
}

/// True where the refusal is one of the rehearsal only.
fn may_pass(step: &Step, error: &ClusterError) -> bool {
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
        _ if replaced && error.is_immutable() => true,
        ClusterError::Conflict { .. } => merged,
        error => error.is_without_dry_run(),
    }
}

fn skips_missing_kind(step: &Step) -> bool {
    matches!(&step.action, Action::Apply { options, .. } if options.skip_dry_run_on_missing_kind)
}
