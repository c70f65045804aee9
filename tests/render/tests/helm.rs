//! The renderer of Helm charts.
#![expect(clippy::unwrap_used, reason = "this is how a test fails")]

use sluice_render_tests::{Answer, Renderer, Repository, wit::Part};

/// A context with this digit for a seed.
fn context(seed: u8) -> String {
    format!(
        r#"{{"release": "web", "namespace": "shop", "kubeVersion": "1.36.0", "apiVersions": ["example.com/v1"],
            "environment": {{"ARGOCD_APP_NAME": "web"}}, "seed": "{}", "now": "2026-11-30T01:02:03Z"}}"#,
        seed.to_string().repeat(64)
    )
}

const CHART: (&str, &str) = ("chart/Chart.yaml", "apiVersion: v2\nname: web\nversion: 0.1.0\n");

fn helm() -> Renderer {
    Renderer::load("helm").unwrap()
}

/// Renders `chart` with one template beside other files.
fn render(helm: &Renderer, template: &str, more: &[(&str, &str)], settings: &str) -> Answer {
    let mut files = vec![CHART, ("chart/templates/a.yaml", template)];
    files.extend(more);
    helm.render(&Repository::of(&files), "chart", settings, &context(1))
}

/// The text of the only document.
fn text(answer: &Answer) -> &str {
    let documents = &answer.rendering().documents;
    assert_eq!(documents.len(), 1, "{documents:?}");
    documents[0].text.trim()
}

#[test]
fn a_chart_is_rendered() {
    let template = "kind: A\nname: {{ .Release.Name }}\nnamespace: {{ .Release.Namespace }}\ncount: {{ .Values.count }}\n";
    let answer = render(&helm(), template, &[("chart/values.yaml", "count: 1\n")], "");
    assert_eq!(
        answer.printed(),
        "---\n# Source: web/templates/a.yaml\nkind: A\nname: web\nnamespace: shop\ncount: 1\n\n"
    );
    assert!(
        answer.rendering().read.contains(&"chart/".to_owned()),
        "{:?}",
        answer.rendering().read
    );
}

