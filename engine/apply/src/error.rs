//! Why a plan was not done, or not to its end.

use sluice_cluster::ClusterError;
use sluice_model::ObjectRef;
use sluice_model::error::{Coded, ErrorCode};
use sluice_model::health::HealthVerdict;
use sluice_model::manifest::Origin;

use crate::codes;

/// A plan that was not done to its end.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// It has another form than this version knows.
    #[error("the plan has the form `{found}`, not `{known}`")]
    PlanVersion {
        /// What it says.
        found: String,
        /// What is known.
        known: &'static str,
    },
    /// It says itself that it must wait.
    #[error("the plan is blocked: {}", .reasons.join("; "))]
    Blocked {
        /// The reasons, one for each object.
        reasons: Vec<String>,
    },
    /// What it was made for is no longer so. Nothing was written.
    #[error("the cluster moved on since the plan was made: {}", .objects.join("; "))]
    MovedOn {
        /// Which objects, and how.
        objects: Vec<String>,
    },
    /// The rehearsal found refusals. Nothing was written.
    #[error("the API server refuses {} of the plan's objects:{}", .refusals.len(), refusals_text(.refusals))]
    Refused {
        /// All of them.
        refusals: Vec<Refusal>,
    },
    /// Steps failed.
    #[error("{} of the plan's steps failed:{}", .refusals.len(), refusals_text(.refusals))]
    Steps {
        /// All of them.
        refusals: Vec<Refusal>,
    },
    /// A wave did not get healthy.
    #[error("{wave} did not become healthy: {object} is {:?}{}{}", .verdict.status, said(.verdict), by(.verdict))]
    Unhealthy {
        /// `Sync wave 2`.
        wave: String,
        /// Which object.
        object: Box<ObjectRef>,
        /// What its policy said.
        verdict: Box<HealthVerdict>,
        /// True where time ran out.
        late: bool,
    },
    /// A deleted object is still there.
    #[error("{object} was deleted and is still there after {seconds} s{}", held_by(.finalizers))]
    StillThere {
        /// The object.
        object: Box<ObjectRef>,
        /// How long was waited.
        seconds: u64,
        /// What holds it.
        finalizers: Vec<String>,
    },
    /// The plan has a Secret whose values were not handed in.
    #[error("{object} is not among the manifests")]
    NoManifest {
        /// The object.
        object: Box<ObjectRef>,
    },
    /// The caller gave up.
    #[error("{reason}")]
    Abandoned {
        /// The reason, for people.
        reason: String,
    },
    /// The ApplySet's record on the Application could not be written. Nothing else was.
    #[error("the members cannot be recorded on the Application")]
    Parent(#[source] ClusterError),
    /// A CRD is stored and not served.
    #[error("{object} is not established after {seconds} s")]
    NotEstablished {
        /// The object.
        object: Box<ObjectRef>,
        /// How long was waited.
        seconds: u64,
    },
}

/// One object that the server refused.
#[derive(Debug)]
pub struct Refusal {
    /// The object.
    pub object: ObjectRef,
    /// Where it is written.
    pub origin: Option<Origin>,
    /// The code of the refusal.
    pub code: &'static ErrorCode,
    /// Code and words of the refusal, the field first, in one line. No value of a Secret is in it (`sluice_cluster`).
    pub message: String,
    /// What to do.
    pub hint: String,
}

impl Refusal {
    pub(crate) fn new(object: ObjectRef, origin: Option<Origin>, error: &ClusterError) -> Self {
        Self {
            object,
            origin,
            code: error.code(),
            message: format!("{}: {}", error.code().id, words(&error.to_string())),
            hint: error.hint(),
        }
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.object)?;
        if let Some(origin) = &self.origin {
            write!(f, " ({origin})")?;
        }
        write!(f, ": {}", self.message)
    }
}

/// At most this many refusals are written out in one message: conditions have a limit, people too.
const SHOWN: usize = 10;
/// So many characters of what the server says about one object are shown, so that all that are shown fit into a condition.
const LONGEST: usize = 300;

/// One refusal follows in the line, several have a line each.
fn refusals_text(refusals: &[Refusal]) -> String {
    if let [only] = refusals {
        return format!(" {only}");
    }
    let mut lines: Vec<String> = refusals.iter().take(SHOWN).map(ToString::to_string).collect();
    if refusals.len() > SHOWN {
        lines.push(format!("and {} more", refusals.len() - SHOWN));
    }
    lines.iter().map(|line| format!("\n  {line}")).collect()
}

/// The server's words in one line, without the object that they begin with: the reader knows it, and wants the field.
fn words(message: &str) -> String {
    let message = message.trim();
    let mut words = without_object(message).unwrap_or(message).trim();
    if let Some(inner) = words.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')) {
        words = inner;
    }
    let lines: Vec<&str> = words
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    let mut line = lines.join("; ").replace("errors:; ", "");
    if let Some((end, _)) = line.char_indices().nth(LONGEST) {
        line.truncate(end);
        line.push('…');
    }
    line
}

