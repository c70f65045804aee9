//! Charts and kustomizations: which renderer is asked, what it is handed in which round, and what becomes of its answers. The renderers
//! here are scripted; the real ones are tested with the host.
#![expect(clippy::disallowed_methods, reason = "a test stands in for the verify stage")]

use std::collections::BTreeMap;

use sluice_model::application::{Directory, Helm, Kustomize, Source, SourcePlugin};
use sluice_model::error::Coded as _;
use sluice_model::rendering::{
    Complaint, Context, Document, Input, Need, Outcome, Part, Renderer, Rendering,
};
use sluice_model::tree::{Link, Revision, Tree};
use sluice_model::trust::{Evidence, Verified};
use sluice_render::{Problem, RenderErrors, Rendered, SourceKind, Tools, codes, render};

const CHART: (&str, &str) = ("app/Chart.yaml", "apiVersion: v2\nname: app\nversion: 0.1.0\n");
const KUSTOMIZATION: (&str, &str) = ("app/kustomization.yaml", "resources: [../base]\n");
const OBJECT: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n";

/// The files of a repository; `a -> b` is a link.
struct Repository(BTreeMap<&'static str, &'static str>);

impl Repository {
    fn tree(&self, path: &str) -> Option<Tree> {
        let inside = |name: &str| path.is_empty() || name == path || name.starts_with(&format!("{path}/"));
        let mut tree = Tree {
            revision: Revision {
                requested: "main".into(),
                commit: "c".repeat(40),
                tree: "d".repeat(40),
                tag: None,
            },
            path: path.to_owned(),
            files: BTreeMap::new(),
            skipped: Vec::new(),
            submodules: Vec::new(),
            links: BTreeMap::new(),
        };
        for (name, text) in self.0.iter().filter(|(name, _)| inside(name)) {
            match text.strip_prefix("-> ") {
                Some(to) => {
                    let is_folder = !self.0.contains_key(to);
                    let to = to.to_owned();
                    tree.links.insert((*name).to_owned(), Link { to, is_folder });
                }
                None => drop(tree.files.insert((*name).to_owned(), text.as_bytes().into())),
            }
        }
        (!tree.files.is_empty() || !tree.links.is_empty()).then_some(tree)
    }
}

/// Answers in their order, and what was asked.
struct Script {
    repository: Repository,
    answers: Vec<Outcome>,
    asked: Vec<(String, Input)>,
}

impl Tools for Script {
    fn files(&mut self, path: &str) -> Result<Option<Verified<Tree>>, Problem> {
        if path == "damaged" {
            let reason = "an object is missing".to_owned();
            return Err(Problem::Unreachable { reason });
        }
        let vouch = |tree| Verified::attest(tree, Evidence::NotRequired);
        Ok(self.repository.tree(path).map(vouch))
    }

    fn run(&mut self, renderer: Renderer<'_>, input: &Input) -> Result<Outcome, Problem> {
        let asked = match renderer {
            Renderer::Standard(name) => name.to_owned(),
            Renderer::Added(name) => format!("added {name}"),
        };
        self.asked.push((asked, input.clone()));
        Ok(match self.answers.is_empty() {
            true => Outcome::Needs(vec![Need::Path(format!("more/{}", self.asked.len()))]),
            false => self.answers.remove(0),
        })
    }

    fn context(&mut self, _: &Input) -> Context {
        Context {
            release: "app".to_owned(),
            ..Context::default()
        }
    }
}

fn script(files: &[(&'static str, &'static str)], answers: Vec<Outcome>) -> Script {
    Script {
        repository: Repository(files.iter().copied().collect()),
        answers,
        asked: Vec::new(),
    }
}

fn source() -> Source {
    serde_json::from_value(serde_json::json!({"repoURL": "file:///r", "path": "app"})).expect("a source")
}

/// The source, rendered by a renderer of the plugin directory.
fn by(name: &str, source: Source) -> Source {
    let plugin = SourcePlugin {
        name: name.to_owned(),
        ..SourcePlugin::default()
    };
    Source {
        plugin: Some(plugin),
        ..source
    }
}

