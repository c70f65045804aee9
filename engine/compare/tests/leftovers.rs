//! What stands beside Git's and is nobody's will, what says nothing, and what only the server can tell.

use serde_json::{Value, json};
use sluice_compare::{
    Certainty, Comparison, compare, compare_taking_over, diff, is_allocated, prepare, question,
};
use sluice_model::difference::{Difference, FieldChange};
use sluice_model::manager::{Manager, predecessors};
use sluice_model::object::Object;

fn object(value: Value) -> Object {
    Object::new(value).expect("it is an object")
}

fn entry(manager: &str, operation: &str, version: &str, fields: Value) -> Value {
    json!({"manager": manager, "operation": operation, "apiVersion": version, "fieldsType": "FieldsV1", "fieldsV1": fields})
}

/// As the cluster has it, with our part of the record and what others wrote.
fn live(mut value: Value, ours: Value, others: &[(&str, &str, Value)]) -> Object {
    let version = value["apiVersion"].as_str().expect("it has a version").to_owned();
    let mut entries = vec![entry("sluice", "Apply", &version, ours)];
    for (manager, operation, fields) in others {
        entries.push(entry(manager, operation, &version, fields.clone()));
    }
    value["metadata"]["managedFields"] = entries.into();
    value["metadata"]["uid"] = "u".into();
    object(value)
}

fn compared(desired: &Value, live: &Object) -> Comparison {
    let desired = object(desired.clone());
    compare_taking_over(&desired, Some(live), &[], &predecessors(live, None))
}

fn list(difference: &Difference) -> Vec<FieldChange> {
    match difference {
        Difference::Same | Difference::Missing => Vec::new(),
        Difference::Unowned(changes) | Difference::Changed(changes) => changes.clone(),
    }
}

fn pointers(comparison: &Comparison) -> Vec<String> {
    let changes = list(&comparison.difference);
    changes.into_iter().map(|change| change.pointer).collect()
}

fn thing(spec: Value) -> Value {
    json!({"apiVersion": "x.io/v1", "kind": "Thing", "metadata": {"name": "a"}, "spec": spec})
}

fn service(spec: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, "spec": spec})
}

fn deployment(spec: Value) -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": spec})
}

/// The server has no record of an empty list that is matched by keys, and stores none of its own types.
#[test]
fn an_empty_list_that_the_server_leaves_out_is_no_difference() {
    let pod = |container: Value| deployment(json!({"template": {"spec": {"containers": [container]}}}));
    let record = json!({"f:spec": {"f:template": {"f:spec": {"f:containers": {"k:{\"name\":\"web\"}": {".": {}, "f:name": {}}}}}}});
    let there = live(pod(json!({"name": "web"})), record, &[]);
    let wanted = pod(json!({"name": "web", "env": [], "ports": [], "volumeMounts": []}));
    assert_eq!(pointers(&compared(&wanted, &there)), Vec::<String>::new());
    let lists = |mut value: Value| {
        for list in ["finalizers", "ownerReferences"] {
            value["metadata"][list] = json!([]);
        }
        value
    };
    let record = json!({"f:spec": {"f:a": {}}});
    for plain in [thing(json!({"a": 1})), deployment(json!({"a": 1}))] {
        let there = live(plain.clone(), record.clone(), &[]);
        assert_eq!(pointers(&compared(&lists(plain), &there)), Vec::<String>::new());
    }
    // What defines its own kinds may store it.
    let there = live(thing(json!({"a": 1})), record, &[]);
    let wanted = thing(json!({"a": 1, "list": []}));
    assert_eq!(pointers(&compared(&wanted, &there)), ["/spec/list"]);
}

