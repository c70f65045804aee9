//! Every example that is an Application does what its README says. The guestbook is what `cargo xtask demo` runs.

use std::path::{Path, PathBuf};

use anyhow::ensure;
use serde_json::json;
use sluice_cluster_tests::{Engine, World, condition, text};
use sluice_sandbox::{
    Authority, Door, FileServer, GitServer, GnuPg, Repository, Signature, Tls, index_charts, package_chart,
};

fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../examples")
        .join(name)
}

/// Serves an example's manifests, and returns its Application with the address of that repository.
fn with_repository(name: &str, url: &str) -> String {
    let text = fs_err::read_to_string(example(name).join("application.yaml")).expect("the example is there");
    let line = text
        .lines()
        .find(|line| line.trim_start().starts_with("repoURL:"))
        .expect("it names a repository");
    text.replace(line, &format!("    repoURL: {url}"))
}

#[test]
fn private_repository() {
    let engine = Engine::shared();
    let authority = Authority::new("authority").unwrap();
    let certificate = authority.server("127.0.0.1").unwrap();
    let tls = Tls {
        certificate: &certificate,
        clients: None,
    };
    let door = Door::Basic("sluice".to_owned(), "a-token-that-may-read".to_owned());
    let (server, repository) = (
        GitServer::start_with(door, Some(&tls)).unwrap(),
        Repository::new().unwrap(),
    );
    repository
        .copy_from(&example("signed-only/manifests"), "manifests")
        .unwrap();
    let commit = repository.commit("private", Signature::None).unwrap();
    let url = server.push(&repository, "private").unwrap();
    let namespace = "private-repository";
    engine
        .plane
        .kubectl(&format!("create namespace {namespace}"))
        .unwrap();
    let here = |text: String| text.replace(": default", &format!(": {namespace}"));
    let read = |name: &str| fs_err::read_to_string(example("private-repository").join(name)).unwrap();
    engine.plane.apply(&here(read("credentials.yaml"))).unwrap();
    let authority = format!("--from-literal=ca.crt={}", authority.pem());
    engine
        .plane
        .kubectl_with(&[
            "create",
            "configmap",
            "git-authority",
            "-n",
            namespace,
            &authority,
        ])
        .unwrap();
    engine
        .plane
        .apply(&here(with_repository("private-repository", &url)))
        .unwrap();
    let private = format!("-n {namespace} applications.sluice.dev/private");
    let a_while = std::time::Duration::from_secs(90);
    engine
        .plane
        .wait_for(&private, a_while, |application| {
            ensure!(
                text(application, "/status/sync/revision") == commit,
                "{application:#}"
            );
            Ok(())
        })
        .unwrap();
    // What is shared is of the form that is understood (`repositories::what_applications_share` has it at work).
    let shared: String = read("shared.yaml");
    for name in [
        "sluice-repositories",
        "sluice-known-hosts",
        "sluice-tls-certificates",
    ] {
        assert!(shared.contains(&format!("name: {name}\n")), "{name}");
    }
}

#[test]
fn encrypted_secrets() {
    let engine = Engine::shared();
    let (server, repository) = (GitServer::start().unwrap(), Repository::new().unwrap());
    let folder = example("encrypted-secrets");
    repository
        .copy_from(&folder.join("manifests"), "manifests")
        .unwrap();
    let commit = repository.commit("encrypted", Signature::None).unwrap();
    let url = server.push(&repository, "encrypted").unwrap();
    let key = folder.join("keys/demo.agekey").display().to_string();
    let application = with_repository("encrypted-secrets", &url);
    let file = engine
        .write("encrypted.yaml", &application)
        .unwrap()
        .display()
        .to_string();
    let render = ["render", "-f", &file, "--offline", "--decryption-key", &key];
    let masked = engine.sluice(&render).unwrap();
    assert!(
        !masked.contains("battery") && masked.contains("password:"),
        "{masked}"
    );
    let shown = engine
        .sluice(&[&render[..], &["--show-secrets"]].concat())
        .unwrap();
    assert!(
        shown.contains("correct-horse-battery-staple") && shown.contains("color: green"),
        "{shown}"
    );
    let without = engine.try_sluice(&render[..4]).unwrap();
    assert_eq!(without.status.code(), Some(3));

    let from = format!("--from-file=demo.agekey={key}");
    engine
        .plane
        .kubectl_with(&[
            "create",
            "secret",
            "generic",
            "decryption-keys",
            "-n",
            "default",
            &from,
        ])
        .unwrap();
    engine.plane.apply(&application).unwrap();
    engine
        .plane
        .wait_for(
            "-n default applications.sluice.dev/encrypted",
            std::time::Duration::from_secs(90),
            |application| {
                ensure!(
                    text(application, "/status/sync/revision") == commit,
                    "{application:#}"
                );
                Ok(())
            },
        )
        .unwrap();
    let secret = engine.plane.get("-n encrypted secret/database").unwrap();
    assert_eq!(
        text(&secret, "/data/password"),
        "Y29ycmVjdC1ob3JzZS1iYXR0ZXJ5LXN0YXBsZQ=="
    );
    let map = engine.plane.get("-n encrypted configmap/web").unwrap();
    assert_eq!(text(&map, "/data/color"), "green");
}

