//! Health of live objects, remembered while neither they nor what else a verdict rests on changes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use sluice_health::ObjectHealth;
use sluice_model::application::Policies;
use sluice_model::health::{HealthStatus, HealthVerdict};
use sluice_model::object::Object;
use sluice_model::related::{Need, Related, Seen};
use sluice_model::secret::mask;
use sluice_plugin_host::{Answer, Examined, HealthQuestion, PluginProblem};

use crate::blocking::blocking;
use crate::error::PipelineError;
use crate::{Compared, Pipeline};

/// How often a check is asked about one object at most, because it can see more than before: the Pods of a ReplicaSet of a Deployment
/// are found in two steps.
const ROUNDS: usize = 5;
/// How long is waited at most until a check can see what it asked for. What comes later is told by a change.
const FIRST_LOOK: Duration = Duration::from_secs(3);

/// Verdicts by what they depend on: the object's uid and version, what a check saw beside it, and the plugins.
#[derive(Debug, Default)]
pub struct HealthMemory {
    plugins: Vec<String>,
    verdicts: BTreeMap<String, Remembered>,
}

#[derive(Debug)]
struct Remembered {
    version: String,
    verdict: HealthVerdict,
    seen: Vec<Seen>,
}

impl HealthMemory {
    /// What was said of an object as it is.
    fn remembered(&self, object: &Object) -> Option<&Remembered> {
        let remembered = self.verdicts.get(object.metadata("uid")?)?;
        (Some(remembered.version.as_str()) == object.metadata("resourceVersion")).then_some(remembered)
    }

    /// Whether what was said of an object still holds.
    fn holds(&self, object: &Object, related: &dyn Related) -> bool {
        let remembered = self.remembered(object);
        remembered.is_some_and(|remembered| remembered.seen.iter().all(|seen| seen.holds(related)))
    }

    /// Whether some of what the verdicts rest on has changed meanwhile.
    pub fn is_old(&self, related: &dyn Related) -> bool {
        let mut seen = self.verdicts.values().flat_map(|remembered| &remembered.seen);
        seen.any(|seen| !seen.holds(related))
    }

    /// What the verdicts rest on beside the objects themselves.
    pub fn needs(&self) -> BTreeSet<Need> {
        let seen = self.verdicts.values().flat_map(|remembered| &remembered.seen);
        seen.map(|seen| seen.need.clone()).collect()
    }
}

impl Pipeline {
    /// Asks the health policies about objects. Returns a verdict for each, in their order, and the plugins that did not answer. A
    /// message may quote what a workload has of a Secret: who shows it redacts it first ([`sluice_cluster::Cluster::redact`]).
    ///
    /// # Errors
    /// [`PipelineError::Internal`] if no thread could answer.
    pub async fn judge(
        &self,
        policies: &Policies,
        objects: &[&Object],
        now: jiff::Timestamp,
    ) -> Result<Answer<Vec<HealthVerdict>>, PipelineError> {
        let answer = self.examine(policies, objects, now, false).await?;
        let verdicts = answer.value.into_iter().map(|examined| examined.verdict);
        Ok(Answer {
            value: verdicts.collect(),
            problems: answer.problems,
        })
    }

    /// As [`Pipeline::judge`], with what each verdict rests on. What checks ask to see beside the objects is looked for, and they are
    /// asked again once it is known. `is_traced` has [`Examined::read`] filled in.
    ///
    /// # Errors
    /// [`PipelineError::Internal`] if no thread could answer.
    pub async fn examine(
        &self,
        policies: &Policies,
        objects: &[&Object],
        now: jiff::Timestamp,
        is_traced: bool,
    ) -> Result<Answer<Vec<Examined>>, PipelineError> {
        let masked: Vec<Object> = objects.iter().map(|object| mask(object)).collect();
        let mut open: Vec<usize> = (0..masked.len()).collect();
        let mut all: BTreeMap<usize, Examined> = BTreeMap::new();
        let mut problems = Vec::new();
        for _ in 0..ROUNDS {
            let asked: Vec<Object> = open
                .iter()
                .filter_map(|index| masked.get(*index).cloned())
                .collect();
            let (plugins, policies) = (self.plugins.clone(), policies.health.clone());
            let related: Arc<dyn Related> = Arc::clone(&self.relatives) as _;
            let question = move || {
                plugins.examine(&HealthQuestion {
                    policies: &policies,
                    objects: &asked,
                    now,
                    related,
                    is_traced,
                })
            };
            let answer = blocking(question).await?;
            PluginProblem::add_new(&mut problems, answer.problems);
            all.extend(open.iter().copied().zip(answer.value));
            // Who was not told something, and may be told it now?
            let unseen = |examined: &Examined| -> Vec<Need> {
                let seen = examined.seen.iter().filter(|seen| seen.states.is_none());
                seen.map(|seen| seen.need.clone()).collect()
            };
            let wanting: BTreeMap<usize, Vec<Need>> = open
                .iter()
                .filter_map(|index| Some((*index, unseen(all.get(index)?))))
                .filter(|(_, needs)| !needs.is_empty())
                .collect();
            if wanting.is_empty() {
                break;
            }
            self.relatives.learn(wanting.values().flatten(), FIRST_LOOK).await;
            let is_known = |need: &Need| self.relatives.find(need).is_some();
            let again = wanting
                .into_iter()
                .filter(|(_, needs)| needs.iter().any(is_known));
            open = again.map(|(index, _)| index).collect();
            if open.is_empty() {
                break;
            }
        }
        Ok(Answer {
            value: all.into_values().collect(),
            problems,
        })
    }

