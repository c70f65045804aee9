//! Where keyrings are: files, folders, ConfigMaps and Secrets.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Args;
use serde_json::{Value, json};
use sluice_cluster::{Kind, Patch};
use sluice_model::Object;
use sluice_model::object::ObjectRef;
use sluice_verify::{Addition, KeyKind, Keyring};

use crate::connection::{Connection, block_on};
use crate::failure::{CliError, Failure};
use crate::global::Global;

/// The field manager of keys that a person adds.
const FIELD_MANAGER: &str = "sluice-cli";

/// Keyrings to read.
#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
pub(crate) struct Keys {
    /// Files or folders of keys
    #[arg(value_name = "FILE|DIR")]
    paths: Vec<PathBuf>,
    /// ConfigMap of the cluster; many times
    #[arg(long, value_name = "NAME")]
    configmap: Vec<String>,
    /// Secret of the cluster; many times
    #[arg(long, value_name = "NAME")]
    secret: Vec<String>,
}

impl Keys {
    /// All of them in one.
    pub(crate) fn read(&self, global: &Global) -> Result<Keyring, Failure> {
        let mut keyring = Keyring::default();
        for path in &self.paths {
            keyring.extend(Keyring::from_path(path).map_err(Failure::of)?);
        }
        if self.configmap.is_empty() && self.secret.is_empty() {
            return Ok(keyring);
        }
        let read = async {
            let connection = Connection::open(global).await?;
            let maps = self.configmap.iter().map(|name| ("ConfigMap", name));
            for (kind, name) in maps.chain(self.secret.iter().map(|name| ("Secret", name))) {
                let found = get(&connection, kind, name).await?;
                let Some(object) = found else {
                    return Err(CliError::NoKeyring {
                        what: format!("{kind} {}/{name}", connection.namespace),
                    }
                    .into());
                };
                for (key, bytes) in values(&object)? {
                    let place = format!("{kind} {}/{name}: {key}", connection.namespace);
                    keyring.extend(Keyring::from_bytes(&place, &bytes));
                }
            }
            Ok(keyring)
        };
        block_on(read)
    }
}

/// A keyring to add to.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct Place {
    /// File of keys, or a folder, where OpenPGP keys go into keyring.asc and SSH keys into allowed_signers
    #[arg(long, value_name = "FILE|DIR")]
    to: Option<PathBuf>,
    /// ConfigMap of the cluster, with the same keys; created if missing
    #[arg(long, value_name = "NAME")]
    to_configmap: Option<String>,
    /// Secret of the cluster, likewise
    #[arg(long, value_name = "NAME")]
    to_secret: Option<String>,
}

impl Place {
    /// Adds what is missing, and tells what was.
    pub(crate) async fn add(&self, found: &Keyring, global: &Global) -> Result<Vec<Addition>, Failure> {
        match (&self.to, &self.to_configmap, &self.to_secret) {
            (Some(path), ..) => to_path(path, found),
            (None, Some(name), _) => to_cluster("ConfigMap", name, found, global).await,
            (None, None, Some(name)) => to_cluster("Secret", name, found, global).await,
            // clap requires one of the three.
            (None, None, None) => Ok(Vec::new()),
        }
    }
}

fn to_path(path: &Path, found: &Keyring) -> Result<Vec<Addition>, Failure> {
    let is_folder = path.is_dir();
    let held = match path.exists() {
        true => Keyring::from_path(path).map_err(Failure::of)?,
        false => Keyring::default(),
    };
    let additions = held.additions(found);
    for (name, text) in texts(&additions) {
        let file = if is_folder {
            path.join(name)
        } else {
            path.to_owned()
        };
        let before = match fs_err::read(&file) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(source) => return Err(CliError::Read { path: file, source }.into()),
        };
        let after = appended(&file.display().to_string(), before, &text)?;
        replace(&file, &after)?;
    }
    Ok(additions)
}

/// Written beside and moved over, so that it is whole or as it was.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let new = path.with_file_name(name);
    fs_err::write(&new, bytes)
        .and_then(|()| fs_err::rename(&new, path))
        .map_err(|source| CliError::Write {
            path: path.to_owned(),
            source,
        })?;
    Ok(())
}

