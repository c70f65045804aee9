//! Everything that can be wrong without a cluster: a code, a message, a hint, an exit status, and nothing on stdout.

use crate::program::{fixture, folder, run, run_with, shown, sluice, text};

/// The whole answer to a command that must fail, with the places of this machine taken out.
fn refused(arguments: &[&str]) -> String {
    let output = sluice(arguments)
        .env("KUBECONFIG", fixture("nowhere.kubeconfig"))
        .output()
        .unwrap();
    assert!(!output.status.success(), "{arguments:?}");
    filtered(&shown(&output))
}

fn filtered(text: &str) -> String {
    text.replace(folder().to_str().unwrap(), "tests/cli")
}

macro_rules! refused {
    ($name:ident, $($argument:expr),+ $(,)?) => {
        #[test]
        fn $name() {
            insta::assert_snapshot!(concat!("refused-", stringify!($name)), refused(&[$($argument),+]));
        }
    };
}

refused!(health_of_no_file, "health", "-f", "/nonexistent/a.yaml");
refused!(health_of_an_empty_file, "health", "-f", "/dev/null");
refused!(health_of_broken_yaml, "health", "-f", &fixture("broken.yaml"));
refused!(
    health_of_what_is_no_object,
    "health",
    "-f",
    &fixture("no-object.yaml")
);
refused!(
    health_with_what_is_no_application,
    "health",
    "-f",
    &fixture("objects.yaml"),
    "--application",
    &fixture("objects.yaml")
);
refused!(
    health_by_a_plugin_that_is_not_there,
    "health",
    "-f",
    &fixture("one.yaml"),
    "--plugin",
    "health-nobody"
);
refused!(
    health_with_settings_that_are_none,
    "health",
    "-f",
    &fixture("one.yaml"),
    "--plugin",
    &format!("health-cel={}", fixture("broken.yaml"))
);
refused!(
    health_by_expressions_that_do_not_parse,
    "health",
    "-f",
    &fixture("one.yaml"),
    "--plugin",
    &format!("health-cel={}", fixture("mistaken-rules.yaml"))
);
refused!(
    explain_with_an_unknown_field,
    "explain",
    "-f",
    &fixture("manifests.yaml"),
    "--application",
    &fixture("wrong-application.yaml")
);
refused!(
    explain_with_an_unknown_plugin,
    "explain",
    "-f",
    &fixture("one.yaml"),
    "--application",
    &fixture("unknown-plugin.yaml"),
    "-o",
    "json"
);
refused!(
    a_plugin_that_is_no_wasm,
    "plugin",
    "inspect",
    &fixture("plugins/broken.wasm")
);
refused!(
    every_mistake_of_a_spec,
    "render",
    "--offline",
    "-f",
    &fixture("mistaken-application.yaml")
);
refused!(a_plugin_that_is_not_there, "plugin", "inspect", "nobody");
refused!(
    a_plugin_file_that_is_not_there,
    "plugin",
    "inspect",
    "/nonexistent/a.wasm"
);
refused!(
    a_keyring_that_is_not_there,
    "verify",
    "--keyring",
    "/nonexistent/keys",
    "HEAD"
);
refused!(
    a_keyring_without_keys,
    "verify",
    "--keyring",
    &fixture("objects.yaml"),
    "HEAD"
);
refused!(a_cluster_that_does_not_answer, "get", "-A");
refused!(a_context_that_is_not_there, "get", "--context", "elsewhere");
refused!(
    a_kubeconfig_that_is_not_there,
    "get",
    "--kubeconfig",
    "/nonexistent/config"
);
refused!(a_plan_that_is_no_json, "apply", &fixture("objects.yaml"));
refused!(a_plan_with_an_unknown_field, "apply", &fixture("odd.plan.json"));
refused!(a_plan_of_another_version, "apply", &fixture("future.plan.json"));
refused!(a_plan_that_is_not_there, "apply", "/nonexistent/plan.json");
refused!(
    planning_what_is_no_application,
    "plan",
    "-f",
    &fixture("one.yaml")
);
refused!(
    planning_two_applications,
    "plan",
    "-f",
    &fixture("manifests.yaml")
);
refused!(
    rendering_by_name_without_a_cluster,
    "render",
    "guestbook",
    "--offline"
);

/// Every command that needs a cluster gets as far as asking for it, and says that it does not answer.
#[test]
fn a_cluster_that_does_not_answer_any_command() {
    let digest = format!("sha256:{}", "0".repeat(64));
    let commands: &[&[&str]] = &[
        &["sync", "app"],
        &["diff", "app"],
        &["plan", "app"],
        &["plan", "-f", &fixture("application.yaml")],
        &["apply", &fixture("empty.plan.json")],
        &["approve", "app", "--plan", &digest],
        &["refresh", "app"],
        &["status", "app"],
        &["history", "app"],
        &["get"],
        &["wait", "app"],
        &["render", "app"],
    ];
    for arguments in commands {
        let said = refused(arguments);
        assert!(
            said.starts_with("exit 7\n--- stdout\n--- stderr\nerror[K11]"),
            "{arguments:?}: {said}"
        );
    }
}

