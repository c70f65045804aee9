//! What the commands of `sluice` say about a cluster, and how they end.

use std::process::{Output, Stdio};

use serde_json::{Value, json};
use sluice_cluster_tests::{Engine, World, config_map, text};

fn run(world: &World<'_>, arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = world
        .engine
        .try_sluice(&[arguments, &["-n", &world.namespace]].concat())
        .unwrap();
    parts(&output)
}

fn parts(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn commands_tell_what_the_controller_knows() {
    let world = World::shared("commands-tell").unwrap();
    let commit = world.running().unwrap();

    let (code, table, _) = run(&world, &["get"]);
    assert_eq!(code, Some(0));
    assert!(
        table.contains("Synced") && table.contains("Healthy") && table.contains(&commit[..12]),
        "{table}"
    );
    let (_, line, _) = run(&world, &["get", "app", "-o", "json"]);
    let application: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(text(&application, "/status/sync/revision"), &*commit);

    let (code, status, _) = run(&world, &["status", "app"]);
    assert_eq!(code, Some(0));
    assert!(
        status.contains(&format!("Application {}/app", world.namespace)),
        "{status}"
    );
    let (_, history, _) = run(&world, &["history", "app", "-o", "json"]);
    let entries: Vec<Value> = history
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!((entries.len(), text(&entries[0], "/revision")), (1, &*commit));

    assert_eq!(run(&world, &["wait", "app"]).0, Some(0));
    let (code, _, said) = run(&world, &["wait", "app", "--for", "deleted", "--timeout", "1s"]);
    assert_eq!(code, Some(9));
    assert!(said.contains("error[U11]") && said.contains("Synced"), "{said}");
    assert_eq!(
        run(&world, &["diff", "app"]),
        (Some(0), String::new(), String::new())
    );
    let (_, plan, _) = run(&world, &["plan", "app"]);
    assert!(plan.contains("Nothing to do"), "{plan}");
}

#[test]
fn what_is_not_there_is_said() {
    let world = World::shared("commands-missing").unwrap();
    for command in [
        "status", "history", "plan", "diff", "render", "refresh", "sync", "wait",
    ] {
        let (code, shown, said) = run(&world, &[command, "nobody"]);
        assert_eq!((code, shown.as_str()), (Some(3), ""), "{command}: {said}");
        assert!(
            said.contains("error[U08]") && said.contains("hint:"),
            "{command}: {said}"
        );
    }
}

#[test]
fn diff_shows_both_sides_and_no_secret() {
    let world = World::shared("commands-diff").unwrap();
    let secret = |value: &str| {
        format!("apiVersion: v1\nkind: Secret\nmetadata: {{name: s}}\nstringData: {{password: {value}}}\n")
    };
    world.write("a.yaml", &config_map("a", "before")).unwrap();
    world.write("s.yaml", &secret("hunter1")).unwrap();
    world.commit("first").unwrap();
    let mut application = world.application();
    application["spec"]["syncPolicy"] = json!({});
    world.apply(&application).unwrap();
    let (code, _, said) = run(&world, &["sync", "app", "--timeout", "90s"]);
    assert_eq!(code, Some(0), "{said}");

    world.write("a.yaml", &config_map("a", "after")).unwrap();
    world.write("s.yaml", &secret("hunter2")).unwrap();
    world.commit("second").unwrap();
    let (code, diff, said) = run(&world, &["diff", "app"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(
        diff.lines()
            .any(|line| line.starts_with('-') && line.contains("before")),
        "{diff}"
    );
    assert!(
        diff.lines()
            .any(|line| line.starts_with('+') && line.contains("after")),
        "{diff}"
    );
    assert!(diff.contains("Secret"), "{diff}");
    let (_, rows, _) = run(&world, &["diff", "app", "-o", "json"]);
    let (_, plan, _) = run(&world, &["plan", "app", "-o", "json"]);
    let (_, rendered, _) = run(&world, &["render", "app"]);
    for shown in [&diff, &rows, &plan, &rendered] {
        assert!(!shown.contains("hunter"), "{shown}");
    }
    assert!(
        rendered.contains(&format!("namespace: {}", world.namespace)),
        "{rendered}"
    );
    assert!(
        run(&world, &["render", "app", "--show-secrets"])
            .1
            .contains("hunter2")
    );
}

#[test]
fn an_application_can_be_planned_before_it_is_there() {
    let world = World::shared("commands-before").unwrap();
    world.write("a.yaml", &config_map("a", "1")).unwrap();
    world.commit("first").unwrap();
    let file = world
        .engine
        .write("before.json", world.application().to_string())
        .unwrap();
    let (code, plan, said) = run(&world, &["plan", "-f", file.to_str().unwrap()]);
    assert_eq!(code, Some(0), "{said}");
    assert!(plan.contains("create") && plan.contains("ConfigMap"), "{plan}");
    assert!(world.get().is_err() && world.object("configmap/a").is_err());
}

#[test]
fn requests_that_cannot_be_met_end_with_a_code() {
    let world = World::shared("commands-refused").unwrap();
    world.running().unwrap();
    let digest = format!("sha256:{}", "0".repeat(64));
    let (code, _, said) = run(&world, &["approve", "app", "--plan", &digest]);
    assert_eq!(code, Some(3));
    assert!(said.contains("error[U09]"), "{said}");
    let (code, _, said) = run(
        &world,
        &["sync", "app", "--revision", "nowhere", "--timeout", "60s"],
    );
    assert_eq!(code, Some(7), "{said}");
    assert!(said.contains("error[U12]") && said.contains("nowhere"), "{said}");
}

#[test]
fn the_installation_grants_what_is_needed_and_no_more() {
    let engine = Engine::without_controller().unwrap();
    let world = World::new(&engine, "shop").unwrap();
    engine.plane.kubectl("create namespace other").unwrap();
    let install = engine.sluice(&["install", "--manage-namespace", "shop"]).unwrap();
    engine.plane.apply(&install).unwrap();

    let can = |question: &str| {
        let asked = format!("auth can-i {question} --as=system:serviceaccount:sluice-system:sluice");
        engine.plane.kubectl(&asked).is_ok()
    };
    for yes in [
        "watch applications.sluice.dev -A",
        "patch applications.sluice.dev/status -A",
        "create events.events.k8s.io -A",
        "delete deployments.apps -n shop",
        "get secrets -n shop",
        "watch configmaps -n shop",
        "update leases.coordination.k8s.io/sluice-controller -n sluice-system",
    ] {
        assert!(can(yes), "{yes}");
    }
    for no in [
        "delete applications.sluice.dev -n other",
        "create applications.sluice.dev -n other",
        "get secrets -n other",
        "list secrets -A",
        "watch configmaps -A",
        "get configmaps -n other",
        "patch configmaps -n other",
        "delete namespaces",
        "create clusterroles.rbac.authorization.k8s.io",
        "update leases.coordination.k8s.io/another -n sluice-system",
        "create pods --subresource=exec -n other",
        "impersonate serviceaccounts -A",
    ] {
        assert!(!can(no), "{no}");
    }

    // With these rights, and no others, the controller does its work.
    let token = engine
        .plane
        .kubectl("-n sluice-system create token sluice --duration=1h")
        .unwrap();
    let theirs = fs_err::read_to_string(engine.plane.kubeconfig()).unwrap();
    let file = engine
        .write("sluice.kubeconfig", theirs)
        .unwrap()
        .display()
        .to_string();
    let token = token.trim();
    for change in [
        format!("--kubeconfig={file} config set-credentials sluice --token={token}"),
        format!("--kubeconfig={file} config set-context --current --user=sluice"),
    ] {
        engine.plane.kubectl(&change).unwrap();
    }
    engine
        .start_controller(&["--kubeconfig", &file, "--manage-namespace", "shop"])
        .unwrap();
    let secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {password: hunter2}\n";
    world.write("secret.yaml", secret).unwrap();
    let good = world.running().unwrap();
    // Outside of its namespaces it does not even try.
    for outside in [
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: other}\n",
        "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: a}\n",
    ] {
        world.write("outside.yaml", outside).unwrap();
        world.commit("what belongs elsewhere").unwrap();
        world.refresh().unwrap();
        let refused = world.wait_status(|status| {
            let condition = sluice_cluster_tests::condition(status, "Synced")?;
            anyhow::ensure!(
                condition["reason"]
                    .as_str()
                    .is_some_and(|reason| reason.starts_with("K09")),
                "not refused"
            );
            Ok(())
        });
        assert!(refused.unwrap().to_string().contains("outside.yaml:1"));
    }
    assert_eq!(
        sluice_cluster_tests::text(&world.get().unwrap(), "/status/sync/revision"),
        good
    );
    engine.stop_controller().unwrap();
}

#[test]
fn an_application_that_goes_away_is_not_waited_for() {
    let engine = Engine::without_controller().unwrap();
    let world = World::new(&engine, "gone").unwrap();
    world.apply(&world.application()).unwrap();
    let waiting = engine
        .command()
        .args([
            "wait",
            "app",
            "-n",
            "gone",
            "--timeout",
            "60s",
            "-vv",
            "--log-level",
            "sluice=debug",
        ])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Whether the command has begun to watch or not yet: it ends with one of two codes, and at once.
    engine
        .plane
        .kubectl("-n gone delete applications.sluice.dev/app")
        .unwrap();
    let (code, _, said) = parts(&waiting.wait_with_output().unwrap());
    assert!(matches!(code, Some(3 | 7)), "{said}");
    assert!(
        said.contains("error[U13]") || said.contains("error[U08]"),
        "{said}"
    );

    engine
        .plane
        .kubectl("delete crd applications.sluice.dev")
        .unwrap();
    let (code, _, said) = parts(&engine.try_sluice(&["get", "-A"]).unwrap());
    assert_eq!(code, Some(7));
    assert!(
        said.contains("error[U15]") && said.contains("sluice crds"),
        "{said}"
    );
}

#[test]
fn a_keyring_that_is_not_there_is_named() {
    let world = World::shared("commands-keys").unwrap();
    for kind in ["--configmap", "--secret"] {
        let (code, _, said) = run(&world, &["key", "list", kind, "nobodys-keys"]);
        assert!(
            code == Some(3) && said.contains("error[U22]") && said.contains("nobodys-keys"),
            "{said}"
        );
    }
}
