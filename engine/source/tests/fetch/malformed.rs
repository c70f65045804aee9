//! Commits, tags and trees as Git's own checks would not let them in. Git fetches them; whether they are to be trusted is for
//! verify to say. Public reports: one such commit on any branch ended every later fetch.

use std::io::Write as _;
use std::process::Stdio;

use sluice_model::tree::Revision;
use sluice_sandbox::GitServer;
use sluice_source::{Access, Fetched, Repository, TreeLimits, codes};

use crate::fixture::{Fixture, check_error, file_url};
use crate::impostor::Answers;

/// What follows `tree …` and `parent …`.
const COMMITS: &[(&str, &[u8])] = &[
    ("no address", b"author A 1313584730 +0000\ncommitter A 1313584730 +0000\n\nx\n"),
    ("an address over two lines", b"author A <a@b\n> 1334833756 -0700\ncommitter A <a@b\n> 1334833756 -0700\n\nx\n"),
    ("an address that does not end", b"author A <a@b 1 +0000\ncommitter A <a@b 1 +0000\n\nx\n"),
    ("an address in an address", b"author A <a<b>> 1 +0000\ncommitter A <a<b>> 1 +0000\n\nx\n"),
    ("no time zone", b"author A <a> 1334833756\ncommitter A <a> 1334833756\n\nx\n"),
    ("a garbled time zone", b"author A <a> 1 +x0y\ncommitter A <a> 1 --99999\n\nx\n"),
    ("no time", b"author A <a>\ncommitter A <a>\n\nx\n"),
    ("no author", b"committer A <a> 1 +0000\n\nx\n"),
    ("no committer", b"author A <a> 1 +0000\n\nx\n"),
    ("neither author nor committer", b"\nx\n"),
    ("author and committer swapped", b"committer A <a> 1 +0000\nauthor A <a> 1 +0000\n\nx\n"),
    ("a huge time", b"author A <a> 99999999999999999999999 +0000\ncommitter A <a> 99999999999999999999999 +0000\n\nx\n"),
    ("a time before all", b"author A <a> -5 +0000\ncommitter A <a> -5 +0000\n\nx\n"),
    ("bytes of 0", b"author A\0B <a> 1 +0000\ncommitter A <a\0> 1 +0000\n\nx\0y\n"),
    ("no name", b"author <a> 1 +0000\ncommitter <a> 1 +0000\n\nx\n"),
    ("headers of no kind", b"author A <a> 1 +0000\ncommitter A <a> 1 +0000\nfoo\nbar baz\n more\n\nx\n"),
    ("a parent among the headers", b"author A <a> 1 +0000\nparent 1111111111111111111111111111111111111111\ncommitter A <a> 1 +0000\n\nx\n"),
    ("no message", b"author A <a> 1 +0000\ncommitter A <a> 1 +0000\n"),
    ("no line's end", b"author A <a> 1 +0000\ncommitter A <a> 1 +0000"),
    ("an encoding of no kind", b"author \xff\xfe <a> 1 +0000\ncommitter \xff <a> 1 +0000\nencoding \xff\n\n\xff\n"),
    ("a signature that is none", b"author A <a> 1 +0000\ncommitter A <a> 1 +0000\ngpgsig x\n\n -----END\ngpgsig\n\nx\n"),
    ("lines of Windows", b"author A <a> 1 +0000\r\ncommitter A <a> 1 +0000\r\n\r\nx\r\n"),
];

struct Work {
    fixture: Fixture,
    url: String,
}

impl Work {
    fn new() -> Self {
        let fixture = Fixture::new();
        let url = file_url(fixture.work.path());
        Self { fixture, url }
    }

