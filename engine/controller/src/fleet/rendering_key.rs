//! The Secret that the randomness of renderings comes from: made once, when the controller starts, and never again.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use sluice_cluster::{ClusterError, Home, Kind, Patch};
use sluice_model::object::{Object, ObjectRef};
use sluice_pipeline::{RENDERING_SECRET, RENDERING_SECRET_KEY};

/// Makes the Secret in a namespace, if it is not there. One that is there stays as it is, for every password that a chart made up
/// follows from it.
pub(crate) async fn ensure(home: &Home, namespace: &str) {
    if let Err(error) = make(home, namespace).await {
        tracing::warn!(
            "the Secret {namespace}/{RENDERING_SECRET} cannot be made: charts that make up passwords or certificates are refused: {error}"
        );
    }
}

async fn make(home: &Home, namespace: &str) -> Result<(), ClusterError> {
    let kind = Kind::secrets();
    let reference = ObjectRef {
        group: String::new(),
        version: kind.version.clone(),
        kind: kind.kind.clone(),
        namespace: Some(namespace.to_owned()),
        name: RENDERING_SECRET.to_owned(),
    };
    if home.get(&kind, &reference).await?.is_some() {
        return Ok(());
    }
    let mut key = [0_u8; 32];
    if let Err(error) = getrandom::fill(&mut key) {
        tracing::warn!("there is no randomness to make a key of: {error}");
        return Ok(());
    }
    let secret = json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": RENDERING_SECRET,
            "namespace": namespace,
            "labels": {"app.kubernetes.io/name": "sluice"},
        },
        "type": "Opaque",
        "data": {RENDERING_SECRET_KEY: STANDARD.encode(key)},
    });
    let Ok(secret) = Object::new(secret) else {
        return Ok(());
    };
    match home.create(&kind, &secret, Patch::default()).await {
        Ok(_) => Ok(()),
        // Another instance may have been quicker.
        Err(error) => match home.get(&kind, &reference).await? {
            Some(_) => Ok(()),
            None => Err(error),
        },
    }
}
