//! `sluice key` on keyrings in the cluster.

use serde_json::json;
use sluice_cluster_tests::World;
use sluice_sandbox::{GnuPg, Key};

/// A namespace, and people with keys.
struct Keys {
    world: World<'static>,
    home: GnuPg,
    ada: Key,
    bob: Key,
}

impl Keys {
    fn new(name: &str) -> Self {
        let home = GnuPg::new().unwrap();
        let ada = home.generate("Ada <ada@example.org>").unwrap();
        let bob = home.generate("Bob <bob@example.org>").unwrap();
        let world = World::shared(name).unwrap();
        Self {
            world,
            home,
            ada,
            bob,
        }
    }

    fn run(&self, arguments: &[&str]) -> (Option<i32>, String, String) {
        let arguments = [&["key"], arguments, &["-n", &self.world.namespace]].concat();
        let output = self.world.engine.try_sluice(&arguments).unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    }

    /// Imports a key as gpg exports it now; what is said of it.
    fn import(&self, key: &Key, to: &str) -> String {
        let name = format!("{}.asc", key.fingerprint);
        let file = self
            .world
            .engine
            .write(&name, self.home.export(key).unwrap())
            .unwrap();
        let (code, shown, said) = self.run(&["import", file.to_str().unwrap(), to, "team"]);
        assert_eq!(code, Some(0), "{said}");
        let rest = shown.strip_prefix(&key.fingerprint).unwrap();
        rest.trim().to_owned()
    }
}

#[test]
fn keys_get_into_config_maps_and_secrets() {
    let keys = Keys::new("keys-import");
    for (to, from) in [("--to-configmap", "--configmap"), ("--to-secret", "--secret")] {
        // It is made where it is missing, added to where it is not, and adding twice is adding once.
        assert_eq!(keys.import(&keys.ada, to), "added");
        assert_eq!(keys.import(&keys.bob, to), "added");
        assert_eq!(keys.import(&keys.ada, to), "there already");
        let (code, listed, said) = keys.run(&["list", from, "team"]);
        assert_eq!(code, Some(0), "{said}");
        for key in [&keys.ada, &keys.bob] {
            let row = listed
                .lines()
                .find(|row| row.starts_with(&key.fingerprint))
                .unwrap();
            assert!(row.contains(&key.user_id) && row.ends_with("trusted"), "{row}");
        }
        let (code, shown, said) = keys.run(&["inspect", from, "team"]);
        assert!(
            code == Some(0) && shown.contains("primary key: EdDSA"),
            "{shown}{said}"
        );
    }
    // What gpg knows by now of a key that is there: the same key, and it says more.
    keys.home.revoke(&keys.bob).unwrap();
    assert_eq!(keys.import(&keys.bob, "--to-secret"), "brought up to date");
    let (code, shown, _) = keys.run(&["inspect", "--secret", "team"]);
    assert!(code == Some(1) && shown.contains("revoked-key: "), "{shown}");
    // All that are named are one keyring, so whoever was revoked in one is.
    let (_, listed, _) = keys.run(&["list", "--configmap", "team", "--secret", "team", "-o", "json"]);
    assert_eq!(listed.lines().count(), 2, "{listed}");
    assert!(listed.contains("revoked-key"), "{listed}");
}

#[test]
fn what_is_wrong_with_a_keyring_is_named() {
    let keys = Keys::new("keys-wrong");
    for kind in ["--configmap", "--secret"] {
        let (code, _, said) = keys.run(&["list", kind, "nobodys-keys"]);
        assert!(
            code == Some(3) && said.contains("error[U22]") && said.contains("nobodys-keys"),
            "{said}"
        );
    }
    let damaged = "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nnonsense\n-----END PGP PUBLIC KEY BLOCK-----\n";
    let good = keys.home.export(&keys.ada).unwrap();
    let object = |kind: &str, field: &str| {
        json!({
            "apiVersion": "v1", "kind": kind,
            "metadata": {"name": "team", "namespace": keys.world.namespace},
            field: {"good.asc": good, "damaged.asc": damaged},
        })
    };
    for (kind, field, option) in [
        ("ConfigMap", "data", "--configmap"),
        ("Secret", "stringData", "--secret"),
    ] {
        keys.world.apply(&object(kind, field)).unwrap();
        let (code, listed, said) = keys.run(&["list", option, "team"]);
        assert_eq!(code, Some(3));
        assert!(
            listed.contains(&keys.ada.fingerprint),
            "the others are shown: {listed}"
        );
        assert!(
            said.contains("error[U21]") && said.contains(&format!("{kind} keys-wrong/team: damaged.asc")),
            "{said}"
        );
    }
}
