//! What a mirror has of a remote: branches, tags, both object formats, and what is not there.

use sluice_sandbox::{Folder, GitServer, Service, Signature};
use sluice_source::{Access, TreeLimits, codes};

use crate::fixture::{Fixture, check_error, file_url};

#[test]
fn a_branch_is_followed_over_http() {
    let fixture = Fixture::new();
    let server = GitServer::start().unwrap();
    let url = server.push(&fixture.work, "app").unwrap();
    let access = Access::default();

    let fetched = fixture.fetch(&url, &access).unwrap();
    assert!(fetched.changed);
    let revision = fetched.resolve("main").unwrap();
    assert_eq!(revision.commit, fixture.first);
    assert_eq!(fetched.resolve("HEAD").unwrap().commit, fixture.first);
    let tree = fetched.tree(&revision, "app", &TreeLimits::default()).unwrap();
    assert_eq!(tree.files.keys().collect::<Vec<_>>(), ["app/deployment.yaml"]);

    fixture.work.write("app/service.yaml", "kind: Service\n").unwrap();
    let second = fixture.work.commit("second", Signature::None).unwrap();
    server.push(&fixture.work, "app").unwrap();
    let fetched = fixture.fetch(&url, &access).unwrap();
    assert!(fetched.changed);
    assert_eq!(fetched.resolve("main").unwrap().commit, second);
    let history = fetched
        .history(&fetched.resolve("main").unwrap(), Some(&fixture.first), 100)
        .unwrap();
    assert_eq!(
        history
            .commits
            .iter()
            .map(|commit| commit.id.as_str())
            .collect::<Vec<_>>(),
        [&second]
    );
}

#[test]
fn nothing_new_is_one_question() {
    let fixture = Fixture::new();
    let server = GitServer::start().unwrap();
    let url = server.push(&fixture.work, "app").unwrap();
    fixture.fetch(&url, &Access::default()).unwrap();
    let before = server.requests();
    let fetched = fixture.fetch(&url, &Access::default()).unwrap();
    assert!(!fetched.changed);
    // The greeting and the list of references: protocol version 2 has them in two requests.
    assert_eq!(server.requests() - before, 2);
}

#[test]
fn what_is_gone_is_pruned_and_what_moved_is_forced() {
    let fixture = Fixture::new();
    let bare = Folder::new("bare").unwrap();
    let path = bare.path().join("r.git");
    fixture
        .work
        .git(&["clone", "--quiet", "--bare", ".", path.to_str().unwrap()])
        .unwrap();
    let url = file_url(&path);
    fixture.work.git(&["branch", "feature"]).unwrap();
    fixture.work.git(&["tag", "v1"]).unwrap();
    fixture.work.push(path.to_str().unwrap()).unwrap();
    let fetched = fixture.fetch(&url, &Access::default()).unwrap();
    assert_eq!(fetched.resolve("feature").unwrap().commit, fixture.first);
    assert_eq!(fetched.resolve("v1").unwrap().commit, fixture.first);

    // A branch becomes a folder of branches, main is rewritten, the tag is moved.
    for arguments in [
        ["branch", "-D", "feature", "--quiet"].as_slice(),
        &["branch", "feature/one"],
        &["commit", "--quiet", "--amend", "--no-gpg-sign", "-m", "rewritten"],
        &["tag", "--force", "v1"],
    ] {
        fixture.work.git(arguments).unwrap();
    }
    fixture
        .work
        .git(&["push", "--quiet", path.to_str().unwrap(), "--delete", "feature"])
        .unwrap();
    fixture.work.push(path.to_str().unwrap()).unwrap();
    let rewritten = fixture.work.head().unwrap();
    let fetched = fixture.fetch(&url, &Access::default()).unwrap();
    assert!(fetched.changed);
    check_error(fetched.resolve("feature"), &codes::UNKNOWN_REVISION);
    assert_eq!(fetched.resolve("feature/one").unwrap().commit, fixture.first);
    assert_eq!(fetched.resolve("main").unwrap().commit, rewritten);
    assert_eq!(fetched.resolve("v1").unwrap().commit, rewritten);
    let history = fetched
        .history(&fetched.resolve("main").unwrap(), Some(&fixture.first), 100)
        .unwrap();
    assert!(!history.last_trusted_is_ancestor);
}

