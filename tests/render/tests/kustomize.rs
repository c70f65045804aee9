//! The renderer of kustomizations.

use sluice_render_tests::{Renderer, Repository};

#[test]
fn an_overlay_asks_for_its_base_and_is_built() {
    let kustomize = Renderer::load("kustomize").unwrap();
    let repository = Repository::of(&[
        ("base/kustomization.yaml", "resources: [map.yaml]\n"),
        (
            "base/map.yaml",
            "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\ndata:\n  b: c\n",
        ),
        (
            "overlay/kustomization.yaml",
            "resources: [../base]\nnamePrefix: x-\n",
        ),
    ]);
    let answer = kustomize.render(
        &repository,
        "overlay",
        r#"{"namespace": "shop", "nameSuffix": "-y"}"#,
        "",
    );
    let documents = &answer.rendering().documents;
    assert_eq!(documents.len(), 1);
    assert_eq!(
        documents[0].text,
        "apiVersion: v1\ndata:\n  b: c\nkind: ConfigMap\nmetadata:\n  name: x-a-y\n  namespace: shop\n"
    );
}