#[test]
fn a_null_asks_for_nothing() {
    let map = |data: Value| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": data});
    let record = || json!({"f:data": {".": {}, "f:a": {}, "f:b": {}}});
    let wanted = map(json!({"a": "1", "b": null}));
    let there = |b: &str| live(map(json!({"a": "1", "b": b})), record(), &[]);
    assert_eq!(pointers(&compared(&wanted, &there(""))), Vec::<String>::new());
    assert_eq!(pointers(&compared(&wanted, &there("before"))), ["/data/b"]);
    let ports = |port: Value| service(json!({"ports": [port], "sessionAffinity": "None"}));
    let port = json!({"f:ports": {"k:{\"port\":80,\"protocol\":\"TCP\"}": {".": {}, "f:port": {}, "f:protocol": {}}}});
    let there = live(
        ports(json!({"port": 80, "protocol": "TCP"})),
        json!({"f:spec": port}),
        &[],
    );
    let wanted = service(json!({"ports": [{"port": 80, "name": null}], "externalIPs": null}));
    assert_eq!(pointers(&compared(&wanted, &there)), Vec::<String>::new());
}

/// `timeoutSeconds: 0` and `path: ""` of a probe, `cpu: null` of a limit, `conversion: null` of a definition: only the server knows its
/// defaults, and it is asked as long as what it says was applied by us.
#[test]
fn what_the_server_may_answer_by_its_default_is_asked_about() {
    let probe = |fields: Value| {
        deployment(json!({"template": {"spec": {"containers": [{"name": "web", "livenessProbe": fields}]}}}))
    };
    let record = |field: &str| {
        json!({"f:spec": {"f:template": {"f:spec": {"f:containers": {"k:{\"name\":\"web\"}": {".": {}, "f:name": {},
            "f:livenessProbe": {field: {}}}}}}}})
    };
    let cases = [
        ("timeoutSeconds", json!(0), json!(1)),
        ("path", json!(""), json!("/")),
        ("periodSeconds", Value::Null, json!(10)),
        ("httpGet", Value::Null, json!({"scheme": "HTTP"})),
        ("httpGet", json!({}), json!({"scheme": "HTTP"})),
    ];
    for (field, nothing, default) in cases {
        let wanted = probe(json!({field: nothing}));
        let there = probe(json!({field: default}));
        let ours = live(there.clone(), record(&format!("f:{field}")), &[]);
        let found = compared(&wanted, &ours);
        let pointer = format!("/spec/template/spec/containers/[name=web]/livenessProbe/{field}");
        if found.difference != Difference::Same {
            assert_eq!(
                (pointers(&found), found.certainty),
                (vec![pointer.clone()], Certainty::ServerDecides),
                "{wanted}"
            );
            let desired = object(wanted.clone());
            let asked = question(&desired, &ours, &[], &[]);
            assert_eq!(asked.may_settle().collect::<Vec<_>>(), [pointer.as_str()]);
            assert!(!asked.gives_up(), "nothing is dropped: {wanted:?}");
        }
        // What another manager wrote over it is drift, and needs no answer of the server.
        if !nothing.is_null() && nothing != json!({}) {
            let theirs = [("kubectl-edit", "Update", record(&format!("f:{field}")))];
            let others = live(there, record("f:other"), &theirs);
            assert_eq!(compared(&wanted, &others).certainty, Certainty::Sure, "{wanted}");
        }
    }
}

/// An entry that was applied with a null for a key became one with the default.
#[test]
fn a_key_that_says_nothing_is_its_default() {
    let port =
        |protocol: Value| service(json!({"ports": [{"port": 80, "protocol": protocol, "name": "web"}]}));
    for recorded in ["null", "\"\"", "\"TCP\""] {
        let key = format!("k:{{\"port\":80,\"protocol\":{recorded}}}");
        let record =
            json!({"f:spec": {"f:ports": {key: {".": {}, "f:port": {}, "f:protocol": {}, "f:name": {}}}}});
        let there = live(port(json!("TCP")), record, &[]);
        for nothing in [Value::Null, json!("")] {
            let wanted = prepare(&object(port(nothing)), Some(&there), &[]);
            assert_eq!(
                pointers(&compared(wanted.value(), &there)),
                Vec::<String>::new(),
                "{recorded}"
            );
        }
        let without = service(json!({"ports": [{"port": 80}]}));
        assert_eq!(
            pointers(&compared(&without, &there)),
            ["/spec/ports/[port=80,protocol=TCP]/name"],
            "{recorded}"
        );
    }
}

