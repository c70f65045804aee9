//! A controller that is killed while an operation is under way: the next one goes on with it, from what the status says.

use std::process::{Child, Stdio};
use std::time::Duration;

use anyhow::ensure;
use serde_json::{Value, json};
use sluice_cluster_tests::{Engine, World, condition, config_map, definition, entry, text};
use sluice_sandbox::wait_for;

use crate::operations::endless;

/// A kind that is as healthy as its conditions say, and on its way to begin with. Whoever patches them plays its controller.
const LAMPS: &str = r#"{status: {type: object, x-kubernetes-preserve-unknown-fields: true,
    default: {conditions: [{type: Ready, status: "False", reason: WarmingUp}]}}}"#;

/// A lamp is applied, and the operation waits for what becomes of it.
fn at_the_gate<'e>(engine: &'e Engine, name: &str, policy: &Value) -> World<'e> {
    at_the_gate_with(engine, name, policy, "")
}

fn at_the_gate_with<'e>(engine: &'e Engine, name: &str, policy: &Value, annotations: &str) -> World<'e> {
    let world = World::new(engine, name).unwrap();
    let lamp = format!(
        "apiVersion: restarts.example.com/v1\nkind: Lamp\nmetadata: {{name: lamp, annotations: {{{annotations}}}}}\n"
    );
    world.write("lamp.yaml", &lamp).unwrap();
    world.commit("a lamp").unwrap();
    let mut application = world.application();
    application["spec"]["syncPolicy"] = policy.clone();
    world.apply(&application).unwrap();
    world
}

fn wait_at_the_gate(world: &World<'_>) {
    let status = world
        .wait_status(|status| {
            ensure!(
                text(status, "/operation/waitingFor/what") == "the application",
                "nothing waits"
            );
            Ok(())
        })
        .unwrap();
    assert_eq!(status["operation"]["phase"], "Running");
    assert_eq!(status["history"], Value::Null, "it has not come to its end");
}

fn becomes(world: &World<'_>, condition: &Value) {
    let patch = json!({"status": {"conditions": [condition]}}).to_string();
    world
        .kubectl(&["patch", "lamp", "lamp", "--type=merge", "-p", &patch])
        .unwrap();
}

/// The verdict is in: it stands in the history, once.
fn wait_verdict(world: &World<'_>, result: &str) -> Value {
    let status = world
        .wait_status(|status| {
            ensure!(text(status, "/operation/phase") == result, "not {result}");
            Ok(())
        })
        .unwrap();
    let history = status["history"].as_array().unwrap();
    assert_eq!(history.len(), 1, "{history:#?}");
    assert_eq!(history[0]["result"], result);
    assert_eq!(history[0]["times"].as_u64().unwrap_or(1), 1, "{history:#?}");
    assert_eq!(status["sync"]["status"], "Synced", "everything was applied");
    status
}

/// A sync that the server refuses, tried again as often as it may be.
fn given_up<'e>(engine: &'e Engine, name: &str) -> World<'e> {
    let world = World::new(engine, name).unwrap();
    let service = "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {ports: [{port: 123456}]}\n";
    world.write("a.yaml", service).unwrap();
    world.commit("a port that there is not").unwrap();
    let mut application = world.application();
    application["spec"]["syncPolicy"]["retry"] =
        json!({"limit": 2, "backoff": {"duration": "1s", "factor": 1}});
    world.apply(&application).unwrap();
    world
}

fn wait_given_up(world: &World<'_>) -> Value {
    let status = world
        .wait_status(|status| {
            let synced = condition(status, "Synced")?;
            ensure!(
                text(synced, "/message").contains("failed 3 times and is not tried again"),
                "not given up"
            );
            Ok(())
        })
        .unwrap();
    let failed = entry(&status, "Sync").unwrap();
    assert_eq!(
        (&failed["result"], &failed["times"]),
        (&json!("Failed"), &json!(3))
    );
    assert_eq!(status["operation"]["retries"], 2);
    assert!(text(&status, "/operation/message").contains("K17"), "{status:#}");
    status
}

/// A person's command, which waits for the end.
fn asked_for(world: &World<'_>) -> Child {
    let mut command = world.engine.command();
    command
        .args(["sync", "app", "--timeout", "60s", "-n", &world.namespace])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command.spawn().unwrap()
}

/// A sync that has not got beyond its first hook.
fn at_a_hook<'e>(engine: &'e Engine, name: &str) -> World<'e> {
    let world = World::new(engine, name).unwrap();
    world
        .write("hook.yaml", &endless("migrate", "sluice.dev/hook: PreSync"))
        .unwrap();
    world.write("running.yaml", &config_map("running", "1")).unwrap();
    world.commit("a hook that takes its time").unwrap();
    world.apply(&world.application()).unwrap();
    world
}

fn wait_at_the_hook(world: &World<'_>) {
    world
        .wait_status(|status| {
            ensure!(
                text(status, "/operation/waitingFor/what") == "PreSync wave 0",
                "nothing waits"
            );
            Ok(())
        })
        .unwrap();
    assert!(world.object("configmap/running").is_err());
}

