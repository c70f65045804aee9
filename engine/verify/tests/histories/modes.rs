//! The modes beside `head`: tags, starts of trust, rewritten histories, and how far one may advance.

use crate::world::{World, trusted, world};
use jiff::Timestamp;
use sluice_model::Coded as _;
use sluice_model::application::OnUnverified;
use sluice_model::application::VerificationMode::{Chain, Tag};
use sluice_model::trust::{Evidence, Verdict};
use sluice_sandbox::Signature;
use sluice_source::TreeLimits;
use sluice_verify::{Findings, Policy, Request, Verifier, VerifyError, codes};

fn tagged(world: &World, name: &str, last: Option<&str>) -> Result<Findings, VerifyError> {
    let request = Request {
        mode: Tag,
        requested: name,
        last_trusted: last,
        ..Request::default()
    };
    world.examine(&Policy::default(), name, &request)
}

fn advance(world: &World, policy: &Policy, last: &str) -> Findings {
    let request = Request {
        mode: Chain,
        last_trusted: Some(last),
        on_unverified: OnUnverified::Advance,
        ..Request::default()
    };
    world.examine(policy, "main", &request).unwrap()
}

#[test]
fn the_tag_itself_is_signed() {
    let world = world();
    let commit = world.unsigned("a.yaml", "1");
    let tag = world
        .work
        .tag("v1", Signature::OpenPgp(&world.home, &world.ada))
        .unwrap();
    for name in ["v1", "refs/tags/v1", &tag] {
        let findings = tagged(&world, name, None).unwrap();
        trusted(&findings, &commit);
        assert!(
            matches!(findings.evidence(), Some(Evidence::Tagged { signer, tag: by }) if signer.fingerprint == world.ada.fingerprint && *by == tag)
        );
        let (repository, revision, _) = world.source(name, None);
        let tree = repository.tree(&revision, "", &TreeLimits::default()).unwrap();
        assert_eq!(findings.attest(tree).unwrap().reports.len(), 1);
    }
    world.work.tag("v2", Signature::None).unwrap();
    let findings = tagged(&world, "v2", None).unwrap();
    assert!(
        matches!(&findings.refusal, Some(VerifyError::Untrusted { kind: "tag", report, .. }) if report.verdict == Verdict::Unsigned)
    );
    assert_eq!(findings.trusted(), None);
    for name in ["main", &commit] {
        let error = tagged(&world, name, None).unwrap_err();
        assert_eq!(error.code(), &codes::NOT_A_TAG, "{error}");
    }
    world.work.git(&["tag", "light"]).unwrap();
    assert_eq!(
        tagged(&world, "light", None).unwrap_err().code(),
        &codes::NOT_A_TAG
    );
}

#[test]
fn a_signed_tag_counts_under_its_own_name_for_its_own_commit() {
    let world = world();
    world.commit(&world.ada, "a.yaml", "1");
    let sign = Signature::OpenPgp(&world.home, &world.ada);
    let old = world.work.tag("v1", sign).unwrap();
    world.commit(&world.ada, "a.yaml", "2");
    world.work.tag("v2", sign).unwrap();
    // An old release under the name of a new one.
    world.work.git(&["update-ref", "refs/tags/v3", &old]).unwrap();
    let error = tagged(&world, "v3", None).unwrap_err();
    assert_eq!(error.code(), &codes::TAG_RENAMED, "{error}");
    // A tag of a tag says nothing about the commit below.
    let mut command = world.git_as(&world.ada);
    command.args(["tag", "--sign", "-m", "outer", "outer", "v2"]);
    sluice_sandbox::output(&mut command).unwrap();
    let error = tagged(&world, "outer", None).unwrap_err();
    assert_eq!(error.code(), &codes::NOT_A_TAG, "{error}");
    // Source that says that this tag led to another commit.
    let (repository, _, mut history) = world.source("v2", None);
    history.head = repository.object("v1^{}").unwrap();
    let policy = Policy::default();
    let verifier = Verifier::new(&world.keyring, &policy, Timestamp::now());
    let request = Request {
        mode: Tag,
        requested: "v2",
        ..Request::default()
    };
    let error = verifier.examine(&history, &request, &repository).unwrap_err();
    assert_eq!(error.code(), &codes::NOT_A_TAG, "{error}");
}

