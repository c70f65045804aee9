//! What is settled, and what is refused.

use super::*;
use crate::decode;
use sluice_model::error::Coded;

fn cluster(object: &Object) -> Option<Scope> {
    match (object.group(), object.version(), object.kind()) {
        ("", "v1", "ConfigMap") | ("apps", "v1", "Deployment") | ("batch", "v1", "Job") => {
            Some(Scope::Namespaced)
        }
        ("", "v1", "Namespace") | ("apiextensions.k8s.io", "v1", "CustomResourceDefinition") => {
            Some(Scope::Cluster)
        }
        _ => None,
    }
}

fn settled(yaml: &str) -> Result<Vec<String>, String> {
    let manifests = decode("a.yaml", yaml.as_bytes()).unwrap();
    let settled = settle(manifests, &cluster, "shop").map_err(|errors| errors.to_string())?;
    Ok(settled
        .iter()
        .map(|manifest| manifest.object.reference().to_string())
        .collect())
}

fn manifest(api_version: &str, kind: &str, metadata: &str) -> String {
    format!("---\napiVersion: {api_version}\nkind: {kind}\nmetadata: {metadata}\n")
}

#[test]
fn namespaces_follow_the_scope() {
    let yaml = manifest("v1", "ConfigMap", "{name: a}")
        + &manifest("v1", "ConfigMap", "{name: a, namespace: other}")
        + &manifest("v1", "Namespace", "{name: other}");
    assert_eq!(
        settled(&yaml).unwrap(),
        ["ConfigMap shop/a", "ConfigMap other/a", "Namespace other"]
    );
}

#[test]
fn one_object_has_one_manifest() {
    let twice =
        manifest("v1", "ConfigMap", "{name: a}") + &manifest("v1", "ConfigMap", "{name: a, namespace: shop}");
    assert_eq!(
        settled(&twice).unwrap_err(),
        "R11: a.yaml:6: ConfigMap shop/a: is given twice; first at a.yaml:2"
    );
    // Two that get their names from the server are two.
    let generated = manifest("batch/v1", "Job", "{generateName: a-}").repeat(2);
    assert_eq!(settled(&generated).unwrap().len(), 2);
}

#[test]
fn a_namespace_on_a_cluster_scoped_object_means_nothing() {
    let within = manifest("v1", "Namespace", "{name: a, namespace: b}");
    assert_eq!(settled(&within).unwrap(), ["Namespace a"]);
    assert_eq!(
        settled(&(within + &manifest("v1", "Namespace", "{name: a}"))).unwrap_err(),
        "R11: a.yaml:6: Namespace a: is given twice; first at a.yaml:2"
    );
}

#[test]
fn a_kind_is_known_to_the_cluster_or_defined_beside_it() {
    let widget = manifest("example.com/v1", "Widget", "{name: a}");
    let error = settled(&widget).unwrap_err();
    assert!(
        error.starts_with("R13: a.yaml:2: Widget.example.com a: the cluster has no kind"),
        "{error}"
    );
    let crd = |scope: &str, version: &str| {
        manifest(
            "apiextensions.k8s.io/v1",
            "CustomResourceDefinition",
            "{name: widgets.example.com}",
        ) + &format!(
            "spec: {{group: example.com, scope: {scope}, names: {{kind: Widget}}, versions: [{{name: {version}, served: true}}]}}\n"
        )
    };
    let names = settled(&(widget.clone() + &crd("Namespaced", "v1"))).unwrap();
    assert_eq!(names[0], "Widget.example.com shop/a");
    assert_eq!(
        settled(&(widget.clone() + &crd("Cluster", "v1"))).unwrap()[0],
        "Widget.example.com a"
    );
    assert!(
        settled(&(widget + &crd("Namespaced", "v2")))
            .unwrap_err()
            .starts_with("R13")
    );
}

#[test]
fn everything_wrong_is_said_at_once() {
    let yaml = manifest("x/v1", "Z", "{name: a}") + &manifest("v1", "ConfigMap", "{name: a}").repeat(2);
    let errors = settle(decode("a.yaml", yaml.as_bytes()).unwrap(), &cluster, "shop").unwrap_err();
    assert_eq!(
        errors.iter().map(|error| error.code().id).collect::<Vec<_>>(),
        ["R13", "R11"]
    );
}

/// Reported: the name `..` or `a/b` reached another object, or failed the whole Application without naming the object.
#[test]
fn a_name_that_no_path_can_have_is_refused_by_name() {
    let yaml = manifest("v1", "ConfigMap", "{name: a/b}")
        + &manifest("v1", "ConfigMap", "{name: ..}")
        + &manifest("v1", "ConfigMap", "{name: fine, namespace: 'n%2F..'}")
        + &manifest("v1", "ConfigMap", "{name: 'a b?c#d'}");
    assert_eq!(
        settled(&yaml).unwrap_err(),
        "R19: a.yaml:2: ConfigMap shop/a/b: the name \"a/b\" contains `/`, which separates the parts of a path\n\
         R19: a.yaml:6: ConfigMap shop/..: the name \"..\" means a folder in a path\n\
         R19: a.yaml:10: ConfigMap n%2F../fine: the namespace \"n%2F..\" contains `%`, which begins an encoded letter of a path"
    );
}
