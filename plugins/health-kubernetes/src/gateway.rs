//! Gateway API: what a controller says of gateways and routes, by the conditions that the API's own documentation names
//! (<https://gateway-api.sigs.k8s.io/geps/gep-1364/>).
//!
//! A condition that is false is a fault: its controller has looked and says no. One that is missing or unknown is not there yet.

use serde_json::Value as Json;
use sluice_plugin::{Field, Object, Verdict};

use crate::{DELETION, deleting, healthy};

/// A class is good if its controller takes it.
pub(crate) fn class(object: &Object<'_>) -> Result<Verdict, String> {
    judged(object, "/status/conditions", |conditions, newest| {
        Standing::of(conditions, &["Accepted"], newest)
    })
}

/// A gateway, or a set of listeners, is good if it is accepted and set up.
pub(crate) fn gateway(object: &Object<'_>) -> Result<Verdict, String> {
    judged(object, "/status/conditions", |conditions, newest| {
        Standing::of(conditions, &["Accepted", "Programmed"], newest)
    })
}

/// A route is good if every gateway that it names takes it and all that it names is there.
pub(crate) fn route(object: &Object<'_>) -> Result<Verdict, String> {
    judged(object, "/status/parents", |parents, newest| {
        each(parents, |parent| {
            Standing::of(conditions_of(parent), &["Accepted", "ResolvedRefs"], newest)
        })
    })
}

/// A policy is good if it is taken for everything that it is attached to.
pub(crate) fn policy(object: &Object<'_>) -> Result<Verdict, String> {
    judged(object, "/status/ancestors", |ancestors, newest| {
        each(ancestors, |ancestor| {
            Standing::of(conditions_of(ancestor), &["Accepted"], newest)
        })
    })
}

/// What conditions come to, the worst last.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Standing {
    Good,
    NotYet(String),
    Refused(String),
}

impl Standing {
    /// Of those of these conditions that have to be true. An implementation may leave out what it has nothing to say of, but for the first.
    fn of(conditions: &Json, names: &[&str], newest: Option<i64>) -> Self {
        let list = conditions.as_array().map(Vec::as_slice).unwrap_or_default();
        let found = |name: &str| {
            list.iter()
                .find(|condition| condition.get("type").and_then(Json::as_str) == Some(name))
        };
        let standings = names.iter().enumerate().map(|(index, name)| match found(name) {
            Some(condition) => Self::of_one(condition, name, newest),
            None if index == 0 => Self::NotYet(format!("{name} is not known yet")),
            None => Self::Good,
        });
        standings.max().unwrap_or(Self::Good)
    }

    fn of_one(condition: &Json, name: &str, newest: Option<i64>) -> Self {
        let text = |key: &str| condition.get(key).and_then(Json::as_str).unwrap_or_default();
        let seen = condition.get("observedGeneration").and_then(Json::as_i64);
        if seen.zip(newest).is_some_and(|(seen, newest)| seen < newest) {
            return Self::NotYet("its controller has not seen the newest spec".to_owned());
        }
        let why = format!("{}: {}", text("reason"), text("message"));
        match text("status") {
            "True" => Self::Good,
            // The API's own word for what no controller has looked at.
            _ if text("reason") == "Pending" => Self::NotYet(why),
            "False" => Self::Refused(why),
            _ => Self::NotYet(format!("{name} is not known yet")),
        }
    }
}

/// The worst of several; nothing at all is not there yet.
fn each(list: &Json, standing: impl Fn(&Json) -> Standing) -> Standing {
    let list = list.as_array().map(Vec::as_slice).unwrap_or_default();
    let standings = list.iter().map(standing);
    standings
        .max()
        .unwrap_or_else(|| Standing::NotYet("no controller has looked at it yet".to_owned()))
}

fn conditions_of(value: &Json) -> &Json {
    value.get("conditions").unwrap_or(&Json::Null)
}

fn judged(
    object: &Object<'_>,
    pointer: &'static str,
    standing: impl Fn(&Json, Option<i64>) -> Standing,
) -> Result<Verdict, String> {
    let [deletion, generation, status] = object.fields([DELETION, "/metadata/generation", pointer]);
    if let Some(verdict) = deleting(&deletion, object) {
        return Ok(verdict);
    }
    let tree = tree(status)?;
    Ok(match standing(&tree, generation.integer()?) {
        Standing::Good => healthy(),
        Standing::NotYet(why) => Verdict::Progressing(why),
        Standing::Refused(why) => Verdict::Degraded(why),
    })
}

fn tree(field: Field) -> Result<Json, String> {
    match field.is_set() {
        true => field.tree(),
        false => Ok(Json::Null),
    }
}
