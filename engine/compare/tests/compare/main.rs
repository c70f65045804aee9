//! What is drift and what is not, on objects as a real API server keeps them.

mod shown;

use serde_json::{Value, json};
use sluice_compare::{compare, diff, prepare};
use sluice_model::difference::Difference;
use sluice_model::object::Object;

fn object(value: Value) -> Object {
    Object::new(value).expect("an object")
}

/// `live` with the record that we applied `fields`, and what others own.
fn live(mut value: Value, fields: Value, others: &[(&str, Value)]) -> Object {
    let mut entries = vec![
        json!({"manager": "sluice", "operation": "Apply", "apiVersion": value["apiVersion"], "fieldsType": "FieldsV1", "fieldsV1": fields}),
    ];
    for (manager, fields) in others {
        entries.push(
            json!({"manager": manager, "operation": "Update", "fieldsType": "FieldsV1", "fieldsV1": fields}),
        );
    }
    value["metadata"]["managedFields"] = entries.into();
    value["metadata"]["uid"] = "u".into();
    value["metadata"]["resourceVersion"] = "7".into();
    object(value)
}

/// What differs, as `pointer: live -> desired`.
fn changes(desired: &Object, live: &Object, ignore: &[&str]) -> Vec<String> {
    let ignore: Vec<String> = ignore.iter().map(|pointer| (*pointer).to_owned()).collect();
    let show = |value: &Option<Value>| value.as_ref().map_or("nothing".to_owned(), Value::to_string);
    match compare(desired, Some(live), &ignore) {
        Difference::Same => Vec::new(),
        Difference::Changed(changes) => changes
            .iter()
            .map(|change| {
                format!(
                    "{}: {} -> {}",
                    change.pointer,
                    show(&change.live),
                    show(&change.desired)
                )
            })
            .collect(),
        other @ (Difference::Missing | Difference::Unowned(_)) => panic!("{other:?}"),
    }
}

fn unified(desired: &Object, live: Option<&Object>, context: usize) -> Vec<diff::Line> {
    let pair = diff::Pair {
        desired,
        live,
        ignore: &[],
        predecessors: &[],
        changes: None,
    };
    pair.unified(context)
}

fn config_map(data: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "n"}, "data": data})
}

fn deployment() -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "shop", "labels": {"app": "web"}},
        "spec": {
            "selector": {"matchLabels": {"app": "web"}},
            "strategy": {},
            "template": {
                "metadata": {"labels": {"app": "web"}, "creationTimestamp": null},
                "spec": {"containers": [{
                    "name": "web", "image": "web:1",
                    "ports": [{"containerPort": 80}],
                    "env": [{"name": "A", "value": "1"}, {"name": "EMPTY", "value": ""}],
                    "resources": {"requests": {"cpu": "1000m", "memory": 1073741824}},
                }]},
            },
        },
    })
}

/// As the API server returns it, filled with its defaults, an injected sidecar and a scaled number of replicas.
fn live_deployment() -> Object {
    let mut value = deployment();
    value["metadata"]["labels"]["applyset.kubernetes.io/part-of"] = "applyset-x-v1".into();
    value["metadata"]["annotations"] = json!({"deployment.kubernetes.io/revision": "1"});
    let spec = &mut value["spec"];
    spec["replicas"] = 5.into();
    spec["revisionHistoryLimit"] = 10.into();
    spec["strategy"] =
        json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}});
    let pod = &mut spec["template"]["spec"];
    pod["restartPolicy"] = "Always".into();
    let container = &mut pod["containers"][0];
    container["ports"] = json!([{"containerPort": 80, "protocol": "TCP"}]);
    container["env"] =
        json!([{"name": "A", "value": "1"}, {"name": "EMPTY"}, {"name": "INJECTED", "value": "x"}]);
    container["resources"] = json!({"requests": {"cpu": "1", "memory": "1Gi"}});
    container["imagePullPolicy"] = "IfNotPresent".into();
    let sidecar = json!({"name": "proxy", "image": "proxy:1"});
    pod["containers"].as_array_mut().expect("a list").push(sidecar);
    value["status"] = json!({"replicas": 5});
    live(
        value,
        json!({
            "f:metadata": {"f:labels": {"f:app": {}, "f:applyset.kubernetes.io/part-of": {}}},
            "f:spec": {
                "f:selector": {},
                "f:strategy": {},
                "f:template": {
                    "f:metadata": {"f:labels": {"f:app": {}}},
                    "f:spec": {"f:containers": {"k:{\"name\":\"web\"}": {
                        ".": {}, "f:name": {}, "f:image": {},
                        "f:ports": {"k:{\"containerPort\":80,\"protocol\":\"TCP\"}": {".": {}, "f:containerPort": {}}},
                        "f:env": {
                            "k:{\"name\":\"A\"}": {".": {}, "f:name": {}, "f:value": {}},
                            "k:{\"name\":\"EMPTY\"}": {".": {}, "f:name": {}, "f:value": {}},
                        },
                        "f:resources": {"f:requests": {"f:cpu": {}, "f:memory": {}}},
                    }}},
                },
            },
        }),
        &[(
            "injector",
            json!({"f:spec": {"f:replicas": {}, "f:template": {"f:spec": {"f:containers": {
                "k:{\"name\":\"proxy\"}": {".": {}, "f:name": {}, "f:image": {}},
                "k:{\"name\":\"web\"}": {"f:env": {"k:{\"name\":\"INJECTED\"}": {".": {}, "f:name": {}, "f:value": {}}}},
            }}}}}),
        )],
    )
}

