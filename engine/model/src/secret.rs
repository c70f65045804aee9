//! Keeping the values of Secrets out of everything that is shown, kept or handed to a policy.
//!
//! The rule is here and nowhere else. Of a core Secret these may be seen: `apiVersion`, `kind`, `type`, `immutable`, `metadata`
//! without copies of the object, and the names of the entries of `data` and `stringData`. Everything else is a value, whatever
//! it is called (`stringdata`) and whatever its shape: a list, a number, a map below an entry whose `|` was forgotten.
//!
//! Of any other object those fields are values that its annotation [`SECRET_FIELDS`] names: the engine writes it where it has put a
//! decrypted value, or one of a Secret, into an object ([`conceal`]). It stands on the object itself, so the same fields are hidden in
//! what Git wants and in what the cluster has.
//!
//! [`mask`] is for objects, [`mask_changes`] for differences, [`Redactor`] for texts of others that may quote a value, and
//! [`mistakes`] says what is wrong with a Secret without quoting it.

mod fields;
mod mistakes;
mod redactor;

use serde_json::{Map, Value};

use crate::difference::FieldChange;
use crate::object::Object;

use fields::Fields;

pub use fields::{SECRET_FIELDS, conceal, is_concealed};
pub use mistakes::{is_named, mistakes};
pub use redactor::Redactor;

/// What stands in for a value. The same for every value, so that not even its length is told.
pub const MASK: &str = "••••••••";

/// The annotation in which `kubectl apply` keeps the whole object as text, values included.
pub const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// How much of a field of a Secret may be seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sight {
    /// All of it, as long as it is what it should be.
    Plain,
    /// What belongs there, without copies of the object.
    Metadata,
    /// The names of its entries.
    Names,
    /// Nothing: it is a value.
    Nothing,
}

fn sight(field: &str) -> Sight {
    match field {
        "apiVersion" | "kind" | "type" | "immutable" => Sight::Plain,
        "metadata" => Sight::Metadata,
        _ if ["data", "stringData"]
            .iter()
            .any(|known| field.eq_ignore_ascii_case(known)) =>
        {
            Sight::Names
        }
        _ => Sight::Nothing,
    }
}

/// A copy without secret values: each becomes [`MASK`]. What is neither a Secret, nor a list of some, nor has secret fields comes back as
/// it is.
pub fn mask(object: &Object) -> Object {
    mask_beside(object, std::iter::empty())
}

/// As [`mask`]; hidden is too what others have among their secret fields: the same object as Git or the cluster has it.
pub fn mask_beside<'o>(object: &'o Object, others: impl IntoIterator<Item = &'o Object>) -> Object {
    let fields = Fields::of(std::iter::once(object).chain(others));
    let masked = match (object.is_secret(), is_list(object)) {
        (true, _) => object.edit(mask_map),
        (false, true) => object.edit(mask_items),
        (false, false) if fields.is_empty() => return object.clone(),
        (false, false) => object.clone(),
    };
    match fields.is_empty() {
        true => masked,
        false => masked.edit(|map| fields.hide(map)),
    }
}

/// True if something of an object is hidden by [`mask`] whatever it holds: it is a Secret, or has secret fields.
pub fn has_secrets(object: &Object) -> bool {
    object.is_secret() || is_concealed(object)
}

/// Puts the values of `rendered` back into a masked copy of it, whose metadata may have changed since. None if something is masked in it
/// that `rendered` does not have.
pub fn restore(masked: &Object, rendered: &Object) -> Option<Object> {
    if !masked.is_secret() {
        let restored = masked.edit(|map| {
            for (field, own) in map.iter_mut() {
                if let Some(value) = rendered.value().get(field) {
                    unmask(own, value);
                }
            }
        });
        return (!has_mask(restored.value())).then_some(restored);
    }
    let restored = masked.edit(|map| {
        map.retain(|field, _| matches!(field.as_str(), "apiVersion" | "kind" | "metadata"));
        for (field, value) in rendered.value().as_object().into_iter().flatten() {
            match map.get_mut(field) {
                Some(own) => unmask(own, value),
                None => drop(map.insert(field.clone(), value.clone())),
            }
        }
    });
    Some(restored)
}

