//! Phases, waves, kinds and names: in which order things happen.

use std::collections::BTreeMap;

use serde_json::Value;
use sluice_model::ObjectRef;
use sluice_model::decision::{Occasion, Phase};
use sluice_model::layer;
use sluice_model::object::{GroupKind, Object};

/// The usual order of installation: what others need comes first. Kinds that are not listed come after all of these,
/// cluster-scoped classes before them.
const KINDS: &[&str] = &[
    "Namespace",
    "NetworkPolicy",
    "ResourceQuota",
    "LimitRange",
    "PodSecurityPolicy",
    "PodDisruptionBudget",
    "ServiceAccount",
    "Secret",
    "ConfigMap",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "CustomResourceDefinition",
    "ClusterRole",
    "ClusterRoleBinding",
    "Role",
    "RoleBinding",
    "Service",
    "DaemonSet",
    "Pod",
    "ReplicationController",
    "ReplicaSet",
    "Deployment",
    "HorizontalPodAutoscaler",
    "StatefulSet",
    "Job",
    "CronJob",
    "Ingress",
    "APIService",
    "MutatingWebhookConfiguration",
    "ValidatingWebhookConfiguration",
];

/// Where an object stands in the order of installation, by its kind.
pub(crate) fn kind_rank(object: &ObjectRef) -> usize {
    if layer::is_class(object.namespace.as_deref(), &object.kind) {
        return 0;
    }
    let position = KINDS.iter().position(|known| *known == object.kind);
    1 + position.unwrap_or(KINDS.len())
}

/// Where a phase stands in an operation. When an application goes, its objects are deleted between the hooks that come
/// before and after that.
pub(crate) fn phase_rank(occasion: Occasion, phase: Phase) -> u8 {
    match (occasion, phase) {
        (Occasion::ApplicationDeleted, Phase::PreDelete) => 0,
        (_, Phase::PreSync) => 1,
        (_, Phase::Sync) => 2,
        (_, Phase::PostSync) => 3,
        (_, Phase::SyncFail) => 4,
        (Occasion::Sync, Phase::PreDelete) => 5,
        (_, Phase::PostDelete) => 6,
        (_, Phase::Skip) => 7,
    }
}

/// Something with a place in the order of applies.
pub(crate) trait Placed {
    /// What is applied.
    fn object(&self) -> &Object;
    /// Its phase and wave.
    fn place(&self) -> (Phase, i32);
    /// Moves it.
    fn move_to(&mut self, phase: Phase, wave: i32);
}

/// Sorts by phase, wave, kind and name, and then lifts namespaces and CRDs to where the first object needs them: directly
/// before it, into its phase and wave.
pub(crate) fn sort<T: Placed>(items: &mut [T], occasion: Occasion) {
    let key = |item: &T| {
        let (phase, wave) = item.place();
        let object = item.object().reference();
        let rank = kind_rank(&object);
        (
            phase_rank(occasion, phase),
            wave,
            rank,
            object.name,
            object.namespace,
            object.group,
            object.kind,
        )
    };
    items.sort_by_cached_key(key);
    lift(items, provided_namespace, needed_namespace);
    lift(items, defined_kind, |object| Some(object.group_kind()));
}

/// Lifts everything that provides something before the first item that needs it.
fn lift<T: Placed, K: Ord>(
    items: &mut [T],
    provides: impl Fn(&Object) -> Option<K>,
    needs: impl Fn(&Object) -> Option<K>,
) {
    let mut index = 0;
    // The first item that needs each, among those before `index`; kept right while items are moved.
    let mut first: BTreeMap<K, usize> = BTreeMap::new();
    while let Some(item) = items.get(index) {
        if let Some(provided) = provides(item.object()) {
            if let Some(&before) = first.get(&provided) {
                let (phase, wave) = items.get(before).map_or((Phase::Sync, 0), Placed::place);
                if let Some(moved) = items.get_mut(before..=index) {
                    moved.rotate_right(1);
                    if let Some(item) = moved.first_mut() {
                        item.move_to(phase, wave);
                    }
                }
                first
                    .values_mut()
                    .filter(|at| **at >= before)
                    .for_each(|at| *at += 1);
            }
        } else if let Some(needed) = needs(item.object()) {
            first.entry(needed).or_insert(index);
        }
        index += 1;
    }
}

