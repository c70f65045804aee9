//! Byte for byte: what the components make of other people's charts and overlays, against the command lines of Helm and Kustomize.
//!
//! The charts and overlays come in the Go modules of `corpus`. What needs the network is left out by the programs' own failure; what
//! the program renders, the component has to render to the same bytes, and what the program refuses, the component has to refuse.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "this is how a test fails, and what it has compared"
)]

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    path::{Path, PathBuf},
    process::Command,
};

use sluice_render_tests::{
    Answer, Limits, Renderer, Repository,
    wit::{File, Need, Part, Supply},
};
use sluice_sandbox::{output, renderer_program};

const CONTEXT: &str = r#"{"release": "web", "namespace": "shop",
    "seed": "0101010101010101010101010101010101010101010101010101010101010101", "now": "2026-11-30T01:02:03Z"}"#;

/// Modules with charts.
const CHARTS: &[&str] = &[
    "helm.sh/helm/v4",
    "istio.io/istio",
    "github.com/kyverno/kyverno",
    "sigs.k8s.io/kueue",
    "sigs.k8s.io/kwok",
    "sigs.k8s.io/metrics-server",
];

/// Modules with kustomizations.
const OVERLAYS: &[&str] = &[
    "github.com/argoproj/argo-workflows/v4",
    "github.com/fluxcd/flux2/v2",
    "github.com/kubeflow/katib",
    "github.com/kubeflow/trainer/v2",
    "sigs.k8s.io/cluster-api",
    "sigs.k8s.io/cluster-api-provider-aws/v2",
    "sigs.k8s.io/gateway-api",
    "sigs.k8s.io/kueue",
    "sigs.k8s.io/kustomize/api",
    "sigs.k8s.io/kwok",
    "sigs.k8s.io/metrics-server",
    "knative.dev/operator",
];

/// Charts that differ from `helm template`, and why that is right.
const KNOWN: &[(&str, &str)] = &[(
    "pkg/cmd/testdata/testcharts/issue-7233",
    "a dependency beside the chart is found, as after `helm dependency build`",
)];

/// What came of a corpus.
#[derive(Default)]
struct Tally {
    same: usize,
    refused: usize,
    /// Charts with random values cannot be compared.
    random: usize,
    /// What the component would have to be handed from elsewhere.
    needy: usize,
    differences: String,
}

/// What is compared is the output. Some overlays take most of a rendering's half a minute, and more of it on a machine with other work.
fn patient() -> Limits {
    Limits {
        time: std::time::Duration::from_secs(300),
        ..Limits::default()
    }
}

#[test]
fn charts_are_rendered_as_helm_does() {
    let helm = Renderer::load("helm").unwrap();
    let program = renderer_program("helm", |build| output(build).map(drop)).unwrap();
    let mut tally = Tally::default();
    let modules = modules();
    for module in CHARTS {
        let root = &modules[*module];
        for chart in folders_with(root, &["Chart.yaml"]) {
            if KNOWN.iter().any(|(known, _)| chart.ends_with(known)) {
                continue;
            }
            let mut command = Command::new(&program);
            command.args(["template", "web"]).arg(root.join(&chart)).args([
                "--namespace",
                "shop",
                "--include-crds",
            ]);
            let repository = Repository::read(&root.join(&chart)).unwrap();
            let answer = helm.render_within(&repository, "", "", CONTEXT, patient());
            tally.add(
                &format!("{module}/{}", chart.display()),
                run(command).as_deref(),
                &answer,
                printed_by_helm,
                &["dependency"],
            );
        }
    }
    tally.report("charts", 110);
}

#[test]
fn overlays_are_built_as_kustomize_does() {
    let kustomize = Renderer::load("kustomize").unwrap();
    let program = renderer_program("kustomize", |build| output(build).map(drop)).unwrap();
    let mut tally = Tally::default();
    let modules = modules();
    for module in OVERLAYS {
        let root = &modules[*module];
        let overlays = folders_with(
            root,
            &["kustomization.yaml", "kustomization.yml", "Kustomization"],
        );
        let repository =
            Repository::read_if(root, |path| path.extension().is_none_or(|end| end != "go")).unwrap();
        for overlay in overlays {
            let path = overlay.display().to_string();
            let answer = kustomize.render_within(&repository, &path, "", CONTEXT, patient());
            let mut command = Command::new(&program);
            // Not to be fetched, and it would be tried for a long time.
            command
                .arg("build")
                .arg(root.join(&overlay))
                .env("HTTPS_PROXY", "127.0.0.1:1")
                .env("GIT_ALLOW_PROTOCOL", "none");
            tally.add(
                &format!("{module}/{}", overlay.display()),
                run(command).as_deref(),
                &answer,
                printed_by_kustomize,
                &["remote", "chart"],
            );
        }
    }
    tally.report("overlays", 120);
}

