//! The questions about one object, and what the answers mean.

use serde_json::{Map, Value};
use sluice_cluster::{Cluster, ClusterError, Kind, Patch};
use sluice_compare::{Leftovers, Question};
use sluice_model::Coded as _;
use sluice_model::applyset::PART_OF_LABEL;
use sluice_model::object::Object;

use super::{Answer, Verdict};
use crate::pipeline::Compared;

/// The beginning of the name of an object that is never made: what the server makes of a manifest where nothing is there.
const TRIAL: &str = "sluice-trial-";

/// None where the server does not answer: that is asked again.
pub(super) async fn ask(cluster: &Cluster, object: Compared, set: &str) -> Option<Answer> {
    let live = object.live.as_ref()?;
    let question = sluice_compare::question(&object.desired, live, &object.ignored, &object.predecessors);
    let inquiry = Inquiry {
        kind: cluster.kind_of(&object.desired.reference()).await.ok()?,
        cluster,
        object: &object,
        live,
        set,
    };
    let answer = match question.drops() {
        true => inquiry.adopt(&question).await,
        false => inquiry.change(&question).await,
    };
    match answer {
        Ok(answer) => Some(answer),
        Err(error) if error.is_transient() || matches!(error, ClusterError::Modified { .. }) => None,
        Err(error) if error.is_immutable() => Some(Verdict::Immutable.into()),
        Err(error) => {
            // Without its words: of a Secret they may have values.
            let object = object.desired.reference();
            tracing::debug!(%object, code = error.code().id, "the server refuses a question");
            Some(Verdict::Refused.into())
        }
    }
}

/// One object, and whom to ask about it.
struct Inquiry<'a> {
    cluster: &'a Cluster,
    kind: Kind,
    object: &'a Compared,
    live: &'a Object,
    set: &'a str,
}

impl Inquiry<'_> {
    /// What goes of an earlier deployer's fields: all of its record is tried without, and the server fills in its defaults.
    async fn adopt(&self, question: &Question<'_>) -> Result<Answer, ClusterError> {
        let nothing = Leftovers::default();
        let answer = self.trial(question, &nothing).await?;
        Ok(Verdict::Settled(question.answered(&nothing, &answer)).into())
    }

    /// What an apply would change.
    async fn change(&self, question: &Question<'_>) -> Result<Answer, ClusterError> {
        let answer = match self.apply(&self.object.desired).await {
            Ok(answer) => answer,
            Err(error) if error.is_transient() => return Err(error),
            Err(error) => return self.refused(question, error).await,
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
    async fn no_defaults(&self, mut kept: Vec<String>) -> Result<Vec<String>, ClusterError> {
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
        match self.cluster.create(&self.kind, &anew, self.how()).await {
            Ok(reply) => {
                let anew = reply.object()?;
                kept.retain(|pointer| {
                    sluice_compare::at(&anew, pointer) != sluice_compare::at(self.live, pointer)
                });
                Ok(kept)
            }
            Err(error) if error.is_transient() => Err(error),
            // It cannot be known, and most of what stays is a default.
            Err(_) => Ok(Vec::new()),
        }
    }

    /// Whether the server takes the change without what stands in its way and is nobody's will.
    async fn refused(&self, question: &Question<'_>, error: ClusterError) -> Result<Answer, ClusterError> {
        if !question.filled_in().is_empty() {
            let less = sluice_compare::leaving_out(&self.object.desired, question.filled_in());
            if let Ok(answer) = self.apply(&less).await {
                return Ok(Answer {
                    unsent: question.filled_in().to_vec(),
                    ..Verdict::Changes(self.against(&answer)).into()
                });
            }
        }
        let ClusterError::Invalid { fields, .. } = &error else {
            return Err(error);
        };
        let mut tries = question.leftovers(fields);
        if tries.is_empty() && (error.is_of_recorded_version() || self.claims()) {
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
                Err(error) if error.is_transient() => return Err(error),
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
            None => Err(error),
        }
    }

    /// True where entries of lists give way.
    fn claims(&self) -> bool {
        !self.object.record.claim.is_empty()
    }

    fn how(&self) -> Patch {
        Patch {
            force: true,
            strict: self.object.decision.validate,
            dry_run: true,
        }
    }

    async fn apply(&self, desired: &Object) -> Result<Object, ClusterError> {
        let desired = desired.edit(|map| {
            let metadata = map.entry("metadata").or_insert_with(|| Value::Object(Map::new()));
            metadata["labels"][PART_OF_LABEL] = self.set.into();
            // Of the object that was looked at, not of one that has its name by now.
            metadata["uid"] = self.live.metadata("uid").into();
        });
        let reply = self.cluster.apply(&self.kind, &desired, self.how()).await?;
        reply.object().map(sluice_observe::lean)
    }

    async fn trial(&self, question: &Question<'_>, without: &Leftovers) -> Result<Object, ClusterError> {
        let mut patch = question.trial(without);
        patch["metadata"]["labels"][PART_OF_LABEL] = self.set.into();
        patch["metadata"]["uid"] = self.live.metadata("uid").into();
        let (kind, reference) = (&self.kind, self.object.desired.reference());
        let strict = self.object.decision.validate;
        let reply = self.cluster.try_patch(kind, &reference, &patch, strict).await?;
        reply.object().map(sluice_observe::lean)
    }

    fn against(&self, answer: &Object) -> Vec<sluice_model::difference::FieldChange> {
        let label = format!("/metadata/labels/{}", PART_OF_LABEL.replace('/', "~1"));
        let mut changes = sluice_compare::against(self.live, answer);
        // Whether it carries the label is looked at elsewhere.
        changes.retain(|change| change.pointer != label);
        changes
    }
}
