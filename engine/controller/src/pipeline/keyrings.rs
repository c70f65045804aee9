//! Keys and credentials, from where the spec says they are.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use sluice_model::Object;
use sluice_model::application::KeyringRef;
use sluice_source::{Credentials, Secret};
use sluice_verify::Keyring;

use crate::error::PipelineError;
use crate::mirrors::Reach;
use crate::pipeline::{Job, Pipeline, blocking};
use crate::references::Named;

impl Pipeline {
    /// The keys that the Application trusts; empty where it asks for no verification.
    pub async fn keyring(&self, job: &Job) -> Result<Keyring, PipelineError> {
        let mut keyring = Keyring::default();
        let references = job
            .spec
            .verification
            .iter()
            .flat_map(|verification| &verification.keyrings);
        for reference in references {
            match reference {
                KeyringRef {
                    config_map: Some(map),
                    secret: None,
                    file: None,
                } => {
                    for (name, bytes) in self.keys_of(&job.key.namespace, &map.name).await? {
                        keyring.extend(Keyring::from_bytes(&name, &bytes));
                    }
                }
                KeyringRef {
                    config_map: None,
                    secret: None,
                    file: Some(file),
                } => {
                    let (path, what) = (std::path::PathBuf::from(file), file.clone());
                    let read = blocking(move || Keyring::from_path(&path)).await?;
                    keyring.extend(read.map_err(|error| PipelineError::Keyring {
                        what,
                        detail: sluice_model::error::one_line(&error),
                    })?);
                }
                KeyringRef { .. } => {
                    return Err(PipelineError::Spec {
                        field: "spec.verification.keyrings",
                        detail: "each entry has either `configMap` or `file`".to_owned(),
                    });
                }
            }
        }
        Ok(keyring)
    }

    async fn keys_of(&self, namespace: &str, name: &str) -> Result<Vec<(String, Vec<u8>)>, PipelineError> {
        let what = format!("ConfigMap {namespace}/{name}");
        let unusable = |detail: String| PipelineError::Keyring {
            what: what.clone(),
            detail,
        };
        let map = self.references.get(Named::ConfigMap, namespace, name).await;
        let map = map.map_err(|error| unusable(sluice_model::error::one_line(&*error)))?;
        let map = map.ok_or_else(|| unusable("there is none".to_owned()))?;
        let values = |field: &str| {
            map.value()
                .get(field)
                .and_then(Value::as_object)
                .cloned()
                .unwrap_or_default()
        };
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let mut keys: Vec<_> = values("data")
            .iter()
            .map(|(key, value)| (format!("{what}: {key}"), text(value).into_bytes()))
            .collect();
        for (key, value) in &values("binaryData") {
            let bytes = STANDARD
                .decode(text(value))
                .map_err(|error| unusable(format!("{key}: {error}")))?;
            keys.push((format!("{what}: {key}"), bytes));
        }
        Ok(keys)
    }

    pub(crate) async fn credentials(&self, namespace: &str, name: &str) -> Result<Reach, PipelineError> {
        let what = format!("{namespace}/{name}");
        let unusable = |detail: String| PipelineError::Credentials {
            what: what.clone(),
            detail,
        };
        let secret = self.references.get(Named::Secret, namespace, name).await;
        let secret = secret.map_err(|error| unusable(sluice_model::error::one_line(&*error)))?;
        let secret = secret.ok_or_else(|| unusable("there is none".to_owned()))?;
        credentials_in(&secret).map_err(unusable)
    }
}

/// The keys of Kubernetes' own Secret types, and those that Argo CD and Flux use.
fn credentials_in(secret: &Object) -> Result<Reach, String> {
    let mut identity = Sha256::new();
    let mut value = |keys: &[&str]| -> Result<Option<Vec<u8>>, String> {
        for key in keys {
            let encoded = secret
                .value()
                .get("data")
                .and_then(|data| data.get(*key))
                .and_then(Value::as_str);
            if let Some(encoded) = encoded {
                let bytes = STANDARD
                    .decode(encoded)
                    .map_err(|_| format!("`{key}` is not base64"))?;
                identity.update(key);
                identity.update(&bytes);
                return Ok(Some(bytes));
            }
        }
        Ok(None)
    };
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).map_err(|_| "`username` is not text".to_owned());
    let credentials = if let Some(key) = value(&["sshPrivateKey", "ssh-privatekey", "identity"])? {
        Credentials::SshKey(Secret::new(key))
    } else if let Some(token) = value(&["bearerToken"])? {
        Credentials::Bearer(Secret::new(token))
    } else if let Some(password) = value(&["password"])? {
        let username = value(&["username"])?
            .map(text)
            .transpose()?
            .unwrap_or_else(|| "git".to_owned());
        Credentials::Basic {
            username,
            password: Secret::new(password),
        }
    } else {
        return Err("it has none of `password`, `bearerToken`, `sshPrivateKey`".to_owned());
    };
    let identity = hex::encode(identity.finalize());
    Ok(Reach {
        access: credentials.into(),
        identity,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(data: &[(&str, &str)]) -> Result<Reach, String> {
        let data: serde_json::Map<_, _> = data
            .iter()
            .map(|(key, value)| ((*key).to_owned(), STANDARD.encode(value).into()))
            .collect();
        credentials_in(&Object::new(json!({"apiVersion": "v1", "kind": "Secret", "data": data})).unwrap())
    }

    #[test]
    fn the_keys_say_what_they_are() {
        let basic = read(&[("username", "u"), ("password", "p")]).unwrap();
        assert!(matches!(&basic.access.credentials, Credentials::Basic { username, .. } if username == "u"));
        assert!(matches!(
            read(&[("bearerToken", "t")]).unwrap().access.credentials,
            Credentials::Bearer(_)
        ));
        assert!(matches!(
            read(&[("ssh-privatekey", "k")]).unwrap().access.credentials,
            Credentials::SshKey(_)
        ));
        assert!(read(&[("other", "x")]).is_err());
        assert_ne!(
            basic.identity,
            read(&[("username", "u"), ("password", "q")]).unwrap().identity
        );
    }
}