#[test]
fn values_come_in_argo_cds_order() {
    let helm = helm();
    let template = "kind: A\nv: {{ .Values.v | toJson }}\n";
    let files = [
        ("chart/values.yaml", "v: chart\n"),
        ("chart/one.yaml", "v: one\n"),
        ("env/prod/two.yaml", "v: two\n"),
        ("env/prod/three.yaml", "v: three\n"),
        ("$other/values.yaml", "v: other\n"),
        ("env/text", "from a file"),
    ];
    let cases = [
        ("", "\"chart\""),
        (r#"{"valueFiles": ["one.yaml"]}"#, "\"one\""),
        (
            r#"{"valueFiles": ["one.yaml", "../env/prod/two.yaml"]}"#,
            "\"two\"",
        ),
        // A pattern means all that match, by name.
        (r#"{"valueFiles": ["/env/**/t*.yaml"]}"#, "\"two\""),
        (r#"{"valueFiles": ["$other/values.yaml"]}"#, "\"other\""),
        (
            r#"{"valueFiles": ["no.yaml", "/no/*.yaml"], "ignoreMissingValueFiles": true}"#,
            "\"chart\"",
        ),
        (
            r#"{"valueFiles": ["one.yaml"], "values": "v: inline"}"#,
            "\"inline\"",
        ),
        (
            r#"{"values": "v: inline", "valuesObject": {"v": {"a": 1}}}"#,
            "{\"a\":1}",
        ),
        (
            r#"{"values": "v: inline", "parameters": [{"name": "v", "value": "12"}]}"#,
            "12",
        ),
        (
            r#"{"parameters": [{"name": "v", "value": "12", "forceString": true}]}"#,
            "\"12\"",
        ),
        (r#"{"parameters": [{"name": "v", "value": "a,b"}]}"#, "\"a,b\""),
        (
            r#"{"parameters": [{"name": "v", "value": "{a,b}"}]}"#,
            "[\"a\",\"b\"]",
        ),
        (
            r#"{"parameters": [{"name": "v", "value": "$ARGOCD_APP_NAME"}]}"#,
            "\"web\"",
        ),
        (
            r#"{"fileParameters": [{"name": "v", "path": "/env/text"}]}"#,
            "\"from a file\"",
        ),
    ];
    for (settings, expected) in cases {
        let answer = render(&helm, template, &files, settings);
        assert_eq!(text(&answer), format!("kind: A\nv: {expected}"), "{settings}");
    }
}

#[test]
fn settings_that_are_wrong_are_problems() {
    let helm = helm();
    let cases = [
        (r#"{"valueFiles": ["no.yaml"]}"#, "missing"),
        (r#"{"valueFiles": ["/no/*.yaml"]}"#, "missing"),
        (r#"{"valueFiles": ["../../../etc/passwd"]}"#, "path"),
        (r#"{"valueFiles": ["$other/../../x"]}"#, "path"),
        (
            r#"{"fileParameters": [{"name": "v", "path": "../../x"}]}"#,
            "path",
        ),
        (r#"{"fileParameters": [{"name": "v", "path": "no"}]}"#, "missing"),
        (r#"{"values": "a: ["}"#, "settings"),
        (r#"{"valueFile": []}"#, "settings"),
        (r#"{"kubeVersion": "x"}"#, "settings"),
        (r#"{"releaseName": "Not A Name"}"#, "settings"),
    ];
    for (settings, code) in cases {
        assert_eq!(
            render(&helm, "kind: A\n", &[], settings).problem().code,
            code,
            "{settings}"
        );
    }
}

#[test]
fn parts_of_a_chart() {
    let helm = helm();
    let files = [
        ("chart/crds/c.yaml", "kind: CustomResourceDefinition\n"),
        (
            "chart/templates/hook.yaml",
            "kind: Job\nmetadata: {name: h, annotations: {\"helm.sh/hook\": pre-install}}\n",
        ),
        (
            "chart/templates/tests/t.yaml",
            "kind: Pod\nmetadata: {name: t, annotations: {\"helm.sh/hook\": test}}\n",
        ),
        ("chart/templates/NOTES.txt", "Hello {{ .Release.Name }}"),
    ];
    let parts = |settings: &str| {
        let answer = render(&helm, "kind: A\n", &files, settings);
        assert_eq!(answer.rendering().notes.as_deref(), Some("Hello web"));
        answer
            .rendering()
            .documents
            .iter()
            .map(|document| document.part)
            .collect::<Vec<_>>()
    };
    assert_eq!(parts(""), [Part::Crd, Part::Manifest, Part::Test, Part::Hook]);
    assert_eq!(
        parts(r#"{"skipCrds": true}"#),
        [Part::Manifest, Part::Test, Part::Hook]
    );
    assert_eq!(
        parts(r#"{"skipTests": true}"#),
        [Part::Crd, Part::Manifest, Part::Hook]
    );
    assert_eq!(parts(r#"{"skipHooks": true}"#), [Part::Crd, Part::Manifest]);
}

#[test]
fn capabilities_are_the_clusters_and_nothing_is_looked_up() {
    let template = "kind: A\nk: {{ .Capabilities.KubeVersion.Version }}\n\
        a: {{ .Capabilities.APIVersions.Has \"example.com/v1\" }}\nb: {{ .Capabilities.APIVersions.Has \"apps/v1\" }}\n\
        l: {{ lookup \"v1\" \"Secret\" \"a\" \"b\" | toJson }}\nh: {{ getHostByName \"localhost\" | quote }}\n";
    let answer = render(&helm(), template, &[], "");
    assert_eq!(
        text(&answer),
        "kind: A\nk: v1.36.0\na: true\nb: true\nl: {}\nh: \"\""
    );
}

#[test]
fn dependencies_are_found_beside_the_chart_or_asked_for() {
    let helm = helm();
    let chart = "apiVersion: v2\nname: web\nversion: 0.1.0\ndependencies:\n- {name: near, version: ^1.0.0, repository: file://../near}\n\
        - {name: far, version: ~2, repository: https://charts.example.com}\n";
    let mut repository = Repository::of(&[
        ("chart/Chart.yaml", chart),
        ("near/Chart.yaml", "apiVersion: v2\nname: near\nversion: 1.2.0\n"),
        ("near/templates/n.yaml", "kind: Near\n"),
    ]);
    let answer = helm.render(&repository, "chart", "", &context(1));
    assert_eq!(answer.problem().code, "dependency");
    repository.add_elsewhere(
        r#"{"name":"far","repository":"https://charts.example.com","version":"~2"}"#,
        &[
            ("Chart.yaml", b"apiVersion: v2\nname: far\nversion: 2.0.1\n"),
            ("templates/f.yaml", b"kind: Far\n"),
        ],
    );
    let answer = helm.render(&repository, "chart", "", &context(1));
    let mut sources: Vec<_> = answer
        .rendering()
        .documents
        .iter()
        .map(|document| document.source.as_str())
        .collect();
    sources.sort_unstable();
    assert_eq!(
        sources,
        [
            "web/charts/far/templates/f.yaml",
            "web/charts/near/templates/n.yaml"
        ]
    );
}

#[test]
fn chance_and_time_follow_from_the_seed() {
    let helm = helm();
    let draw = |expression: &str, seed: u8| {
        let template = format!("kind: A\nv: {{{{ {expression} }}}}\n");
        let repository = Repository::of(&[CHART, ("chart/templates/a.yaml", &template)]);
        let answer = helm.render(&repository, "chart", "", &context(seed));
        assert!(!answer.rendering().random.is_empty(), "{expression} is not named");
        text(&answer).to_owned()
    };
    for expression in [
        "randAlphaNum 20",
        "randAlpha 20",
        "randNumeric 20",
        "randAscii 20 | quote",
        "randBytes 20",
        "uuidv4",
        "randInt 0 1000000000",
        "shuffle \"abcdefghijklmnopqrstuvwxyz\"",
        "genPrivateKey \"ecdsa\" | quote",
        "(genCA \"ca\" 365).Cert | quote",
        "htpasswd \"u\" \"p\"",
        "bcrypt \"p\"",
        "encryptAES \"key\" \"text\"",
    ] {
        assert_eq!(draw(expression, 1), draw(expression, 1), "{expression}");
        assert_ne!(draw(expression, 1), draw(expression, 2), "{expression}");
    }
    assert_eq!(
        draw("now | date \"2006-01-02T15:04:05\" | quote", 1),
        "kind: A\nv: \"2026-11-30T01:02:03\""
    );
}

#[test]
fn chance_without_a_seed_is_refused() {
    let repository = Repository::of(&[
        CHART,
        ("chart/templates/a.yaml", "kind: A\nv: {{ randAlphaNum 9 }}\n"),
    ]);
    let answer = helm().render(
        &repository,
        "chart",
        "",
        r#"{"release": "web", "now": "2026-11-30T01:02:03Z"}"#,
    );
    assert_eq!(answer.problem().code, "context");
}

#[test]
fn errors_come_with_their_place_and_the_calls_that_led_there() {
    let helm = helm();
    let helpers = (
        "chart/templates/_h.tpl",
        "{{- define \"inner\" -}}\n{{ .Values.a.b.c }}\n{{- end -}}\n",
    );
    let answer = render(&helm, "kind: A\nv: {{ include \"inner\" . }}\n", &[helpers], "");
    let problem = answer.problem();
    assert_eq!(
        (problem.code.as_str(), problem.file.as_deref(), problem.line),
        ("template", Some("web/templates/_h.tpl"), Some(2))
    );
    assert!(problem.message.contains("nil pointer"), "{problem:?}");
    assert_eq!(problem.trace.len(), 2, "{problem:?}");
    assert!(
        problem.trace[1].starts_with("web/templates/a.yaml:2:"),
        "{problem:?}"
    );

    let cases = [
        ("{{ fail \"no: way\" }}", "required", Some(1), "no: way"),
        (
            "a: 1\nb: {{ required \"b is needed\" .Values.b }}",
            "required",
            Some(2),
            "b is needed",
        ),
        ("a: 1\n{{ if }}", "template", Some(2), "missing value for if"),
        ("a: 1\n  b: 2", "output", None, "mapping values are not allowed"),
        ("{{ nope }}", "template", Some(1), "function \"nope\" not defined"),
    ];
    for (template, code, line, message) in cases {
        let answer = render(&helm, template, &[], "");
        let problem = answer.problem();
        assert_eq!((problem.code.as_str(), problem.line), (code, line), "{problem:?}");
        assert!(problem.message.contains(message), "{problem:?}");
        assert_eq!(
            problem.file.as_deref(),
            Some("web/templates/a.yaml"),
            "{problem:?}"
        );
    }

    let schema = r#"{"properties": {"k": {"type": "integer"}, "m": {"type": "string"}}}"#;
    let files = [
        ("chart/values.schema.json", schema),
        ("chart/values.yaml", "k: x\nm: 1\n"),
    ];
    match render(&helm, "kind: A\n", &files, "") {
        Answer::Refused(problems) => {
            assert!(problems.len() == 2 && problems.iter().all(|problem| problem.code == "schema"))
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(
        text(&render(
            &helm,
            "kind: A\n",
            &files,
            r#"{"skipSchemaValidation": true}"#
        )),
        "kind: A"
    );
}

#[test]
fn the_renderer_says_which_helm_it_is() {
    let described = helm().describe().unwrap();
    assert_eq!(described["name"], "helm");
    assert_eq!(described["library"]["helm.sh/helm/v4"], "v4.3.1");
    assert!(described["codes"]["schema"].is_string());
}
