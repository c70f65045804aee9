//! How repositories are reached: credentials and hosts from Secrets and ConfigMaps, one's own and shared ones.

use std::process::{Command, Stdio};

use anyhow::ensure;
use serde_json::{Value, json};
use sluice_cluster_tests::{SHARED_NAMESPACE, World, condition, config_map, text};
use sluice_sandbox::{Authority, Certificate, Door, GitServer, ProxyServer, Signature, SshServer, Tls};

const PASSWORD: &str = "correct-horse-battery";

fn secret(world: &World<'_>, name: &str, data: &Value) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": world.namespace}, "stringData": data,
    })
}

fn map(world: &World<'_>, name: &str, data: &Value) -> Value {
    json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": world.namespace}, "data": data,
    })
}

/// A world with one commit, which is also on another server.
fn world_on(name: &str, server: &GitServer) -> (World<'static>, String, String) {
    let world = World::shared(name).unwrap();
    world.write("running.yaml", &config_map("running", "1")).unwrap();
    let commit = world.commit("something that runs").unwrap();
    let url = server.push(&world.repository, "app").unwrap();
    (world, commit, url)
}

/// The same, to be fetched over SSH with the key in the Secret `git`.
fn world_over_ssh(name: &str, server: &SshServer) -> (World<'static>, String, String) {
    let world = World::shared(name).unwrap();
    world.write("running.yaml", &config_map("running", "1")).unwrap();
    let commit = world.commit("something that runs").unwrap();
    let url = server.url(world.repository.path());
    let key = fs_err::read_to_string(server.private_key()).unwrap();
    world
        .apply(&secret(&world, "git", &json!({"sshPrivateKey": key})))
        .unwrap();
    (world, commit, url)
}

fn application(world: &World<'_>, source: &Value) -> Value {
    let mut application = world.application();
    for (key, value) in source.as_object().unwrap() {
        application["spec"]["source"][key] = value.clone();
    }
    application
}

/// Waits until the source is refused with this code, and returns what is said.
fn refused(world: &World<'_>, code: &str) -> String {
    let status = world
        .wait_status(|status| {
            let condition = condition(status, "SourceReady")?;
            ensure!(text(condition, "/reason") == code, "not {code}");
            Ok(())
        })
        .unwrap();
    let message = text(condition(&status, "SourceReady").unwrap(), "/message").to_owned();
    assert!(!status.to_string().contains(PASSWORD), "{status:#}");
    message
}

/// Puts an object where all Applications share it.
fn share(world: &World<'_>, mut object: Value) {
    object["metadata"]["namespace"] = SHARED_NAMESPACE.into();
    world.apply(&object).unwrap();
}

fn secure<'a>(certificate: &'a Certificate, clients: Option<&'a Authority>) -> Tls<'a> {
    Tls { certificate, clients }
}

#[test]
fn a_password_in_a_secret() {
    let server = GitServer::start_protected("ada", PASSWORD).unwrap();
    let (world, commit, url) = world_on("password", &server);
    world
        .apply(&application(
            &world,
            &json!({"repoURL": url, "credentials": {"name": "git"}}),
        ))
        .unwrap();
    let said = refused(&world, "K02");
    assert!(said.contains("password/git"), "{said}");
    // A Secret that comes, or is corrected, is seen at once.
    world
        .apply(&secret(
            &world,
            "git",
            &json!({"username": "ada", "password": "wrong"}),
        ))
        .unwrap();
    refused(&world, "S04");
    world
        .apply(&secret(
            &world,
            "git",
            &json!({"username": "ada", "password": PASSWORD}),
        ))
        .unwrap();
    world.wait_synced(&commit).unwrap();
    world
        .apply(&secret(
            &world,
            "git",
            &json!({"username": "ada", "password": PASSWORD, "insecureIgnoreHostKey": "true"}),
        ))
        .unwrap();
    let said = refused(&world, "K02");
    assert!(said.contains("insecureIgnoreHostKey"), "{said}");
    let events = world
        .engine
        .plane
        .kubectl(&format!(
            "get events.events.k8s.io -n {} -o json",
            world.namespace
        ))
        .unwrap();
    assert!(!events.contains(PASSWORD));
    assert!(!world.engine.controller_log().contains(PASSWORD));
}

