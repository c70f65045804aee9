//! What objects are to one another by their kinds: what has to be there before something else can be, and outlive it.

use crate::object::ObjectRef;

/// Groups of Kubernetes' own kinds that have no dot in them.
const PLAIN_GROUPS: &[&str] = &["", "apps", "autoscaling", "batch", "extensions", "policy"];

/// Groups of Kubernetes' own kinds in `k8s.io`; the other groups there are those of custom resources.
const OWN_GROUPS: &[&str] = &[
    "admissionregistration",
    "apiextensions",
    "apiregistration",
    "authentication",
    "authorization",
    "certificates",
    "coordination",
    "discovery",
    "events",
    "flowcontrol.apiserver",
    "internal.apiserver",
    "networking",
    "node",
    "rbac.authorization",
    "resource",
    "scheduling",
    "storage",
    "storagemigration",
];

/// The layer that an object belongs to, the lowest first. Deletions go from the highest down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Layer {
    /// Namespaces: they hold everything else.
    Namespace,
    /// CustomResourceDefinitions: what all others may need.
    Definition,
    /// What running things read, are allowed by or are limited by.
    Setting,
    /// What runs, and what leads to it.
    Work,
    /// What changes how everything else is stored: webhooks, admission policies, aggregated APIs.
    Gate,
    /// Custom resources: something that runs makes them work, and often has to let them go.
    Custom,
}

impl Layer {
    /// The layer of an object, by its kind.
    pub fn of(object: &ObjectRef) -> Self {
        match (object.group.as_str(), object.kind.as_str()) {
            ("", "Namespace") => Self::Namespace,
            ("apiextensions.k8s.io", "CustomResourceDefinition") => Self::Definition,
            ("admissionregistration.k8s.io" | "apiregistration.k8s.io", _) => Self::Gate,
            ("", "ResourceQuota" | "LimitRange" | "ServiceAccount" | "Secret" | "ConfigMap")
            | ("", "PersistentVolume" | "PersistentVolumeClaim")
            | ("rbac.authorization.k8s.io" | "storage.k8s.io" | "scheduling.k8s.io" | "node.k8s.io", _) => {
                Self::Setting
            }
            (_, kind) if is_class(object.namespace.as_deref(), kind) => Self::Setting,
            (group, _) if !is_builtin(group) => Self::Custom,
            _ => Self::Work,
        }
    }
}

/// True for a group that Kubernetes itself serves.
pub fn is_builtin(group: &str) -> bool {
    PLAIN_GROUPS.contains(&group)
        || group
            .strip_suffix(".k8s.io")
            .is_some_and(|group| OWN_GROUPS.contains(&group))
}

/// True for a cluster-scoped class (`PriorityClass`, `RuntimeClass`, `GatewayClass`, …): others name it, and it names none of them.
pub fn is_class(namespace: Option<&str>, kind: &str) -> bool {
    namespace.is_none() && kind.ends_with("Class")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_has_its_layer() {
        let cases = [
            ("", "Namespace", false, Layer::Namespace),
            (
                "apiextensions.k8s.io",
                "CustomResourceDefinition",
                false,
                Layer::Definition,
            ),
            ("", "ServiceAccount", true, Layer::Setting),
            ("rbac.authorization.k8s.io", "RoleBinding", true, Layer::Setting),
            ("node.k8s.io", "RuntimeClass", false, Layer::Setting),
            ("gateway.networking.k8s.io", "GatewayClass", false, Layer::Setting),
            ("networking.k8s.io", "IngressClass", false, Layer::Setting),
            ("cluster.x-k8s.io", "ClusterClass", true, Layer::Custom),
            ("gateway.networking.k8s.io", "Gateway", true, Layer::Custom),
            ("snapshot.storage.k8s.io", "VolumeSnapshot", true, Layer::Custom),
            ("example.com", "Realm", true, Layer::Custom),
            ("apps", "Deployment", true, Layer::Work),
            ("networking.k8s.io", "Ingress", true, Layer::Work),
            ("", "Service", true, Layer::Work),
            (
                "admissionregistration.k8s.io",
                "ValidatingWebhookConfiguration",
                false,
                Layer::Gate,
            ),
            ("apiregistration.k8s.io", "APIService", false, Layer::Gate),
        ];
        for (group, kind, namespaced, layer) in cases {
            let object = ObjectRef {
                group: group.to_owned(),
                version: "v1".to_owned(),
                kind: kind.to_owned(),
                namespace: namespaced.then(|| "n".to_owned()),
                name: "a".to_owned(),
            };
            assert_eq!(Layer::of(&object), layer, "{object}");
        }
    }
}
