//! Objects of most kinds as a real API server (1.36) returned them after a server-side apply by `sluice`: nothing may
//! differ, and everything that Git changes must.
//!
//! `recorded/desired.jsonl` is what was applied (`kubectl apply --server-side --field-manager=sluice`),
//! `recorded/live.jsonl` what `kubectl get -o json --show-managed-fields` answered a few seconds later.

use serde_json::Value;
use sluice_compare::{compare, prepare};
use sluice_model::difference::Difference;
use sluice_model::object::Object;

/// What was applied, with what came back.
fn recorded() -> Vec<(Object, Object)> {
    let read = |text: &str| -> Vec<Object> {
        text.lines()
            .map(|line| Object::new(serde_json::from_str(line).expect("recorded JSON")).expect("an object"))
            .collect()
    };
    let (desired, live) = (
        read(include_str!("recorded/desired.jsonl")),
        read(include_str!("recorded/live.jsonl")),
    );
    let find = |object: Object| {
        let key = object.key();
        let found = live.iter().find(|live| live.key() == key).cloned();
        (
            object,
            found.unwrap_or_else(|| panic!("{key:?} was not recorded")),
        )
    };
    desired.into_iter().map(find).collect()
}

/// Pointers to every scalar.
fn scalars(value: &Value, pointer: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                scalars(
                    value,
                    &format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1")),
                    found,
                );
            }
        }
        Value::Array(entries) => {
            for (index, value) in entries.iter().enumerate() {
                scalars(value, &format!("{pointer}/{index}"), found);
            }
        }
        Value::Null => {}
        Value::Bool(_) | Value::Number(_) | Value::String(_) => found.push(pointer.to_owned()),
    }
}

/// Another value of the same type.
fn another(value: &Value) -> Value {
    match value {
        Value::Bool(value) => (!value).into(),
        Value::Number(number) => (number.as_f64().unwrap_or_default() + 7.0).into(),
        Value::String(text) if text.ends_with('=') => "b3RoZXI=".into(),
        Value::String(text) => format!("7{text}").into(),
        other => other.clone(),
    }
}

/// Identity, status, and what a controller writes.
fn is_not_compared(pointer: &str, object: &Object) -> bool {
    let identity = [
        "/apiVersion",
        "/kind",
        "/metadata/name",
        "/metadata/namespace",
        "/status",
    ];
    identity
        .iter()
        .any(|prefix| pointer.starts_with(prefix) && (*prefix == "/status" || pointer == *prefix))
        || (object.kind() == "ClusterRole" && pointer.starts_with("/rules"))
        || pointer.contains("/volumeClaimTemplates/0/status")
}

#[test]
fn what_was_applied_is_the_same() {
    let all = recorded();
    assert!(all.len() > 30);
    for (desired, live) in &all {
        assert_eq!(
            compare(&prepare(desired, Some(live), &[]), Some(live), &[]),
            Difference::Same,
            "{desired:?}"
        );
    }
}

#[test]
fn every_value_that_git_changes_is_a_change() {
    let (mut checked, mut missed) = (0, Vec::new());
    for (desired, live) in &recorded() {
        let mut pointers = Vec::new();
        scalars(desired.value(), "", &mut pointers);
        for pointer in pointers
            .iter()
            .filter(|pointer| !is_not_compared(pointer, desired))
        {
            let mut changed = desired.value().clone();
            let value = changed.pointer_mut(pointer).unwrap();
            *value = another(value);
            let changed = Object::new(changed).unwrap();
            if !matches!(compare(&changed, Some(live), &[]), Difference::Changed(_)) {
                missed.push(format!("{desired:?} {pointer}"));
            }
            checked += 1;
        }
    }
    assert_eq!(missed, Vec::<String>::new());
    assert!(checked > 300, "{checked}");
}

#[test]
fn every_value_that_the_cluster_changes_is_a_change() {
    let mut missed = Vec::new();
    for (desired, live) in &recorded() {
        let mut pointers = Vec::new();
        scalars(desired.value(), "", &mut pointers);
        for pointer in pointers
            .iter()
            .filter(|pointer| !is_not_compared(pointer, desired))
        {
            let mut changed = live.value().clone();
            // Where the server has it at the same place; keys and values it left out are for other tests.
            let Some(value) = changed.pointer_mut(pointer) else {
                continue;
            };
            *value = another(value);
            let changed = Object::new(changed).unwrap();
            if !matches!(compare(desired, Some(&changed), &[]), Difference::Changed(_)) {
                missed.push(format!("{desired:?} {pointer}"));
            }
        }
    }
    assert_eq!(missed, Vec::<String>::new());
}
