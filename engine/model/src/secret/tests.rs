//! Secrets of every shape: nothing of a value is seen, and names are.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use serde_json::json;

use super::*;

fn object(value: Value) -> Object {
    Object::new(value).unwrap()
}

fn secret(fields: Value) -> Object {
    let mut value = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}});
    for (field, given) in fields.as_object().unwrap() {
        value[field] = given.clone();
    }
    object(value)
}

/// What public reports show: a forgotten `|`, a text, a list, a number, another case, a letter too many, a wrong indentation.
#[test]
fn no_value_is_left_whatever_its_shape() {
    let shapes = [
        json!({"stringData": {"settings.yaml": {"user": "hunter2", "hunter2": [true, null, 1]}}}),
        json!({"stringData": "hunter2"}),
        json!({"stringData": ["hunter2", {"a": "hunter2"}]}),
        json!({"data": ["hunter2"]}),
        json!({"data": {"k": "hunter2", "l": ["hunter2"]}}),
        json!({"stringdata": {"password": "hunter2"}}),
        json!({"Data": {"password": {"hunter2": 1}}}),
        json!({"datas": {"hunter2": "x"}}),
        json!({"password": "hunter2"}),
        json!({"immutable": "hunter2"}),
        json!({"type": {"hunter2": 1}}),
        json!({"metadata": {"name": "s", "data": {"password": "hunter2"}}}),
        json!({"metadata": {"name": "s", "labels": {"data": {"password": "hunter2"}}}}),
        json!({"metadata": {"name": "s", "annotations": {LAST_APPLIED: "{\"data\":{\"k\":\"hunter2\"}}"}}}),
        json!({"metadata": {"name": "s", "annotations": {"x.io/original": "kind: Secret\nstringData:\n  k: hunter2\n"}}}),
        json!({"metadata": {"name": "s", "annotations": {"x.io/applied": "H4sIAAAAhunter2"}}}),
        json!({"metadata": {"name": "s", "annotations": {"x.io/copy": "a long one: hunter2 and more"}}, "data": {"k": "hunter2 and more"}}),
    ];
    for shape in shapes {
        let text = mask(&secret(shape.clone())).into_value().to_string();
        assert!(!text.contains("hunter2"), "{shape}\n{text}");
    }
}

#[test]
fn what_people_need_stays() {
    let given = secret(json!({
        "metadata": {"name": "s", "namespace": "n", "labels": {"a": "b"}, "annotations": {"argocd.argoproj.io/sync-wave": "1"}},
        "type": "Opaque", "immutable": true, "data": {"password": "aHVudGVyMg=="}, "stringData": {"user": "x"},
    }));
    let masked = mask(&given);
    let mut expected = given.value().clone();
    expected["data"]["password"] = MASK.into();
    expected["stringData"]["user"] = MASK.into();
    assert_eq!(masked.value(), &expected);
    assert_eq!(restore(&masked, &given).unwrap(), given);
}

#[test]
fn values_come_back_and_what_was_added_stays() {
    let given = secret(json!({
        "metadata": {"name": "s", "annotations": {LAST_APPLIED: "{\"data\":1}"}}, "datas": ["x"], "data": {"k": "a2V5"},
    }));
    let labelled = mask(&given).edit(|map| map["metadata"]["labels"] = json!({"a": "b"}));
    let mut expected = given.value().clone();
    expected["metadata"]["labels"] = json!({"a": "b"});
    assert_eq!(restore(&labelled, &given).unwrap().value(), &expected);
}

#[test]
fn another_groups_secret_is_not_ours_to_judge() {
    let other = object(json!({"apiVersion": "example.com/v1", "kind": "Secret", "data": {"k": "v"}}));
    assert_eq!(mask(&other), other);
    for (api_version, kind) in [("v2", "Secret"), ("v1", "secret"), ("core/v1", "Secret")] {
        let miswritten = object(json!({"apiVersion": api_version, "kind": kind, "data": {"k": "hunter2"}}));
        assert!(!mask(&miswritten).into_value().to_string().contains("hunter2"));
    }
}

