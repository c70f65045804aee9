//! Whose object it is, where neither its name nor the record of its managers says it.

use anyhow::ensure;
use serde_json::{Value, json};
use sluice_cluster_tests::{World, config_map, text};

fn event(world: &World<'_>, api_version: &str) -> String {
    let namespace = &world.namespace;
    let (note, controller, regarding) = match api_version {
        "v1" => ("message", "reportingComponent", "involvedObject"),
        _ => ("note", "reportingController", "regarding"),
    };
    format!(
        "apiVersion: {api_version}\nkind: Event\nmetadata: {{name: note}}\n{regarding}: {{kind: Namespace, apiVersion: v1, name: {namespace}, namespace: {namespace}}}\n\
         eventTime: \"2026-01-02T03:04:05.000000Z\"\nreason: Noted\ntype: Normal\naction: Noting\n{note}: hello\n\
         {controller}: example.org/noter\nreportingInstance: noter-0\n"
    )
}

fn planned(world: &World<'_>) -> Value {
    serde_json::from_str(&world.done(&["plan", "app", "-o", "json"])).unwrap()
}

/// An Application that is synced only when somebody asks for it.
fn manual(world: &World<'_>) {
    let mut application = world.application();
    application["spec"]["syncPolicy"] = json!({"retry": {"limit": 0}});
    world.apply(&application).unwrap();
}

fn wipe(world: &World<'_>, what: &str) {
    let patch = r#"{"metadata":{"managedFields":[{}]}}"#;
    world
        .kubectl(&["patch", what, "--type=merge", "-p", patch])
        .unwrap();
}

/// Reported: an Event that Git moved from `v1` to `events.k8s.io/v1` was deleted under its old name, which is the same object.
#[test]
fn an_object_in_two_groups_moves_from_one_to_the_other() {
    let world = World::shared("two-groups").unwrap();
    world.write("event.yaml", &event(&world, "v1")).unwrap();
    world.write("beside.yaml", &config_map("beside", "1")).unwrap();
    world.commit("an event").unwrap();
    manual(&world);
    world.done(&["sync", "app", "--prune"]);
    let uid = world.version("events.v1./note").unwrap().0;
    world
        .write("event.yaml", &event(&world, "events.k8s.io/v1"))
        .unwrap();
    let moved = world.commit("the other group").unwrap();
    let plan = planned(&world);
    assert!(!plan["steps"].to_string().contains("\"delete\""), "{plan:#}");
    world.done(&["sync", "app", "--prune"]);
    world.wait_synced(&moved).unwrap();
    assert_eq!(world.version("events.v1./note").unwrap().0, uid);
    let plan = planned(&world);
    assert_eq!(
        (&plan["steps"], &plan["kept"]),
        (&json!([]), &json!([])),
        "{plan:#}"
    );
    // Gone from Git it goes, once.
    world.repository.remove("manifests/event.yaml").unwrap();
    world.commit("no event").unwrap();
    assert_eq!(planned(&world)["steps"].as_array().map(Vec::len), Some(1));
}

/// Reported: after `managedFields: [{}]` the keys and objects that Git dropped stayed for ever, and the Application was Synced.
#[test]
fn what_lost_its_record_is_taken_up_or_waits_for_an_approval() {
    let world = World::shared("wiped").unwrap();
    let map =
        |data: &str| format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: a}}\ndata: {{{data}}}\n");
    world.write("a.yaml", &map("k: \"1\", dropped: \"2\"")).unwrap();
    for name in ["b", "c", "d"] {
        world
            .write(&format!("{name}.yaml"), &config_map(name, "1"))
            .unwrap();
    }
    world.commit("two maps").unwrap();
    manual(&world);
    world.done(&["sync", "app", "--prune"]);
    for name in ["a", "b"] {
        wipe(&world, &format!("configmap/{name}"));
    }
    world.write("a.yaml", &map("k: \"1\"")).unwrap();
    world.repository.remove("manifests/b.yaml").unwrap();
    let commit = world.commit("less of it").unwrap();
    let orphans = world.done(&["orphans", "-o", "json"]);
    assert!(
        orphans.contains(&format!("ConfigMap {}/b", world.namespace)),
        "{orphans}"
    );
    let plan = planned(&world);
    assert!(plan["steps"].to_string().contains("/data/dropped"), "{plan:#}");
    assert_eq!(text(&plan, "/held/0/step/object/name"), "b", "{plan:#}");
    let (code, said, _) = world.run(&["sync", "app", "--prune"]);
    assert_eq!(code, Some(5), "{said}");
    assert_eq!(world.object("configmap/a").unwrap()["data"], json!({"k": "1"}));
    let status = world.get().unwrap();
    let digest = text(&status, "/status/pendingApproval/planDigest").to_owned();
    world.done(&["approve", "app", "--plan", &digest]);
    world.wait_synced(&commit).unwrap();
    assert!(world.object("configmap/b").is_err());
    // Ours again: what Git drops from now on goes.
    world.write("a.yaml", &map("other: \"1\"")).unwrap();
    world.commit("another key").unwrap();
    world.done(&["sync", "app", "--prune"]);
    assert_eq!(
        world.object("configmap/a").unwrap()["data"],
        json!({"other": "1"})
    );
}

