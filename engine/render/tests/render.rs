//! From a verified tree to manifests: which files, in which order, and what is wrong with them.
#![expect(clippy::disallowed_methods, reason = "a test stands in for the verify stage")]

use std::collections::BTreeMap;
use std::sync::Arc;

use sluice_model::application::{Directory, Source};
use sluice_model::error::Coded;
use sluice_model::tree::{Link, Revision, Tree};
use sluice_model::trust::{Evidence, Verified};
use sluice_render::{NoTools, RenderErrors, codes, render};

const OBJECT: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: ";

fn tree(path: &str, files: &[(&str, &str)], skipped: &[&str]) -> Verified<Tree> {
    let revision = Revision {
        requested: "main".into(),
        commit: "c".repeat(40),
        tree: "d".repeat(40),
        tag: None,
    };
    let files: BTreeMap<String, Arc<[u8]>> = files
        .iter()
        .map(|(name, text)| ((*name).to_owned(), text.as_bytes().into()))
        .collect();
    // One that ends with a slash is a link to a folder.
    let linked_folders = skipped.iter().filter_map(|path| path.strip_suffix('/'));
    let link = |path: &str| {
        let to = "elsewhere".to_owned();
        (path.to_owned(), Link { to, is_folder: true })
    };
    let links = linked_folders.map(link).collect();
    let skipped = skipped
        .iter()
        .map(|path| path.trim_end_matches('/').to_owned())
        .collect();
    Verified::attest(
        Tree {
            revision,
            path: path.into(),
            files,
            skipped,
            submodules: Vec::new(),
            links,
        },
        Evidence::NotRequired,
    )
}

fn source(directory: Directory) -> Source {
    Source {
        repo_url: "file:///r".into(),
        chart: None,
        target_revision: "main".into(),
        path: String::new(),
        name: String::new(),
        reference: String::new(),
        start_of_trust: None,
        directory,
        helm: None,
        kustomize: None,
        plugin: None,
        credentials: None,
        known_hosts: None,
        tls_certificates: None,
    }
}

fn names(tree: &Verified<Tree>, directory: Directory) -> Result<Vec<String>, RenderErrors> {
    let manifests = render(tree, &source(directory), &mut NoTools)?.manifests;
    Ok(manifests
        .iter()
        .map(|manifest| manifest.object.name().to_owned())
        .collect())
}

fn codes_of(result: Result<Vec<String>, RenderErrors>) -> Vec<&'static str> {
    result
        .expect_err("refused")
        .iter()
        .map(|error| error.code().id)
        .collect()
}

fn all(name: &str) -> String {
    format!("{OBJECT}{name}\n")
}

#[test]
fn folders_extensions_and_patterns() {
    let files: Vec<(String, String)> = [
        "app/b.yaml",
        "app/a.yml",
        "app/c.json.txt",
        "app/sub/d.yaml",
        "app/sub/e_test.yaml",
        "app2/x.yaml",
        "app/README.md",
    ]
    .iter()
    .map(|path| ((*path).to_owned(), all(&path.replace(['/', '.', '_'], "-"))))
    .collect();
    let files: Vec<(&str, &str)> = files
        .iter()
        .map(|(path, text)| (path.as_str(), text.as_str()))
        .collect();
    let tree = tree("app", &files, &[]);
    let check = |recurse: bool, include: &str, exclude: &str, expected: &[&str]| {
        let directory = Directory {
            recurse,
            include: include.into(),
            exclude: exclude.into(),
            ..Directory::default()
        };
        assert_eq!(
            names(&tree, directory).unwrap(),
            expected,
            "{recurse} {include} {exclude}"
        );
    };
    check(false, "", "", &["app-a-yml", "app-b-yaml"]);
    check(
        true,
        "",
        "",
        &["app-a-yml", "app-b-yaml", "app-sub-d-yaml", "app-sub-e-test-yaml"],
    );
    // A star crosses folders, as with Argo CD.
    check(
        true,
        "*.yaml",
        "",
        &["app-b-yaml", "app-sub-d-yaml", "app-sub-e-test-yaml"],
    );
    check(true, "sub/**", "", &["app-sub-d-yaml", "app-sub-e-test-yaml"]);
    check(true, "{a,b}.y*", "", &["app-a-yml", "app-b-yaml"]);
    check(true, "**/d.yaml", "", &["app-sub-d-yaml"]);
    check(
        true,
        "",
        "*_test.yaml",
        &["app-a-yml", "app-b-yaml", "app-sub-d-yaml"],
    );
    check(true, "sub/*", "*_test*", &["app-sub-d-yaml"]);
    check(true, "[!b].y*", "", &["app-a-yml"]);
}

