//! What is shown of a difference: no value of a Secret, and nothing that would not change.

use super::*;

#[test]
fn secrets_are_compared_and_never_shown() {
    let fields = json!({"f:data": {"f:password": {}, "f:user": {}}});
    let there = live(
        secret(json!({"password": "aHVudGVyMg==", "user": "YWRtaW4="})),
        fields,
        &[],
    );
    let mut texts = secret(Value::Null);
    texts["stringData"] = json!({"password": "hunter2", "user": "admin"});
    assert_eq!(changes(&object(texts.clone()), &there, &[]), Vec::<String>::new());
    // Line breaks in base64 are not kept.
    assert_eq!(
        changes(
            &object(secret(
                json!({"password": "aHVudGVy\nMg==\n", "user": "YWRtaW4="})
            )),
            &there,
            &[]
        ),
        Vec::<String>::new()
    );
    texts["stringData"]["password"] = "hunter3".into();
    let masked = "\"••••••••\"";
    assert_eq!(
        changes(&object(texts.clone()), &there, &[]),
        [format!("/data/password: {masked} -> {masked}")]
    );
    let text: Vec<String> = unified(&object(texts.clone()), Some(&there), 1)
        .iter()
        .map(ToString::to_string)
        .collect();
    let expected = "--- live Secret n/s\n+++ desired Secret n/s\n@@ -2,3 +2,3 @@\n data:\n-  password: •••••••• (live)\n+  password: •••••••• (desired)\n   user: ••••••••";
    assert_eq!(text.join("\n"), expected);
    let created: String = unified(&object(texts), None, 1)
        .iter()
        .map(ToString::to_string)
        .collect();
    assert!(
        !created.contains("hunter") && !created.contains("aHVudGVy") && created.contains("password"),
        "{created}"
    );
    let gone: String = diff::deletion(&there).iter().map(ToString::to_string).collect();
    assert!(!gone.contains("aHVudGVy"), "{gone}");
}

#[test]
fn a_diff_shows_only_what_would_change() {
    let desired = changed(&deployment(), |d| {
        let container = d.pointer_mut(CONTAINER).unwrap();
        container["image"] = "web:2".into();
        container["env"] = json!([{"name": "B", "value": "2"}, {"name": "EMPTY", "value": ""}]);
    });
    let text: Vec<String> = unified(&desired, Some(&live_deployment()), 1)
        .iter()
        .map(ToString::to_string)
        .collect();
    insta::assert_snapshot!(text.join("\n"));
}

fn secret(data: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": "n"}, "data": data})
}