#[test]
fn secrets_in_a_list_are_masked_and_nothing_else_is() {
    let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"k": "shown"}});
    let item = json!({"apiVersion": "v1", "kind": "Secret", "stringData": {"k": "hunter2"}});
    let list = object(json!({"apiVersion": "v1", "kind": "List", "items": [map, item, 7]}));
    let masked = mask(&list);
    assert_eq!(masked.value()["items"][0], map);
    assert_eq!(masked.value()["items"][1]["stringData"]["k"], MASK);
    let bare =
        object(json!({"apiVersion": "v1", "kind": "SecretList", "items": [{"data": {"k": "hunter2"}}]}));
    assert_eq!(mask(&bare).value()["items"][0]["data"]["k"], MASK);
}

fn change(pointer: &str, live: Value) -> FieldChange {
    FieldChange {
        pointer: pointer.to_owned(),
        live: Some(live),
        desired: None,
        holder: None,
        stays: false,
    }
}

#[test]
fn a_change_tells_where_and_not_what() {
    let check = |pointer: &str, value: Value, expected: (&str, Value)| {
        let mut changes = vec![change(pointer, value)];
        mask_secret_changes(&mut changes);
        assert_eq!(changes, [change(expected.0, expected.1)], "{pointer}");
    };
    check("/data/a", json!("x"), ("/data/a", json!(MASK)));
    check("/data", json!({"a": "x"}), ("/data", json!({"a": MASK})));
    check("/stringData/a/b/c", json!("x"), ("/stringData/a", json!(MASK)));
    check("/data/[key=x]/value", json!("x"), ("/data", json!(MASK)));
    check("/stringdata/a", json!("x"), ("/stringdata/a", json!(MASK)));
    check("/datas/a/b", json!(1), ("/datas", json!(MASK)));
    check("/type", json!("Opaque"), ("/type", json!("Opaque")));
    check(
        "/metadata/labels/a~1b",
        json!("x"),
        ("/metadata/labels/a~1b", json!("x")),
    );
    let copy = "/metadata/annotations/kubectl.kubernetes.io~1last-applied-configuration";
    check(copy, json!("{}"), (copy, json!(MASK)));
    check(
        "/metadata/data",
        json!({"a": "x"}),
        ("/metadata/data", json!(MASK)),
    );
    let mut two = vec![change("/datas/a", json!(1)), change("/datas/b", json!(2))];
    mask_secret_changes(&mut two);
    assert_eq!(two, [change("/datas", json!(MASK))]);
}

#[test]
fn a_mistake_is_told_without_the_value() {
    let check = |fields: Value, expected: &[&str]| assert_eq!(mistakes(&secret(fields)), expected);
    check(
        json!({"data": {"a": "aGk="}, "stringData": {"b": "c"}, "type": "Opaque", "immutable": false}),
        &[],
    );
    check(
        json!({"stringData": {"a.yaml": {"x": 1}, "n": 5}}),
        &[
            "stringData[a.yaml]: a map where text is needed (is a `|` missing after the name?)",
            "stringData[n]: a number where text is needed (put it in quotes)",
        ],
    );
    check(
        json!({"stringData": "x", "data": ["x"]}),
        &[
            "data: a list where a map of names to texts is needed",
            "stringData: a text where a map of names to texts is needed",
        ],
    );
    check(
        json!({"data": {"a": "plain!"}, "immutable": "yes"}),
        &[
            "data[a]: the value is not base64 (plain text belongs below `stringData`)",
            "immutable: a text where `true` or `false` is needed",
        ],
    );
    check(
        json!({"stringdata": {}, "datas": {}, "password": "x"}),
        &[
            "datas: a Secret has no such field (is `data` meant?)",
            "password: a Secret has no such field",
            "stringdata: a Secret has no such field (is `stringData` meant?)",
        ],
    );
}

#[test]
fn a_field_is_named_only_as_the_secret_has_it() {
    let given = secret(json!({"data": {"a.b": "x"}, "stringdata": {"hunter2": 1}}));
    for (field, named) in [
        ("data[a.b]", Some("data[a.b]")),
        (".data.a\\.b", Some("data[a.b]")),
        (".stringdata", Some("stringdata")),
        ("data[tls.crt]", Some("data[tls.crt]")),
        ("data[.dockercfg]", Some("data[.dockercfg]")),
        (".data.\\.dockercfg", Some("data[.dockercfg]")),
        ("data[hunter2]", Some("data")),
        ("type", Some("type")),
        ("hunter2", None),
        ("metadata.labels", Some("metadata.labels")),
    ] {
        assert_eq!(is_named(&given, field).as_deref(), named, "{field}");
    }
}