#[test]
fn an_empty_folder_is_an_answer() {
    assert_eq!(
        names(&tree("", &[], &[]), Directory::default()).unwrap(),
        Vec::<String>::new()
    );
    let comments = tree(
        "",
        &[("a.yaml", "# nothing yet\n---\n"), ("b.txt", "x")],
        &["link.txt"],
    );
    assert_eq!(
        names(&comments, Directory::default()).unwrap(),
        Vec::<String>::new()
    );
}

#[test]
fn every_file_is_heard() {
    let list = "apiVersion: v1\nkind: Secret\nmetadata: {name: 7, labels: {on: yes}, annotations: [a]}\n";
    let tree = tree(
        "",
        &[
            ("a.yaml", "a: [\n"),
            ("b.yaml", "kind: A\n"),
            ("c.yaml", list),
            ("d.yaml", "apiVersion: v1\nkind: A\n"),
        ],
        &["link.yaml", "module"],
    );
    let skipped = codes_of(names(&tree, Directory::default()));
    assert_eq!(skipped, [codes::NOT_FOLLOWED.id]);
    let directory = Directory {
        exclude: "link*".into(),
        ..Directory::default()
    };
    let errors = render(&tree, &source(directory), &mut NoTools).unwrap_err();
    let text = errors.to_string();
    for expected in [
        "R01: a.yaml:",
        "R07: b.yaml:1:1: a document is no Kubernetes object: no `apiVersion`",
        "R14: c.yaml:3:12: Secret : `metadata.name` is a number, not text",
        "R14: c.yaml:3:21: Secret : `metadata.labels` has `true` as a boolean, not text",
        "R14: c.yaml:3:40: Secret : `metadata.annotations` is a list, not a map",
        "R07: d.yaml:1: A : has no `metadata`, and so no name",
    ] {
        assert!(text.contains(expected), "{expected} is missing in\n{text}");
    }
}

#[test]
fn what_is_meant_for_another_tool_is_not_applied_as_it_is() {
    for file in ["kustomization.yaml", "Chart.yaml"] {
        let path = format!("app/{file}");
        let inside = tree(
            "app",
            &[(&path, "resources: []\n"), ("app/a.yaml", &all("a"))],
            &[],
        );
        // Its own renderer is asked, and there is none here.
        assert_eq!(
            codes_of(names(&inside, Directory::default())),
            [codes::RENDERER.id]
        );
        let plain = Directory {
            include: "*.yaml".into(),
            ..Directory::default()
        };
        assert_eq!(codes_of(names(&inside, plain)), [codes::OTHER_TOOL.id]);
        let beside = tree("app/sub", &[("app/sub/a.yaml", &all("a"))], &[]);
        assert_eq!(names(&beside, Directory::default()).unwrap(), ["a"]);
    }
}

#[test]
fn patterns_that_are_none() {
    let tree = tree("", &[], &[]);
    let directory = Directory {
        include: "[".into(),
        exclude: "{a".into(),
        recurse: false,
        ..Directory::default()
    };
    assert_eq!(
        codes_of(names(&tree, directory)),
        [codes::PATTERN.id, codes::PATTERN.id]
    );
}

#[test]
fn a_pointer_of_git_lfs_is_no_manifest() {
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n";
    let tree = tree(
        "",
        &[
            ("a.yaml", &all("a")),
            ("large.yaml", pointer),
            ("large.bin", pointer),
        ],
        &[],
    );
    assert_eq!(codes_of(names(&tree, Directory::default())), [codes::POINTER.id]);
    let directory = Directory {
        exclude: "large.yaml".into(),
        ..Directory::default()
    };
    assert_eq!(names(&tree, directory).unwrap(), ["a"]);
}

