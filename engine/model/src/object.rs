//! Kubernetes objects as the engine holds them: JSON, shared, with the few accessors every stage needs.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// API group and kind, the identity of a kind across versions.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct GroupKind {
    /// API group; empty for the core group.
    pub group: String,
    /// Kind, e.g. `Deployment`.
    pub kind: String,
}

impl GroupKind {
    /// Builds one from its two parts.
    pub fn new(group: impl Into<String>, kind: impl Into<String>) -> Self {
        Self {
            group: group.into(),
            kind: kind.into(),
        }
    }
}

/// `Deployment.apps`, `Service`: the form of KEP-3659's `contains-group-kinds`.
impl fmt::Display for GroupKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.group.is_empty() {
            true => f.write_str(&self.kind),
            false => write!(f, "{}.{}", self.kind, self.group),
        }
    }
}

/// Names one object in one cluster.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ObjectRef {
    /// API group; empty for the core group.
    pub group: String,
    /// API version without the group, e.g. `v1`.
    pub version: String,
    /// Kind, e.g. `Deployment`.
    pub kind: String,
    /// None for cluster-scoped objects, and for namespaced ones before their namespace was settled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Name; empty where only `generateName` is given.
    pub name: String,
}

impl ObjectRef {
    /// `apps/v1` or `v1`.
    pub fn api_version(&self) -> String {
        match self.group.is_empty() {
            true => self.version.clone(),
            false => format!("{}/{}", self.group, self.version),
        }
    }

    /// The kind without its version.
    pub fn group_kind(&self) -> GroupKind {
        GroupKind::new(&self.group, &self.kind)
    }

    /// What identifies the object whatever version it is read at: two references with equal keys are one object.
    pub fn key(&self) -> ObjectKey {
        ObjectKey {
            group_kind: self.group_kind(),
            namespace: self.namespace.clone(),
            name: self.name.clone(),
        }
    }
}

/// `Deployment.apps shop/frontend`, for people. What would end a line or move a terminal's cursor is written as an escape.
impl fmt::Display for ObjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.group_kind())?;
        if let Some(namespace) = &self.namespace {
            write_plainly(f, namespace)?;
            f.write_str("/")?;
        }
        write_plainly(f, &self.name)
    }
}

fn write_plainly(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    if !text.contains(char::is_control) {
        return f.write_str(text);
    }
    for character in text.chars() {
        match character.is_control() {
            true => write!(f, "{}", character.escape_default())?,
            false => write!(f, "{character}")?,
        }
    }
    Ok(())
}

/// Why no server takes a text for the name of an object or namespace, whatever its kind: it would not be one part of a path.
pub fn unusable(name: &str) -> Option<&'static str> {
    match name {
        "." | ".." => Some("means a folder in a path"),
        _ if name.contains('/') => Some("contains `/`, which separates the parts of a path"),
        _ if name.contains('%') => Some("contains `%`, which begins an encoded letter of a path"),
        _ => None,
    }
}

/// An [`ObjectRef`] without its version: one object has one key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectKey {
    /// Group and kind.
    pub group_kind: GroupKind,
    /// None for cluster-scoped objects.
    pub namespace: Option<String>,
    /// The object's name.
    pub name: String,
}

/// A Kubernetes object. Cheap to clone; immutable but for [`Object::edit`].
///
/// It always has a non-empty `apiVersion` and `kind`; everything else may be missing or of the wrong type, and then
/// reads as absent.
#[derive(Clone)]
pub struct Object {
    value: Arc<Value>,
    /// `metadata.managedFields`, where it was taken out to be shared with other objects.
    record: Option<Arc<Value>>,
}

/// Where the record of managers is in an object's metadata.
const RECORD: &str = "managedFields";

impl PartialEq for Object {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.value, &other.value) && self.record == other.record || self.whole() == other.whole()
    }
}

impl Serialize for Object {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.whole().serialize(serializer)
    }
}

/// What an [`Object`] must have and has not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAnObject {
    /// Not a map.
    #[error("not a map")]
    NotAMap,
    /// No `apiVersion`, or not a string, or empty.
    #[error("no `apiVersion`")]
    ApiVersion,
    /// No `kind`, or not a string, or empty.
    #[error("no `kind`")]
    Kind,
}

impl Object {
    /// Takes JSON that has at least `apiVersion` and `kind`.
    pub fn new(value: Value) -> Result<Self, NotAnObject> {
        Self::shared(Arc::new(value))
    }