fn changed(value: &Value, edit: impl FnOnce(&mut Value)) -> Object {
    let mut value = value.clone();
    edit(&mut value);
    object(value)
}

const CONTAINER: &str = "/spec/template/spec/containers/0";

#[test]
fn defaults_quantities_and_the_work_of_others_are_no_drift() {
    assert_eq!(
        changes(&object(deployment()), &live_deployment(), &[]),
        Vec::<String>::new()
    );
    assert!(unified(&object(deployment()), Some(&live_deployment()), 3).is_empty());
}

#[test]
fn what_git_changes_is_a_change() {
    let check = |edit: fn(&mut Value), expected: &[&str]| {
        assert_eq!(
            changes(&changed(&deployment(), edit), &live_deployment(), &[]),
            expected
        );
    };
    let web = "/spec/template/spec/containers/[name=web]";
    check(
        |d| d.pointer_mut(CONTAINER).unwrap()["image"] = "web:2".into(),
        &[&format!("{web}/image: \"web:1\" -> \"web:2\"")],
    );
    check(
        |d| d.pointer_mut(CONTAINER).unwrap()["env"][0]["value"] = "2".into(),
        &[&format!("{web}/env/[name=A]/value: \"1\" -> \"2\"")],
    );
    check(
        |d| {
            drop(
                d.pointer_mut(CONTAINER).unwrap()["env"]
                    .as_array_mut()
                    .unwrap()
                    .remove(0),
            )
        },
        &[&format!(
            "{web}/env/[name=A]: {{\"name\":\"A\",\"value\":\"1\"}} -> nothing"
        )],
    );
    check(
        |d| d.pointer_mut(CONTAINER).unwrap()["ports"] = json!([{"containerPort": 81}]),
        &[
            &format!("{web}/ports/[containerPort=81]: nothing -> {{\"containerPort\":81}}"),
            &format!(
                "{web}/ports/[containerPort=80,protocol=TCP]: {{\"containerPort\":80,\"protocol\":\"TCP\"}} -> nothing"
            ),
        ],
    );
    check(
        |d| d.pointer_mut(CONTAINER).unwrap()["resources"]["requests"]["cpu"] = "2".into(),
        &[&format!("{web}/resources/requests/cpu: \"1\" -> \"2\"")],
    );
    check(|d| d["spec"]["replicas"] = 2.into(), &["/spec/replicas: 5 -> 2"]);
    check(
        |d| d["metadata"]["labels"] = json!({"tier": "x"}),
        &[
            "/metadata/labels/tier: nothing -> \"x\"",
            "/metadata/labels/app: \"web\" -> nothing",
        ],
    );
    check(
        |d| d["metadata"]["annotations"] = json!({"a": "b"}),
        &["/metadata/annotations/a: nothing -> \"b\""],
    );
    check(
        |d| d["spec"]["selector"] = json!({"matchLabels": {"app": "web", "x": "y"}}),
        &[
            "/spec/selector: {\"matchLabels\":{\"app\":\"web\"}} -> {\"matchLabels\":{\"app\":\"web\",\"x\":\"y\"}}",
        ],
    );
    check(
        |d| d["spec"]["strategy"] = json!({"type": "Recreate"}),
        &[
            "/spec/strategy: {\"rollingUpdate\":{\"maxSurge\":\"25%\",\"maxUnavailable\":\"25%\"},\"type\":\"RollingUpdate\"} -> {\"type\":\"Recreate\"}",
        ],
    );
}