#[test]
fn an_address_that_the_server_chose_is_no_leftover() {
    let there = |fields: Value| live(service(fields), json!({}), &[]);
    let given = there(
        json!({"clusterIP": "10.0.0.7", "clusterIPs": ["10.0.0.7"], "ports": [{"port": 80, "nodePort": 30080}], "type": "NodePort"}),
    );
    for pointer in ["/spec/clusterIP", "/spec/clusterIPs", "/spec/ports/0/nodePort"] {
        assert!(is_allocated(&given, pointer), "{pointer}");
    }
    assert!(!is_allocated(&given, "/spec/type"));
    let headless = there(json!({"clusterIP": "None", "clusterIPs": ["None"]}));
    assert!(!is_allocated(&headless, "/spec/clusterIP") && !is_allocated(&headless, "/spec/clusterIPs"));
    let other = live(thing(json!({"clusterIP": "10.0.0.7"})), json!({}), &[]);
    assert!(!is_allocated(&other, "/spec/clusterIP"));
}

#[test]
fn kubectls_own_annotation_is_not_sent() {
    let key = "kubectl.kubernetes.io/last-applied-configuration";
    let mut exported = thing(json!({}));
    exported["metadata"]["annotations"] = json!({key: "{}", "note": "x"});
    let sent = prepare(&object(exported), None, &[]);
    assert_eq!(sent.value()["metadata"]["annotations"], json!({"note": "x"}));
}

/// Later changes fail, or once that version is gone what Git drops stays.
#[test]
fn a_record_at_another_version_is_a_difference_and_shown() {
    let mut there = thing(json!({"a": 1}));
    there["metadata"]["managedFields"] = json!([entry(
        "sluice",
        "Apply",
        "x.io/v1beta1",
        json!({"f:spec": {"f:a": {}}})
    )]);
    let (there, wanted) = (object(there), object(thing(json!({"a": 1}))));
    let Difference::Changed(changes) = compare(&wanted, Some(&there), &[]) else {
        panic!("no difference")
    };
    assert_eq!(changes.len(), 1);
    assert_eq!(
        (&changes[0].pointer[..], &changes[0].live),
        ("/apiVersion", &Some("x.io/v1beta1".into()))
    );
    let pair = diff::Pair {
        desired: &wanted,
        live: Some(&there),
        ignore: &[],
        predecessors: &[],
        changes: None,
    };
    let lines: Vec<String> = pair.unified(0).iter().map(ToString::to_string).collect();
    assert!(
        lines.contains(&"-apiVersion: x.io/v1beta1".to_owned()),
        "{lines:?}"
    );
    assert!(lines.contains(&"+apiVersion: x.io/v1".to_owned()), "{lines:?}");
}

const PORT_81: &str = "k:{\"port\":81,\"protocol\":\"TCP\"}";

#[test]
fn an_entry_whose_key_was_edited_by_hand_gives_way() {
    let wanted = service(json!({"ports": [{"port": 80}]}));
    let edited = service(json!({"ports": [{"port": 81, "protocol": "TCP", "targetPort": 80}]}));
    let ports = json!({"f:spec": {"f:ports": {PORT_81: {".": {}, "f:port": {}, "f:protocol": {}, "f:targetPort": {}}}}});
    let ours = || json!({"f:spec": {"f:selector": {}}});
    let by = |manager: &str, operation: &str| {
        let there = live(edited.clone(), ours(), &[(manager, operation, ports.clone())]);
        let found = compared(&wanted, &there);
        (pointers(&found), Value::Object(found.claim))
    };
    let (added, gone) = (
        "/spec/ports/[port=80,protocol=TCP]",
        "/spec/ports/[port=81,protocol=TCP]",
    );
    let claimed = json!({"f:spec": {"f:ports": {PORT_81: {}}}});
    let (found, claim) = by("kubectl-edit", "Update");
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(
        found[0].starts_with(&added[.."/spec/ports/[port=80".len()]),
        "{found:?}"
    );
    assert_eq!((&found[1][..], claim), (gone, claimed));
    // Nothing says that this one is what became of Git's, and that one declared that it is theirs.
    for (manager, operation) in [("mesh", "Update"), ("mesh", "Apply"), ("kubectl", "Apply")] {
        let (found, claim) = by(manager, operation);
        assert_eq!((found.len(), claim), (1, json!({})), "{manager} {operation}");
    }
    // One that was added beside Git's stays.
    let both = service(json!({"ports": [{"port": 80, "protocol": "TCP"}, {"port": 81, "protocol": "TCP"}]}));
    let there = live(
        both,
        json!({"f:spec": {"f:ports": {"k:{\"port\":80,\"protocol\":\"TCP\"}": {".": {}, "f:port": {}}}}}),
        &[("kubectl-edit", "Update", ports.clone())],
    );
    assert_eq!(pointers(&compared(&wanted, &there)), Vec::<String>::new());
}

