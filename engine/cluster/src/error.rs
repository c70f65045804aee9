//! What a refusal of the API server means.

use std::time::Duration;

use kube::core::Status;
use sluice_model::error::{Coded, ErrorCode};
use sluice_model::manager::{Manager, Operation};

use crate::codes;
use crate::words::{Meaning, Words};

/// A failed request to a cluster.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// No kubeconfig, an unreadable one, an unknown context, no account in the cluster.
    #[error("the cluster configuration cannot be used: {detail}")]
    Configuration {
        /// What is wrong with it.
        detail: String,
    },
    /// No connection, or none that lasted.
    #[error("the API server at {server} does not answer: {detail}")]
    Unreachable {
        /// Its address.
        server: String,
        /// The transport's own words.
        detail: String,
    },
    /// The API server does not know who asks (401).
    #[error("the API server does not accept our credentials: {message}")]
    Unauthorised {
        /// The server's words.
        message: String,
    },
    /// 403 by RBAC.
    #[error("{message}")]
    Forbidden {
        /// The server's words: who may not do what.
        message: String,
    },
    /// Refused by a webhook, an admission policy or a built-in admission plugin.
    #[error("{message}")]
    Admission {
        /// What is said.
        message: Words,
    },
    /// 409 of server-side apply.
    #[error("{}", conflicts_text(.conflicts))]
    Conflict {
        /// Which field, whose.
        conflicts: Vec<FieldConflict>,
    },
    /// 403 by a ResourceQuota.
    #[error("{message}")]
    Quota {
        /// The server's words.
        message: String,
    },
    /// 422, or 400 by strict decoding.
    #[error("{message}")]
    Invalid {
        /// What is said.
        message: Words,
        /// The fields it names.
        fields: Vec<String>,
    },
    /// The object is not there (404).
    #[error("{message}")]
    NotFound {
        /// The server's words.
        message: String,
        /// The namespace, where that is what is missing.
        namespace: Option<String>,
    },
    /// 409 of any other kind: changed, another uid, exists already.
    #[error("{message}")]
    Modified {
        /// The server's words.
        message: String,
        /// True where the object was expected not to exist.
        exists: bool,
    },
    /// 429, 502, 503, 504.
    #[error("the API server is busy: {message}")]
    Throttled {
        /// The server's words.
        message: String,
        /// When it wants to be asked again.
        retry_after: Option<Duration>,
    },
    /// An admission webhook that does not answer.
    #[error("{message}")]
    Webhook {
        /// The server's words.
        message: String,
    },
    /// Anything else.
    #[error("the API server answers {status}: {message}")]
    Refused {
        /// HTTP status.
        status: u16,
        /// The server's words.
        message: String,
    },
    /// The kind is not served.
    #[error("the cluster serves no kind `{kind}` of `{api_version}`")]
    UnknownKind {
        /// The API version, such as `apps/v1`.
        api_version: String,
        /// The kind, such as `Deployment`.
        kind: String,
    },
    /// An API group is registered, and its server does not say what it has.
    #[error("the API server cannot reach the server of `{group}`")]
    GroupDown {
        /// The API group, such as `metrics.k8s.io`.
        group: String,
    },
}

/// A field that another manager owns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldConflict {
    /// As the server writes it: `.spec.replicas`.
    pub field: String,
    /// The manager.
    pub manager: Manager,
}

impl FieldConflict {
    /// Reads `conflict with "kubectl" with subresource "scale" using apps/v1`. Only who wrote rather than applied has a version.
    fn read(field: &str, message: &str) -> Self {
        let rest = message.trim_start_matches("conflict with ");
        let mut quoted = rest.split('"').skip(1).step_by(2);
        let name = quoted.next().unwrap_or(rest).to_owned();
        let subresource = quoted.next().map(str::to_owned);
        Self {
            field: field.to_owned(),
            manager: Manager {
                name,
                operation: match rest.contains(" using ") {
                    true => Operation::Update,
                    false => Operation::Apply,
                },
                subresource,
            },
        }
    }
}

fn conflicts_text(conflicts: &[FieldConflict]) -> String {
    let list = conflicts
        .iter()
        .map(|c| format!("`{}` is owned by `{}`", c.field, c.manager))
        .collect::<Vec<_>>();
    format!("conflict with other field managers: {}", list.join(", "))
}

