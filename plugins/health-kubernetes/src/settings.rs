//! What a sync does not wait for.

use serde_json::Value;
use sluice_plugin::{Problem, Settings, Verdict};

pub(crate) const SCHEMA: &str = r##"{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "type": "object",
  "additionalProperties": false,
  "properties": {
    "loadBalancers": {
      "description": "Whether a sync waits until an Ingress or a Service of type LoadBalancer has an address; `wait` by default.",
      "enum": ["wait", "pass"]
    },
    "firstConsumers": {
      "description": "Whether a sync waits for a claim that waits for the first Pod that uses it; `pass` by default.",
      "enum": ["wait", "pass"]
    },
    "endpoints": {
      "description": "Whether a sync waits until a Service with a selector has an endpoint that is ready; `pass` by default.",
      "enum": ["wait", "pass"]
    }
  }
}"##;

/// Whether something is waited for that may never come by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wait {
    /// Until it comes: progressing.
    For,
    /// Not at all: suspended, which is neither healthy nor an obstacle.
    Pass,
}

impl Wait {
    /// What an object is that has not got it yet.
    pub(crate) fn verdict(self, reason: &str) -> Verdict {
        match self {
            Self::For => Verdict::Progressing(reason.to_owned()),
            Self::Pass => Verdict::Suspended(reason.to_owned()),
        }
    }
}

/// The settings.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Waits {
    pub(crate) load_balancers: Wait,
    pub(crate) first_consumers: Wait,
    pub(crate) endpoints: Wait,
}

impl Waits {
    /// Reads the settings; the engine has held them against [`SCHEMA`], tests and other hosts may not have.
    pub(crate) fn read(settings: &Settings) -> Result<Self, Vec<Problem>> {
        const KNOWN: [&str; 3] = ["loadBalancers", "firstConsumers", "endpoints"];
        let mut problems = settings.unknown(&KNOWN);
        let mut wait = |key: &str, default: Wait| match settings.get(key).map(Value::as_str) {
            None => default,
            Some(Some("wait")) => Wait::For,
            Some(Some("pass")) => Wait::Pass,
            Some(_) => {
                problems.push(Problem::new(&format!("/{key}"), "it is `wait` or `pass`"));
                default
            }
        };
        let waits = Self {
            load_balancers: wait("loadBalancers", Wait::For),
            first_consumers: wait("firstConsumers", Wait::Pass),
            endpoints: wait("endpoints", Wait::Pass),
        };
        match problems.is_empty() {
            true => Ok(waits),
            false => Err(problems),
        }
    }
}