#[test]
fn certificates_of_both_sides() {
    let (servers, clients) = (
        Authority::new("servers").unwrap(),
        Authority::new("clients").unwrap(),
    );
    let (certificate, client) = (
        servers.server("127.0.0.1").unwrap(),
        clients.client("sluice").unwrap(),
    );
    let tls = secure(&certificate, Some(&clients));
    let server = GitServer::start_with(Door::Open, Some(&tls)).unwrap();
    let (world, commit, url) = world_on("mutual-tls", &server);
    let source =
        json!({"repoURL": url, "credentials": {"name": "git"}, "tlsCertificates": {"name": "authorities"}});
    world
        .apply(&secret(
            &world,
            "git",
            &json!({"tls.crt": client.certificate, "tls.key": client.key}),
        ))
        .unwrap();
    world.apply(&application(&world, &source)).unwrap();
    let said = refused(&world, "K26");
    assert!(said.contains("mutual-tls/authorities"), "{said}");
    let other = Authority::new("others").unwrap();
    world
        .apply(&map(&world, "authorities", &json!({"ca.pem": other.pem()})))
        .unwrap();
    let said = refused(&world, "S21");
    assert!(said.contains(&certificate.fingerprint), "{said}");
    world
        .apply(&map(&world, "authorities", &json!({"ca.pem": servers.pem()})))
        .unwrap();
    world.wait_synced(&commit).unwrap();
    assert!(
        !world
            .engine
            .controller_log()
            .contains(client.key.lines().nth(1).unwrap())
    );
}

#[test]
fn an_ssh_key_and_known_hosts() {
    let server = SshServer::start().unwrap();
    let (world, commit, url) = world_over_ssh("ssh", &server);
    world
        .apply(&map(&world, "hosts", &json!({"known_hosts": "# nobody yet"})))
        .unwrap();
    let source = json!({"repoURL": url, "credentials": {"name": "git"}, "knownHosts": {"name": "hosts"}});
    world.apply(&application(&world, &source)).unwrap();
    let said = refused(&world, "S05");
    assert!(
        said.contains("SHA256:") && said.contains("none is known"),
        "{said}"
    );
    world
        .apply(&map(
            &world,
            "hosts",
            &json!({"known_hosts": server.known_host().unwrap()}),
        ))
        .unwrap();
    world.wait_synced(&commit).unwrap();
}

#[test]
fn known_hosts_are_shared() {
    let (server, other) = (SshServer::start().unwrap(), SshServer::start().unwrap());
    let (world, commit, url) = world_over_ssh("shared-hosts", &server);
    // Another server's key stands under the name of this one.
    let (known, others) = (server.known_host().unwrap(), other.known_host().unwrap());
    let forged = format!(
        "{} {}",
        known.split_once(' ').unwrap().0,
        others.split_once(' ').unwrap().1
    );
    let share = |lines: &str| {
        share(
            &world,
            map(&world, "sluice-known-hosts", &json!({"known_hosts": lines})),
        )
    };
    share(&forged);
    let source = json!({"repoURL": url, "credentials": {"name": "git"}});
    world.apply(&application(&world, &source)).unwrap();
    let said = refused(&world, "S05");
    let (seen, wanted) = (server.fingerprint().unwrap(), other.fingerprint().unwrap());
    assert!(said.contains(&seen) && said.contains(&wanted), "{said}");
    assert!(world.object("configmap/running").is_err());
    share(&known);
    world.wait_synced(&commit).unwrap();
    // What an Application names itself comes first.
    world
        .apply(&map(&world, "hosts", &json!({"known_hosts": forged})))
        .unwrap();
    let source = json!({"repoURL": url, "credentials": {"name": "git"}, "knownHosts": {"name": "hosts"}});
    world.apply(&application(&world, &source)).unwrap();
    refused(&world, "S05");
}

#[test]
fn a_proxy_in_a_secret() {
    let authority = Authority::new("ours").unwrap();
    let certificate = authority.server("127.0.0.1").unwrap();
    let server = GitServer::start_with(
        Door::Bearer(PASSWORD.to_owned()),
        Some(&secure(&certificate, None)),
    )
    .unwrap();
    let (world, commit, url) = world_on("proxy", &server);
    let proxy = ProxyServer::start_protected("p", "another-secret").unwrap();
    let data = json!({
        "bearerToken": PASSWORD,
        "ca.crt": authority.pem(),
        "proxy": format!("http://p:another-secret@{}", proxy.address()),
    });
    world.apply(&secret(&world, "git", &data)).unwrap();
    world
        .apply(&application(
            &world,
            &json!({"repoURL": url, "credentials": {"name": "git"}}),
        ))
        .unwrap();
    world.wait_synced(&commit).unwrap();
    assert!(proxy.heads().iter().all(|head| head.starts_with("CONNECT ")));
    assert!(!world.engine.controller_log().contains("another-secret"));
}

