//! A model of the API server: objects, and server-side apply with its record of who owns which field.
//!
//! It knows just enough of a schema: which lists are keyed and which fields have defaults.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};
use sluice_model::application::FIELD_MANAGER;
use sluice_model::manager::{Manager, Operation};
use sluice_model::object::{Object, ObjectKey};

/// The objects of a cluster.
#[derive(Debug, Clone, Default)]
pub struct Server {
    objects: BTreeMap<ObjectKey, Stored>,
    counter: u64,
}

#[derive(Debug, Clone)]
struct Stored {
    value: Value,
    /// The ways to the fields that each owns.
    managers: BTreeMap<Owner, Fields>,
}

/// A manager, its operation, and the subresource that it wrote through.
type Owner = (String, &'static str, Option<String>);

/// Why a manifest is not applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// Other managers own these fields with another value.
    Conflict(String),
    /// This field cannot be changed.
    Immutable(String),
}

impl std::fmt::Display for Refused {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Conflict(fields) => write!(formatter, "conflict: {fields}"),
            Self::Immutable(field) => write!(formatter, "{field} is immutable"),
        }
    }
}

/// The leaves that a manager owns, each as the keys of `fieldsV1` that lead to it.
type Fields = BTreeSet<Vec<String>>;

impl Server {
    /// Every object, with the server's record in it.
    pub fn objects(&self) -> impl Iterator<Item = Object> {
        self.objects.values().map(Stored::read)
    }

    /// One object.
    pub fn get(&self, key: &ObjectKey) -> Option<Object> {
        self.objects.get(key).map(Stored::read)
    }

    /// Server-side apply.
    ///
    /// # Errors
    /// The fields that other managers own with another value, unless `force`; a field that cannot be changed.
    pub fn apply(&mut self, manifest: &Object, manager: &str, force: bool) -> Result<(), Refused> {
        let key = manifest.key();
        let wanted = leaves(manifest.value());
        let id = (manager.to_owned(), "Apply", None);
        let version = self.next();
        let stored = match self.objects.get_mut(&key) {
            None => {
                let mut value = manifest.value().clone();
                value["metadata"]["uid"] = format!("uid-{version}").into();
                self.objects.entry(key).or_insert(Stored {
                    value,
                    managers: BTreeMap::new(),
                })
            }
            Some(stored) => {
                let selector = |value: &Value| value.pointer("/spec/selector").cloned();
                let wants = selector(manifest.value());
                if manifest.kind() == "Deployment" && wants.is_some() && wants != selector(&stored.value) {
                    return Err(Refused::Immutable("spec.selector".to_owned()));
                }
                let conflicts: Vec<&Vec<String>> = wanted
                    .iter()
                    .filter(|way| find(&stored.value, way) != find(manifest.value(), way))
                    .filter(|way| {
                        stored
                            .managers
                            .iter()
                            .any(|(other, fields)| *other != id && fields.contains(*way))
                    })
                    .collect();
                if !force && !conflicts.is_empty() {
                    let fields: Vec<String> = conflicts.iter().map(|way| way.join("/")).collect();
                    return Err(Refused::Conflict(fields.join(", ")));
                }
                for (_, fields) in stored.managers.iter_mut().filter(|(other, _)| **other != id) {
                    fields.retain(|way| !conflicts.contains(&way));
                }
                let dropped: Vec<Vec<String>> = stored
                    .managers
                    .get(&id)
                    .into_iter()
                    .flatten()
                    .filter(|way| !wanted.contains(*way))
                    .cloned()
                    .collect();
                merge(&mut stored.value, manifest.value(), "");
                for way in dropped {
                    let theirs = stored
                        .managers
                        .iter()
                        .any(|(other, fields)| *other != id && fields.contains(&way));
                    if !theirs {
                        remove(&mut stored.value, &way);
                    }
                }
                stored
            }
        };
        stored.managers.insert(id, wanted);
        stored.settle(version);
        Ok(())
    }

    /// Writes an object as a whole, as `kubectl create` and `kubectl edit` do: what changes belongs to the writer.
    pub fn write(&mut self, object: &Object, manager: &str) {
        self.write_through(object, manager, None);
    }

    /// As [`Server::write`], through a subresource of the object.
    pub fn write_through(&mut self, object: &Object, manager: &str, subresource: Option<&str>) {
        let key = object.key();
        let version = self.next();
        let before = self
            .objects
            .get(&key)
            .map(|stored| stored.value.clone())
            .unwrap_or_default();
        let stored = self.objects.entry(key).or_insert_with(|| {
            let mut value = object.value().clone();
            value["metadata"]["uid"] = format!("uid-{version}").into();
            Stored {
                value,
                managers: BTreeMap::new(),
            }
        });
        let uid = stored.value["metadata"]["uid"].clone();
        stored.value = object.value().clone();
        stored.value["metadata"]["uid"] = uid;
        if let Some(metadata) = stored.value["metadata"].as_object_mut() {
            metadata.remove("managedFields");
        }
        let there = leaves(&stored.value);
        let changed: Fields = there
            .iter()
            .filter(|way| find(&before, way) != find(&stored.value, way))
            .cloned()
            .collect();
        for fields in stored.managers.values_mut() {
            fields.retain(|way| there.contains(way) && !changed.contains(way));
        }
        stored
            .managers
            .entry((manager.to_owned(), "Update", subresource.map(str::to_owned)))
            .or_default()
            .extend(changed);
        stored.settle(version);
    }

