//! `verify` on histories, and `key`, with real keys.

use serde_json::Value;

use crate::program::{run, run_with, text};
use crate::repositories::World;

/// `verify` as people read it.
fn told(world: &World, arguments: &[&str]) -> (Option<i32>, String, String) {
    let (repository, keyring) = (world.name("repo"), world.name("allowed_signers"));
    let output = run(&[
        &["verify", "--repo", &repository, "--keyring", &keyring],
        arguments,
    ]
    .concat());
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

fn rows(output: &std::process::Output) -> Vec<Value> {
    let shown = text(&output.stdout);
    shown
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn a_range_and_a_whole_history_are_a_line_a_commit() {
    let world = World::new();
    let first = world.commit("a", "1", true);
    let second = world.commit("a", "2", true);
    let third = world.commit("a", "3", false);
    let (code, listed, _) = world.verify(&["--all", "main"]);
    let revisions: Vec<&str> = listed
        .iter()
        .map(|row| row["revision"].as_str().unwrap())
        .collect();
    assert_eq!(
        (code, revisions),
        (Some(4), vec![first.as_str(), &second, &third])
    );
    let range = format!("{first}..{second}");
    let (code, listed, _) = world.verify(&[&range]);
    assert_eq!((code, listed.len()), (Some(0), 1));
    assert_eq!(listed[0]["revision"], second.as_str());
    let (code, shown, _) = told(&world, &["--all", "main"]);
    assert_eq!(code, Some(4));
    let lines: Vec<&str> = shown.lines().collect();
    assert!(
        lines[0].starts_with(&format!("✓ {} signed by ada@example.com SHA256:", &first[..12])),
        "{shown}"
    );
    assert!(
        lines[2].starts_with(&format!("✗ {} unsigned: ", &third[..12])),
        "{shown}"
    );
    assert_eq!(lines[3], "3 commits: 2 trusted (ada@example.com 2), 1 unsigned");
    let (code, _, said) = told(&world, &["nowhere..main"]);
    assert_eq!(code, Some(3), "{said}");
    let (code, shown, _) = told(&world, &["main..main"]);
    assert_eq!((code, shown.as_str()), (Some(0), "nothing new\n"));
}

#[test]
fn a_remote_repository_is_fetched() {
    let world = World::new();
    let commit = world.commit("a", "1", true);
    let url = format!("file://{}", world.name("repo"));
    let (keyring, cache) = (world.name("allowed_signers"), world.name("cache"));
    let ask = |url: &str| {
        run(&[
            "verify",
            "--repo",
            url,
            "--cache-dir",
            &cache,
            "--keyring",
            &keyring,
            "--all",
            "-o",
            "json",
            "main",
        ])
    };
    let output = ask(&url);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!(rows(&output)[0]["revision"], commit.as_str());
    let output = ask("file:///nowhere/at/all");
    assert_eq!(output.status.code(), Some(6), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("hint:"));
}

#[test]
fn rules_are_asked_and_told() {
    let world = World::new();
    let start = world.commit("dev/a", "1", true);
    world.commit("dev/a", "2", true);
    let bad = world.commit("prod/a", "1", true);
    let rules = world.name("rules.yaml");
    fs_err::write(
        &rules,
        "groups: [{name: release, members: [{name: Bob, keys: [bob@example.com]}]}]\nrules: [{name: production, paths: ['prod/**'], groups: [release]}]\n",
    )
    .unwrap();
    let range = format!("{start}..main");
    let (code, shown, said) = told(&world, &["--rules", &rules, "--explain", &range]);
    assert_eq!(code, Some(4), "{said}");
    for line in [
        "    yes the key signed exactly these bytes",
        "    -   rule `production`: it changes none of the rule's paths",
        "    no  rule `production`: `prod/a` may be signed by release only (Bob)",
        "2 commits: 1 trusted (ada@example.com 1), 1 no-key",
    ] {
        assert!(shown.contains(line), "{line}\n{shown}");
    }
    assert!(
        shown.contains(&format!("✗ {} no-key, signed by ada@example.com", &bad[..12])),
        "{shown}"
    );
    // What programs read stays as it is; what people read goes beside it.
    let (code, listed, said) = world.verify(&["--rules", &rules, "--explain", &range]);
    assert_eq!((code, listed.len()), (Some(4), 2));
    assert!(said.contains("rule `production`"), "{said}");
    fs_err::write(&rules, "rules: [{name: production, groups: [nobody]}]").unwrap();
    let (code, _, said) = told(&world, &["--rules", &rules, &range]);
    assert_eq!(code, Some(3));
    assert!(
        said.contains("error[V08]") && said.contains("no group `nobody`"),
        "{said}"
    );
}

#[test]
fn a_tag_is_judged_under_its_own_name() {
    let world = World::new();
    world.commit("a", "1", false);
    world.git(&["tag", "-s", "-m", "v1", "v1"]);
    world.git(&["update-ref", "refs/tags/v2", "refs/tags/v1"]);
    let (code, listed, _) = world.verify(&["--mode", "tag", "v1"]);
    assert_eq!(
        (code, &listed[0]["verdict"]),
        (Some(0), &"trusted".into()),
        "{listed:?}"
    );
    for (name, verdict, error) in [("v2", "malformed", "V10"), ("main", "unsigned", "V09")] {
        let (code, listed, _) = world.verify(&["--mode", "tag", name]);
        assert_eq!(
            (code, &listed[0]["verdict"]),
            (Some(4), &verdict.into()),
            "{listed:?}"
        );
        assert!(
            listed[0]["message"].as_str().unwrap().starts_with(error),
            "{listed:?}"
        );
    }
}

#[test]
fn a_ledger_is_kept() {
    let world = World::new();
    world.commit("a", "1", true);
    world.commit("a", "2", true);
    let ledger = world.name("ledger.json");
    let (_, first, said) = world.verify(&["--all", "--ledger", &ledger, "main"]);
    assert!(
        first.iter().all(|row| row["message"] != "verified before"),
        "{said}"
    );
    let written = fs_err::read_to_string(&ledger).unwrap();
    world.commit("a", "3", true);
    let (code, second, _) = world.verify(&["--all", "--ledger", &ledger, "main"]);
    let before = second
        .iter()
        .filter(|row| row["message"] == "verified before")
        .count();
    assert_eq!((code, before, second.len()), (Some(0), 2, 3));
    assert_ne!(fs_err::read_to_string(&ledger).unwrap(), written);
    fs_err::write(&ledger, "{").unwrap();
    let (code, _, said) = world.verify(&["--all", "--ledger", &ledger, "main"]);
    assert_eq!(code, Some(3));
    assert!(said.contains("error[V12]"), "{said}");
    let (code, _, said) = world.verify(&["--all", "--ledger", &world.name("no/such/folder"), "main"]);
    assert_eq!(code, Some(3));
    assert!(said.contains("error[U20]"), "{said}");
}

#[test]
fn keys_are_listed_and_looked_into() {
    let world = World::new();
    let keyring = world.name("allowed_signers");
    let output = run(&["key", "list", &keyring]);
    let shown = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(
        shown.contains("SHA256:") && shown.contains("ada@example.com") && shown.contains("trusted"),
        "{shown}"
    );
    let output = run(&["key", "inspect", &keyring, "-o", "json"]);
    let entry = &rows(&output)[0];
    assert_eq!(
        (&entry["kind"], &entry["keys"][0]["algorithm"]),
        (&"ssh".into(), &"ssh-ed25519".into())
    );
    // One that would be refused, and why; one that cannot be read, by its place.
    let line = fs_err::read_to_string(&keyring).unwrap();
    let old = world.name("old");
    fs_err::write(
        &old,
        line.replace("namespaces", "valid-before=\"20200101\",namespaces"),
    )
    .unwrap();
    let output = run(&["key", "inspect", &old]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        text(&output.stdout).contains("expired-key: SSH key SHA256:"),
        "{}",
        text(&output.stdout)
    );
    fs_err::write(&old, format!("nonsense\n{line}")).unwrap();
    let output = run(&["key", "list", &old]);
    assert_eq!(output.status.code(), Some(3));
    assert!(text(&output.stdout).contains("SHA256:"), "the others are shown");
    assert!(text(&output.stderr).contains("error[U21]") && text(&output.stderr).contains("line 1"));
}

#[test]
fn importing_twice_is_importing_once() {
    let world = World::new();
    let (public, target) = (world.name("key.pub"), world.name("team"));
    let import = |more: &[&str]| run(&[&["key", "import", &public, "--to", &target], more].concat());
    let named = ["--principal", "ada@example.com"];
    let output = import(&named);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(
        text(&output.stdout).ends_with(" added\n"),
        "{}",
        text(&output.stdout)
    );
    let written = fs_err::read_to_string(&target).unwrap();
    let output = import(&named);
    assert!(
        text(&output.stdout).ends_with(" there already\n"),
        "{}",
        text(&output.stdout)
    );
    assert_eq!(fs_err::read_to_string(&target).unwrap(), written);
    // The file is one that verifies.
    let commit = world.commit("a", "1", true);
    let output = run(&[
        "verify",
        "--repo",
        &world.name("repo"),
        "--keyring",
        &target,
        &commit,
    ]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    // A key without anybody's name, and a private one, are no keys to add; nothing is written.
    let output = import(&[]);
    assert_eq!(output.status.code(), Some(3));
    assert!(
        text(&output.stderr).contains("error[U21]"),
        "{}",
        text(&output.stderr)
    );
    let private = "-----BEGIN PGP PRIVATE KEY BLOCK-----\n\nAAAA\n-----END PGP PRIVATE KEY BLOCK-----\n";
    let output = run_with(&["key", "import", "-", "--to", &target], private);
    assert_eq!(output.status.code(), Some(3));
    assert!(
        text(&output.stderr).contains("private key"),
        "{}",
        text(&output.stderr)
    );
    assert_eq!(fs_err::read_to_string(&target).unwrap(), written);
    // Into a folder, by kind; and not behind keys of another form.
    let folder = world.name("keys");
    fs_err::create_dir_all(&folder).unwrap();
    let output = run(&["key", "import", &world.name("allowed_signers"), "--to", &folder]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(world.path("keys/allowed_signers").exists());
    fs_err::write(&target, "-----BEGIN PGP PUBLIC KEY BLOCK-----\n").unwrap();
    let output = import(&named);
    assert_eq!(output.status.code(), Some(3));
    assert!(
        text(&output.stderr).contains("error[U23]"),
        "{}",
        text(&output.stderr)
    );
}