#[test]
fn a_quoted_value_is_taken_out_in_every_form() {
    let text = "user: app\npassword: correct horse\n";
    let given = secret(
        json!({"data": {"a": STANDARD.encode("hunter2")}, "stringData": {"b": text, "user": "postgres"}}),
    );
    let named =
        object(json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "postgres"}}));
    let redactor = Redactor::of([&given, &named]);
    let shown = |text: &str| redactor.text(text).into_owned();
    assert_eq!(shown("no `hunter2` here"), format!("no `{MASK}` here"));
    assert_eq!(shown(&STANDARD.encode("hunter2")), MASK);
    assert_eq!(shown(&format!("got {text:?}")), format!("got \"{MASK}\""));
    assert_eq!(shown("is correct horse wrong?"), format!("is {MASK} wrong?"));
    assert_eq!(shown(&format!("{}…", &text[..20])), format!("{MASK}…"));
    assert_eq!(shown(&STANDARD.encode(text)), MASK);
    // A name is shown everywhere, and what a rehearsal reads in a refusal depends on it.
    let missing = "serviceaccount \"postgres\" not found";
    assert_eq!(shown(missing), missing);
    assert_eq!(shown("é — ü"), "é — ü");
}

fn leaf() -> impl Strategy<Value = Value> {
    prop_oneof![
        "[a-zA-Z0-9!$%&/=?+#é€ ]{4,40}".prop_map(Value::from),
        "[a-zA-Z0-9]{4,20}".prop_map(|text| STANDARD.encode(text).into()),
        (1_000_u64..u64::MAX).prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        Just(Value::Null),
    ]
}

fn shape() -> impl Strategy<Value = Value> {
    leaf().prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-z]{1,3}", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// Secrets as nobody should write them.
pub(super) fn any_secret() -> impl Strategy<Value = Object> {
    let field = prop_oneof![
        Just("data".to_owned()),
        Just("stringData".to_owned()),
        Just("stringdata".to_owned()),
        Just("Data".to_owned()),
        Just("datas".to_owned()),
        "[a-z]{3}",
    ];
    prop::collection::btree_map(field, shape(), 0..5)
        .prop_map(|fields| secret(Value::Object(fields.into_iter().collect())))
}

/// Every scalar of a value that is long enough to tell something.
fn leaves(value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    scalars(value, &mut found);
    found.retain(|leaf| leaf.len() >= 4);
    found
}

fn given(secret: &Object) -> Vec<String> {
    let fields = secret.value().as_object().into_iter().flatten();
    fields
        .filter(|(field, _)| !matches!(field.as_str(), "apiVersion" | "kind" | "metadata"))
        .flat_map(|(_, value)| leaves(value))
        .collect()
}

proptest! {
    #[test]
    fn no_face_shows_a_value(secret in any_secret()) {
        let masked = mask(&secret).into_value().to_string();
        let mut changes: Vec<FieldChange> = secret.value().as_object().unwrap().iter()
            .filter(|(field, _)| !matches!(field.as_str(), "apiVersion" | "kind" | "metadata"))
            .map(|(field, value)| change(&format!("/{field}"), value.clone()))
            .collect();
        mask_secret_changes(&mut changes);
        let changes = serde_json::to_string(&changes).unwrap();
        let told = mistakes(&secret).join("\n");
        for leaf in given(&secret) {
            prop_assert!(!masked.contains(&leaf), "{leaf}: {masked}");
            prop_assert!(!changes.contains(&leaf), "{leaf}: {changes}");
            prop_assert!(!told.contains(&leaf), "{leaf}: {told}");
        }
        prop_assert_eq!(restore(&mask(&secret), &secret).unwrap(), secret);
    }

    #[test]
    fn what_is_quoted_is_taken_out(secret in any_secret(), before in "[ -~]{0,20}", after in "[ -~]{0,20}") {
        let redactor = Redactor::of([&secret]);
        for leaf in given(&secret) {
            for quoted in [leaf.clone(), STANDARD.encode(&leaf), format!("{leaf:?}")] {
                let text = format!("{before}`{quoted}`{after}");
                let shown = redactor.text(&text).into_owned();
                prop_assert!(!shown.contains(&leaf), "{leaf}: {shown}");
                prop_assert!(!shown.contains(&quoted), "{leaf}: {shown}");
            }
        }
    }
}
