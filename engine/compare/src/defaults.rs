//! The little that has to be known about Kubernetes' own kinds because the server's record does not say it.
//!
//! It matters in two places only: values that the server writes in another form than it was given (quantities, bytes), and
//! fields that it fills in within lists and maps that are one value to it, where the record cannot tell a default from
//! what was applied.

use serde_json::{Map, Value};
use sluice_model::object::Object;

use crate::ownership::ListKind;
use crate::path::Part;

/// What is known of an object's kind.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Builtin {
    /// Served by Kubernetes itself rather than by a CRD.
    known: bool,
    autoscaling: bool,
    limit_range: bool,
    /// A CRD: the fields within its schema are anybody's names.
    schema: bool,
    bytes: bool,
}

/// Groups of Kubernetes' own kinds that have no dot in them.
const PLAIN_GROUPS: &[&str] = &["", "apps", "autoscaling", "batch", "extensions", "policy"];

/// Maps whose values are quantities.
const QUANTITY_MAPS: &[&str] = &[
    "limits",
    "requests",
    "capacity",
    "allocatable",
    "hard",
    "podFixed",
    "allocatedResources",
];

/// The same within a LimitRange.
const LIMIT_RANGE_MAPS: &[&str] = &["min", "max", "default", "defaultRequest", "maxLimitRequestRatio"];

/// Fields that are quantities themselves.
const QUANTITIES: &[&str] = &["sizeLimit", "divisor"];

/// The same in autoscaling.
const AUTOSCALING_QUANTITIES: &[&str] = &["averageValue", "value"];

impl Builtin {
    pub(crate) fn of(object: &Object) -> Self {
        let group = object.group();
        let known =
            PLAIN_GROUPS.contains(&group) || (group.ends_with(".k8s.io") && !group.contains(".x-k8s.io"));
        Self {
            known: known && group != "gateway.networking.k8s.io" && group != "metrics.k8s.io",
            autoscaling: group == "autoscaling",
            limit_range: known && object.kind() == "LimitRange",
            schema: known && object.kind() == "CustomResourceDefinition",
            bytes: object.is_secret() || (group.is_empty() && object.kind() == "ConfigMap"),
        }
    }

    /// True for a kind whose defaults are known here.
    pub(crate) fn is_known(self) -> bool {
        self.known
    }

    /// True where the server rewrites the value into its own form of the same quantity.
    pub(crate) fn is_quantity(self, path: &[Part<'_>]) -> bool {
        if !self.known {
            return false;
        }
        let mut names = path.iter().rev().filter_map(|part| match part {
            Part::Field(name) => Some(*name),
            Part::Index(_) | Part::Entry(_) | Part::Member { .. } => None,
        });
        let (last, parent) = (names.next().unwrap_or_default(), names.next().unwrap_or_default());
        QUANTITY_MAPS.contains(&parent)
            || QUANTITIES.contains(&last)
            || (self.autoscaling && AUTOSCALING_QUANTITIES.contains(&last))
            || (self.limit_range && LIMIT_RANGE_MAPS.contains(&parent))
    }

    /// True where the value is bytes in base64.
    pub(crate) fn is_bytes(self, path: &[Part<'_>]) -> bool {
        match path {
            [Part::Field("data"), _] | [Part::Field("binaryData"), _] => self.bytes,
            [.., Part::Field("caBundle")] => self.known,
            _ => false,
        }
    }

    /// True for a field that the server may have filled in within a value that is ours as a whole.
    ///
    /// The defaults of a CRD are not known here, so any such field of a custom resource is taken for one, and the comparison
    /// says that it did.
    pub(crate) fn may_add(self, path: &[Part<'_>], name: &str, value: &Value) -> bool {
        if !self.known {
            return true;
        }
        if self.schema {
            return false;
        }
        if self.limit_range && matches!(path.last(), Some(Part::Field("default" | "defaultRequest"))) {
            return true;
        }
        match name {
            "apiGroup" | "apiVersion" | "creationTimestamp" | "status" => true,
            "default" | "defaultRequest" => self.limit_range,
            "protocol" => value == "TCP",
            "scope" => value == "*",
            "divisor" => value == "0",
            "matchPolicy" => value == "Equivalent",
            "kind" => value == "PersistentVolumeClaim",
            "volumeMode" => value == "Filesystem",
            "expirationSeconds" => *value == 3600,
            "allocationMode" => value == "ExactCount",
            "count" => *value == 1,
            _ => false,
        }
    }
}

impl Builtin {
    /// True for a field within such a value that is never ours: the status of a template of a volume claim.
    pub(crate) fn is_status(self, name: &str) -> bool {
        self.known && !self.schema && name == "status"
    }
}

/// The rules of a ClusterRole that aggregates others are written by the controller.
pub(crate) fn rules_are_aggregated(object: &Map<String, Value>) -> bool {
    object.get("aggregationRule").is_some_and(Value::is_object)
}

/// Fields by which Kubernetes' own lists tell their entries apart.
pub(crate) const KEY_FIELDS: &[&str] = &[
    "name",
    "containerPort",
    "port",
    "protocol",
    "mountPath",
    "devicePath",
    "ip",
    "topologyKey",
    "type",
    "uid",
    "whenUnsatisfiable",
];

/// Fields of a Service for which the server chooses a value of its own.
pub(crate) const ALLOCATED: &[&str] = &["clusterIP", "clusterIPs", "healthCheckNodePort", "nodePort"];

/// True where an entry that leaves out this key has this value for it.
pub(crate) fn is_default_key(name: &str, value: &Value) -> bool {
    name != "protocol" || value == "TCP"
}

/// What a list looks like of which no record says what it is.
pub(crate) fn guess_list_kind(desired: &[Value], live: &[Value]) -> ListKind {
    let names = guess_keys(desired);
    let told_apart = |entries: &[Value]| {
        entries.iter().all(|entry| {
            names
                .iter()
                .any(|name| entry.get(*name).is_some_and(|value| !value.is_null()))
        })
    };
    match !names.is_empty() && told_apart(desired) && told_apart(live) {
        true => ListKind::Keyed,
        false => ListKind::Atomic,
    }
}

/// The fields that look like keys: a name, or what a port or a mount has instead.
pub(crate) fn guess_keys(desired: &[Value]) -> Vec<&'static str> {
    let all_have = |name: &str| !desired.is_empty() && desired.iter().all(|entry| entry.get(name).is_some());
    let names = [
        &["containerPort", "protocol"][..],
        &["port", "protocol"],
        &["mountPath"],
        &["name"],
    ];
    let found = names
        .into_iter()
        .find(|names| names.first().is_some_and(|name| all_have(name)));
    found.map(<[&str]>::to_vec).unwrap_or_default()
}
