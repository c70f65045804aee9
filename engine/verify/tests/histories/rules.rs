//! Who may sign for what, over real histories: what a rule lets through, and every way around it.

use crate::world::{not_allowed, trusted, world};
use sluice_model::Coded as _;
use sluice_model::application::VerificationMode::{Chain, Head};
use sluice_model::application::{Member, SignerGroup};
use sluice_model::trust::Verdict;
use sluice_verify::{Answer, Policy, Request, Rules, VerifyError, codes};

const PRODUCTION: &str = "rules: [{name: production, paths: ['prod/**'], groups: [release]}]";
const TWO: &str = "rules: [{name: production, paths: ['prod/**'], groups: [release], signatures: 2}]";

#[test]
fn a_path_belongs_to_a_group() {
    let world = world();
    let policy = world.policy(PRODUCTION);
    let start = world.commit(&world.ada, "prod/a.yaml", "1");
    let head = world.commit(&world.eve, "dev/a.yaml", "1");
    trusted(&world.chain(&policy, Some(&start)), &head);
    let head = world.commit(&world.bob, "prod/deep/er/b.yaml", "1");
    trusted(&world.chain(&policy, Some(&start)), &head);
    let bad = world.commit(&world.eve, "prod/a.yaml", "2");
    let findings = world.chain(&policy, Some(&start));
    let said = not_allowed(&findings, &bad);
    for word in [
        "rule `production`",
        "`prod/a.yaml`",
        "release",
        "Ada, Bob",
        &world.eve.fingerprint,
    ] {
        assert!(said.contains(word), "{word}: {said}");
    }
    // The signature is good, and the signer named; the verdict is that of a key that is not there.
    let report = findings.reports.last().unwrap();
    assert_eq!(report.verdict, Verdict::NoKey);
    assert_eq!(report.signer.as_ref().unwrap().fingerprint, world.eve.fingerprint);
    // What comes on top does not help.
    world.commit(&world.ada, "prod/a.yaml", "3");
    not_allowed(&world.chain(&policy, Some(&start)), &bad);
    // Removing, renaming and making a folder of a file are changes too.
    for change in [
        "rm prod/a.yaml",
        "mv prod/a.yaml elsewhere",
        "chmod +x prod/a.yaml",
    ] {
        let good = world.commit(&world.ada, "prod/a.yaml", change);
        let script = ["-c", change];
        let mut shell = std::process::Command::new("sh");
        sluice_sandbox::output(shell.args(script).current_dir(world.work.path())).unwrap();
        let bad = world.commit(&world.eve, "dev/b.yaml", change);
        not_allowed(&world.chain(&policy, Some(&good)), &bad);
        world.checkout(&["--detach", &good]);
        world.checkout(&["-B", "main"]);
    }
}

#[test]
fn every_path_has_its_own_group() {
    let world = world();
    let mut set = world.rules(
        "rules: [{name: production, paths: ['prod/**'], groups: [release]}, {name: infrastructure, paths: ['infra/**'], groups: [platform]}]",
    );
    let member = |name: &str, key: &sluice_sandbox::Key| Member {
        name: name.to_owned(),
        keys: vec![key.fingerprint.clone()],
    };
    set.groups.push(SignerGroup {
        name: "platform".to_owned(),
        members: vec![member("Bob", &world.bob), member("Eve", &world.eve)],
    });
    let policy = Policy {
        rules: Rules::new(&[("rules", &set)], "https://git.example.org/shop.git", None).unwrap(),
        ..Policy::default()
    };
    let start = world.commit(&world.ada, "README", "1");
    // A commit answers for what it changes and for nothing else, whoever signed those around it.
    world.commit(&world.eve, "docs/a.md", "1");
    world.commit(&world.ada, "prod/a.yaml", "1");
    world.commit(&world.eve, "infra/a.yaml", "1");
    world.commit(&world.ada, "docs/a.md", "2");
    // Both at once takes somebody of both groups.
    world.work.write("infra/b.yaml", "1").unwrap();
    world.commit(&world.bob, "prod/b.yaml", "1");
    world.checkout(&["-b", "side"]);
    world.commit(&world.eve, "infra/a.yaml", "2");
    world.checkout(&["main"]);
    world.commit(&world.ada, "prod/a.yaml", "2");
    let good = world.merge(&world.ada, "side");
    trusted(&world.chain(&policy, Some(&start)), &good);
    for (key, files, rule) in [
        (&world.ada, ["infra/a.yaml", "docs/b.md"], "infrastructure"),
        (&world.eve, ["docs/b.md", "prod/a.yaml"], "production"),
        (&world.ada, ["prod/c.yaml", "infra/c.yaml"], "infrastructure"),
        (&world.eve, ["prod/c.yaml", "infra/c.yaml"], "production"),
    ] {
        world.checkout(&["-B", "main", &good]);
        world.work.write(files[0], "3").unwrap();
        let bad = world.commit(key, files[1], "3");
        world.commit(&world.bob, files[0], "4");
        let said = not_allowed(&world.chain(&policy, Some(&start)), &bad);
        assert!(said.contains(&format!("rule `{rule}`")), "{said}");
    }
}

