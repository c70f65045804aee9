//! `verify` and `render --offline` on real repositories, made here with `git` and signed with `ssh-keygen`.

use std::path::Path;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::program::{run, text};

/// A repository with a history: `first` and `second` are signed, the newest commit is not.
pub(crate) struct World {
    folder: TempDir,
}

impl World {
    pub(crate) fn new() -> Self {
        let world = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        world.command(
            "ssh-keygen",
            &[
                "-q",
                "-t",
                "ed25519",
                "-N",
                "",
                "-C",
                "ada@example.com",
                "-f",
                "key",
            ],
        );
        let public = fs_err::read_to_string(world.path("key.pub")).unwrap();
        fs_err::write(
            world.path("allowed_signers"),
            format!("ada@example.com namespaces=\"git\" {public}"),
        )
        .unwrap();
        fs_err::create_dir_all(world.path("repo/app")).unwrap();
        world.git(&["init", "-q", "-b", "main"]);
        for (key, value) in [
            ("user.name", "Ada"),
            ("user.email", "ada@example.com"),
            ("gpg.format", "ssh"),
            ("user.signingkey", world.path("key.pub").to_str().unwrap()),
        ] {
            world.git(&["config", key, value]);
        }
        world
    }

    pub(crate) fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn name(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    pub(crate) fn command(&self, program: &str, arguments: &[&str]) -> String {
        let folder = if program == "git" {
            self.path("repo")
        } else {
            self.folder.path().to_owned()
        };
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("HOME", self.folder.path());
        command
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .current_dir(folder)
            .args(arguments);
        let output = command.output().unwrap();
        assert!(
            output.status.success(),
            "{program} {arguments:?}: {}",
            text(&output.stderr)
        );
        text(&output.stdout).trim().to_owned()
    }

    pub(crate) fn git(&self, arguments: &[&str]) -> String {
        self.command("git", arguments)
    }

    pub(crate) fn commit(&self, file: &str, content: &str, is_signed: bool) -> String {
        fs_err::create_dir_all(self.path("repo").join(file).parent().unwrap()).unwrap();
        fs_err::write(self.path("repo").join(file), content).unwrap();
        self.git(&["add", "."]);
        let sign = if is_signed { "-S" } else { "--no-gpg-sign" };
        self.git(&["commit", "-q", sign, "-m", file]);
        self.git(&["rev-parse", "HEAD"])
    }

    pub(crate) fn verify(&self, arguments: &[&str]) -> (Option<i32>, Vec<Value>, String) {
        let (repository, keyring) = (self.name("repo"), self.name("allowed_signers"));
        let output = run(&[
            &[
                "verify",
                "--repo",
                &repository,
                "--keyring",
                &keyring,
                "-o",
                "json",
            ],
            arguments,
        ]
        .concat());
        let rows = text(&output.stdout)
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        (output.status.code(), rows, text(&output.stderr))
    }

    pub(crate) fn application(&self, edit: impl FnOnce(&mut Value)) -> String {
        let mut application = serde_json::json!({
            "apiVersion": "sluice.dev/v1alpha1", "kind": "Application", "metadata": {"name": "app", "namespace": "shop"},
            "spec": {"source": {"repoURL": format!("file://{}", self.name("repo")), "targetRevision": "main", "path": "app"}},
        });
        edit(&mut application);
        let file = self.path("application.json");
        fs_err::write(&file, application.to_string()).unwrap();
        file.to_str().unwrap().to_owned()
    }

    pub(crate) fn render(&self, file: &str, arguments: &[&str]) -> std::process::Output {
        let cache = self.name("cache");
        run(&[
            &["render", "--offline", "-f", file, "--cache-dir", &cache],
            arguments,
        ]
        .concat())
    }
}

const SECRET: &str = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {password: hunter2}\n";

#[test]
fn verify_is_a_line_a_revision_in_input_order() {
    let world = World::new();
    let first = world.commit("a", "1", true);
    let second = world.commit("a", "2", false);
    let (code, rows, said) = world.verify(&["--mode", "object", &second, &first]);
    assert_eq!(code, Some(4), "{said}");
    assert_eq!(
        (&rows[0]["revision"], &rows[0]["verdict"]),
        (&second.as_str().into(), &"unsigned".into())
    );
    assert_eq!(
        (&rows[1]["revision"], &rows[1]["verdict"]),
        (&first.as_str().into(), &"trusted".into())
    );
    assert!(rows[0]["signer"].is_null() && rows[0]["signedAt"].is_null());
    assert!(
        rows[1]["signer"]["fingerprint"]
            .as_str()
            .unwrap()
            .starts_with("SHA256:"),
        "{}",
        rows[1]
    );
    for row in &rows {
        let fields: Vec<&str> = row.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(fields, ["message", "revision", "signedAt", "signer", "verdict"]);
    }
    let (code, rows, said) = world.verify(&[&first]);
    assert_eq!((code, rows.len()), (Some(0), 1), "{said}");
}

#[test]
fn a_chain_is_as_good_as_its_worst_commit() {
    let world = World::new();
    world.commit("a", "1", true);
    let unsigned = world.commit("a", "2", false);
    world.commit("a", "3", true);
    let (code, rows, _) = world.verify(&["--mode", "head", "main"]);
    assert_eq!((code, &rows[0]["verdict"]), (Some(0), &"trusted".into()));
    let (code, rows, _) = world.verify(&["--mode", "chain", "main"]);
    assert_eq!((code, &rows[0]["verdict"]), (Some(4), &"unsigned".into()));
    assert!(
        rows[0]["message"].as_str().unwrap().contains(&unsigned),
        "{}",
        rows[0]
    );
    let (code, rows, _) = world.verify(&["--mode", "chain", "--since", &unsigned, "main"]);
    assert_eq!(
        (code, &rows[0]["verdict"], &rows[0]["revision"]),
        (Some(0), &"trusted".into(), &"main".into()),
        "{}",
        rows[0]
    );
}

#[test]
fn a_history_that_was_rewritten_is_not_trusted() {
    let world = World::new();
    world.commit("a", "1", true);
    world.git(&["checkout", "-q", "-b", "old"]);
    let old = world.commit("a", "2", true);
    world.git(&["checkout", "-q", "main"]);
    world.commit("a", "3", true);
    let (code, rows, _) = world.verify(&["--mode", "chain", "--since", &old, "main"]);
    assert_eq!(
        (code, &rows[0]["verdict"]),
        (Some(4), &"malformed".into()),
        "{}",
        rows[0]
    );
    assert!(
        rows[0]["message"].as_str().unwrap().starts_with("V04"),
        "{}",
        rows[0]
    );
}

#[test]
fn a_revision_that_is_not_there_is_no_verdict() {
    let world = World::new();
    world.commit("a", "1", true);
    let (code, rows, said) = world.verify(&["nowhere"]);
    assert_eq!((code, rows.len()), (Some(3), 0), "{said}");
    assert!(
        said.contains("error[S") && said.contains("nowhere") && said.contains("hint:"),
        "{said}"
    );
}

#[test]
fn a_file_of_known_hosts_that_is_not_there_is_named() {
    let world = World::new();
    let output = run(&[
        "verify",
        "--repo",
        "ssh://git@127.0.0.1:1/app.git",
        "--known-hosts",
        &world.name("no such hosts"),
        "--cache-dir",
        &world.name("cache"),
        "--keyring",
        &world.name("allowed_signers"),
        "HEAD",
    ]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(
        said.contains("error[S22]") && said.contains(&world.name("no such hosts")),
        "{said}"
    );
}

/// A pull request, which no branch and no tag leads to.
#[test]
fn a_reference_of_any_name() {
    let world = World::new();
    world.commit(
        "app/a.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: main}\n",
        true,
    );
    world.git(&["checkout", "-q", "-b", "proposal"]);
    let pull = world.commit(
        "app/a.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: proposed}\n",
        true,
    );
    world.git(&["update-ref", "refs/pull/7/head", &pull]);
    world.git(&["checkout", "-q", "main"]);
    world.git(&["branch", "-q", "-D", "proposal"]);
    let file = world.application(|_| {});
    for revision in ["refs/pull/7/head", &pull] {
        let output = world.render(&file, &["--revision", revision]);
        let shown = text(&output.stdout);
        assert!(
            shown.contains("name: proposed"),
            "{revision}: {shown}{}",
            text(&output.stderr)
        );
        let url = format!("file://{}", world.name("repo"));
        let (keyring, cache) = (world.name("allowed_signers"), world.name("cache"));
        let verify = [
            "verify",
            "--repo",
            &url,
            "--keyring",
            &keyring,
            "--cache-dir",
            &cache,
            revision,
        ];
        let output = run(&verify);
        assert_eq!(
            output.status.code(),
            Some(0),
            "{revision}: {}",
            text(&output.stderr)
        );
    }
}

#[test]
fn a_folder_that_is_no_repository() {
    let world = World::new();
    let output = run(&[
        "verify",
        "--repo",
        &world.name("."),
        "--keyring",
        &world.name("allowed_signers"),
        "HEAD",
    ]);
    assert_eq!(output.status.code(), Some(3), "{}", text(&output.stderr));
}

#[test]
fn render_prints_what_git_says_and_where() {
    let world = World::new();
    world.commit(
        "app/web.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {on: \"yes\"}\n",
        false,
    );
    world.commit("app/secret.yaml", SECRET, false);
    world.commit(
        "elsewhere/b.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: b}\n",
        false,
    );
    let file = world.application(|_| {});
    let output = world.render(&file, &[]);
    insta::assert_snapshot!("render", crate::program::shown(&output));
    let shown = world.render(&file, &["--show-secrets", "-o", "json"]);
    assert!(text(&shown.stdout).contains("hunter2"));
}

#[test]
fn render_refuses_what_is_not_trusted() {
    let world = World::new();
    world.commit(
        "app/a.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n",
        false,
    );
    let keyring = world.name("allowed_signers");
    let file = world.application(|application| {
        application["spec"]["verification"] =
            serde_json::json!({"mode": "head", "keyrings": [{"file": keyring}]});
    });
    let output = world.render(&file, &[]);
    assert_eq!((output.status.code(), output.stdout.is_empty()), (Some(4), true));
    assert!(
        text(&output.stderr).contains("error[V03]"),
        "{}",
        text(&output.stderr)
    );
}

#[test]
fn render_tells_what_is_wrong_with_a_source() {
    let world = World::new();
    world.commit(
        "app/a.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n",
        false,
    );
    world.commit("broken/a.yaml", "a: [\n", false);
    let code = |edit: &dyn Fn(&mut Value)| {
        let output = world.render(&world.application(edit), &[]);
        assert!(output.stdout.is_empty());
        let said = text(&output.stderr);
        assert!(said.contains("hint:"), "{said}");
        let id = said
            .split("error[")
            .nth(1)
            .and_then(|rest| rest.split(']').next())
            .unwrap_or_default()
            .to_owned();
        (output.status.code(), id, said)
    };
    let source = |field: &'static str, value: &'static str| {
        move |application: &mut Value| application["spec"]["source"][field] = value.into()
    };
    let (status, id, said) = code(&source("targetRevision", "nowhere"));
    assert!(
        matches!(status, Some(3 | 6)) && id.starts_with('S') && said.contains("nowhere"),
        "{said}"
    );
    let (status, id, said) = code(&source("path", "nowhere"));
    assert!(
        matches!(status, Some(3 | 6)) && id.starts_with('S') && said.contains("nowhere"),
        "{said}"
    );
    let (status, id, said) = code(&source("repoURL", "file:///nonexistent/repo"));
    assert!(
        matches!(status, Some(3 | 6)) && id.starts_with('S') && said.contains("/nonexistent/repo"),
        "{said}"
    );
    let (status, id, said) = code(&source("path", "broken"));
    assert!(
        status == Some(3) && id == "R01" && said.contains("broken/a.yaml:"),
        "{said}"
    );
}

#[test]
fn nothing_is_left_beside_the_cache() {
    let world = World::new();
    world.commit(
        "app/a.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n",
        false,
    );
    let file = world.application(|_| {});
    let before = names(world.folder.path());
    assert!(world.render(&file, &[]).status.success());
    let after: Vec<String> = names(world.folder.path())
        .into_iter()
        .filter(|name| name != "cache")
        .collect();
    assert_eq!(before, after);
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs_err::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}
