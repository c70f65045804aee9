//! `Application` (`sluice.dev/v1alpha1`): what a user writes and what the engine answers.
//!
//! Argo CD's field names wherever the concept is the same. The CRD is generated from these types
//! (`sluice crds`), so their documentation is what `kubectl explain application` shows.

use std::collections::BTreeMap;

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::census::Tally;
use crate::claims::Claims;
pub use crate::health::HealthState;
use crate::object::Object;

mod given;
mod source;
mod variables;
mod verification;

pub use given::{Decryption, DecryptionProvider, GivenKind, PostBuild, SubstituteReference, ValuesReference};
pub use source::{
    Directory, Helm, HelmFileParameter, HelmParameter, HelmPostRenderer, Jsonnet, JsonnetVariable, Kustomize,
    KustomizeImage, KustomizePatch, KustomizeReplica, KustomizeTarget, PluginParameter, PluginVariable,
    PostKustomize, Source, SourcePlugin,
};
pub use variables::{CLUSTER_VARIABLES, VariableScope, VariablesFile, flattened};
pub use verification::{
    ACCEPTED_HISTORY_ANNOTATION, AcceptedMerge, KeyringRef, Member, MergeKey, OnUnverified, RuleSet,
    RulesRef, SignerGroup, SigningRule, StartOfTrust, ValidAt, Verification, VerificationMode,
    VerificationState, WeakAlgorithm,
};

pub use crate::operation::{
    HistoryEntry, Initiator, OPERATION_ANNOTATION, Operation, OperationFailure, OperationKind,
    OperationPhase, OperationRequest, OperationResult, OperationState, TERMINATE_ANNOTATION, WaitingFor,
    rfc3339,
};

/// Annotation: refresh at once; any value. Removed when seen. The value `hard` forgets every cache first.
pub const REFRESH_ANNOTATION: &str = "sluice.dev/refresh";
/// Annotation: the digest of the plan that a person approves.
pub const APPROVED_PLAN_ANNOTATION: &str = "sluice.dev/approved-plan";
/// Finalizer: deletes what the application owns before the Application goes.
pub const PRUNE_FINALIZER: &str = "sluice.dev/prune";
/// The field manager of everything the engine writes.
pub const FIELD_MANAGER: &str = "sluice";

/// A path in a Git repository whose manifests are kept running in a cluster.
#[derive(CustomResource, Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "sluice.dev",
    version = "v1alpha1",
    kind = "Application",
    namespaced,
    status = "ApplicationStatus",
    shortname = "slapp",
    category = "sluice",
    derive = "PartialEq",
    printcolumn = r#"{"name":"SYNC","type":"string","jsonPath":".status.sync.status"}"#,
    printcolumn = r#"{"name":"HEALTH","type":"string","jsonPath":".status.health.status"}"#,
    printcolumn = r#"{"name":"SINCE","type":"date","jsonPath":".status.health.since"}"#,
    printcolumn = r#"{"name":"REVISION","type":"string","jsonPath":".status.sync.revision"}"#,
    printcolumn = r#"{"name":"AGE","type":"date","jsonPath":".metadata.creationTimestamp"}"#,
    printcolumn = r#"{"name":"VERSION","type":"string","jsonPath":".status.sync.version","priority":1}"#,
    printcolumn = r#"{"name":"PINNED","type":"string","jsonPath":".spec.pin.revision","priority":1}"#,
    printcolumn = r#"{"name":"PAUSED","type":"string","jsonPath":".spec.pause.reason","priority":1}"#
)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ApplicationSpec {
    /// Where the manifests are. Either this or `sources`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
    /// Where the manifests are, if that is more than one place, at most twenty. They are synced together: one that cannot be fetched,
    /// verified or rendered holds all of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<Source>,
    /// Objects that two of the sources may give. The source that comes later in `sources` counts. Any other object that is given twice is an
    /// error.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allowed_duplicates: Vec<AllowedDuplicate>,
    /// Whose signatures are needed. Nothing is verified where this is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verification: Option<Verification>,
    /// Where the objects go.
    #[serde(default)]
    pub destination: Destination,
    /// When and how syncs happen. Without `automated`, only when asked.
    #[serde(default)]
    pub sync_policy: SyncPolicy,
    /// Which plugins decide, with their settings. Without this, the standard ones and those of the plugin directory.
    #[serde(default)]
    pub policies: Policies,
    /// Fields that are neither compared nor written, because something else decides them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ignore_differences: Vec<IgnoreDifference>,
    /// What opens files that are encrypted. Without this, an encrypted manifest is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decryption: Option<Decryption>,
    /// What `<+service.name>` and `<+service.variables.NAME>` stand for in paths, values and settings of the sources.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<VariableScope>,
    /// What `<+env.name>` and `<+env.variables.NAME>` stand for in paths, values and settings of the sources.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<VariableScope>,
    /// What is done with objects after they are rendered: Flux's `spec.postBuild`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub post_build: Option<PostBuild>,
    /// What becomes of the objects when the Application is deleted.
    #[serde(default)]
    pub deletion_policy: DeletionPolicy,
    /// While this is there nothing is written: no sync, no healing, no deletion, not even that of the Application. It is
    /// still looked at, and its status is kept. Set by `sluice pause`, taken away by `sluice resume`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pause: Option<Pause>,
    /// While this is there the application is kept at this revision instead of `targetRevision`, by the automation too. Set by
    /// `sluice rollback`, taken away by `sluice resume`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pin: Option<Pin>,
}