#[test]
fn a_renamed_variable_gives_way_also_where_a_program_renamed_it() {
    let pod =
        |env: Value| deployment(json!({"template": {"spec": {"containers": [{"name": "web", "env": env}]}}}));
    let record = |env: Value| json!({"f:spec": {"f:template": {"f:spec": {"f:containers": {"k:{\"name\":\"web\"}": {".": {}, "f:name": {}, "f:env": env}}}}}});
    let renamed = |value: &str| {
        live(
            pod(json!([{"name": "MODUS", "value": value}])),
            record(json!({".": {}})),
            &[(
                "tool",
                "Update",
                record(json!({"k:{\"name\":\"MODUS\"}": {".": {}, "f:name": {}, "f:value": {}}})),
            )],
        )
    };
    let wanted = pod(json!([{"name": "MODE", "value": "fast"}]));
    assert_eq!(pointers(&compared(&wanted, &renamed("fast"))).len(), 2);
    assert_eq!(pointers(&compared(&wanted, &renamed("other"))).len(), 1);
}

fn rolling() -> Object {
    live(
        deployment(json!({
            "replicas": 1, "minReadySeconds": 5, "progressDeadlineSeconds": 600,
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%"}},
        })),
        json!({"f:spec": {"f:replicas": {}, "f:minReadySeconds": {}}}),
        &[],
    )
}

/// `rollingUpdate: Forbidden: may not be specified when strategy type is 'Recreate'`, and it is a default that nobody wrote.
#[test]
fn a_default_beside_the_new_member_of_a_union_is_claimed() {
    let there = rolling();
    for strategy in [
        json!({"type": "Recreate"}),
        json!({"type": "Recreate", "rollingUpdate": null}),
    ] {
        let desired = object(deployment(
            json!({"replicas": 1, "minReadySeconds": 5, "strategy": strategy}),
        ));
        let comparison = compare_taking_over(&desired, Some(&there), &[], &[]);
        assert_eq!(comparison.certainty, Certainty::ServerDecides);
        let question = question(&desired, &there, &[], &[]);
        let tries = question.leftovers(&["spec.strategy.rollingUpdate".to_owned()]);
        let first = tries.first().unwrap();
        assert_eq!(
            question.trial(first),
            json!({"spec": {"strategy": {"type": "Recreate", "rollingUpdate": null}}})
        );
        let mut answer = there.value().clone();
        answer["spec"]["strategy"] = json!({"type": "Recreate"});
        let answer = object(answer);
        assert_eq!(
            Value::Object(first.claim(&there, &answer)),
            json!({"f:spec": {"f:strategy": {"f:rollingUpdate": {}}}})
        );
        let changes = question.answered(first, &answer);
        let told: Vec<&str> = changes.iter().map(|change| change.pointer.as_str()).collect();
        assert_eq!(told, ["/spec/strategy/type", "/spec/strategy/rollingUpdate"]);
    }
}

