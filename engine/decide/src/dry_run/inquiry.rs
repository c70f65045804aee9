//! The questions about one object, and what the answers mean.

use std::future::Future;

use serde_json::{Map, Value};
use sluice_compare::{Leftovers, Question};
use sluice_model::applyset::PART_OF_LABEL;
use sluice_model::difference::FieldChange;
use sluice_model::object::Object;

use super::{Answer, Verdict};
use crate::Compared;

/// The beginning of the name of an object that is never made: what the server makes of a manifest where nothing is there.
const TRIAL: &str = "sluice-trial-";

/// The API server, asked what it would make of a change to one object. Nothing is stored. Objects come back as live ones are known.
pub trait DryRun {
    /// What applying would make of it, other managers' fields taken over. `strict`: unknown fields are refused.
    fn apply(&self, desired: &Object, strict: bool) -> impl Future<Output = Result<Object, Refusal>> + Send;

    /// What would be made of an object that is not there.
    fn create(&self, object: &Object, strict: bool) -> impl Future<Output = Result<Object, Refusal>> + Send;

    /// What a JSON merge patch would make of the live object.
    fn patch(&self, patch: &Value, strict: bool) -> impl Future<Output = Result<Object, Refusal>> + Send;
}

/// Why the server would not, as far as that matters.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Refusal {
    /// It does not answer now, or the object has changed meanwhile: it is asked again.
    pub later: bool,
    /// A field cannot be changed once the object is there.
    pub immutable: bool,
    /// The fields that it finds invalid; none where it refuses for another reason.
    pub invalid: Option<Vec<String>>,
    /// Our entry of the record of managers stands in the way: it is written at a version of the kind that lacks a field.
    pub recorded_version: bool,
}

/// Asks everything about one object. None where the server does not answer: that is asked again. `set` is the id that the
/// application's objects carry.
pub async fn ask(server: &impl DryRun, object: &Compared, set: &str) -> Option<Answer> {
    let live = object.live.as_ref()?;
    let question = sluice_compare::question(&object.desired, live, &object.ignored, &object.predecessors);
    let inquiry = Inquiry {
        server,
        object,
        live,
        set,
        strict: object.decision.validate,
    };
    let answer = match question.drops() {
        true => inquiry.adopt(&question).await,
        false => inquiry.change(&question).await,
    };
    match answer {
        Ok(answer) => Some(answer),
        Err(refusal) if refusal.later => None,
        Err(refusal) if refusal.immutable => Some(Verdict::Immutable.into()),
        Err(_) => Some(Verdict::Refused.into()),
    }
}

/// One object, and whom to ask about it.
struct Inquiry<'a, S> {
    server: &'a S,
    object: &'a Compared,
    live: &'a Object,
    set: &'a str,
    strict: bool,
}