#[test]
fn trust_starts_with_a_commit_or_a_signed_tag() {
    let world = world();
    let start = world.unsigned("a.yaml", "1");
    let tag = world
        .work
        .tag("start", Signature::OpenPgp(&world.home, &world.ada))
        .unwrap();
    world.work.tag("unsigned", Signature::None).unwrap();
    let head = world.commit(&world.ada, "a.yaml", "2");
    // A commit that is named needs no signature.
    trusted(&world.chain(&Policy::default(), Some(&start)), &head);
    let (repository, ..) = world.source("main", None);
    let policy = Policy::default();
    let verifier = Verifier::new(&world.keyring, &policy, Timestamp::now());
    let object = repository.object(&tag).unwrap();
    assert_eq!(verifier.start(&object, "start").unwrap(), start);
    let error = verifier.start(&object, "other").unwrap_err();
    assert_eq!(error.code(), &codes::TAG_RENAMED);
    let error = verifier
        .start(&repository.object("unsigned").unwrap(), "unsigned")
        .unwrap_err();
    assert_eq!(error.code(), &codes::UNTRUSTED);
    // From the very first commit on, the unsigned one counts too.
    let request = Request {
        mode: Chain,
        whole: true,
        ..Request::default()
    };
    let (_, revision, mut history) = world.source("main", None);
    history.commits = repository.ancestry(&revision, 100).unwrap();
    let findings = verifier.examine(&history, &request, &repository).unwrap();
    assert_eq!(findings.reports.len(), 2);
    assert_eq!(findings.reports[0].verdict, Verdict::Unsigned);
    history.commits.retain(|commit| commit.id == head);
    let error = verifier.examine(&history, &request, &repository).unwrap_err();
    assert_eq!(error.code(), &codes::INCOMPLETE);
}

#[test]
fn a_rewritten_history_waits_for_a_person_who_names_it() {
    let world = world();
    world.commit(&world.ada, "a.yaml", "1");
    let old = world.commit(&world.ada, "a.yaml", "2");
    world.checkout(&["-B", "main", "HEAD~1"]);
    world.unsigned("a.yaml", "below");
    let new = world.commit(&world.ada, "a.yaml", "3");
    let ask = |accepted| {
        let request = Request {
            mode: Chain,
            last_trusted: Some(&old),
            accepted,
            ..Request::default()
        };
        world.examine(&Policy::default(), "main", &request)
    };
    let error = ask(None).unwrap_err();
    assert_eq!(error.code(), &codes::REWRITTEN);
    assert!(
        error
            .hint()
            .contains(&format!("sluice approve NAME --history {new}")),
        "{}",
        error.hint()
    );
    assert_eq!(ask(Some(&old)).unwrap_err().code(), &codes::REWRITTEN);
    assert_eq!(
        ask(Some(new.get(..12).unwrap())).unwrap_err().code(),
        &codes::REWRITTEN
    );
    // What is below is the start of trust; the commit that is named is signed.
    trusted(&ask(Some(&new)).unwrap(), &new);
    // An acceptance does not make a signature unneeded, nor does it count for what comes later.
    let later = world.unsigned("a.yaml", "4");
    assert_eq!(ask(Some(&new)).unwrap_err().code(), &codes::REWRITTEN);
    let findings = ask(Some(&later)).unwrap();
    assert!(matches!(findings.refusal, Some(VerifyError::Untrusted { .. })));
    assert_eq!(findings.trusted(), None);
}