impl ClusterError {
    /// True where the same request may succeed later without anybody changing anything.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable { .. }
            | Self::Throttled { .. }
            | Self::Webhook { .. }
            | Self::GroupDown { .. } => true,
            Self::Refused { status, .. } => *status >= 500,
            Self::Configuration { .. }
            | Self::Unauthorised { .. }
            | Self::Forbidden { .. }
            | Self::Admission { .. }
            | Self::Conflict { .. }
            | Self::Quota { .. }
            | Self::Invalid { .. }
            | Self::NotFound { .. }
            | Self::Modified { .. }
            | Self::UnknownKind { .. } => false,
        }
    }

    /// When the server wants to be asked again.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Throttled { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// Returns true if this change to an object that exists is not taken, whatever the value. There is no machine-readable form of
    /// that; it is looked for in the server's words.
    pub fn is_immutable(&self) -> bool {
        self.means(Meaning::Immutable)
    }

    /// Returns true if a webhook cannot be asked without side effects, so that nothing can be tried.
    pub fn is_without_dry_run(&self) -> bool {
        self.means(Meaning::NoDryRun)
            || matches!(self, Self::Refused { message, .. } if Meaning::of(message, Meaning::Plain) == Meaning::NoDryRun)
    }

    fn means(&self, meaning: Meaning) -> bool {
        match self {
            Self::Invalid { message, .. } | Self::Admission { message } => message.mean(meaning),
            _ => false,
        }
    }

    /// True where an entry of the record of managers stands in the way: it is written at a version of the kind that lacks a field which
    /// the object has by now, or that the definition does not have any longer.
    pub fn is_of_recorded_version(&self) -> bool {
        matches!(self, Self::Invalid { message, .. } if cannot_convert(message))
    }

    /// True for "there is no such object".
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::NotFound { .. })
    }

    /// What an HTTP answer means that is no success. `body` is a `Status` in most cases, plain text in some (429).
    pub(crate) fn from_answer(code: u16, retry_after: Option<Duration>, body: &str) -> Self {
        match serde_json::from_str::<Status>(body) {
            Ok(status) if !status.message.is_empty() || !status.reason.is_empty() => {
                Self::from_status(code, retry_after, &status)
            }
            _ => {
                let mut plain = Status::failure(body.trim(), "");
                plain.code = code;
                Self::from_status(code, retry_after, &plain)
            }
        }
    }

    /// What a `Status` means.
    pub(crate) fn from_status(code: u16, retry_after: Option<Duration>, status: &Status) -> Self {
        let message = status.message.clone();
        let details = status.details.as_ref();
        let causes = details.map(|d| d.causes.as_slice()).unwrap_or_default();
        let denied = message.contains("denied the request") || message.contains("denied request");
        match code {
            _ if message.contains("failed calling webhook") => Self::Webhook { message },
            _ if denied => Self::Admission {
                message: message.into(),
            },
            // Server-side apply answers 500 to a field that the schema does not have, or that has another type.
            500 if message.contains("failed to create typed patch object") => Self::Invalid {
                fields: undeclared(&message),
                message: message.into(),
            },
            // The same at the version of an entry of the record of managers.
            500 if cannot_convert(&message) => Self::Invalid {
                fields: Vec::new(),
                message: message.into(),
            },
            401 => Self::Unauthorised { message },
            403 if message.contains("exceeded quota") => Self::Quota { message },
            403 if message.contains("cannot ") && message.contains(" is forbidden: User ")
                || status.details.is_none() =>
            {
                Self::Forbidden { message }
            }
            403 if message.contains("attempting to grant RBAC permissions") => Self::Forbidden { message },
            403 => Self::Admission {
                message: message.into(),
            },
            404 => Self::NotFound {
                namespace: details.filter(|d| d.kind == "namespaces").map(|d| d.name.clone()),
                message,
            },
            409 => {
                let conflicts: Vec<_> = causes
                    .iter()
                    .filter(|cause| cause.reason == "FieldManagerConflict")
                    .map(|cause| FieldConflict::read(&cause.field, &cause.message))
                    .collect();
                match conflicts.is_empty() {
                    true => Self::Modified {
                        exists: status.is_already_exists(),
                        message,
                    },
                    false => Self::Conflict { conflicts },
                }
            }
            400 | 422 => Self::Invalid {
                fields: causes
                    .iter()
                    .map(|cause| cause.field.clone())
                    .filter(|field| !field.is_empty())
                    .collect(),
                message: message.into(),
            },
            // 502: what stands before the server found no server there.
            429 | 502 | 503 | 504 => {
                let asked = details
                    .map(|d| d.retry_after_seconds)
                    .filter(|seconds| *seconds > 0);
                let retry_after =
                    retry_after.or(asked.map(|seconds| Duration::from_secs(u64::from(seconds))));
                Self::Throttled { message, retry_after }
            }
            status => Self::Refused { status, message },
        }
    }

    /// What a failure below HTTP means.
    pub(crate) fn from_kube(server: &str, error: kube::Error) -> Self {
        match error {
            kube::Error::Api(status) => Self::from_status(status.code, None, &status),
            kube::Error::InferConfig(_) | kube::Error::InferKubeconfig(_) | kube::Error::Auth(_) => {
                Self::Configuration {
                    detail: chain(&error),
                }
            }
            other => Self::Unreachable {
                server: server.to_owned(),
                detail: chain(&other),
            },
        }
    }
}

