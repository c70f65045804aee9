//! The documented failures of talking to a cluster.

use sluice_model::error::{ErrorCode, ExitKind};

/// No usable configuration.
pub const CONFIGURATION: ErrorCode = ErrorCode {
    id: "K10",
    summary: "there is no usable cluster configuration",
    hint: "set KUBECONFIG or --kubeconfig to a readable file, check --context against `kubectl config get-contexts`",
    exit: ExitKind::Input,
};
/// No answer.
pub const UNREACHABLE: ErrorCode = ErrorCode {
    id: "K11",
    summary: "the API server could not be reached",
    hint: "check that the cluster is up and that its address in the kubeconfig is right; the controller tries again by itself",
    exit: ExitKind::Cluster,
};
/// Who are you.
pub const UNAUTHORISED: ErrorCode = ErrorCode {
    id: "K12",
    summary: "the API server does not know who is asking",
    hint: "renew the token or client certificate of the kubeconfig's context, or of the Pod's service account",
    exit: ExitKind::Cluster,
};
/// You may not.
pub const FORBIDDEN: ErrorCode = ErrorCode {
    id: "K13",
    summary: "RBAC forbids the request",
    hint: "grant the engine's account what is named with a Role or ClusterRole; `kubectl auth can-i` says what it may",
    exit: ExitKind::Cluster,
};
/// An admission webhook or policy refuses the object.
pub const ADMISSION: ErrorCode = ErrorCode {
    id: "K14",
    summary: "admission control refused the object",
    hint: "change the manifest as the message asks, or the admission policy or webhook that refuses it",
    exit: ExitKind::Cluster,
};
/// A field belongs to another applier.
pub const CONFLICT: ErrorCode = ErrorCode {
    id: "K15",
    summary: "another field manager owns a field that would change",
    hint: "remove the field from the manifest to leave it to its manager, or have a sync policy force it: `sluice.dev/force-conflicts: \"true\"` on the object",
    exit: ExitKind::Cluster,
};
/// The object is larger than the API server takes.
pub const QUOTA: ErrorCode = ErrorCode {
    id: "K16",
    summary: "a quota would be exceeded",
    hint: "raise the ResourceQuota of the namespace or ask for less",
    exit: ExitKind::Cluster,
};
/// The API server refuses an object because of its fields.
pub const INVALID: ErrorCode = ErrorCode {
    id: "K17",
    summary: "the API server found the object invalid",
    hint: "correct in Git what the message names",
    exit: ExitKind::Cluster,
};
/// Not there.
pub const NOT_FOUND: ErrorCode = ErrorCode {
    id: "K18",
    summary: "the cluster has no such object",
    hint: "check namespace and name; it may have been deleted meanwhile",
    exit: ExitKind::Cluster,
};
/// The API server asks for fewer requests.
pub const THROTTLED: ErrorCode = ErrorCode {
    id: "K19",
    summary: "the API server is busy",
    hint: "nothing has to be done: it is tried again when the server asks for it; lower --concurrency if it lasts",
    exit: ExitKind::Cluster,
};
/// It changed meanwhile.
pub const MODIFIED: ErrorCode = ErrorCode {
    id: "K20",
    summary: "the object changed in the meantime",
    hint: "make a new plan, as the controller does by itself; it takes what changed into account",
    exit: ExitKind::Cluster,
};
/// Any other answer.
pub const REFUSED: ErrorCode = ErrorCode {
    id: "K21",
    summary: "the API server failed or refused for a reason of its own",
    hint: "the API server's own log says more",
    exit: ExitKind::Cluster,
};
/// An unknown kind.
pub const UNKNOWN_KIND: ErrorCode = ErrorCode {
    id: "K22",
    summary: "the cluster does not serve this kind",
    hint: "add its CustomResourceDefinition to the manifests or to the cluster, or correct apiVersion and kind",
    exit: ExitKind::Input,
};
/// A webhook is down.
pub const WEBHOOK: ErrorCode = ErrorCode {
    id: "K23",
    summary: "an admission webhook could not be called",
    hint: "see whether the program behind the webhook's Service runs; what mends it in the same commit is applied first; until it answers, the API server refuses every object that it has to ask it about",
    exit: ExitKind::Cluster,
};
/// An API of others is down.
pub const GROUP_DOWN: ErrorCode = ErrorCode {
    id: "K27",
    summary: "the server behind an API group does not answer, so it is not known what there is of its kinds",
    hint: "`kubectl get apiservices` names it and says why; it is tried again by itself, and nothing is deleted until then",
    exit: ExitKind::Cluster,
};

/// Every code of this crate.
pub const ALL: &[&ErrorCode] = &[
    &CONFIGURATION,
    &UNREACHABLE,
    &UNAUTHORISED,
    &FORBIDDEN,
    &ADMISSION,
    &CONFLICT,
    &QUOTA,
    &INVALID,
    &NOT_FOUND,
    &THROTTLED,
    &MODIFIED,
    &REFUSED,
    &UNKNOWN_KIND,
    &WEBHOOK,
    &GROUP_DOWN,
];
