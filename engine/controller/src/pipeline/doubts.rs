//! What comparing cannot settle, asked of the server: a dry-run, once for each desired and live state.
//!
//! Some things only the server knows: which fields of a custom resource are defaults, where it keeps a list or map as one
//! value; what a webhook or a schema makes of a value that we gave; whether it takes a change to an object that exists at all, and
//! beside what is there; what becomes of a field that Git dropped. Everything else is compared here, without a request.

mod inquiry;

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use futures::StreamExt as _;
use sluice_compare::Certainty;
use sluice_model::decision::Strategy;
use sluice_model::difference::{Difference, FieldChange};
use sluice_model::manager::{self, Tree};
use sluice_model::object::Object;

use crate::error::PipelineError;
use crate::pipeline::{Compared, Intent, Job, Pipeline};

/// So many questions at once.
const PARALLEL: usize = 24;

/// By the object's uid: what it was asked for, and the answer.
pub(crate) type Answers = BTreeMap<String, (u64, Answer)>;

/// What the server says.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Answer {
    pub(super) verdict: Verdict,
    /// What has to be claimed in the record of managers, or the server would not take the change beside it.
    pub(super) claim: Tree,
    /// Empty values that are not sent: a controller has filled them in, and the server does not take that back.
    pub(super) unsent: Vec<String>,
    /// Fields of which the server makes what is there already: a zero, an empty value or a null by its default.
    pub(super) settled: Vec<String>,
    /// Fields that Git dropped and that the server keeps.
    pub(super) stays: Vec<String>,
    /// True where Git dropped fields that may have a default.
    pub(super) drops: bool,
    /// Another applier's field beside which the server does not take the change.
    pub(super) beside: Option<String>,
}

/// Whether the server takes a change.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Verdict {
    /// It does, and these fields would change.
    Changes(Vec<FieldChange>),
    /// It does once the record is as it is to be; these fields would change, as comparing has them.
    Settled(Vec<FieldChange>),
    /// It would not: a field cannot be changed once the object is there.
    Immutable,
    /// It refuses for another reason, which whoever applies will hear too.
    Refused,
}

impl From<Verdict> for Answer {
    fn from(verdict: Verdict) -> Self {
        Self {
            verdict,
            claim: Tree::new(),
            unsent: Vec::new(),
            settled: Vec::new(),
            stays: Vec::new(),
            drops: false,
            beside: None,
        }
    }
}

impl Pipeline {
    /// Asks the server about every object that comparing is not sure of. False where it did not answer everything.
    pub(crate) async fn settle_doubts(
        &self,
        job: &Job,
        intent: &Intent,
        objects: &mut [Compared],
    ) -> Result<bool, PipelineError> {
        let synced = job.synced.as_deref() == Some(&intent.revision);
        let before = self.answers.take(&job.key).unwrap_or_default();
        let cluster = self
            .cluster_of(job)?
            .hiding(objects.iter().flat_map(Compared::states));
        let (mut known, mut questions) = (Answers::new(), Vec::new());
        for (index, object) in objects
            .iter()
            .enumerate()
            .filter(|(_, object)| is_doubtful(object, synced))
        {
            let Some((uid, live)) = object
                .live
                .as_ref()
                .and_then(|live| Some((live.metadata("uid")?.to_owned(), live)))
            else {
                continue;
            };
            let stamp = stamp(&object.desired, live);
            match before.get(&uid) {
                Some((asked, answer)) if *asked == stamp => drop(known.insert(uid, (stamp, answer.clone()))),
                Some(_) | None => questions.push((index, uid, stamp)),
            }
        }
        let asked: Vec<_> = questions
            .into_iter()
            .map(|(index, uid, stamp)| {
                let object = objects.get(index).cloned();
                let (cluster, set) = (&cluster, job.applyset());
                async move {
                    let answer = inquiry::ask(cluster, object?, &set).await?;
                    Some((uid, (stamp, answer)))
                }
            })
            .collect();
        let answers: Vec<_> = futures::stream::iter(asked)
            .buffer_unordered(PARALLEL)
            .collect()
            .await;
        let settled = answers.iter().all(Option::is_some);
        known.extend(answers.into_iter().flatten());
        for object in objects.iter_mut() {
            let uid = object.live.as_ref().and_then(|live| live.metadata("uid"));
            if let Some((_, answer)) = uid.and_then(|uid| known.get(uid)) {
                take_in(object, answer, synced);
            }
        }
        if !known.is_empty() {
            self.answers.put(&job.key, known);
        }
        Ok(settled)
    }
}