async fn to_cluster(
    kind: &str,
    name: &str,
    found: &Keyring,
    global: &Global,
) -> Result<Vec<Addition>, Failure> {
    let connection = Connection::open(global).await?;
    let object = get(&connection, kind, name).await?;
    let held = object.as_ref().map(values).transpose()?.unwrap_or_default();
    let mut keyring = Keyring::default();
    for (key, bytes) in &held {
        keyring.extend(Keyring::from_bytes(key, bytes));
    }
    let additions = keyring.additions(found);
    let mut data = serde_json::Map::new();
    for (key, text) in texts(&additions) {
        let before = held.get(key).cloned().unwrap_or_default();
        let place = format!("{kind} {}/{name}: {key}", connection.namespace);
        let after = appended(&place, before, &text)?;
        let value = match kind {
            "Secret" => STANDARD.encode(after),
            _ => String::from_utf8_lossy(&after).into_owned(),
        };
        data.insert(key.to_owned(), value.into());
    }
    if data.is_empty() {
        return Ok(additions);
    }
    match object {
        Some(object) => {
            // Another change in between is not lost: the server then refuses this one.
            let version = object.metadata("resourceVersion").unwrap_or_default();
            let patch = json!({"metadata": {"resourceVersion": version}, "data": data});
            let reference = reference(&connection, kind, name);
            let sent = connection
                .home
                .merge_patch(&core(kind), &reference, None, FIELD_MANAGER, &patch)
                .await;
            sent.map_err(Failure::of)?;
        }
        None => {
            let object = json!({"apiVersion": "v1", "kind": kind,
                "metadata": {"name": name, "namespace": connection.namespace}, "data": data});
            let object = Object::new(object).map_err(|_| CliError::NoKeyring {
                what: format!("{kind} {name}"),
            })?;
            let created = connection
                .home
                .create(&core(kind), &object, Patch::default())
                .await;
            created.map_err(Failure::of)?;
        }
    }
    Ok(additions)
}

/// What is to be appended, by the name of where it goes.
fn texts(additions: &[Addition]) -> BTreeMap<&'static str, String> {
    let mut texts: BTreeMap<&'static str, String> = BTreeMap::new();
    for addition in additions.iter().filter(|addition| !addition.text.is_empty()) {
        let name = match addition.kind {
            KeyKind::Openpgp => "keyring.asc",
            KeyKind::Ssh | KeyKind::SshAuthority => "allowed_signers",
        };
        texts.entry(name).or_default().push_str(&addition.text);
    }
    texts
}

/// A keyring and more keys. Armour, binary keys and lines of `allowed_signers` do not go together.
fn appended(place: &str, mut before: Vec<u8>, text: &str) -> Result<Vec<u8>, Failure> {
    const ARMOUR: &str = "-----BEGIN PGP ";
    let is_armour = |text: &str| text.contains(ARMOUR);
    let goes = match std::str::from_utf8(&before) {
        Ok(held) => held.trim().is_empty() || is_armour(held) == is_armour(text),
        Err(_) => false,
    };
    if !goes {
        return Err(CliError::OtherKeyring {
            place: place.to_owned(),
        }
        .into());
    }
    if !before.is_empty() && !before.ends_with(b"\n") {
        before.push(b'\n');
    }
    before.extend_from_slice(text.as_bytes());
    Ok(before)
}

async fn get(connection: &Connection, kind: &str, name: &str) -> Result<Option<Object>, Failure> {
    let reference = reference(connection, kind, name);
    connection
        .home
        .get(&core(kind), &reference)
        .await
        .map_err(Failure::of)
}

/// The values of a ConfigMap or Secret.
fn values(object: &Object) -> Result<BTreeMap<String, Vec<u8>>, Failure> {
    let mut values = BTreeMap::new();
    let is_secret = object.is_secret();
    for (field, is_encoded) in [("data", is_secret), ("binaryData", true)] {
        let fields = object.value().get(field).and_then(Value::as_object);
        for (key, value) in fields.into_iter().flatten() {
            let text = value.as_str().unwrap_or_default();
            let bytes = match is_encoded {
                true => STANDARD.decode(text).map_err(|error| CliError::DamagedKey {
                    place: format!("{} {}: {key}", object.kind(), object.name()),
                    message: error.to_string(),
                })?,
                false => text.as_bytes().to_vec(),
            };
            values.insert(key.clone(), bytes);
        }
    }
    Ok(values)
}

/// Secrets, or ConfigMaps.
fn core(kind: &str) -> Kind {
    match kind {
        "Secret" => Kind::secrets(),
        _ => Kind::config_maps(),
    }
}

fn reference(connection: &Connection, kind: &str, name: &str) -> ObjectRef {
    ObjectRef {
        group: String::new(),
        version: "v1".to_owned(),
        kind: kind.to_owned(),
        namespace: Some(connection.namespace.clone()),
        name: name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_of_keyrings_are_not_mixed() {
        let block = "-----BEGIN PGP PUBLIC KEY BLOCK-----\n";
        let line = "ada@example.org ssh-ed25519 AAAA\n";
        assert_eq!(
            appended("x", b"a b".to_vec(), line).unwrap(),
            format!("a b\n{line}").as_bytes()
        );
        assert_eq!(appended("x", Vec::new(), block).unwrap(), block.as_bytes());
        for (before, text) in [
            (block.as_bytes(), line),
            (line.as_bytes(), block),
            (&[0x99, 0xff], block),
        ] {
            assert!(appended("x", before.to_vec(), text).is_err());
        }
    }
}
