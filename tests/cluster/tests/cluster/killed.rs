//! Killed between any two writes, the next run ends where an undisturbed one does.

use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use sluice_cluster_tests::{Engine, World};
use sluice_sandbox::{ApiProxy, Verdict, wait_for};

/// What runs before: things to change, to adopt, to make anew and to delete.
fn before(world: &World<'_>) {
    let kubectl = format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: adopted, namespace: {}}}\ndata: {{mine: \"1\", theirs: \"1\"}}\n",
        world.namespace
    );
    let file = world
        .engine
        .write("adopted.yaml", kubectl)
        .unwrap()
        .display()
        .to_string();
    world.engine.plane.kubectl_with(&["apply", "-f", &file]).unwrap();
    let map = |name: &str| {
        format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata: {{value: \"1\"}}\n")
    };
    for name in ["changed", "gone-a", "gone-b"] {
        world.write(&format!("{name}.yaml"), &map(name)).unwrap();
    }
    world.write("job.yaml", &job("one")).unwrap();
    world.commit("what was").unwrap();
}

fn job(command: &str) -> String {
    format!(
        "apiVersion: batch/v1\nkind: Job\nmetadata: {{name: job, annotations: {{sluice.dev/sync-strategy: recreate}}}}\nspec:\n  suspend: true\n  \
         template:\n    spec:\n      restartPolicy: Never\n      containers:\n      - {{name: c, image: i, command: [{command}]}}\n"
    )
}

/// What is to be afterwards, in two waves.
fn after(world: &World<'_>) {
    let map = |name: &str, value: &str, wave: i32| {
        format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}, annotations: {{sluice.dev/sync-wave: \"{wave}\"}}}}\ndata: {{value: \"{value}\"}}\n"
        )
    };
    world.write("changed.yaml", &map("changed", "2", 0)).unwrap();
    world.write("new.yaml", &map("new", "1", 1)).unwrap();
    let adopted = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: adopted}\ndata: {mine: \"2\"}\n";
    world.write("adopted.yaml", adopted).unwrap();
    let secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: secret}\nstringData: {password: hunter2}\n";
    world.write("secret.yaml", secret).unwrap();
    world.write("job.yaml", &job("two")).unwrap();
    for gone in ["gone-a", "gone-b"] {
        world
            .repository
            .remove(&format!("manifests/{gone}.yaml"))
            .unwrap();
    }
    world.commit("what is to be").unwrap();
}

/// Writes the plan of what is to be done to a file. That there is something to do is no failure.
fn plan(world: &World<'_>) -> String {
    let arguments = ["plan", "app", "-n", &world.namespace, "-o", "json"];
    let output = world.engine.try_sluice(&arguments).unwrap();
    let file = format!("{}.json", world.namespace);
    world
        .engine
        .write(&file, &output.stdout)
        .unwrap()
        .display()
        .to_string()
}

/// Plans and applies, undisturbed.
fn sync(world: &World<'_>) {
    world.engine.sluice(&["apply", &plan(world)]).unwrap();
}

/// Everything of the namespace, as far as two runs must agree.
fn state(world: &World<'_>) -> Value {
    let list = world
        .engine
        .plane
        .get(&format!(
            "-n {} configmaps,secrets,jobs --show-managed-fields",
            world.namespace
        ))
        .unwrap();
    let mut objects: Vec<Value> = list["items"].as_array().unwrap().clone();
    objects.retain(|object| object["metadata"]["name"] != "kube-root-ca.crt");
    for object in &mut objects {
        object["status"] = Value::Null;
        let record = object["metadata"]["managedFields"].as_array().unwrap().clone();
        let record: Vec<Value> = record
            .into_iter()
            .filter(|entry| {
                entry.get("subresource").is_none() && entry["manager"] != "kube-controller-manager"
            })
            .map(|entry| json!([entry["manager"], entry["operation"], entry["fieldsV1"]]))
            .collect();
        let metadata = object["metadata"].take();
        let labels = metadata["labels"].as_object().map_or(0, serde_json::Map::len);
        object["metadata"] = json!({"name": metadata["name"], "annotations": metadata["annotations"], "labels": labels, "record": record});
        // Of a Job: made up by the server, after its uid.
        object["spec"]["selector"] = Value::Null;
        object["spec"]["template"]["metadata"] = Value::Null;
    }
    objects.into()
}

