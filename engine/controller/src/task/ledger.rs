//! Where the ledger of a source is kept: in a ConfigMap beside its Application, which goes with it.
//!
//! Who can write a ledger can make a commit trusted, and ConfigMaps are written by many. So the digest of what was
//! written stands in the Application's status, which the controller alone writes; a ledger of another digest is not read,
//! and what it knew is verified again.

use std::sync::Arc;

use serde_json::json;
use sha2::{Digest as _, Sha256};
use sluice_cluster::{Kind, Patch};
use sluice_model::ObjectRef;
use sluice_model::application::{ApplicationStatus, VerificationState};
use sluice_model::error::one_line;
use sluice_model::object::Object;
use sluice_model::plan::ApplicationKey;
use sluice_pipeline::PipelineError;
use sluice_verify::Ledger;

use super::log;
use crate::fleet::Shared;

/// The key of the ConfigMap that holds it.
const KEY: &str = "ledger.json";
/// The longest name of an object.
const LONGEST_NAME: usize = 253;

/// The ledger of one source: what is known of it, and where it is kept.
pub(crate) struct LedgerStore {
    shared: Arc<Shared>,
    key: ApplicationKey,
    /// The source's name; empty for one that is alone.
    source: String,
    uid: String,
    /// None until it is needed.
    known: Option<Ledger>,
    /// The digest of what was written last by this process.
    digest: Option<String>,
}

impl LedgerStore {
    pub(crate) fn new(shared: Arc<Shared>, key: ApplicationKey, source: &str) -> Self {
        Self {
            shared,
            key,
            source: source.to_owned(),
            uid: String::new(),
            known: None,
            digest: None,
        }
    }

    /// This is another Application than before, though of the same name.
    pub(crate) fn meet(&mut self, uid: String) {
        self.uid = uid;
        (self.known, self.digest) = (None, None);
    }

    /// Forgets what was read, so that it is read again.
    pub(crate) fn forget(&mut self) {
        self.known = None;
    }

    /// Returns the ledger, read once; an empty one if there is none that can be believed.
    pub(crate) async fn read(&mut self, status: &ApplicationStatus) -> Ledger {
        if let Some(ledger) = &self.known {
            return ledger.clone();
        }
        let wanted = status
            .verification
            .as_ref()
            .and_then(|state| state.ledger_digest.clone());
        let ledger = match wanted {
            None => Ledger::default(),
            Some(wanted) => match self.read_ledger(&wanted).await {
                Ok(ledger) => ledger,
                Err(reason) => {
                    tracing::warn!(application = %self.key, reason, "the ledger is not read; what it knew is verified again");
                    Ledger::default()
                }
            },
        };
        self.known = Some(ledger.clone());
        ledger
    }

    /// Writes the ledger down.
    pub(crate) async fn keep(&mut self, ledger: Ledger) {
        let text = ledger.to_json();
        self.known = Some(ledger);
        match self.write_ledger(&text).await {
            Ok(()) => self.digest = Some(digest(&text)),
            // It costs time after a restart, and nothing else.
            Err(error) => log(&self.key, &error),
        }
    }

    /// Puts the digest of what was written into a status.
    pub(crate) fn note_digest(&self, status: &mut ApplicationStatus) {
        if let Some(digest) = &self.digest {
            let state = status.verification.get_or_insert_with(VerificationState::default);
            state.ledger_digest = Some(digest.clone());
        }
    }

    async fn read_ledger(&self, wanted: &str) -> Result<Ledger, String> {
        let home = &self.shared.pipeline.home;
        let map = home.get(&Kind::config_maps(), &self.place()).await;
        let map = map
            .map_err(|error| one_line(&error))?
            .ok_or_else(|| "its ConfigMap is gone".to_owned())?;
        let text = map.value().pointer(&format!("/data/{KEY}"));
        let text = text.and_then(serde_json::Value::as_str).unwrap_or_default();
        if digest(text) != wanted {
            return Err("another writer has changed it".to_owned());
        }
        Ledger::from_json(text).map_err(|error| one_line(&error))
    }

    async fn write_ledger(&self, text: &str) -> Result<(), PipelineError> {
        let place = self.place();
        let map = json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": place.name,
                "namespace": place.namespace,
                "labels": {"app.kubernetes.io/managed-by": "sluice"},
                "ownerReferences": [{
                    "apiVersion": "sluice.dev/v1alpha1", "kind": "Application", "name": self.key.name, "uid": self.uid,
                }],
            },
            "data": {KEY: text},
        });
        let map = Object::new(map).map_err(PipelineError::internal)?;
        let how = Patch {
            force: true,
            ..Patch::default()
        };
        let home = &self.shared.pipeline.home;
        home.apply(&Kind::config_maps(), &map, how).await?;
        Ok(())
    }

    fn place(&self) -> ObjectRef {
        ObjectRef {
            group: String::new(),
            version: "v1".to_owned(),
            kind: "ConfigMap".to_owned(),
            namespace: Some(self.key.namespace.clone()),
            name: name(&self.key.name, &self.source),
        }
    }
}

/// The ConfigMap of the ledger of an Application's source. A source's name can have letters that no ConfigMap's can, and names that are
/// put together must not be another's.
fn name(application: &str, source: &str) -> String {
    let name = format!("sluice-ledger-{application}");
    match (name.len() <= LONGEST_NAME, source) {
        (true, "") => name,
        (false, "") => format!("sluice-ledger-{}", hex::encode(Sha256::digest(application))),
        (_, source) => {
            let both = format!("{application}/{source}");
            format!("sluice-ledger-{}", hex::encode(Sha256::digest(both)))
        }
    }
}

fn digest(text: &str) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_source_has_one() {
        assert_eq!(name("shop", ""), "sluice-ledger-shop");
        let (long, longer) = ("a".repeat(250), "a".repeat(251));
        assert!(name(&long, "").len() <= LONGEST_NAME && name(&long, "") != name(&longer, ""));
        let of_two = [name("shop", "chart"), name("shop", "values")];
        assert!(of_two[0] != of_two[1] && of_two.iter().all(|name| name.len() <= LONGEST_NAME));
    }
}