fn run(script: &mut Script, source: &Source) -> Result<Rendered, RenderErrors> {
    let tree = script.repository.tree("app").expect("a folder");
    render(&Verified::attest(tree, Evidence::NotRequired), source, script)
}

fn rendered(texts: &[(&str, &str)]) -> Outcome {
    let document = |(source, text): &(&str, &str)| Document {
        text: (*text).to_owned(),
        source: (*source).to_owned(),
        part: Part::Manifest,
    };
    Outcome::Rendered(Rendering {
        documents: texts.iter().map(document).collect(),
        ..Rendering::default()
    })
}

fn read(outcome: Outcome, paths: &[&str]) -> Outcome {
    let read = paths.iter().map(|path| (*path).to_owned()).collect();
    match outcome {
        Outcome::Rendered(rendering) => Outcome::Rendered(Rendering { read, ..rendering }),
        other => other,
    }
}

fn ids(errors: &RenderErrors) -> Vec<&'static str> {
    errors.iter().map(|error| error.code().id).collect()
}

fn paths(files: &[sluice_model::rendering::File]) -> Vec<&str> {
    files.iter().map(|file| file.path.as_str()).collect()
}

#[test]
fn the_kind_is_what_the_folder_or_the_source_says() {
    let (helm, kustomize) = (Some(Helm::default()), Some(Kustomize::default()));
    let recurse = Directory {
        recurse: true,
        ..Directory::default()
    };
    let plain = ("app/a.yaml", OBJECT);
    let kind = |files: &[(&'static str, &'static str)], source: Source| {
        let tree = script(files, Vec::new()).repository.tree("app").unwrap();
        SourceKind::of(&tree, &source).map_err(|error| error.code().id)
    };
    let with = |helm: Option<Helm>, kustomize: Option<Kustomize>, directory: Directory| Source {
        helm,
        kustomize,
        directory,
        ..source()
    };
    let said = |helm, kustomize| with(helm, kustomize, Directory::default());
    for (files, source, expected) in [
        (vec![plain], source(), Ok(SourceKind::Directory)),
        (vec![plain, CHART], source(), Ok(SourceKind::Helm)),
        (vec![plain, KUSTOMIZATION], source(), Ok(SourceKind::Kustomize)),
        (
            vec![("app/kustomization.yml", "")],
            source(),
            Ok(SourceKind::Kustomize),
        ),
        (
            vec![("app/Kustomization", "")],
            source(),
            Ok(SourceKind::Kustomize),
        ),
        (
            vec![("app/sub/Chart.yaml", "")],
            source(),
            Ok(SourceKind::Directory),
        ),
        (vec![CHART, KUSTOMIZATION], source(), Ok(SourceKind::Kustomize)),
        (
            vec![CHART, KUSTOMIZATION],
            said(helm.clone(), None),
            Ok(SourceKind::Helm),
        ),
        (
            vec![CHART],
            with(None, None, recurse.clone()),
            Ok(SourceKind::Directory),
        ),
        (vec![plain], said(helm.clone(), None), Err("R23")),
        (vec![plain], said(None, kustomize.clone()), Err("R23")),
        (
            vec![CHART, KUSTOMIZATION],
            said(helm.clone(), kustomize.clone()),
            Err("R23"),
        ),
        (vec![plain], by("mine", source()), Ok(SourceKind::Plugin)),
        (
            vec![CHART, KUSTOMIZATION],
            by("mine", source()),
            Ok(SourceKind::Plugin),
        ),
        (vec![CHART], by("mine", said(helm, None)), Err("R23")),
        (vec![KUSTOMIZATION], by("mine", said(None, kustomize)), Err("R23")),
        (vec![plain], by("mine", with(None, None, recurse)), Err("R23")),
    ] {
        let about = format!("{files:?} {source:?}");
        assert_eq!(kind(&files, source), expected, "{about}");
    }
}

