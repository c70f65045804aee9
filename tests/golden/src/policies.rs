//! Who answers: the standard plugins, by the host that the controller has.

use std::sync::{LazyLock, Mutex, PoisonError};

use sluice_decide::{Candidate, Change, Deletion};
use sluice_model::decision::{Propagation, PruneDecision, PruneVerdict, SyncDecision};
use sluice_pipeline::{Job, Plugins};
use sluice_plugin_host::{PluginHost, PluginProblem, codes};

/// One for all histories: loading the plugins takes longer than asking them.
static HOST: LazyLock<Mutex<PluginHost>> = LazyLock::new(|| Mutex::new(PluginHost::standard()));

/// How often plugins are asked that take too long.
const TRIES: usize = 50;

/// Which policies answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Policies {
    /// The standard ones.
    #[default]
    Standard,
    /// The standard ones but for the limits of what one plan may delete.
    Unlimited,
    /// The application names a plugin that there is not, so that what the engine falls back to decides.
    Failing,
    /// The standard ones, and whatever they say of a deletion, it may go.
    Careless,
}

/// The policies of one look.
pub struct Asked {
    job: Job,
    plugins: Plugins,
    careless: bool,
}

impl Asked {
    /// Those of an application. Time stands still.
    pub fn of(job: &Job, policies: Policies) -> Self {
        let host = HOST.lock().unwrap_or_else(PoisonError::into_inner);
        Self {
            plugins: Plugins::of(host.clone(), job, jiff::Timestamp::UNIX_EPOCH),
            job: job.clone(),
            careless: policies == Policies::Careless,
        }
    }

    /// Asks, and asks another host where a plugin took too long: a history is about what plugins say, not about how much else the
    /// machine has to do.
    fn ask<T>(&mut self, question: impl Fn(&mut Plugins) -> T) -> T {
        let mut answer = question(&mut self.plugins);
        for _ in 0..TRIES {
            let took_too_long = |problem: &PluginProblem| problem.code == &codes::P10;
            if !self.plugins.problems.iter().any(took_too_long) {
                break;
            }
            let fresh = PluginHost::standard();
            self.plugins = Plugins::of(fresh.clone(), &self.job, jiff::Timestamp::UNIX_EPOCH);
            *HOST.lock().unwrap_or_else(PoisonError::into_inner) = fresh;
            answer = question(&mut self.plugins);
        }
        answer
    }
}

impl sluice_decide::Policies for Asked {
    fn sync(&mut self, changes: Vec<Change>) -> Vec<SyncDecision> {
        self.ask(|plugins| plugins.sync(changes.clone()))
    }

    fn prune(&mut self, candidates: Vec<Candidate>, deletion: &Deletion) -> Vec<PruneDecision> {
        if self.careless {
            let gone = PruneDecision {
                verdict: PruneVerdict::Delete,
                propagation: Propagation::default(),
                decided_by: Some("careless".to_owned()),
            };
            return vec![gone; candidates.len()];
        }
        self.ask(|plugins| plugins.prune(candidates.clone(), deletion))
    }

    fn digests(&self) -> Vec<String> {
        self.plugins.digests()
    }
}