/// What is shared for HTTPS is one Secret and one ConfigMap for the whole cluster, so all of it is tried in one test.
#[test]
fn what_applications_share() {
    let authority = Authority::new("ours").unwrap();
    let certificate = authority.server("127.0.0.1").unwrap();
    let door = Door::Basic("ada".to_owned(), PASSWORD.to_owned());
    let server = GitServer::start_with(door, Some(&secure(&certificate, None))).unwrap();
    let (world, commit, url) = world_on("shared", &server);
    world
        .apply(&application(&world, &json!({"repoURL": url})))
        .unwrap();
    refused(&world, "S21");

    let shared = |object: Value| share(&world, object);
    let certificates = |ours: &str| {
        let data = json!({"127.0.0.1": ours, "git.example.org": "nothing of ours"});
        shared(map(&world, "sluice-tls-certificates", &data));
    };
    let other = Certificate::self_signed("127.0.0.1").unwrap();
    certificates(&other.certificate);
    world
        .wait_status(|status| {
            let said = text(condition(status, "SourceReady")?, "/message");
            let both = [&certificate.fingerprint, &other.fingerprint];
            ensure!(both.iter().all(|print| said.contains(*print)), "seen and wanted");
            Ok(())
        })
        .unwrap();
    certificates(authority.pem());
    refused(&world, "S04");
    let base = url.strip_suffix("/app.git").unwrap();
    let entry = |prefix: &str, namespaces: &str| {
        format!("url: {prefix}\nnamespaces: {namespaces}\nusername: ada\npassword: {PASSWORD}\n")
    };
    // For others, and for elsewhere.
    shared(secret(
        &world,
        "sluice-repositories",
        &json!({"others": entry(base, "[bank]"), "elsewhere": entry(&format!("{base}/ap"), "[shared]")}),
    ));
    refused(&world, "S04");
    // One that nobody can read is named in the log, and the others serve.
    shared(secret(
        &world,
        "sluice-repositories",
        &json!({"ours": entry(base, "[shared]"), "broken": "password: ["}),
    ));
    world.wait_synced(&commit).unwrap();
    assert!(world.engine.controller_log().contains("entry=\"broken\""));

    // They are shown to shared hosts only.
    world
        .apply(&map(&world, "mine", &json!({"ca.pem": authority.pem()})))
        .unwrap();
    world
        .apply(&application(
            &world,
            &json!({"repoURL": url, "tlsCertificates": {"name": "mine"}}),
        ))
        .unwrap();
    let said = refused(&world, "K02");
    assert!(said.contains("shared hosts only"), "{said}");
    assert!(!world.engine.controller_log().contains(PASSWORD));
}

#[test]
fn what_is_not_followed_is_named() {
    let world = World::shared("submodule").unwrap();
    world.write("running.yaml", &config_map("running", "1")).unwrap();
    let first = world.commit("something that runs").unwrap();
    let entry = format!("160000,{first},manifests/vendor");
    world
        .repository
        .git(&["update-index", "--add", "--cacheinfo", &entry])
        .unwrap();
    world
        .repository
        .git(&["commit", "--quiet", "--no-gpg-sign", "-m", "a submodule"])
        .unwrap();
    let commit = world.repository.head().unwrap();
    world.server.push(&world.repository, "app").unwrap();
    world.apply(&world.application()).unwrap();
    let status = world.wait_synced(&commit).unwrap();
    let rendered = condition(&status, "Rendered").unwrap();
    assert!(
        text(rendered, "/message").contains("submodules are not followed: manifests/vendor"),
        "{rendered}"
    );
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 1\n";
    world.repository.remove("manifests/vendor").ok();
    world.write("large.yaml", pointer).unwrap();
    world.commit("a pointer").unwrap();
    world.refresh().unwrap();
    let refused = world.wait_refused("Rendered").unwrap();
    assert!(text(&refused, "/message").contains("R15"), "{refused}");
}