/// `only allowed for updateStrategy 'RollingUpdate'`, `may not specify more than 1 volume type`: the default says nothing but that it
/// is there.
#[test]
fn a_default_without_content_is_claimed_too() {
    let set = |spec: Value| json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "a"}, "spec": spec});
    let rolling = json!({"type": "RollingUpdate", "rollingUpdate": {"partition": 0}});
    let volumes = |volume: Value| json!({"replicas": 1, "template": {"spec": {"volumes": [volume]}}});
    let owned = json!({"f:spec": {"f:replicas": {}, "f:template": {"f:spec": {"f:volumes": {"k:{\"name\":\"v\"}": {".": {}, "f:name": {}}}}}}});
    let cases = [
        (
            live(
                set(json!({"replicas": 1, "updateStrategy": rolling})),
                json!({"f:spec": {"f:replicas": {}}}),
                &[],
            ),
            object(set(
                json!({"replicas": 1, "updateStrategy": {"type": "OnDelete"}}),
            )),
            "spec.updateStrategy.rollingUpdate",
            json!({"spec": {"updateStrategy": {"type": "OnDelete", "rollingUpdate": null}}}),
        ),
        (
            live(set(volumes(json!({"name": "v", "emptyDir": {}}))), owned, &[]),
            object(set(volumes(json!({"name": "v", "configMap": {"name": "x"}})))),
            "spec.template.spec.volumes[0].configMap",
            json!({"spec": {"template": {"spec": {"volumes": [{"name": "v", "configMap": {"name": "x"}}]}}}}),
        ),
    ];
    for (there, desired, named, expected) in cases {
        let comparison = compare_taking_over(&desired, Some(&there), &[], &[]);
        assert_eq!(comparison.certainty, Certainty::ServerDecides, "{named}");
        let question = question(&desired, &there, &[], &[]);
        let tries = question.leftovers(&[named.to_owned()]);
        assert_eq!(question.trial(tries.first().unwrap()), expected, "{named}");
    }
    // A new image is no reason to ask, as long as what is beside it has no content.
    let container = |image: &str| json!({"replicas": 1, "template": {"spec": {"containers": [{"name": "c", "image": image, "resources": {}}]}}});
    let owned = json!({"f:spec": {"f:replicas": {}, "f:template": {"f:spec": {"f:containers": {"k:{\"name\":\"c\"}": {".": {}, "f:name": {}, "f:image": {}}}}}}});
    let there = live(set(container("a")), owned, &[]);
    let mut desired = container("b");
    desired["template"]["spec"]["containers"][0]
        .as_object_mut()
        .unwrap()
        .remove("resources");
    let comparison = compare_taking_over(&object(set(desired)), Some(&there), &[], &[]);
    assert_eq!(comparison.certainty, Certainty::Sure);
}

/// The server names a field by another name than the one it is read by.
#[test]
fn what_an_injector_wrote_is_claimed_and_what_it_applies_is_named() {
    let crd = |conversion: Value| json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "a"}, "spec": {"conversion": conversion}});
    let webhook = json!({"strategy": "Webhook", "webhook": {"conversionReviewVersions": ["v1"], "clientConfig": {"caBundle": "eA==", "service": {"name": "x"}}}});
    let bundle = json!({"f:spec": {"f:conversion": {"f:webhook": {"f:clientConfig": {"f:caBundle": {}}}}}});
    let ours = json!({"f:spec": {"f:conversion": {"f:strategy": {}, "f:webhook": {"f:conversionReviewVersions": {}, "f:clientConfig": {"f:service": {"f:name": {}}}}}}});
    let desired = object(crd(json!({"strategy": "None"})));
    let named = ["spec.conversion.webhookClientConfig".to_owned()];
    let there = |operation| {
        live(
            crd(webhook.clone()),
            ours.clone(),
            &[("cainjector", operation, bundle.clone())],
        )
    };
    let written = there("Update");
    let asked = question(&desired, &written, &[], &[]);
    let tries = asked.leftovers(&named);
    let trial = asked.trial(tries.first().unwrap());
    assert_eq!(
        trial,
        json!({"spec": {"conversion": {"strategy": "None", "webhook": null}}})
    );
    assert_eq!(asked.of_others(&named), None);
    let applied = there("Apply");
    let asked = question(&desired, &applied, &[], &[]);
    assert!(asked.leftovers(&named).is_empty());
    let (pointer, manager) = asked.of_others(&named).unwrap();
    assert_eq!(
        (&pointer[..], manager.to_string()),
        ("/spec/conversion/webhook", "cainjector (apply)".to_owned())
    );
}