fn has_mask(value: &Value) -> bool {
    match value {
        Value::String(text) => text == MASK,
        Value::Array(entries) => entries.iter().any(has_mask),
        Value::Object(map) => map.values().any(has_mask),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

fn unmask(own: &mut Value, rendered: &Value) {
    match (own, rendered) {
        (Value::Object(own), Value::Object(rendered)) => {
            for (name, value) in own {
                if let Some(rendered) = rendered.get(name) {
                    unmask(value, rendered);
                }
            }
        }
        (Value::Array(own), Value::Array(rendered)) if own.len() == rendered.len() => {
            for (own, rendered) in own.iter_mut().zip(rendered) {
                unmask(own, rendered);
            }
        }
        (own, rendered) if *own == MASK => *own = rendered.clone(),
        _ => {}
    }
}

/// Masks the differences of an object, as Git and the cluster have it: that a value differs is said, not how. Several within one value
/// become one.
pub fn mask_changes<'o>(changes: &mut Vec<FieldChange>, objects: impl IntoIterator<Item = &'o Object>) {
    let objects: Vec<&Object> = objects.into_iter().collect();
    let is_secret = objects.iter().any(|object| object.is_secret());
    let fields = Fields::of(objects);
    if !is_secret && fields.is_empty() {
        return;
    }
    if is_secret {
        mask_secret_changes(changes);
    }
    for change in &mut *changes {
        fields.hide_change(change);
    }
    changes.dedup_by(|later, first| later.pointer == first.pointer);
}

fn mask_secret_changes(changes: &mut Vec<FieldChange>) {
    changes.iter_mut().for_each(mask_change);
    changes.dedup_by(|later, first| later.pointer == first.pointer);
}

fn mask_change(change: &mut FieldChange) {
    let parts: Vec<String> = change.pointer.split('/').skip(1).map(unescaped).collect();
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    // How many parts of the pointer are names; what comes after them is a part of the value.
    let (named, whole) = match parts.as_slice() {
        [] => (0, false),
        [field, below @ ..] => match (sight(field), below) {
            (Sight::Plain | Sight::Metadata, _) => (parts.len(), false),
            // An entry of a keyed list is called by what it holds.
            (Sight::Names, [key, ..]) if !key.starts_with('[') => (2, true),
            (Sight::Names, []) => (1, false),
            (Sight::Names | Sight::Nothing, _) => (1, true),
        },
    };
    for value in [&mut change.live, &mut change.desired].into_iter().flatten() {
        if whole {
            *value = MASK.into();
            continue;
        }
        // The object that would have this value alone, masked.
        let mut object = parts.iter().rev().fold(value.take(), |value, part| {
            Value::Object(Map::from_iter([((*part).to_owned(), value)]))
        });
        if let Value::Object(map) = &mut object {
            mask_map(map);
        } else {
            hide(&mut object);
        }
        *value = parts
            .iter()
            .try_fold(&object, |object, part| object.get(*part))
            .cloned()
            .unwrap_or_else(|| MASK.into());
    }
    let end = change.pointer.match_indices('/').nth(named);
    if let Some((end, _)) = end {
        change.pointer.truncate(end);
    }
}

fn unescaped(part: &str) -> String {
    part.replace("~1", "/").replace("~0", "~")
}

fn is_list(object: &Object) -> bool {
    object.group().is_empty() && matches!(object.kind(), "List" | "SecretList")
}

/// Items of a `SecretList` need not say what they are.
fn mask_items(list: &mut Map<String, Value>) {
    let of_secrets = list.get("kind").is_some_and(|kind| kind == "SecretList");
    let Some(Value::Array(items)) = list.get_mut("items") else {
        return;
    };
    for item in items {
        match (Object::new(item.clone()), item) {
            (Ok(object), item) => *item = mask(&object).into_value(),
            (Err(_), Value::Object(item)) if of_secrets => mask_map(item),
            _ => {}
        }
    }
}

fn mask_map(secret: &mut Map<String, Value>) {
    let values = values(secret);
    for (field, value) in secret.iter_mut() {
        match (sight(field), value) {
            (_, Value::Null) => {}
            (Sight::Plain, Value::String(_)) if field != "immutable" => {}
            (Sight::Plain, Value::Bool(_)) if field == "immutable" => {}
            (Sight::Metadata, Value::Object(metadata)) => mask_metadata(metadata, &values),
            (Sight::Names, Value::Object(entries)) => entries.values_mut().for_each(hide),
            (_, value) => hide(value),
        }
    }
}

fn hide(value: &mut Value) {
    *value = MASK.into();
}

/// What Kubernetes has in an object's metadata. Anything else got there by a wrong indentation.
const METADATA: &[&str] = &[
    "annotations",
    "clusterName",
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "finalizers",
    "generateName",
    "generation",
    "labels",
    "managedFields",
    "name",
    "namespace",
    "ownerReferences",
    "resourceVersion",
    "selfLink",
    "uid",
];

fn mask_metadata(metadata: &mut Map<String, Value>, values: &[String]) {
    for (field, value) in metadata {
        match (field.as_str(), value) {
            (_, Value::Null) => {}
            ("labels" | "annotations", Value::Object(entries)) => {
                for (key, text) in entries {
                    match text.as_str() {
                        Some(words) if !is_copy(key, words, values) => {}
                        None if !text.is_object() && !text.is_array() => {}
                        _ => hide(text),
                    }
                }
            }
            ("finalizers" | "managedFields" | "ownerReferences", Value::Array(_)) => {}
            (known, value) if METADATA.contains(&known) && !value.is_object() && !value.is_array() => {}
            (_, value) => hide(value),
        }
    }
}

/// A value of so many characters is found by itself in a copy; a shorter one may be an ordinary word.
const TELLING: usize = 12;

/// True for an annotation that holds a copy of the object, as appliers keep one: as JSON or YAML, compressed, or by its values.
fn is_copy(key: &str, text: &str, values: &[String]) -> bool {
    let compressed = text.starts_with("H4sI") || text.starts_with("UEsD");
    let has_data = ["data", "stringData"].iter().any(|field| {
        text.contains(&format!("\"{field}\""))
            || text
                .lines()
                .any(|line| line.trim().starts_with(&format!("{field}:")))
    });
    key.ends_with("last-applied-configuration")
        || compressed
        || has_data
        || values
            .iter()
            .any(|value| value.len() >= TELLING && text.contains(value.as_str()))
}

/// Every scalar of a Secret that is a value, as text; what was given in base64 as it was given.
fn values(secret: &Map<String, Value>) -> Vec<String> {
    let mut found = Vec::new();
    for (field, value) in secret {
        match (sight(field), value) {
            (Sight::Plain, Value::String(_) | Value::Bool(_)) => {}
            (Sight::Metadata, Value::Object(metadata)) => {
                let misplaced = metadata
                    .iter()
                    .filter(|(field, _)| !METADATA.contains(&field.as_str()));
                misplaced.for_each(|(_, value)| scalars(value, &mut found));
            }
            (_, value) => scalars(value, &mut found),
        }
    }
    found
}

fn scalars(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Null | Value::Bool(_) => {}
        Value::Number(number) => found.push(number.to_string()),
        Value::String(text) => found.push(text.clone()),
        Value::Array(entries) => entries.iter().for_each(|entry| scalars(entry, found)),
        Value::Object(map) => map.values().for_each(|value| scalars(value, found)),
    }
}

#[cfg(test)]
mod tests;