#[test]
fn signed_only() {
    let engine = Engine::shared();
    let gpg = GnuPg::new().unwrap();
    let key = gpg.generate("Release <release@example.org>").unwrap();
    let (server, repository) = (GitServer::start().unwrap(), Repository::new().unwrap());
    repository
        .copy_from(&example("signed-only/manifests"), "manifests")
        .unwrap();
    let trusted = repository
        .commit("signed", Signature::OpenPgp(&gpg, &key))
        .unwrap();
    let url = server.push(&repository, "motd").unwrap();

    let armour = format!("--from-literal=release.asc={}", gpg.export(&key).unwrap());
    engine
        .plane
        .kubectl_with(&["create", "configmap", "release-keys", &armour])
        .unwrap();
    engine.plane.apply(&with_repository("signed-only", &url)).unwrap();
    let motd = "-n default applications.sluice.dev/motd";
    let a_while = std::time::Duration::from_secs(90);
    engine
        .plane
        .wait_for(motd, a_while, |application| {
            ensure!(
                text(application, "/status/sync/revision") == trusted,
                "not synced"
            );
            ensure!(text(application, "/status/sync/status") == "Synced", "not Synced");
            ensure!(
                text(application, "/status/verification/signer") == key.fingerprint,
                "another signer"
            );
            Ok(())
        })
        .unwrap();

    repository
        .write(
            "manifests/motd.yaml",
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: motd}\ndata: {text: Mine!}\n",
        )
        .unwrap();
    let unsigned = repository.commit("unsigned", Signature::None).unwrap();
    server.push(&repository, "motd").unwrap();
    engine
        .sluice(&["refresh", "motd", "--wait", "--namespace", "default"])
        .unwrap();
    engine
        .plane
        .wait_for(motd, a_while, |application| {
            let status = &application["status"];
            ensure!(condition(status, "Verified")?["status"] == "False", "not refused");
            ensure!(
                text(status, "/verification/refusedRevision") == unsigned,
                "another commit is refused"
            );
            ensure!(text(status, "/sync/revision") == trusted, "the cluster moved");
            Ok(())
        })
        .unwrap();
    let object = engine.plane.get("-n default configmap/motd").unwrap();
    assert_eq!(text(&object, "/data/text"), "Only what was signed gets here.");

    // What the README says to see it beforehand with.
    let keyring = engine
        .write("release.asc", gpg.export(&key).unwrap())
        .unwrap()
        .display()
        .to_string();
    let folder = repository.path().display().to_string();
    let verified = engine
        .try_sluice(&[
            "verify",
            "--repo",
            &folder,
            "--mode",
            "chain",
            "--keyring",
            &keyring,
            "main",
        ])
        .unwrap();
    assert_eq!(
        verified.status.code(),
        Some(4),
        "{}",
        String::from_utf8_lossy(&verified.stderr)
    );
}

#[test]
fn guestbook() {
    let world = World::shared("guestbook-example").unwrap();
    world
        .repository
        .copy_from(&example("guestbook/manifests"), "manifests")
        .unwrap();
    world.repository.remove("manifests/namespace.yaml").unwrap();
    let commit = world.commit("the guestbook").unwrap();
    world.apply(&world.application()).unwrap();
    let status = world.wait_synced(&commit).unwrap();
    assert_eq!(status["objects"], json!(8), "{status:#}");
    let frontend = world.object("deployment/frontend").unwrap();
    assert_eq!(frontend["status"]["readyReplicas"], 3);
}