#[test]
fn codes_are_unique_and_helpful() {
    let mut ids: Vec<&str> = codes::ALL.iter().map(|code| code.id).collect();
    ids.dedup();
    assert_eq!(ids.len(), codes::ALL.len());
    assert!(
        codes::ALL
            .iter()
            .all(|code| !code.hint.is_empty() && !code.summary.is_empty())
    );
}

#[test]
fn the_same_tree_gives_the_same_manifests() {
    let files = [("b.yaml", all("b")), ("a.yaml", all("a") + "---\n" + &all("a2"))];
    let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (*path, text.as_str())).collect();
    let tree = tree("", &files, &[]);
    assert_eq!(names(&tree, Directory::default()).unwrap(), ["a", "a2", "b"]);
    assert_eq!(
        render(&tree, &source(Directory::default()), &mut NoTools),
        render(&tree, &source(Directory::default()), &mut NoTools)
    );
}

/// Public reports: a folder that is a symbolic link was left out without a word, and what came from it would have been pruned.
#[test]
fn a_folder_that_is_a_link_is_told_where_it_would_be_looked_into() {
    let tree = tree(
        "app",
        &[("app/own.yaml", &all("own"))],
        &["app/dashboards/", "app/README"],
    );
    let directory = |recurse, exclude: &str| Directory {
        recurse,
        exclude: exclude.into(),
        ..Directory::default()
    };
    let error = names(&tree, directory(true, "")).unwrap_err().to_string();
    assert!(
        error.starts_with("R09: app/dashboards: is a symbolic link to a folder"),
        "{error}"
    );
    assert!(!error.contains("README"), "{error}");
    for exclude in ["dashboards", "dashboards/*", "dash*"] {
        assert_eq!(
            names(&tree, directory(true, exclude)).unwrap(),
            ["own"],
            "{exclude}"
        );
    }
    assert_eq!(names(&tree, directory(false, "")).unwrap(), ["own"]);
}

/// Public reports: the hint was to exclude the file, and then the bases beside it were applied unrendered.
#[test]
fn folders_of_other_tools_below_the_path_are_left_out_as_a_whole() {
    let kustomization = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n";
    let chart = "apiVersion: v2\nname: x\nversion: 0.1.0\n";
    let (a, b, c) = (all("a"), all("b"), all("c"));
    let files = [
        ("app/a.yaml", a.as_str()),
        ("app/base/b.yaml", &b),
        ("app/base/kustomization.yaml", kustomization),
        ("app/chart/Chart.yaml", chart),
        ("app/chart/templates/c.yaml", &c),
    ];
    let tree = tree("app", &files, &[]);
    let directory = |exclude: &str| Directory {
        recurse: true,
        exclude: exclude.into(),
        ..Directory::default()
    };
    for (exclude, expected) in [
        ("", vec!["R10", "R10", "R07", "R07"]),
        // The file alone is no way out.
        ("{base/kustomization.yaml,chart/*}", vec!["R10"]),
        ("{base/*,chart/Chart.yaml}", vec!["R10"]),
    ] {
        let found = codes_of(names(&tree, directory(exclude)));
        assert!(
            found.starts_with(&expected[..1])
                && found.iter().filter(|code| **code == "R10").count()
                    == expected.iter().filter(|code| **code == "R10").count(),
            "{exclude}: {found:?}"
        );
    }
    assert_eq!(names(&tree, directory("{base/*,chart/*}")).unwrap(), ["a"]);
    let flat = Directory::default();
    assert_eq!(names(&tree, flat).unwrap(), ["a"]);
}

#[test]
fn metadata_is_told_with_the_line_of_its_key() {
    let text = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n  labels:\n    x: a\n    build: 12\n---\napiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: ConfigMap\n  metadata:\n    name: 7\n";
    let tree = tree("app", &[("app/a.yaml", text)], &[]);
    let errors = names(&tree, Directory::default()).unwrap_err().to_string();
    let lines: Vec<&str> = errors.lines().collect();
    assert!(
        lines[0].starts_with("R14: app/a.yaml:7:5: ") && lines[0].contains("`build`"),
        "{errors}"
    );
    assert!(
        lines[1].starts_with("R14: app/a.yaml:15:5: ") && lines[1].contains("`metadata.name`"),
        "{errors}"
    );
}