#[test]
fn a_plugin_directory_with_a_broken_file() {
    let output = run(&[
        "plugin",
        "list",
        "--plugin-dir",
        &fixture("plugins"),
        "-o",
        "json",
    ]);
    assert_eq!(output.status.code(), Some(8));
    let said = text(&output.stderr);
    assert!(said.contains("error[P04]") && said.contains("broken"), "{said}");
    // The others are listed nevertheless.
    assert!(text(&output.stdout).contains("health-kubernetes"));
}

#[test]
fn a_plugin_directory_that_is_not_there() {
    let output = run(&["plugin", "list", "--plugin-dir", "/nonexistent/plugins"]);
    assert_eq!(output.status.code(), Some(8), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("/nonexistent/plugins"));
}

#[test]
fn lua_scripts_that_are_of_no_use() {
    let folder = tempfile::tempdir().unwrap();
    let thing = folder.path().join("thing.yaml");
    fs_err::write(
        &thing,
        "apiVersion: example.com/v1\nkind: Thing\nmetadata: {name: x}\n",
    )
    .unwrap();
    let scripts = folder.path().join("scripts");
    fs_err::create_dir_all(scripts.join("example.com/Thing")).unwrap();
    fs_err::write(scripts.join("example.com/Thing/health.lua"), "local x =\n= 1").unwrap();
    let said = |scripts: &str| {
        let file = thing.to_str().unwrap();
        let output = run(&["health", "-f", file, "--lua-scripts", scripts]);
        assert_eq!(output.status.code(), Some(8), "{}", text(&output.stderr));
        assert!(text(&output.stdout).contains("Unknown"));
        text(&output.stderr)
    };
    let broken = said(scripts.to_str().unwrap());
    let place = "example.com/Thing/health.lua line:2(column:1) near '=': syntax error";
    assert!(
        broken.contains("error[P15]") && broken.contains(place),
        "{broken}"
    );
    let missing = said("/nonexistent/scripts");
    assert!(
        missing.contains("error[P15]") && missing.contains("/nonexistent/scripts"),
        "{missing}"
    );
}

#[test]
fn one_file_may_be_open_at_a_time() {
    let output = std::process::Command::new("sh")
        .args(["-c", "ulimit -n 4; exec \"$0\" get", env!("CARGO_BIN_EXE_sluice")])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(70));
    assert!(
        text(&output.stderr).contains("error[U14]"),
        "{}",
        text(&output.stderr)
    );
}

#[test]
fn the_command_line_itself() {
    let wrong: &[&[&str]] = &[
        &[],
        &["frobnicate"],
        &["health"],
        &["health", "a/b/c"],
        &["health", "deployment/"],
        &["health", "web", "-f", "a.yaml"],
        &["health", "-f", "a.yaml", "--watch"],
        &["health", "diff", "web"],
        &["health", "diff", "--against", "health-kstatus"],
        &["health", "diff", "web", "--all", "--against", "health-kstatus"],
        &["plan"],
        &["plan", "guestbook", "-f", "a.yaml"],
        &["approve", "guestbook", "--plan", "sha256:12"],
        &["wait", "guestbook", "--timeout", "90"],
        &["wait", "guestbook", "--for", "happiness"],
        &["install", "--image", "a b"],
        &["install", "--namespace", "Not_A_Name"],
        &["install", "--manage-namespace", "a\nb"],
        &["install", "--manage-cluster", "--manage-namespace", "a"],
        &["completion", "tcsh"],
        &["verify", "HEAD"],
        &["verify", "--keyring", "k", "--mode", "everything", "HEAD"],
        &["verify", "--keyring", "k", "--allow-weak", "rot13", "HEAD"],
        &["get", "guestbook", "-A"],
        &["get", "-n", "a b"],
        &["sync", "guestbook", "-n", "a?x=1"],
        &["wait", "guestbook", "-n", "../b"],
        &["crds", "-o", "text"],
    ];
    for arguments in wrong {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(
            output.stdout.is_empty() && !output.stderr.is_empty(),
            "{arguments:?}"
        );
    }
}

/// `diff` is a command; an Application of that name is reached too.
#[test]
fn an_application_may_have_the_name_of_a_command() {
    let exit = |arguments: &[&str]| {
        let mut command = sluice(arguments);
        let output = command
            .env("KUBECONFIG", fixture("nowhere.kubeconfig"))
            .output()
            .unwrap();
        output.status.code()
    };
    for reaches_for_the_cluster in [
        &["health", "application/diff"][..],
        &["health", "applications.sluice.dev/diff"],
        &["health", "web", "diff"],
        &["health", "help"],
        &[
            "health",
            "diff",
            "application/diff",
            "--against",
            "health-kstatus",
        ],
    ] {
        assert_eq!(
            exit(reaches_for_the_cluster),
            Some(7),
            "{reaches_for_the_cluster:?}"
        );
    }
    assert_eq!(exit(&["health", "diff"]), Some(2));
}