/// A chart of a chart repository with its values from Git, and a version that comes later.
#[test]
fn charts() {
    let engine = Engine::shared();
    let (charts, values) = (FileServer::start().unwrap(), GitServer::start().unwrap());
    let repository = Repository::new().unwrap();
    repository.copy_from(&example("charts/values"), "values").unwrap();
    repository.commit("values", Signature::None).unwrap();
    let url = values.push(&repository, "values").unwrap();
    let source = Repository::new().unwrap();
    source
        .copy_from(&example("charts/charts/greeter"), "greeter")
        .unwrap();
    let publish = || {
        package_chart(&source.path().join("greeter"), charts.path(), None).unwrap();
        index_charts(charts.path()).unwrap();
    };
    publish();
    let application = fs_err::read_to_string(example("charts").join("application.yaml"))
        .unwrap()
        .replace("https://charts.example.org", &charts.url())
        .replace("https://git.example.org/team/values.git", &url);
    let file = engine
        .write("welcome.yaml", &application)
        .unwrap()
        .display()
        .to_string();
    let printed = engine.sluice(&["render", "-f", &file, "--offline"]).unwrap();
    assert!(
        printed.contains("greeting: \"Hello from a repository of values\""),
        "{printed}"
    );
    let told = engine.sluice(&["source", "inspect", "-f", &file]).unwrap();
    assert!(told.contains("greeter 1.0.0"), "{told}");

    engine.plane.apply(&application).unwrap();
    let at = |version: &str| {
        engine
            .plane
            .wait_for(
                "-n default applications.sluice.dev/welcome",
                std::time::Duration::from_secs(90),
                |application| {
                    let chart = &application["status"]["sync"]["revisions"][0];
                    ensure!(chart["version"] == version, "{application:#}");
                    Ok(())
                },
            )
            .unwrap();
        let deployment = engine.plane.get("-n welcome deployment/welcome").unwrap();
        assert_eq!(deployment.pointer("/spec/replicas"), Some(&json!(2)));
        let image = format!("registry.example.org/greeter:{version}");
        let live = text(&deployment, "/spec/template/spec/containers/0/image");
        assert_eq!(live, image);
    };
    at("1.0.0");
    let newer = fs_err::read_to_string(source.path().join("greeter/Chart.yaml")).unwrap();
    source
        .write("greeter/Chart.yaml", newer.replace("1.0.0", "1.1.0"))
        .unwrap();
    publish();
    engine
        .sluice(&["refresh", "welcome", "--wait", "--namespace", "default"])
        .unwrap();
    at("1.1.0");
    let told = engine
        .sluice(&["get", "welcome", "--namespace", "default"])
        .unwrap();
    assert!(told.contains("greeter=1.1.0 ("), "{told}");
}

/// The chart and the overlay: what their READMEs say, and each with a namespace of its own that the Application makes.
#[test]
fn helm_and_kustomize() {
    let engine = Engine::shared();
    let a_while = std::time::Duration::from_secs(90);
    for (name, application, deployment, replicas) in [
        ("helm", "greeter", "-n greeter deployment/greeter", 2),
        ("kustomize", "counter", "-n counter deployment/prod-counter", 3),
    ] {
        let (server, repository) = (GitServer::start().unwrap(), Repository::new().unwrap());
        server.create(name).unwrap();
        repository.copy_from(&example(name), "").unwrap();
        let commit = repository.commit(name, Signature::None).unwrap();
        let url = server.push(&repository, name).unwrap();
        engine.plane.apply(&with_repository(name, &url)).unwrap();
        let application = format!("-n default applications.sluice.dev/{application}");
        engine
            .plane
            .wait_for(&application, a_while, |application| {
                ensure!(text(application, "/status/sync/revision") == commit, "not synced");
                ensure!(text(application, "/status/sync/status") == "Synced", "not Synced");
                ensure!(
                    text(application, "/status/health/status") == "Healthy",
                    "not Healthy"
                );
                Ok(())
            })
            .unwrap();
        let deployment = engine.plane.get(deployment).unwrap();
        assert_eq!(
            deployment.pointer("/spec/replicas"),
            Some(&json!(replicas)),
            "{name}"
        );
        engine
            .plane
            .kubectl(&format!("delete {application} --wait=false"))
            .unwrap();
    }
}
