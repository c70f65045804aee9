//! Secrets that the API server refuses: the field and the kind of mistake are told, and a value nowhere.

use anyhow::ensure;
use serde_json::{Value, json};
use sluice_cluster_tests::{World, condition, text};
use sluice_sandbox::{Admission, Webhook, some_secrets, values_of};

/// What no face may show: the values below, in base64, and as Go prints a number.
const VALUES: &[&str] = &["tulip", "dHVsaXA", "4711471", "4.7114"];

/// Commits a Secret, waits until the controller tells that it is refused in words that are expected, and looks at every face.
fn refused(world: &World<'_>, name: &str, fields: &Value, words: &[&str]) {
    refused_as(world, name, fields, words, Value::clone);
}

/// The same for a manifest that holds the Secret.
fn refused_as(
    world: &World<'_>,
    name: &str,
    fields: &Value,
    words: &[&str],
    manifest: impl Fn(&Value) -> Value,
) {
    let mut secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}});
    for (field, value) in fields.as_object().unwrap() {
        secret[field] = value.clone();
    }
    let secret = manifest(&secret);
    world.write("secret.yaml", &secret.to_string()).unwrap();
    world.commit(name).unwrap();
    let before = world.engine.controller_log().len();
    world.refresh().unwrap();
    let status = world
        .wait_status(|status| {
            let synced = condition(status, "Synced")?;
            let message = text(synced, "/message");
            ensure!(message.contains(&format!("/{name} ")), "not refused yet");
            for word in words {
                ensure!(message.contains(word), "{word:?} is not told");
            }
            Ok(())
        })
        .unwrap();
    clean("the status", &status.to_string());
    clean("the Application", &world.get().unwrap().to_string());
    clean(
        "the Events",
        &world.kubectl(&["get", "events", "-o", "yaml"]).unwrap(),
    );
    let log = world.engine.controller_log();
    clean("the log", log.get(before..).unwrap_or_default());
    let commands: &[&[&str]] = &[
        &["status", "app"],
        &["history", "app"],
        &["render", "app", "-vvv"],
        &["plan", "app", "-vvv"],
        &["diff", "app", "-vvv"],
        &["diff", "app", "-o", "json"],
        &["sync", "app", "--timeout", "20s", "-vvv"],
    ];
    for command in commands {
        let (_, shown, said) = world.run(command);
        clean(&command.join(" "), &format!("{shown}\n{said}"));
    }
    let plan = world.done(&["plan", "app", "-o", "json"]);
    clean("the plan", &plan);
    let file = world.engine.write("plan.json", &plan).unwrap();
    let (code, shown, said) = world.run(&["apply", &file.display().to_string(), "-vvv"]);
    clean("apply", &format!("{shown}\n{said}"));
    assert_eq!(code, Some(7), "{shown}{said}");
    let manifests = world.engine.write("secret.yaml", secret.to_string()).unwrap();
    for command in ["explain", "health"] {
        let (_, shown, said) = world.run(&[command, "-f", &manifests.display().to_string(), "-vvv"]);
        clean(command, &format!("{shown}\n{said}"));
    }
}

fn clean(face: &str, text: &str) {
    clean_of(VALUES, face, text);
}

fn clean_of(values: &[&str], face: &str, text: &str) {
    for value in values {
        if let Some(at) = text.find(value) {
            let from = text.floor_char_boundary(at.saturating_sub(200));
            panic!(
                "{face} shows a value: …{}",
                text.get(from..at + value.len()).unwrap_or_default()
            );
        }
    }
}

