//! The standard plugins, as they are embedded: the real Wasm, asked through the public interface.
#![expect(clippy::unwrap_used, reason = "the shared parts of tests are tests too")]

mod catalogue;
mod cel;
mod health;
mod kstatus;
mod lua;
mod prune;
mod sync;

use serde_json::Value;
use sluice_model::Object;
use sluice_model::application::Policies;
use sluice_plugin_host::PluginHost;

fn object(value: Value) -> Object {
    Object::new(value).unwrap()
}

fn now() -> jiff::Timestamp {
    "2026-01-01T00:00:00Z".parse().unwrap()
}

#[test]
fn every_standard_plugin_is_listed_with_its_digest() {
    let list = PluginHost::standard().list();
    assert_eq!(list.problems, []);
    let names: Vec<&str> = list.value.iter().map(|info| info.name.as_str()).collect();
    let want = [
        "health-catalogue",
        "health-kubernetes",
        "health-cel",
        "health-kstatus",
        "health-lua",
        "prune-argocd",
        "prune-flux",
        "prune-standard",
        "prune-blast-radius",
        "sync-argocd",
        "sync-flux",
        "sync-standard",
    ];
    assert_eq!(names, want);
    assert!(
        list.value
            .iter()
            .all(|info| info.digest.len() == "sha256:".len() + 64 && !info.summary.is_empty())
    );
    let by_default: Vec<&str> = list
        .value
        .iter()
        .filter(|info| info.asked_by_default)
        .map(|info| info.name.as_str())
        .collect();
    let by_name = ["health-cel", "health-kstatus", "health-lua"];
    assert_eq!(
        by_default,
        want.into_iter()
            .filter(|name| !by_name.contains(name))
            .collect::<Vec<_>>()
    );
    let digests = PluginHost::standard().digests(&Policies::default());
    assert_eq!(digests.len(), by_default.len());
    assert!(
        digests
            .first()
            .is_some_and(|digest| digest.starts_with("health-catalogue@sha256:"))
    );
}