#[test]
fn sha256_repositories_are_mirrored_as_such() {
    let fixture = Fixture::new();
    let folder = Folder::new("sha256").unwrap();
    let path = folder.path().join("r");
    let place = path.to_str().unwrap();
    let git = |arguments: &[&str]| fixture.work.git(arguments).unwrap();
    git(&[
        "init",
        "--quiet",
        "--object-format=sha256",
        "--initial-branch=main",
        place,
    ]);
    let commit = ["commit", "--quiet", "--allow-empty", "--no-gpg-sign", "-m", "x"];
    git(&[["-C", place].as_slice(), &commit].concat());
    let fetched = fixture.fetch(&file_url(&path), &Access::default()).unwrap();
    let revision = fetched.resolve("main").unwrap();
    assert_eq!(revision.commit.len(), 64);
    let tree = fetched.tree(&revision, "", &TreeLimits::default()).unwrap();
    assert!(tree.files.is_empty());
    let again = fixture.fetch(&file_url(&path), &Access::default()).unwrap();
    assert!(!again.changed);
}

#[test]
fn an_empty_repository_has_no_revision() {
    let fixture = Fixture::new();
    let server = GitServer::start().unwrap();
    let url = server.create("empty").unwrap();
    let fetched = fixture.fetch(&url, &Access::default()).unwrap();
    check_error(fetched.resolve("HEAD"), &codes::UNKNOWN_REVISION);
    check_error(fetched.resolve("main"), &codes::UNKNOWN_REVISION);
}

#[test]
fn what_is_not_there_is_told_apart() {
    let fixture = Fixture::new();
    let server = GitServer::start().unwrap();
    let url = server.push(&fixture.work, "app").unwrap();
    fixture.refused(
        &server.url("other"),
        &Access::default(),
        &codes::UNKNOWN_REPOSITORY,
    );
    fixture.refused(
        "file:///nowhere/at/all",
        &Access::default(),
        &codes::UNKNOWN_REPOSITORY,
    );
    let port = sluice_sandbox::free_port().unwrap();
    fixture.refused(
        &format!("http://127.0.0.1:{port}/x"),
        &Access::default(),
        &codes::UNREACHABLE,
    );
    for service in [Service::Unavailable, Service::Unreachable] {
        server.set_service(service);
        fixture.refused(&url, &Access::default(), &codes::UNREACHABLE);
    }
    server.set_service(Service::Serving);
    fixture.fetch(&url, &Access::default()).unwrap();
}

#[test]
fn an_outage_leaves_the_mirror_as_it_was() {
    let fixture = Fixture::new();
    let server = GitServer::start().unwrap();
    let url = server.push(&fixture.work, "app").unwrap();
    assert!(fixture.repositories.cached(&url).unwrap().is_none());
    fixture.fetch(&url, &Access::default()).unwrap();
    server.set_service(Service::Unavailable);
    fixture.refused(&url, &Access::default(), &codes::UNREACHABLE);
    let cached = fixture.repositories.cached(&url).unwrap().unwrap();
    assert_eq!(cached.resolve("main").unwrap().commit, fixture.first);
    fixture.repositories.forget(&url).unwrap();
    assert!(fixture.repositories.cached(&url).unwrap().is_none());
}

#[test]
fn a_shallow_remote_is_refused() {
    let fixture = Fixture::new();
    let server = GitServer::start().unwrap();
    let url = server.push(&fixture.work, "app").unwrap();
    fixture.fetch(&url, &Access::default()).unwrap();
    fixture.work.commit("second", Signature::None).unwrap();
    let third = fixture.work.commit("third", Signature::None).unwrap();
    let from = file_url(fixture.work.path());
    let clone = |path: &std::path::Path| {
        let to = path.to_str().unwrap();
        let arguments = ["clone", "--quiet", "--bare", "--depth=1", &from, to];
        fixture.work.git(&arguments).unwrap();
    };
    // One that was so from the beginning, over both ways to it.
    clone(&server.path("shallow"));
    fixture.refused(&server.url("shallow"), &Access::default(), &codes::SHALLOW);
    fixture.refused(
        &file_url(&server.path("shallow")),
        &Access::default(),
        &codes::SHALLOW,
    );
    // One that becomes so: the history that is there is not continued by one with a hole.
    std::fs::remove_dir_all(server.path("app")).unwrap();
    clone(&server.path("app"));
    fixture.refused(&url, &Access::default(), &codes::SHALLOW);
    let cached = fixture.repositories.cached(&url).unwrap().unwrap();
    assert_eq!(cached.resolve("main").unwrap().commit, fixture.first);
    check_error(cached.resolve(&third), &codes::UNKNOWN_REVISION);
}
