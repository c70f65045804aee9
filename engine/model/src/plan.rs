//! What will be done, decided before anything is written.
//!
//! A [`Plan`] is data: printed, compared, approved by its digest, kept, and executed by `apply`, which makes no choice.
//! It holds no time and no order that depends on a hash: equal input gives equal bytes and so an equal [`Plan::digest`].

use std::io::BufWriter;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::decision::{ApplyOptions, HookCleanup, Phase, Propagation, Strategy};
use crate::difference::FieldChange;
use crate::manager::{Manager, Tree};
use crate::manifest::Origin;
use crate::object::ObjectRef;

/// The version of the plan's form; `apply` refuses any other.
pub const PLAN_VERSION: &str = "sluice.dev/plan/v1alpha2";

/// An ordered, immutable list of steps for one application and one revision.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Plan {
    /// The version of this format, [`PLAN_VERSION`].
    pub version: String,
    /// Whose plan it is.
    pub application: ApplicationKey,
    /// The commit it leads to, full object id. Empty where the application is being deleted.
    pub revision: String,
    /// Where namespaced objects without a namespace go.
    pub destination_namespace: String,
    /// The policies that were asked, `name@sha256:…`, sorted.
    pub policies: Vec<String>,
    /// In the order of execution.
    pub steps: Vec<Step>,
    /// Deletions that wait for an approval of this plan's digest. In the order they will be done in.
    pub held: Vec<HeldDeletion>,
    /// Deletions that a policy refuses, for the report.
    pub kept: Vec<KeptObject>,
    /// Reasons why nothing at all may be done now.
    pub blocked: Vec<Block>,
    /// How many objects of the desired state are as they should be.
    pub unchanged: u32,
}

/// Which application.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApplicationKey {
    /// Namespace of the Application.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

/// Writes `namespace/name`.
impl std::fmt::Display for ApplicationKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Step {
    /// The phase it belongs to. Steps of equal phase and wave form one wave; the next begins when all of one are healthy.
    pub phase: Phase,
    /// The wave within the phase.
    pub wave: i32,
    /// The object.
    pub object: ObjectRef,
    /// What is done.
    pub action: Action,
    /// Where the desired object is written; none for deletions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
    /// The fields that change, for people. Secrets masked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<FieldChange>,
    /// The live object that the plan was made for; `apply` refuses to go on where it is another one by then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub precondition: Option<Precondition>,
    /// Other objects of the plan that have to be there before the server can judge this one, as far as the plan tells. It is
    /// rehearsed later then: once they are there, before anything else is written.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rests_on: Vec<ObjectRef>,
}

impl Step {
    /// True where doing it changes anything: not where all that differs is what the server keeps, whatever is applied.
    pub fn mends(&self) -> bool {
        self.changes.is_empty() || !self.changes.iter().all(|change| change.stays)
    }
}

/// What a step does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "do")]
pub enum Action {
    /// Creates or changes the object.
    Apply {
        /// The manifest to send, labels of ownership included. A core Secret's values are masked ([`crate::secret`]):
        /// `apply` takes them from the manifests rendered at [`Plan::revision`].
        manifest: Arc<Value>,
        /// How the object is written.
        strategy: Strategy,
        /// Take fields over from other managers.
        force: bool,
        /// Ask the server to reject unknown fields.
        validate: bool,
        /// Delete an earlier instance of it first and wait until it is gone: a hook's `BeforeHookCreation`, a part's
        /// [`Strategy::RecreateAlways`], or a part whose change the server takes in no other way.
        delete_first: bool,
        /// Earlier deployers whose fields become ours first, so that what they wrote and Git does not have really goes.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        take_over: Vec<Manager>,
        /// What else is written into the record of managers first.
        #[serde(default, skip_serializing_if = "Rerecord::is_empty")]
        record: Rerecord,
        /// When it is deleted again once it has run; empty for what stays.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        cleanup: Vec<HookCleanup>,
        /// What else the policies decided.
        #[serde(flatten)]
        options: ApplyOptions,
    },
    /// Deletes the object.
    Delete {
        /// What happens to its dependents.
        propagation: Propagation,
        /// True where its deletion has begun and finalizers hold it: it is only waited for, because other deletions follow.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        begun: bool,
    },
}

/// What is written into an object's record of managers before it is applied.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rerecord {
    /// Fields that Git does not have and that would stand beside what it has, because no applier owns them: a default of
    /// the server next to the new member of a union, an entry whose key was edited by hand. In the form of the record.
    #[serde(default, skip_serializing_if = "Tree::is_empty")]
    pub claim: Tree,
    /// The version of the kind that our entry is written at, where Git has another one by now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_version: Option<String>,
}

impl Rerecord {
    /// True where the record is as it should be.
    pub fn is_empty(&self) -> bool {
        self.claim.is_empty() && self.from_version.is_none()
    }
}

/// The state of the live object that a step was planned for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Precondition {
    /// The object's identity, `metadata.uid`.
    pub uid: String,
    /// `metadata.resourceVersion`; none where only the identity matters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource_version: Option<String>,
}