#[test]
fn a_merge_answers_for_what_it_changes_itself() {
    let world = world();
    let policy = world.policy(PRODUCTION);
    let start = world.commit(&world.ada, "prod/a.yaml", "one\ntwo\nthree\nfour\nfive\n");
    world.checkout(&["-b", "side"]);
    world.commit(&world.ada, "prod/a.yaml", "ONE\ntwo\nthree\nfour\nfive\n");
    world.checkout(&["main"]);
    world.commit(&world.bob, "prod/a.yaml", "one\ntwo\nthree\nfour\nFIVE\n");
    // Both sides changed the file; what comes of it is nobody's own change.
    let before = world.work.head().unwrap();
    let head = world.merge(&world.eve, "side");
    trusted(&world.chain(&policy, Some(&start)), &head);
    // The same merge with something in it that is in neither parent.
    world.checkout(&["-B", "main", &before]);
    let bad = world.merge_with(&world.eve, "side", "prod/evil.yaml", "x");
    let said = not_allowed(&world.chain(&policy, Some(&start)), &bad);
    assert!(said.contains("prod/evil.yaml"), "{said}");
    // One that takes the older version of one side back in, which is in a parent, and not what merging gives.
    world.checkout(&["-B", "main", &before]);
    world
        .work
        .git(&["merge", "--quiet", "--no-ff", "--no-commit", "side"])
        .unwrap();
    let bad = world.commit(&world.eve, "prod/a.yaml", "ONE\ntwo\nthree\nfour\nfive\n");
    not_allowed(&world.chain(&policy, Some(&start)), &bad);
    // One by somebody who may.
    world.checkout(&["-B", "main", &before]);
    let head = world.merge_with(&world.bob, "side", "prod/new.yaml", "x");
    trusted(&world.chain(&policy, Some(&start)), &head);
}

#[test]
fn a_conflict_is_resolved_by_somebody_who_may() {
    let world = world();
    let policy = world.policy(PRODUCTION);
    let start = world.commit(&world.ada, "prod/a.yaml", "1");
    world.checkout(&["-b", "side"]);
    world.commit(&world.ada, "prod/a.yaml", "2");
    world.checkout(&["main"]);
    let before = world.commit(&world.bob, "prod/a.yaml", "3");
    for (key, may) in [(&world.eve, false), (&world.ada, true)] {
        world.checkout(&["-B", "main", &before]);
        // Git stops at the conflict.
        world
            .work
            .git(&["merge", "--quiet", "--no-ff", "side"])
            .unwrap_err();
        let head = world.commit(key, "prod/a.yaml", "2");
        let findings = world.chain(&policy, Some(&start));
        match may {
            true => trusted(&findings, &head),
            false => drop(not_allowed(&findings, &head)),
        }
    }
}

