//! What the commands of `sluice` say about a cluster, and how they end.

use std::process::{Output, Stdio};

use serde_json::{Value, json};
use sluice_cluster_tests::{Engine, World, config_map, text};

fn parts(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn commands_tell_what_the_controller_knows() {
    let world = World::shared("commands-tell").unwrap();
    let commit = world.running().unwrap();

    let (code, table, _) = world.run(&["get"]);
    assert_eq!(code, Some(0));
    assert!(
        table.contains("Synced") && table.contains("Healthy") && table.contains(&commit[..12]),
        "{table}"
    );
    let (_, line, _) = world.run(&["get", "app", "-o", "json"]);
    let application: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(text(&application, "/status/sync/revision"), &*commit);

    let (code, status, _) = world.run(&["status", "app"]);
    assert_eq!(code, Some(0));
    assert!(
        status.contains(&format!("Application {}/app", world.namespace)),
        "{status}"
    );
    let (_, history, _) = world.run(&["history", "app", "-o", "json"]);
    let entries: Vec<Value> = history
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!((entries.len(), text(&entries[0], "/revision")), (1, &*commit));

    assert_eq!(world.run(&["wait", "app"]).0, Some(0));
    let (code, _, said) = world.run(&["wait", "app", "--for", "deleted", "--timeout", "1s"]);
    assert_eq!(code, Some(9));
    assert!(said.contains("error[U11]") && said.contains("Synced"), "{said}");
    assert_eq!(
        world.run(&["diff", "app"]),
        (Some(0), String::new(), String::new())
    );
    let (_, plan, _) = world.run(&["plan", "app"]);
    assert!(plan.contains("Nothing to do"), "{plan}");
}

#[test]
fn what_is_not_there_is_said() {
    let world = World::shared("commands-missing").unwrap();
    for command in [
        "status", "history", "plan", "diff", "render", "refresh", "sync", "wait",
    ] {
        let (code, shown, said) = world.run(&[command, "nobody"]);
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
    let (code, _, said) = world.run(&["sync", "app", "--timeout", "90s"]);
    assert_eq!(code, Some(0), "{said}");

    world.write("a.yaml", &config_map("a", "after")).unwrap();
    world.write("s.yaml", &secret("hunter2")).unwrap();
    world.commit("second").unwrap();
    let (code, diff, said) = world.run(&["diff", "app"]);
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
    let (_, rows, _) = world.run(&["diff", "app", "-o", "json"]);
    let (_, plan, _) = world.run(&["plan", "app", "-o", "json"]);
    let (_, rendered, _) = world.run(&["render", "app"]);
    for shown in [&diff, &rows, &plan, &rendered] {
        assert!(!shown.contains("hunter"), "{shown}");
    }
    assert!(
        rendered.contains(&format!("namespace: {}", world.namespace)),
        "{rendered}"
    );
    assert!(
        world
            .run(&["render", "app", "--show-secrets"])
            .1
            .contains("hunter2")
    );
}

#[test]
fn diff_shows_both_sides_next_to_each_other() {
    let world = World::shared("commands-columns").unwrap();
    let secret = |value: &str| {
        format!(
            "apiVersion: v1\nkind: Secret\nmetadata: {{name: secret}}\nstringData: {{password: {value}, user: admin}}\n"
        )
    };
    let lines = |value: &str| {
        format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: changed}}\ndata:\n  first: as before\n  text: |\n    one\n    {value}\n    three\n"
        )
    };
    world.write("changed.yaml", &lines("two")).unwrap();
    world.write("secret.yaml", &secret("hunter1")).unwrap();
    world.write("removed.yaml", &config_map("removed", "1")).unwrap();
    world.commit("first").unwrap();
    let mut application = world.application();
    application["spec"]["syncPolicy"] = json!({});
    world.apply(&application).unwrap();
    world.done(&["sync", "app", "--timeout", "60s"]);
    assert_eq!(world.done(&["diff", "app", "--side-by-side"]), "");

    let second = "two, and rather more than fits into half of a narrow terminal";
    world.write("changed.yaml", &lines(second)).unwrap();
    world.write("secret.yaml", &secret("hunter2")).unwrap();
    world.repository.remove("manifests/removed.yaml").unwrap();
    world.write("added.yaml", &config_map("added", "1")).unwrap();
    world.commit("second").unwrap();
    let shown = |width: &str| {
        let (code, shown, said) = world.run(&["diff", "app", "-y", "--width", width, "-U", "1"]);
        assert_eq!(code, Some(1), "{said}");
        assert!(!shown.contains("hunter"), "{shown}");
        shown
    };
    insta::assert_snapshot!(shown("110"), @r"
    ConfigMap commands-columns/added  manifests/added.yaml:1
    /dev/null                                               desired ConfigMap commands-columns/added
    @@ -0,0 +1,7 @@
                                                          > apiVersion: v1
                                                          > data:
                                                          >   value: '1'
                                                          > kind: ConfigMap
                                                          > metadata:
                                                          >   name: added
                                                          >   namespace: commands-columns
    ConfigMap commands-columns/changed  manifests/changed.yaml:1
    live ConfigMap commands-columns/changed                 desired ConfigMap commands-columns/changed
    @@ -5,3 +5,3 @@
        one                                               │     one
        two                                               ≠     two, and rather more than fits into half of a nar
                                                          ≠ row terminal
        three                                             │     three
    Secret commands-columns/secret  manifests/secret.yaml:1
    live Secret commands-columns/secret                     desired Secret commands-columns/secret
    @@ -2,3 +2,3 @@
    data:                                                 │ data:
      password: •••••••• (live)                           ≠   password: •••••••• (desired)
      user: ••••••••                                      │   user: ••••••••
    - ConfigMap commands-columns/removed  is not in Git: would be deleted
    ");
    insta::assert_snapshot!(shown("60"), @r"
    ConfigMap commands-columns/added  manifests/added.yaml:1
    /dev/null                      desired ConfigMap commands-c
                                   olumns/added
    @@ -0,0 +1,7 @@
                                 > apiVersion: v1
                                 > data:
                                 >   value: '1'
                                 > kind: ConfigMap
                                 > metadata:
                                 >   name: added
                                 >   namespace: commands-column
                                 > s
    ConfigMap commands-columns/changed  manifests/changed.yaml:1
    live ConfigMap commands-colu   desired ConfigMap commands-c
    mns/changed                    olumns/changed
    @@ -5,3 +5,3 @@
        one                      │     one
        two                      ≠     two, and rather more tha
                                 ≠ n fits into half of a narrow
                                 ≠  terminal
        three                    │     three
    Secret commands-columns/secret  manifests/secret.yaml:1
    live Secret commands-columns   desired Secret commands-colu
    /secret                        mns/secret
    @@ -2,3 +2,3 @@
    data:                        │ data:
      password: •••••••• (live)  ≠   password: •••••••• (desire
                                 ≠ d)
      user: ••••••••             │   user: ••••••••
    - ConfigMap commands-columns/removed  is not in Git: would be deleted
    ");
    let (code, _, said) = world.run(&["diff", "app", "-y", "--width", "20"]);
    assert!(code == Some(2) && said.contains("20 is not in 40.."), "{said}");
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
    let (code, plan, said) = world.run(&["plan", "-f", file.to_str().unwrap()]);
    assert_eq!(code, Some(0), "{said}");
    assert!(plan.contains("create") && plan.contains("ConfigMap"), "{plan}");
    assert!(world.get().is_err() && world.object("configmap/a").is_err());
}

#[test]
fn requests_that_cannot_be_met_end_with_a_code() {
    let world = World::shared("commands-refused").unwrap();
    world.running().unwrap();
    let digest = format!("sha256:{}", "0".repeat(64));
    let (code, _, said) = world.run(&["approve", "app", "--plan", &digest]);
    assert_eq!(code, Some(3));
    assert!(said.contains("error[U09]"), "{said}");
    let (code, _, said) = world.run(&["sync", "app", "--revision", "nowhere", "--timeout", "60s"]);
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
