//! Charts and kustomizations, rendered by the renderers that lie beside the binary: what comes out, what is said to have been read, and how
//! mistakes are told.

use serde_json::{Value, json};

use crate::program::{run, text};
use crate::repositories::World;

const CHART: &str = "apiVersion: v2\nname: shop\nversion: 0.1.0\n";
const CONFIG: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}-config\n  namespace: {{ .Release.Namespace }}\ndata:\n  tag: {{ .Values.image.tag | quote }}\n";
const PLAIN: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: plain\ndata:\n  a: \"1\"\n";

fn chart() -> World {
    let world = World::new();
    world.commit("app/Chart.yaml", CHART, false);
    world.commit("app/values.yaml", "image: {tag: v1}\n", false);
    world.commit("app/templates/config.yaml", CONFIG, false);
    world
}

fn source(world: &World, field: &str, settings: Value) -> String {
    world.application(|application| application["spec"]["source"][field] = settings)
}

#[test]
fn a_chart_comes_out_as_helm_prints_it() {
    let world = chart();
    world.commit("values/prod.yaml", "image: {tag: prod}\n", false);
    let printed = |file: &str, more: &[&str]| {
        let output = world.render(file, more);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        text(&output.stdout)
    };
    let as_helm = |tag: &str| {
        format!(
            "---\n# Source: shop/templates/config.yaml\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: app-config\n  namespace: shop\ndata:\n  tag: \"{tag}\"\n"
        )
    };
    let file = world.application(|_| {});
    assert_eq!(printed(&file, &[]).trim_end(), as_helm("v1").trim_end());
    assert_eq!(
        printed(&file, &["--set", "image.tag=v2"]).trim_end(),
        as_helm("v2").trim_end()
    );
    // Hooks come last, and what is before them is trimmed as a whole.
    let hook = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: after\n  annotations: {helm.sh/hook: post-install}\n\n\n";
    world.commit("app/templates/a-hook.yaml", hook, false);
    let with_hook = format!(
        "{}\n---\n# Source: shop/templates/a-hook.yaml\n{}\n",
        as_helm("v1").trim_end(),
        hook.trim_end()
    );
    assert_eq!(printed(&file, &[]).trim_end(), with_hook.trim_end());
    world.git(&["rm", "-q", "app/templates/a-hook.yaml"]);
    world.commit("readme", "-", false);
    // Of another folder, from the repository's root.
    let file = source(
        &world,
        "helm",
        json!({"valueFiles": ["/values/prod.yaml"], "releaseName": "app"}),
    );
    assert_eq!(printed(&file, &[]).trim_end(), as_helm("prod").trim_end());
    let file = source(&world, "helm", json!({"valueFiles": ["gone.yaml"]}));
    let output = world.render(&file, &[]);
    assert_eq!(output.status.code(), Some(3));
    assert!(text(&output.stderr).contains("error[R20]") && text(&output.stderr).contains("gone.yaml"));
}