/// Shapes of any kind, many in a commit: conditions, Events, the history, the log and the commands.
#[test]
fn random_secrets_are_refused_without_their_values() {
    let world = World::shared("secret-random").unwrap();
    world.running().unwrap();
    let secrets = some_secrets(48);
    let values: Vec<String> = secrets.iter().flat_map(values_of).collect();
    let values: Vec<&str> = values.iter().map(String::as_str).collect();
    assert!(values.len() > 48);
    for (round, some) in secrets.chunks(12).enumerate() {
        for (number, secret) in some.iter().enumerate() {
            let mut secret = secret.clone();
            secret["metadata"] = json!({"name": format!("s-{round}-{number}")});
            world
                .write(&format!("random-{number}.yaml"), &secret.to_string())
                .unwrap();
        }
        // One that is refused for sure, so that it is known when the controller has tried.
        let probe = format!("probe-{round}");
        let refused = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": probe}, "data": ["TulipWindow4711"]});
        world.write("probe.yaml", &refused.to_string()).unwrap();
        world.commit(&probe).unwrap();
        let before = world.engine.controller_log().len();
        world.refresh().unwrap();
        let status = world.wait_status(|status| {
            let synced = condition(status, "Synced")?;
            ensure!(text(synced, "/message").contains(&probe), "not refused yet");
            Ok(())
        });
        let clean = |face: &str, text: &str| {
            clean_of(&values, face, text);
            clean_of(&["TulipWindow4711"], face, text);
        };
        clean("the status", &status.unwrap().to_string());
        clean("the Application", &world.get().unwrap().to_string());
        let events = world.kubectl(&["get", "events", "-o", "yaml"]).unwrap();
        clean("the Events", &events);
        let log = world.engine.controller_log();
        clean("the log", log.get(before..).unwrap_or_default());
        for command in [
            &["status", "app"][..],
            &["history", "app"],
            &["plan", "app", "-vvv"],
            &["diff", "app"],
            &["sync", "app", "--timeout", "20s", "-vvv"],
        ] {
            let (_, shown, said) = world.run(command);
            clean(&command.join(" "), &format!("{shown}\n{said}"));
        }
    }
}

/// Waits until what answers for admission refuses a ConfigMap with these words.
fn until_refused(world: &World<'_>, what: &str, file: &str, words: &str) {
    let probe = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "probe", "namespace": world.namespace}, "data": {"quoted": "probe"}});
    sluice_sandbox::wait_for(what, std::time::Duration::from_secs(30), || {
        let probe = world.engine.write(file, probe.to_string())?;
        let said = world.kubectl(&["create", "--dry-run=server", "-f", &probe.display().to_string()]);
        ensure!(
            said.is_err_and(|error| format!("{error:#}").contains(words)),
            "not yet"
        );
        Ok(())
    })
    .unwrap();
}

/// The shapes of public reports: a forgotten `|`, a text, a list, a number, another case, a letter too many.
#[test]
fn a_malformed_secret_is_refused_without_its_values() {
    let world = World::shared("secret-shapes").unwrap();
    world.running().unwrap();
    let value = "tulip-4711-window";
    let encoded = "dHVsaXAtNDcxMS13aW5kb3c=";
    refused(
        &world,
        "nested",
        &json!({"stringData": {"settings.yaml": {"user": "app", "password": value}}}),
        &["stringData[settings.yaml]: a map where text is needed"],
    );
    refused(
        &world,
        "text",
        &json!({"stringData": value}),
        &["stringData: a text where a map"],
    );
    refused(
        &world,
        "list",
        &json!({"stringData": {"k": [value]}}),
        &["stringData[k]: a list"],
    );
    refused(
        &world,
        "number",
        &json!({"stringData": {"pin": 4_711_471}}),
        &["stringData[pin]: a number"],
    );
    refused(
        &world,
        "data-list",
        &json!({"data": [encoded]}),
        &["data: a list"],
    );
    refused(&world, "data-text", &json!({"data": value}), &["data: a text"]);
    refused(
        &world,
        "data-map",
        &json!({"data": {"k": {"deep": value}}}),
        &["data[k]: a map"],
    );
    refused(
        &world,
        "plain",
        &json!({"data": {"k": value}}),
        &["data[k]: the value is not base64"],
    );
    refused(
        &world,
        "immutable",
        &json!({"immutable": value, "data": {"k": encoded}}),
        &["immutable: a text"],
    );
    refused(
        &world,
        "misspelt",
        &json!({"stringdata": {"k": value}}),
        &["stringdata: a Secret has no such field (is `stringData` meant?)"],
    );
    refused(
        &world,
        "too-many",
        &json!({"datas": {"k": encoded}}),
        &["datas: a Secret has no such field"],
    );
    for kind in ["List", "SecretList"] {
        refused_as(
            &world,
            &format!("in-{}", kind.to_lowercase()),
            &json!({"stringData": {"settings.yaml": {"password": value}}, "stringdata": value}),
            &[
                "stringData[settings.yaml]: a map",
                "stringdata: a Secret has no such field",
            ],
            |secret| json!({"apiVersion": "v1", "kind": kind, "metadata": {}, "items": [secret]}),
        );
    }
    refused(
        &world,
        "other-case",
        &json!({"Data": {"k": encoded}}),
        &["Data: a Secret has no such field"],
    );
    refused(
        &world,
        "no-key",
        &json!({"type": "kubernetes.io/tls", "data": {"k": encoded}}),
        &["data[tls.crt]: a value is required"],
    );
    refused(
        &world,
        "docker",
        &json!({"type": "kubernetes.io/dockerconfigjson", "data": {".dockerconfigjson": encoded}}),
        &["data[.dockerconfigjson]: "],
    );
    refused(
        &world,
        "bad-name",
        &json!({"data": {"a b": encoded}}),
        &["data[a b]: the names of entries"],
    );
    refused(
        &world,
        "large",
        &json!({"stringData": {"k": value.repeat(70_000)}}),
        &["too long"],
    );
}

