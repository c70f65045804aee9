//! Every way to fail, with its code; that others go on; and that no failure adds a deletion.
#![expect(clippy::unwrap_used, reason = "the shared parts of tests are tests too")]

mod deciding;
mod directory;
mod loading;
mod rendering;
mod running;
mod secrets;

use std::path::Path;

use serde_json::{Value, json};
use sluice_model::census::Census;
use sluice_model::decision::{Occasion, PruneVerdict};
use sluice_model::plan::ApplicationKey;
use sluice_model::{Coded as _, Object};
use sluice_plugin_host::{PluginHost, PruneContext, SyncContext};

fn guest(name: &str) -> String {
    fs_err::read_to_string(
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("guests")
            .join(format!("{name}.wat")),
    )
    .unwrap()
}

fn object(value: Value) -> Object {
    Object::new(value).unwrap()
}

fn config(name: &str) -> Object {
    object(json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}}))
}

fn deployment() -> Object {
    object(
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"}, "spec": {"paused": true}}),
    )
}

fn now() -> jiff::Timestamp {
    "2026-01-01T00:00:00Z".parse().unwrap()
}

/// A host whose plugin directory holds one file.
fn host_with(name: &str, wasm: &[u8]) -> (PluginHost, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    fs_err::write(folder.path().join(format!("{name}.wasm")), wasm).unwrap();
    (PluginHost::with_directory(folder.path()), folder)
}

fn prune_context() -> PruneContext {
    PruneContext {
        now: now(),
        occasion: Occasion::Sync,
        application: ApplicationKey {
            namespace: "n".into(),
            name: "a".into(),
        },
        owned: Census::default(),
        desired: Census::default(),
        options: Vec::new(),
    }
}

fn sync_context() -> SyncContext {
    SyncContext {
        now: now(),
        application: None,
        options: Vec::new(),
    }
}

fn verdicts(host: &PluginHost) -> (Vec<&'static str>, Vec<&'static str>) {
    let held = object(
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "b", "annotations": {"sluice.dev/prune": "hold"}}}),
    );
    let answer = host.prune(
        &[],
        &[config("a").into(), held.into(), deployment().into()],
        &prune_context(),
    );
    let word = |verdict: &PruneVerdict| match verdict {
        PruneVerdict::Delete => "delete",
        PruneVerdict::Hold { .. } => "hold",
        PruneVerdict::Keep { .. } => "keep",
    };
    let words = answer
        .value
        .iter()
        .map(|decision| word(&decision.verdict))
        .collect();
    (
        words,
        answer.problems.iter().map(|problem| problem.code.id).collect(),
    )
}

#[test]
fn every_code_has_a_hint() {
    for code in sluice_plugin_host::codes::ALL {
        assert!(code.id.starts_with('P') && !code.summary.is_empty() && !code.hint.is_empty());
    }
    let error = PluginHost::standard()
        .inspect(Path::new("/nonexistent/x.wasm"))
        .unwrap_err();
    assert_eq!(error.code().id, "P01");
}
