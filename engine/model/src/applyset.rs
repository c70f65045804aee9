//! Ownership by ApplySet (KEP-3659): the Application is the parent, every object it owns carries its id.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

use crate::manager::{self, Manager};
use crate::object::{Object, ObjectRef};
use crate::plan::ApplicationKey;

/// Label on every member; its value is the parent's id.
pub const PART_OF_LABEL: &str = "applyset.kubernetes.io/part-of";
/// Label on the parent; its value is its id.
pub const ID_LABEL: &str = "applyset.kubernetes.io/id";
/// Label on the parent's CRD.
pub const IS_PARENT_TYPE_LABEL: &str = "applyset.kubernetes.io/is-parent-type";
/// Annotation on the parent: who manages the set.
pub const TOOLING_ANNOTATION: &str = "applyset.kubernetes.io/tooling";
/// Annotation on the parent: kinds its members may be of, `Deployment.apps,Service`, sorted.
pub const CONTAINS_ANNOTATION: &str = "applyset.kubernetes.io/contains-group-kinds";
/// Annotation on the parent: namespaces of members outside the parent's own, sorted.
pub const NAMESPACES_ANNOTATION: &str = "applyset.kubernetes.io/additional-namespaces";
/// Value of [`TOOLING_ANNOTATION`].
pub const TOOLING: &str = concat!("sluice/v", env!("CARGO_PKG_VERSION"));

/// The namespace of a target cluster that has the parents of Applications of other clusters.
pub const PARENTS_NAMESPACE: &str = "sluice-system";

/// Where an Application is, seen from the cluster of its objects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HomeOf {
    /// In the same cluster.
    Here,
    /// In another one.
    Elsewhere {
        /// What tells that cluster from all others: the uid of its namespace `kube-system`.
        installation: String,
    },
}

/// What tells an Application's set from all others in the cluster of its objects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The parent, in that cluster.
    pub parent: ObjectRef,
    /// The parent's id, which its members carry.
    pub id: String,
}

/// Returns the identity of an Application's set. The parent stands in the cluster of the objects, as KEP-3659 wants it: the Application
/// itself if it is there, and otherwise a ConfigMap whose name says whose it is. So two installations that both have an Application
/// `default/shop` never take each other's objects for their own.
pub fn identity(application: &ApplicationKey, home: &HomeOf) -> Identity {
    let ApplicationKey { namespace, name } = application;
    let parent = match home {
        HomeOf::Here => ObjectRef {
            group: "sluice.dev".to_owned(),
            version: "v1alpha1".to_owned(),
            kind: "Application".to_owned(),
            namespace: Some(namespace.clone()),
            name: name.clone(),
        },
        HomeOf::Elsewhere { installation } => ObjectRef {
            group: String::new(),
            version: "v1".to_owned(),
            kind: "ConfigMap".to_owned(),
            namespace: Some(PARENTS_NAMESPACE.to_owned()),
            // No uid and no name has a slash, and no name is cut: each has its own.
            name: {
                let owner = Sha256::digest(format!("{installation}/{namespace}/{name}"));
                format!("applyset-{}", hex::encode(owner))
            },
        },
    };
    let id = id_of(&parent);
    Identity { parent, id }
}

/// Returns the id of the set of an Application that is in the cluster of its objects ([`identity`]).
pub fn id(namespace: &str, name: &str) -> String {
    let application = ApplicationKey {
        namespace: namespace.to_owned(),
        name: name.to_owned(),
    };
    identity(&application, &HomeOf::Here).id
}

/// KEP-3659: `applyset-<base64url(sha256(<name>.<namespace>.<kind>.<group>))>-v1`.
fn id_of(parent: &ObjectRef) -> String {
    let namespace = parent.namespace.as_deref().unwrap_or_default();
    let text = format!("{}.{namespace}.{}.{}", parent.name, parent.kind, parent.group);
    format!("applyset-{}-v1", URL_SAFE_NO_PAD.encode(Sha256::digest(text)))
}

/// The id of the set that an object is a member of. The label alone makes nothing a member: controllers copy labels (a Service's to
/// its Endpoints and EndpointSlices, a Knative Service's to its Revisions), so the server's record must say that we wrote it. Where
/// nothing is on record any more the label is all there is, and counts ([`is_unrecorded`]).
pub fn owner(live: &Object) -> Option<&str> {
    let written = || {
        manager::entries(live)
            .filter_map(Manager::of)
            .any(|manager| manager.is_us())
    };
    live.label(PART_OF_LABEL)
        .filter(|_| written() || is_unrecorded(live))
}