#[test]
fn unrelated_histories_and_octopuses_are_judged_by_all_they_bring() {
    let world = world();
    let policy = world.policy(PRODUCTION);
    let start = world.commit(&world.ada, "prod/a.yaml", "1");
    world.checkout(&["--orphan", "other"]);
    world.commit(&world.ada, "prod/b.yaml", "1");
    world.checkout(&["main"]);
    let unrelated = |key| {
        let mut command = world.git_as(key);
        command.args([
            "merge",
            "--quiet",
            "--allow-unrelated-histories",
            "--gpg-sign",
            "-m",
            "m",
            "other",
        ]);
        sluice_sandbox::output(&mut command).unwrap();
        world.work.head().unwrap()
    };
    let bad = unrelated(&world.eve);
    not_allowed(&world.chain(&policy, Some(&start)), &bad);
    world.checkout(&["-B", "main", &start]);
    let head = unrelated(&world.bob);
    trusted(&world.chain(&policy, Some(&start)), &head);
    for name in ["x", "y"] {
        world.checkout(&["-B", name, &head]);
        world.commit(&world.ada, &format!("prod/{name}.yaml"), "1");
    }
    for (key, may) in [(&world.eve, false), (&world.bob, true)] {
        world.checkout(&["-B", "main", &head]);
        world.commit(&world.eve, "dev/z.yaml", "1");
        let mut command = world.git_as(key);
        command.args(["merge", "--quiet", "--gpg-sign", "-m", "three", "x", "y"]);
        sluice_sandbox::output(&mut command).unwrap();
        let octopus = world.work.head().unwrap();
        let findings = world.chain(&policy, Some(&head));
        match may {
            true => trusted(&findings, &octopus),
            false => drop(not_allowed(&findings, &octopus)),
        }
    }
}

#[test]
fn two_people_for_a_change_and_its_merge() {
    let world = world();
    let policy = world.policy(TWO);
    let start = world.commit(&world.ada, "prod/a.yaml", "1");
    let change = || {
        world.checkout(&["-B", "side", &start]);
        let change = world.commit(&world.ada, "prod/a.yaml", "2");
        world.checkout(&["-B", "main", &start]);
        world.commit(&world.eve, "dev/a.yaml", "1");
        change
    };
    change();
    let head = world.merge(&world.bob, "side");
    trusted(&world.chain(&policy, Some(&start)), &head);
    for key in [&world.ada, &world.eve] {
        let by_ada = change();
        world.merge(key, "side");
        let said = not_allowed(&world.chain(&policy, Some(&start)), &by_ada);
        assert!(
            said.contains("by 2 different people of release (Ada, Bob), and are by Ada"),
            "{said}"
        );
    }
    // Without a merge, and by a fast-forward that leaves it the first parent of one.
    world.checkout(&["-B", "main", &start]);
    let alone = world.commit(&world.ada, "prod/a.yaml", "4");
    not_allowed(&world.chain(&policy, Some(&start)), &alone);
    world.checkout(&["-B", "other", &start]);
    world.commit(&world.bob, "dev/b.yaml", "1");
    world.checkout(&["main"]);
    world.merge(&world.bob, "other");
    not_allowed(&world.chain(&policy, Some(&start)), &alone);
    // The change itself is by somebody who may not; that two who may have merged it is not enough.
    world.checkout(&["-B", "side", &start]);
    let by_eve = world.commit(&world.eve, "prod/a.yaml", "5");
    world.checkout(&["-B", "middle", &start]);
    world.merge(&world.ada, "side");
    world.checkout(&["-B", "main", &start]);
    world.merge(&world.bob, "middle");
    not_allowed(&world.chain(&policy, Some(&start)), &by_eve);
}