/// Reported: a revision without manifests was "nothing to do" for a sync, and OutOfSync in the status.
#[test]
fn a_sync_to_an_empty_revision_fails_as_the_status_says() {
    let world = World::shared("empty-revision").unwrap();
    world.write("a.yaml", &config_map("a", "1")).unwrap();
    world.write("readme.txt", "nothing").unwrap();
    world.commit("a map").unwrap();
    manual(&world);
    world.done(&["sync", "app", "--prune"]);
    world.repository.remove("manifests/a.yaml").unwrap();
    world.commit("nothing at all").unwrap();
    for arguments in [vec!["sync", "app", "--prune"], vec!["sync", "app"]] {
        let (code, _, said) = world.run(&arguments);
        assert!(code == Some(7) && said.contains("K08"), "{code:?} {said}");
    }
    let (code, said, _) = world.run(&["diff", "app"]);
    assert!(code == Some(1) && said.contains("stays"), "{code:?} {said}");
    assert!(world.object("configmap/a").is_ok());
}

/// Reported: a Role named `victim?x=1` was read and written as the Role `victim`, and a space failed the whole Application.
#[test]
fn a_name_is_one_part_of_a_path() {
    let world = World::shared("names").unwrap();
    let role = |name: &str, verb: &str| {
        format!(
            "apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {{name: \"{name}\"}}\n\
             rules: [{{apiGroups: [\"\"], resources: [pods], verbs: [{verb}]}}]\n"
        )
    };
    world
        .kubectl(&["create", "role", "victim", "--verb=get", "--resource=secrets"])
        .unwrap();
    let victim = world.object("role/victim").unwrap();
    let names = [
        "victim?x=1",
        "victim#x",
        "Readers and Writers",
        "a,metadata.name=victim",
        "é[1]+;&",
    ];
    let verbs = |verb: &str| {
        for (index, name) in names.iter().enumerate() {
            world.write(&format!("{index}.yaml"), &role(name, verb)).unwrap();
        }
        world.commit(verb).unwrap()
    };
    verbs("get");
    manual(&world);
    world.done(&["sync", "app", "--prune"]);
    verbs("list");
    world.done(&["sync", "app", "--prune"]);
    let roles = world
        .engine
        .plane
        .get(&format!("-n {} roles", world.namespace))
        .unwrap();
    let found: Vec<(&str, &Value)> = roles["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|role| (text(role, "/metadata/name"), &role["rules"][0]["verbs"]))
        .collect();
    for name in names {
        assert!(found.contains(&(name, &json!(["list"]))), "{name}: {found:?}");
    }
    assert_eq!(world.object("role/victim").unwrap(), victim);
    world.write("bad.yaml", &role("a/../victim", "get")).unwrap();
    world.commit("a name that is none").unwrap();
    let (code, _, said) = world.run(&["sync", "app"]);
    assert!(
        code == Some(7) && said.contains("R19") && said.contains("bad.yaml"),
        "{said}"
    );
    world.repository.remove("manifests/bad.yaml").unwrap();
    for index in 1..names.len() {
        world
            .repository
            .remove(&format!("manifests/{index}.yaml"))
            .unwrap();
    }
    world.commit("one of them").unwrap();
    let (_, _, _) = world.run(&["sync", "app", "--prune"]);
    assert_eq!(world.object("role/victim").unwrap(), victim);
}

/// Reported: a Job that the cluster removes some time after its end was run again and again by self-heal.
#[test]
fn a_job_that_completed_is_done_until_its_manifest_changes() {
    let world = World::shared("job-with-a-time-to-live").unwrap();
    let job = |argument: &str| {
        format!(
            "apiVersion: batch/v1\nkind: Job\nmetadata: {{name: once}}\nspec:\n  ttlSecondsAfterFinished: 3600\n  template:\n    \
             spec: {{restartPolicy: Never, containers: [{{name: c, image: registry.example.org/c:1, args: [\"{argument}\"]}}]}}\n"
        )
    };
    world.write("job.yaml", &job("a")).unwrap();
    world.write("beside.yaml", &config_map("beside", "1")).unwrap();
    world.commit("a job").unwrap();
    world.apply(&world.application()).unwrap();
    let done = |status: &Value| {
        ensure!(!status["completed"].is_null(), "not seen to complete: {status:#}");
        Ok(())
    };
    world.wait_status(done).unwrap();
    world.kubectl(&["delete", "job/once"]).unwrap();
    world.write("beside.yaml", &config_map("beside", "2")).unwrap();
    let next = world.commit("something else").unwrap();
    world.refresh().unwrap();
    let status = world.wait_synced(&next).unwrap();
    assert_eq!(text(&status, "/health/status"), "Healthy", "{status:#}");
    assert!(world.object("job/once").is_err(), "it ran again");
    assert_eq!(planned(&world)["steps"], json!([]));
    world.write("job.yaml", &job("b")).unwrap();
    let changed = world.commit("another job").unwrap();
    world.refresh().unwrap();
    world.wait_synced(&changed).unwrap();
    let arguments = &world.object("job/once").unwrap()["spec"]["template"]["spec"]["containers"][0]["args"];
    assert_eq!(*arguments, json!(["b"]));
}

/// The cluster removes such a Job between two looks of whoever waits for it.
#[test]
fn a_plan_with_a_job_that_goes_at_its_end_is_applied() {
    let world = World::shared("job-without-time-to-live").unwrap();
    let job = "apiVersion: batch/v1\nkind: Job\nmetadata: {name: fleeting}\nspec:\n  ttlSecondsAfterFinished: 0\n  template:\n    \
               spec: {restartPolicy: Never, containers: [{name: c, image: registry.example.org/c:1}]}\n";
    let after = config_map("after", "1").replace(
        "metadata:",
        "metadata:\n  annotations: {sluice.dev/sync-wave: \"1\"}",
    );
    world.write("job.yaml", job).unwrap();
    world.write("after.yaml", &after).unwrap();
    world.commit("a job that leaves nothing").unwrap();
    let mut application = world.application();
    application["spec"]["syncPolicy"] = json!({});
    world.apply(&application).unwrap();
    let plan = world.done(&["plan", "app", "-o", "json"]);
    let file = world.engine.write("fleeting.plan.json", plan).unwrap();
    let began = std::time::Instant::now();
    world.done(&["apply", &file.display().to_string()]);
    assert!(began.elapsed().as_secs() < 60, "it was waited for in vain");
    world.object("configmap/after").unwrap();
    assert!(world.object("job/fleeting").is_err());
}

/// Runs of a hook with `generateName` would pile up; where that is asked for, the earlier ones go, and else they stay.
#[test]
fn earlier_runs_of_a_hook_go_where_that_is_asked_for() {
    let world = World::shared("hook-runs").unwrap();
    let hook = |prefix: &str, annotations: &str| {
        format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  generateName: {prefix}-\n  annotations: {{sluice.dev/hook: PreSync{annotations}}}\n"
        )
    };
    world
        .write(
            "replaced.yaml",
            &hook("replaced", ", sluice.dev/hook-delete-policy: BeforeHookCreation"),
        )
        .unwrap();
    world.write("stays.yaml", &hook("stays", "")).unwrap();
    world.apply(&world.application()).unwrap();
    for value in ["1", "2", "3"] {
        world.write("part.yaml", &config_map("part", value)).unwrap();
        let commit = world.commit(value).unwrap();
        world.refresh().unwrap();
        world.wait_synced(&commit).unwrap();
    }
    let names = world
        .kubectl(&["get", "configmaps", "-o", "jsonpath={.items[*].metadata.name}"])
        .unwrap();
    let count = |prefix: &str| names.split(' ').filter(|name| name.starts_with(prefix)).count();
    assert_eq!((count("replaced-"), count("stays-")), (1, 3), "{names}");
    assert_eq!(planned(&world)["steps"], json!([]));
}
