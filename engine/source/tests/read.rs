//! Reading names, trees and histories from repositories, honest and hostile ones.
#![expect(clippy::unwrap_used, reason = "the shared parts of tests are tests too")]

use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;

use sluice_model::error::{Coded as _, ErrorCode, one_line};
use sluice_model::tree::Revision;
use sluice_model::trust::SignedKind;
use sluice_sandbox::{Folder, Repository as Work, Signature};
use sluice_source::{Repository, SourceError, TreeLimits, codes};

#[track_caller]
fn check_error<T: std::fmt::Debug>(result: Result<T, SourceError>, code: &ErrorCode) -> SourceError {
    let error = result.expect_err("this must fail");
    assert_eq!(error.code(), code, "{}", one_line(&error));
    error
}

fn open(work: &Work) -> Repository {
    Repository::open_local(work.path()).unwrap()
}

/// Writes an object as it is, whatever Git thinks of it.
fn hash_object(work: &Work, kind: &str, bytes: &[u8]) -> String {
    let mut command = work.git_command();
    command.args(["hash-object", "-t", kind, "-w", "--stdin", "--literally"]);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(bytes).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn raw_id(hex: &str) -> Vec<u8> {
    (0..hex.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
        .collect()
}

fn tree_object(work: &Work, entries: &[(&str, &[u8], &str)]) -> String {
    let mut bytes = Vec::new();
    for (mode, name, id) in entries {
        bytes.extend_from_slice(mode.as_bytes());
        bytes.push(b' ');
        bytes.extend_from_slice(name);
        bytes.push(0);
        bytes.extend_from_slice(&raw_id(id));
    }
    hash_object(work, "tree", &bytes)
}

fn commit_object(work: &Work, tree: &str, parents: &[&str], seconds: i64) -> String {
    let parents: String = parents
        .iter()
        .map(|parent| format!("parent {parent}\n"))
        .collect();
    let person = format!("Ada <ada@example.org> {seconds} +0000");
    let text = format!("tree {tree}\n{parents}author {person}\ncommitter {person}\n\nx{seconds}\n");
    hash_object(work, "commit", text.as_bytes())
}

fn revision(work: &Work, tree: &str) -> Revision {
    open(work).resolve(&commit_object(work, tree, &[], 1)).unwrap()
}

#[test]
fn names_mean_what_git_means() {
    let work = Work::new().unwrap();
    let first = work.commit("first", Signature::None).unwrap();
    work.git(&["tag", "light"]).unwrap();
    let second = work.commit("second", Signature::None).unwrap();
    let tag = work.tag("annotated", Signature::None).unwrap();
    work.git(&["tag", "--annotate", "--message", "nested", "nested", "annotated"])
        .unwrap();
    work.git(&["branch", "deep/er", &first]).unwrap();
    let check = |name: &str, commit: &str, tag: Option<&str>| {
        let revision = open(&work).resolve(name).unwrap();
        assert_eq!(
            (revision.commit.as_str(), revision.tag.as_deref()),
            (commit, tag),
            "{name}"
        );
    };
    check("main", &second, None);
    check("HEAD", &second, None);
    check("refs/heads/main", &second, None);
    check("deep/er", &first, None);
    check("light", &first, None);
    check("annotated", &second, Some(&tag));
    check("refs/tags/annotated", &second, Some(&tag));
    check(&tag, &second, Some(&tag));
    check(&first, &first, None);
    check(&first[..9], &first, None);
    check(&first.to_uppercase(), &first, None);
    check("main~1", &first, None);
    let nested = work.git(&["rev-parse", "nested"]).unwrap();
    check("nested", &second, Some(nested.trim()));
    // The same while packed.
    work.git(&["gc", "--quiet"]).unwrap();
    check("annotated", &second, Some(&tag));
    check("deep/er", &first, None);

    for name in [
        "",
        "nope",
        "refs/heads/nope",
        "refs/heads/../main",
        "main\n",
        "--all",
        &"0".repeat(40),
        "00000000",
    ] {
        check_error(open(&work).resolve(name), &codes::UNKNOWN_REVISION);
    }
}

#[test]
fn a_name_for_two_things_is_refused() {
    let work = Work::new().unwrap();
    let first = work.commit("first", Signature::None).unwrap();
    work.git(&["tag", "twin"]).unwrap();
    work.git(&["branch", "twin"]).unwrap();
    assert_eq!(
        open(&work).resolve("twin").unwrap().commit,
        first,
        "both mean the same"
    );
    let second = work.commit("second", Signature::None).unwrap();
    work.git(&["branch", "--force", "twin"]).unwrap();
    let error = check_error(open(&work).resolve("twin"), &codes::AMBIGUOUS_REVISION);
    assert!(error.to_string().contains("refs/tags/twin"), "{error}");
    assert_eq!(open(&work).resolve("refs/heads/twin").unwrap().commit, second);
    // A branch that looks like a commit does not hide it.
    work.git(&["update-ref", &format!("refs/heads/{first}"), &second])
        .unwrap();
    assert_eq!(open(&work).resolve(&first).unwrap().commit, first);
}

#[test]
fn a_tag_of_something_else_is_refused() {
    let work = Work::new().unwrap();
    work.write("a", "a").unwrap();
    work.commit("first", Signature::None).unwrap();
    work.git(&["tag", "of-tree", "HEAD^{tree}"]).unwrap();
    work.git(&["tag", "--annotate", "--message", "x", "of-blob", "HEAD:a"])
        .unwrap();
    check_error(open(&work).resolve("of-tree"), &codes::NOT_A_COMMIT);
    check_error(open(&work).resolve("of-blob"), &codes::NOT_A_COMMIT);
}

/// Git cannot follow such objects either. They are told from damaged ones: a mirror that has one is whole.
#[test]
fn what_cannot_be_followed_is_malformed_and_not_damaged() {
    let work = Work::new().unwrap();
    let tag = hash_object(&work, "tag", b"type commit\ntag x\n\nx\n");
    let error = check_error(open(&work).resolve(&tag), &codes::MALFORMED);
    assert!(error.to_string().contains(&tag), "{error}");
}

#[test]
fn objects_come_as_they_are() {
    let work = Work::new().unwrap();
    let commit = work.commit("first", Signature::None).unwrap();
    let tag = work.tag("v1", Signature::None).unwrap();
    let repository = open(&work);
    assert_eq!(repository.object("v1").unwrap().id, tag);
    assert_eq!(repository.object("v1").unwrap().kind, SignedKind::Tag);
    let head = repository.object("HEAD").unwrap();
    assert_eq!(
        (head.id.as_str(), head.kind),
        (commit.as_str(), SignedKind::Commit)
    );
    assert_eq!(
        String::from_utf8(head.bytes).unwrap(),
        work.git(&["cat-file", "commit", "HEAD"]).unwrap()
    );
    for bytes in [b"".as_slice(), b"\0\xff\r\n", b"tree x\n\n\0"] {
        let id = hash_object(&work, "commit", bytes);
        assert_eq!(open(&work).object(&id).unwrap().bytes, bytes, "loose");
        let id = hash_object(&work, "tag", bytes);
        assert_eq!(open(&work).object(&id).unwrap().bytes, bytes);
    }
    check_error(repository.object("HEAD^{tree}"), &codes::NOT_A_COMMIT);
}

#[test]
fn a_forged_object_is_found_out() {
    let work = Work::new().unwrap();
    let first = work.commit("first", Signature::None).unwrap();
    let second = work.commit("second", Signature::None).unwrap();
    let place = |id: &str| work.path().join(".git/objects").join(&id[..2]).join(&id[2..]);
    std::fs::remove_file(place(&first)).unwrap();
    std::fs::copy(place(&second), place(&first)).unwrap();
    check_error(open(&work).object(&first), &codes::OBJECT);
    std::fs::remove_file(place(&first)).unwrap();
    let repository = open(&work);
    let head = repository.resolve("main").unwrap();
    let history = repository.history(&head, Some(&first), 9).unwrap();
    assert!(
        !history.last_trusted_is_ancestor,
        "a commit that is gone vouches for nothing"
    );
}

#[test]
fn replacements_are_not_followed() {
    let work = Work::new().unwrap();
    let first = work.commit("first", Signature::None).unwrap();
    let second = work.commit("second", Signature::None).unwrap();
    work.git(&["replace", &second, &first]).unwrap();
    let bytes = open(&work).object(&second).unwrap().bytes;
    assert!(String::from_utf8(bytes).unwrap().ends_with("second\n"));
}

#[test]
fn a_folder_is_read_and_links_are_not() {
    let work = Work::new().unwrap();
    for name in [
        "app/a.yaml",
        "app/sub/b.yaml",
        "app/sub/deeper/c.yaml",
        "apple/d.yaml",
        "e.yaml",
    ] {
        work.write(name, name).unwrap();
    }
    std::os::unix::fs::symlink("../../etc", work.path().join("app/link")).unwrap();
    work.commit("files", Signature::None).unwrap();
    let head = work.head().unwrap();
    work.git(&[
        "update-index",
        "--add",
        "--cacheinfo",
        &format!("160000,{head},app/module"),
    ])
    .unwrap();
    work.git(&["commit", "--quiet", "--no-gpg-sign", "-m", "module"])
        .unwrap();
    let repository = open(&work);
    let revision = repository.resolve("main").unwrap();
    let read = |path: &str| repository.tree(&revision, path, &TreeLimits::default());
    let tree = read("app").unwrap();
    assert_eq!(tree.path, "app");
    let names: Vec<_> = tree.files.keys().map(String::as_str).collect();
    assert_eq!(names, ["app/a.yaml", "app/sub/b.yaml", "app/sub/deeper/c.yaml"]);
    assert_eq!(tree.files["app/sub/b.yaml"].as_ref(), b"app/sub/b.yaml");
    assert_eq!(tree.skipped, ["app/link", "app/module"]);
    assert_eq!(tree.submodules, ["app/module"]);
    for path in ["/app/", "./app", "app//", "app/."] {
        assert_eq!(read(path).unwrap(), tree, "{path}");
    }
    for path in ["", ".", "/"] {
        assert_eq!(read(path).unwrap().files.len(), 5, "{path}");
    }
    for path in ["ap", "App", "app/nope", "..", "app/../app", "app/a.yaml/x/y"] {
        let code = if path.contains("a.yaml") {
            &codes::NOT_A_FOLDER
        } else {
            &codes::UNKNOWN_PATH
        };
        check_error(read(path), code);
    }
    for path in ["app/a.yaml", "app/link", "app/module", "app/link/passwd"] {
        check_error(read(path), &codes::NOT_A_FOLDER);
    }
}

#[test]
fn hostile_names_are_refused() {
    let work = Work::new().unwrap();
    let blob = hash_object(&work, "blob", b"x");
    let names: [&[u8]; 12] = [
        b"..",
        b".",
        b".git",
        b".GIT",
        b"git~1",
        b"a\\b",
        b"a\nb",
        b"\x1b[2J",
        b"\xff\xfe",
        b".git ",
        b"a/b",
        "\u{200c}.git".as_bytes(),
    ];
    for name in names {
        let inner = tree_object(&work, &[("100644", name, &blob)]);
        let outer = tree_object(&work, &[("40000", b"app", &inner)]);
        let result = open(&work).tree(&revision(&work, &outer), "app", &TreeLimits::default());
        check_error(result, &codes::HOSTILE_NAME);
        // Nobody is harmed by what is beside the folder that is asked for.
        let outer = tree_object(
            &work,
            &[
                ("40000", b"app", &inner),
                ("40000", b"fine", &tree_object(&work, &[])),
            ],
        );
        open(&work)
            .tree(&revision(&work, &outer), "fine", &TreeLimits::default())
            .unwrap();
    }
    let twice = tree_object(&work, &[("100644", b"a", &blob), ("100644", b"a", &blob)]);
    check_error(
        open(&work).tree(&revision(&work, &twice), "", &TreeLimits::default()),
        &codes::HOSTILE_NAME,
    );
}

#[test]
fn names_that_differ_in_case_are_two_files() {
    // Nothing is checked out, so that neither can take the other's place, as they would on some people's machines.
    let work = Work::new().unwrap();
    let (upper, lower) = (
        hash_object(&work, "blob", b"upper"),
        hash_object(&work, "blob", b"lower"),
    );
    let inner = tree_object(
        &work,
        &[("100644", b"App.yaml", &upper), ("100644", b"app.yaml", &lower)],
    );
    let other = tree_object(&work, &[("100644", b"app.yaml", &upper)]);
    let outer = tree_object(&work, &[("40000", b"PROD", &other), ("40000", b"prod", &inner)]);
    let tree = open(&work).tree(&revision(&work, &outer), "prod", &TreeLimits::default());
    let tree = tree.unwrap();
    assert_eq!(tree.files["prod/App.yaml"].as_ref(), b"upper");
    assert_eq!(tree.files["prod/app.yaml"].as_ref(), b"lower");
    assert_eq!(tree.files.len(), 2);
}

#[test]
fn bombs_are_refused() {
    let work = Work::new().unwrap();
    let blob = hash_object(&work, "blob", &[b'x'; 1000]);
    // Thirty folders, a billion files.
    let mut folder = tree_object(&work, &[("100644", b"a", &blob), ("100644", b"b", &blob)]);
    for _ in 0..30 {
        folder = tree_object(&work, &[("40000", b"a", &folder), ("40000", b"b", &folder)]);
    }
    let bomb = revision(&work, &folder);
    let limits = TreeLimits {
        entries: 1000,
        bytes: 1 << 30,
    };
    check_error(open(&work).tree(&bomb, "", &limits), &codes::TOO_LARGE);
    check_error(
        open(&work).tree(
            &bomb,
            "",
            &TreeLimits {
                entries: usize::MAX,
                bytes: 100_000,
            },
        ),
        &codes::TOO_LARGE,
    );
    // The same without a single file.
    let mut folder = tree_object(&work, &[]);
    for _ in 0..30 {
        folder = tree_object(&work, &[("40000", b"a", &folder), ("40000", b"b", &folder)]);
    }
    check_error(
        open(&work).tree(&revision(&work, &folder), "", &limits),
        &codes::TOO_LARGE,
    );
    // Deeper than anyone goes.
    let mut folder = tree_object(&work, &[]);
    for _ in 0..200 {
        folder = tree_object(&work, &[("40000", b"a", &folder)]);
    }
    check_error(
        open(&work).tree(&revision(&work, &folder), "", &TreeLimits::default()),
        &codes::TOO_LARGE,
    );
    let two = tree_object(&work, &[("100644", b"a", &blob), ("100644", b"b", &blob)]);
    let two = revision(&work, &two);
    open(&work)
        .tree(
            &two,
            "",
            &TreeLimits {
                entries: 2,
                bytes: 2000,
            },
        )
        .unwrap();
    check_error(
        open(&work).tree(
            &two,
            "",
            &TreeLimits {
                entries: 2,
                bytes: 1999,
            },
        ),
        &codes::TOO_LARGE,
    );
    check_error(
        open(&work).tree(
            &two,
            "",
            &TreeLimits {
                entries: 1,
                bytes: 2000,
            },
        ),
        &codes::TOO_LARGE,
    );
}

#[test]
fn histories_are_exact() {
    let work = Work::new().unwrap();
    let tree = tree_object(&work, &[]);
    let commit = |parents: &[&str], seconds| commit_object(&work, &tree, parents, seconds);
    // old - base - trusted - left  - merge
    //    \           \ right  -----/ /
    //     stale (dated in the future)
    let old = commit(&[], 10);
    let base = commit(&[&old], 20);
    let trusted = commit(&[&base], 30);
    let left = commit(&[&trusted], 40);
    let right = commit(&[&trusted], 35);
    let stale = commit(&[&old], 9_000);
    let merge = commit(&[&left, &right, &stale], 50);
    let repository = open(&work);
    let history = |new: &str, last: Option<&str>| {
        let history = repository
            .history(&repository.resolve(new).unwrap(), last, 100)
            .unwrap();
        let mut ids: Vec<_> = history.commits.iter().map(|commit| commit.id.clone()).collect();
        let order = ids.clone();
        for (at, id) in order.iter().enumerate() {
            let text = String::from_utf8(history.commits[at].bytes.clone()).unwrap();
            for parent in text.lines().filter_map(|line| line.strip_prefix("parent ")) {
                assert!(
                    order
                        .iter()
                        .position(|other| other == parent)
                        .is_none_or(|place| place < at),
                    "{id}"
                );
            }
        }
        ids.sort();
        (ids, history.boundary, history.last_trusted_is_ancestor)
    };
    let set = |ids: &[&String]| {
        let mut ids: Vec<String> = ids.iter().map(|id| (*id).clone()).collect();
        ids.sort();
        ids
    };
    assert_eq!(
        history(&merge, Some(&trusted)),
        (
            set(&[&left, &right, &stale, &merge]),
            set(&[&old, &trusted]),
            true
        )
    );
    assert_eq!(
        history(&left, Some(&trusted)),
        (set(&[&left]), set(&[&trusted]), true)
    );
    assert_eq!(history(&trusted, Some(&trusted)), (vec![], vec![], true));
    assert_eq!(
        history(&merge, None),
        (set(&[&merge]), set(&[&left, &right, &stale]), true)
    );
    assert_eq!(
        history(&base, Some(&trusted)),
        (vec![], vec![], false),
        "set back"
    );
    assert_eq!(
        history(&stale, Some(&trusted)),
        (set(&[&stale]), set(&[&old]), false),
        "elsewhere"
    );
    assert!(!history(&merge, Some(&"1".repeat(40))).2, "gone");
    assert!(!history(&merge, Some(&"1".repeat(64))).2, "another object format");

    // Dates that lie: an old commit dated after all others, and its child dated before them.
    let liar = commit(&[&old], 80_000);
    let child = commit(&[&liar], 1);
    let trusted = commit(&[&child], 60);
    let new = commit(&[&trusted, &liar], 70);
    assert_eq!(history(&new, Some(&trusted)).0, set(&[&new]));

    let error = repository.history(&repository.resolve(&merge).unwrap(), Some(&old), 3);
    check_error(error, &codes::HISTORY_TOO_LONG);
}

#[test]
fn histories_equal_gits_on_random_graphs() {
    let work = Work::new().unwrap();
    let tree = tree_object(&work, &[]);
    let mut state = 42_u64;
    let mut random = |below: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    let mut commits: Vec<String> = vec![commit_object(&work, &tree, &[], 0)];
    for number in 1..60_i64 {
        let mut parents: Vec<String> = (0..1 + random(3))
            .map(|_| commits[commits.len() - 1 - random(commits.len().min(6))].clone())
            .collect();
        parents.sort();
        parents.dedup();
        let parents: Vec<&str> = parents.iter().map(String::as_str).collect();
        let seconds = if random(4) == 0 {
            random(1000) as i64
        } else {
            number * 10
        };
        commits.push(commit_object(&work, &tree, &parents, seconds * 100 + number));
    }
    let repository = open(&work);
    for _ in 0..60 {
        let (new, last) = (&commits[random(commits.len())], &commits[random(commits.len())]);
        let ours = repository
            .history(&repository.resolve(new).unwrap(), Some(last), 1000)
            .unwrap();
        let mut ids: Vec<_> = ours.commits.iter().map(|commit| commit.id.as_str()).collect();
        ids.sort_unstable();
        let theirs = work.git(&["rev-list", new, &format!("^{last}")]).unwrap();
        let mut expected: Vec<_> = theirs.lines().collect();
        expected.sort_unstable();
        assert_eq!(ids, expected, "{last}..{new}");
        let is_ancestor = work.git(&["merge-base", "--is-ancestor", last, new]).is_ok();
        assert_eq!(ours.last_trusted_is_ancestor, is_ancestor, "{last}..{new}");
    }
}

#[test]
fn a_shallow_clone_has_no_history() {
    let work = Work::new().unwrap();
    let first = work.commit("first", Signature::None).unwrap();
    work.commit("second", Signature::None).unwrap();
    let folder = Folder::new("shallow").unwrap();
    let path = folder.path().join("r");
    work.git(&[
        "clone",
        "--quiet",
        "--depth=1",
        &format!("file://{}", work.path().display()),
        path.to_str().unwrap(),
    ])
    .unwrap();
    let repository = Repository::open_local(&path).unwrap();
    let head = repository.resolve("HEAD").unwrap();
    repository.object("HEAD").unwrap();
    check_error(repository.history(&head, Some(&first), 100), &codes::SHALLOW);
    check_error(repository.history(&head, None, 100), &codes::SHALLOW);
}

#[test]
fn what_is_no_repository() {
    let folder = Folder::new("none").unwrap();
    check_error(Repository::open_local(folder.path()), &codes::NOT_A_REPOSITORY);
    check_error(
        Repository::open_local(Path::new("/nowhere")),
        &codes::NOT_A_REPOSITORY,
    );
}