/// True where the server's record says of no manager that it wrote the object: it was wiped (`managedFields: [{}]`), or the object is
/// out of a backup, and the tool that restored it is all that the record knows. Who writes a status does not count.
pub fn is_unrecorded(live: &Object) -> bool {
    manager::entries(live)
        .filter_map(Manager::of)
        .filter(|manager| manager.subresource.as_deref() != Some("status"))
        .all(|manager| manager.restores())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn a_copied_label_makes_no_member() {
        let live = |record: Value| {
            let metadata =
                json!({"name": "a", "labels": {PART_OF_LABEL: "applyset-a-v1"}, "managedFields": record});
            Object::new(json!({"apiVersion": "v1", "kind": "Endpoints", "metadata": metadata})).unwrap()
        };
        let ours = json!({"manager": "sluice", "operation": "Apply"});
        let controllers = json!({"manager": "kube-controller-manager", "operation": "Update"});
        let scaled = json!({"manager": "sluice", "operation": "Update", "subresource": "scale"});
        assert_eq!(owner(&live(json!([controllers, ours]))), Some("applyset-a-v1"));
        assert_eq!(owner(&live(json!([controllers, scaled]))), None);
        let status = json!({"manager": "kubelet", "operation": "Update", "subresource": "status"});
        assert_eq!(owner(&live(json!([status, controllers]))), None);
    }

    /// Reported: after `managedFields: [{}]`, or out of a backup, an object was in no set, and stayed for ever in silence.
    #[test]
    fn without_a_record_the_label_counts() {
        let live = |record: Value, labels: Value| {
            let metadata = json!({"name": "a", "labels": labels, "managedFields": record});
            Object::new(json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata})).unwrap()
        };
        let labels = json!({PART_OF_LABEL: "applyset-a-v1"});
        let status = json!({"manager": "kubelet", "operation": "Update", "subresource": "status"});
        let restored = json!({"manager": "velero-server", "operation": "Update"});
        for record in [
            json!(null),
            json!([]),
            json!([{}]),
            json!([status]),
            json!([restored]),
        ] {
            let object = live(record.clone(), labels.clone());
            assert_eq!(owner(&object), Some("applyset-a-v1"), "{record}");
            assert!(is_unrecorded(&object), "{record}");
        }
        let other = json!({"manager": "kubectl-edit", "operation": "Update"});
        assert_eq!(owner(&live(json!([restored, other]), labels)), None);
        assert_eq!(owner(&live(json!(null), json!({}))), None);
    }

    fn identity_of(namespace: &str, name: &str, installation: Option<&str>) -> Identity {
        let application = ApplicationKey {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        };
        let home = installation.map_or(HomeOf::Here, |uid| HomeOf::Elsewhere {
            installation: uid.to_owned(),
        });
        identity(&application, &home)
    }

    /// The ids are those that `kubectl` computes from the parent: SHA-256 of `name.namespace.kind.group`.
    #[test]
    fn an_identity_says_whose_it_is() {
        for (installation, parent, id) in [
            (
                None,
                "Application.sluice.dev shop/guestbook",
                "applyset-vKk3XhxtprrMTBfrW3NcsOtHU08ji7aJJYPojXtGR9Y-v1",
            ),
            (
                Some("0f5c1f5e-2b1a-4c55-9d3e-6c1b1d1c9a01"),
                "ConfigMap sluice-system/applyset-6cc6bb7a1c049f46326f7b53d8e4962751c19abafb4055b481b8d4f5927edb78",
                "applyset-HG8ts8PBibc2vboUDOKcqMm3dzQ5y2QhcB3yV84Cqc4-v1",
            ),
            (
                Some("0f5c1f5e-2b1a-4c55-9d3e-6c1b1d1c9a02"),
                "ConfigMap sluice-system/applyset-5a2f46808a6e41a4e1b8e051e64ceda98ea20c1dc4663a93422db05abfe21a75",
                "applyset-G_fol-mf3EQ6TjNaQXIc2_YNxnROcvahDvalX6sPmVA-v1",
            ),
        ] {
            let identity = identity_of("shop", "guestbook", installation);
            assert_eq!(
                (identity.parent.to_string().as_str(), identity.id.as_str()),
                (parent, id)
            );
        }
        assert_eq!(
            identity_of("shop", "guestbook", None).id,
            super::id("shop", "guestbook")
        );
    }

    #[test]
    fn no_two_are_one() {
        let longest = "a".repeat(253);
        let mut ids = std::collections::BTreeSet::new();
        let mut names = std::collections::BTreeSet::new();
        for installation in [None, Some("u1"), Some("u2")] {
            for (namespace, name) in [
                ("shop", "guestbook"),
                ("shop", "other"),
                ("other", "guestbook"),
                // As one text they read the same.
                ("a", "b.a"),
                ("a-b", "c"),
                ("a", "b-c"),
                (longest.as_str(), longest.as_str()),
            ] {
                let identity = identity_of(namespace, name, installation);
                let id = &identity.id;
                assert_eq!(id.len(), "applyset--v1".len() + 43);
                assert!(id.len() <= 63 && id.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c)));
                assert!(ids.insert(identity.id.clone()), "{}", identity.parent);
                assert!(identity.parent.name.len() <= 253, "no name of an object");
                assert!(names.insert(identity.parent.to_string()));
            }
        }
    }
}