/// What comes after `Deployment.apps "web" is invalid: ` and its like.
fn without_object(message: &str) -> Option<&str> {
    if let Some(rest) = message.strip_prefix("failed to create typed patch object (") {
        return rest.split_once("): ").map(|(_, rest)| rest);
    }
    if let Some((_, rest)) = message.split_once(" cannot be handled as a ") {
        return rest.split_once(": ").map(|(_, rest)| rest);
    }
    let (kind, rest) = message.split_once(" \"")?;
    let (_, rest) = rest.split_once("\" is ")?;
    let rest = ["invalid: ", "forbidden: "]
        .into_iter()
        .find_map(|word| rest.strip_prefix(word))?;
    kind.chars()
        .all(|c| c.is_ascii_alphanumeric() || c == '.' || c == '-')
        .then_some(rest)
}

fn said(verdict: &HealthVerdict) -> String {
    match verdict.message.is_empty() {
        true => String::new(),
        false => format!(": {}", verdict.message),
    }
}

fn by(verdict: &HealthVerdict) -> String {
    verdict
        .plugin
        .as_ref()
        .map(|plugin| format!(" (says plugin {plugin})"))
        .unwrap_or_default()
}

fn held_by(finalizers: &[String]) -> String {
    match finalizers.is_empty() {
        true => String::new(),
        false => format!(", held by {}", finalizers.join(", ")),
    }
}

impl Coded for ApplyError {
    fn code(&self) -> &'static ErrorCode {
        match self {
            Self::PlanVersion { .. } => &codes::PLAN_VERSION,
            Self::Blocked { .. } => &codes::BLOCKED,
            Self::MovedOn { .. } => &codes::MOVED_ON,
            Self::Refused { .. } => &codes::REFUSED,
            Self::Steps { .. } => &codes::STEP,
            Self::Unhealthy { late: false, .. } => &codes::UNHEALTHY,
            Self::Unhealthy { late: true, .. } => &codes::WAVE_TIMEOUT,
            Self::StillThere { .. } => &codes::STILL_THERE,
            Self::NoManifest { .. } => &codes::NO_MANIFEST,
            Self::Abandoned { .. } => &codes::ABANDONED,
            Self::Parent(_) => &codes::PARENT,
            Self::NotEstablished { .. } => &codes::NOT_ESTABLISHED,
        }
    }

    /// Where a single object was refused, its own hint says more than "correct it".
    fn hint(&self) -> String {
        match self {
            Self::Refused { refusals } | Self::Steps { refusals } => match refusals.as_slice() {
                [only] => only.hint.clone(),
                _ => self.code().hint.to_owned(),
            },
            _ => self.code().hint.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_field_comes_first_and_one_line_is_enough() {
        for (message, shown) in [
            (
                "Deployment.apps \"web\" is invalid: spec.replicas: Invalid value: -1",
                "spec.replicas: Invalid value: -1",
            ),
            (
                "Service \"a\" is invalid: [spec.x: Required value, spec.y: Required value]",
                "spec.x: Required value, spec.y: Required value",
            ),
            (
                "pods \"p\" is forbidden: violates PodSecurity \"restricted:latest\"",
                "violates PodSecurity \"restricted:latest\"",
            ),
            (
                "failed to create typed patch object (n/a; apps/v1, Kind=Deployment): errors:\n  .spec.a: field not declared in schema\n  .spec.b: field not declared in schema\n",
                ".spec.a: field not declared in schema; .spec.b: field not declared in schema",
            ),
            (
                "ConfigMap in version \"v1\" cannot be handled as a ConfigMap: strict decoding error: unknown field \"dataa\"",
                "strict decoding error: unknown field \"dataa\"",
            ),
            (
                "admission webhook \"w\" denied the request: \"a\" is invalid: no",
                "admission webhook \"w\" denied the request: \"a\" is invalid: no",
            ),
        ] {
            assert_eq!(words(message), shown);
        }
        assert_eq!(words(&"é".repeat(1_000)).chars().count(), LONGEST + 1);
    }

    #[test]
    fn each_object_has_a_line_and_the_rest_is_counted() {
        let refusal = |name: &str| {
            let object = ObjectRef {
                group: String::new(),
                version: "v1".to_owned(),
                kind: "Service".to_owned(),
                namespace: Some("n".to_owned()),
                name: name.to_owned(),
            };
            let message = format!("Service \"{name}\" is invalid: spec.x: Required value");
            Refusal::new(
                object,
                None,
                &ClusterError::Invalid {
                    message: message.into(),
                    fields: Vec::new(),
                },
            )
        };
        let one = ApplyError::Refused {
            refusals: vec![refusal("a")],
        };
        assert_eq!(
            one.to_string(),
            "the API server refuses 1 of the plan's objects: Service n/a: K17: spec.x: Required value"
        );
        let refusals: Vec<Refusal> = (0..12).map(|number| refusal(&format!("s{number}"))).collect();
        let text = ApplyError::Steps { refusals }.to_string();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 1 + SHOWN + 1);
        assert_eq!(
            (lines[0], lines[1], lines[11]),
            (
                "12 of the plan's steps failed:",
                "  Service n/s0: K17: spec.x: Required value",
                "  and 2 more",
            )
        );
    }
}