#[test]
fn what_a_chart_gave_is_changed_by_post_renderers() {
    let world = chart();
    let pod = |name: &str, more: &str| {
        format!(
            "apiVersion: v1\nkind: Pod\nmetadata:\n  name: {name}\n{more}spec:\n  containers:\n  - image: example.org/c:1\n    name: c\n"
        )
    };
    world.commit("app/templates/pod.yaml", &pod("pod", ""), false);
    let hook = "  annotations:\n    helm.sh/hook: pre-install\n";
    world.commit("app/templates/hook.yaml", &pod("hook", hook), false);
    let crd = "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata:\n  name: things.example.org\n";
    world.commit("app/crds/crd.yaml", crd, false);
    let post = |patches: Value| {
        json!({"releaseName": "app", "postRenderers": [
            {"kustomize": {"images": [{"name": "example.org/c", "newTag": "2"}]}},
            {"kustomize": {"patches": patches}},
        ]})
    };
    let label = json!([{"target": {"kind": "ConfigMap|Pod|CustomResourceDefinition"},
        "patch": "- {op: add, path: /metadata/labels, value: {patched: 'yes'}}"}]);
    let output = world.render(&source(&world, "helm", post(label)), &[]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let labels = "  labels:\n    patched: \"yes\"\n";
    let patched = |name: &str, annotations: &str| {
        let labelled = pod(name, "").replace(
            &format!("  name: {name}\n"),
            &format!("{annotations}{labels}  name: {name}\n"),
        );
        labelled.replace("c:1", "c:2")
    };
    let expected = format!(
        "---\n# Source: shop/crds/crd.yaml\n{crd}\n---\n# Source: shop/templates/config.yaml\napiVersion: v1\ndata:\n  tag: v1\nkind: ConfigMap\n\
         metadata:\n{labels}  name: app-config\n  namespace: shop\n\n---\n# Source: shop/templates/pod.yaml\n{}\n---\n# Source: shop/templates/hook.yaml\n{}\n",
        patched("pod", ""),
        patched("hook", hook),
    );
    let lines = |text: &str| {
        text.lines()
            .filter(|line| !line.is_empty())
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(lines(&text(&output.stdout)), lines(&expected));

    // What is wrong is at the template it comes from, or at the patch.
    let wrong = json!([{"target": {"kind": "Pod"}, "patch": "- {op: remove, path: /spec/gone}"}]);
    let output = world.render(&source(&world, "helm", post(wrong)), &[]);
    assert_eq!(output.status.code(), Some(3));
    let said = text(&output.stderr);
    assert!(
        said.contains("error[R20]") && said.contains("/spec/gone"),
        "{said}"
    );
    world.commit(
        "app/templates/pod.yaml",
        "{kind: Pod, metadata: {name: a}}\n",
        false,
    );
    let output = world.render(&source(&world, "helm", post(json!([]))), &[]);
    let said = text(&output.stderr);
    assert!(
        output.status.code() == Some(3) && said.contains("shop/templates/pod.yaml"),
        "{said}"
    );
}

#[test]
fn a_kustomization_says_which_file_an_object_comes_from() {
    let world = World::new();
    world.commit("base/kustomization.yaml", "resources: [plain.yaml]\n", false);
    world.commit("base/plain.yaml", PLAIN, false);
    world.commit("app/kustomization.yaml", "resources: [../base]\n", false);
    let file = world.application(|_| {});
    let output = world.render(&file, &["--show-source"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let printed = text(&output.stdout);
    assert!(
        printed.starts_with("# Source: base/plain.yaml\napiVersion: v1\n"),
        "{printed}"
    );
}

#[test]
fn a_kustomization_may_look_beside_it_and_never_out_of_the_repository() {
    let world = World::new();
    world.commit("base/kustomization.yaml", "resources: [plain.yaml]\n", false);
    world.commit("base/plain.yaml", PLAIN, false);
    world.commit(
        "app/kustomization.yaml",
        "resources: [../base]\nnamePrefix: prod-\n",
        false,
    );
    let file = world.application(|_| {});
    let output = world.render(&file, &[]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!(
        text(&output.stdout),
        "apiVersion: v1\ndata:\n  a: \"1\"\nkind: ConfigMap\nmetadata:\n  name: prod-plain\n"
    );
    let with = source(
        &world,
        "kustomize",
        json!({"nameSuffix": "-x", "commonAnnotations": {"of": "${ARGOCD_APP_NAME}"}, "commonAnnotationsEnvsubst": true}),
    );
    let output = text(&world.render(&with, &[]).stdout);
    assert!(
        output.contains("name: prod-plain-x") && output.contains("of: app"),
        "{output}"
    );

    for (resource, code) in [
        ("../../outside", "R20"),
        ("/etc", "R20"),
        ("../gone", "R20"),
        ("https://127.0.0.1:1/base", "R22"),
        ("../app", "R20"),
    ] {
        world.commit(
            "app/kustomization.yaml",
            &format!("resources: ['{resource}']\n"),
            false,
        );
        let output = world.render(&file, &[]);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(3), "{resource}: {said}");
        assert!(said.contains(&format!("error[{code}]")), "{resource}: {said}");
    }
}

#[test]
fn a_chart_within_the_repository_is_inflated_for_a_kustomization() {
    let world = World::new();
    world.commit("app/charts/shop/Chart.yaml", CHART, false);
    world.commit("app/charts/shop/values.yaml", "image: {tag: v1}\n", false);
    world.commit("app/charts/shop/templates/config.yaml", CONFIG, false);
    world.commit(
        "app/kustomization.yaml",
        "helmCharts:\n- name: shop\n  releaseName: within\n  namespace: there\n  valuesInline: {image: {tag: inline}}\nnamePrefix: k-\n",
        false,
    );
    let file = world.application(|_| {});
    let output = world.render(&file, &[]);
    let printed = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(
        printed.contains("name: k-within-config") && printed.contains("tag: inline"),
        "{printed}"
    );
}

#[test]
fn what_was_read_and_what_is_made_up_is_told() {
    let world = chart();
    let secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {password: {{ randAlphaNum 20 | quote }}}\n";
    world.commit("app/templates/secret.yaml", secret, false);
    let file = world.application(|_| {});
    let cache = world.name("cache");
    let output = run(&[
        "source",
        "inspect",
        "-f",
        &file,
        "--cache-dir",
        &cache,
        "-o",
        "json",
    ]);
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&told["kind"], &told["objects"], &told["random"]),
        (&json!("Helm"), &json!(2), &json!(["randAlphaNum"]))
    );
    assert!(told["renderer"].as_str().unwrap().starts_with("helm@sha256:"));
    let read = told["read"].as_array().unwrap();
    assert!(
        read.iter().any(|path| path.as_str().unwrap().starts_with("app")),
        "{read:?}"
    );
    // The same twice, and masked.
    let shown = || text(&world.render(&file, &["--show-secrets"]).stdout);
    assert_eq!(shown(), shown());
    let masked = text(&world.render(&file, &[]).stdout);
    let password = shown();
    let password = password
        .lines()
        .find_map(|line| line.split("password: \"").nth(1))
        .unwrap();
    let password = &password[..20];
    assert!(
        !masked.contains(password) && masked.contains("name: s"),
        "{masked}"
    );
}

#[test]
fn two_revisions_are_compared_as_they_render() {
    let world = chart();
    let old = world.git(&["rev-parse", "HEAD"]);
    world.commit("app/values.yaml", "image: {tag: v2}\n", false);
    let (file, cache) = (world.application(|_| {}), world.name("cache"));
    let output = run(&["diff", "-f", &file, "--against", &old, "--cache-dir", &cache]);
    let shown = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    assert!(
        shown.contains("-  tag: v1") && shown.contains("+  tag: v2"),
        "{shown}"
    );
    let same = run(&["diff", "-f", &file, "--against", "main", "--cache-dir", &cache]);
    assert_eq!((same.status.code(), text(&same.stdout).as_str()), (Some(0), ""));
}

#[test]
fn a_template_that_fails_is_told_with_its_place() {
    let world = chart();
    world.commit(
        "app/templates/_helpers.tpl",
        "{{- define \"shop.tag\" -}}\n{{ .Values.image.tag.name }}\n{{- end -}}\n",
        false,
    );
    world.commit(
        "app/templates/config.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n  tag: {{ include \"shop.tag\" . }}\n",
        false,
    );
    world.commit("app/values.yaml", "image: {}\n", false);
    let output = world.render(&world.application(|_| {}), &[]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(3));
    assert!(
        said.contains("error[R20]") && said.contains("nil pointer"),
        "{said}"
    );
    assert!(
        said.contains("templates/_helpers.tpl:2") && said.contains("templates/config.yaml:5"),
        "{said}"
    );
}

#[test]
fn settings_of_another_kind_are_refused() {
    let world = World::new();
    world.commit("app/plain.yaml", PLAIN, false);
    let file = source(&world, "helm", json!({"releaseName": "x"}));
    let said = text(&world.render(&file, &[]).stderr);
    assert!(
        said.contains("error[R23]") && said.contains("no `Chart.yaml`"),
        "{said}"
    );
}
