//! The renderer of Helm charts.

use sluice_render_tests::{Renderer, Repository};

const CONTEXT: &str = r#"{"release": "web", "namespace": "shop",
    "seed": "0101010101010101010101010101010101010101010101010101010101010101", "now": "2026-11-30T01:02:03Z"}"#;

#[test]
fn a_chart_is_rendered() {
    let helm = Renderer::load("helm").unwrap();
    let repository = Repository::of(&[
        ("chart/Chart.yaml", "apiVersion: v2\nname: web\nversion: 0.1.0\n"),
        ("chart/values.yaml", "replicas: 1\n"),
        (
            "chart/templates/deployment.yaml",
            "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: {{ .Release.Name }}\n  namespace: {{ .Release.Namespace }}\n\
             spec:\n  replicas: {{ .Values.replicas }}\n",
        ),
    ]);
    let answer = helm.render(
        &repository,
        "chart",
        r#"{"valuesObject": {"replicas": 3}}"#,
        CONTEXT,
    );
    assert_eq!(
        answer.printed(),
        "---\n# Source: web/templates/deployment.yaml\napiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\n  \
         namespace: shop\nspec:\n  replicas: 3\n\n"
    );
}
