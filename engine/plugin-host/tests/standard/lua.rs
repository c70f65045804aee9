//! Scripts of a folder, judged in the sandbox.

use std::path::Path;

use serde_json::{Value, json};
use sluice_model::Object;
use sluice_model::health::HealthStatus;
use sluice_plugin_host::{Answer, Compiler, PluginHost};

use crate::{now, object};

fn write(folder: &Path, name: &str, script: &str) {
    let path = folder.join(name);
    fs_err::create_dir_all(path.parent().unwrap()).unwrap();
    fs_err::write(path, script).unwrap();
}

fn of_kind(group: &str, kind: &str) -> Object {
    let api_version = format!("{group}/v1");
    object(
        json!({"apiVersion": api_version.trim_start_matches('/'), "kind": kind, "metadata": {"name": "x", "uid": "1"}}),
    )
}

fn host(folder: &Path) -> PluginHost {
    PluginHost::with_lua_scripts(None, Some(folder.to_owned()), Compiler::Here)
}

fn judged(host: &PluginHost, objects: &[Object]) -> Vec<(HealthStatus, String, Option<String>)> {
    let Answer { value, problems } = host.health(&[], objects, now());
    assert_eq!(problems, []);
    value
        .into_iter()
        .map(|verdict| (verdict.status, verdict.message, verdict.plugin))
        .collect()
}

fn by_script(status: HealthStatus, message: &str) -> (HealthStatus, String, Option<String>) {
    (status, message.to_owned(), Some("health-lua".to_owned()))
}

#[test]
fn a_script_comes_before_every_other_rule_for_its_kind() {
    let folder = tempfile::tempdir().unwrap();
    write(
        folder.path(),
        "apps/Deployment/health.lua",
        "return {status = 'Suspended', message = 'as\\nthe script says'}",
    );
    write(
        folder.path(),
        "example.com/Thing/health.lua",
        "return {status = 'Healthy', message = obj.metadata.name}",
    );
    write(
        folder.path(),
        "_.example.com/_/health.lua",
        "return {status = 'Degraded', message = 'any'}",
    );
    write(folder.path(), "example.com/Silent/health.lua", "return nil");
    let host = host(folder.path());
    assert_eq!(host.rejected_scripts(), []);
    let objects = [
        of_kind("apps", "Deployment"),
        of_kind("example.com", "Thing"),
        of_kind("a.example.com", "Thing"),
        of_kind("example.com", "Silent"),
        of_kind("", "Pod"),
    ];
    let verdicts = judged(&host, &objects);
    assert_eq!(
        verdicts[0],
        by_script(HealthStatus::Suspended, "as\nthe script says")
    );
    assert_eq!(verdicts[1], by_script(HealthStatus::Healthy, "x"));
    assert_eq!(verdicts[2], by_script(HealthStatus::Degraded, "any"));
    assert_ne!(verdicts[3].2.as_deref(), Some("health-lua"));
    assert_eq!(verdicts[4].2.as_deref(), Some("health-kubernetes"));

    // Another script, other plans.
    let before = host.digests(&sluice_model::application::Policies::default());
    write(
        folder.path(),
        "example.com/Thing/health.lua",
        "return {status = 'Missing', message = 'changed'}",
    );
    assert_eq!(host.rescan().len(), 1);
    assert_eq!(
        judged(&host, &objects)[1],
        by_script(HealthStatus::Missing, "changed")
    );
    assert_ne!(
        host.digests(&sluice_model::application::Policies::default()),
        before
    );
}

#[test]
fn a_broken_script_is_unknown_for_its_objects_alone() {
    let folder = tempfile::tempdir().unwrap();
    write(
        folder.path(),
        "example.com/Broken/health.lua",
        "local a = 1\nif a then\n",
    );
    write(
        folder.path(),
        "example.com/Failing/health.lua",
        "\nreturn obj.status.phase",
    );
    write(
        folder.path(),
        "example.com/Thing/health.lua",
        "return {status = 'Healthy'}",
    );
    let host = host(folder.path());
    let rejected = host.rejected_scripts();
    assert_eq!(rejected.len(), 1);
    assert_eq!(rejected[0].problem.code.id, "P15");
    let message = "example.com/Broken/health.lua at EOF: syntax error";
    assert_eq!(rejected[0].problem.message, message);
    let kinds = ["Broken", "Failing", "Thing"];
    let objects = kinds.map(|kind| of_kind("example.com", kind));
    let failing =
        "example.com/Failing/health.lua:2: attempt to index a non-table object(nil) with key 'phase'";
    assert_eq!(
        judged(&host, &objects),
        [
            by_script(HealthStatus::Unknown, message),
            by_script(HealthStatus::Unknown, failing),
            by_script(HealthStatus::Healthy, ""),
        ]
    );
}

#[test]
fn without_the_folder_nothing_is_healthy() {
    let host = host(Path::new("/nonexistent/scripts"));
    let answer = host.health(
        &[],
        &[of_kind("", "ConfigMap"), of_kind("example.com", "Thing")],
        now(),
    );
    assert!(
        answer
            .value
            .iter()
            .all(|verdict| verdict.status == HealthStatus::Unknown)
    );
    assert_eq!(answer.problems.len(), 1);
    assert_eq!(answer.problems[0].code.id, "P15");
    assert!(
        answer.problems[0].message.contains("/nonexistent/scripts"),
        "{}",
        answer.problems[0].message
    );
}

/// Within the real limits of an instance, its stack above all.
#[test]
fn no_script_takes_the_instance_with_it() {
    let scripts = include_str!("../../../../plugins/lua/tests/lua/hostile.txt");
    let folder = tempfile::tempdir().unwrap();
    let mut objects = Vec::new();
    for (index, part) in scripts.split("--- ").skip(1).enumerate() {
        let (_, script) = part.split_once('\n').unwrap();
        let script = format!(
            "local r = (function() {script}\nend)() return {{status = 'Healthy', message = tostring(r)}}"
        );
        write(
            folder.path(),
            &format!("example.com/Hostile{index}/health.lua"),
            &script,
        );
        objects.push(of_kind("example.com", &format!("Hostile{index}")));
    }
    write(
        folder.path(),
        "example.com/Thing/health.lua",
        "return {status = 'Healthy', message = 'unharmed'}",
    );
    let host = host(folder.path());
    for hostile in &objects {
        let verdicts = judged(&host, &[hostile.clone(), of_kind("example.com", "Thing")]);
        assert_eq!(
            verdicts[1],
            by_script(HealthStatus::Healthy, "unharmed"),
            "after {hostile:?}"
        );
    }
}

#[test]
fn scripts_may_be_settings() {
    let policies: Vec<Value> = vec![
        json!({"plugin": "health-kubernetes"}),
        json!({"plugin": "health-lua", "settings": {"scripts": [
            {"group": "example.com", "kind": "T*", "script": "return {status = 'Missing'}"},
        ]}}),
    ];
    let policies = serde_json::from_value::<Vec<_>>(Value::Array(policies)).unwrap();
    let answer = PluginHost::standard().health(&policies, &[of_kind("example.com", "Thing")], now());
    assert_eq!(answer.problems, []);
    assert_eq!(answer.value[0].status, HealthStatus::Missing);
}