#[test]
fn the_next_controller_brings_it_to_its_end() {
    let engine = Engine::without_controller().unwrap();
    let lamps = definition("restarts.example.com", "Lamp", LAMPS);
    engine.define("lamps.restarts.example.com", &lamps).unwrap();
    engine.start_controller(&[]).unwrap();
    // A Job that completes, and that the cluster removes while no controller looks.
    let ran = World::new(&engine, "job-that-ran").unwrap();
    let job = "apiVersion: batch/v1\nkind: Job\nmetadata: {name: once}\nspec:\n  ttlSecondsAfterFinished: 3600\n  template:\n    \
               spec: {restartPolicy: Never, containers: [{name: c, image: registry.example.org/c:1}]}\n";
    ran.write("job.yaml", job).unwrap();
    ran.write("beside.yaml", &config_map("beside", "1")).unwrap();
    ran.commit("a job").unwrap();
    ran.apply(&ran.application()).unwrap();
    ran.wait_status(|status| {
        ensure!(!status["completed"].is_null(), "not seen to complete: {status:#}");
        Ok(())
    })
    .unwrap();
    let given_up = given_up(&engine, "given-up");
    let shines = at_the_gate(&engine, "gate-shines", &json!({}));
    let person = asked_for(&shines);
    let breaks = at_the_gate(&engine, "gate-breaks", &json!({"automated": {}}));
    let hooked = at_a_hook(&engine, "killed-at-a-hook");
    let end = wait_given_up(&given_up);
    wait_at_the_hook(&hooked);
    wait_at_the_gate(&shines);
    wait_at_the_gate(&breaks);
    let late = at_the_gate(
        &engine,
        "gate-late",
        &json!({"automated": {}, "healthTimeout": "6s"}),
    );
    wait_at_the_gate(&late);
    // The time of one object counts as the whole operation's does.
    let own_time = "sluice.dev/hook-timeout: 6s";
    let impatient = at_the_gate_with(&engine, "gate-own-time", &json!({"automated": {}}), own_time);
    wait_at_the_gate(&impatient);
    // It is applied, and its status does not say so yet.
    let unsaid = at_the_gate(&engine, "gate-unsaid", &json!({"automated": {}}));
    wait_for("the lamp", Duration::from_secs(30), || {
        unsaid.object("lamp/lamp").map(drop)
    })
    .unwrap();

    engine.kill_controller().unwrap();
    ran.kubectl(&["delete", "job/once"]).unwrap();
    becomes(&unsaid, &json!({"type": "Ready", "status": "True"}));
    let until = |world: &World<'_>| text(&world.get().unwrap(), "/status/operation/healthyUntil").to_owned();
    assert!(!until(&shines).is_empty() && !until(&breaks).is_empty() && !until(&late).is_empty());
    becomes(&shines, &json!({"type": "Ready", "status": "True"}));
    becomes(
        &breaks,
        &json!({"type": "Stalled", "status": "True", "reason": "Fused"}),
    );
    engine.start_controller(&[]).unwrap();

    let status = wait_verdict(&unsaid, "Succeeded");
    assert_eq!(status["history"][0]["initiatedBy"], "automation");
    let status = wait_verdict(&shines, "Succeeded");
    let person = person.wait_with_output().unwrap();
    assert!(
        person.status.success(),
        "{}",
        String::from_utf8_lossy(&person.stderr)
    );
    assert_ne!(status["history"][0]["initiatedBy"], "automation");
    let status = wait_verdict(&breaks, "Failed");
    let said = text(&status, "/operation/message");
    assert!(said.contains("K32") && said.contains("Fused"), "{said}");
    for late in [&late, &impatient] {
        let status = wait_verdict(late, "Failed");
        let said = text(&status, "/operation/message");
        assert!(said.contains("K33") && said.contains("WarmingUp"), "{said}");
    }

    // What a Job did is remembered by the status, not by who saw it.
    ran.write("beside.yaml", &config_map("beside", "2")).unwrap();
    let next = ran.commit("something else").unwrap();
    ran.refresh().unwrap();
    ran.wait_synced(&next).unwrap();
    assert!(ran.object("job/once").is_err(), "it ran again");

    // What was being done is done from its beginning, and is still one operation.
    wait_at_the_hook(&hooked);
    hooked
        .kubectl(&[
            "patch",
            "job",
            "migrate",
            "--type=merge",
            "-p",
            r#"{"spec":{"suspend":false}}"#,
        ])
        .unwrap();
    wait_verdict(&hooked, "Succeeded");
    hooked.object("configmap/running").unwrap();

    // What was given up is not begun anew for a restart either; a new commit is.
    given_up.refresh().unwrap();
    let status = wait_given_up(&given_up);
    assert_eq!(status["operation"], end["operation"]);
    given_up.write("a.yaml", &config_map("a", "1")).unwrap();
    let mended = given_up.commit("mended").unwrap();
    given_up.refresh().unwrap();
    given_up.wait_synced(&mended).unwrap();
}