    /// Writes an object whatever it is.
    fn object(&self, kind: &str, bytes: &[u8]) -> String {
        let mut command = self.fixture.work.git_command();
        command.args(["hash-object", "-w", "--literally", "--stdin", "-t", kind]);
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

    fn git(&self, arguments: &[&str]) -> String {
        self.fixture.work.git(arguments).unwrap().trim().to_owned()
    }

    /// A commit on top of `main` with such lines.
    fn malformed(&self, parents: usize, lines: &[u8]) -> String {
        let (tree, parent) = (
            self.git(&["rev-parse", "main^{tree}"]),
            self.git(&["rev-parse", "main"]),
        );
        let mut bytes = format!("tree {tree}\n{}", format!("parent {parent}\n").repeat(parents)).into_bytes();
        bytes.extend_from_slice(lines);
        self.object("commit", &bytes)
    }

    fn set(&self, name: &str, id: &str) {
        self.git(&["update-ref", name, id]);
    }

    /// Writes a reference that Git itself would not write.
    fn force(&self, name: &str, id: &str) {
        let path = self.fixture.work.path().join(".git").join(name);
        fs_err::write(path, format!("{id}\n")).unwrap();
    }

    /// A good commit on top of another.
    fn on(&self, parent: &str, message: &str) -> String {
        let tree = format!("{}^{{tree}}", self.fixture.first);
        self.git(&["commit-tree", &tree, "-p", parent, "-m", message])
    }

    /// Fetches, and expects `main` to be there with what it holds.
    fn reads(&self, what: &str, commit: &str) -> (Fetched, Revision) {
        let fetched = self.fixture.fetch(&self.url, &Access::default());
        let fetched = fetched.unwrap_or_else(|error| panic!("{what}: {error:?}"));
        let revision = fetched
            .resolve("main")
            .unwrap_or_else(|error| panic!("{what}: {error:?}"));
        assert_eq!(revision.commit, commit, "{what}");
        let tree = fetched.tree(&revision, "app", &TreeLimits::default()).unwrap();
        assert_eq!(tree.files.len(), 1, "{what}");
        (fetched, revision)
    }
}

#[test]
fn malformed_commits_are_fetched_as_git_does() {
    for (what, lines) in COMMITS {
        let work = Work::new();
        let first = work.fixture.first.clone();
        work.reads(what, &first);
        // On another branch, which nobody asks for, and which goes again.
        let other = work.malformed(1, lines);
        work.set("refs/heads/other", &other);
        let mut good = work.on(&first, "beside it");
        for place in ["beside it", "again"] {
            work.set("refs/heads/main", &good);
            let (fetched, _) = work.reads(&format!("{what}, {place}"), &good);
            assert_eq!(fetched.resolve("other").unwrap().commit, other, "{what}");
            good = work.on(&good, "more");
        }
        work.git(&["update-ref", "-d", "refs/heads/other"]);
        work.set("refs/heads/main", &good);
        work.reads(&format!("{what}, gone again"), &good);
        // What is wanted is such a commit itself; then it lies ever deeper.
        let mut tip = work.malformed(1, lines);
        work.set("refs/heads/main", &tip);
        work.reads(&format!("{what}, at the tip"), &tip);
        for depth in [1, 6] {
            for _ in 0..depth {
                tip = work.on(&tip, "on top");
            }
            work.set("refs/heads/main", &tip);
            let (fetched, revision) = work.reads(&format!("{what}, {depth} deep"), &tip);
            let history = fetched.history(&revision, Some(&first), 100).unwrap();
            assert!(history.last_trusted_is_ancestor, "{what}, {depth} deep");
        }
        // From nothing.
        work.fixture.repositories.forget(&work.url).unwrap();
        work.reads(&format!("{what}, from nothing"), &tip);
    }
}

#[test]
fn parents_that_are_given_twice_and_malformed_tags() {
    let work = Work::new();
    let twice = work.malformed(2, b"author A <a> 1 +0000\ncommitter A <a> 1 +0000\n\nx\n");
    work.set("refs/heads/main", &twice);
    for (name, rest) in [
        ("no-tagger", "\nx\n"),
        (
            "no-address",
            "tagger A 1\n\nx\n-----BEGIN PGP SIGNATURE-----\nx\n",
        ),
    ] {
        let tag = format!("object {twice}\ntype commit\ntag x\n{rest}");
        let id = work.object("tag", tag.as_bytes());
        work.set(&format!("refs/tags/{name}"), &id);
        work.reads(name, &twice);
        let more = work.on(&twice, name);
        work.set("refs/heads/beside", &more);
        let (fetched, _) = work.reads(name, &twice);
        assert!(fetched.object(name).is_ok(), "{name}");
    }
}

/// What Git itself cannot read, at the tip of a branch or behind a tag: `git fetch` of everything ends with it, because the remote's
/// own Git does; who may push it anyway would stop every Application of the repository.
#[test]
fn what_the_remote_cannot_read_keeps_nothing_else_back() {
    let work = Work::new();
    let first = work.fixture.first.clone();
    let person = "A <a> 1 +0000";
    let lines = format!("parent {first}\nauthor {person}\ncommitter {person}\n\nx\n");
    let cases = [
        ("no tree", "heads", "commit", lines),
        ("nothing at all", "heads", "commit", String::new()),
        (
            "no type",
            "tags",
            "tag",
            format!("object {first}\ntag x\ntagger {person}\n\nx\n"),
        ),
        (
            "no name",
            "tags",
            "tag",
            format!("object {first}\ntype commit\n\nx\n"),
        ),
        ("no object", "tags", "tag", "tag x\n".to_owned()),
    ];
    let mut good = first.clone();
    for (what, place, kind, bytes) in cases {
        let id = work.object(kind, bytes.as_bytes());
        work.force(&format!("refs/{place}/other"), &id);
        for again in ["first", "again"] {
            good = work.on(&good, again);
            work.set("refs/heads/main", &good);
            let (fetched, revision) = work.reads(&format!("{what}, {again}"), &good);
            check_error(fetched.resolve("other"), &codes::UNKNOWN_REVISION);
            assert!(
                fetched
                    .history(&revision, Some(&first), 100)
                    .unwrap()
                    .last_trusted_is_ancestor
            );
        }
        // Beside another one.
        let second = work.object("commit", format!("author {what}\n").as_bytes());
        work.force("refs/heads/second", &second);
        work.reads(&format!("{what}, two of them"), &good);
        // Asked for by its id, it is not there.
        let asked = work
            .fixture
            .repositories
            .fetch_also(&work.url, &Access::default(), &id);
        assert!(asked.and_then(|fetched| fetched.resolve(&id)).is_err(), "{what}");
        work.fixture.repositories.forget(&work.url).unwrap();
        work.reads(&format!("{what}, from nothing"), &good);
        for name in [format!("refs/{place}/other"), "refs/heads/second".to_owned()] {
            fs_err::remove_file(work.fixture.work.path().join(".git").join(name)).unwrap();
        }
    }
}

/// The same over HTTP, where the server says so within its answer.
#[test]
fn what_a_server_cannot_read_keeps_nothing_else_back() {
    let work = Work::new();
    let server = GitServer::start().unwrap();
    server.create("r").unwrap();
    server.push(&work.fixture.work, "r").unwrap();
    let first = work.fixture.first.clone();
    let id = work.object("commit", format!("author {first}\n").as_bytes());
    let (folder, rest) = id.split_at(2);
    let loose = format!("objects/{folder}/{rest}");
    let (ours, theirs) = (work.fixture.work.path().join(".git"), server.path("r"));
    fs_err::create_dir_all(theirs.join("objects").join(folder)).unwrap();
    fs_err::copy(ours.join(&loose), theirs.join(&loose)).unwrap();
    fs_err::write(theirs.join("refs/heads/other"), format!("{id}\n")).unwrap();
    for again in ["first", "again"] {
        let fetched = work.fixture.fetch(&server.url("r"), &Access::default());
        let fetched = fetched.unwrap_or_else(|error| panic!("{again}: {error:?}"));
        assert_eq!(fetched.resolve("main").unwrap().commit, first);
        check_error(fetched.resolve("other"), &codes::UNKNOWN_REVISION);
    }
}

/// The same from a server that looks at nothing: what is sent is kept, and judged where it is read.
#[test]
fn what_no_git_can_read_is_fetched_where_a_server_sends_it() {
    let work = Work::new();
    let first = work.fixture.first.clone();
    let person = "A <a> 1 +0000";
    let bad = [
        (
            "treeless",
            "heads",
            work.object(
                "commit",
                format!("parent {first}\nauthor {person}\n\nx\n").as_bytes(),
            ),
        ),
        ("empty", "heads", work.object("commit", b"")),
        (
            "typeless",
            "tags",
            work.object("tag", format!("object {first}\ntag x\n\nx\n").as_bytes()),
        ),
        (
            "nameless",
            "tags",
            work.object("tag", format!("object {first}\ntype commit\n\nx\n").as_bytes()),
        ),
        ("aimless", "tags", work.object("tag", b"tag x\n")),
    ];
    let good = work.git(&["rev-list", "--objects", "--no-object-names", "main"]);
    let ids: Vec<&str> = good
        .lines()
        .chain(bad.iter().map(|(_, _, id)| id.as_str()))
        .collect();
    let mut command = work.fixture.work.git_command();
    command.args(["pack-objects", "--stdout", "--quiet"]);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(format!("{}\n", ids.join("\n")).as_bytes())
        .unwrap();
    let pack = child.wait_with_output().unwrap().stdout;
    let mut answers = Answers::main(&first, pack);
    for (name, place, id) in &bad {
        answers.references.push(format!("{id} refs/{place}/{name}"));
    }
    let url = answers.serve();
    for again in ["first", "again"] {
        let fetched = work.fixture.fetch(&url, &Access::default());
        let fetched = fetched.unwrap_or_else(|error| panic!("{again}: {error:?}"));
        let revision = fetched.resolve("main").unwrap();
        assert_eq!(revision.commit, first);
        assert_eq!(
            fetched
                .tree(&revision, "app", &TreeLimits::default())
                .unwrap()
                .files
                .len(),
            1
        );
        for name in ["treeless", "empty", "aimless"] {
            check_error(fetched.resolve(name), &codes::MALFORMED);
        }
        // What they name can be read, as Git reads it; whether it is to be trusted is verify's to say.
        for (name, _, id) in &bad {
            assert_eq!(&fetched.object(name).unwrap().id, id, "{again}");
        }
    }
}

/// Ancestors are found by what Git reads of a commit, whatever else is wrong with it.
#[test]
fn expressions_go_past_malformed_commits() {
    for (what, lines) in COMMITS {
        let work = Work::new();
        let first = work.fixture.first.clone();
        let malformed = work.malformed(1, lines);
        let tip = work.on(&work.on(&malformed, "one"), "two");
        work.set("refs/heads/main", &tip);
        let repository = Repository::open_local(work.fixture.work.path()).unwrap();
        for (name, expected) in [
            ("main~2", &malformed),
            ("main~3", &first),
            ("HEAD^^", &malformed),
            ("@~2^{commit}~1", &first),
            ("main^0", &tip),
        ] {
            let found = repository
                .resolve(name)
                .unwrap_or_else(|error| panic!("{what}, {name}: {error:?}"));
            assert_eq!(&found.commit, expected, "{what}, {name}");
        }
        for name in ["main~4", "main^2", "main~1^3", "gone~1"] {
            check_error(repository.resolve(name), &codes::UNKNOWN_REVISION);
        }
    }
}

#[test]
fn trees_with_modes_that_git_no_longer_writes() {
    let work = Work::new();
    let blob = work.object("blob", b"kind: A\n");
    let raw: Vec<u8> = (0..20)
        .map(|at| u8::from_str_radix(&blob[at * 2..at * 2 + 2], 16).unwrap())
        .collect();
    let tree = |entries: &[(&str, &str, &[u8])]| {
        let entries = entries
            .iter()
            .map(|(mode, name, id)| [format!("{mode} {name}\0").as_bytes(), id].concat());
        work.object("tree", &entries.collect::<Vec<_>>().concat())
    };
    let inner = tree(&[
        ("100664", "a.yaml", &raw),
        ("100600", "b.yaml", &raw),
        ("0100644", "c.yaml", &raw),
    ]);
    let inner: Vec<u8> = (0..20)
        .map(|at| u8::from_str_radix(&inner[at * 2..at * 2 + 2], 16).unwrap())
        .collect();
    let root = tree(&[("040000", "app", &inner)]);
    let commit = work.git(&["commit-tree", &root, "-m", "odd"]);
    work.set("refs/heads/main", &commit);
    let fetched = work.fixture.fetch(&work.url, &Access::default()).unwrap();
    let revision = fetched.resolve("main").unwrap();
    let read = fetched.tree(&revision, "app", &TreeLimits::default()).unwrap();
    assert_eq!(
        read.files.keys().collect::<Vec<_>>(),
        ["app/a.yaml", "app/b.yaml", "app/c.yaml"]
    );
}

#[test]
fn what_only_another_reference_leads_to() {
    let work = Work::new();
    let first = work.fixture.first.clone();
    let pull = work.on(&first, "a pull request");
    work.set("refs/pull/7/head", &pull);
    let (fetched, _) = work.reads("before", &first);
    for name in ["refs/pull/7/head", &pull] {
        check_error(fetched.resolve(name), &codes::UNKNOWN_REVISION);
        assert!(sluice_source::is_elsewhere(name));
    }
    let also = |name: &str| {
        work.fixture
            .repositories
            .fetch_also(&work.url, &Access::default(), name)
    };
    assert_eq!(
        also("refs/pull/7/head")
            .unwrap()
            .resolve("refs/pull/7/head")
            .unwrap()
            .commit,
        pull
    );
    // It is followed from then on, and goes when it goes.
    let newer = work.on(&pull, "more");
    work.set("refs/pull/7/head", &newer);
    let (fetched, _) = work.reads("moved", &first);
    assert_eq!(fetched.resolve("refs/pull/7/head").unwrap().commit, newer);
    work.git(&["update-ref", "-d", "refs/pull/7/head"]);
    let (fetched, _) = work.reads("gone", &first);
    check_error(fetched.resolve("refs/pull/7/head"), &codes::UNKNOWN_REVISION);
    check_error(
        also("refs/pull/8/head").unwrap().resolve("refs/pull/8/head"),
        &codes::UNKNOWN_REVISION,
    );
    // A commit by its id, which no reference leads to.
    let lost = work.on(&first, "lost");
    assert_eq!(also(&lost).unwrap().resolve(&lost).unwrap().commit, lost);
    check_error(also(&"1".repeat(40)), &codes::UNKNOWN_REVISION);
    work.reads("after all of it", &first);
    assert!(!sluice_source::is_elsewhere("main") && !sluice_source::is_elsewhere("refs/heads/main"));
}