impl ApplicationSpec {
    /// Returns its sources, in the order of the spec.
    pub fn sources(&self) -> impl Iterator<Item = &Source> {
        self.source.iter().chain(&self.sources)
    }

    /// Returns true for an object that two of its sources may give.
    pub fn allows_duplicate(&self, object: &Object) -> bool {
        self.allowed_duplicates.iter().any(|allowed| {
            (object.group(), object.kind(), object.name()) == (&allowed.group, &allowed.kind, &allowed.name)
                && allowed
                    .namespace
                    .as_deref()
                    .is_none_or(|namespace| object.namespace() == Some(namespace))
        })
    }

    /// Returns its sources with what tells each from the others; nothing does for one that is alone.
    pub fn named_sources(&self) -> impl Iterator<Item = (String, &Source)> {
        let alone = self.source.iter().map(|source| (String::new(), source));
        let several = self.sources.iter().map(|source| (source.given_name(), source));
        alone.chain(several)
    }
}

/// Why nothing is written.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Pause {
    /// For people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// Who paused it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub by: String,
}

/// A revision that is kept whatever comes after it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Pin {
    /// Branch, tag or commit; `sluice rollback` writes a commit. It must be trusted as any other, and may be older than what
    /// is trusted already. Of an Application of several `sources`: `NAME=REVISION,NAME=REVISION`; those that are not named are
    /// followed as ever.
    pub revision: String,
    /// For people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// Who pinned it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub by: String,
}

/// Fields of some objects.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct IgnoreDifference {
    /// API group of the objects; empty for the core group, `*` for any.
    #[serde(default)]
    pub group: String,
    /// Kind of the objects; `*` for any.
    pub kind: String,
    /// Only the object of this name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Only objects in this namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// RFC 6901, e.g. `/spec/replicas`; `*` for any one part, and `[name=web]` for the entry of a list.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub json_pointers: Vec<String>,
    /// Paths in jq's language, e.g. `.spec.template.spec.containers[] | select(.name == "web") | .image`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub jq_path_expressions: Vec<String>,
    /// Every field that one of these field managers has on record.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub managed_fields_managers: Vec<String>,
}

/// An object that two sources may give.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AllowedDuplicate {
    /// API group of the object; empty for the core group.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub group: String,
    /// Its kind.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Its namespace; any if missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
}

/// Names an object in the Application's namespace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LocalName {
    /// Its name.
    pub name: String,
}

/// Which cluster and namespace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Destination {
    /// Cluster by name. Only `in-cluster`, the engine's own, for now.
    #[serde(default = "in_cluster")]
    pub name: String,
    /// Namespace of namespaced objects that name none; the Application's own by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// ServiceAccount of the Application's namespace as which everything of this Application is read and written; that
    /// of `sluice controller --default-service-account` by default, and the engine's own rights without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_account: Option<String>,
}

impl Default for Destination {
    fn default() -> Self {
        Self {
            name: in_cluster(),
            namespace: None,
            service_account: None,
        }
    }
}

fn in_cluster() -> String {
    "in-cluster".to_owned()
}

/// When and how syncs happen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SyncPolicy {
    /// Sync without being asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub automated: Option<Automated>,
    /// How a failed sync is tried again.
    #[serde(default)]
    pub retry: Retry,
    /// Options for the sync policies, e.g. `CreateNamespace=true`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sync_options: Vec<String>,
    /// Labels and annotations of the destination namespace, where `CreateNamespace=true` is among the options.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub managed_namespace_metadata: Option<NamespaceMetadata>,
    /// How long each wave, each hook, and the whole application after the last wave may take to become healthy; the operation
    /// has failed after that. A hook's own `sluice.dev/hook-timeout` goes before.
    #[serde(default = "health_timeout")]
    pub health_timeout: String,
}

