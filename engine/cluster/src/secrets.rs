//! What the API server says, without values of Secrets.
//!
//! Its refusal of a Secret quotes what it could not read, and webhooks and policies may quote anything. So of what is said about a
//! Secret only what is understood is kept: who refuses, the field, the kind of mistake, which the Secret itself shows
//! ([`sluice_model::secret::mistakes`]). What is said about anything else is kept, but for the known values.
//!
//! Every answer comes through [`ClusterError::told`], so that no error, log or status can have more.

use std::sync::{Arc, OnceLock};

use sluice_model::Object;
use sluice_model::secret::{Redactor, has_secrets, is_named, mistakes};

use crate::connect::Cluster;
use crate::error::ClusterError;
use crate::words::{Meaning, Words};

/// What is said where nothing of what the server says is understood.
const UNSAID: &str = "the words are not shown, since they may quote the Secret";

/// The objects of whose Secrets the values are known. They are looked through when the first text has to be shown.
#[derive(Default)]
pub(crate) struct Hidden {
    objects: Vec<Object>,
    redactor: OnceLock<Redactor>,
}

impl Hidden {
    fn redactor(&self) -> &Redactor {
        self.redactor.get_or_init(|| Redactor::of(&self.objects))
    }
}

impl Cluster {
    /// The same connection, which keeps the values of the Secrets among these objects out of all that the server says.
    pub fn hiding<'o>(&self, objects: impl IntoIterator<Item = &'o Object>) -> Self {
        let mut more: Vec<Object> = objects.into_iter().cloned().collect();
        if !more.iter().any(has_secrets) {
            return self.clone();
        }
        more.extend(self.hidden.objects.iter().cloned());
        Self {
            hidden: Arc::new(Hidden {
                objects: more,
                redactor: OnceLock::new(),
            }),
            ..self.clone()
        }
    }

    /// Takes the values that [`Cluster::hiding`] knows out of a text of a webhook or a plugin.
    pub fn redact(&self, text: &mut String) {
        if !text.is_empty() && !self.hidden.objects.is_empty() {
            self.hidden.redactor().redact(text);
        }
    }

    /// An error as it may be told. `sent` is the body of a request about a Secret, empty where it has none.
    pub(crate) fn told(&self, error: ClusterError, sent: Option<&[u8]>) -> ClusterError {
        let mut error = match sent {
            Some(body) => {
                let secret = serde_json::from_slice(body)
                    .ok()
                    .and_then(|body| Object::new(body).ok());
                about_secret(error, secret.as_ref())
            }
            None => error,
        };
        if let Some(text) = words(&mut error) {
            self.redact(text);
        }
        error
    }
}

/// True for a request about Secrets: `/api/v1/namespaces/a/secrets/b`.
pub(crate) fn is_about_secrets(path: &str) -> bool {
    let mut parts = path.trim_matches('/').split('/');
    let is_core = parts.next() == Some("api") && parts.next().is_some();
    let resource = match parts.next() {
        // The name of the namespace comes before the resource; without one it is the namespace that is meant.
        Some("namespaces") => parts.nth(1),
        other => other,
    };
    is_core && resource == Some("secrets")
}

/// The words in an error that are not ours.
fn words(error: &mut ClusterError) -> Option<&mut String> {
    match error {
        ClusterError::Configuration { detail } | ClusterError::Unreachable { detail, .. } => Some(detail),
        ClusterError::Unauthorised { message }
        | ClusterError::Forbidden { message }
        | ClusterError::Quota { message }
        | ClusterError::NotFound { message, .. }
        | ClusterError::Modified { message, .. }
        | ClusterError::Throttled { message, .. }
        | ClusterError::Webhook { message }
        | ClusterError::Refused { message, .. } => Some(message),
        ClusterError::Admission { message } | ClusterError::Invalid { message, .. } => {
            Some(message.text_mut())
        }
        // Names of fields, managers and kinds.
        ClusterError::Conflict { .. } | ClusterError::UnknownKind { .. } | ClusterError::GroupDown { .. } => {
            None
        }
    }
}

