//! Decisions of policies as the API server gets to see them: what is made anew, what is not waited for, what is too much.

use std::time::Duration;

use anyhow::ensure;
use serde_json::Value;
use sluice_cluster_tests::{World, config_map, text};

use crate::operations::{stuck, wait_operation};

const A_WHILE: Duration = Duration::from_secs(60);

fn annotated(name: &str, value: &str, annotations: &str) -> String {
    let plain = format!("  name: {name}");
    config_map(name, value).replace(&plain, &format!("{plain}\n  annotations: {{{annotations}}}"))
}

#[test]
fn a_change_makes_an_object_anew_where_a_policy_says_so() {
    let world = World::shared("recreate-always").unwrap();
    let names = ["ours", "argos", "plain"];
    let write = |value: &str| {
        let annotations = [
            "sluice.dev/sync-strategy: recreate-always",
            "argocd.argoproj.io/sync-options: \"Force=true,Replace=true\"",
            "",
        ];
        for (name, annotations) in names.iter().zip(annotations) {
            world
                .write(&format!("{name}.yaml"), &annotated(name, value, annotations))
                .unwrap();
        }
        world.commit(value).unwrap()
    };
    let uids = || names.map(|name| world.version(&format!("configmap/{name}")).unwrap().0);
    let first = write("1");
    world.apply(&world.application()).unwrap();
    world.wait_synced(&first).unwrap();
    let before = uids();
    // Only a change does: at rest they stay, and what somebody adds of their own is none.
    world
        .kubectl(&["annotate", "configmap", "--all", "example.com/seen=yes"])
        .unwrap();
    world.refresh().unwrap();
    world.wait_synced(&first).unwrap();
    assert_eq!(uids(), before);

    let second = write("2");
    let (_, plan, _) = world.run(&["plan", "app"]);
    assert_eq!(plan.matches("  recreate  ").count(), 2, "{plan}");
    world.refresh().unwrap();
    world.wait_synced(&second).unwrap();
    let after = uids();
    assert!(after[0] != before[0] && after[1] != before[1], "{after:?}");
    assert_eq!(after[2], before[2], "the others are changed as ever");
    for name in names {
        let object = world.object(&format!("configmap/{name}")).unwrap();
        assert_eq!(text(&object, "/data/value"), "2");
        let kept = object.pointer("/metadata/annotations/example.com~1seen");
        assert_eq!(kept.is_some(), name == "plain", "{object:#}");
    }
}

#[test]
fn what_nobody_waits_for_holds_up_nothing() {
    let world = World::shared("no-wait").unwrap();
    world
        .write("stuck.yaml", &stuck(600, "sluice.dev/wait: \"false\""))
        .unwrap();
    world
        .write(
            "after.yaml",
            &annotated("after", "1", "sluice.dev/sync-wave: \"1\""),
        )
        .unwrap();
    let commit = world.commit("something that never gets ready").unwrap();
    world.apply(&world.application()).unwrap();
    // Neither the next wave nor the end waits; how it is, is said all the same.
    let status = wait_operation(&world, "Succeeded");
    assert_eq!(text(&status, "/sync/revision"), &*commit);
    assert_eq!(text(&status, "/health/status"), "Progressing");
    world.object("configmap/after").unwrap();
}