fn health_timeout() -> String {
    "10m".to_owned()
}

impl Default for SyncPolicy {
    fn default() -> Self {
        Self {
            automated: None,
            retry: Retry::default(),
            sync_options: Vec::new(),
            managed_namespace_metadata: None,
            health_timeout: health_timeout(),
        }
    }
}

/// Labels and annotations of a namespace. Those that others set stay.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NamespaceMetadata {
    /// Labels that the namespace is to have.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Annotations that the namespace is to have.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// What is done without being asked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Automated {
    /// Delete what Git no longer has, as far as the prune policies let it.
    #[serde(default)]
    pub prune: bool,
    /// Undo changes made in the cluster: at once, then, where the same drift comes back, after 2, 6, 18, 54, 162 and 300
    /// seconds. Ten minutes without drift start the count anew.
    #[serde(default)]
    pub self_heal: bool,
    /// Let a revision without any manifest count as desired state.
    #[serde(default)]
    pub allow_empty: bool,
}

/// How a failed sync is tried again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Retry {
    /// How often at most; the same revision and spec are left alone after that.
    #[serde(default = "retry_limit")]
    pub limit: u32,
    /// How long to wait in between.
    #[serde(default)]
    pub backoff: Backoff,
}

fn retry_limit() -> u32 {
    5
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            limit: retry_limit(),
            backoff: Backoff::default(),
        }
    }
}

/// A growing wait.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Backoff {
    /// The first wait, e.g. `5s`.
    #[serde(default = "backoff_duration")]
    pub duration: String,
    /// By what it grows each time.
    #[serde(default = "backoff_factor")]
    pub factor: u32,
    /// The longest wait, e.g. `3m`.
    #[serde(default = "backoff_max")]
    pub max_duration: String,
}

fn backoff_duration() -> String {
    "5s".to_owned()
}

fn backoff_factor() -> u32 {
    2
}

fn backoff_max() -> String {
    "3m".to_owned()
}

impl Default for Backoff {
    fn default() -> Self {
        Self {
            duration: backoff_duration(),
            factor: backoff_factor(),
            max_duration: backoff_max(),
        }
    }
}

/// Which plugins answer which question. An empty list means: the standard ones, then those of the plugin directory.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Policies {
    /// World `health-check`. The most specific claim is asked first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub health: Vec<PolicyRef>,
    /// World `prune-policy`. The most cautious verdict wins.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub prune: Vec<PolicyRef>,
    /// World `sync-policy`. Later ones override earlier ones.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sync: Vec<PolicyRef>,
}

/// One plugin and its settings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PolicyRef {
    /// Name of the plugin: its file's name without the extension.
    pub plugin: String,
    /// Handed to the plugin's `configure`.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    #[schemars(schema_with = "any_object")]
    pub settings: Map<String, Value>,
}

pub(crate) fn any_object(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({"type": "object", "x-kubernetes-preserve-unknown-fields": true})
}

/// What becomes of the objects when the Application is deleted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum DeletionPolicy {
    /// They stay, without an owner.
    #[default]
    Orphan,
    /// They are deleted, as far as the prune policies let them.
    Prune,
}

/// What the engine knows of an Application.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ApplicationStatus {
    /// The generation of the spec that this is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Is the cluster as Git wants it?
    #[serde(default)]
    pub sync: SyncState,
    /// Does it work?
    #[serde(default)]
    pub health: HealthState,
    /// `SourceReady`, `KeysReady`, `Verified`, `Rendered`, `Synced`, `Healthy`, `PluginsReady`, and while they hold `Paused` and
    /// `Pinned`: type, status, reason, message.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
    /// What was verified of `source`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verification: Option<VerificationState>,
    /// What was verified of each of `sources`, by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<SourceState>,
    /// The operation in progress, or the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<Operation>,
    /// How far the deletion of the Application is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deletion: Option<DeletionState>,
    /// True where the revision that was synced has hooks for the Application's deletion.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub deletion_hooks: bool,
    /// What waits for a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending_approval: Option<PendingApproval>,
    /// What it owned when deletions began to wait, at most two hundred tallies. As long as any waits, the policies on deletions are told
    /// no more than that: what a sync adds meanwhile must not make the share of what would go look smaller.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub owned_before: Vec<Tally>,
    /// The last operations, newest first, at most ten; at least five of them are successful syncs where there were so many.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<HistoryEntry>,
    /// How many objects it owns.
    #[serde(default)]
    pub objects: u32,
    /// The objects that need attention, at most fifty; never all of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attention: Vec<ObjectState>,
    /// What it wants of objects that are not its own, and what of its own it lets go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claims: Option<Claims>,
    /// Jobs that were seen to complete and have a time to live, each as `namespace/name@` and a digest of its manifest, at most
    /// two hundred: when the cluster removes such a Job it is not missing, and runs again only if its manifest changes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub completed: Vec<String>,
}