/// An error about a Secret, with its words replaced by ours.
fn about_secret(error: ClusterError, secret: Option<&Object>) -> ClusterError {
    match error {
        ClusterError::Unauthorised { .. } => ClusterError::Unauthorised {
            message: "Unauthorized".to_owned(),
        },
        ClusterError::Forbidden { message } => ClusterError::Forbidden {
            message: may_not(&message).unwrap_or_else(|| format!("the request is forbidden; {UNSAID}")),
        },
        ClusterError::Admission { message } => ClusterError::Admission {
            message: admission(&message),
        },
        ClusterError::Quota { message } => ClusterError::Quota {
            message: quota(&message),
        },
        ClusterError::Invalid { message, fields } => ClusterError::Invalid {
            message: invalid(&message, &fields, secret),
            fields: fields
                .iter()
                .filter_map(|field| is_named(secret?, field))
                .collect(),
        },
        ClusterError::NotFound { message, namespace } => ClusterError::NotFound {
            message: match &namespace {
                Some(namespace) => format!("namespaces \"{namespace}\" not found"),
                None => not_found(&message).unwrap_or_else(|| "there is no such Secret".to_owned()),
            },
            namespace,
        },
        ClusterError::Modified { message, exists } => ClusterError::Modified {
            message: modified(&message, exists).to_owned(),
            exists,
        },
        ClusterError::Throttled { message, retry_after } => ClusterError::Throttled {
            message: causes(&message).unwrap_or("it asks for patience").to_owned(),
            retry_after,
        },
        ClusterError::Webhook { message } => ClusterError::Webhook {
            message: webhook(&message),
        },
        // What it cannot decode is an error of its own to it, in some versions.
        ClusterError::Refused { message, .. }
            if DECODING.iter().any(|words| message.contains(words))
                && secret.is_some_and(|secret| !mistakes(secret).is_empty()) =>
        {
            ClusterError::Invalid {
                message: invalid(&message, &[], secret),
                fields: Vec::new(),
            }
        }
        ClusterError::Refused { status, message } => ClusterError::Refused {
            status,
            message: causes(&message).unwrap_or(UNSAID).to_owned(),
        },
        ClusterError::Configuration { .. }
        | ClusterError::Unreachable { .. }
        | ClusterError::Conflict { .. }
        | ClusterError::UnknownKind { .. }
        | ClusterError::GroupDown { .. } => error,
    }
}

/// In words like these the server says that what it was given has another form than the kind.
const DECODING: &[&str] = &[
    "illegal base64",
    "cannot unmarshal",
    "unrecognized type",
    "decod",
    "json: ",
    "expected ",
];

/// True for text that can only be a name, a path or a number.
fn is_plain(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 253
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-_.:/".contains(&b))
}

/// The name that follows some words, in quotes of either kind.
fn name_after<'m>(message: &'m str, words: &str) -> Option<&'m str> {
    let (_, rest) = message.split_once(words)?;
    let rest = rest.trim_start();
    let quote = rest.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
    let (name, _) = rest.get(1..)?.split_once(quote)?;
    Some(name).filter(|name| is_plain(name))
}

/// `User "u" cannot patch resource "secrets" in API group "" in the namespace "n"`.
fn may_not(message: &str) -> Option<String> {
    let user = name_after(message, "User ")?;
    let (_, rest) = message.split_once(" cannot ")?;
    let (verb, _) = rest.split_once(' ')?;
    let place = match name_after(message, "in the namespace ") {
        Some(namespace) => format!("in the namespace \"{namespace}\""),
        None => "at the cluster scope".to_owned(),
    };
    is_plain(verb)
        .then(|| format!("User \"{user}\" cannot {verb} resource \"secrets\" in API group \"\" {place}"))
}

fn admission(message: &str) -> Words {
    let who = if let Some(name) = name_after(message, "admission webhook ") {
        format!("admission webhook \"{name}\"")
    } else if let Some((policy, binding)) = policy(message) {
        format!("ValidatingAdmissionPolicy '{policy}' with binding '{binding}'")
    } else {
        "admission".to_owned()
    };
    if message.contains("does not support dry run") {
        let text = format!("{who} does not support dry run");
        return Words::instead(text, Meaning::NoDryRun);
    }
    if message.contains("because it is being terminated") {
        let text = "the namespace is being terminated, and takes no new objects";
        return Words::instead(text, Meaning::Terminating);
    }
    let missing = not_found(message).map_or(String::new(), |missing| format!("; {missing}"));
    let meaning = Meaning::of(message, Meaning::Withheld);
    let immutable = match meaning {
        Meaning::Immutable => "; a field is immutable",
        _ => "",
    };
    let text = format!("{who} denied the request; {UNSAID}{missing}{immutable}");
    Words::instead(text, meaning)
}

fn policy(message: &str) -> Option<(&str, &str)> {
    let policy = name_after(message, "AdmissionPolicy ")?;
    Some((policy, name_after(message, "with binding ")?))
}