#[test]
fn all_that_is_wrong_is_told_at_once() {
    let output = run_with(
        &["explain", "-f", "-"],
        "apiVersion: v1\n---\nkind: Pod\n---\n- 7\n",
    );
    let said = text(&output.stderr);
    assert_eq!(said.matches("error[R07]").count(), 3, "{said}");
    for place in ["stdin:1", "stdin:3", "stdin:5"] {
        assert!(said.contains(place), "{said}");
    }
    assert_eq!(output.status.code(), Some(3));
}

#[test]
fn stderr_keeps_to_itself_what_a_terminal_would_obey() {
    let output = run(&["health", "-f", "/nonexistent/\u{1b}[2J"]);
    assert!(!output.stderr.contains(&0x1b));
}

/// Half of those who try Sluice come with one of these.
#[test]
fn an_application_of_argo_cd_is_known_as_that() {
    let theirs = "\
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: guestbook, namespace: argocd}
spec:
  project: default
  source: {repoURL: https://github.com/argoproj/argocd-example-apps.git, targetRevision: HEAD, path: guestbook}
  destination: {server: https://kubernetes.default.svc, namespace: guestbook}
";
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("theirs.yaml");
    fs_err::write(&file, theirs).unwrap();
    let file = file.to_str().unwrap();
    let commands = [
        &["plan", "-f", file][..],
        &["render", "-f", file],
        &["render", "--offline", "-f", file],
        &["diff", "-f", file],
        &["explain", "-f", file, "--application", file],
    ];
    // Also where there is no cluster yet: the file is read first.
    let configurations = [
        fixture("nowhere.kubeconfig"),
        "/nonexistent/kubeconfig".to_owned(),
    ];
    for (arguments, configuration) in commands
        .into_iter()
        .flat_map(|arguments| configurations.iter().map(move |each| (arguments, each)))
    {
        let output = sluice(arguments)
            .env("KUBECONFIG", configuration)
            .output()
            .unwrap();
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(3), "{arguments:?}: {said}");
        for word in [
            "error[U05]",
            "Application of Argo CD",
            "sluice.dev/v1alpha1",
            "destination.namespace",
            "hint: ",
        ] {
            assert!(said.contains(word), "{arguments:?}: {word:?} is not in {said}");
        }
    }
}

/// A keybox and a private key are what people have at hand.
#[test]
fn what_is_no_public_key_is_named_with_the_way_to_one() {
    let folder = tempfile::tempdir().unwrap();
    let keybox = [&b"\0\0\0\x20\x01\x01\0\x02KBXf"[..], &[0; 20]].concat();
    let private = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAABG5vbmU=\n-----END OPENSSH PRIVATE KEY-----\n";
    let cases: [(&str, &[u8], [&str; 2]); 3] = [
        ("pubring.kbx", &keybox, ["keybox", "gpg --armor --export"]),
        ("id_ed25519", private.as_bytes(), ["private key", "ssh-keygen -y"]),
        (
            "key.ppk",
            b"PuTTY-User-Key-File-3: ssh-ed25519\n",
            ["private key", "public one"],
        ),
    ];
    for (name, content, words) in cases {
        let file = folder.path().join(name);
        fs_err::write(&file, content).unwrap();
        let output = run(&["verify", "--keyring", file.to_str().unwrap(), "HEAD"]);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(3), "{said}");
        for word in words.into_iter().chain(["error[V02]", name]) {
            assert!(said.contains(word), "{word:?} is not in {said}");
        }
        assert!(!said.contains("b3BlbnNz"), "{said}");
    }
}

/// As `kubectl apply -f DIR` takes it: the manifests in it, not those of folders below.
#[test]
fn a_folder_is_as_good_as_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let map = |name: &str| format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\n");
    fs_err::create_dir(folder.path().join("below")).unwrap();
    for (file, name) in [
        ("b.yaml", "second"),
        ("a.yml", "first"),
        ("c.json", "third"),
        ("below/d.yaml", "fourth"),
    ] {
        fs_err::write(folder.path().join(file), map(name)).unwrap();
    }
    fs_err::write(folder.path().join("README.md"), "no: [manifest").unwrap();
    for command in ["explain", "health"] {
        let output = run(&[command, "-f", folder.path().to_str().unwrap()]);
        let shown = text(&output.stdout);
        let places: Vec<Option<usize>> = ["first", "second", "third"]
            .iter()
            .map(|name| shown.find(name))
            .collect();
        assert!(
            places.iter().all(Option::is_some) && places.is_sorted(),
            "{command}: {shown}{}",
            text(&output.stderr)
        );
        assert!(!shown.contains("fourth"), "{command}: {shown}");
        let help = text(&run(&[command, "--help"]).stdout);
        assert!(help.contains("FILE|DIR") && help.contains("folder"), "{help}");
    }
    let empty = tempfile::tempdir().unwrap();
    for command in ["explain", "health"] {
        let output = run(&[command, "-f", empty.path().to_str().unwrap()]);
        assert!(text(&output.stderr).contains("error[U04]"), "{command}");
    }
}