#[test]
fn one_advances_to_the_newest_commit_all_of_whose_history_is_trusted() {
    let world = world();
    let policy = Policy::default();
    let start = world.commit(&world.ada, "a.yaml", "1");
    world.commit(&world.ada, "a.yaml", "2");
    let good = world.commit(&world.bob, "a.yaml", "3");
    let bad = world.unsigned("a.yaml", "4");
    world.commit(&world.ada, "a.yaml", "5");
    let findings = advance(&world, &policy, &start);
    assert_eq!(findings.trusted(), Some(good.as_str()));
    assert!(matches!(
        findings.evidence(),
        Some(Evidence::Signed { commits: 2, .. })
    ));
    assert!(
        matches!(&findings.refusal, Some(VerifyError::Untrusted { report, .. }) if report.revision == bad)
    );
    // Only the files of that commit are vouched for.
    let (repository, revision, _) = world.source("main", None);
    let tree = |revision| repository.tree(revision, "", &TreeLimits::default()).unwrap();
    let newest = tree(&revision);
    assert_eq!(
        advance(&world, &policy, &start)
            .attest(newest)
            .unwrap_err()
            .code(),
        &codes::INCONSISTENT
    );
    let revision = repository.resolve(&good).unwrap();
    advance(&world, &policy, &start).attest(tree(&revision)).unwrap();
    // From there on, nothing is new that is trusted.
    assert_eq!(advance(&world, &policy, &good).trusted(), None);
    // Without being asked to, nobody advances.
    assert_eq!(world.chain(&policy, Some(&start)).trusted(), None);
}

#[test]
fn one_advances_along_the_branchs_own_line() {
    let world = world();
    let policy = Policy::default();
    let start = world.commit(&world.ada, "a.yaml", "1");
    world.checkout(&["-b", "side"]);
    world.commit(&world.ada, "side.yaml", "1");
    let side = world.commit(&world.ada, "side.yaml", "2");
    world.checkout(&["main"]);
    let line = world.commit(&world.ada, "a.yaml", "2");
    // The merge itself is not signed: what is on the side was never a state of this branch, however new it is.
    world
        .work
        .git(&["merge", "--quiet", "--no-ff", "-m", "merge", "side"])
        .unwrap();
    let findings = advance(&world, &policy, &start);
    assert_eq!(findings.trusted(), Some(line.as_str()));
    assert_ne!(findings.trusted(), Some(side.as_str()));
    // A signed merge of something unsigned is not trusted, and neither is what comes after it.
    world.checkout(&["-B", "side", &start]);
    world.unsigned("side.yaml", "3");
    world.checkout(&["-B", "main", &line]);
    world.merge(&world.ada, "side");
    world.commit(&world.ada, "a.yaml", "3");
    assert_eq!(advance(&world, &policy, &start).trusted(), Some(line.as_str()));
    // Where the line goes around the last trusted commit, its commits are not on the way from it.
    world.checkout(&["-B", "around", &start]);
    world.commit(&world.ada, "b.yaml", "1");
    world.merge(&world.ada, &line);
    world.unsigned("b.yaml", "2");
    world.work.git(&["branch", "--force", "main", "around"]).unwrap();
    world.checkout(&["main"]);
    let findings = advance(&world, &policy, &line);
    assert_eq!(
        findings.trusted(),
        Some(world.work.git(&["rev-parse", "main~1"]).unwrap().trim())
    );
    let merge = world.work.git(&["rev-parse", "main~1"]).unwrap();
    world.checkout(&["-B", "main", merge.trim()]);
    world
        .work
        .git(&["commit", "--quiet", "--amend", "--no-gpg-sign", "-m", "unsigned"])
        .unwrap();
    assert_eq!(advance(&world, &policy, &line).trusted(), None);
}

#[test]
fn a_change_that_waits_for_its_second_signature_is_not_advanced_to() {
    let world = world();
    let policy =
        world.policy("rules: [{name: production, paths: ['prod/**'], groups: [release], signatures: 2}]");
    let start = world.commit(&world.ada, "prod/a.yaml", "1");
    world.checkout(&["-b", "side"]);
    world.commit(&world.ada, "prod/a.yaml", "2");
    world.checkout(&["main"]);
    world.commit(&world.eve, "dev/a.yaml", "1");
    let merged = world.merge(&world.bob, "side");
    let direct = world.commit(&world.ada, "prod/b.yaml", "1");
    let findings = advance(&world, &policy, &start);
    assert_eq!(findings.trusted(), Some(merged.as_str()));
    assert!(
        matches!(&findings.refusal, Some(VerifyError::NotAllowed { report, .. }) if report.revision == direct)
    );
}
