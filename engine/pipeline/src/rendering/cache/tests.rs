//! What makes a rendering another one, and what does not.
#![expect(clippy::disallowed_methods, reason = "a test stands in for the verify stage")]

use std::collections::BTreeMap;

use sluice_model::rendering::{Document, File, Outcome, Part, Renderer};
use sluice_model::tree::{Link, Revision, Tree};
use sluice_model::trust::{Evidence, Verified};
use sluice_render::Problem;

use super::*;

/// The files of a commit.
struct Commit(BTreeMap<String, String>);

impl Tools for Commit {
    fn files(&mut self, path: &str) -> Result<Option<Verified<Tree>>, Problem> {
        let is_in = |name: &str| name == path || name.starts_with(&format!("{path}/"));
        let mut tree = Tree {
            revision: Revision {
                requested: String::new(),
                commit: String::new(),
                tree: String::new(),
                tag: None,
            },
            path: path.to_owned(),
            files: BTreeMap::new(),
            skipped: Vec::new(),
            submodules: Vec::new(),
            links: BTreeMap::new(),
        };
        for (name, text) in self.0.iter().filter(|(name, _)| is_in(name)) {
            match text.strip_prefix("-> ") {
                Some(to) => {
                    let (to, is_folder) = (to.to_owned(), false);
                    tree.links.insert(name.clone(), Link { to, is_folder });
                }
                None => drop(tree.files.insert(name.clone(), text.as_bytes().into())),
            }
        }
        let is_there = !tree.files.is_empty() || !tree.links.is_empty();
        Ok(is_there.then(|| Verified::attest(tree, Evidence::NotRequired)))
    }

    fn run(&mut self, renderer: Renderer<'_>, _: &Input) -> Result<Outcome, Problem> {
        Err(Problem::Renderer {
            renderer: renderer.name().to_owned(),
            reason: "not here".to_owned(),
        })
    }

    fn context(&mut self, _: &Input) -> Context {
        Context::default()
    }
}

fn input(commit: &Commit) -> Input {
    let inside = commit.0.iter().filter(|(name, _)| name.starts_with("app/"));
    let file = |(path, text): (&String, &String)| File {
        path: path.clone(),
        content: text.as_bytes().into(),
    };
    Input {
        path: "app".to_owned(),
        files: inside.map(file).collect(),
        ..Input::default()
    }
}

fn commit(changes: &[(&str, &str)]) -> Commit {
    let mut files = BTreeMap::new();
    for (name, text) in [
        ("app/read.yaml", "1"),
        ("app/other.yaml", "1"),
        ("app/charts/a/x", "1"),
        ("base/read.yaml", "1"),
        ("base/other.yaml", "1"),
        ("folder/a", "1"),
    ]
    .iter()
    .chain(changes)
    {
        match *text {
            "" => drop(files.remove(*name)),
            text => drop(files.insert((*name).to_owned(), text.to_owned())),
        }
    }
    Commit(files)
}

fn rendering(random: bool) -> Rendering {
    let read = [
        "app/read.yaml",
        "app/none.yaml",
        "app/charts/",
        "base/read.yaml",
        "base/none.yaml",
        "folder/",
        "gone/",
    ];
    Rendering {
        documents: vec![Document {
            text: "a: 1".to_owned(),
            source: String::new(),
            part: Part::Manifest,
        }],
        read: read.map(str::to_owned).into(),
        random: random.then(|| "now".to_owned()).into_iter().collect(),
        ..Rendering::default()
    }
}

fn question() -> Question {
    Question([7; 32])
}

fn kept(random: bool) -> Cache {
    kept_with(random, None)
}

fn kept_with(random: bool, disk: Option<&Disk>) -> Cache {
    let cache = Cache::default();
    let mut before = commit(&[]);
    let input = input(&before);
    cache.keep(
        question(),
        &mut Lookup::of(&input, &mut before),
        "seed",
        &rendering(random),
        disk,
    );
    cache
}

fn is_found(cache: &Cache, changes: &[(&str, &str)], seed: &str) -> bool {
    is_found_with(cache, None, changes, seed)
}

fn is_found_with(cache: &Cache, disk: Option<&Disk>, changes: &[(&str, &str)], seed: &str) -> bool {
    let mut now = commit(changes);
    let input = input(&now);
    cache
        .find(&question(), &mut Lookup::of(&input, &mut now), seed, disk)
        .is_some()
}

