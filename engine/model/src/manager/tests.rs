//! How the record of managers changes hands, case by case.

use super::*;

fn live(entries: Value) -> Object {
    Object::new(
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "managedFields": entries}}),
    )
    .unwrap()
}

fn entry(name: &str, operation: &str, fields: Value) -> Value {
    json!({"manager": name, "operation": operation, "apiVersion": "v1", "fieldsV1": fields})
}

fn names(live: &Object) -> Vec<String> {
    predecessors(live, None).iter().map(ToString::to_string).collect()
}

#[test]
fn who_deployed_before_is_taken_over() {
    let applied_as_robot =
        json!({"f:metadata": {"f:annotations": {".": {}, LAST_APPLIED: {}}}, "f:data": {"f:a": {}}});
    let mut status = entry("helm", "Update", json!({"f:status": {}}));
    status["subresource"] = "status".into();
    let object = live(json!([
        entry("helm", "Update", json!({"f:data": {"f:a": {}}})),
        entry("robot", "Update", applied_as_robot),
        entry("argocd-controller", "Apply", json!({"f:data": {}})),
        entry("kubectl-edit", "Update", json!({"f:data": {"f:b": {}}})),
        entry("some-operator", "Update", json!({"f:data": {"f:c": {}}})),
        status,
    ]));
    assert_eq!(names(&object), ["argocd-controller (apply)", "helm", "robot"]);
    let only = |names: &[&str]| {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        predecessors(&object, Some(&names)).len()
    };
    assert_eq!((only(&["some-operator"]), only(&[])), (1, 0));
}

#[test]
fn once_it_is_ours_the_others_are_rivals() {
    let ours = entry("sluice", "Apply", json!({"f:data": {"f:a": {}}}));
    let object = live(json!([
        entry("helm", "Update", json!({"f:data": {"f:b": {}}})),
        ours
    ]));
    assert_eq!(names(&object), Vec::<String>::new());
    let replaced = live(json!([entry("sluice", "Update", json!({"f:data": {"f:a": {}}}))]));
    assert_eq!(names(&replaced), ["sluice"]);
}

#[test]
fn their_fields_become_ours() {
    let object = live(json!([
        entry(
            "helm",
            "Update",
            json!({"f:data": {".": {}, "f:a": {}, "f:b": {}}, "f:spec": {"f:x": {"f:y": {}}}})
        ),
        entry("hpa", "Update", json!({"f:spec": {"f:replicas": {}}})),
        entry(
            "sluice",
            "Apply",
            json!({"f:data": {"f:a": {}, "f:c": {}}, "f:spec": {"f:x": {}}})
        ),
    ]));
    let helm = Manager {
        name: "helm".to_owned(),
        operation: Operation::Update,
        subresource: None,
    };
    let takeover = Takeover {
        managers: std::slice::from_ref(&helm),
        claim: None,
        version: "v1",
        ..Takeover::default()
    };
    let record = taken_over(&object, &takeover).unwrap();
    assert_eq!(
        record,
        json!([
            entry("hpa", "Update", json!({"f:spec": {"f:replicas": {}}})),
            entry(
                "sluice",
                "Apply",
                json!({"f:data": {".": {}, "f:a": {}, "f:b": {}, "f:c": {}}, "f:spec": {"f:x": {".": {}, "f:y": {}}}})
            ),
        ])
    );
    assert_eq!(taken_over(&live(record), &takeover), None);
}

/// A default of the server beside the new value of a union has no owner, and what an injector wrote belongs to it.
#[test]
fn single_fields_are_claimed_from_who_wrote_them_and_never_from_who_applies_them() {
    let claim = json!({"f:spec": {"f:conversion": {"f:webhook": {}}}});
    let takeover = Takeover {
        managers: &[],
        claim: claim.as_object(),
        version: "v1",
        ..Takeover::default()
    };
    let bundle =
        || json!({"f:spec": {"f:conversion": {"f:webhook": {"f:clientConfig": {"f:caBundle": {}}}}}});
    let ours = || json!({"f:spec": {"f:conversion": {"f:strategy": {}}}});
    let both = || json!({"f:spec": {"f:conversion": {"f:strategy": {}, "f:webhook": {}}}});
    let object = live(json!([
        entry("injector", "Update", bundle()),
        entry("applier", "Apply", bundle()),
        entry("sluice", "Apply", ours()),
    ]));
    let record = taken_over(&object, &takeover).unwrap();
    let expected = json!([
        entry("applier", "Apply", bundle()),
        entry("sluice", "Apply", both())
    ]);
    assert_eq!(record, expected);
    assert_eq!(taken_over(&live(record), &takeover), None);
}

#[test]
fn our_entry_moves_to_the_version_that_git_has() {
    let mut old = entry("sluice", "Apply", json!({"f:spec": {"f:a": {}}}));
    let new = old.clone();
    old["apiVersion"] = "v1beta1".into();
    let object = live(json!([old]));
    assert_eq!(recorded_version(&object), Some("v1beta1"));
    let takeover = Takeover {
        version: "v1",
        ..Takeover::default()
    };
    assert_eq!(taken_over(&object, &takeover), Some(json!([new.clone()])));
    assert_eq!(taken_over(&live(json!([new])), &takeover), None);
    assert_eq!(taken_over(&live(json!([])), &takeover), None);
}