/// `.spec.a: field not declared in schema`, and not of what was sent.
fn cannot_convert(message: &str) -> bool {
    message.contains("field not declared in schema")
        && !message.contains("failed to create typed patch object")
        || message.contains("convert CR to an invalid group/version")
}

/// The fields that a message of server-side apply names as unknown: `.spec.x: field not declared in schema`.
fn undeclared(message: &str) -> Vec<String> {
    let field = |line: &str| {
        let (field, _) = line.split_once(": field not declared in schema")?;
        Some(field.rsplit(' ').next().unwrap_or(field).to_owned())
    };
    message.lines().filter_map(field).collect()
}

/// The last cause of an error: what the operating system or TLS had to say, without the layers' repetitions.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut innermost = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        innermost = cause.to_string();
        source = cause.source();
    }
    innermost
}

impl Coded for ClusterError {
    fn code(&self) -> &'static ErrorCode {
        match self {
            Self::Configuration { .. } => &codes::CONFIGURATION,
            Self::Unreachable { .. } => &codes::UNREACHABLE,
            Self::Unauthorised { .. } => &codes::UNAUTHORISED,
            Self::Forbidden { .. } => &codes::FORBIDDEN,
            Self::Admission { .. } => &codes::ADMISSION,
            Self::Conflict { .. } => &codes::CONFLICT,
            Self::Quota { .. } => &codes::QUOTA,
            Self::Invalid { .. } => &codes::INVALID,
            Self::NotFound { .. } => &codes::NOT_FOUND,
            Self::Modified { .. } => &codes::MODIFIED,
            Self::Throttled { .. } => &codes::THROTTLED,
            Self::Webhook { .. } => &codes::WEBHOOK,
            Self::Refused { .. } => &codes::REFUSED,
            Self::UnknownKind { .. } => &codes::UNKNOWN_KIND,
            Self::GroupDown { .. } => &codes::GROUP_DOWN,
        }
    }

    fn hint(&self) -> String {
        let special = match self {
            _ if self.means(Meaning::NoDryRun) => Some(NO_DRY_RUN),
            _ if self.means(Meaning::Terminating) => Some(TERMINATING),
            _ if self.is_of_recorded_version() => Some(OLD_RECORD),
            _ if self.is_immutable() => Some(IMMUTABLE),
            _ if self.means(Meaning::NotText) => Some(NOT_TEXT),
            _ if self.means(Meaning::Withheld) => Some(ASK_IT_YOURSELF),
            Self::Forbidden { message } if message.contains("attempting to grant RBAC permissions") => {
                Some(ESCALATION)
            }
            Self::NotFound {
                namespace: Some(_), ..
            } => Some(NO_NAMESPACE),
            _ => None,
        };
        special.unwrap_or(self.code().hint).to_owned()
    }
}

const NO_DRY_RUN: &str = "everything is tried before anything is written: have the webhook declare `sideEffects: None` or `NoneOnDryRun`, or leave the object out of its rules";
const TERMINATING: &str = "wait until the namespace is gone, or see which finalizers hold it; where Git has it, the next sync makes it anew";
const OLD_RECORD: &str = "an entry of `metadata.managedFields` is of a version of the kind that lacks the field: let its manager write the object at a newer version, or write the newer version into the entry (`kubectl patch --type=json`)";
const NOT_TEXT: &str =
    "put the value in quotes: without them `y`, `on`, `no`, `1` and `1.10` are no text to YAML";
const IMMUTABLE: &str = "give the field its old value in Git, or let the object be made anew: `sluice.dev/sync-strategy: recreate` on it";
const ASK_IT_YOURSELF: &str = "`kubectl apply --server-side --dry-run=server -f FILE` shows the words, with the Secret's values; then change the Secret, or what refuses it";
const ESCALATION: &str = "let the engine's account hold the rights that the role gives, or grant it the verb `escalate` on roles and `bind` on their bindings";
const NO_NAMESPACE: &str = "add the Namespace to the manifests, or sync with `CreateNamespace=true`";

#[cfg(test)]
mod tests;