#[test]
fn a_field_that_another_manager_took_over_is_drift_where_it_differs() {
    let desired = object(config_map(json!({"a": "1", "b": "1"})));
    // Somebody edited `a`: the server gave them the field.
    let edited = live(
        config_map(json!({"a": "2", "b": "1"})),
        json!({"f:data": {"f:b": {}}}),
        &[("kubectl-edit", json!({"f:data": {"f:a": {}}}))],
    );
    assert_eq!(changes(&desired, &edited, &[]), ["/data/a: \"2\" -> \"1\""]);
    // Somebody set it to what it was.
    let same = live(
        config_map(json!({"a": "1", "b": "1"})),
        json!({"f:data": {"f:b": {}}}),
        &[("kubectl-edit", json!({"f:data": {"f:a": {}}}))],
    );
    assert_eq!(changes(&desired, &same, &[]), Vec::<String>::new());
    // Somebody removed it.
    let removed = live(config_map(json!({"b": "1"})), json!({"f:data": {"f:b": {}}}), &[]);
    assert_eq!(changes(&desired, &removed, &[]), ["/data/a: nothing -> \"1\""]);
}

#[test]
fn what_git_drops_goes_and_what_others_added_stays() {
    let there = live(
        config_map(json!({"a": "1", "b": "1", "theirs": "1"})),
        json!({"f:data": {"f:a": {}, "f:b": {}}}),
        &[("other", json!({"f:data": {"f:theirs": {}}}))],
    );
    assert_eq!(
        changes(&object(config_map(json!({"a": "1"}))), &there, &[]),
        ["/data/b: \"1\" -> nothing"]
    );
    assert_eq!(
        changes(&object(config_map(Value::Null)), &there, &[]),
        ["/data/a: \"1\" -> nothing", "/data/b: \"1\" -> nothing"]
    );
    let alone = live(config_map(json!({"a": "1"})), json!({"f:data": {"f:a": {}}}), &[]);
    let mut none = config_map(Value::Null);
    none.as_object_mut().unwrap().remove("data");
    assert_eq!(
        changes(&object(none), &alone, &[]),
        ["/data: {\"a\":\"1\"} -> nothing"]
    );
}

#[test]
fn what_is_empty_is_dropped_by_the_server_unless_somebody_removed_it() {
    let desired = object(config_map(json!({"empty": ""})));
    let mut bare = config_map(Value::Null);
    bare.as_object_mut().unwrap().remove("data");
    assert_eq!(
        changes(
            &desired,
            &live(bare.clone(), json!({"f:data": {"f:empty": {}}}), &[]),
            &[]
        ),
        Vec::<String>::new()
    );
    assert_eq!(
        changes(
            &desired,
            &live(bare, json!({"f:data": {"f:other": {}}}), &[]),
            &[]
        ),
        ["/data: nothing -> {\"empty\":\"\"}"]
    );
}

#[test]
fn an_object_that_we_never_wrote_is_not_ours_yet() {
    let mut there = config_map(json!({"a": "1"}));
    there["metadata"]["managedFields"] =
        json!([{"manager": "kubectl", "operation": "Update", "fieldsV1": {"f:data": {"f:a": {}}}}]);
    let there = object(there);
    assert_eq!(
        compare(&object(config_map(json!({"a": "1"}))), Some(&there), &[]),
        Difference::Unowned(vec![])
    );
    let Difference::Unowned(changes) = compare(&object(config_map(json!({"a": "2"}))), Some(&there), &[])
    else {
        panic!("not ours");
    };
    assert_eq!(changes.len(), 1);
    assert_eq!(
        compare(&object(config_map(json!({}))), None, &[]),
        Difference::Missing
    );
}

#[test]
fn a_status_entry_of_ours_is_not_the_object() {
    let mut there = config_map(json!({"a": "1"}));
    there["metadata"]["managedFields"] = json!([{"manager": "sluice", "operation": "Apply", "subresource": "status", "fieldsV1": {"f:status": {}}}]);
    assert!(matches!(
        compare(&object(config_map(json!({"a": "1"}))), Some(&object(there)), &[]),
        Difference::Unowned(_)
    ));
}

#[test]
fn an_object_written_as_a_whole_has_no_fields_to_drop() {
    let mut there = config_map(json!({"a": "1", "defaulted": "x"}));
    there["metadata"]["managedFields"] = json!([{"manager": "sluice", "operation": "Update", "fieldsV1": {"f:data": {".": {}, "f:a": {}, "f:defaulted": {}}}}]);
    let there = object(there);
    assert_eq!(
        compare(&object(config_map(json!({"a": "1", "e": ""}))), Some(&there), &[]),
        Difference::Same
    );
    assert!(matches!(
        compare(&object(config_map(json!({"a": "2"}))), Some(&there), &[]),
        Difference::Changed(_)
    ));
}