#[test]
fn a_plan_that_deletes_almost_everything_waits_for_a_person() {
    let world = World::shared("blast-radius").unwrap();
    let name = |number: usize| format!("m{number}");
    for number in 0..10 {
        let manifest = config_map(&name(number), "1");
        world.write(&format!("m{number}.yaml"), &manifest).unwrap();
    }
    let first = world.commit("ten").unwrap();
    world.apply(&world.application()).unwrap();
    world.wait_synced(&first).unwrap();

    // A change, nine deletions and nine new objects: the change is made, and what is new is made. Found: after that the same nine
    // deletions were less than half of nineteen, and went.
    world.write("m0.yaml", &config_map("m0", "2")).unwrap();
    for number in 1..10 {
        world
            .repository
            .remove(&format!("manifests/m{number}.yaml"))
            .unwrap();
        let new = format!("n{number}");
        world
            .write(&format!("{new}.yaml"), &config_map(&new, "1"))
            .unwrap();
    }
    world.commit("nine of ten are others").unwrap();
    world.refresh().unwrap();
    for number in 1..10 {
        let new = format!("-n {} configmap/n{number}", world.namespace);
        world.engine.plane.wait_for(&new, A_WHILE, |_| Ok(())).unwrap();
    }
    world.refresh().unwrap();
    let waits = |count: u64| -> Value {
        world
            .wait_status(|status| {
                let pending = status.pointer("/pendingApproval/count").and_then(Value::as_u64);
                ensure!(pending == Some(count), "{count} deletions do not wait");
                Ok(())
            })
            .unwrap()
    };
    let status = waits(9);
    let held = text(&status, "/pendingApproval/planDigest").to_owned();
    let shown = world.run(&["plan", "app"]).1;
    assert!(
        shown.contains("prune-blast-radius") && shown.contains("90 %"),
        "{shown}"
    );
    let live = |number: usize| world.object(&format!("configmap/{}", name(number)));
    assert_eq!(text(&live(0).unwrap(), "/data/value"), "2");
    assert!((1..10).all(|number| live(number).is_ok()));

    // Somebody looks, and wants one of them back: what was held is another plan by now.
    world.write("m9.yaml", &config_map("m9", "1")).unwrap();
    let last = world.commit("not that one").unwrap();
    world.refresh().unwrap();
    let status = waits(8);
    let (code, _, said) = world.run(&["approve", "app", "--plan", &held]);
    assert!(code == Some(5) && said.contains("error[U10]"), "{said}");
    assert!((1..10).all(|number| live(number).is_ok()));
    let digest = text(&status, "/pendingApproval/planDigest");
    assert_ne!(digest, held);
    world.done(&["approve", "app", "--plan", digest]);
    for number in 1..9 {
        let gone = format!("-n {} configmap/{}", world.namespace, name(number));
        world.engine.plane.wait_gone(&gone, A_WHILE).unwrap();
    }
    let status = world.wait_synced(&last).unwrap();
    assert!(status.get("pendingApproval").is_none(), "{status:#}");
    assert!(live(0).is_ok() && live(9).is_ok());
}

#[test]
fn what_may_never_come_by_itself_holds_up_no_sync() {
    let world = World::shared("never-comes").unwrap();
    let in_wave = |wave: u32| {
        format!("metadata:\n  annotations: {{argocd.argoproj.io/sync-wave: \"{wave}\"}}\n  name: ")
    };
    let claim = format!(
        "apiVersion: v1\nkind: PersistentVolumeClaim\n{}data\nspec:\n  accessModes: [ReadWriteOnce]\n  storageClassName: for-the-first-consumer\n  \
         resources: {{requests: {{storage: 1Mi}}}}\n",
        in_wave(0)
    );
    let balanced = format!(
        "apiVersion: v1\nkind: Service\n{}balanced\nspec: {{type: LoadBalancer, ports: [{{port: 80}}]}}\n",
        in_wave(1)
    );
    let last = format!(
        "apiVersion: v1\nkind: ConfigMap\n{}last\ndata: {{a: b}}\n",
        in_wave(2)
    );
    for (name, text) in [
        ("claim.yaml", &claim),
        ("balanced.yaml", &balanced),
        ("last.yaml", &last),
    ] {
        world.write(name, text).unwrap();
    }
    let commit = world.commit("what waits").unwrap();
    let mut application = world.application();
    application["spec"]["policies"]["health"] =
        serde_json::json!([{"plugin": "health-kubernetes", "settings": {"loadBalancers": "pass"}}]);
    world.apply(&application).unwrap();
    // That they are not there yet is told.
    world
        .wait_status(|status| {
            ensure!(text(status, "/sync/revision") == commit, "not at {commit}");
            ensure!(text(status, "/sync/status") == "Synced", "not Synced");
            ensure!(text(status, "/health/status") == "Suspended", "not Suspended");
            Ok(())
        })
        .unwrap();
    world.object("configmap/last").unwrap();
}