/// A deletion that waits for approval.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HeldDeletion {
    /// The deletion, ready to be done.
    pub step: Step,
    /// Why it waits.
    pub reason: String,
    /// The plugin that holds it; none where the engine does.
    pub decided_by: Option<String>,
}

/// An object that Git no longer has and that stays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KeptObject {
    /// The object.
    pub object: ObjectRef,
    /// Why it stays.
    pub reason: String,
    /// The plugin that keeps it; none where the engine does.
    pub decided_by: Option<String>,
}

/// A reason why the whole plan must wait.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Block {
    /// The object it is about; none where it is about the whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<ObjectRef>,
    /// The reason, for people.
    pub reason: String,
    /// The plugin that holds; none where the engine does.
    pub decided_by: Option<String>,
}

impl Plan {
    /// The canonical form: what is digested, printed by `sluice plan -o json` and read by `sluice apply`.
    pub fn to_json(&self) -> String {
        // A plan holds no map with keys that are not text and no number that JSON lacks.
        serde_json::to_string(self).expect("a plan is always JSON")
    }

    /// `sha256:<hex>` over [`Plan::to_json`]: what an approval binds to.
    pub fn digest(&self) -> String {
        // Not by way of the text: of a large plan that is as large as all of its objects.
        let mut hasher = BufWriter::new(Sha256::new());
        serde_json::to_writer(&mut hasher, self).expect("a plan is always JSON");
        let hasher = hasher.into_inner().expect("a hasher takes everything");
        format!("sha256:{}", hex::encode(hasher.finalize()))
    }

    /// Why anything waits or stays: the words of policies, among others.
    pub fn reasons_mut(&mut self) -> impl Iterator<Item = &mut String> {
        let blocked = self.blocked.iter_mut().map(|block| &mut block.reason);
        let held = self.held.iter_mut().map(|held| &mut held.reason);
        let kept = self.kept.iter_mut().map(|kept| &mut kept.reason);
        blocked.chain(held).chain(kept)
    }

    /// True where nothing is to be done, held or blocked.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty() && self.held.is_empty() && self.blocked.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decision::{PruneDecision, PruneVerdict, SyncDecision};
    use crate::manager::Operation;

    /// Every key of a JSON value, at any depth.
    fn keys(value: &Value) -> Vec<&str> {
        match value {
            Value::Object(map) => {
                let below = map.values().flat_map(keys);
                map.keys().map(String::as_str).chain(below).collect()
            }
            Value::Array(list) => list.iter().flat_map(keys).collect(),
            _ => Vec::new(),
        }
    }

    /// A reader of `-o json` should not have to guess which of two ways a key is written in.
    #[test]
    fn every_key_is_written_as_kubernetes_writes_them() {
        let manager = Manager {
            name: "helm".to_owned(),
            operation: Operation::Update,
            subresource: None,
        };
        let object = ObjectRef {
            group: String::new(),
            version: "v1".to_owned(),
            kind: "ConfigMap".to_owned(),
            namespace: None,
            name: "a".to_owned(),
        };
        let step = Step {
            phase: Phase::Sync,
            wave: 0,
            object: object.clone(),
            action: Action::Apply {
                manifest: Arc::default(),
                strategy: Strategy::ServerSideApply,
                force: false,
                validate: true,
                delete_first: false,
                take_over: vec![manager],
                record: Rerecord {
                    from_version: Some("x/v1".to_owned()),
                    ..Rerecord::default()
                },
                cleanup: vec![HookCleanup::HookFailed],
                options: ApplyOptions {
                    skip_dry_run_on_missing_kind: true,
                    propagation: Some(Propagation::Orphan),
                    no_wait: true,
                    ignore_health: true,
                    timeout: Some(1),
                },
            },
            origin: None,
            changes: Vec::new(),
            precondition: Some(Precondition {
                uid: "u".to_owned(),
                resource_version: Some("1".to_owned()),
            }),
            rests_on: vec![object.clone()],
        };
        let plan = Plan {
            version: PLAN_VERSION.to_owned(),
            application: ApplicationKey {
                namespace: "a".to_owned(),
                name: "b".to_owned(),
            },
            revision: "c".to_owned(),
            destination_namespace: "a".to_owned(),
            policies: Vec::new(),
            held: vec![HeldDeletion {
                step: step.clone(),
                reason: String::new(),
                decided_by: None,
            }],
            steps: vec![step],
            kept: vec![KeptObject {
                object: object.clone(),
                reason: String::new(),
                decided_by: None,
            }],
            blocked: vec![Block {
                object: Some(object),
                reason: String::new(),
                decided_by: None,
            }],
            unchanged: 0,
        };
        let sync = SyncDecision {
            take_over: Some(Vec::new()),
            ..SyncDecision::default()
        };
        let prune = PruneDecision {
            verdict: PruneVerdict::Keep {
                reason: String::new(),
            },
            propagation: Propagation::Orphan,
            decided_by: None,
        };
        let all = serde_json::json!([plan, sync, prune]);
        let odd: Vec<&str> = keys(&all)
            .into_iter()
            .filter(|key| key.contains(['_', '-']) || key.starts_with(char::is_uppercase))
            .collect();
        assert_eq!(odd, [""; 0]);
    }
}
