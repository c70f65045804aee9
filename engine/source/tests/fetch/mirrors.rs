//! What becomes of mirrors: many at work on one, left-overs, damage, many packs.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use sluice_sandbox::{Folder, GitServer, Signature};
use sluice_source::{Access, Repositories, TreeLimits, codes};

use crate::fixture::{Fixture, check_error, file_url};

#[test]
fn many_fetches_at_once_agree() {
    let fixture = Fixture::new();
    let server = GitServer::start().unwrap();
    let url = server.push(&fixture.work, "app").unwrap();
    let fetch = || {
        let fetched = fixture.fetch(&url, &Access::default()).unwrap();
        fetched.resolve("main").unwrap().commit
    };
    std::thread::scope(|scope| {
        let fetches: Vec<_> = (0..8).map(|_| scope.spawn(fetch)).collect();
        for fetch in fetches {
            assert_eq!(fetch.join().unwrap(), fixture.first);
        }
    });
}

#[test]
fn what_a_killed_fetch_leaves_is_swept() {
    let fixture = Fixture::new();
    let url = file_url(fixture.work.path());
    fixture.fetch(&url, &Access::default()).unwrap();
    let mirror = fixture.mirror();
    let packs = mirror.join("objects/pack");
    for name in [".tmp123", "pack-0000.pack", "pack-0000.keep"] {
        fs_err::write(packs.join(name), "half").unwrap();
    }
    let second = fixture.work.commit("second", Signature::None).unwrap();
    let fetched = fixture.fetch(&url, &Access::default()).unwrap();
    assert_eq!(fetched.resolve("main").unwrap().commit, second);
    assert!(!packs.join(".tmp123").exists() && !packs.join("pack-0000.pack").exists());

    // A mirror that is no repository any more is made anew.
    std::fs::remove_file(mirror.join("HEAD")).unwrap();
    assert!(fixture.fetch(&url, &Access::default()).unwrap().changed);
    let cached = fixture.repositories.cached(&url).unwrap().unwrap();
    assert_eq!(cached.resolve("HEAD").unwrap().commit, second);
}

#[test]
fn a_cache_that_cannot_be_used() {
    let folder = Folder::new("cache").unwrap();
    let file = folder.write("file", "").unwrap();
    check_error(Repositories::open(file.join("below")), &codes::CACHE);
}

fn packs_of(mirror: &Path) -> Vec<PathBuf> {
    let entries = fs_err::read_dir(mirror.join("objects/pack")).unwrap();
    let mut packs: Vec<PathBuf> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "pack"))
        .collect();
    packs.sort();
    packs
}

#[test]
fn many_packs_are_put_together() {
    let fixture = Fixture::new();
    let url = file_url(fixture.work.path());
    let mut commits = vec![fixture.first.clone()];
    let mut most = 0;
    fixture.fetch(&url, &Access::default()).unwrap();
    let early = fixture.repositories.cached(&url).unwrap().unwrap();
    for number in 0..70 {
        if number == 20 {
            // What was pushed until now is on no branch any more.
            fixture
                .work
                .git(&["commit", "--quiet", "--amend", "--no-gpg-sign", "-m", "rewritten"])
                .unwrap();
        }
        fixture
            .work
            .write("app/deployment.yaml", format!("{number}\n").repeat(500))
            .unwrap();
        commits.push(
            fixture
                .work
                .commit(&format!("change {number}"), Signature::None)
                .unwrap(),
        );
        fixture.fetch(&url, &Access::default()).unwrap();
        most = most.max(packs_of(&fixture.mirror()).len());
    }
    assert_eq!(most, 32);
    assert!(packs_of(&fixture.mirror()).len() < 32);
    for repository in [&early, &fixture.repositories.cached(&url).unwrap().unwrap()] {
        for commit in &commits {
            let revision = repository.resolve(commit).unwrap();
            repository.tree(&revision, "app", &TreeLimits::default()).unwrap();
        }
    }
    // Git finds nothing wrong with it.
    let mut check = fixture.work.git_command();
    let output = check
        .arg("-C")
        .arg(fixture.mirror())
        .args(["fsck", "--full", "--strict"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
}

/// Makes a mirror look as if it was made long ago.
fn grow_old(mirror: &Path) {
    let file = std::fs::File::options()
        .append(true)
        .open(mirror.join("config"))
        .unwrap();
    file.set_modified(SystemTime::now() - Duration::from_secs(7200))
        .unwrap();
}

#[test]
fn a_damaged_mirror_is_fetched_anew() {
    let fixture = Fixture::new();
    let url = file_url(fixture.work.path());
    fixture.fetch(&url, &Access::default()).unwrap();
    let pack = packs_of(&fixture.mirror()).remove(0);
    let damage = || {
        let mut bytes = fs_err::read(&pack).unwrap();
        let end = bytes.len() - 20;
        bytes[12..end].fill(0);
        // In place of the file, because the file itself is read by mapping it into memory.
        std::fs::remove_file(&pack).unwrap();
        fs_err::write(&pack, bytes).unwrap();
        let cached = fixture.repositories.cached(&url).unwrap().unwrap();
        check_error(cached.resolve("main"), &codes::OBJECT);
    };
    // Just made: then it is the repository, and fetching it again and again would not mend it.
    damage();
    for _ in 0..2 {
        fixture.refused(&url, &Access::default(), &codes::FETCH);
    }
    // Grown old: whoever finds it, the next fetch mends it.
    grow_old(&fixture.mirror());
    fixture.refused(&url, &Access::default(), &codes::FETCH);
    let fetched = fixture.fetch(&url, &Access::default()).unwrap();
    assert_eq!(fetched.resolve("main").unwrap().commit, fixture.first);
    grow_old(&fixture.mirror());
    damage();
    let fetched = fixture.fetch(&url, &Access::default()).unwrap();
    assert_eq!(fetched.resolve("main").unwrap().commit, fixture.first);
}

#[test]
fn a_mirror_whose_packs_are_gone_is_fetched_anew() {
    let fixture = Fixture::new();
    let url = file_url(fixture.work.path());
    fixture.fetch(&url, &Access::default()).unwrap();
    for pack in packs_of(&fixture.mirror()) {
        std::fs::remove_file(pack.with_extension("idx")).unwrap();
        std::fs::remove_file(pack).unwrap();
    }
    grow_old(&fixture.mirror());
    let cached = fixture.repositories.cached(&url).unwrap().unwrap();
    check_error(cached.resolve("main"), &codes::OBJECT);
    let fetched = fixture.fetch(&url, &Access::default()).unwrap();
    assert_eq!(fetched.resolve("main").unwrap().commit, fixture.first);
}

#[test]
fn a_mirror_that_became_shallow_is_fetched_anew() {
    let fixture = Fixture::new();
    let second = fixture.work.commit("second", Signature::None).unwrap();
    let url = file_url(fixture.work.path());
    fixture.fetch(&url, &Access::default()).unwrap();
    // As if somebody had been at it with `git fetch --depth 1`.
    fs_err::write(fixture.mirror().join("shallow"), format!("{second}\n")).unwrap();
    let fetched = fixture.fetch(&url, &Access::default()).unwrap();
    let revision = fetched.resolve("main").unwrap();
    let history = fetched.history(&revision, Some(&fixture.first), 10).unwrap();
    assert_eq!(history.commits.len(), 1);
    assert!(!fixture.mirror().join("shallow").exists());
}