#[test]
fn lists_are_what_the_record_says() {
    let widget = |spec: Value| json!({"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "a"}, "spec": spec});
    // A set: order does not matter, members of others stay.
    let set = live(
        widget(json!({"tags": ["x", "theirs", "y"]})),
        json!({"f:spec": {"f:tags": {"v:\"x\"": {}, "v:\"y\"": {}}}}),
        &[],
    );
    assert_eq!(
        changes(&object(widget(json!({"tags": ["y", "x"]}))), &set, &[]),
        Vec::<String>::new()
    );
    assert_eq!(
        changes(&object(widget(json!({"tags": ["y", "z"]}))), &set, &[]),
        [
            "/spec/tags/[z]: nothing -> \"z\"",
            "/spec/tags/[x]: \"x\" -> nothing"
        ]
    );
    // One value: order matters, and an entry more is a change.
    let atomic = live(
        widget(json!({"steps": ["x", "y"]})),
        json!({"f:spec": {"f:steps": {}}}),
        &[],
    );
    assert_eq!(
        changes(&object(widget(json!({"steps": ["x", "y"]}))), &atomic, &[]),
        Vec::<String>::new()
    );
    assert_eq!(
        changes(&object(widget(json!({"steps": ["y", "x"]}))), &atomic, &[]),
        ["/spec/steps: [\"x\",\"y\"] -> [\"y\",\"x\"]"]
    );
    assert_eq!(
        changes(&object(widget(json!({"steps": ["x"]}))), &atomic, &[]).len(),
        1
    );
    assert_eq!(
        changes(&object(widget(json!({"steps": []}))), &atomic, &[]),
        ["/spec/steps: [\"x\",\"y\"] -> []"]
    );
    // Keyed by something of its own.
    let keyed = live(
        widget(json!({"rows": [{"id": 1, "v": "a"}, {"id": 2, "v": "b"}, {"id": 3, "v": "theirs"}]})),
        json!({"f:spec": {"f:rows": {"k:{\"id\":1}": {".": {}, "f:id": {}, "f:v": {}}, "k:{\"id\":2}": {".": {}, "f:id": {}, "f:v": {}}}}}),
        &[],
    );
    assert_eq!(
        changes(
            &object(widget(
                json!({"rows": [{"id": 2, "v": "b"}, {"id": 1, "v": "a"}]})
            )),
            &keyed,
            &[]
        ),
        Vec::<String>::new()
    );
    assert_eq!(
        changes(
            &object(widget(json!({"rows": [{"id": 2, "v": "c"}]}))),
            &keyed,
            &[]
        ),
        [
            "/spec/rows/[id=2]/v: \"b\" -> \"c\"",
            "/spec/rows/[id=1]: {\"id\":1,\"v\":\"a\"} -> nothing"
        ]
    );
}

#[test]
fn defaults_within_a_value_that_is_ours_as_a_whole() {
    let policy = |ports: Value| {
        json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "a", "namespace": "n"},
            "spec": {"podSelector": {}, "ingress": [{"ports": ports}]}})
    };
    let there = |ports: Value| {
        live(
            policy(ports),
            json!({"f:spec": {"f:podSelector": {}, "f:ingress": {}}}),
            &[],
        )
    };
    let desired = object(policy(json!([{"port": 80}])));
    assert_eq!(
        changes(&desired, &there(json!([{"port": 80, "protocol": "TCP"}])), &[]),
        Vec::<String>::new()
    );
    // Git had UDP and has dropped it.
    assert_eq!(
        changes(&desired, &there(json!([{"port": 80, "protocol": "UDP"}])), &[]).len(),
        1
    );
    assert_eq!(
        changes(&desired, &there(json!([{"port": 80, "endPort": 90}])), &[]).len(),
        1
    );
    // A selector that becomes empty selects everything.
    let mut narrow = policy(json!([{"port": 80}]));
    narrow["spec"]["podSelector"] = json!({"matchLabels": {"app": "x"}});
    let narrow = live(
        narrow,
        json!({"f:spec": {"f:podSelector": {}, "f:ingress": {}}}),
        &[],
    );
    assert_eq!(
        changes(&desired, &narrow, &[]),
        ["/spec/podSelector: {\"matchLabels\":{\"app\":\"x\"}} -> {}"]
    );
}

