//! What comparing cannot settle, asked of the server: a dry-run, once for each desired and live state.
//!
//! Three things only the server knows: which fields of a custom resource are defaults, where it keeps a list or map as one
//! value; what a webhook or a schema makes of a value that we gave; and whether it takes a change to an object that
//! exists at all. Everything else is compared here, without a request.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use futures::StreamExt as _;
use serde_json::Value;
use sluice_cluster::{Cluster, ClusterError, Patch};
use sluice_compare::Certainty;
use sluice_model::Coded as _;
use sluice_model::applyset::PART_OF_LABEL;
use sluice_model::decision::Strategy;
use sluice_model::difference::{Difference, FieldChange};
use sluice_model::object::Object;

use crate::error::PipelineError;
use crate::pipeline::{Compared, Intent, Job, Pipeline};

/// So many questions at once.
const PARALLEL: usize = 24;

/// By the object's uid: what it was asked for, and the answer.
pub(crate) type Answers = BTreeMap<String, (u64, Answer)>;

/// What the server says.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Answer {
    /// These fields would change.
    Changes(Vec<FieldChange>),
    /// It would not take the change: a field cannot be changed once the object is there.
    Immutable,
    /// It refuses for another reason, which whoever applies will hear too.
    Refused,
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
                    let answer = ask(cluster, object?, &set).await?;
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
                take_in(object, answer);
            }
        }
        if !known.is_empty() {
            self.answers.put(&job.key, known);
        }
        Ok(settled)
    }
}

/// Where Git has just changed, a value that is not as we gave it needs no explanation; once that revision was synced, it does.
fn is_doubtful(object: &Compared, synced: bool) -> bool {
    let differs = matches!(object.difference, Difference::Changed(_) | Difference::Unowned(_));
    object.is_lasting()
        && object.decision.strategy.applies()
        && (object.decision.strategy == Strategy::Recreate && differs
            || match object.certainty {
                Certainty::Sure => false,
                Certainty::OwnValueDiffers => synced,
                Certainty::DefaultAssumed => true,
            })
}

fn stamp(desired: &Object, live: &Object) -> u64 {
    let mut hasher = DefaultHasher::new();
    sluice_compare::stamp(live).hash(&mut hasher);
    desired.value().to_string().hash(&mut hasher);
    hasher.finish()
}

/// None where the server does not answer: that is asked again.
async fn ask(cluster: &Cluster, object: Compared, set: &str) -> Option<Answer> {
    let live = object.live?;
    let desired = object.desired.edit(|map| {
        let metadata = map
            .entry("metadata")
            .or_insert_with(|| Value::Object(serde_json::Map::new()));
        metadata["labels"][PART_OF_LABEL] = set.into();
        // Of the object that was looked at, not of one that has its name by now.
        metadata["uid"] = live.metadata("uid").into();
    });
    let how = Patch {
        force: true,
        strict: object.decision.validate,
        dry_run: true,
    };
    let kind = cluster.kind_of(&desired.reference()).await.ok()?;
    match cluster.apply(&kind, &desired, how).await {
        Ok(reply) => {
            let answer = sluice_observe::lean(reply.object().ok()?);
            let label = format!("/metadata/labels/{}", PART_OF_LABEL.replace('/', "~1"));
            let mut changes = sluice_compare::against(&live, &answer);
            // Whether it carries the label is looked at elsewhere.
            changes.retain(|change| change.pointer != label);
            Some(Answer::Changes(changes))
        }
        Err(error) if error.is_transient() || matches!(error, ClusterError::Modified { .. }) => None,
        Err(error) if error.is_immutable() => Some(Answer::Immutable),
        Err(error) => {
            // Without its words: of a Secret they may have values.
            tracing::debug!(object = %desired.reference(), code = error.code().id, "the server refuses a question");
            Some(Answer::Refused)
        }
    }
}

fn take_in(object: &mut Compared, answer: &Answer) {
    match (answer, &object.difference) {
        (Answer::Immutable, _) => object.recreate = object.decision.strategy == Strategy::Recreate,
        (Answer::Changes(changes), Difference::Changed(_)) if changes.is_empty() => {
            object.difference = Difference::Same;
        }
        (Answer::Changes(changes), Difference::Same) if !changes.is_empty() => {
            object.difference = Difference::Changed(changes.clone());
        }
        // Where both see changes, ours say who else has the field.
        (Answer::Changes(_) | Answer::Refused, _) => {}
    }
}