#[test]
fn entries_of_others_move_where_the_server_cannot_read_them() {
    let at = |version: &str, mut entry: Value| {
        entry["apiVersion"] = version.into();
        entry
    };
    let (a, b) = (
        || json!({"f:spec": {"f:a": {}}}),
        || json!({"f:spec": {"f:b": {}}}),
    );
    let object = live(json!([
        at("x.io/v1", entry("flux", "Apply", a())),
        at("x.io/v1", entry("controller", "Update", a())),
        at("x.io/v2", entry("controller", "Update", b())),
        at("other.io/v1", entry("elsewhere", "Update", a())),
    ]));
    let takeover = Takeover {
        version: "x.io/v2",
        all_at_version: true,
        ..Takeover::default()
    };
    let record = taken_over(&object, &takeover).unwrap();
    let expected = json!([
        at("x.io/v2", entry("flux", "Apply", a())),
        at(
            "x.io/v2",
            entry("controller", "Update", json!({"f:spec": {"f:a": {}, "f:b": {}}}))
        ),
        at("other.io/v1", entry("elsewhere", "Update", a())),
    ]);
    assert_eq!(record, expected);
    assert_eq!(taken_over(&live(record), &takeover), None);
}

/// Reported: after `managedFields: [{}]` the keys that Git dropped stayed for ever, and the object was Synced.
#[test]
fn what_was_lost_is_taken_up_as_far_as_people_write_it() {
    let wiped = |kind: &str, api_version: &str| {
        let metadata = json!({"name": "a", "labels": {PART_OF_LABEL: "applyset-a-v1"}});
        Object::new(json!({"apiVersion": api_version, "kind": kind, "metadata": metadata})).unwrap()
    };
    let answer = |fields: Value| {
        live(json!([
            entry("before-first-apply", "Update", fields),
            entry("sluice", "Apply", json!({"f:metadata": {"f:labels": {}}})),
        ]))
    };
    let fields = |object: &Object| entries(object).next().map(|entry| entry["fieldsV1"].clone());
    let everything = json!({
        "f:metadata": {
            "f:finalizers": {".": {}, "v:\"x\"": {}}, "f:ownerReferences": {"k:{\"uid\":\"1\"}": {}},
            "f:labels": {".": {}, "f:app": {}, "f:app.kubernetes.io/name": {}, "f:applyset.kubernetes.io/part-of": {}},
            "f:annotations": {"f:deployment.kubernetes.io/revision": {}, "f:note": {}},
        },
        "f:spec": {"f:replicas": {}, "f:containers": {
            "k:{\"name\":\"a\"}": {".": {}, "f:image": {}, "f:env": {"k:{\"name\":\"E\"}": {".": {}, "f:value": {}}}}}},
        "f:status": {"f:conditions": {"k:{\"type\":\"Ready\"}": {}}},
    });
    let metadata =
        json!({"f:labels": {"f:app": {}, "f:app.kubernetes.io/name": {}}, "f:annotations": {"f:note": {}}});
    let deployment = restored(&wiped("Deployment", "apps/v1"), &answer(everything.clone()));
    let container = json!({".": {}, "f:env": {"k:{\"name\":\"E\"}": {".": {}}}});
    assert_eq!(
        fields(&deployment),
        Some(json!({"f:metadata": metadata, "f:spec": {"f:containers": {"k:{\"name\":\"a\"}": container}}}))
    );
    assert_eq!(names(&deployment), ["before-first-apply"]);
    let pod = restored(&wiped("Pod", "v1"), &answer(everything));
    assert_eq!(fields(&pod), Some(json!({"f:metadata": metadata})));
    let data = json!({"f:data": {".": {}, "f:a": {}, "f:b": {}}});
    let config = restored(&wiped("ConfigMap", "v1"), &answer(data.clone()));
    assert_eq!(fields(&config), Some(json!({"f:data": {"f:a": {}, "f:b": {}}})));
    // Out of a backup: the record of the tool that restored it.
    let object = wiped("ConfigMap", "v1");
    let velero = restored(&object, &live(json!([entry("velero-server", "Update", data)])));
    assert_eq!(fields(&velero), Some(json!({"f:data": {"f:a": {}, "f:b": {}}})));
    assert_eq!(names(&velero), ["velero-server"]);
}

#[test]
fn hands_and_autoscalers_are_told_apart() {
    let manager = |name: &str, operation, subresource: Option<&str>| Manager {
        name: name.to_owned(),
        operation,
        subresource: subresource.map(str::to_owned),
    };
    let hpa = manager("kube-controller-manager", Operation::Update, Some("scale"));
    assert!(hpa.is_autoscaler() && !hpa.is_by_hand());
    let person = manager("kubectl", Operation::Update, Some("scale"));
    assert!(person.is_by_hand() && !person.is_autoscaler());
    assert!(manager("kubectl-edit", Operation::Update, None).is_by_hand());
    assert!(!manager("kubectl", Operation::Apply, None).is_by_hand());
    assert_eq!(person.to_string(), "kubectl through scale");
}