impl<S: DryRun> Inquiry<'_, S> {
    /// What goes of an earlier deployer's fields: all of its record is tried without, and the server fills in its defaults.
    async fn adopt(&self, question: &Question<'_>) -> Result<Answer, Refusal> {
        let nothing = Leftovers::default();
        let answer = self.trial(question, &nothing).await?;
        Ok(Verdict::Settled(question.answered(&nothing, &answer)).into())
    }

    /// What an apply would change.
    async fn change(&self, question: &Question<'_>) -> Result<Answer, Refusal> {
        let answer = match self.apply(&self.object.desired).await {
            Ok(answer) => answer,
            Err(refusal) if refusal.later => return Err(refusal),
            Err(refusal) => return self.refused(question, refusal).await,
        };
        let same = |pointer: &&str| {
            let value = sluice_compare::at(&answer, pointer);
            value.is_some() && value == sluice_compare::at(self.live, pointer)
        };
        let kept: Vec<String> = question.may_stay().filter(same).map(str::to_owned).collect();
        let stays = self.no_defaults(kept).await?;
        let settled = question.may_settle().filter(same).map(str::to_owned);
        Ok(Answer {
            drops: question.gives_up(),
            settled: settled.filter(|pointer| !stays.contains(pointer)).collect(),
            stays,
            ..Verdict::Changes(self.against(&answer)).into()
        })
    }

    /// Of fields that the server keeps although Git dropped them: those that an object would not have that is made anew.
    async fn no_defaults(&self, mut kept: Vec<String>) -> Result<Vec<String>, Refusal> {
        kept.retain(|pointer| !sluice_compare::is_allocated(self.live, pointer));
        if kept.is_empty() {
            return Ok(kept);
        }
        let anew = self.object.desired.edit(|map| {
            if let Some(Value::Object(metadata)) = map.get_mut("metadata") {
                metadata.remove("name");
                metadata.insert("generateName".to_owned(), TRIAL.into());
            }
        });
        match self.server.create(&anew, self.strict).await {
            Ok(anew) => {
                kept.retain(|pointer| {
                    sluice_compare::at(&anew, pointer) != sluice_compare::at(self.live, pointer)
                });
                Ok(kept)
            }
            Err(refusal) if refusal.later => Err(refusal),
            // It cannot be known, and most of what stays is a default.
            Err(_) => Ok(Vec::new()),
        }
    }

    /// Whether the server takes the change without what stands in its way and no manager wants.
    async fn refused(&self, question: &Question<'_>, refusal: Refusal) -> Result<Answer, Refusal> {
        if !question.filled_in().is_empty() {
            let less = sluice_compare::leaving_out(&self.object.desired, question.filled_in());
            if let Ok(answer) = self.apply(&less).await {
                return Ok(Answer {
                    unsent: question.filled_in().to_vec(),
                    ..Verdict::Changes(self.against(&answer)).into()
                });
            }
        }
        let Some(fields) = &refusal.invalid else {
            return Err(refusal);
        };
        let mut tries = question.leftovers(fields);
        if tries.is_empty() && (refusal.recorded_version || self.claims()) {
            tries.push(Leftovers::default());
        }
        for leftovers in tries {
            match self.trial(question, &leftovers).await {
                Ok(answer) => {
                    return Ok(Answer {
                        claim: leftovers.claim(self.live, &answer),
                        ..Verdict::Settled(question.answered(&leftovers, &answer)).into()
                    });
                }
                Err(refusal) if refusal.later => return Err(refusal),
                Err(_) => {}
            }
        }
        match question.of_others(fields) {
            Some((pointer, manager)) => Ok(Answer {
                beside: Some(format!(
                    "the API server does not take the change beside `{pointer}`, which belongs to {manager}: it has to drop the field, or Git has to have it"
                )),
                ..Verdict::Refused.into()
            }),
            None => Err(refusal),
        }
    }

    /// True where entries of lists give way.
    fn claims(&self) -> bool {
        !self.object.record.claim.is_empty()
    }

    async fn apply(&self, desired: &Object) -> Result<Object, Refusal> {
        let desired = desired.edit(|map| {
            let metadata = map.entry("metadata").or_insert_with(|| Value::Object(Map::new()));
            self.mark(metadata);
        });
        self.server.apply(&desired, self.strict).await
    }

    async fn trial(&self, question: &Question<'_>, without: &Leftovers) -> Result<Object, Refusal> {
        let mut patch = question.trial(without);
        self.mark(&mut patch["metadata"]);
        self.server.patch(&patch, self.strict).await
    }

    /// The application's label, and whose change it is: of the object that was looked at, not of one that has its name by now.
    fn mark(&self, metadata: &mut Value) {
        metadata["labels"][PART_OF_LABEL] = self.set.into();
        metadata["uid"] = self.live.metadata("uid").into();
    }

    fn against(&self, answer: &Object) -> Vec<FieldChange> {
        let label = format!("/metadata/labels/{}", PART_OF_LABEL.replace('/', "~1"));
        let mut changes = sluice_compare::against(self.live, answer);
        // Whether it carries the label is looked at elsewhere.
        changes.retain(|change| change.pointer != label);
        changes
    }
}