    /// Makes the fields of other managers ours, as far as they have any.
    pub fn take_over(&mut self, key: &ObjectKey, from: &[Manager]) {
        let Some(stored) = self.objects.get_mut(key) else {
            return;
        };
        for manager in from {
            let operation = match manager.operation {
                Operation::Apply => "Apply",
                Operation::Update => "Update",
            };
            let owner = (manager.name.clone(), operation, manager.subresource.clone());
            let fields = stored.managers.remove(&owner);
            let ours = (FIELD_MANAGER.to_owned(), "Apply", None);
            stored
                .managers
                .entry(ours)
                .or_default()
                .extend(fields.unwrap_or_default());
        }
    }

    /// Deletes an object; false where there is none of that identity.
    pub fn delete(&mut self, key: &ObjectKey, uid: Option<&str>) -> bool {
        let fits = self
            .objects
            .get(key)
            .is_some_and(|stored| uid.is_none_or(|uid| stored.value["metadata"]["uid"] == uid));
        if fits {
            self.objects.remove(key);
        }
        fits
    }

    fn next(&mut self) -> u64 {
        self.counter += 1;
        self.counter
    }
}

impl Stored {
    /// Defaults, what the server drops, and the new version.
    fn settle(&mut self, version: u64) {
        fill(&mut self.value);
        self.value["metadata"]["resourceVersion"] = version.to_string().into();
    }

    fn read(&self) -> Object {
        let mut value = self.value.clone();
        let entries: Vec<Value> = self
            .managers
            .iter()
            .filter(|(_, fields)| !fields.is_empty())
            .map(|((manager, operation, subresource), fields)| {
                let mut entry = json!({"manager": manager, "operation": operation, "apiVersion": value["apiVersion"], "fieldsType": "FieldsV1", "fieldsV1": tree(fields)});
                if let Some(subresource) = subresource {
                    entry["subresource"] = subresource.as_str().into();
                }
                entry
            })
            .collect();
        value["metadata"]["managedFields"] = entries.into();
        Object::new(value).expect("what was stored is an object")
    }
}

fn tree(fields: &Fields) -> Value {
    let mut root = Map::new();
    for way in fields {
        let mut at = &mut root;
        for key in way {
            if key.starts_with("k:") {
                let entry = at.entry(key.clone()).or_insert_with(|| json!({".": {}}));
                at = entry.as_object_mut().expect("a tree holds trees");
            } else {
                at = at
                    .entry(key.clone())
                    .or_insert_with(|| json!({}))
                    .as_object_mut()
                    .expect("a tree holds trees");
            }
        }
    }
    root.into()
}

/// By which fields the entries of a list are told apart; none for a list that is one value.
fn keys_of(field: &str, entries: &[Value]) -> Option<&'static [&'static str]> {
    match field {
        "containers" | "initContainers" | "env" | "volumes" => Some(&["name"]),
        "ports" if entries.iter().any(|entry| entry.get("containerPort").is_some()) => {
            Some(&["containerPort", "protocol"])
        }
        _ => None,
    }
}

fn entry_key(entry: &Value, keys: &[&str]) -> String {
    let fields: Map<String, Value> = keys
        .iter()
        .map(|key| {
            let default = if *key == "protocol" {
                "TCP".into()
            } else {
                Value::Null
            };
            ((*key).to_owned(), entry.get(*key).cloned().unwrap_or(default))
        })
        .collect();
    format!("k:{}", Value::Object(fields))
}

/// Whether a map is one value to the server.
fn is_atomic_map(field: &str) -> bool {
    field.ends_with("elector")
}

/// The ways to everything that a manifest gives.
fn leaves(value: &Value) -> Fields {
    let mut found = Fields::new();
    for (name, value) in value.as_object().into_iter().flatten() {
        match name.as_str() {
            "apiVersion" | "kind" | "status" => {}
            "metadata" => {
                for (name, value) in value.as_object().into_iter().flatten() {
                    if matches!(name.as_str(), "labels" | "annotations" | "finalizers") {
                        collect(
                            value,
                            name,
                            &mut vec!["f:metadata".to_owned(), format!("f:{name}")],
                            &mut found,
                        );
                    }
                }
            }
            _ => collect(value, name, &mut vec![format!("f:{name}")], &mut found),
        }
    }
    found
}

