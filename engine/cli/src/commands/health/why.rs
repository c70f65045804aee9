//! Why an object was judged as it was: by which claim and rule of its plugin, and what the plugins looked at.

use std::collections::BTreeMap;

use serde::Serialize;
use sluice_model::related::{Need, Seen, Selection};
use sluice_plugin_host::{Examined, HealthClaim};

/// The reasons; with `-o json` fields of the object's line.
#[derive(Debug, Serialize)]
pub(super) struct Why {
    /// The claim of the plugin that decided.
    pub(super) claim: Option<String>,
    rule: Option<String>,
    read: Vec<String>,
    related: Vec<Beside>,
}

/// Objects that a check asked to see.
#[derive(Debug, Serialize)]
struct Beside {
    kind: String,
    #[serde(flatten)]
    which: Which,
    /// Whether it was told.
    known: bool,
    /// For people.
    #[serde(skip)]
    words: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
enum Which {
    OwnedBy(String),
    Named(String),
    Labels(BTreeMap<String, String>),
    About(String),
}

impl Why {
    /// `claims` are those by which plugins are asked about the object, and `uid` is its own. `names` says what objects are called, by their
    /// uids.
    pub(super) fn new(
        examined: &Examined,
        claims: &[HealthClaim],
        uid: Option<&str>,
        names: &BTreeMap<String, String>,
    ) -> Self {
        let decided = claims
            .iter()
            .find(|claim| Some(&claim.plugin) == examined.verdict.plugin.as_ref());
        let claim = decided.and_then(|decided| decided.claim.as_ref());
        let name = |other: &str| match names.get(other) {
            _ if uid == Some(other) => "it".to_owned(),
            Some(name) => name.clone(),
            None => format!("the object with the uid {other}"),
        };
        Self {
            claim: claim.map(ToString::to_string),
            rule: examined.rule.clone(),
            read: examined.read.clone(),
            related: examined.seen.iter().map(|seen| beside(seen, name)).collect(),
        }
    }

    /// For people, but for the claim.
    pub(super) fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if let Some(rule) = &self.rule {
            lines.push(format!("rule: {rule}"));
        }
        let field = |pointer: &String| match pointer.is_empty() {
            true => "the whole object".to_owned(),
            false => pointer.clone(),
        };
        if !self.read.is_empty() {
            let read: Vec<String> = self.read.iter().map(field).collect();
            lines.push(format!("read: {}", read.join(", ")));
        }
        if !self.related.is_empty() {
            let related: Vec<&str> = self.related.iter().map(|beside| beside.words.as_str()).collect();
            lines.push(format!("beside it: {}", related.join(", ")));
        }
        lines
    }
}

fn beside(seen: &Seen, name: impl Fn(&str) -> String) -> Beside {
    let Need { kind, selection, .. } = &seen.need;
    let (which, words) = match selection {
        Selection::OwnedBy(uid) => (Which::OwnedBy(uid.clone()), format!("owned by {}", name(uid))),
        Selection::Named(named) => (Which::Named(named.clone()), format!("called {named}")),
        Selection::About(uid) => (Which::About(uid.clone()), format!("about {}", name(uid))),
        Selection::Labelled(labels) => {
            let pairs: Vec<String> = labels
                .iter()
                .map(|(key, value)| format!("{key}={value}"))
                .collect();
            let words = format!("labelled {}", pairs.join(" "));
            (Which::Labels(labels.iter().cloned().collect()), words)
        }
    };
    let known = seen.states.is_some();
    let unknown = match known {
        true => "",
        false => " (not known)",
    };
    Beside {
        kind: kind.to_string(),
        which,
        known,
        words: format!("{kind} {words}{unknown}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use sluice_model::GroupKind;
    use sluice_model::health::HealthVerdict;

    fn seen(kind: &str, selection: Selection, states: Option<u64>) -> Seen {
        let need = Need {
            namespace: Some("shop".to_owned()),
            kind: GroupKind::new("", kind),
            selection,
        };
        Seen { need, states }
    }

    #[test]
    fn what_a_verdict_rests_on_is_told_to_people_and_to_programs() {
        let text = str::to_owned;
        let labels = vec![
            ("app".to_owned(), "web".to_owned()),
            ("tier".to_owned(), "front".to_owned()),
        ];
        let examined = Examined {
            verdict: HealthVerdict {
                plugin: Some(text("b")),
                ..HealthVerdict::no_opinion()
            },
            seen: vec![
                seen("Pod", Selection::OwnedBy(text("1")), Some(7)),
                seen("Pod", Selection::OwnedBy(text("2")), Some(7)),
                seen("Pod", Selection::OwnedBy(text("3")), None),
                seen("Secret", Selection::Named(text("tls")), Some(0)),
                seen("Pod", Selection::Labelled(labels), Some(0)),
                seen("Event", Selection::About(text("1")), Some(0)),
            ],
            rule: Some(text("rollout")),
            read: vec![String::new(), text("/spec/replicas")],
        };
        let claim = |plugin: &str| HealthClaim {
            plugin: plugin.to_owned(),
            claim: None,
        };
        let names = BTreeMap::from([(text("2"), text("ReplicaSet/web"))]);
        let why = Why::new(&examined, &[claim("a"), claim("b")], Some("1"), &names);
        assert_eq!(
            why.lines(),
            [
                "rule: rollout",
                "read: the whole object, /spec/replicas",
                "beside it: Pod owned by it, Pod owned by ReplicaSet/web, Pod owned by the object with the uid 3 (not known), \
                 Secret called tls, Pod labelled app=web tier=front, Event about it",
            ]
        );
        assert_eq!(
            serde_json::to_value(&why).unwrap(),
            json!({"claim": null, "rule": "rollout", "read": ["", "/spec/replicas"], "related": [
                {"kind": "Pod", "ownedBy": "1", "known": true},
                {"kind": "Pod", "ownedBy": "2", "known": true},
                {"kind": "Pod", "ownedBy": "3", "known": false},
                {"kind": "Secret", "named": "tls", "known": true},
                {"kind": "Pod", "labels": {"app": "web", "tier": "front"}, "known": true},
                {"kind": "Event", "about": "1", "known": true},
            ]})
        );
    }

    #[test]
    fn what_nobody_said_is_left_out() {
        let examined = Examined {
            verdict: HealthVerdict::no_opinion(),
            seen: Vec::new(),
            rule: None,
            read: Vec::new(),
        };
        assert!(
            Why::new(&examined, &[], None, &BTreeMap::new())
                .lines()
                .is_empty()
        );
    }
}
