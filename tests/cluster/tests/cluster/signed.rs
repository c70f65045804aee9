//! What tests about signatures work in: a namespace with a repository, and people with keys.

use anyhow::ensure;
use serde_json::{Value, json};
use sluice_cluster_tests::{Engine, World, condition, config_map, text};
use sluice_sandbox::{GnuPg, Key, Signature};

/// A namespace with a repository, and people with keys.
pub(crate) struct Signed<'a> {
    pub(crate) world: World<'a>,
    pub(crate) home: GnuPg,
    pub(crate) ada: Key,
    pub(crate) bob: Key,
}

impl<'a> Signed<'a> {
    pub(crate) fn new(engine: &'a Engine, name: &str) -> Self {
        let home = GnuPg::new().unwrap();
        let ada = home.generate("Ada <ada@example.org>").unwrap();
        let bob = home.generate("Bob <bob@example.org>").unwrap();
        Self {
            world: World::new(engine, name).unwrap(),
            home,
            ada,
            bob,
        }
    }

    pub(crate) fn shared(name: &str) -> Signed<'static> {
        Signed::new(Engine::shared(), name)
    }

    pub(crate) fn by<'s>(&'s self, key: &'s Key) -> Signature<'s> {
        Signature::OpenPgp(&self.home, key)
    }

    /// Commits a new value of what runs.
    pub(crate) fn commit(&self, value: &str, signature: Signature<'_>) -> String {
        self.world
            .write("running.yaml", &config_map("running", value))
            .unwrap();
        self.world.commit_with(value, signature).unwrap()
    }

    /// The ConfigMap of keys has these and no others.
    pub(crate) fn trust(&self, keys: &[&Key]) {
        let keys: Vec<String> = keys.iter().map(|key| self.home.export(key).unwrap()).collect();
        self.map("keys", &json!({"team.asc": keys.join("\n")}));
    }

    pub(crate) fn map(&self, name: &str, data: &Value) {
        let map = json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": name, "namespace": self.world.namespace}, "data": data,
        });
        self.world.apply(&map).unwrap();
    }

    /// The Application asks for signed history, and for more.
    pub(crate) fn ask(&self, more: &Value) {
        let mut application = self.world.application();
        let verification = &mut application["spec"]["verification"];
        *verification = json!({"mode": "chain", "keyrings": [{"configMap": {"name": "keys"}}]});
        for (key, value) in more.as_object().unwrap() {
            verification[key] = value.clone();
        }
        self.world.apply(&application).unwrap();
    }

    /// Ada's key is trusted, and a commit of hers runs.
    pub(crate) fn running(&self, more: &Value) -> String {
        self.trust(&[&self.ada]);
        let commit = self.commit("1", self.by(&self.ada));
        self.ask(more);
        self.world.wait_synced(&commit).unwrap();
        commit
    }

    pub(crate) fn refresh(&self) {
        self.world.refresh().unwrap();
    }

    /// Waits until the condition Verified is False with this code, and returns the status.
    pub(crate) fn refused(&self, code: &str) -> Value {
        self.world
            .wait_status(|status| {
                let verified = condition(status, "Verified")?;
                ensure!(verified["status"] == "False", "Verified is not False");
                ensure!(text(verified, "/reason") == code, "not {code}");
                Ok(())
            })
            .unwrap()
    }

    pub(crate) fn value(&self) -> String {
        let running = self.world.object("configmap/running").unwrap();
        text(&running, "/data/value").to_owned()
    }
}

pub(crate) fn said(status: &Value, kind: &str) -> String {
    text(condition(status, kind).unwrap(), "/message").to_owned()
}