#[test]
fn annotations_that_were_given_empty_are_still_everybodys() {
    let mut there = config_map(json!({}));
    there["metadata"]["annotations"] = json!({"theirs": "1"});
    let there = live(there, json!({"f:metadata": {"f:annotations": {}}}), &[]);
    let mut desired = config_map(json!({}));
    desired["metadata"]["annotations"] = json!({});
    assert_eq!(
        changes(&object(desired.clone()), &there, &[]),
        Vec::<String>::new()
    );
    desired["metadata"]["annotations"]["ours"] = "1".into();
    assert_eq!(
        changes(&object(desired), &there, &[]),
        ["/metadata/annotations/ours: nothing -> \"1\""]
    );
}

#[test]
fn ignored_fields() {
    let desired = changed(&deployment(), |d| {
        d["spec"]["replicas"] = 1.into();
        d.pointer_mut(CONTAINER).unwrap()["image"] = "web:2".into();
    });
    for ignore in [
        &["/spec/replicas", "/spec/template/spec/containers/0/image"],
        &[
            "/spec/replicas",
            "/spec/template/spec/containers/[name=web]/image",
        ],
        &["/spec/*", "/spec/template/spec/containers/*/image"],
        &["/spec", "/nowhere"],
    ] {
        assert_eq!(
            changes(&desired, &live_deployment(), ignore),
            Vec::<String>::new(),
            "{ignore:?}"
        );
    }
    assert_eq!(
        changes(&desired, &live_deployment(), &["/spec/replicas"]).len(),
        1
    );
    // A pointer to everything is none.
    assert_eq!(changes(&desired, &live_deployment(), &["", "/"]).len(), 2);
    // Git drops it, and it is ignored all the same.
    let there = live(
        config_map(json!({"a/b": "1"})),
        json!({"f:data": {"f:a/b": {}}}),
        &[],
    );
    assert_eq!(
        changes(&object(config_map(json!({}))), &there, &["/data/a~1b"]),
        Vec::<String>::new()
    );
}

#[test]
fn ignored_fields_are_sent_as_they_should_be() {
    let desired = changed(&deployment(), |d| d["spec"]["replicas"] = 1.into());
    let ignore = vec![
        "/spec/replicas".to_owned(),
        "/spec/template/spec/containers/[name=web]/image".to_owned(),
    ];
    // Not there yet: as Git has it.
    assert_eq!(prepare(&desired, None, &ignore).value()["spec"]["replicas"], 1);
    let sent = prepare(&desired, Some(&live_deployment()), &ignore);
    // Owned by somebody else: not sent. Owned by us: the live value, since leaving it out would delete it.
    assert_eq!(sent.value()["spec"].get("replicas"), None);
    let mut elsewhere = live_deployment().into_value();
    elsewhere["spec"]["template"]["spec"]["containers"][0]["image"] = "web:edited".into();
    let sent = prepare(&desired, Some(&object(elsewhere)), &ignore);
    assert_eq!(sent.value().pointer(CONTAINER).unwrap()["image"], "web:edited");
}

#[test]
fn the_server_writes_what_only_it_may() {
    let written = object(json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {
        "name": "a", "uid": "x", "resourceVersion": "1", "creationTimestamp": null, "managedFields": [], "generation": 2}}));
    assert_eq!(
        prepare(&written, None, &[]).value(),
        &json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}})
    );
}

/// A plain write takes two ports with one number, which the keys of the list do not tell apart (public reports: OutOfSync for ever, and
/// one that goes from Git stays).
#[test]
fn entries_with_equal_keys_are_compared_as_one_list() {
    let service = |ports: Value| json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a", "namespace": "n"}, "spec": {"ports": ports}});
    let port = |name: &str, number: u16| json!({"name": name, "port": number, "protocol": "TCP"});
    let record = json!({"f:spec": {"f:ports": {
        "k:{\"port\":80,\"protocol\":\"TCP\"}": {}, "k:{\"port\":53,\"protocol\":\"TCP\"}": {".": {}, "f:name": {}, "f:port": {}}}}});
    let twins = json!([port("a", 80), port("b", 80), port("dns", 53)]);
    let there = live(service(twins.clone()), record, &[]);
    assert_eq!(changes(&object(service(twins)), &there, &[]), [""; 0]);
    for other in [
        json!([port("a", 80), port("dns", 53)]),
        json!([port("a", 80), port("c", 80), port("dns", 53)]),
        json!([port("b", 80), port("dns", 53)]),
    ] {
        let found = changes(&object(service(other.clone())), &there, &[]);
        assert!(
            found.len() == 1 && found[0].starts_with("/spec/ports: "),
            "{other}: {found:?}"
        );
    }
}
