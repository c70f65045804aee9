//! A server that is busy, away or slow while a sync is under way; and syncs that are large.

use std::process::{Child, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::ensure;
use serde_json::Value;
use sluice_cluster_tests::{Engine, World, config_map, text};
use sluice_sandbox::{ApiProxy, Verdict, wait_for};

const PATIENCE: Duration = Duration::from_secs(120);

/// A world with so many ConfigMaps in Git, an Application that nobody looks at, and the plan for it.
fn planned<'e>(engine: &'e Engine, name: &str, count: usize) -> (World<'e>, String) {
    let world = World::new(engine, name).unwrap();
    for number in 0..count {
        world
            .write(
                &format!("m{number}.yaml"),
                &config_map(&format!("m{number}"), "1"),
            )
            .unwrap();
    }
    world.commit("many").unwrap();
    world.apply(&world.application()).unwrap();
    let output = engine
        .try_sluice(&["plan", "app", "-n", name, "-o", "json"])
        .unwrap();
    let file = engine.write(&format!("{name}.json"), output.stdout).unwrap();
    (world, file.display().to_string())
}

fn start(engine: &Engine, plan: &str, kubeconfig: Option<&std::path::Path>) -> Child {
    let mut command = engine.command();
    command
        .args(["apply", plan])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    if let Some(kubeconfig) = kubeconfig {
        command.env("KUBECONFIG", kubeconfig);
    }
    command.spawn().unwrap()
}

fn maps(engine: &Engine, namespace: &str) -> usize {
    let list = engine.plane.get(&format!("-n {namespace} configmaps")).unwrap();
    let names = list["items"].as_array().unwrap().iter();
    names
        .filter(|object| text(object, "/metadata/name").starts_with('m'))
        .count()
}

#[test]
fn a_storm_of_429_is_waited_out_without_adding_to_it() {
    let engine = Engine::idle();
    let proxy = ApiProxy::start(&engine.plane).unwrap();
    let (_world, plan) = planned(engine, "storm", 60);
    let (begun, refused) = (Instant::now(), Arc::new(AtomicU32::new(0)));
    let counter = Arc::clone(&refused);
    // Everything but reads is turned away for a while, and one in three after that.
    let every = AtomicU32::new(0);
    proxy.set_judge(move |request| {
        let number = every.fetch_add(1, Ordering::Relaxed);
        if request.method == "GET" || (begun.elapsed() > Duration::from_secs(6) && !number.is_multiple_of(3))
        {
            return Verdict::Forward;
        }
        counter.fetch_add(1, Ordering::Relaxed);
        Verdict::Busy(1)
    });
    let ended = start(engine, &plan, Some(proxy.kubeconfig()))
        .wait_with_output()
        .unwrap();
    assert!(
        ended.status.success(),
        "{}",
        String::from_utf8_lossy(&ended.stderr)
    );
    assert_eq!(maps(engine, "storm"), 60);
    // 6 s of asking as often as one may would have been hundreds.
    let refused = refused.load(Ordering::Relaxed);
    assert!(
        (10..250).contains(&refused),
        "{refused} requests were turned away"
    );
}

/// As the server does for a moment with every new kind.
#[test]
fn what_a_command_reads_may_be_put_off() {
    let engine = Engine::idle();
    let proxy = ApiProxy::start(&engine.plane).unwrap();
    let (_world, _) = planned(engine, "put-off", 1);
    let asked = Arc::new(AtomicU32::new(0));
    let counter = Arc::clone(&asked);
    proxy.set_judge(move |request| {
        let put_off = request.path.ends_with("/configmaps") && counter.fetch_add(1, Ordering::Relaxed) < 2;
        if put_off {
            Verdict::Busy(1)
        } else {
            Verdict::Forward
        }
    });
    let mut command = engine.command();
    command
        .args(["diff", "app", "-n", "put-off"])
        .env("KUBECONFIG", proxy.kubeconfig());
    let differs = command.output().unwrap();
    assert_eq!(
        differs.status.code(),
        Some(1),
        "{}",
        String::from_utf8_lossy(&differs.stderr)
    );
    assert!(asked.load(Ordering::Relaxed) > 2);
}

#[test]
fn a_restart_of_the_api_server_in_the_middle_of_a_sync() {
    let engine = Engine::without_controller().unwrap();
    let (_world, plan) = planned(&engine, "restart", 400);
    let child = start(&engine, &plan, None);
    wait_for("the first writes", PATIENCE, || {
        ensure!(maps(&engine, "restart") > 0, "none yet");
        Ok(())
    })
    .unwrap();
    engine.plane.stop_program("kube-apiserver").unwrap();
    engine.plane.restart_program("kube-apiserver").unwrap();
    let ended = child.wait_with_output().unwrap();
    assert!(
        ended.status.success(),
        "{}",
        String::from_utf8_lossy(&ended.stderr)
    );
    assert_eq!(maps(&engine, "restart"), 400);
}

