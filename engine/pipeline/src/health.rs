//! Health of live objects, remembered while neither they nor the plugins change.

use std::collections::BTreeMap;

use sluice_health::ObjectHealth;
use sluice_model::application::Policies;
use sluice_model::health::{HealthStatus, HealthVerdict};
use sluice_model::object::Object;
use sluice_model::secret::mask;
use sluice_plugin_host::{Answer, PluginProblem};

use crate::blocking::blocking;
use crate::error::PipelineError;
use crate::{Compared, Pipeline};

/// Verdicts by what they depend on: the object's uid and version, and the plugins.
#[derive(Debug, Default)]
pub struct HealthMemory {
    plugins: Vec<String>,
    verdicts: BTreeMap<String, (String, HealthVerdict)>,
}

impl HealthMemory {
    fn known(&self, object: &Object) -> Option<&HealthVerdict> {
        let (version, verdict) = self.verdicts.get(object.metadata("uid")?)?;
        (Some(version.as_str()) == object.metadata("resourceVersion")).then_some(verdict)
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
        let asked: Vec<Object> = objects.iter().map(|object| mask(object)).collect();
        let (plugins, policies) = (self.plugins.clone(), policies.health.clone());
        blocking(move || plugins.health(&policies, &asked, now)).await
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
        let unknown: Vec<&Object> = live.filter(|live| memory.known(live).is_none()).collect();
        let mut problems = Vec::new();
        let mut fresh = BTreeMap::new();
        if !unknown.is_empty() {
            let answer = self.judge(policies, &unknown, now).await?;
            // Where a plugin failed, the next look asks again.
            let keep = answer.problems.is_empty();
            problems = answer.problems;
            // A status that a plugin quotes may hold what a workload has of a Secret.
            let cluster = self.target.hiding(objects.iter().flat_map(Compared::states));
            for (object, mut verdict) in unknown.iter().zip(answer.value) {
                cluster.redact(&mut verdict.message);
                let (Some(uid), Some(version)) = (object.metadata("uid"), object.metadata("resourceVersion"))
                else {
                    continue;
                };
                if keep {
                    memory
                        .verdicts
                        .insert(uid.to_owned(), (version.to_owned(), verdict.clone()));
                }
                fresh.insert(uid.to_owned(), verdict);
            }
        }
        let verdict = |live: &Object| {
            let new = live.metadata("uid").and_then(|uid| fresh.get(uid));
            new.or_else(|| memory.known(live))
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
        let uids: std::collections::BTreeSet<&str> = lasting
            .iter()
            .filter_map(|object| object.live.as_ref()?.metadata("uid"))
            .collect();
        memory.verdicts.retain(|uid, _| uids.contains(uid.as_str()));
        Ok((judged, problems))
    }
}