fn quota(message: &str) -> String {
    let (_, rest) = message.split_once("exceeded quota: ").unwrap_or_default();
    let is_count = |c: char| c.is_ascii_alphanumeric() || "-_./=:, ".contains(c);
    match !rest.is_empty() && rest.chars().all(is_count) {
        true => format!("exceeded quota: {rest}"),
        false => "exceeded quota".to_owned(),
    }
}

/// `serviceaccount "x" not found`, wherever it stands in a message.
fn not_found(message: &str) -> Option<String> {
    let (before, _) = message.split_once("\" not found")?;
    let (before, name) = before.rsplit_once('"')?;
    let kind = before.trim_end().rsplit(' ').next().unwrap_or_default();
    (is_plain(kind) && is_plain(name)).then(|| format!("{kind} \"{name}\" not found"))
}

fn modified(message: &str, exists: bool) -> &'static str {
    match exists {
        true => "it exists already",
        false if message.contains("UID") || message.contains("uid mismatch") => "it is another object by now",
        false => "the object has been modified",
    }
}

fn webhook(message: &str) -> String {
    let who = name_after(message, "failed calling webhook ").unwrap_or("?");
    let service = not_found(message).or_else(|| {
        let service = name_after(message, "no endpoints available for service ")?;
        Some(format!("no endpoints available for service \"{service}\""))
    });
    let why = match (&service, causes(message)) {
        (Some(service), _) => service.as_str(),
        (None, Some(cause)) => cause,
        (None, None) => UNSAID,
    };
    format!("failed calling webhook \"{who}\": {why}")
}

/// What is known of failures that have nothing to do with what an object holds.
fn causes(message: &str) -> Option<&'static str> {
    const KNOWN: &[&str] = &[
        "connection refused",
        "connection reset by peer",
        "no such host",
        "i/o timeout",
        "context deadline exceeded",
        "certificate signed by unknown authority",
        "certificate has expired",
        "certificate is not valid",
        "request is too large",
        "Request entity too large",
        "trying to send message larger than max",
        "too many requests",
        "Too many requests",
        "etcdserver: request timed out",
        "etcdserver: leader changed",
        "the server is currently unable to handle the request",
        "too old resource version",
        "resourceVersion should not be set on objects to be created",
    ];
    KNOWN.iter().find(|known| message.contains(**known)).copied()
}

/// The kinds of mistake that the server itself knows, what is told of them, and what they mean.
const KINDS: &[(&str, &str, Meaning)] = &[
    (
        "field is immutable when `immutable` is set",
        "field is immutable when `immutable` is set",
        Meaning::Immutable,
    ),
    ("field is immutable", "field is immutable", Meaning::Immutable),
    ("Required value", "a value is required", Meaning::Plain),
    (
        "secret contents redacted",
        "the value is not what this type of Secret holds",
        Meaning::Plain,
    ),
    (
        "Too long",
        "too long; all values together may have 1 MiB",
        Meaning::Plain,
    ),
    (
        "Unsupported value",
        "not one of the values that are supported",
        Meaning::Plain,
    ),
    ("Duplicate value", "given twice", Meaning::Plain),
    (
        "does not support dry run",
        "it does not support dry run",
        Meaning::NoDryRun,
    ),
];

/// The fields and the kinds of mistake: those that the Secret shows, and those that the server names.
fn invalid(message: &str, fields: &[String], secret: Option<&Object>) -> Words {
    let mut told = secret.map(mistakes).unwrap_or_default();
    let kind = KINDS.iter().find(|(words, ..)| message.contains(words));
    let named = fields.iter().filter_map(|field| is_named(secret?, field));
    for field in named {
        let known = told.iter().any(|mistake| mistake.starts_with(&field));
        if !known || kind.is_some() {
            let kind = kind.map_or("the server does not take the value", |(_, told, _)| told);
            let line = format!("{field}: {kind}");
            if !told.contains(&line) {
                told.push(line);
            }
        }
    }
    let meaning = kind.map_or(Meaning::Plain, |(.., meaning)| *meaning);
    match (told.is_empty(), kind) {
        (false, _) => Words::instead(told.join("; "), meaning),
        (true, Some((_, kind, _))) => Words::instead(*kind, meaning),
        (true, None) => {
            let text = format!("the server does not take the Secret; {UNSAID}");
            Words::instead(text, Meaning::Withheld)
        }
    }
}

#[cfg(test)]
mod random;
#[cfg(test)]
mod tests;