#[test]
fn a_slow_server_is_asked_less_at_once() {
    let engine = Engine::without_controller().unwrap();
    let proxy = ApiProxy::start(&engine.plane).unwrap();
    let (_world, plan) = planned(&engine, "slow", 60);
    let (under_way, most) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
    let (now, highest) = (Arc::clone(&under_way), Arc::clone(&most));
    let seen = AtomicU32::new(0);
    proxy.set_judge(move |request| {
        if request.method == "GET" {
            return Verdict::Forward;
        }
        // The first answers are quick, so that the others are known to be slow.
        let number = seen.fetch_add(1, Ordering::Relaxed);
        let current = now.fetch_add(1, Ordering::Relaxed) + 1;
        if number > 90 {
            highest.fetch_max(current, Ordering::Relaxed);
        }
        let time = Duration::from_millis(if number < 16 { 5 } else { 1500 });
        std::thread::sleep(time);
        now.fetch_sub(1, Ordering::Relaxed);
        Verdict::Forward
    });
    let ended = start(&engine, &plan, Some(proxy.kubeconfig()))
        .wait_with_output()
        .unwrap();
    assert!(
        ended.status.success(),
        "{}",
        String::from_utf8_lossy(&ended.stderr)
    );
    assert_eq!(maps(&engine, "slow"), 60);
    let most = most.load(Ordering::Relaxed);
    assert!(most <= 16, "{most} at once");
}

/// The size and shape of an operator's bundle: many kinds, each with a schema, and objects of all of them.
#[test]
fn seven_hundred_objects_with_their_kinds_in_one_sync() {
    let world = World::shared("large-bundle").unwrap();
    let mut count = 0;
    for kind in 0..20 {
        // One is larger than client-side apply could keep, as that of many an operator is.
        let fields = if kind == 0 { 2_200 } else { 60 };
        let properties: String = (0..fields)
            .map(|field| {
                format!(
                    "                  field{field}: {{type: string, description: \"{}\"}}\n",
                    "what it is for ".repeat(8)
                )
            })
            .collect();
        let crd = format!(
            "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {{name: parts{kind}.bundle.example.com}}\nspec:\n  \
             group: bundle.example.com\n  scope: Namespaced\n  names: {{kind: Part{kind}, plural: parts{kind}}}\n  versions:\n  - name: v1\n    \
             served: true\n    storage: true\n    schema:\n      openAPIV3Schema:\n        type: object\n        properties:\n          spec:\n            \
             type: object\n            properties:\n              nested:\n                type: object\n                properties:\n{properties}"
        );
        assert_eq!(crd.len() > 256 << 10, kind == 0, "{}", crd.len());
        let mut objects = String::new();
        for number in 0..34 {
            objects.push_str(&format!(
                "---\napiVersion: bundle.example.com/v1\nkind: Part{kind}\nmetadata: {{name: p{number}}}\nspec: {{nested: {{field1: \"{number}\"}}}}\n"
            ));
            count += 1;
        }
        world.write(&format!("crd{kind}.yaml"), &crd).unwrap();
        world.write(&format!("parts{kind}.yaml"), &objects).unwrap();
        count += 1;
    }
    assert_eq!(count, 700);
    let commit = world.commit("a bundle").unwrap();
    world.apply(&world.application()).unwrap();
    let status = world.wait_synced(&commit).unwrap();
    assert_eq!(status["objects"], 700);
    let differs = world
        .engine
        .try_sluice(&["diff", "app", "-n", &world.namespace])
        .unwrap();
    assert!(
        differs.status.success(),
        "{}",
        String::from_utf8_lossy(&differs.stdout)
    );
}

/// Client-side apply keeps a copy of an object in one of its annotations, which may have 256 KiB.
#[test]
fn objects_that_are_larger_than_an_annotation() {
    let world = World::shared("large-objects").unwrap();
    let large = |fill: char| {
        let lines: String = (0..9000)
            .map(|_| format!("    {}\n", String::from(fill).repeat(90)))
            .collect();
        format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: large}}\ndata:\n  text: |\n{lines}")
    };
    let mut commits = Vec::new();
    for fill in ['x', 'y'] {
        world.write("large.yaml", &large(fill)).unwrap();
        commits.push(world.commit("large").unwrap());
        match commits.len() {
            1 => world.apply(&world.application()).unwrap(),
            _ => world.refresh().unwrap(),
        }
        world.wait_synced(commits.last().unwrap()).unwrap();
        let live: Value = world.object("configmap/large").unwrap();
        let text = text(&live, "/data/text");
        assert!(text.len() > 800_000 && text.starts_with(fill));
    }
}
