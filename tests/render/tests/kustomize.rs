//! The renderer of kustomizations.
#![expect(clippy::unwrap_used, reason = "this is how a test fails")]

use sluice_render_tests::{Answer, Renderer, Repository};

const MAP: (&str, &str) = (
    "base/map.yaml",
    "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\ndata:\n  b: c\n",
);
const DEPLOYMENT: (&str, &str) = (
    "base/deployment.yaml",
    "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: d\nspec:\n  selector:\n    matchLabels:\n      app: d\n  template:\n    \
     metadata:\n      labels:\n        app: d\n    spec:\n      containers:\n      - name: c\n        image: i:1\n",
);
const BASE: (&str, &str) = (
    "base/kustomization.yaml",
    "resources: [map.yaml, deployment.yaml]\n",
);

fn kustomize() -> Renderer {
    Renderer::load("kustomize").unwrap()
}

/// Builds `overlay` over the base.
fn build(kustomize: &Renderer, overlay: &str, more: &[(&str, &str)], settings: &str) -> Answer {
    let mut files = vec![MAP, DEPLOYMENT, BASE, ("overlay/kustomization.yaml", overlay)];
    files.extend(more);
    kustomize.render(
        &Repository::of(&files),
        "overlay",
        settings,
        r#"{"environment": {"ARGOCD_APP_NAME": "web"}}"#,
    )
}

fn texts(answer: &Answer) -> String {
    let texts: Vec<_> = answer
        .rendering()
        .documents
        .iter()
        .map(|document| document.text.as_str())
        .collect();
    texts.join("---\n")
}

#[test]
fn an_overlay_asks_for_its_base_and_is_built() {
    let answer = build(
        &kustomize(),
        "resources: [../base]\nnamePrefix: x-\n",
        &[],
        r#"{"namespace": "shop", "nameSuffix": "-y"}"#,
    );
    assert!(
        texts(&answer).contains("kind: ConfigMap\nmetadata:\n  name: x-a-y\n  namespace: shop\n"),
        "{}",
        texts(&answer)
    );
    let read = &answer.rendering().read;
    for path in [
        "base/kustomization.yaml",
        "base/map.yaml",
        "overlay/kustomization.yaml",
        "overlay/kustomization.yml",
    ] {
        assert!(read.contains(&path.to_owned()), "{read:?}");
    }
}

