//! Ownership by ApplySet (KEP-3659): the Application is the parent, every object it owns carries its id.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

use crate::manager::{self, Manager};
use crate::object::Object;

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

/// The id of the Application `namespace/name`: `applyset-<base64url(sha256(name.namespace.kind.group))>-v1`.
pub fn id(namespace: &str, name: &str) -> String {
    let hash = Sha256::digest(format!("{name}.{namespace}.Application.sluice.dev"));
    format!("applyset-{}-v1", URL_SAFE_NO_PAD.encode(hash))
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

    #[test]
    fn an_id_is_a_valid_label_value() {
        let id = super::id("shop", "guestbook");
        assert_eq!(id.len(), "applyset--v1".len() + 43);
        assert!(id.len() <= 63 && id.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c)));
        assert_ne!(id, super::id("shop", "other"));
    }
}