#[test]
fn a_change_of_an_immutable_secret_is_refused_without_its_values() {
    let world = World::shared("secret-immutable").unwrap();
    let write = |value: &str| {
        let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "fixed"}, "immutable": true, "stringData": {"k": value}});
        world.write("secret.yaml", &secret.to_string()).unwrap();
    };
    write("tulip-4711-window");
    world.running().unwrap();
    refused(
        &world,
        "fixed",
        &json!({"immutable": true, "stringData": {"k": "tulip-4712-window"}}),
        &["data: field is immutable when `immutable` is set"],
    );
}

/// A policy that quotes what it refuses, of a Secret and of an object that has the same value.
#[test]
fn what_a_policy_quotes_is_not_told() {
    let world = World::shared("secret-policy").unwrap();
    let name = format!("quotes-{}", world.namespace);
    let policy = json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicy", "metadata": {"name": name},
        "spec": {
            "matchConstraints": {"resourceRules": [{
                "apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"], "resources": ["secrets", "configmaps"],
            }]},
            "validations": [{
                "expression": "!has(object.data) || !('quoted' in object.data)",
                "messageExpression": "'it is ' + string(object.data.quoted)",
            }],
        },
    });
    let binding = json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicyBinding", "metadata": {"name": name},
        "spec": {
            "policyName": name, "validationActions": ["Deny"],
            "matchResources": {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": world.namespace}}},
        },
    });
    world.apply(&policy).unwrap();
    world.apply(&binding).unwrap();
    world.running().unwrap();
    // A policy holds from when the server has seen it, which nothing announces.
    until_refused(&world, "the policy", "probe.yaml", "it is probe");
    refused(
        &world,
        "quoted",
        &json!({"stringData": {"quoted": "tulip-4711-window"}}),
        &[&name, "denied the request"],
    );

    // Git shows the value of a ConfigMap to all who can read it; what the server says of it shows no value of a Secret.
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "own"}, "stringData": {"k": "tulip-4711-window"}});
    let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "copy"}, "data": {"quoted": "tulip-4711-window"}});
    world.write("secret.yaml", &secret.to_string()).unwrap();
    world.write("copy.yaml", &map.to_string()).unwrap();
    world.commit("a copy").unwrap();
    world.refresh().unwrap();
    let status = world
        .wait_status(|status| {
            let message = text(condition(status, "Synced")?, "/message");
            ensure!(
                message.contains("/copy ") && message.contains("it is ••••••••"),
                "not refused yet"
            );
            Ok(())
        })
        .unwrap();
    clean("the status", &status.to_string());
    clean(
        "the Events",
        &world.kubectl(&["get", "events", "-o", "yaml"]).unwrap(),
    );
}

/// A webhook that quotes what it is shown, as given, decoded and as Go prints a map.
#[test]
fn what_a_webhook_quotes_is_not_told() {
    let world = World::shared("secret-webhook").unwrap();
    let webhook = Webhook::start(|request| {
        let data = &request["object"]["data"];
        let Some(quoted) = data["quoted"].as_str() else {
            return Admission::Admit;
        };
        Admission::Deny(format!(
            "data is map[quoted:{quoted}], which is \"tulip-4711-window\"; all of it: {data}"
        ))
    })
    .unwrap();
    world.running().unwrap();
    let name = format!("quotes-{}", world.namespace);
    let hook = json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration", "metadata": {"name": name},
        "webhooks": [{
            "name": "quotes.example.com", "admissionReviewVersions": ["v1"], "sideEffects": "None", "failurePolicy": "Fail",
            "clientConfig": webhook.client_config(),
            "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"], "resources": ["secrets", "configmaps"]}],
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": world.namespace}},
        }],
    });
    world.apply(&hook).unwrap();
    until_refused(&world, "the webhook", "webhook-probe.yaml", "quoted:probe");
    refused(
        &world,
        "quoted",
        &json!({"stringData": {"quoted": "tulip-4711-window"}}),
        &["quotes.example.com", "denied the request"],
    );
    world
        .kubectl(&["delete", "validatingwebhookconfiguration", &name])
        .unwrap();
}