/// What is known of one of several sources.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SourceState {
    /// What tells it from the others.
    pub name: String,
    /// What was verified of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verification: Option<VerificationState>,
}

/// The revision of one of several sources.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SourceRevision {
    /// What tells the source from the others.
    pub name: String,
    /// The commit, full object id; of a chart or an artifact, the SHA-256 of its archive.
    pub revision: String,
    /// The chart's version, or the artifact's tag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

impl ApplicationStatus {
    /// Returns what was verified, with the name of the source; that of one that is alone is empty.
    pub fn verifications(&self) -> impl Iterator<Item = (&str, &VerificationState)> {
        let alone = self.verification.iter().map(|state| ("", state));
        let several = self.sources.iter();
        alone.chain(several.filter_map(|source| Some((source.name.as_str(), source.verification.as_ref()?))))
    }

    /// Returns what was verified of one source.
    pub fn verification_of(&self, source: &str) -> Option<&VerificationState> {
        let mut all = self.verifications();
        all.find(|(name, _)| *name == source).map(|(_, state)| state)
    }
}

impl SyncState {
    /// The cluster was moved to this revision; `version` is as [`SyncState::version`] has it.
    pub fn move_to(&mut self, revision: &str, version: Option<&str>) {
        revision.clone_into(&mut self.revision);
        self.version = version.map(str::to_owned);
        let named = crate::revisions::named(revision).unwrap_or_default();
        let revisions = named.into_iter().map(|(name, revision)| SourceRevision {
            name: name.to_owned(),
            revision: revision.to_owned(),
            version: version
                .and_then(|version| crate::revisions::of(version, name))
                .map(str::to_owned),
        });
        self.revisions = revisions.collect();
        (self.target, self.target_version) = (None, None);
    }
}

/// Is the cluster as Git wants it?
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SyncState {
    /// The answer.
    #[serde(default)]
    pub status: SyncStatus,
    /// The commit that the cluster was last moved to, full object id; of a chart or an artifact, the SHA-256 of its archive; empty before
    /// the first sync. Of an Application of several `sources` it is the commits of all, `NAME=COMMIT,NAME=COMMIT`.
    #[serde(default)]
    pub revision: String,
    /// The chart's version, or the artifact's tag, that this is. Of several sources, those of the charts and artifacts:
    /// `NAME=VERSION,NAME=VERSION`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The same of several sources, one by one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub revisions: Vec<SourceRevision>,
    /// The trusted commit that the cluster is compared with, where it is another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// Its version, written as `version` is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_version: Option<String>,
}

/// Is the cluster as Git wants it?
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum SyncStatus {
    /// The cluster is as Git wants it.
    Synced,
    /// The cluster differs from what Git wants.
    OutOfSync,
    /// It is not known.
    #[default]
    Unknown,
}

/// Kubernetes' usual condition (KEP-1623).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// What it is about.
    pub r#type: String,
    /// `True`, `False` or `Unknown`.
    pub status: String,
    /// One word: `Succeeded`, or the code and name of what failed.
    pub reason: String,
    /// For people: what happened, where, and a hint.
    pub message: String,
    /// Since when the status is what it is, RFC 3339.
    pub last_transition_time: String,
    /// The generation of the spec that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
}

/// How far the deletion of an Application is. Each stage is begun once the one before it is done, and never again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum DeletionState {
    /// Its `PreDelete` hooks run.
    PreDelete,
    /// Its objects are deleted.
    Objects,
    /// Its `PostDelete` hooks run.
    PostDelete,
}

/// Deletions that wait for `sluice approve`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PendingApproval {
    /// What to approve: the digest of the whole plan.
    pub plan_digest: String,
    /// How many deletions.
    pub count: u32,
    /// The first fifty, with the reason each is held for.
    pub deletions: Vec<ObjectState>,
}

/// An object that needs attention.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ObjectState {
    /// Kind and group, such as `Deployment.apps`.
    pub kind: String,
    /// None for cluster-scoped objects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// The object's name.
    pub name: String,
    /// Why: `OutOfSync`, a health status, `HeldDeletion`, `Kept`, `Failed`.
    pub state: String,
    /// For people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
}