fn collect(value: &Value, field: &str, way: &mut Vec<String>, found: &mut Fields) {
    match value {
        Value::Null => {}
        Value::Object(fields) if !fields.is_empty() && !is_atomic_map(field) => {
            for (name, value) in fields {
                way.push(format!("f:{name}"));
                collect(value, name, way, found);
                way.pop();
            }
        }
        Value::Array(entries) if !entries.is_empty() && keys_of(field, entries).is_some() => {
            let keys = keys_of(field, entries).unwrap_or_default();
            for entry in entries {
                way.push(entry_key(entry, keys));
                collect(entry, "", way, found);
                way.pop();
            }
        }
        _ => drop(found.insert(way.clone())),
    }
}

fn find<'a>(value: &'a Value, way: &[String]) -> Option<&'a Value> {
    let mut at = value;
    for key in way {
        at = match key.strip_prefix("f:") {
            Some(name) => at.get(name)?,
            None => entry(at.as_array()?, key)?.1,
        };
    }
    Some(at)
}

fn entry<'a>(entries: &'a [Value], key: &str) -> Option<(usize, &'a Value)> {
    let keys: Map<String, Value> = serde_json::from_str(key.strip_prefix("k:")?).ok()?;
    entries.iter().enumerate().find(|(_, entry)| {
        keys.iter()
            .all(|(name, value)| entry.get(name).unwrap_or(&"TCP".into()) == value)
    })
}

fn remove(value: &mut Value, way: &[String]) {
    let Some((first, rest)) = way.split_first() else {
        return;
    };
    match first.strip_prefix("f:") {
        Some(name) => {
            let Some(map) = value.as_object_mut() else { return };
            if rest.is_empty() {
                map.remove(name);
            } else if let Some(below) = map.get_mut(name) {
                remove(below, rest);
                if below.as_object().is_some_and(Map::is_empty) || below.as_array().is_some_and(Vec::is_empty)
                {
                    map.remove(name);
                }
            }
        }
        None => {
            let Some(entries) = value.as_array_mut() else {
                return;
            };
            let Some((index, _)) = entry(entries, first) else {
                return;
            };
            if let Some(found) = entries.get_mut(index) {
                remove(found, rest);
                // An entry whose key is not given by anybody any more is gone.
                let is_key = matches!(rest, [field] if first.contains(&format!("\"{}\":", field.trim_start_matches("f:"))));
                if rest.is_empty() || is_key {
                    entries.remove(index);
                }
            }
        }
    }
}

fn merge(live: &mut Value, wanted: &Value, field: &str) {
    match (live, wanted) {
        (_, Value::Null) => {}
        (Value::Object(live), Value::Object(wanted)) if !is_atomic_map(field) => {
            for (name, value) in wanted.iter().filter(|(_, value)| !value.is_null()) {
                merge(live.entry(name.clone()).or_insert(Value::Null), value, name);
            }
        }
        (Value::Array(live), Value::Array(wanted)) if keys_of(field, wanted).is_some() => {
            let keys = keys_of(field, wanted).unwrap_or_default();
            for value in wanted {
                let found = entry(live, &entry_key(value, keys)).map(|(index, _)| index);
                match found.and_then(|index| live.get_mut(index)) {
                    Some(there) => merge(there, value, ""),
                    None => live.push(value.clone()),
                }
            }
        }
        (live, wanted) => *live = wanted.clone(),
    }
}

/// What the server fills in and leaves out.
fn fill(object: &mut Value) {
    strip(object);
    if object["kind"] == "Deployment" {
        let spec = &mut object["spec"];
        let mut default = |field: &str, value: Value| {
            if spec
                .get(field)
                .is_none_or(|there| there.as_object().is_some_and(Map::is_empty))
            {
                spec[field] = value;
            }
        };
        default("replicas", 1.into());
        default("strategy", json!({"type": "RollingUpdate"}));
        let containers = spec
            .pointer_mut("/template/spec/containers")
            .and_then(Value::as_array_mut);
        for container in containers.into_iter().flatten() {
            if container.get("imagePullPolicy").is_none() {
                container["imagePullPolicy"] = "IfNotPresent".into();
            }
            for port in container
                .get_mut("ports")
                .and_then(Value::as_array_mut)
                .into_iter()
                .flatten()
            {
                if port.get("protocol").is_none() {
                    port["protocol"] = "TCP".into();
                }
            }
            if let Some(cpu) = container.pointer_mut("/resources/requests/cpu")
                && *cpu == "1000m"
            {
                *cpu = "1".into();
            }
        }
    }
}

/// Nulls go, and empty text in environments.
fn strip(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|name, value| !(value.is_null() || name == "value" && *value == ""));
            fields.values_mut().for_each(strip);
        }
        Value::Array(entries) => entries.iter_mut().for_each(strip),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
