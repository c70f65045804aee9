//! Fields of objects that are no Secrets, and yet hold values that are secret.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::difference::FieldChange;
use crate::object::Object;
use crate::secret::{MASK, hide, mask_metadata, scalars, unescaped};

/// Annotation: which fields of an object hold secret values, as a list in JSON of RFC 6901 pointers, in which `*` stands for any entry of a
/// list. They are shown and handed to policies as if they were the values of a Secret. The engine writes it; people may, too.
pub const SECRET_FIELDS: &str = "sluice.dev/secret-fields";

/// More fields than this are told by the fields around them.
const MOST: usize = 64;

/// True for an object that has secret fields.
pub fn is_concealed(object: &Object) -> bool {
    object.annotation(SECRET_FIELDS).is_some()
}

/// The object, with more fields among its secret ones. Each is the way to it: names, and `*` for an entry of a list.
pub fn conceal(object: &Object, fields: impl IntoIterator<Item = Vec<String>>) -> Object {
    let mut all: BTreeSet<Vec<String>> = fields.into_iter().collect();
    if all.is_empty() {
        return object.clone();
    }
    all.extend(Fields::of([object]).0);
    if all.len() > MOST {
        let tops = all.into_iter().map(|mut field| {
            // One annotation of many, or `data` and `spec` as a whole.
            let kept = if field.first().is_some_and(|first| first == "metadata") {
                3
            } else {
                1
            };
            field.truncate(kept);
            field
        });
        all = tops.collect();
    }
    let pointers: Vec<String> = all.iter().map(|field| pointer(field)).collect();
    let text = serde_json::to_string(&pointers).unwrap_or_default();
    object.edit(|map| {
        let metadata = map.entry("metadata").or_insert_with(|| Value::Object(Map::new()));
        if let Some(metadata) = metadata.as_object_mut() {
            let annotations = metadata.entry("annotations").or_insert(Value::Null);
            if annotations.is_null() {
                *annotations = Value::Object(Map::new());
            }
            if let Some(annotations) = annotations.as_object_mut() {
                annotations.insert(SECRET_FIELDS.to_owned(), text.into());
            }
        }
    })
}

fn pointer(field: &[String]) -> String {
    field
        .iter()
        .map(|part| format!("/{}", part.replace('~', "~0").replace('/', "~1")))
        .collect()
}

/// The secret fields of an object.
#[derive(Debug, Default)]
pub(super) struct Fields(pub(super) BTreeSet<Vec<String>>);

impl Fields {
    /// Those of all of some objects. An annotation that cannot be read hides everything but what tells the object.
    pub(super) fn of<'o>(objects: impl IntoIterator<Item = &'o Object>) -> Self {
        let mut fields = BTreeSet::new();
        for object in objects {
            let Some(text) = object.annotation(SECRET_FIELDS) else {
                continue;
            };
            match read(text) {
                Some(read) => fields.extend(read),
                None => {
                    let all = object.value().as_object().into_iter().flat_map(Map::keys);
                    let all =
                        all.filter(|field| !matches!(field.as_str(), "apiVersion" | "kind" | "metadata"));
                    fields.extend(all.map(|field| vec![field.clone()]));
                }
            }
        }
        Self(fields)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Every value in them, as text.
    pub(super) fn values(&self, object: &Object) -> Vec<String> {
        let mut found = Vec::new();
        for field in &self.0 {
            each(object.value(), field, &mut |value| scalars(value, &mut found));
        }
        found
    }

    pub(super) fn hide(&self, map: &mut Map<String, Value>) {
        let mut values = Vec::new();
        for field in &self.0 {
            let object = Value::Object(std::mem::take(map));
            each(&object, field, &mut |value| scalars(value, &mut values));
            if let Value::Object(back) = object {
                *map = back;
            }
        }
        for field in &self.0 {
            if let Some((first, rest)) = field.split_first()
                && let Some(value) = map.get_mut(first)
            {
                hide_in(value, rest);
            }
        }
        // Copies of the object, as appliers keep them.
        if let Some(Value::Object(metadata)) = map.get_mut("metadata") {
            let own = metadata
                .get_mut("annotations")
                .and_then(Value::as_object_mut)
                .and_then(|annotations| annotations.remove(SECRET_FIELDS));
            mask_metadata(metadata, &values);
            if let (Some(own), Some(Value::Object(annotations))) = (own, metadata.get_mut("annotations")) {
                annotations.insert(SECRET_FIELDS.to_owned(), own);
            }
        }
    }

    /// Hides what a difference shows of them.
    pub(super) fn hide_change(&self, change: &mut FieldChange) {
        for field in &self.0 {
            let parts: Vec<String> = change.pointer.split('/').skip(1).map(unescaped).collect();
            let common = field
                .iter()
                .zip(&parts)
                .take_while(|(field, part)| *field == *part || *field == "*")
                .count();
            // An entry that is called by the secret field itself.
            let is_called = common == parts.len().min(field.len() - 1)
                && common > 0
                && field.len() == common + 1
                && field.get(common - 1).is_some_and(|part| part == "*")
                && parts
                    .get(common - 1)
                    .zip(field.last())
                    .is_some_and(|(part, name)| part.starts_with('[') && part.contains(&format!("{name}=")));
            if common == field.len() || is_called {
                let entry = parts.get(common - 1).is_some_and(|part| part.starts_with('['));
                truncate(&mut change.pointer, if entry { common - 1 } else { common });
                for value in [&mut change.live, &mut change.desired].into_iter().flatten() {
                    *value = MASK.into();
                }
            } else if common == parts.len() {
                let rest = field.get(common..).unwrap_or_default();
                for value in [&mut change.live, &mut change.desired].into_iter().flatten() {
                    hide_in(value, rest);
                }
            }
        }
    }
}