#[test]
fn merge_keys_count_for_merges_only() {
    let world = world();
    let policy = world.policy("mergeKeys: [{key: FORGE}]");
    let start = world.commit(&world.ada, "a.yaml", "1");
    let side = || {
        world.checkout(&["-B", "side", &start]);
        world.commit(&world.eve, "b.yaml", "1");
        world.checkout(&["-B", "main", &start]);
        world.commit(&world.ada, "c.yaml", "1")
    };
    side();
    let head = world.merge(&world.forge, "side");
    trusted(&world.chain(&policy, Some(&start)), &head);
    let bad = world.commit(&world.forge, "d.yaml", "1");
    let said = not_allowed(&world.chain(&policy, Some(&start)), &bad);
    assert!(said.contains("merge commits only"), "{said}");
    side();
    let smuggled = world.merge_with(&world.forge, "side", "d.yaml", "1");
    let said = not_allowed(&world.chain(&policy, Some(&start)), &smuggled);
    assert!(said.contains("`d.yaml` besides"), "{said}");
    // With trusted parents it may resolve as it likes; untrusted ones it does not make better.
    let policy = world.policy("mergeKeys: [{key: FORGE, accept: trustedParents}]");
    trusted(&world.chain(&policy, Some(&start)), &smuggled);
    world.checkout(&["-B", "side", &start]);
    let unsigned = world.unsigned("b.yaml", "1");
    world.checkout(&["-B", "main", &start]);
    world.merge(&world.forge, "side");
    let findings = world.chain(&policy, Some(&start));
    assert!(
        matches!(&findings.refusal, Some(VerifyError::Untrusted { report, .. }) if report.revision == unsigned),
        "{:?}",
        findings.refusal
    );
    // In mode head nobody judges the parents, so that is all it can be asked about.
    let request = Request {
        mode: Head,
        ..Request::default()
    };
    let findings = world.examine(&policy, "main", &request).unwrap();
    assert!(matches!(findings.refusal, Some(VerifyError::NotAllowed { .. })));
}

#[test]
fn a_merge_key_stands_for_nobody() {
    let world = world();
    let both = format!("{PRODUCTION}\nmergeKeys: [{{key: FORGE, accept: trustedParents}}]");
    let policy = world.policy(&both);
    let start = world.commit(&world.ada, "prod/a.yaml", "1");
    let side = |key| {
        world.checkout(&["-B", "side", &start]);
        let change = world.commit(key, "prod/a.yaml", "2");
        world.checkout(&["-B", "main", &start]);
        world.commit(&world.eve, "dev/a.yaml", "1");
        change
    };
    side(&world.ada);
    let head = world.merge(&world.forge, "side");
    trusted(&world.chain(&policy, Some(&start)), &head);
    let change = side(&world.eve);
    world.merge(&world.forge, "side");
    not_allowed(&world.chain(&policy, Some(&start)), &change);
    side(&world.ada);
    let bad = world.merge_with(&world.forge, "side", "prod/b.yaml", "1");
    not_allowed(&world.chain(&policy, Some(&start)), &bad);
    let two = world.policy(&both.replace("groups: [release]}", "groups: [release], signatures: 2}"));
    let change = side(&world.ada);
    world.merge(&world.forge, "side");
    not_allowed(&world.chain(&two, Some(&start)), &change);
    // Where one signature vouches for all that is new, that of a merge key vouches for none of it.
    let request = Request {
        mode: Head,
        last_trusted: Some(&start),
        ..Request::default()
    };
    let findings = world.examine(&policy, "main", &request).unwrap();
    assert!(matches!(findings.refusal, Some(VerifyError::NotAllowed { .. })));
}

#[test]
fn the_committer_is_the_signer() {
    let world = world();
    let policy = world.policy("rules: [{name: own, matchCommitter: true}]");
    let start = world.commit(&world.ada, "a.yaml", "1");
    let head = world.commit(&world.eve, "a.yaml", "2");
    trusted(&world.chain(&policy, Some(&start)), &head);
    world.work.write("a.yaml", "3").unwrap();
    let mut command = world.git_as(&world.eve);
    command.env("GIT_COMMITTER_EMAIL", "ada@example.org").args([
        "commit",
        "--quiet",
        "--all",
        "--gpg-sign",
        "-m",
        "as Ada",
    ]);
    sluice_sandbox::output(&mut command).unwrap();
    let bad = world.work.head().unwrap();
    let said = not_allowed(&world.chain(&policy, Some(&start)), &bad);
    assert!(said.contains("the committer is `ada@example.org`"), "{said}");
}