#[test]
fn charts_of_kustomizations_are_rendered_as_kustomize_has_helm_do() {
    let (kustomize, helm) = (
        Renderer::load("kustomize").unwrap(),
        Renderer::load("helm").unwrap(),
    );
    let program = renderer_program("kustomize", |build| output(build).map(drop)).unwrap();
    let helm_program = renderer_program("helm", |build| output(build).map(drop)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let object = |kind: &str, name: &str, more: &str| {
        format!("apiVersion: v1\nkind: {kind}\nmetadata:\n  name: {name}\n{more}")
    };
    let files = [
        (
            "charts/web/Chart.yaml",
            "apiVersion: v2\nname: web\nversion: 0.1.0\n".to_owned(),
        ),
        (
            "charts/web/values.yaml",
            "a: chart\nb: chart\nc: chart\n".to_owned(),
        ),
        (
            "charts/web/crds/crd.yaml",
            object("CustomResourceDefinition", "x", ""),
        ),
        (
            "charts/web/templates/map.yaml",
            object(
                "ConfigMap",
                "{{ .Release.Name }}",
                "  namespace: {{ .Release.Namespace }}\ndata:\n  v: {{ .Values.a }}-{{ .Values.b }}-{{ .Values.c }}\n",
            ),
        ),
        (
            "charts/web/templates/hook.yaml",
            object("Pod", "h", "  annotations: {helm.sh/hook: pre-install}\n"),
        ),
        (
            "charts/web/templates/test.yaml",
            object("Pod", "t", "  annotations: {helm.sh/hook: test}\n"),
        ),
        ("values.yaml", "a: file\nb: file\n".to_owned()),
        ("more.yaml", "c: more\n".to_owned()),
        ("plain.yaml", object("Service", "s", "")),
        (
            "part/kustomization.yaml",
            "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nresources: [c.yaml]\n".to_owned(),
        ),
        ("part/c.yaml", object("Secret", "c", "")),
    ];
    for (name, content) in &files {
        fs_err::create_dir_all(root.join(name).parent().unwrap()).unwrap();
        fs_err::write(root.join(name), content).unwrap();
    }
    for chart in [
        "",
        "  includeCRDs: true\n",
        "  namespace: other\n  skipHooks: true\n",
        "  skipTests: true\n  valuesInline: {a: inline}\n",
        "  valuesFile: values.yaml\n  valuesInline: {a: inline}\n",
        "  valuesFile: values.yaml\n  valuesInline: {a: inline, c: inline}\n  valuesMerge: merge\n",
        "  valuesFile: values.yaml\n  valuesInline: {a: inline}\n  valuesMerge: replace\n",
        "  valuesFile: values.yaml\n  additionalValuesFiles: [more.yaml]\n",
    ] {
        for rest in [
            "",
            "namespace: shop\n",
            "namePrefix: p-\nresources: [plain.yaml]\ncomponents: [part]\nconfigMapGenerator: [{name: g, literals: [k=v]}]\n\
             sortOptions: {order: fifo}\n",
        ] {
            let text = format!("helmCharts:\n- name: web\n  releaseName: r\n{chart}{rest}");
            fs_err::write(root.join("kustomization.yaml"), &text).unwrap();
            let mut command = Command::new(&program);
            command
                .args(["build", "--enable-helm", "--helm-command"])
                .arg(&helm_program)
                .arg(root);
            let repository = Repository::read(root).unwrap();
            let answer = kustomize.render_supplied(&repository, "", "", "", Limits::default(), |need| {
                inflate(&helm, &repository, need)
            });
            assert_eq!(printed_by_kustomize(&answer), run(command).unwrap(), "{text}");
        }
    }
}

/// Renders a chart that a kustomization names, as a host does.
fn inflate(helm: &Renderer, repository: &Repository, need: Need) -> Supply {
    let Need::Inflation(text) = &need else {
        return repository.supply(need);
    };
    let asked: serde_json::Value = serde_json::from_str(text).unwrap();
    let answer = helm.render(
        repository,
        asked["path"].as_str().unwrap(),
        &asked["helm"].to_string(),
        "",
    );
    let path = ".supplied/1/charts.yaml".to_owned();
    let files = vec![File {
        path: path.clone(),
        content: printed_by_helm(&answer).into_bytes(),
    }];
    Supply { need, path, files }
}

impl Tally {
    /// Adds what a program printed, if it did, and what a component answered. Problems of the codes `elsewhere` are about what could not
    /// be fetched: nothing is fetched here.
    fn add(
        &mut self,
        name: &str,
        expected: Option<&str>,
        answer: &Answer,
        print: impl Fn(&Answer) -> String,
        elsewhere: &[&str],
    ) {
        match (expected, answer) {
            (Some(_), Answer::Rendered(rendering)) if !rendering.random.is_empty() => self.random += 1,
            (Some(expected), Answer::Rendered(_)) if print(answer) == expected => self.same += 1,
            (None, Answer::Refused(problems))
                if problems
                    .iter()
                    .any(|problem| elsewhere.contains(&problem.code.as_str())) =>
            {
                self.needy += 1
            }
            (None, Answer::Refused(problems)) => {
                assert!(
                    problems.iter().all(|problem| problem.code != "internal"),
                    "{name}: {problems:?}"
                );
                self.refused += 1;
            }
            (expected, answer) => {
                let expected = if expected.is_some() {
                    "the program renders"
                } else {
                    "the program refuses"
                };
                let answer = match answer {
                    Answer::Rendered(_) => "the component renders".to_owned(),
                    other => format!("{other:?}").chars().take(300).collect(),
                };
                writeln!(self.differences, "{name}: {expected}; {answer}").unwrap();
            }
        }
    }

    fn report(&self, what: &str, at_least: usize) {
        println!(
            "{what}: {} the same, {} refused by both, {} with random values, {} that need what is elsewhere",
            self.same, self.refused, self.random, self.needy
        );
        assert!(self.differences.is_empty(), "{}", self.differences);
        assert!(self.same >= at_least, "only {} {what} were compared", self.same);
    }
}

/// As `helm template` prints: manifests without what is blank around them, then hooks.
fn printed_by_helm(answer: &Answer) -> String {
    let mut texts: BTreeMap<bool, String> = BTreeMap::new();
    for document in &answer.rendering().documents {
        let is_hook = matches!(document.part, Part::Hook | Part::Test);
        let text = texts.entry(is_hook).or_default();
        write!(text, "---\n# Source: {}\n{}\n", document.source, document.text).unwrap();
    }
    let manifests = texts.remove(&false).unwrap_or_default();
    format!(
        "{}\n{}",
        manifests.trim(),
        texts.remove(&true).unwrap_or_default()
    )
}

/// As `kustomize build` prints: `---` between objects.
fn printed_by_kustomize(answer: &Answer) -> String {
    let texts: Vec<&str> = answer
        .rendering()
        .documents
        .iter()
        .map(|document| document.text.as_str())
        .collect();
    texts.join("---\n")
}

/// The folders of the modules of `corpus`, downloaded first if they are not in the user's module cache. `go.sum` says what is in them.
fn modules() -> BTreeMap<String, PathBuf> {
    let mut command = Command::new("go");
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    command
        .args(["mod", "download", "-json"])
        .current_dir(corpus)
        .env("GOTOOLCHAIN", "auto");
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    serde_json::Deserializer::from_str(&output(&mut command).unwrap())
        .into_iter::<serde_json::Value>()
        .map(|module| module.unwrap())
        .map(|module| (text(&module["Path"]), PathBuf::from(text(&module["Dir"]))))
        .collect()
}

/// What a program prints, if it succeeds.
fn run(mut command: Command) -> Option<String> {
    let home = tempfile::tempdir().unwrap();
    let done = command
        .env("HOME", home.path())
        .env("TZ", "UTC")
        .output()
        .unwrap();
    done.status
        .success()
        .then(|| String::from_utf8(done.stdout).unwrap())
}

/// The folders below a root that have a file of one of these names, sorted.
fn folders_with(root: &Path, names: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut todo = vec![PathBuf::new()];
    while let Some(folder) = todo.pop() {
        for entry in fs_err::read_dir(root.join(&folder)).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name().to_string_lossy().into_owned();
            if entry.file_type().unwrap().is_dir() {
                todo.push(folder.join(&name));
            } else if names.contains(&name.as_str()) && !found.contains(&folder) {
                found.push(folder.clone());
            }
        }
    }
    found.sort();
    found
}