#[test]
fn what_is_on_disk_is_judged_by_what_was_read_too() {
    let folder = tempfile::tempdir().unwrap();
    let disk = Disk::of(folder.path(), b"a key of the installation").unwrap();
    drop(kept_with(true, Some(&disk)));
    let found = |changes: &[(&str, &str)], seed: &str| {
        let after_a_restart = Cache::default();
        let found = is_found_with(&after_a_restart, Some(&disk), changes, seed);
        // From then on it is in memory.
        assert_eq!(is_found(&after_a_restart, changes, seed), found);
        found
    };
    assert!(found(&[("app/other.yaml", "2")], "seed"));
    assert!(!found(&[("app/read.yaml", "2")], "seed"));
    assert!(!found(&[], "another seed"));
    assert!(!is_found(&Cache::default(), &[], "seed"));
}

#[test]
fn only_what_was_read_or_looked_for_counts() {
    let cache = kept(false);
    for (change, holds) in [
        (("app/other.yaml", "2"), true),
        (("base/other.yaml", ""), true),
        (("elsewhere/x", "1"), true),
        (("foldered/x", "1"), true),
        (("app/read.yaml", "2"), false),
        (("app/read.yaml", ""), false),
        (("app/none.yaml", "1"), false),
        (("app/charts/a/x", "2"), false),
        (("app/charts/b/x", "1"), false),
        (("base/read.yaml", "2"), false),
        (("base/none.yaml", "1"), false),
        (("folder/a", "2"), false),
        (("folder/b/c", "1"), false),
        (("folder/link", "-> base/other.yaml"), false),
        (("gone/back", "1"), false),
    ] {
        assert_eq!(is_found(&cache, &[change], "another seed"), holds, "{change:?}");
    }
    let mut now = commit(&[]);
    let input = input(&now);
    let other = Question([8; 32]);
    assert!(
        cache
            .find(&other, &mut Lookup::of(&input, &mut now), "seed", None)
            .is_none()
    );
}

#[test]
fn what_is_made_up_is_the_seeds() {
    let cache = kept(true);
    assert!(is_found(&cache, &[], "seed"));
    assert!(!is_found(&cache, &[], "another seed"));
}

#[test]
fn the_question_is_renderer_folder_settings_and_circumstances() {
    let (input, context) = (Input::default(), Context::default());
    let of = |renderer: &str, input: &Input, context: &Context| Question::of(renderer, input, context);
    let first = of("helm", &input, &context);
    assert!(first.is_some());
    let settings = Input {
        settings: "{}".to_owned(),
        ..Input::default()
    };
    let path = Input {
        path: "a".to_owned(),
        ..Input::default()
    };
    let version = Context {
        kube_version: Some("1.36.0".to_owned()),
        ..Context::default()
    };
    let seed = Context {
        seed: "aa".to_owned(),
        ..Context::default()
    };
    for other in [
        of("kustomize", &input, &context),
        of("helm", &settings, &context),
        of("helm", &path, &context),
        of("helm", &input, &version),
    ] {
        assert!(other.is_some() && other != first);
    }
    assert_eq!(of("helm", &input, &seed), first);
}

#[test]
fn it_is_bounded() {
    let cache = Cache::default();
    let mut now = commit(&[]);
    let input = input(&now);
    let large = Rendering {
        documents: vec![Document {
            text: "x".repeat(BYTES / 20),
            source: String::new(),
            part: Part::Manifest,
        }],
        ..Rendering::default()
    };
    for number in 0..10 {
        let question = Question([number; 32]);
        cache.keep(question, &mut Lookup::of(&input, &mut now), "", &large, None);
    }
    let shelf = cache.0.lock().unwrap();
    assert!(
        shelf.bytes <= BYTES && shelf.answers.len() == 4 && shelf.order.len() == 4,
        "{} {}",
        shelf.bytes,
        shelf.answers.len()
    );
    drop(shelf);
    let found = |number: u8, now: &mut Commit| {
        cache
            .find(&Question([number; 32]), &mut Lookup::of(&input, now), "", None)
            .is_some()
    };
    assert!(found(9, &mut now) && !found(0, &mut now));
    // One question with many answers keeps the last ones.
    let cache = Cache::default();
    for number in 0..20 {
        let mut now = commit(&[("app/read.yaml", &number.to_string())]);
        let input = self::input(&now);
        cache.keep(
            question(),
            &mut Lookup::of(&input, &mut now),
            "",
            &rendering(false),
            None,
        );
    }
    assert!(
        is_found(&cache, &[("app/read.yaml", "19")], "") && !is_found(&cache, &[("app/read.yaml", "2")], "")
    );
}