/// `sluice render` of what is in a repository, without a cluster, with mirrors in a folder of this name.
fn render(world: &World<'_>, url: &str, cache: &str) -> Command {
    let file = format!("{}.json", world.namespace);
    let application = application(world, &json!({"repoURL": url}));
    world.engine.write(&file, application.to_string()).unwrap();
    let mut command = world.engine.command();
    command.args(["render", "--offline", "-f", &file, "--cache-dir", cache]);
    command
}

#[test]
fn the_environment_names_a_proxy() {
    let server = GitServer::start().unwrap();
    let (world, _, url) = world_on("environment", &server);
    let proxy = ProxyServer::start().unwrap();
    let through = |name: &str, value: &str| {
        let mut command = render(&world, &url, "environment");
        command.env("http_proxy", format!("http://{}", proxy.address()));
        let output = command.env(name, value).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        proxy.heads().len()
    };
    let first = through("UNRELATED", "");
    assert!(first > 0);
    assert_eq!(through("NO_PROXY", "127.0.0.1"), first);
    assert!(through("NO_PROXY", "example.org") > first);
}

#[test]
fn many_processes_share_a_mirror() {
    let server = GitServer::start().unwrap();
    let (world, _, url) = world_on("processes", &server);
    // All of them first: making one writes the file that the others read.
    let commands: Vec<_> = (0..6).map(|_| render(&world, &url, "processes")).collect();
    let start = |mut command: Command| {
        let command = command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().unwrap()
    };
    let renders: Vec<_> = commands.into_iter().map(start).collect();
    for render in renders {
        let output = render.wait_with_output().unwrap();
        assert!(output.status.success(), "{output:?}");
        assert!(String::from_utf8_lossy(&output.stdout).contains("name: running"));
    }
}

#[test]
fn a_disk_that_is_full() {
    let server = GitServer::start().unwrap();
    let (world, ..) = world_on("full-disk", &server);
    let noise: Vec<u8> = (0..100_000_u32)
        .flat_map(|number| number.wrapping_mul(2_654_435_761).to_le_bytes())
        .collect();
    world.repository.write("noise", noise).unwrap();
    world.commit("noise").unwrap();
    let url = server.push(&world.repository, "app").unwrap();
    // No file may grow beyond some kilobytes: the kernel says so as it does of a full disk.
    let whole = render(&world, &url, "full-disk");
    let output = Command::new("/bin/sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 64; exec \"$0\" \"$@\""])
        .arg(whole.get_program())
        .args(whole.get_args())
        .current_dir(whole.get_current_dir().unwrap())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("S10"), "{said}");
    // With room for it, it goes on from there.
    let output = render(&world, &url, "full-disk").output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

/// A preview of a pull request, which no branch leads to, by its name and by its commit; and it is followed when it moves.
#[test]
fn a_pull_request_is_synced() {
    let world = World::shared("pull-request").unwrap();
    let main = world.running().unwrap();
    let propose = |value: &str| {
        world
            .repository
            .git(&["checkout", "-q", "--detach", &main])
            .unwrap();
        world
            .write("running.yaml", &config_map("running", value))
            .unwrap();
        let commit = world.repository.commit("a proposal", Signature::None).unwrap();
        let url = world.server.path("app").display().to_string();
        let to = format!("+{commit}:refs/pull/7/head");
        world.repository.git(&["push", "--quiet", &url, &to]).unwrap();
        world.repository.git(&["checkout", "-q", "main"]).unwrap();
        commit
    };
    let proposed = propose("2");
    let follow = |revision: &str| {
        let mut application = world.application();
        application["spec"]["source"]["targetRevision"] = revision.into();
        world.apply(&application).unwrap();
    };
    follow("refs/pull/7/head");
    world.wait_synced(&proposed).unwrap();
    assert_eq!(
        text(&world.object("configmap/running").unwrap(), "/data/value"),
        "2"
    );
    let moved = propose("3");
    world.refresh().unwrap();
    world.wait_synced(&moved).unwrap();
    follow("main");
    world.wait_synced(&main).unwrap();
    follow(&moved);
    world.wait_synced(&moved).unwrap();
    let plan = world.done(&["plan", "app", "--revision", "refs/pull/7/head"]);
    assert!(plan.contains("Nothing to do"), "{plan}");
}