/// A namespace in the state before, with an Application, and the engine's program against the proxy.
fn prepared<'e>(engine: &'e Engine, name: &str) -> World<'e> {
    let world = World::new(engine, name).unwrap();
    before(&world);
    let mut application = world.application();
    application["spec"]["syncPolicy"] = json!({});
    world.apply(&application).unwrap();
    sync(&world);
    after(&world);
    world
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Moment {
    Before,
    After,
}

/// Runs `sluice apply` through the proxy and kills it at its n-th write. False where it came to its end before that.
fn killed_at(world: &World<'_>, proxy: &ApiProxy, number: u32, moment: Moment) -> bool {
    let file = plan(world);
    let child: Arc<Mutex<Option<Child>>> = Arc::default();
    let victim = Arc::clone(&child);
    proxy.set_judge(move |request| {
        if request.write < number {
            return Verdict::Forward;
        }
        // Whatever else is on its way by then does not arrive either.
        if request.write == number && moment == Moment::After {
            return Verdict::CutAfter;
        }
        if let Some(child) = victim.lock().unwrap().as_mut() {
            child.kill().ok();
        }
        Verdict::CutBefore
    });
    let mut command = world.engine.command();
    command
        .args(["apply"])
        .arg(&file)
        .env("KUBECONFIG", proxy.kubeconfig())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    *child.lock().unwrap() = Some(command.spawn().unwrap());
    let mut finished = None;
    wait_for("the end of sluice apply", Duration::from_secs(60), || {
        let mut child = child.lock().unwrap();
        // The n-th was done and its answer cut off: nothing more may follow.
        if proxy.seen().iter().any(|request| request.write >= number)
            && let Some(child) = child.as_mut()
            && moment == Moment::After
        {
            child.kill().ok();
        }
        finished = child.as_mut().unwrap().try_wait()?;
        anyhow::ensure!(finished.is_some(), "it still runs");
        Ok(())
    })
    .unwrap();
    let killed = !finished.unwrap().success();
    proxy.set_judge(|_| Verdict::Forward);
    killed
}

#[test]
fn between_any_two_writes() {
    let engine = Engine::idle();
    let proxy = ApiProxy::start(&engine.plane).unwrap();
    let undisturbed = prepared(engine, "killed-never");
    sync(&undisturbed);
    let expected = state(&undisturbed);
    let names: Vec<&str> = expected
        .as_array()
        .unwrap()
        .iter()
        .map(|object| object["metadata"]["name"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        ["adopted", "changed", "new", "secret", "job"],
        "{expected:#}"
    );
    assert_eq!(expected[0]["data"], json!({"mine": "2"}));

    let mut writes = 0;
    for moment in [Moment::Before, Moment::After] {
        for number in 1.. {
            let word = if moment == Moment::Before {
                "before"
            } else {
                "after"
            };
            let world = prepared(engine, &format!("killed-{word}-{number}"));
            let killed = killed_at(&world, &proxy, number, moment);
            sync(&world);
            assert_eq!(state(&world), expected, "killed {word} write {number}");
            let differs = world
                .engine
                .try_sluice(&["diff", "app", "-n", &world.namespace])
                .unwrap();
            assert!(
                differs.status.success(),
                "{}",
                String::from_utf8_lossy(&differs.stdout)
            );
            if !killed {
                break;
            }
            writes = writes.max(number);
        }
    }
    // The record of members twice; four applies, one after a change of hands; the Job twice; two deletions.
    assert!(writes >= 10, "only {writes} writes were interrupted");
}
