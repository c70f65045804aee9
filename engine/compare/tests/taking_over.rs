//! What changes with an object that somebody else deployed before.

use serde_json::{Value, json};
use sluice_compare::compare_taking_over;
use sluice_model::difference::Difference;
use sluice_model::manager::Manager;
use sluice_model::object::Object;

/// What is on record for who made the object, and is not theirs: `kubectl apply`'s own annotation, which is not kept of live
/// objects, and what the server sets on every namespace and DaemonSet.
#[test]
fn what_is_taken_over_and_nobody_can_drop_is_no_change() {
    let kubectl: Manager = serde_json::from_value(json!({"name": "kubectl", "operation": "Update"})).unwrap();
    let record = |fields: Value| json!([{"manager": "kubectl", "operation": "Update", "fieldsV1": {"f:metadata": fields}}]);
    let object = |value: Value| Object::new(value).unwrap();
    let desired = |kind: &str| {
        object(json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": "a", "labels": {"team": "x"}}}))
    };
    let taken = |kind: &str, metadata: Value, fields: Value| {
        let mut value = json!({"apiVersion": "v1", "kind": kind, "metadata": metadata});
        value["metadata"]["name"] = "a".into();
        value["metadata"]["managedFields"] = record(fields);
        let compared = compare_taking_over(
            &desired(kind),
            Some(&object(value)),
            &[],
            std::slice::from_ref(&kubectl),
        );
        match compared.difference {
            Difference::Unowned(changes) => changes
                .into_iter()
                .map(|change| change.pointer)
                .collect::<Vec<_>>(),
            other => panic!("{other:?}"),
        }
    };
    let nothing = Vec::<String>::new();
    let metadata = json!({"annotations": {}, "labels": {"team": "x", "kubernetes.io/metadata.name": "a"}});
    let fields = json!({
        "f:annotations": {".": {}, "f:kubectl.kubernetes.io/last-applied-configuration": {}},
        "f:labels": {".": {}, "f:team": {}, "f:kubernetes.io/metadata.name": {}},
    });
    assert_eq!(taken("Namespace", metadata, fields), nothing);
    let generation = "deprecated.daemonset.template.generation";
    let metadata = json!({"annotations": {generation: "1"}, "labels": {"team": "x"}});
    let fields =
        json!({"f:annotations": {".": {}, format!("f:{generation}"): {}}, "f:labels": {"f:team": {}}});
    assert_eq!(taken("DaemonSet", metadata, fields), nothing);
    let metadata = json!({"annotations": {"note": "1", generation: "1"}, "labels": {"team": "x"}});
    let fields = json!({"f:annotations": {".": {}, "f:note": {}, format!("f:{generation}"): {}}});
    assert_eq!(
        taken("DaemonSet", metadata, fields),
        ["/metadata/annotations/note"]
    );
}