fn truncate(pointer: &mut String, parts: usize) {
    if let Some((end, _)) = pointer.clone().match_indices('/').nth(parts) {
        pointer.truncate(end);
    }
}

fn read(text: &str) -> Option<Vec<Vec<String>>> {
    let pointers: Vec<String> = serde_json::from_str(text).ok()?;
    let field = |pointer: &String| {
        let parts: Vec<String> = pointer.strip_prefix('/')?.split('/').map(unescaped).collect();
        Some(parts)
    };
    pointers.iter().map(field).collect()
}

fn each(value: &Value, field: &[String], found: &mut dyn FnMut(&Value)) {
    let Some((first, rest)) = field.split_first() else {
        return found(value);
    };
    match value {
        Value::Array(entries) if first == "*" => entries.iter().for_each(|entry| each(entry, rest, found)),
        Value::Object(map) => {
            if let Some(value) = map.get(first) {
                each(value, rest, found);
            }
        }
        // It is of another shape than when the field was named.
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => found(value),
    }
}

fn hide_in(value: &mut Value, field: &[String]) {
    let Some((first, rest)) = field.split_first() else {
        if !value.is_null() {
            hide(value);
        }
        return;
    };
    match value {
        Value::Null => {}
        Value::Array(entries) if first == "*" => entries.iter_mut().for_each(|entry| hide_in(entry, rest)),
        Value::Object(map) => {
            if let Some(value) = map.get_mut(first) {
                hide_in(value, rest);
            }
        }
        other => hide(other),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::secret::{Redactor, has_secrets, mask, mask_changes, restore};

    fn deployment(value: &str) -> Object {
        let object = Object::new(json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
            "spec": {"replicas": 2, "template": {"spec": {"containers": [
                {"name": "sidecar", "env": [{"name": "A", "value": "plain"}]},
                {"name": "web", "env": [{"name": "TOKEN", "value": value}]},
            ]}}},
        }));
        let field = "spec template spec containers * env * value"
            .split(' ')
            .map(str::to_owned)
            .collect();
        conceal(&object.unwrap(), [field])
    }

    #[test]
    fn the_fields_that_are_named_are_hidden_and_come_back() {
        let object = deployment("a-long-secret-token");
        assert!(has_secrets(&object));
        let masked = mask(&object);
        let text = masked.value().to_string();
        assert!(
            !text.contains("a-long-secret") && text.contains("\"replicas\":2"),
            "{text}"
        );
        assert_eq!(mask(&masked), masked);
        assert_eq!(restore(&masked, &object), Some(object.clone()));
        let without =
            Object::new(json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}}));
        assert_eq!(restore(&masked, &without.unwrap()), None);
        assert!(
            !Redactor::of([&object])
                .text("it said a-long-secret-token")
                .contains("a-long")
        );
    }

    #[test]
    fn differences_show_none_of_them() {
        let (live, desired) = (deployment("old-secret-value"), deployment("new-secret-value"));
        let change = |pointer: &str, live: Value, desired: Value| FieldChange {
            pointer: pointer.to_owned(),
            live: Some(live),
            desired: Some(desired),
            holder: None,
            stays: false,
        };
        let containers = |object: &Object| {
            object
                .value()
                .pointer("/spec/template/spec/containers")
                .unwrap()
                .clone()
        };
        let mut changes = vec![
            change("/spec/replicas", json!(1), json!(2)),
            change(
                "/spec/template/spec/containers/[name=web]/env/[name=TOKEN]/value",
                json!("old-secret-value"),
                json!("new-secret-value"),
            ),
            change(
                "/spec/template/spec/containers",
                containers(&live),
                containers(&desired),
            ),
        ];
        mask_changes(&mut changes, [&desired, &live]);
        let text = format!("{changes:?}");
        assert!(!text.contains("secret-value"), "{text}");
        assert_eq!(changes[0].desired, Some(json!(2)));
        assert!(changes[1].pointer.ends_with("/value"));
    }

    #[test]
    fn entries_that_are_called_by_a_secret_are_not_named() {
        let object = Object::new(json!({"apiVersion": "v1", "kind": "X", "metadata": {"name": "x"}, "spec": {"hosts": [{"name": "secret-host"}], "set": ["secret-entry"]}})).unwrap();
        let field = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let object = conceal(&object, [field("spec hosts * name"), field("spec set *")]);
        for pointer in [
            "/spec/hosts/[name=secret-host]/port",
            "/spec/hosts/[name=secret-host]",
            "/spec/set/[=secret-entry]",
        ] {
            let mut changes = vec![FieldChange {
                pointer: pointer.to_owned(),
                live: Some(json!("secret-value")),
                desired: None,
                holder: None,
                stays: false,
            }];
            mask_changes(&mut changes, [&object]);
            let text = format!("{changes:?}");
            assert!(!text.contains("secret-"), "{pointer}: {text}");
        }
    }

    #[test]
    fn what_cannot_be_read_hides_everything() {
        let object = Object::new(json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "x", "annotations": {SECRET_FIELDS: "nonsense"}},
            "data": {"a": "secret"},
        }));
        let masked = mask(&object.unwrap());
        assert_eq!(masked.value()["data"], MASK);
        assert_eq!(masked.name(), "x");
    }
}