#[test]
fn bases_are_handed_over_before_they_are_asked_for() {
    let files = [
        KUSTOMIZATION,
        (
            "base/kustomization.yaml",
            "resources: [../more/deep, ../gone, ../../outside, ../app]\n",
        ),
        ("base/a.yaml", OBJECT),
        (
            "more/deep/kustomization.yaml",
            "resources: [../b.yaml, ../../base]\n",
        ),
        ("more/b.yaml", OBJECT),
        ("more/c.yaml", OBJECT),
    ];
    let mut said = script(&files, vec![rendered(&[("base/a.yaml", OBJECT)])]);
    run(&mut said, &source()).unwrap();
    let [(_, asked)] = &said.asked[..] else {
        panic!("{:?}", said.asked)
    };
    let supplied: Vec<_> = asked
        .supplied
        .iter()
        .map(|supply| (supply.path.as_str(), paths(&supply.files)))
        .collect();
    assert_eq!(
        supplied,
        [
            ("base", vec!["base/a.yaml", "base/kustomization.yaml"]),
            ("more/deep", vec!["more/deep/kustomization.yaml"]),
            ("more/b.yaml", vec!["more/b.yaml"]),
        ]
    );
}

#[test]
fn what_is_asked_for_is_handed_over_once_and_nothing_outside() {
    let base = Need::Path("base".to_owned());
    let gone = Need::Path("gone/values.yaml".to_owned());
    let files = [
        ("app/kustomization.yaml", "resources: [plain.yaml]\n"),
        ("base/a.yaml", OBJECT),
        ("base/b/c.yaml", "c"),
        ("other/d.yaml", "d"),
    ];
    let mut said = script(
        &files,
        vec![
            Outcome::Needs(vec![base.clone(), gone.clone(), base]),
            rendered(&[("base/a.yaml", OBJECT)]),
        ],
    );
    let done = run(&mut said, &source()).unwrap();
    assert_eq!(done.kind, SourceKind::Kustomize);
    assert_eq!(done.manifests[0].origin.to_string(), "base/a.yaml:1");
    let [(_, first), (_, second)] = &said.asked[..] else {
        panic!("{:?}", said.asked)
    };
    assert_eq!(paths(&first.files), ["app/kustomization.yaml"]);
    assert!(first.supplied.is_empty() && first.context.contains("\"release\":\"app\""));
    let supplied: Vec<_> = second
        .supplied
        .iter()
        .map(|supply| (supply.path.as_str(), paths(&supply.files)))
        .collect();
    assert_eq!(
        supplied,
        [
            ("base", vec!["base/a.yaml", "base/b/c.yaml"]),
            ("gone/values.yaml", vec![])
        ]
    );

    for outside in ["../secrets", "/etc/passwd", "a/../../b", "a//b", "./a"] {
        let need = Outcome::Needs(vec![Need::Path(outside.to_owned())]);
        let errors = run(&mut script(&files, vec![need]), &source()).unwrap_err();
        assert_eq!(ids(&errors), [codes::UNMET.id], "{outside}");
    }
    // What cannot be read is no missing file.
    let need = Outcome::Needs(vec![Need::Path("damaged".to_owned())]);
    let errors = run(&mut script(&files, vec![need]), &source()).unwrap_err();
    assert_eq!(ids(&errors), [codes::UNREACHABLE.id]);
    // A renderer that asks the same again, or always for more, ends.
    let again = || Outcome::Needs(vec![gone.clone()]);
    let errors = run(&mut script(&files, vec![again(), again()]), &source()).unwrap_err();
    assert_eq!(ids(&errors), [codes::RENDERER.id]);
    let mut endless = script(&files, Vec::new());
    assert_eq!(
        ids(&run(&mut endless, &source()).unwrap_err()),
        [codes::RENDERER.id]
    );
    assert_eq!(endless.asked.len(), 24);
}