#[test]
fn in_mode_head_one_signature_vouches_for_all_that_is_new() {
    let world = world();
    let policy = world.policy(PRODUCTION);
    let start = world.commit(&world.ada, "prod/a.yaml", "1");
    let ask = |last| {
        let request = Request {
            mode: Head,
            last_trusted: last,
            ..Request::default()
        };
        world.examine(&policy, "main", &request).unwrap()
    };
    // Unsigned itself, and vouched for by whoever signs on top.
    world.unsigned("prod/a.yaml", "2");
    let by_eve = world.commit(&world.eve, "dev/a.yaml", "1");
    not_allowed(&ask(Some(&start)), &by_eve);
    let head = world.commit(&world.ada, "dev/a.yaml", "2");
    trusted(&ask(Some(&start)), &head);
    // Nothing in prod/ since then; but without a last trusted revision everything is new.
    let by_eve = world.commit(&world.eve, "dev/a.yaml", "3");
    trusted(&ask(Some(&head)), &by_eve);
    not_allowed(&ask(None), &by_eve);
    not_allowed(&ask(Some(&"0".repeat(40))), &by_eve);
    let request = Request {
        mode: Head,
        ..Request::default()
    };
    let error = world.examine(&world.policy(TWO), "main", &request).unwrap_err();
    assert_eq!(error.code(), &codes::RULES);
}

#[test]
fn rules_apply_where_they_say() {
    let world = world();
    let start = world.commit(&world.ada, "a.yaml", "1");
    let head = world.commit(&world.eve, "a.yaml", "2");
    let ask = |rule: &str, branch| {
        let set = world.rules(&format!("rules: [{{name: r, groups: [release], {rule}}}]"));
        let url = "https://git.example.org/team/shop.git";
        let rules = Rules::new(&[("inline", &set)], url, branch).unwrap();
        let policy = Policy {
            rules,
            ..Policy::default()
        };
        world.chain(&policy, Some(&start)).trusted() == Some(&head)
    };
    assert!(!ask("branches: [main]", Some("main")));
    assert!(ask("branches: [main]", Some("develop")));
    assert!(!ask("branches: ['release/*']", Some("release/1")));
    // A revision that was not named by a branch could be of any.
    assert!(!ask("branches: [main]", None));
    assert!(!ask("repositories: ['https://git.example.org/**']", Some("main")));
    assert!(ask("repositories: ['https://git.example.com/**']", Some("main")));
    assert!(!ask("", Some("main")));
}

#[test]
fn rules_that_cannot_be_used_are_refused() {
    let world = world();
    let fingerprint = world.ada.fingerprint.clone();
    for (yaml, word) in [
        ("rules: [{name: r, groups: [nobody]}]", "no group `nobody`"),
        (
            "rules: [{name: r, groups: [g]}]\ngroups: [{name: g, members: []}]",
            "no signature could ever meet it",
        ),
        ("rules: [{name: r, paths: ['{']}]", "rule `r`"),
        ("rules: [{name: r, signatures: 0}]", "at least 1"),
        (
            "rules: [{name: r, groups: [g], signatures: 2}]\ngroups: [{name: g, members: [{name: A, keys: [x]}]}]",
            "its groups have 1",
        ),
        (
            "rules: [{name: r, groups: [g]}]\ngroups: [{name: g, members: [{name: A, keys: [B5690EEEBB952194]}]}]",
            "no full fingerprint",
        ),
        (
            "rules: [{name: r, groups: [g]}]\ngroups: [{name: g, members: [{name: A, keys: ['SHA256:abc']}]}]",
            "no full fingerprint",
        ),
        (
            "rules: [{name: r, groups: [g]}]\ngroups: [{name: g, members: [{name: A, keys: [K]}, {name: B, keys: [K]}]}]",
            "A and B share a key",
        ),
        (
            "rules: [{name: r, groups: [g]}]\ngroups: [{name: g, members: [{name: A, keys: [K]}]}]\nmergeKeys: [{key: K}]",
            "cannot be a key of A too",
        ),
        (
            "groups: [{name: g, members: []}, {name: g, members: []}]",
            "twice",
        ),
        ("mergeKeys: [{key: ''}]", "empty key"),
    ] {
        let yaml = yaml
            .replace('K', &fingerprint)
            .replace(&format!("merge{fingerprint}eys"), "mergeKeys");
        let set = Rules::read("rules.yaml", &yaml).unwrap_or_else(|error| panic!("{yaml}: {error}"));
        let error = Rules::new(&[("rules.yaml", &set)], "x", None).unwrap_err();
        assert_eq!(error.code(), &codes::RULES);
        assert!(
            error.to_string().contains(word) && error.to_string().contains("rules.yaml"),
            "{error}"
        );
    }
    for yaml in [
        "rules: [{name: r, path: ['prod/**']}]",
        "rule: []",
        "rules: {}",
        "- 1",
        "rules: [{paths: []}]",
    ] {
        let error = Rules::read("rules.yaml", yaml).unwrap_err();
        assert_eq!(error.code(), &codes::RULES, "{yaml}");
    }
    // Shared rules cannot be turned by a group of the Application that uses them.
    let shared = Rules::read("shared", "rules: [{name: r, groups: [release]}]").unwrap();
    let error = Rules::new(&[("inline", &world.rules("")), ("shared", &shared)], "x", None).unwrap_err();
    assert!(error.to_string().contains("shared"), "{error}");
    let uses = Rules::read("inline", "rules: [{name: r, groups: [release]}]").unwrap();
    Rules::new(&[("inline", &uses), ("shared", &world.rules(""))], "x", None).unwrap();
}