/// Where Git has just changed, a difference needs no explanation; once that revision was synced, it does.
fn is_doubtful(object: &Compared, synced: bool) -> bool {
    let differs = matches!(object.difference, Difference::Changed(_) | Difference::Unowned(_));
    object.is_lasting()
        && object.decision.strategy.applies()
        && (object.decision.strategy == Strategy::Recreate && differs
            || match object.certainty {
                Certainty::Sure => synced && matches!(object.difference, Difference::Changed(_)),
                Certainty::DefaultAssumed | Certainty::ServerDecides => true,
            })
}

fn stamp(desired: &Object, live: &Object) -> u64 {
    let mut hasher = DefaultHasher::new();
    sluice_compare::stamp(live).hash(&mut hasher);
    desired.value().to_string().hash(&mut hasher);
    hasher.finish()
}

fn take_in(object: &mut Compared, answer: &Answer, synced: bool) {
    let found = std::mem::replace(&mut object.difference, Difference::Same);
    object.difference = match (&answer.verdict, found) {
        (Verdict::Immutable, found) => {
            object.recreate = object.decision.strategy == Strategy::Recreate;
            found
        }
        (Verdict::Settled(changes), Difference::Unowned(_)) => Difference::Unowned(changes.clone()),
        (Verdict::Settled(changes), _) if changes.is_empty() => Difference::Same,
        (Verdict::Settled(changes), _) => Difference::Changed(changes.clone()),
        // What Git dropped and has a default all the same is still to be given up on record, once.
        (Verdict::Changes(changes), found @ Difference::Changed(_))
            if changes.is_empty() && (synced || !answer.drops) =>
        {
            found.keeping(|change| change.pointer == VERSION || answer.stays.contains(&change.pointer))
        }
        (Verdict::Changes(changes), Difference::Same) if !changes.is_empty() => {
            Difference::Changed(changes.clone())
        }
        // Where both see changes, ours say who else has the field.
        (Verdict::Changes(_) | Verdict::Refused, found) => found,
    };
    if let Verdict::Settled(changes) = &answer.verdict {
        object.desired = without_nulls(&object.desired, changes);
    }
    if !answer.settled.is_empty() {
        let found = std::mem::replace(&mut object.difference, Difference::Same);
        object.difference = found.keeping(|change| !answer.settled.contains(&change.pointer));
    }
    if let Some(reason) = &answer.beside {
        object.decision.hold.get_or_insert_with(|| reason.clone());
    }
    if !answer.claim.is_empty() {
        manager::unite(&mut object.record.claim, &answer.claim);
    }
    if !answer.unsent.is_empty() {
        object.desired = sluice_compare::leaving_out(&object.desired, &answer.unsent);
        let found = std::mem::replace(&mut object.difference, Difference::Same);
        object.difference = found.keeping(|change| !answer.unsent.contains(&change.pointer));
    }
    match (&object.live, answer.stays.is_empty()) {
        (Some(_), false) if makes_anew(object.decision.strategy) => object.recreate = true,
        (Some(live), false) => {
            object.desired = sluice_compare::keeping(&object.desired, live, &answer.stays);
            if let Difference::Changed(changes) = &mut object.difference {
                for change in changes {
                    change.stays = answer.stays.contains(&change.pointer);
                }
            }
        }
        (_, _) => {}
    }
}

/// A null beside which the field is kept, as server-side apply takes it, is not sent where the field is to go.
fn without_nulls(desired: &Object, changes: &[FieldChange]) -> Object {
    let nulls: Vec<String> = changes
        .iter()
        .map(|change| &change.pointer)
        .filter(|pointer| sluice_compare::at(desired, pointer).is_some_and(serde_json::Value::is_null))
        .cloned()
        .collect();
    sluice_compare::leaving_out(desired, &nulls)
}

fn makes_anew(strategy: Strategy) -> bool {
    matches!(strategy, Strategy::Recreate | Strategy::RecreateAlways)
}

/// The change that says at which version of its kind our entry of the record is.
const VERSION: &str = "/apiVersion";

#[cfg(test)]
mod tests;
