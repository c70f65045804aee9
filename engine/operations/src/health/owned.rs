//! Of which kinds an object may own others. Pure.
//!
//! Every kind that is looked for costs a list and a watch in each namespace, so of Kubernetes' own kinds only those are looked for that
//! their controllers make. An operator may make anything: what runs, and kinds of its own.

use sluice_cluster::{Kind, Kinds};
use sluice_model::Object;
use sluice_model::object::GroupKind;
use sluice_model::related::{Need, Selection};

/// Groups and kinds.
type GroupKinds = &'static [(&'static str, &'static str)];

/// What controllers of Kubernetes make of their own objects, by the kind that it is made of.
const MADE: [(&str, &str, GroupKinds); 9] = [
    ("apps", "Deployment", &[("apps", "ReplicaSet")]),
    ("apps", "ReplicaSet", &[("", "Pod")]),
    (
        "apps",
        "StatefulSet",
        &[("", "Pod"), ("", "PersistentVolumeClaim")],
    ),
    ("apps", "DaemonSet", &[("", "Pod")]),
    ("batch", "CronJob", &[("batch", "Job")]),
    ("batch", "Job", &[("", "Pod")]),
    ("", "ReplicationController", &[("", "Pod")]),
    ("", "Service", &[("discovery.k8s.io", "EndpointSlice")]),
    // Its ephemeral volumes.
    ("", "Pod", &[("", "PersistentVolumeClaim")]),
];

/// What an operator makes of its own objects, besides those.
const BY_OPERATORS: [(&str, &str); 9] = [
    ("apps", "Deployment"),
    ("apps", "StatefulSet"),
    ("apps", "DaemonSet"),
    ("apps", "ReplicaSet"),
    ("batch", "CronJob"),
    ("batch", "Job"),
    ("", "Pod"),
    ("", "Service"),
    ("", "PersistentVolumeClaim"),
];

/// So many kinds of an operator's own at most.
const OWN_KINDS: usize = 20;

/// Kubernetes' own groups with a dot in their names. No controller makes other objects of theirs.
const KUBERNETES: [&str; 10] = [
    "admissionregistration.k8s.io",
    "apiextensions.k8s.io",
    "apiregistration.k8s.io",
    "coordination.k8s.io",
    "discovery.k8s.io",
    "networking.k8s.io",
    "node.k8s.io",
    "rbac.authorization.k8s.io",
    "scheduling.k8s.io",
    "storage.k8s.io",
];

/// Returns what to look for to see what an object owns: none if it has no uid or is in no namespace, since what it owns could be anywhere.
pub(super) fn needs(owner: &Object, kinds: &Kinds) -> Vec<Need> {
    let (Some(uid), Some(namespace)) = (owner.metadata("uid"), owner.namespace()) else {
        return Vec::new();
    };
    let need = |kind: GroupKind| Need {
        namespace: Some(namespace.to_owned()),
        kind,
        selection: Selection::OwnedBy(uid.to_owned()),
    };
    let served = |kind: &GroupKind| kinds.preferred(kind).is_some_and(can_be_seen);
    let own = own_kinds(owner.group(), kinds.all());
    let all = made_of(owner).into_iter().filter(served).chain(own);
    all.map(need).collect()
}

fn made_of(owner: &Object) -> Vec<GroupKind> {
    let made = MADE
        .iter()
        .find(|(group, kind, _)| *group == owner.group() && *kind == owner.kind());
    let made: GroupKinds = match made {
        Some((_, _, made)) => made,
        None if is_of_kubernetes(owner.group()) => &[],
        None => &BY_OPERATORS,
    };
    made.iter()
        .map(|(group, kind)| GroupKind::new(*group, *kind))
        .collect()
}

/// The kinds of an operator's group and of those below it, as `acme.cert-manager.io` is below `cert-manager.io`.
fn own_kinds<'k>(group: &str, kinds: impl Iterator<Item = &'k Kind>) -> Vec<GroupKind> {
    if is_of_kubernetes(group) {
        return Vec::new();
    }
    let below = format!(".{group}");
    let own = kinds.filter(|kind| kind.group == group || kind.group.ends_with(&below));
    let own = own.filter(|kind| can_be_seen(kind)).map(Kind::group_kind);
    own.take(OWN_KINDS).collect()
}

fn is_of_kubernetes(group: &str) -> bool {
    !group.contains('.') || KUBERNETES.contains(&group)
}

fn can_be_seen(kind: &Kind) -> bool {
    kind.namespaced && kind.can("list") && kind.can("watch")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn made(api_version: &str, kind: &str) -> Vec<String> {
        let object = json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": "a"}});
        let object = Object::new(object).unwrap();
        made_of(&object).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn of_kubernetes_own_kinds_it_is_known_what_they_own() {
        assert_eq!(made("apps/v1", "Deployment"), ["ReplicaSet.apps"]);
        assert_eq!(made("apps/v1", "StatefulSet"), ["Pod", "PersistentVolumeClaim"]);
        assert_eq!(made("v1", "Service"), ["EndpointSlice.discovery.k8s.io"]);
        for (api_version, kind) in [
            ("v1", "ConfigMap"),
            ("networking.k8s.io/v1", "Ingress"),
            ("policy/v1", "Eviction"),
        ] {
            assert!(made(api_version, kind).is_empty(), "{kind}");
        }
        let by_operators = made("argoproj.io/v1alpha1", "Rollout");
        assert!(
            by_operators.contains(&"ReplicaSet.apps".to_owned()),
            "{by_operators:?}"
        );
    }

    #[test]
    fn an_operator_has_kinds_of_its_own() {
        let kind = |group: &str, kind: &str, namespaced: bool| Kind {
            group: group.to_owned(),
            version: "v1".to_owned(),
            kind: kind.to_owned(),
            plural: String::new(),
            namespaced,
            verbs: vec!["list".to_owned(), "watch".to_owned()],
        };
        let kinds = [
            kind("", "Pod", true),
            kind("acme.cert-manager.io", "Order", true),
            kind("cert-manager.io", "CertificateRequest", true),
            kind("cert-manager.io", "ClusterIssuer", false),
            kind("other-cert-manager.io", "Thing", true),
        ];
        let own = |group: &str| -> Vec<String> {
            let own = own_kinds(group, kinds.iter());
            own.iter().map(|kind| kind.kind.clone()).collect()
        };
        assert_eq!(own("cert-manager.io"), ["Order", "CertificateRequest"]);
        assert_eq!(own("acme.cert-manager.io"), ["Order"]);
        assert!(own("").is_empty() && own("apps").is_empty());
        let many: Vec<Kind> = (0..50)
            .map(|number| kind("example.com", &format!("K{number}"), true))
            .collect();
        assert_eq!(own_kinds("example.com", many.iter()).len(), OWN_KINDS);
    }
}