    /// Returns the health of everything that belongs to the application and stays, and the plugins that did not answer. Asks them only
    /// about what changed since `memory` learnt of it.
    ///
    /// # Errors
    /// [`PipelineError::Internal`] if no thread could answer.
    pub async fn health(
        &self,
        policies: &Policies,
        objects: &[Compared],
        memory: &mut HealthMemory,
        now: jiff::Timestamp,
    ) -> Result<(Vec<ObjectHealth>, Vec<PluginProblem>), PipelineError> {
        let digests = self.plugins.digests(policies);
        let live = objects.iter().filter_map(|object| object.live.as_ref());
        if memory.plugins != digests || self.plugins.health_uses_time(&policies.health, live) {
            *memory = HealthMemory {
                plugins: digests,
                verdicts: BTreeMap::new(),
            };
        }
        let lasting: Vec<&Compared> = objects.iter().filter(|object| object.is_lasting()).collect();
        let live = lasting.iter().filter_map(|object| object.live.as_ref());
        let unknown: Vec<&Object> = live
            .filter(|live| !memory.holds(live, &*self.relatives))
            .collect();
        let mut problems = Vec::new();
        let mut fresh = BTreeMap::new();
        if !unknown.is_empty() {
            let answer = self.examine(policies, &unknown, now, false).await?;
            // Where a plugin failed, the next look asks again.
            let keep = answer.problems.is_empty();
            problems = answer.problems;
            // A status that a plugin quotes may hold what a workload has of a Secret.
            let cluster = self.target.hiding(objects.iter().flat_map(Compared::states));
            for (object, examined) in unknown.iter().zip(answer.value) {
                let Examined {
                    mut verdict, seen, ..
                } = examined;
                cluster.redact(&mut verdict.message);
                let (Some(uid), Some(version)) = (object.metadata("uid"), object.metadata("resourceVersion"))
                else {
                    continue;
                };
                if keep {
                    let remembered = Remembered {
                        version: version.to_owned(),
                        verdict: verdict.clone(),
                        seen,
                    };
                    memory.verdicts.insert(uid.to_owned(), remembered);
                }
                fresh.insert(uid.to_owned(), verdict);
            }
        }
        let verdict = |live: &Object| {
            let new = live.metadata("uid").and_then(|uid| fresh.get(uid));
            // Whether that holds was asked above. What is related may have changed since, and the controller is told of it.
            new.or_else(|| Some(&memory.remembered(live)?.verdict))
                .cloned()
                .unwrap_or_else(HealthVerdict::no_opinion)
        };
        let missing = || HealthVerdict {
            status: HealthStatus::Missing,
            message: String::new(),
            plugin: None,
        };
        let done = || HealthVerdict {
            status: HealthStatus::Healthy,
            message: "it completed, and was removed after its time to live".to_owned(),
            plugin: None,
        };
        let judged: Vec<ObjectHealth> = lasting
            .iter()
            .map(|object| ObjectHealth {
                object: object.reference(),
                verdict: match &object.live {
                    Some(live) => verdict(live),
                    None if object.done => done(),
                    None => missing(),
                },
            })
            .collect();
        let uids: BTreeSet<&str> = lasting
            .iter()
            .filter_map(|object| object.live.as_ref()?.metadata("uid"))
            .collect();
        memory.verdicts.retain(|uid, _| uids.contains(uid.as_str()));
        Ok((judged, problems))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use sluice_model::object::GroupKind;
    use sluice_model::related::{Selection, Unrelated};

    /// Found by reading: if what a verdict rests on changed within one look, the object was taken for one without an opinion, which is
    /// healthy.
    #[test]
    fn a_verdict_that_no_longer_holds_is_still_what_was_said() {
        let metadata = json!({"name": "web", "uid": "1", "resourceVersion": "7"});
        let web = Object::new(json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata}))
            .unwrap();
        let need = Need {
            namespace: None,
            kind: GroupKind::new("", "Pod"),
            selection: Selection::OwnedBy("1".to_owned()),
        };
        let verdict = HealthVerdict {
            status: HealthStatus::Degraded,
            ..HealthVerdict::no_opinion()
        };
        let of = |seen: Seen| HealthMemory {
            plugins: Vec::new(),
            verdicts: BTreeMap::from([(
                "1".to_owned(),
                Remembered {
                    version: "7".to_owned(),
                    verdict: verdict.clone(),
                    seen: vec![seen],
                },
            )]),
        };
        let changed = of(Seen::new(need.clone(), Some(std::slice::from_ref(&web))));
        assert!(!changed.holds(&web, &Unrelated));
        assert_eq!(
            changed.remembered(&web).map(|remembered| &remembered.verdict),
            Some(&verdict)
        );
        assert!(of(Seen::new(need, None)).holds(&web, &Unrelated));
        let newer = web.edit(|map| map["metadata"]["resourceVersion"] = "8".into());
        assert!(changed.remembered(&newer).is_none());
    }
}
