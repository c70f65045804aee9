//! What is decided, case by case: policies that say what a case wants, no cluster and no plugin.
#![expect(clippy::unwrap_used, reason = "the shared parts of tests are tests too")]

mod deletions;
mod dry_run;
mod jobs;
mod judged;
mod plans;

use std::collections::BTreeMap;

use serde_json::{Value, json};
use sluice_compare::Rules;
use sluice_decide::{Candidate, Change, Compared, Decided, Deletion, Intent, Live, Policies, Subject};
use sluice_model::applyset::{self, PART_OF_LABEL};
use sluice_model::decision::{Propagation, PruneDecision, PruneVerdict, SyncDecision};
use sluice_model::manifest::{Manifest, Origin};
use sluice_model::object::Object;
use sluice_model::plan::ApplicationKey;

/// Policies of which a case says what they say, by the object's name, and which remember what they were asked.
#[derive(Default)]
struct Said {
    sync: BTreeMap<&'static str, SyncDecision>,
    prune: BTreeMap<&'static str, PruneVerdict>,
    /// So many answers at most; all where missing.
    answers: Option<usize>,
    changes: Vec<Vec<Change>>,
    candidates: Vec<Candidate>,
    owned: u32,
    desired: u32,
}

impl Policies for Said {
    fn sync(&mut self, changes: Vec<Change>) -> Vec<SyncDecision> {
        let name = |change: &Change| {
            let object = change.desired.as_ref().or(change.live.as_ref());
            object.unwrap().name().to_owned()
        };
        let decisions = changes
            .iter()
            .map(|change| self.sync.get(name(change).as_str()).cloned().unwrap_or_default());
        let decisions = decisions.take(self.answers.unwrap_or(usize::MAX)).collect();
        self.changes.push(changes);
        decisions
    }

    fn prune(&mut self, candidates: Vec<Candidate>, deletion: &Deletion) -> Vec<PruneDecision> {
        (self.owned, self.desired) = (deletion.owned.total(), deletion.desired.total());
        let decision = |candidate: &Candidate| PruneDecision {
            verdict: self
                .prune
                .get(candidate.live.name())
                .cloned()
                .unwrap_or(PruneVerdict::Delete),
            propagation: Propagation::default(),
            decided_by: Some("said".to_owned()),
        };
        let decisions = candidates.iter().map(decision);
        let decisions = decisions.take(self.answers.unwrap_or(usize::MAX)).collect();
        self.candidates.extend(candidates);
        decisions
    }

    fn digests(&self) -> Vec<String> {
        vec!["said@sha256:00".to_owned()]
    }
}

fn subject() -> Subject {
    Subject {
        key: ApplicationKey {
            namespace: "n".to_owned(),
            name: "app".to_owned(),
        },
        destination: "n".to_owned(),
        rules: Rules::default(),
        completed: Vec::new(),
        owned_before: None,
        allow_empty: false,
    }
}

fn object(value: Value) -> Object {
    Object::new(value).unwrap()
}

fn manifest(value: Value) -> Manifest {
    Manifest {
        object: object(value),
        origin: Origin {
            file: "a.yaml".to_owned(),
            line: 1,
        },
    }
}

/// A ConfigMap, as Git has it.
fn config_map(name: &str, value: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "n"}, "data": {"k": value}})
}

/// The record of an entry that owns fields.
fn entry(manager: &str, operation: &str, fields: Value) -> Value {
    json!({"manager": manager, "operation": operation, "apiVersion": "v1", "fieldsV1": fields})
}

/// Something of the application, as the cluster has it: with these entries of the record of managers.
fn live_with(mut value: Value, entries: Value) -> Object {
    let name = value["metadata"]["name"].as_str().unwrap().to_owned();
    value["metadata"]["uid"] = format!("uid-{name}").into();
    value["metadata"]["resourceVersion"] = "1".into();
    value["metadata"]["labels"] = json!({PART_OF_LABEL: applyset::id("n", "app")});
    value["metadata"]["managedFields"] = entries;
    object(value)
}

/// A ConfigMap of the application that we applied.
fn ours(name: &str, value: &str) -> Object {
    let fields = json!({"f:data": {"f:k": {}}});
    live_with(config_map(name, value), json!([entry("sluice", "Apply", fields)]))
}

/// One that is on its way out.
fn going(name: &str) -> Object {
    ours(name, "1").edit(|map| {
        map["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z".into();
    })
}

fn live(members: impl IntoIterator<Item = Object>) -> Live {
    Live::of_members(members.into_iter().collect(), &[])
}

fn compare(live: &Live, manifests: Vec<Manifest>, policies: &mut Said) -> Vec<Compared> {
    sluice_decide::compare(&subject(), live, manifests, policies)
}

/// Everything for a whole sync.
fn decide(live: &Live, manifests: Vec<Manifest>, policies: &mut Said) -> Decided {
    decide_for(&subject(), &Intent::whole("1234"), live, manifests, policies)
}

fn decide_for(
    subject: &Subject,
    intent: &Intent,
    live: &Live,
    manifests: Vec<Manifest>,
    policies: &mut Said,
) -> Decided {
    let objects = sluice_decide::compare(subject, live, manifests, policies);
    sluice_decide::decide(subject, intent, live, objects, None, policies)
}