#[test]
fn where_objects_come_from_is_said_and_changes_nothing_else() {
    let kustomize = kustomize();
    let sources = |overlay: &str, settings: &str| {
        let answer = build(&kustomize, overlay, &[], settings);
        let documents = answer.rendering().documents.iter();
        let sources = documents
            .map(|document| document.source.clone())
            .collect::<Vec<_>>();
        (sources, texts(&answer))
    };
    let plain = "resources: [../base]\nconfigMapGenerator: [{name: g, literals: [a=b]}]\n";
    let (none, as_it_is) = sources(plain, "{}");
    assert_eq!(none, ["", "", ""]);
    assert_eq!(
        sources(plain, r#"{"origins": true}"#),
        (
            vec![
                "base/map.yaml".to_owned(),
                "overlay/kustomization.yaml".to_owned(),
                "base/deployment.yaml".to_owned()
            ],
            as_it_is
        )
    );
    // What the kustomization itself asks for is a part of the result, either way.
    let asking = format!("{plain}buildMetadata: [originAnnotations]\n");
    let (known, asked) = sources(&asking, "{}");
    assert_eq!(known[0], "base/map.yaml");
    assert!(asked.contains("config.kubernetes.io/origin"), "{asked}");
    assert_eq!(sources(&asking, r#"{"origins": true}"#), (known, asked));
    // Other notes are kept apart from it.
    let (_, managed) = sources(
        &format!("{plain}buildMetadata: [managedByLabel]\n"),
        r#"{"origins": true}"#,
    );
    assert!(
        managed.contains("managed-by") && !managed.contains("origin"),
        "{managed}"
    );
}

#[test]
fn settings_do_what_argo_cd_does() {
    let kustomize = kustomize();
    let cases = [
        (r#"{"namePrefix": "p-"}"#, "name: p-d\n"),
        (r#"{"images": ["i=j:2"]}"#, "image: j:2\n"),
        (r#"{"images": ["i:3"]}"#, "image: i:3\n"),
        (r#"{"replicas": [{"name": "d", "count": 4}]}"#, "replicas: 4\n"),
        (
            r#"{"replicas": [{"name": "d", "count": 1000000}]}"#,
            "replicas: 1000000\n",
        ),
        (r#"{"replicas": [{"name": "d", "count": "5"}]}"#, "replicas: 5\n"),
        (
            r#"{"commonLabels": {"l": "v"}}"#,
            "matchLabels:\n      app: d\n      l: v\n",
        ),
        (
            r#"{"commonLabels": {"l": "v"}, "labelWithoutSelector": true}"#,
            "matchLabels:\n      app: d\n  template:",
        ),
        (
            r#"{"commonLabels": {"l": "v"}, "labelWithoutSelector": true, "labelIncludeTemplates": true}"#,
            "      labels:\n        app: d\n        l: v\n",
        ),
        (
            r#"{"commonAnnotations": {"a": "x-${ARGOCD_APP_NAME}"}, "commonAnnotationsEnvsubst": true}"#,
            "a: x-web\n",
        ),
        (
            r#"{"commonAnnotations": {"a": "x-${ARGOCD_APP_NAME}"}}"#,
            "a: x-${ARGOCD_APP_NAME}\n",
        ),
        (
            r#"{"patches": [{"target": {"kind": "Deployment"}, "patch": "- {op: add, path: /spec/paused, value: true}"}]}"#,
            "paused: true\n",
        ),
        (r#"{"components": ["../part"]}"#, "part: yes-it-is\n"),
        (
            r#"{"components": ["../part", "../no"], "ignoreMissingComponents": true}"#,
            "part: yes-it-is\n",
        ),
    ];
    let part = "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\ncommonAnnotations: {part: yes-it-is}\n";
    for (settings, expected) in cases {
        let answer = build(
            &kustomize,
            "resources: [../base]\n",
            &[("part/kustomization.yaml", part)],
            settings,
        );
        assert!(
            texts(&answer).contains(expected),
            "{settings}: {}",
            texts(&answer)
        );
    }
    let answer = build(
        &kustomize,
        "resources: [../base]\n",
        &[],
        r#"{"components": ["../no"]}"#,
    );
    assert_eq!(answer.problem().code, "missing");
}

#[test]
fn remote_bases_are_asked_for_and_stay_where_they_are_from() {
    let kustomize = kustomize();
    let overlay = "resources:\n- https://git.example.com/team/bases//web?ref=v1\nnamePrefix: r-\n";
    let mut repository = Repository::of(&[
        ("overlay/kustomization.yaml", overlay),
        ("secret.yaml", "kind: Secret\n"),
    ]);
    assert_eq!(
        kustomize.render(&repository, "overlay", "", "").problem().code,
        "remote"
    );
    let text = "https://git.example.com/team/bases//web?ref=v1";
    repository.add_elsewhere(
        text,
        &[
            ("kustomization.yaml", b"resources: [map.yaml]\n"),
            ("map.yaml", MAP.1.as_bytes()),
        ],
    );
    assert!(texts(&kustomize.render(&repository, "overlay", "", "")).contains("name: r-a\n"));
    repository.add_elsewhere(text, &[("kustomization.yaml", b"resources: [../../other]\n")]);
    assert_eq!(
        kustomize.render(&repository, "overlay", "", "").problem().code,
        "path"
    );
}

#[test]
fn charts_are_asked_for_rendered() {
    let kustomize = kustomize();
    let overlay = "helmCharts:\n- name: web\n  releaseName: r\n  namespace: n2\n  valuesInline: {a: 1}\nnameSuffix: -s\n\
        configMapGenerator: [{name: g, literals: [a=b]}]\n";
    let mut repository = Repository::of(&[("overlay/kustomization.yaml", overlay)]);
    assert_eq!(
        kustomize.render(&repository, "overlay", "", "").problem().code,
        "chart"
    );
    let need = r#"{"path":"overlay/charts/web","name":"web","helm":{"releaseName":"r","namespace":"n2","valuesObject":{"a":1},"skipCrds":true,"skipTests":false,"skipHooks":false}}"#;
    repository.add_elsewhere(need, &[("all.yaml", MAP.1.as_bytes())]);
    let answer = kustomize.render(&repository, "overlay", "", "");
    assert!(texts(&answer).contains("name: a-s\n"), "{}", texts(&answer));
    assert!(!texts(&answer).contains("internal.config"), "{}", texts(&answer));
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    let kustomize = kustomize();
    let problem =
        |overlay: &str, more: &[(&str, &str)]| build(&kustomize, overlay, more, "").problem().clone();

    let missing = problem("resources: [../base, no.yaml]\n", &[]);
    assert_eq!(
        (missing.code.as_str(), missing.file.as_deref()),
        ("missing", Some("overlay/no.yaml")),
        "{missing:?}"
    );
    let missing = problem("resources: [../nothing]\n", &[]);
    assert_eq!(
        (missing.code.as_str(), missing.file.as_deref()),
        ("missing", Some("nothing")),
        "{missing:?}"
    );
    let missing = problem(
        "resources: [../mid]\n",
        &[("mid/kustomization.yaml", "resources: [no.yaml]\n")],
    );
    assert_eq!(
        (missing.code.as_str(), missing.file.as_deref()),
        ("missing", Some("mid/no.yaml")),
        "{missing:?}"
    );
    assert_eq!(missing.trace, ["mid"]);

    assert_eq!(problem("resources: [../../elsewhere]\n", &[]).code, "path");
    assert_eq!(problem("resources: [../overlay]\n", &[]).code, "cycle");
    assert_eq!(problem("resources: [.]\n", &[]).code, "cycle");
    let circle = [("mid/kustomization.yaml", "resources: [../overlay]\n")];
    assert_eq!(problem("resources: [../mid]\n", &circle).code, "cycle");

    let function = "apiVersion: example.com/v1\nkind: Evil\nmetadata:\n  name: e\n  annotations:\n    config.kubernetes.io/function: |\n      \
        exec: {path: /bin/sh}\n";
    for list in ["generators", "transformers", "validators"] {
        let function = problem(
            &format!("resources: [../base]\n{list}: [f.yaml]\n"),
            &[("overlay/f.yaml", function)],
        );
        assert_eq!(function.code, "function", "{function:?}");
        assert!(function.message.contains("Evil"), "{function:?}");
    }
    let unread = problem(
        "resources: [broken.yaml]\n",
        &[("overlay/broken.yaml", "a: b\n  c: d\n")],
    );
    assert_eq!(
        (unread.file.as_deref(), unread.line),
        (Some("overlay/broken.yaml"), Some(2)),
        "{unread:?}"
    );
    assert_eq!(
        problem("resources: [../base]\nnope: 1\n", &[]).code,
        "kustomization"
    );
    assert_eq!(problem("helmCharts: [{name: ../x}]\n", &[]).code, "chart");
    assert_eq!(
        problem(
            "resources: [../base]\nconfigMapGenerator: [{name: x, files: [../../../etc/passwd]}]\n",
            &[]
        )
        .code,
        "missing"
    );
}