fn provided_namespace(object: &Object) -> Option<String> {
    (object.group().is_empty() && object.kind() == "Namespace").then(|| object.name().to_owned())
}

fn needed_namespace(object: &Object) -> Option<String> {
    object.namespace().map(str::to_owned)
}

fn defined_kind(object: &Object) -> Option<GroupKind> {
    if object.group() != "apiextensions.k8s.io" || object.kind() != "CustomResourceDefinition" {
        return None;
    }
    defined_by(object.value())
}

/// The kind that a CRD defines.
pub(crate) fn defined_by(crd: &Value) -> Option<GroupKind> {
    let spec = crd.get("spec")?;
    Some(GroupKind::new(
        spec.get("group")?.as_str()?,
        spec.get("names")?.get("kind")?.as_str()?,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[derive(Debug)]
    struct Item(Object, Phase, i32);

    impl Placed for Item {
        fn object(&self) -> &Object {
            &self.0
        }
        fn place(&self) -> (Phase, i32) {
            (self.1, self.2)
        }
        fn move_to(&mut self, phase: Phase, wave: i32) {
            (self.1, self.2) = (phase, wave);
        }
    }

    fn item(phase: Phase, wave: i32, api_version: &str, kind: &str, namespace: &str, name: &str) -> Item {
        let mut value = json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": name}});
        if !namespace.is_empty() {
            value["metadata"]["namespace"] = namespace.into();
        }
        if kind == "CustomResourceDefinition" {
            let (plural, group) = name.split_once('.').unwrap();
            let kind = format!("{}{}", plural[..1].to_uppercase(), &plural[1..plural.len() - 1]);
            value["spec"] = json!({"group": group, "names": {"kind": kind}});
        }
        Item(Object::new(value).unwrap(), phase, wave)
    }

    fn sorted(mut items: Vec<Item>) -> Vec<String> {
        sort(&mut items, Occasion::Sync);
        items
            .iter()
            .map(|Item(object, phase, wave)| format!("{phase:?} {wave} {}", object.reference()))
            .collect()
    }

    #[test]
    fn phases_then_waves_then_kinds_then_names() {
        let expected = [
            "PreSync 0 Job.batch n/a",
            "Sync -1 Ingress.networking.k8s.io n/a",
            "Sync 0 Namespace x",
            "Sync 0 ServiceAccount n/a",
            "Sync 0 ConfigMap n/a",
            "Sync 0 ConfigMap n/b",
            "Sync 0 ConfigMap o/b",
            "Sync 0 Deployment.apps n/a",
            "Sync 0 Widget.example.com n/a",
            "Sync 1 ConfigMap n/0",
            "PostSync -5 Job.batch n/a",
            "SyncFail 0 Job.batch n/a",
        ];
        let items = || {
            vec![
                item(Phase::SyncFail, 0, "batch/v1", "Job", "n", "a"),
                item(Phase::Sync, 0, "example.com/v1", "Widget", "n", "a"),
                item(Phase::Sync, 0, "v1", "ConfigMap", "o", "b"),
                item(Phase::Sync, 0, "v1", "ConfigMap", "n", "b"),
                item(Phase::Sync, 0, "v1", "ConfigMap", "n", "a"),
                item(Phase::PostSync, -5, "batch/v1", "Job", "n", "a"),
                item(Phase::Sync, 0, "v1", "ServiceAccount", "n", "a"),
                item(Phase::Sync, 1, "v1", "ConfigMap", "n", "0"),
                item(Phase::Sync, -1, "networking.k8s.io/v1", "Ingress", "n", "a"),
                item(Phase::Sync, 0, "apps/v1", "Deployment", "n", "a"),
                item(Phase::PreSync, 0, "batch/v1", "Job", "n", "a"),
                item(Phase::Sync, 0, "v1", "Namespace", "", "x"),
            ]
        };
        assert_eq!(sorted(items()), expected);
        let mut other = items();
        other.reverse();
        assert_eq!(sorted(other), expected);
    }

    /// Admission looks for the class that a Pod, a claim or a custom resource names.
    #[test]
    fn cluster_scoped_classes_come_before_what_uses_them() {
        let items = vec![
            item(Phase::Sync, 0, "v1", "Pod", "n", "a"),
            item(Phase::Sync, 0, "v1", "Namespace", "", "n"),
            item(
                Phase::Sync,
                0,
                "gateway.networking.k8s.io/v1",
                "GatewayClass",
                "",
                "b",
            ),
            item(Phase::Sync, 0, "node.k8s.io/v1", "RuntimeClass", "", "c"),
            item(Phase::Sync, 0, "networking.k8s.io/v1", "IngressClass", "", "d"),
            item(Phase::Sync, 0, "scheduling.k8s.io/v1", "PriorityClass", "", "e"),
            item(Phase::Sync, 0, "cluster.x-k8s.io/v1", "ClusterClass", "n", "f"),
        ];
        assert_eq!(
            sorted(items),
            [
                "Sync 0 GatewayClass.gateway.networking.k8s.io b",
                "Sync 0 RuntimeClass.node.k8s.io c",
                "Sync 0 IngressClass.networking.k8s.io d",
                "Sync 0 PriorityClass.scheduling.k8s.io e",
                "Sync 0 Namespace n",
                "Sync 0 Pod n/a",
                "Sync 0 ClusterClass.cluster.x-k8s.io n/f",
            ]
        );
    }

    #[test]
    fn namespaces_and_crds_come_where_they_are_needed_first() {
        let items = vec![
            item(Phase::Sync, 3, "v1", "Namespace", "", "n"),
            item(
                Phase::Sync,
                2,
                "apiextensions.k8s.io/v1",
                "CustomResourceDefinition",
                "",
                "widgets.example.com",
            ),
            item(Phase::Sync, 1, "example.com/v1", "Widget", "n", "late"),
            item(Phase::PreSync, 5, "example.com/v1", "Widget", "n", "early"),
            item(Phase::PreSync, 0, "batch/v1", "Job", "m", "other"),
        ];
        assert_eq!(
            sorted(items),
            [
                "PreSync 0 Job.batch m/other",
                "PreSync 5 Namespace n",
                "PreSync 5 CustomResourceDefinition.apiextensions.k8s.io widgets.example.com",
                "PreSync 5 Widget.example.com n/early",
                "Sync 1 Widget.example.com n/late",
            ]
        );
        // Needed later than it stands: it stays where it is.
        let items = vec![
            item(Phase::Sync, 1, "v1", "ConfigMap", "n", "a"),
            item(Phase::Sync, 0, "v1", "Namespace", "", "n"),
        ];
        assert_eq!(sorted(items), ["Sync 0 Namespace n", "Sync 1 ConfigMap n/a"]);
    }

    #[test]
    fn as_the_field_orders_namespaces_and_their_hooks() {
        let items = vec![
            item(
                Phase::PreSync,
                0,
                "batch/v1",
                "Job",
                "myNamespace1",
                "mySyncHookJob1",
            ),
            item(
                Phase::PreSync,
                0,
                "batch/v1",
                "Job",
                "myNamespace2",
                "mySyncHookJob2",
            ),
            item(Phase::Sync, 1, "v1", "Namespace", "", "myNamespace1"),
            item(Phase::Sync, 2, "v1", "Namespace", "", "myNamespace2"),
        ];
        assert_eq!(
            sorted(items),
            [
                "PreSync 0 Namespace myNamespace1",
                "PreSync 0 Job.batch myNamespace1/mySyncHookJob1",
                "PreSync 0 Namespace myNamespace2",
                "PreSync 0 Job.batch myNamespace2/mySyncHookJob2",
            ]
        );
    }
}
