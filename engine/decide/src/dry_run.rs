//! What comparing cannot settle, asked of the server: a dry-run, once for each desired and live state.
//!
//! Some things only the server knows: which fields of a custom resource are defaults, where it keeps a list or map as one
//! value; what a webhook or a schema makes of a value that we gave; whether it takes a change to an object that exists at all, and
//! beside what is there; what becomes of a field that Git dropped. Everything else is compared here, without a request.

mod inquiry;

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use sluice_compare::Certainty;
use sluice_model::decision::Strategy;
use sluice_model::difference::{Difference, FieldChange};
use sluice_model::manager::{self, Tree};
use sluice_model::object::Object;

use crate::Compared;

pub use inquiry::{DryRun, Refusal, ask};

/// By the object's uid: what it was asked for, and the answer.
pub type Answers = BTreeMap<String, (u64, Answer)>;

/// What the server says.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// Whether it takes the change.
    pub verdict: Verdict,
    /// What has to be claimed in the record of managers, or the server would not take the change beside it.
    pub claim: Tree,
    /// Empty values that are not sent: a controller has filled them in, and the server does not take that back.
    pub unsent: Vec<String>,
    /// Fields of which the server makes what is there already: a zero, an empty value or a null by its default.
    pub settled: Vec<String>,
    /// Fields that Git dropped and that the server keeps.
    pub stays: Vec<String>,
    /// True where Git dropped fields that may have a default.
    pub drops: bool,
    /// Another applier's field beside which the server does not take the change.
    pub beside: Option<String>,
}

/// Whether the server takes a change.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// It does, and these fields would change.
    Changes(Vec<FieldChange>),
    /// It does once the record is as it is to be; these fields would change, as comparing has them.
    Settled(Vec<FieldChange>),
    /// It would not: a field cannot be changed once the object is there.
    Immutable,
    /// It refuses for another reason, which `apply` will hear too.
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

/// What comparing is not sure of, among the objects of one application.
#[derive(Debug)]
pub struct Doubts {
    /// True where the revision was synced before.
    synced: bool,
    known: Answers,
    open: Vec<Doubt>,
}

/// A question about one object that is not answered yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doubt {
    /// Which of the objects it is about.
    pub index: usize,
    uid: String,
    stamp: u64,
}

impl Doubts {
    /// What comparing is not sure of. What was answered before, about the same desired and live state, is answered still.
    pub fn of(objects: &[Compared], synced: bool, before: &Answers) -> Self {
        let (mut known, mut open) = (Answers::new(), Vec::new());
        for (index, object) in objects.iter().enumerate() {
            if !is_doubtful(object, synced) {
                continue;
            }
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
                Some(_) | None => open.push(Doubt { index, uid, stamp }),
            }
        }
        Self { synced, known, open }
    }

    /// The questions that are to be asked now.
    pub fn open(&self) -> &[Doubt] {
        &self.open
    }

    /// Takes in what the server says.
    pub fn answer(&mut self, doubt: Doubt, answer: Answer) {
        self.known.insert(doubt.uid, (doubt.stamp, answer));
    }

    /// Changes the objects as the answers say. Returns the answers, for the next time; what has none stays as comparing has it.
    pub fn settle(self, objects: &mut [Compared]) -> Answers {
        for object in objects.iter_mut() {
            let uid = object.live.as_ref().and_then(|live| live.metadata("uid"));
            if let Some((_, answer)) = uid.and_then(|uid| self.known.get(uid)) {
                take_in(object, answer, self.synced);
            }
        }
        self.known
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
    if let Some(reason) = &answer.beside {
        object.decision.hold.get_or_insert_with(|| reason.clone());
    }
    if !answer.claim.is_empty() {
        manager::unite(&mut object.record.claim, &answer.claim);
    }
    if !answer.settled.is_empty() {
        let found = std::mem::replace(&mut object.difference, Difference::Same);
        object.difference = found.keeping(|change| !answer.settled.contains(&change.pointer));
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
