//! The renderer of Jsonnet.

use sluice_render_tests::{Renderer, Repository};

#[test]
fn a_program_asks_for_what_it_imports() {
    let jsonnet = Renderer::load("jsonnet").unwrap();
    let repository = Repository::of(&[
        (
            "app/map.jsonnet",
            "local l = import '../lib/map.libsonnet'; function(name) [l.map(name), l.map(std.extVar('other'))]",
        ),
        (
            "lib/map.libsonnet",
            "{ map(name): { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: name } } }",
        ),
    ]);
    let settings = r#"{"tlas": [{"name": "name", "value": "a"}], "extVars": [{"name": "other", "value": "'b'", "code": true}]}"#;
    let answer = jsonnet.render(&repository, "app", settings, "");
    let names: Vec<_> = answer
        .rendering()
        .documents
        .iter()
        .map(|document| document.text.contains("\"name\": \"b\""))
        .collect();
    assert_eq!(names, [false, true]);
    assert_eq!(
        answer.rendering().read,
        ["app/", "app/map.jsonnet", "lib/map.libsonnet"]
    );
}

#[test]
fn endless_recursion_is_a_problem_and_not_a_crash() {
    let jsonnet = Renderer::load("jsonnet").unwrap();
    for text in [
        "local f(x) = f(x + 1) + 1; f(1)",
        "{ a: self.b, b: self.a }",
        "local a = [a]; a",
    ] {
        let repository = Repository::of(&[("app/a.jsonnet", text)]);
        assert_eq!(
            jsonnet.render(&repository, "app", "", "").problem().code,
            "recursion",
            "{text}"
        );
    }
}