    /// As [`Object::new`], of JSON that is shared.
    pub fn shared(value: Arc<Value>) -> Result<Self, NotAnObject> {
        let map = value.as_object().ok_or(NotAnObject::NotAMap)?;
        let text = |key: &str| {
            map.get(key)
                .and_then(Value::as_str)
                .filter(|text| !text.is_empty())
        };
        text("apiVersion").ok_or(NotAnObject::ApiVersion)?;
        text("kind").ok_or(NotAnObject::Kind)?;
        Ok(Self { value, record: None })
    }

    /// The object as JSON, but for a record of managers that is shared ([`Object::sharing_record`]).
    pub fn value(&self) -> &Value {
        &self.value
    }

    /// The whole object as JSON, copied only where its record of managers is shared.
    pub fn whole(&self) -> Cow<'_, Value> {
        match &self.record {
            None => Cow::Borrowed(&self.value),
            Some(record) => {
                let mut value = Value::clone(&self.value);
                if let Some(metadata) = value.get_mut("metadata").and_then(Value::as_object_mut)
                    && !metadata.contains_key(RECORD)
                {
                    metadata.insert(RECORD.to_owned(), Value::clone(record));
                }
                Cow::Owned(value)
            }
        }
    }

    /// Returns the server's record of managers, `metadata.managedFields`.
    pub fn record(&self) -> Option<&Value> {
        let own = self
            .value
            .get("metadata")
            .and_then(|metadata| metadata.get(RECORD));
        own.or(self.record.as_deref())
    }

    /// The same object with its record of managers as `share` hands it back: equal ones need to be there only once, and they
    /// are most of a small object.
    pub fn sharing_record(self, share: impl FnOnce(Value) -> Arc<Value>) -> Self {
        let mut value = Arc::unwrap_or_clone(self.value);
        let metadata = value.get_mut("metadata").and_then(Value::as_object_mut);
        let own = metadata.and_then(|metadata| metadata.remove(RECORD));
        Self {
            value: Arc::new(value),
            record: own.map(share).or(self.record),
        }
    }

    /// The JSON itself, shared.
    pub fn into_shared(self) -> Arc<Value> {
        match self.record {
            None => self.value,
            Some(_) => Arc::new(self.whole().into_owned()),
        }
    }

    /// The JSON itself, copied only where it is shared.
    pub fn into_value(self) -> Value {
        match self.record {
            None => Arc::unwrap_or_clone(self.value),
            Some(_) => self.whole().into_owned(),
        }
    }

    /// A changed copy. `apiVersion` and `kind` must stay.
    pub fn edit(&self, change: impl FnOnce(&mut Map<String, Value>)) -> Self {
        let mut value = Value::clone(&self.value);
        if let Value::Object(map) = &mut value {
            change(map);
        }
        Self {
            value: Arc::new(value),
            record: self.record.clone(),
        }
    }

    fn text(&self, key: &str) -> &str {
        self.value.get(key).and_then(Value::as_str).unwrap_or_default()
    }

    /// Returns the API version, such as `apps/v1`.
    pub fn api_version(&self) -> &str {
        self.text("apiVersion")
    }

    /// `apps`; empty for the core group.
    pub fn group(&self) -> &str {
        self.api_version().split_once('/').map_or("", |(group, _)| group)
    }

    /// Returns the version without the group, such as `v1`.
    pub fn version(&self) -> &str {
        self.api_version()
            .split_once('/')
            .map_or(self.api_version(), |(_, version)| version)
    }

    /// Returns the kind, such as `Deployment`.
    pub fn kind(&self) -> &str {
        self.text("kind")
    }

    /// Group and kind.
    pub fn group_kind(&self) -> GroupKind {
        GroupKind::new(self.group(), self.kind())
    }

    /// A text of the metadata, e.g. `uid`; none where it is missing, empty or no string.
    pub fn metadata(&self, field: &str) -> Option<&str> {
        self.value
            .get("metadata")?
            .get(field)?
            .as_str()
            .filter(|text| !text.is_empty())
    }

    /// `metadata.name`; empty where there is none.
    pub fn name(&self) -> &str {
        self.metadata("name").unwrap_or_default()
    }

    /// Returns `metadata.namespace`; none for cluster-scoped objects.
    pub fn namespace(&self) -> Option<&str> {
        self.metadata("namespace")
    }

    /// `metadata.annotations[key]`, where it is a string.
    pub fn annotation(&self, key: &str) -> Option<&str> {
        self.value.get("metadata")?.get("annotations")?.get(key)?.as_str()
    }

    /// `metadata.labels[key]`, where it is a string.
    pub fn label(&self, key: &str) -> Option<&str> {
        self.value.get("metadata")?.get("labels")?.get(key)?.as_str()
    }

    /// True where the API server is deleting it.
    pub fn is_deleting(&self) -> bool {
        self.metadata("deletionTimestamp").is_some()
    }

    /// What has to be done before the API server lets it go: `metadata.finalizers`.
    pub fn finalizers(&self) -> Vec<&str> {
        let list = self
            .value
            .pointer("/metadata/finalizers")
            .and_then(Value::as_array);
        list.into_iter().flatten().filter_map(Value::as_str).collect()
    }

    /// True for a core `Secret`, whose values must reach no log, report, plan or plugin; also for one whose kind or group is
    /// miswritten (`secret`, `core/v1`), which no server takes and which is shown all the same.
    pub fn is_secret(&self) -> bool {
        let kind = self.kind();
        (kind.eq_ignore_ascii_case("Secret") || kind.eq_ignore_ascii_case("Secrets"))
            && matches!(self.group(), "" | "core")
    }

    /// True where both are one state of one object: the same in memory, or the same version of the same object on the server.
    pub fn is_same_state(&self, other: &Self) -> bool {
        let same = |field| self.metadata(field).is_some() && self.metadata(field) == other.metadata(field);
        Arc::ptr_eq(&self.value, &other.value)
            || same("uid") && same("resourceVersion") && self.api_version() == other.api_version()
    }

    /// What identifies this object, whatever version it is read at.
    pub fn key(&self) -> ObjectKey {
        ObjectKey {
            group_kind: self.group_kind(),
            namespace: self.namespace().map(str::to_owned),
            name: self.name().to_owned(),
        }
    }

    /// The reference to this object.
    pub fn reference(&self) -> ObjectRef {
        ObjectRef {
            group: self.group().to_owned(),
            version: self.version().to_owned(),
            kind: self.kind().to_owned(),
            namespace: self.namespace().map(str::to_owned),
            name: self.name().to_owned(),
        }
    }
}