#[test]
fn a_chart_of_the_repository_is_inflated_for_a_kustomization() {
    let inflation = r#"{"path": "charts/x", "helm": {"releaseName": "x"}}"#.to_owned();
    let need = Need::Inflation(inflation);
    let files = [KUSTOMIZATION, ("charts/x/Chart.yaml", "name: x")];
    let mut said = script(
        &files,
        vec![
            Outcome::Needs(vec![need]),
            read(
                rendered(&[("x/templates/a.yaml", "a: 1"), ("x/templates/b.yaml", "b: 2")]),
                &["charts/x/Chart.yaml"],
            ),
            read(rendered(&[("", OBJECT)]), &["app/kustomization.yaml"]),
        ],
    );
    // What the chart was made of counts for the whole.
    assert_eq!(
        run(&mut said, &source()).unwrap().read,
        ["app/kustomization.yaml", "charts/x/Chart.yaml"]
    );
    let asked: Vec<_> = said
        .asked
        .iter()
        .map(|(renderer, input)| (renderer.as_str(), input.path.as_str()))
        .collect();
    assert_eq!(
        asked,
        [("kustomize", "app"), ("helm", "charts/x"), ("kustomize", "app")]
    );
    assert_eq!(said.asked[1].1.settings, r#"{"releaseName":"x"}"#);
    let supply = &said.asked[2].1.supplied[0];
    assert_eq!(
        (supply.path.as_str(), paths(&supply.files)),
        (".supplied/+0/rendered.yaml", vec![".supplied/+0/rendered.yaml"])
    );
    assert_eq!(&*supply.files[0].content, b"---\na: 1\n---\nb: 2\n");

    for (need, words) in [
        (
            Need::Remote("https://example.org/base".to_owned()),
            "`https://example.org/base`",
        ),
        (
            Need::Chart(
                r#"{"name": "redis", "version": "1.2.3", "repository": "https://example.org"}"#.to_owned(),
            ),
            "`redis` 1.2.3 of https://example.org",
        ),
        (Need::Inflation(r#"{"name": "redis"}"#.to_owned()), "`redis`"),
        (
            Need::Inflation(r#"{"path": "charts/none", "name": "redis"}"#.to_owned()),
            "`redis`",
        ),
        (Need::Inflation("[".to_owned()), "a chart"),
    ] {
        let errors = run(&mut script(&files, vec![Outcome::Needs(vec![need])]), &source()).unwrap_err();
        assert_eq!(ids(&errors), [codes::UNMET.id]);
        assert!(errors.to_string().contains(words), "{errors}");
    }
    // A chart within a chart within …
    let deep = || {
        Outcome::Needs(vec![Need::Inflation(
            r#"{"path": "charts/x", "helm": {}}"#.to_owned(),
        )])
    };
    let errors = run(&mut script(&files, (0..9).map(|_| deep()).collect()), &source()).unwrap_err();
    assert!(errors.to_string().contains("deep within each other"), "{errors}");
}

#[test]
fn links_stand_for_what_they_lead_to() {
    let files = [
        CHART,
        ("app/values.yaml", "-> shared/values.yaml"),
        ("app/templates", "-> shared/templates"),
        ("app/charts/b", "-> app/charts/a"),
        ("app/charts/a/Chart.yaml", "name: a"),
        ("app/dangling", "-> nowhere"),
        ("shared/values.yaml", "v"),
        ("shared/templates/cm.yaml", "t"),
        ("shared/templates/more", "-> shared/values.yaml"),
    ];
    let mut said = script(&files, vec![rendered(&[])]);
    run(&mut said, &source()).unwrap();
    let handed = &said.asked[0].1.files;
    assert_eq!(
        paths(handed),
        [
            "app/Chart.yaml",
            "app/charts/a/Chart.yaml",
            "app/charts/b/Chart.yaml",
            "app/templates/cm.yaml",
            "app/templates/more",
            "app/values.yaml"
        ]
    );
    assert_eq!((&*handed[3].content, &*handed[4].content), (&b"t"[..], &b"v"[..]));

    for looping in [
        vec![CHART, ("app/templates", "-> app")],
        vec![CHART, ("app/templates", "-> ")],
        vec![CHART, ("app/a", "-> b"), ("b/c", "-> app")],
        vec![CHART, ("app/a", "-> b"), ("b/x", "x"), ("b/c", "-> b")],
    ] {
        let errors = run(&mut script(&looping, vec![rendered(&[])]), &source()).unwrap_err();
        assert_eq!(ids(&errors), [codes::NOT_FOLLOWED.id], "{looping:?}");
    }
}

#[test]
fn a_refusal_has_its_place_its_calls_and_its_hint() {
    let complaint = Complaint {
        code: "template".to_owned(),
        message: "nil pointer evaluating interface {}.image".to_owned(),
        file: Some("app/templates/deployment.yaml".to_owned()),
        line: Some(12),
        hint: Some("give `image` in values.yaml".to_owned()),
        trace: vec!["app/templates/_helpers.tpl:3:4: app.image".to_owned()],
    };
    let errors = run(
        &mut script(
            &[CHART],
            vec![Outcome::Refused(vec![complaint, Complaint::default()])],
        ),
        &source(),
    );
    let errors = errors.unwrap_err();
    let first = errors.iter().next().unwrap();
    assert_eq!(
        first.to_string(),
        "app/templates/deployment.yaml:12: nil pointer evaluating interface {}.image\n    at app/templates/_helpers.tpl:3:4: app.image"
    );
    assert_eq!(first.hint(), "give `image` in values.yaml");
    assert_eq!(ids(&errors), ["R20", "R20"]);
    // The renderer does not know where a seed comes from.
    let seedless = Complaint {
        code: "context".to_owned(),
        ..Complaint::default()
    };
    let errors = run(
        &mut script(&[CHART], vec![Outcome::Refused(vec![seedless])]),
        &source(),
    )
    .unwrap_err();
    assert!(
        errors
            .iter()
            .next()
            .unwrap()
            .hint()
            .contains("--shared-namespace")
    );
    // Without a word, it is a refusal all the same.
    let silent = run(
        &mut script(&[CHART], vec![Outcome::Refused(Vec::new())]),
        &source(),
    );
    assert_eq!(ids(&silent.unwrap_err()), ["R20"]);
}

#[test]
fn files_that_helm_names_by_their_chart_are_named_by_their_folder() {
    let files = [
        CHART,
        ("app/templates/a.yaml", "a"),
        ("app/charts/sub/templates/b.yaml", "b"),
    ];
    for (named, expected) in [
        ("shop/templates/a.yaml", "app/templates/a.yaml"),
        (
            "shop/charts/sub/templates/b.yaml",
            "app/charts/sub/templates/b.yaml",
        ),
        ("app/Chart.yaml", "app/Chart.yaml"),
        // Of an archive in `charts/`.
        (
            "shop/charts/other/templates/b.yaml",
            "shop/charts/other/templates/b.yaml",
        ),
        ("shop", "shop"),
    ] {
        let complaint = Complaint {
            file: Some(named.to_owned()),
            ..Complaint::default()
        };
        let errors = run(
            &mut script(&files, vec![Outcome::Refused(vec![complaint])]),
            &source(),
        );
        let errors = errors.unwrap_err();
        assert_eq!(errors.iter().next().unwrap().place.file, expected, "{named}");
    }
}

#[test]
fn what_was_rendered_is_read_like_any_file() {
    let wrong = [
        ("app/templates/a.yaml", OBJECT),
        ("app/templates/b.yaml", "kind: ConfigMap\n"),
    ];
    let errors = run(&mut script(&[CHART], vec![rendered(&wrong)]), &source()).unwrap_err();
    assert_eq!(
        errors.to_string().split(':').nth(1),
        Some(" app/templates/b.yaml")
    );
    assert_eq!(ids(&errors), ["R07"]);
}

/// Charts in use do this, and neither Helm nor Argo CD minds: their users could not mend it.
#[test]
fn a_key_that_a_chart_gives_twice_is_told_and_the_last_one_counts() {
    let text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n  x: '1'\n  x: '2'\n";
    let done = run(
        &mut script(&[CHART], vec![rendered(&[("app/templates/a.yaml", text)])]),
        &source(),
    )
    .unwrap();
    assert_eq!(done.manifests[0].object.value()["data"]["x"], "2");
    let [warning] = &done.warnings[..] else {
        panic!("{:?}", done.warnings)
    };
    assert_eq!(
        (warning.file.as_deref(), warning.line),
        (Some("app/templates/a.yaml"), Some(6))
    );
    assert!(warning.message.contains("`x`"), "{}", warning.message);
}

#[test]
fn programs_among_manifests_are_evaluated() {
    let files = [
        ("app/a.yaml", OBJECT),
        ("app/b.jsonnet", "{}"),
        ("app/sub/c.jsonnet", "{}"),
        ("app/skipped.jsonnet", "{}"),
        ("app/lib.libsonnet", "{}"),
    ];
    let settings = serde_json::json!({
        "recurse": true,
        "exclude": "skipped*",
        "jsonnet": {"tlas": [{"name": "a", "value": "b"}], "libs": ["vendor"]},
    });
    let source = Source {
        directory: serde_json::from_value(settings).unwrap(),
        ..source()
    };
    let mut said = script(
        &files,
        vec![rendered(&[(
            "app/b.jsonnet",
            "{\"apiVersion\": \"v1\", \"kind\": \"ConfigMap\", \"metadata\": {\"name\": \"b\"}}",
        )])],
    );
    let done = run(&mut said, &source).unwrap();
    let names: Vec<_> = done
        .manifests
        .iter()
        .map(|manifest| manifest.object.name().to_owned())
        .collect();
    assert_eq!(
        (done.kind, names),
        (SourceKind::Directory, vec!["a".to_owned(), "b".to_owned()])
    );
    let [(renderer, input)] = &said.asked[..] else {
        panic!("{:?}", said.asked)
    };
    assert_eq!(*renderer, "jsonnet");
    let asked: serde_json::Value = serde_json::from_str(&input.settings).unwrap();
    assert_eq!(
        asked,
        serde_json::json!({"tlas": [{"name": "a", "value": "b"}], "libs": ["vendor"], "files": ["b.jsonnet", "sub/c.jsonnet"]})
    );
    // Without any, no renderer is asked.
    let plain = script(&files[..1], Vec::new());
    let mut plain = plain;
    run(&mut plain, &self::source()).unwrap();
    assert!(plain.asked.is_empty());
}

#[test]
fn a_renderer_of_others_is_handed_the_folder_and_what_the_source_says() {
    let files = [
        ("app/a.txt", "a"),
        ("app/b/c.txt", "c"),
        ("lib/x.txt", "x"),
        ("other.txt", ""),
    ];
    let answers = vec![
        Outcome::Needs(vec![Need::Path("lib".to_owned()), Need::Path("gone".to_owned())]),
        read(rendered(&[("app/a.txt", OBJECT)]), &["app/a.txt"]),
    ];
    let mut said = script(&files, answers);
    let mut source = by("mine@sha256:00", source());
    let plugin = serde_json::json!({
        "name": "mine@sha256:00", "env": [{"name": "A", "value": "1"}],
        "parameters": [{"name": "p", "string": "s"}, {"name": "q", "array": ["t"]}, {"name": "r", "map": {"k": "v"}}],
        "settings": {"deep": [1]},
    });
    source.plugin = serde_json::from_value(plugin.clone()).unwrap();
    let done = run(&mut said, &source).unwrap();
    assert_eq!((done.kind, done.manifests.len()), (SourceKind::Plugin, 1));
    assert_eq!(done.manifests[0].origin.to_string(), "app/a.txt:1");
    let (renderer, input) = &said.asked[0];
    assert_eq!(renderer, "added mine@sha256:00");
    assert_eq!(paths(&input.files), ["app/a.txt", "app/b/c.txt"]);
    let mut expected = plugin;
    expected.as_object_mut().unwrap().remove("name");
    assert_eq!(
        serde_json::from_str::<serde_json::Value>(&input.settings).unwrap(),
        expected
    );
    // Whatever it says that it read: all that it was handed counts.
    assert_eq!(done.read, ["app/", "app/a.txt", "gone", "gone/", "lib", "lib/"]);
}

#[test]
fn what_a_renderer_of_others_refuses_is_told_with_its_name_and_place() {
    let complaint = Complaint {
        message: "no".to_owned(),
        file: Some("app/a.txt".to_owned()),
        line: Some(7),
        ..Complaint::default()
    };
    let mut said = script(&[("app/a.txt", "")], vec![Outcome::Refused(vec![complaint])]);
    let errors = run(&mut said, &by("mine@sha256:00", source())).unwrap_err();
    assert_eq!(ids(&errors), ["R20"]);
    let error = errors.iter().next().unwrap();
    assert_eq!(error.to_string(), "app/a.txt:7: no");
    assert!(matches!(&error.problem, Problem::Refused { renderer, .. } if renderer == "mine"));
}