#[test]
fn a_chart_sees_the_same_helm() {
    let helm = Renderer::load("helm").unwrap();
    let program = renderer_program("helm", |build| output(build).map(drop)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    fs_err::create_dir_all(root.join("templates")).unwrap();
    fs_err::write(
        root.join("Chart.yaml"),
        "apiVersion: v2\nname: web\nversion: 0.1.0\n",
    )
    .unwrap();
    // The API versions come from a list of ours, where Helm asks client-go.
    let template = "kind: A\nversions: {{ .Capabilities.APIVersions | toJson }}\nkubernetes: {{ .Capabilities.KubeVersion.Version }}\n\
        helm: {{ .Capabilities.HelmVersion.Version }}\nzone: {{ dateInZone \"15:04\" 0 \"Europe/Berlin\" | quote }}\n";
    fs_err::write(root.join("templates/a.yaml"), template).unwrap();
    let mut command = Command::new(&program);
    command.args(["template", "web"]).arg(root);
    let answer = helm.render(&Repository::read(root).unwrap(), "", "", CONTEXT);
    assert_eq!(printed_by_helm(&answer), run(command).unwrap());
}

#[test]
fn settings_do_what_the_flags_of_helm_do() {
    let helm = Renderer::load("helm").unwrap();
    let program = renderer_program("helm", |build| output(build).map(drop)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let files = [
        ("Chart.yaml", "apiVersion: v2\nname: web\nversion: 0.1.0\n"),
        (
            "values.yaml",
            "a: {b: 1, c: [1, 2], d: x}\nlarge: 12345678901\nfloat: 1.5e3\n",
        ),
        ("more.yaml", "a: {b: 2, c: [3]}\n---\na: {e: null}\n"),
        ("null.yaml", "a: {d: null}\n"),
        ("text", "line one\nline, two"),
        (
            "templates/a.yaml",
            "kind: A\nvalues:\n{{ toYaml .Values | indent 2 }}\nrelease: {{ toJson .Release }}\nfiles: {{ .Files.Get \"text\" | quote }}\n\
             {{ .Capabilities.KubeVersion.Minor }}: {{ .Capabilities.APIVersions.Has \"x.io/v1\" }}\n",
        ),
    ];
    for (name, content) in files {
        fs_err::create_dir_all(root.join(name).parent().unwrap()).unwrap();
        fs_err::write(root.join(name), content).unwrap();
    }
    let file = |name: &str| root.join(name).display().to_string();
    let cases: &[(&str, &[&str])] = &[
        (r#"{"valueFiles": ["more.yaml"]}"#, &["-f", &file("more.yaml")]),
        (
            r#"{"valueFiles": ["more.yaml", "null.yaml"]}"#,
            &["-f", &file("more.yaml"), "-f", &file("null.yaml")],
        ),
        (
            r#"{"parameters": [{"name": "a.c[1]", "value": "5"}]}"#,
            &["--set", "a.c[1]=5"],
        ),
        (
            r#"{"parameters": [{"name": "a.d", "value": "null"}]}"#,
            &["--set", "a.d=null"],
        ),
        (
            r#"{"parameters": [{"name": "a\\.b", "value": "true"}]}"#,
            &["--set", r"a\.b=true"],
        ),
        (
            r#"{"parameters": [{"name": "x", "value": "007"}]}"#,
            &["--set", "x=007"],
        ),
        (
            r#"{"parameters": [{"name": "x", "value": "1e5", "forceString": true}]}"#,
            &["--set-string", "x=1e5"],
        ),
        (
            r#"{"parameters": [{"name": "x", "value": "a\\,b,c"}]}"#,
            &["--set", r"x=a\,b\,c"],
        ),
        (
            r#"{"parameters": [{"name": "x", "value": ""}]}"#,
            &["--set", "x="],
        ),
        (
            r#"{"fileParameters": [{"name": "x.y", "path": "text"}]}"#,
            &["--set-file", &format!("x.y={}", file("text"))],
        ),
        (
            r#"{"releaseName": "other", "namespace": "n1"}"#,
            &["--name-template", "other", "--namespace", "n1"],
        ),
        (
            r#"{"kubeVersion": "v1.28.3-gke.1", "apiVersions": ["x.io/v1"]}"#,
            &["--kube-version", "v1.28.3-gke.1", "-a", "x.io/v1"],
        ),
    ];
    for (settings, flags) in cases {
        let mut command = Command::new(&program);
        let release: &[&str] = if flags.contains(&"--name-template") {
            &[]
        } else {
            &["web", "--namespace", "shop"]
        };
        command.arg("template").args(release).arg(root).args(*flags);
        let answer = helm.render(&Repository::read(root).unwrap(), "", settings, CONTEXT);
        assert_eq!(printed_by_helm(&answer), run(command).unwrap(), "{settings}");
    }
}