#[test]
fn every_rule_that_was_asked_is_told() {
    let world = world();
    let policy = world.policy(PRODUCTION);
    let start = world.commit(&world.ada, "prod/a.yaml", "1");
    world.commit(&world.ada, "prod/a.yaml", "2");
    world.commit(&world.eve, "dev/a.yaml", "1");
    world.commit(&world.eve, "prod/a.yaml", "3");
    world.unsigned("dev/a.yaml", "2");
    let request = Request {
        mode: Chain,
        last_trusted: Some(&start),
        explain: true,
        ..Request::default()
    };
    let findings = world.examine(&policy, "main", &request).unwrap();
    let last: Vec<&Answer> = findings
        .explanations
        .iter()
        .map(|explanation| &explanation.asked.last().unwrap().answer)
        .collect();
    assert!(
        matches!(last[0], Answer::Met(said) if said == "`prod/a.yaml` is signed by Ada"),
        "{last:?}"
    );
    assert!(matches!(last[1], Answer::NotAsked(_)), "{last:?}");
    assert!(matches!(last[2], Answer::NotMet(_)), "{last:?}");
    let unsigned = findings.explanations.last().unwrap();
    let not_met: Vec<&str> = unsigned
        .asked
        .iter()
        .filter(|asked| matches!(asked.answer, Answer::NotMet(_)))
        .map(|asked| asked.rule.as_str())
        .collect();
    assert_eq!(not_met, ["there is a signature"]);
    let reports: Vec<_> = findings
        .explanations
        .iter()
        .map(|explanation| &explanation.report)
        .collect();
    assert_eq!(reports, findings.reports.iter().collect::<Vec<_>>());
}

#[test]
fn what_a_commit_changes_has_to_be_known() {
    let world = world();
    let policy = world.policy(PRODUCTION);
    let start = world.commit(&world.ada, "prod/a.yaml", "1");
    let head = world.commit(&world.ada, "dev/a.yaml", "1");
    trusted(&world.chain(&policy, Some(&start)), &head);
    let tree = world.work.git(&["rev-parse", "HEAD^{tree}"]).unwrap();
    let (folder, file) = tree.trim().split_at(2);
    std::fs::remove_file(world.work.path().join(".git/objects").join(folder).join(file)).unwrap();
    let request = Request {
        mode: Chain,
        last_trusted: Some(&start),
        ..Request::default()
    };
    let refused = match world.examine(&policy, "main", &request) {
        Ok(findings) => findings.refusal.expect("refused"),
        Err(error) => error,
    };
    assert_eq!(refused.code(), &codes::CHANGES, "{refused}");
    // Where no rule asks for it, nobody looks.
    trusted(&world.chain(&Policy::default(), Some(&start)), &head);
}
