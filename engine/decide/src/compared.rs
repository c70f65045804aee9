//! Each manifest beside its live object, judged.

use sluice_compare::{Certainty, Rules};
use sluice_model::application::IgnoreDifference;
use sluice_model::decision::SyncDecision;
use sluice_model::difference::Difference;
use sluice_model::manager::{self, Manager};
use sluice_model::manifest::{Manifest, Origin};
use sluice_model::object::{Object, ObjectRef};
use sluice_model::plan::Rerecord;
use sluice_model::secret::mask;
use sluice_plan::DesiredObject;

use crate::policies::{self as ask, Change, Policies};
use crate::{Live, Subject, completed};

/// One desired object, judged.
#[derive(Debug, Clone)]
pub struct Compared {
    /// As it would be sent, Secret values included: for compare and apply, never for people.
    pub desired: Object,
    /// As the cluster has it.
    pub live: Option<Object>,
    /// How the two differ, masked.
    pub difference: Difference,
    /// What the sync policies said.
    pub decision: SyncDecision,
    /// Where it is written.
    pub origin: Origin,
    /// Pointers to what is neither compared nor applied: by policy, by the Application's rules, and because something else
    /// decides it.
    pub ignored: Vec<String>,
    /// Whose fields become ours.
    pub predecessors: Vec<Manager>,
    /// What else is written into the record of managers first.
    pub record: Rerecord,
    /// True where the change needs a new object, and the strategy allows for that.
    pub recreate: bool,
    /// How sure comparing is of the difference.
    pub certainty: Certainty,
    /// It is a Job that completed, and was removed since: nothing is missing.
    pub done: bool,
    /// Under what it is remembered once it has completed.
    pub mark: Option<String>,
    /// Another application owned it and no longer wants it.
    pub released: bool,
}

impl Compared {
    /// As it is and as it should be.
    pub fn states(&self) -> impl Iterator<Item = &Object> {
        std::iter::once(&self.desired).chain(&self.live)
    }

    /// What is to be, masked, and where that is written.
    pub(crate) fn manifest(&self) -> Manifest {
        Manifest {
            object: mask(&self.desired),
            origin: self.origin.clone(),
        }
    }

    pub(crate) fn for_plan(&self) -> DesiredObject {
        DesiredObject {
            manifest: self.manifest(),
            live: self.live.as_ref().map(mask),
            difference: self.difference.clone(),
            decision: self.decision.clone(),
            predecessors: self.predecessors.clone(),
            record: self.record.clone(),
            recreate: self.recreate,
            released: self.released,
        }
    }

    /// True for what belongs to the application, not to a single sync of it.
    pub fn is_lasting(&self) -> bool {
        self.decision.is_lasting()
    }

    /// Its name.
    pub fn reference(&self) -> ObjectRef {
        self.desired.reference()
    }
}

/// Asks the sync policies about every manifest, and compares each with what is there. In the order of the manifests.
pub fn compare(
    subject: &Subject,
    live: &Live,
    manifests: Vec<Manifest>,
    policies: &mut impl Policies,
) -> Vec<Compared> {
    let changes = manifests.iter().map(|manifest| Change {
        desired: Some(mask(&manifest.object)),
        live: live.find(&manifest.object.key()).map(mask),
    });
    let decisions = ask::sync(policies, changes.collect());
    manifests
        .into_iter()
        .zip(decisions)
        .map(|(manifest, decision)| {
            let key = manifest.object.key();
            let found = live.find(&key).cloned();
            let mark = completed::mark(&manifest.object).filter(|_| !decision.hook);
            let done = found.is_none()
                && mark.as_ref().is_some_and(|mark| {
                    let as_it_was = |last: &Object| {
                        let before = judge(
                            manifest.clone(),
                            Some(last.clone()),
                            decision.clone(),
                            &subject.rules,
                        );
                        before.difference.is_same()
                    };
                    subject.completed.contains(mark) || live.finished.get(&key).is_some_and(as_it_was)
                });
            let judged = judge(manifest, found, decision, &subject.rules);
            Compared {
                released: live.claims.released.contains(&key),
                difference: match done {
                    true => Difference::Same,
                    false => judged.difference,
                },
                done,
                mark,
                ..judged
            }
        })
        .collect()
}

fn judge(manifest: Manifest, live: Option<Object>, mut decision: SyncDecision, rules: &Rules) -> Compared {
    let Manifest { object, origin } = manifest;
    let mut ignored = rules.pointers(&object, live.as_ref());
    match ignored_by(&decision) {
        Ok(policy) => ignored.extend(policy.pointers(&object, live.as_ref())),
        // What it was to keep out of the sync must not be written meanwhile.
        Err(reason) => drop(decision.hold.get_or_insert(reason)),
    }
    // Where a policy forces, Git's number of replicas counts, and not the autoscaler's.
    if let Some(live) = live.as_ref().filter(|_| !decision.force) {
        ignored.extend(sluice_compare::autoscaled(live));
    }
    let adopted = live.as_ref().filter(|_| decision.strategy.applies());
    let names = decision.take_over.as_deref();
    let predecessors = adopted
        .map(|live| manager::predecessors(live, names))
        .unwrap_or_default();
    let desired = sluice_compare::prepare(&object, live.as_ref(), &ignored);
    let mut comparison =
        sluice_compare::compare_taking_over(&desired, live.as_ref(), &ignored, &predecessors);
    let recorded = adopted
        .and_then(manager::recorded_version)
        .filter(|recorded| *recorded != desired.api_version())
        .map(str::to_owned);
    if recorded.is_none() {
        // Only what is applied has an entry that speaks of what Git has.
        comparison.difference = comparison.difference.without("/apiVersion");
    }
    let record = Rerecord {
        claim: std::mem::take(&mut comparison.claim),
        from_version: recorded,
    };
    Compared {
        desired,
        live,
        difference: comparison.difference,
        decision,
        origin,
        ignored,
        predecessors,
        record,
        recreate: false,
        done: false,
        mark: None,
        released: false,
        certainty: comparison.certainty,
    }
}

/// What the policies want ignored of one object, as rules; why they cannot be read otherwise.
fn ignored_by(decision: &SyncDecision) -> Result<Rules, String> {
    if decision.ignore_fields.is_empty() && decision.ignore_managers.is_empty() {
        return Ok(Rules::default());
    }
    let any = || "*".to_owned();
    let (paths, pointers) = decision
        .ignore_fields
        .iter()
        .cloned()
        .partition(|field| field.starts_with('.'));
    let rule = IgnoreDifference {
        group: any(),
        kind: any(),
        json_pointers: pointers,
        jq_path_expressions: paths,
        managed_fields_managers: decision.ignore_managers.clone(),
        ..IgnoreDifference::default()
    };
    Rules::read(&[rule]).map_err(|mistakes| {
        let mistakes: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
        format!("ignored field {}", mistakes.join("; "))
    })
}
