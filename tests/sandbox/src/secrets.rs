//! Random Secrets, shaped as public reports have them: fields of any name with values of any shape.

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

fn leaf() -> impl Strategy<Value = Value> {
    prop_oneof![
        "[A-Z]{2}[a-zA-Z0-9!$%&/=?+# ]{6,30}".prop_map(Value::from),
        "[A-Z]{4}[a-zA-Z0-9]{4}".prop_map(Value::from),
        (1_000_000_u64..u64::MAX).prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        Just(Value::Null),
    ]
}

fn shape() -> impl Strategy<Value = Value> {
    leaf().prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-z]{1,3}", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// Random Secrets, called `s` in the namespace `shop`.
pub fn any_secret() -> impl Strategy<Value = Value> {
    let field = prop::sample::select(vec![
        "data",
        "stringData",
        "stringdata",
        "Data",
        "datas",
        "data ",
        "values",
    ]);
    prop::collection::btree_map(field, shape(), 0..5).prop_map(|fields| {
        let mut secret =
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": "shop"}});
        for (field, value) in fields {
            secret[field] = value;
        }
        secret
    })
}

/// So many of them, the same each time.
///
/// # Panics
/// Never: nothing is filtered out.
#[must_use]
pub fn some_secrets(count: usize) -> Vec<Value> {
    let mut runner = TestRunner::deterministic();
    (0..count)
        .map(|_| {
            let tree = any_secret()
                .new_tree(&mut runner)
                .expect("nothing is filtered out");
            tree.current()
        })
        .collect()
}

/// Every scalar of a Secret that is a value and long enough to tell something, as text.
#[must_use]
pub fn values_of(secret: &Value) -> Vec<String> {
    fn scalars(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Null | Value::Bool(_) => {}
            Value::Number(number) => found.push(number.to_string()),
            Value::String(text) => found.push(text.clone()),
            Value::Array(list) => list.iter().for_each(|value| scalars(value, found)),
            Value::Object(map) => map.values().for_each(|value| scalars(value, found)),
        }
    }
    let mut found = Vec::new();
    for (field, value) in secret.as_object().into_iter().flatten() {
        if !matches!(field.as_str(), "apiVersion" | "kind" | "metadata") {
            scalars(value, &mut found);
        }
    }
    found
}
