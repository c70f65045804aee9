//! `examples/health-plugin`, as `cargo xtask plugins` built it: taken up without a restart, with the same cases as natively.
#![expect(clippy::unwrap_used, reason = "the shared parts of tests are tests too")]

use std::path::{Path, PathBuf};

use serde::Deserialize as _;
use serde_json::{Value, json};
use sluice_model::Object;
use sluice_model::application::{Policies, PolicyRef};
use sluice_model::health::HealthStatus;
use sluice_plugin_host::{Change, PluginHost, PluginKind};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn plugin() -> Vec<u8> {
    fs_err::read(root().join("target/plugins/examples/health-plugin.wasm"))
        .expect("run `cargo xtask plugins` first")
}

fn single() -> Object {
    let status = json!({"replicas": 1, "updatedReplicas": 1, "availableReplicas": 1});
    let deployment = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"}, "spec": {"replicas": 1}, "status": status});
    Object::new(deployment).unwrap()
}

#[test]
fn it_is_taken_up_without_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let host = PluginHost::with_directory(folder.path());
    let status = || {
        host.health(&[], &[single()], jiff::Timestamp::UNIX_EPOCH)
            .value
            .first()
            .map(|verdict| verdict.status)
    };
    assert_eq!(status(), Some(HealthStatus::Healthy));
    fs_err::write(folder.path().join("health-plugin.wasm"), plugin()).unwrap();
    assert!(
        matches!(host.rescan().as_slice(), [Change::Serving { plugin, .. }] if plugin == "health-plugin")
    );
    assert_eq!(status(), Some(HealthStatus::Degraded));

    let list = host.list().value;
    let info = list.iter().find(|info| info.name == "health-plugin").unwrap();
    assert_eq!((info.world, info.uses_time), (PluginKind::Health, false));
    assert!(
        info.settings_schema.is_some()
            && info
                .imports
                .iter()
                .all(|import| import.starts_with("sluice:policy/"))
    );
}

#[test]
fn its_settings_are_checked() {
    let folder = tempfile::tempdir().unwrap();
    fs_err::write(folder.path().join("health-plugin.wasm"), plugin()).unwrap();
    let host = PluginHost::with_directory(folder.path());
    let policies = |settings: Value| Policies {
        health: vec![
            serde_json::from_value(json!({"plugin": "health-plugin", "settings": settings})).unwrap(),
        ],
        ..Policies::default()
    };
    assert_eq!(host.check(&policies(json!({"minimumReplicas": 1}))), []);
    let problems = host.check(&policies(json!({"minimumReplica": 1})));
    assert_eq!(
        problems.iter().map(|problem| problem.code.id).collect::<Vec<_>>(),
        ["P07"]
    );
    // With them refused, nothing is healthy.
    let policies: Vec<PolicyRef> = policies(json!({"minimumReplica": 1})).health;
    let answer = host.health(&policies, &[single()], jiff::Timestamp::UNIX_EPOCH);
    assert_eq!(
        answer.value.first().map(|verdict| verdict.status),
        Some(HealthStatus::Unknown)
    );
}

#[test]
fn its_golden_cases_hold_in_the_sandbox_too() {
    let folder = tempfile::tempdir().unwrap();
    fs_err::write(folder.path().join("health-plugin.wasm"), plugin()).unwrap();
    let host = PluginHost::with_directory(folder.path());
    let mut judged = 0;
    for case in fs_err::read_dir(root().join("examples/health-plugin/tests/cases")).unwrap() {
        let case = case.unwrap().path();
        let read = |name: &str| fs_err::read_to_string(case.join(name)).ok();
        let settings: Value =
            read("settings.json").map_or(json!({}), |text| serde_json::from_str(&text).unwrap());
        let expected: Value = serde_json::from_str(&read("expected.json").unwrap()).unwrap();
        let Some(expected) = expected.as_array() else {
            continue;
        };
        let policies =
            [serde_json::from_value(json!({"plugin": "health-plugin", "settings": settings})).unwrap()];
        let input = read("input.yaml").unwrap();
        for (document, expected) in serde_yaml::Deserializer::from_str(&input).zip(expected) {
            let object = Object::new(Value::deserialize(document).unwrap()).unwrap();
            let answer = host.health(&policies, &[object], jiff::Timestamp::UNIX_EPOCH);
            let verdict = answer.value.first().unwrap();
            let want = match expected.get("status") {
                Some(status) => status.as_str().unwrap(),
                None if expected.is_null() => "Healthy",
                None => "Unknown",
            };
            assert_eq!(format!("{:?}", verdict.status), want, "{}", case.display());
            judged += 1;
        }
    }
    assert!(judged >= 10, "{judged}");
}