/// An ordinary change costs no request.
#[test]
fn the_server_is_asked_where_only_it_knows() {
    let certainty = |spec: Value| compared(&deployment(spec), &rolling()).certainty;
    assert_eq!(
        certainty(json!({"replicas": 2, "minReadySeconds": 5})),
        Certainty::Sure
    );
    assert_eq!(
        certainty(json!({"replicas": 1, "minReadySeconds": 5, "paused": true})),
        Certainty::Sure
    );
    assert_eq!(certainty(json!({"replicas": 1})), Certainty::ServerDecides);
    let mut labelled = deployment(json!({"replicas": 1, "minReadySeconds": 5}));
    labelled["metadata"]["labels"] = json!({"a": "b"});
    assert_eq!(compared(&labelled, &rolling()).certainty, Certainty::Sure);
}

/// `volumeName: ""` of a claim that is bound by now.
#[test]
fn an_empty_value_that_a_controller_filled_in_is_asked_about() {
    let claim = |spec: Value| json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "a"}, "spec": spec});
    let filled = |manager: &str| {
        live(
            claim(json!({"volumeName": "pvc-1"})),
            json!({"f:spec": {"f:accessModes": {}}}),
            &[(manager, "Update", json!({"f:spec": {"f:volumeName": {}}}))],
        )
    };
    let desired = object(claim(json!({"volumeName": ""})));
    let (by_controller, by_hand) = (filled("kube-controller-manager"), filled("kubectl-edit"));
    assert_eq!(
        question(&desired, &by_controller, &[], &[]).filled_in(),
        ["/spec/volumeName"]
    );
    assert_eq!(
        question(&desired, &by_hand, &[], &[]).filled_in(),
        Vec::<String>::new()
    );
}

/// Of who applied it is known what they gave; of who wrote it, only the server knows what of their record are its defaults.
#[test]
fn what_goes_with_an_adoption_is_listed_or_asked_about() {
    let there = |manager: &str, operation: &str| {
        let fields =
            json!({"f:spec": {"f:replicas": {}, "f:minReadySeconds": {}, "f:progressDeadlineSeconds": {}}});
        let mut value = rolling().value().clone();
        value["metadata"]["managedFields"] = json!([entry(manager, operation, "apps/v1", fields)]);
        object(value)
    };
    let wanted = deployment(json!({"replicas": 1}));
    let applied = compared(&wanted, &there("kustomize-controller", "Apply"));
    assert_eq!(
        pointers(&applied),
        ["/spec/minReadySeconds", "/spec/progressDeadlineSeconds"]
    );
    let written = there("kubectl-client-side-apply", "Update");
    let found = compared(&wanted, &written);
    assert_eq!(
        (pointers(&found), found.certainty),
        (Vec::new(), Certainty::ServerDecides)
    );
    let managers: Vec<Manager> = predecessors(&written, None);
    let desired = object(wanted);
    let question = question(&desired, &written, &[], &managers);
    let nothing = sluice_compare::Leftovers::default();
    assert_eq!(
        question.trial(&nothing),
        json!({"spec": {"minReadySeconds": null, "progressDeadlineSeconds": null}})
    );
    // The server fills the one in again, and not the other.
    let mut answer = written.value().clone();
    answer["spec"].as_object_mut().unwrap().remove("minReadySeconds");
    let changes = question.answered(&nothing, &object(answer));
    let told: Vec<&str> = changes.iter().map(|change| change.pointer.as_str()).collect();
    assert_eq!(told, ["/spec/minReadySeconds"]);
}