/// Names only: an object may be a Secret, and `{:?}` ends in logs.
impl fmt::Debug for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Object({})", self.reference())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn object(value: Value) -> Object {
        Object::new(value).unwrap()
    }

    #[test]
    fn group_and_version_come_from_api_version() {
        let deployment = object(
            json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a", "namespace": "n"}}),
        );
        assert_eq!(deployment.reference().to_string(), "Deployment.apps n/a");
        assert_eq!(deployment.reference().api_version(), "apps/v1");
        let service = object(json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"}}));
        assert_eq!((service.group(), service.version()), ("", "v1"));
    }

    #[test]
    fn a_name_is_shown_on_one_line() {
        let role = object(
            json!({"apiVersion": "v1", "kind": "Role", "metadata": {"name": "a\nb é", "namespace": "n"}}),
        );
        assert_eq!(role.reference().to_string(), "Role n/a\\nb é");
    }

    #[test]
    fn what_is_no_part_of_a_path_is_no_name() {
        for name in [".", "..", "a/b", "/", "a%2Fb"] {
            assert!(unusable(name).is_some(), "{name}");
        }
        for name in ["a", "...", "system:x", "a b?c#d", "a\\b"] {
            assert_eq!(unusable(name), None, "{name}");
        }
    }

    #[test]
    fn wrong_types_read_as_absent() {
        let odd = object(
            json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": 7, "annotations": {"a": {}}}}),
        );
        assert_eq!((odd.name(), odd.annotation("a")), ("", None));
    }

    #[test]
    fn what_is_no_object_is_refused() {
        assert_eq!(Object::new(json!([])), Err(NotAnObject::NotAMap));
        assert_eq!(Object::new(json!({"kind": "Pod"})), Err(NotAnObject::ApiVersion));
        assert_eq!(
            Object::new(json!({"apiVersion": "v1", "kind": ""})),
            Err(NotAnObject::Kind)
        );
    }

    #[test]
    fn a_shared_record_is_part_of_the_object_all_the_same() {
        let json = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "managedFields": [{"manager": "m"}]}});
        let own = object(json.clone());
        let shared = own.clone().sharing_record(Arc::new);
        assert_eq!(shared.value()["metadata"], json!({"name": "a"}));
        assert_eq!(shared.record(), own.record());
        assert_eq!(shared, own);
        assert_eq!(serde_json::to_value(&shared).unwrap(), json);
        assert_eq!(*shared.clone().into_shared(), json);
        let changed = shared.edit(|map| map["metadata"]["managedFields"] = json!([]));
        assert_eq!(changed.record(), Some(&json!([])));
        assert_eq!(shared.into_value(), json);
    }

    #[test]
    fn debug_never_shows_a_value() {
        let secret = object(
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "data": {"k": "aHVudGVyMg=="}}),
        );
        assert_eq!(format!("{secret:?}"), "Object(Secret s)");
    }
}
