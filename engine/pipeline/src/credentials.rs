//! How the repositories of an Application are reached: from its own Secret and ConfigMaps, or from those that are shared.
//!
//! Shared ones are in one namespace, by fixed names, so that reading them takes a right to three objects and no more:
//!
//! | object | each value is |
//! |---|---|
//! | Secret `sluice-repositories` | YAML: the `url` that credentials are for and what is below it, the `namespaces` whose Applications may use them, and the keys of a credentials Secret |
//! | ConfigMap `sluice-known-hosts` | lines of OpenSSH's `known_hosts` |
//! | ConfigMap `sluice-tls-certificates` | PEM, for the host that is its key |
//!
//! What an Application names itself comes first. Only shared credentials do not mix with hosts of one's own: a user who writes
//! an Application could have them sent to a host of their own.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use sluice_model::Object;
use sluice_model::application::Source;
use sluice_source::{Access, Credentials, KnownHosts, Limits, Secret, is_below};

use crate::charts::http;
use crate::error::PipelineError;
use crate::mirrors::Reach;
use crate::references::Named;
use crate::{Job, Pipeline};

/// The Secret of shared credentials.
pub const SHARED_REPOSITORIES: &str = "sluice-repositories";
/// The ConfigMap of shared host keys.
pub const SHARED_KNOWN_HOSTS: &str = "sluice-known-hosts";
/// The ConfigMap of shared certificates.
pub const SHARED_CERTIFICATES: &str = "sluice-tls-certificates";

/// How repositories are reached where nothing else is said.
#[derive(Debug, Clone, Default)]
pub struct Reaching {
    /// OpenSSH `known_hosts`; that of the user and of the system where missing.
    pub known_hosts: Option<std::path::PathBuf>,
    /// What a fetch may cost.
    pub limits: Limits,
    /// The namespace of what is shared; nothing is where missing.
    pub shared: Option<String>,
}

/// The values of a Secret or ConfigMap, decoded.
pub(crate) type Values = BTreeMap<String, Vec<u8>>;

impl Pipeline {
    pub(crate) async fn reach(&self, job: &Job, source: &Source) -> Result<Reach, PipelineError> {
        let namespace = job.key.namespace.as_str();
        let mut access = match &source.credentials {
            Some(secret) => self.credentials(namespace, &secret.name).await?,
            None => match self
                .shared_credentials(namespace, &http(&source.repo_url))
                .await?
            {
                Some(_) if source.known_hosts.is_some() || source.tls_certificates.is_some() => {
                    return Err(PipelineError::Credentials {
                        what: SHARED_REPOSITORIES.to_owned(),
                        detail: "shared credentials are shown to shared hosts only: leave out `source.knownHosts` and \
                                 `source.tlsCertificates`, or name credentials of your own"
                            .to_owned(),
                    });
                }
                Some(access) => access,
                None => Access::default(),
            },
        };
        if let Some(map) = &source.known_hosts {
            access.known_hosts = lines(&self.required(namespace, &map.name).await?);
        } else if let (KnownHosts::User, Some(shared)) = (
            &access.known_hosts,
            self.shared(Named::ConfigMap, SHARED_KNOWN_HOSTS).await?,
        ) {
            access.known_hosts = lines(&shared);
        }
        if let (KnownHosts::User, Some(file)) = (&access.known_hosts, &self.reaching.known_hosts) {
            access.known_hosts = KnownHosts::File(file.clone());
        }
        if let Some(map) = &source.tls_certificates {
            access.certificate_authorities = Some(joined(&self.required(namespace, &map.name).await?));
        } else if access.certificate_authorities.is_none()
            && let Some(shared) = self.shared(Named::ConfigMap, SHARED_CERTIFICATES).await?
        {
            let host = host_of(&http(&source.repo_url));
            access.certificate_authorities = host
                .and_then(|host| shared.get(&host))
                .map(|pem| Arc::from(pem.as_slice()));
        }
        access.limits = self.reaching.limits;
        let identity = identity(&access);
        Ok(Reach { access, identity })
    }

    async fn credentials(&self, namespace: &str, name: &str) -> Result<Access, PipelineError> {
        let what = format!("{namespace}/{name}");
        let unusable = |detail: String| PipelineError::Credentials {
            what: what.clone(),
            detail,
        };
        let secret = self.references.get(Named::Secret, namespace, name).await;
        let secret = secret.map_err(|error| unusable(sluice_model::error::one_line(&*error)))?;
        let secret = secret.ok_or_else(|| unusable("there is none".to_owned()))?;
        access_of(&values(&secret).map_err(unusable)?).map_err(unusable)
    }

    /// The shared credentials for a repository, of the entry that says the most about its URL.
    async fn shared_credentials(&self, namespace: &str, url: &str) -> Result<Option<Access>, PipelineError> {
        let Some(entries) = self.shared(Named::Secret, SHARED_REPOSITORIES).await? else {
            return Ok(None);
        };
        let mut best: Option<(usize, Values)> = None;
        for (key, text) in &entries {
            match SharedEntry::read(text) {
                Ok(entry) if entry.is_for(namespace, url) => {
                    if best.as_ref().is_none_or(|(length, _)| entry.url.len() > *length) {
                        best = Some((entry.url.len(), entry.values));
                    }
                }
                Ok(_) => {}
                // The others serve; an Application that needed this one is told that the repository asks for credentials.
                Err(reason) => {
                    tracing::warn!(
                        entry = key,
                        reason,
                        "an entry of {SHARED_REPOSITORIES} cannot be used"
                    );
                }
            }
        }
        let unusable = |detail: String| PipelineError::Credentials {
            what: SHARED_REPOSITORIES.to_owned(),
            detail,
        };
        best.map(|(_, values)| access_of(&values).map_err(unusable))
            .transpose()
    }

    /// The values of a ConfigMap that an Application names.
    async fn required(&self, namespace: &str, name: &str) -> Result<Values, PipelineError> {
        let unusable = |detail: String| PipelineError::Hosts {
            what: format!("{namespace}/{name}"),
            detail,
        };
        let map = self.references.get(Named::ConfigMap, namespace, name).await;
        let map = map.map_err(|error| unusable(sluice_model::error::one_line(&*error)))?;
        let map = map.ok_or_else(|| unusable("there is none".to_owned()))?;
        values(&map).map_err(unusable)
    }

    /// The values of something shared; none where nothing is shared.
    pub(crate) async fn shared(&self, named: Named, name: &str) -> Result<Option<Values>, PipelineError> {
        let Some(namespace) = &self.reaching.shared else {
            return Ok(None);
        };
        let unusable = |detail: String| {
            let what = format!("{namespace}/{name}");
            match named {
                Named::Secret => PipelineError::Credentials { what, detail },
                Named::ConfigMap => PipelineError::Hosts { what, detail },
            }
        };
        let object = self.references.get(named, namespace, name).await;
        let object = object.map_err(|error| unusable(sluice_model::error::one_line(&*error)))?;
        object.map(|object| values(&object).map_err(unusable)).transpose()
    }
}

/// One value of the Secret of shared credentials.
struct SharedEntry {
    url: String,
    namespaces: Vec<String>,
    values: Values,
}

impl SharedEntry {
    fn read(text: &[u8]) -> Result<Self, String> {
        // The parser's own message would show what it could not read.
        let entry: BTreeMap<String, Value> =
            serde_yaml::from_slice(text).map_err(|_| "it is no YAML map".to_owned())?;
        let url = entry.get("url").and_then(Value::as_str).unwrap_or_default();
        let namespaces: Vec<String> = match entry.get("namespaces") {
            Some(Value::Array(names)) => names
                .iter()
                .filter_map(|name| name.as_str().map(str::to_owned))
                .collect(),
            _ => Vec::new(),
        };
        if url.is_empty() || namespaces.is_empty() {
            return Err("it needs `url`, and `namespaces` as a list".to_owned());
        }
        let values = entry
            .iter()
            .filter(|(key, _)| !matches!(key.as_str(), "url" | "namespaces"))
            .map(|(key, value)| match value {
                Value::String(text) => Ok((key.clone(), text.clone().into_bytes())),
                _ => Err(format!("`{key}` is no text")),
            })
            .collect::<Result<_, _>>()?;
        Ok(Self {
            url: url.to_owned(),
            namespaces,
            values,
        })
    }

    fn is_for(&self, namespace: &str, url: &str) -> bool {
        let named = self
            .namespaces
            .iter()
            .any(|name| name == namespace || name == "*");
        named && is_below(url, &http(&self.url))
    }
}

/// The keys of Kubernetes' own Secret types, and those that Argo CD and Flux use.
fn access_of(values: &Values) -> Result<Access, String> {
    let value = |keys: &[&str]| keys.iter().find_map(|key| values.get(*key));
    let text = |keys: &[&str]| {
        value(keys)
            .map(|bytes| String::from_utf8(bytes.clone()).map_err(|_| format!("`{}` is not text", keys[0])))
            .transpose()
    };
    for (key, instead) in REFUSED {
        let off = |value: &[u8]| matches!(value.trim_ascii(), b"" | b"false");
        if values.get(key).is_some_and(|value| !off(value)) {
            return Err(format!("`{key}` is not followed: {instead}"));
        }
    }
    let identity = match (
        value(&["tls.crt", "tlsClientCertData", "certFile"]),
        value(&["tls.key", "tlsClientCertKey", "keyFile"]),
    ) {
        (Some(certificate), Some(key)) => Some(Secret::new(
            [certificate.as_slice(), b"\n", key.as_slice()].concat(),
        )),
        (None, None) => None,
        _ => return Err("`tls.crt` and `tls.key` go together".to_owned()),
    };
    let authorities = value(&["ca.crt", "caFile"]).map(|pem| Arc::from(pem.as_slice()));
    let known_hosts = value(&["known_hosts"]);
    let proxy = text(&["proxy"])?.filter(|proxy| !proxy.trim().is_empty());
    let credentials = if let Some(key) = value(&["sshPrivateKey", "ssh-privatekey", "identity"]) {
        Credentials::SshKey(Secret::new(key))
    } else if let Some(token) = value(&["bearerToken"]) {
        Credentials::Bearer(Secret::new(token.trim_ascii_end()))
    } else if let Some(password) = value(&["password"]) {
        Credentials::Basic {
            username: text(&["username"])?.unwrap_or_else(|| "git".to_owned()),
            password: Secret::new(password.strip_suffix(b"\n").unwrap_or(password)),
        }
    } else if identity.is_some() || authorities.is_some() || known_hosts.is_some() || proxy.is_some() {
        Credentials::None
    } else {
        return Err(
            "it has none of `password`, `bearerToken`, `sshPrivateKey`, `tls.crt`, `proxy`".to_owned(),
        );
    };
    Ok(Access {
        credentials,
        client_identity: identity,
        certificate_authorities: authorities,
        known_hosts: known_hosts.map_or(KnownHosts::User, |lines| {
            KnownHosts::Lines(Arc::from(lines.as_slice()))
        }),
        proxy: proxy.map(|proxy| Secret::new(proxy.trim())),
        ..Access::default()
    })
}

/// What other tools read from such a Secret, and what to do instead of it here.
const REFUSED: [(&str, &str); 6] = [
    (
        "insecure",
        "the server's certificate is always checked: give its authority as `ca.crt`",
    ),
    (
        "insecureIgnoreHostKey",
        "host keys are always checked: give them as `known_hosts`",
    ),
    (
        "githubAppPrivateKey",
        "use a token of the App as `password`, which something else renews",
    ),
    (
        "githubAppID",
        "use a token of the App as `password`, which something else renews",
    ),
    (
        "gcpServiceAccountKey",
        "use a token of the account as `password`, which something else renews",
    ),
    ("sshPrivateKeyPassphrase", "use a key without a passphrase"),
];

/// The values of a Secret or ConfigMap.
pub(crate) fn values(object: &Object) -> Result<Values, String> {
    let of = |field: &str| object.value().get(field).and_then(Value::as_object);
    let is_secret = object.kind() == "Secret";
    let mut values = Values::new();
    for (field, is_encoded) in [("data", is_secret), ("binaryData", true)] {
        for (key, value) in of(field).into_iter().flatten() {
            let text = value.as_str().unwrap_or_default();
            let bytes = match is_encoded {
                true => STANDARD
                    .decode(text)
                    .map_err(|_| format!("`{key}` is not base64"))?,
                false => text.as_bytes().to_vec(),
            };
            values.insert(key.clone(), bytes);
        }
    }
    Ok(values)
}

fn lines(values: &Values) -> KnownHosts {
    KnownHosts::Lines(joined(values))
}

fn joined(values: &Values) -> Arc<[u8]> {
    let mut all = Vec::new();
    for value in values.values() {
        all.extend_from_slice(value);
        all.push(b'\n');
    }
    all.into()
}

/// The host of an HTTPS URL.
fn host_of(url: &str) -> Option<String> {
    let rest = url.strip_prefix("https://")?;
    let place = rest.split('/').next()?;
    let host = match place.strip_prefix('[') {
        Some(address) => address.split(']').next()?,
        None => place.split(':').next()?,
    };
    Some(host.to_ascii_lowercase())
}

/// Equal for equal ways to reach a repository, and gives nothing away.
fn identity(access: &Access) -> String {
    let mut digest = Sha256::new();
    let mut add = |part: &[u8]| {
        digest.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        digest.update(part);
    };
    match &access.credentials {
        Credentials::None => add(b"none"),
        Credentials::Basic { username, password } => {
            add(b"basic");
            add(username.as_bytes());
            add(&password.digest());
        }
        Credentials::Bearer(token) => {
            add(b"bearer");
            add(&token.digest());
        }
        Credentials::SshKey(key) => {
            add(b"ssh");
            add(&key.digest());
        }
    }
    for secret in [&access.client_identity, &access.proxy] {
        add(&secret.as_ref().map(Secret::digest).unwrap_or_default());
    }
    match &access.known_hosts {
        KnownHosts::User => add(b"user"),
        KnownHosts::File(path) => add(path.as_os_str().as_encoded_bytes()),
        KnownHosts::Lines(lines) => add(lines),
    }
    add(access.certificate_authorities.as_deref().unwrap_or_default());
    hex::encode(digest.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values_of(entries: &[(&str, &str)]) -> Values {
        entries
            .iter()
            .map(|(key, value)| ((*key).to_owned(), value.as_bytes().to_vec()))
            .collect()
    }

    fn read(entries: &[(&str, &str)]) -> Result<Access, String> {
        access_of(&values_of(entries))
    }

    #[test]
    fn the_keys_say_what_they_are() {
        let basic = read(&[("username", "u"), ("password", "p\n")]).unwrap();
        assert!(matches!(&basic.credentials, Credentials::Basic { username, .. } if username == "u"));
        let bearer = read(&[("bearerToken", "t")]).unwrap();
        assert!(matches!(bearer.credentials, Credentials::Bearer(_)));
        for key in ["sshPrivateKey", "ssh-privatekey", "identity"] {
            let ssh = read(&[(key, "k"), ("known_hosts", "h")]).unwrap();
            assert!(matches!(ssh.credentials, Credentials::SshKey(_)), "{key}");
            assert!(matches!(ssh.known_hosts, KnownHosts::Lines(_)));
        }
        for (certificate, key) in [("tls.crt", "tls.key"), ("tlsClientCertData", "tlsClientCertKey")] {
            let mutual = read(&[(certificate, "c"), (key, "k"), ("password", "p")]).unwrap();
            assert!(
                mutual.client_identity.is_some() && matches!(mutual.credentials, Credentials::Basic { .. })
            );
            assert!(read(&[(certificate, "c")]).is_err() && read(&[(key, "k")]).is_err());
        }
        assert!(
            read(&[("ca.crt", "c")])
                .unwrap()
                .certificate_authorities
                .is_some()
        );
        assert!(read(&[("proxy", "http://p")]).unwrap().proxy.is_some());
        assert!(read(&[("other", "x")]).is_err() && read(&[]).is_err());
    }

    #[test]
    fn what_cannot_be_followed_is_named() {
        for key in ["insecure", "insecureIgnoreHostKey", "githubAppPrivateKey"] {
            let reason = read(&[("password", "p"), (key, "true")]).unwrap_err();
            assert!(reason.contains(key), "{reason}");
            assert!(read(&[("password", "p"), (key, "false")]).is_ok());
        }
    }

    #[test]
    fn every_part_makes_another_identity() {
        let of = |entries: &[(&str, &str)]| identity(&read(entries).unwrap());
        let all = [
            of(&[("username", "u"), ("password", "p")]),
            of(&[("username", "u"), ("password", "q")]),
            of(&[("username", "up"), ("password", "")]),
            of(&[("bearerToken", "p")]),
            of(&[("identity", "p")]),
            of(&[("password", "p"), ("ca.crt", "c")]),
            of(&[("password", "p"), ("known_hosts", "c")]),
            of(&[("password", "p"), ("proxy", "c")]),
            of(&[("password", "p"), ("tls.crt", "c"), ("tls.key", "k")]),
        ];
        let different: std::collections::BTreeSet<_> = all.iter().collect();
        assert_eq!(different.len(), all.len());
        assert_eq!(all[0], of(&[("username", "u"), ("password", "p")]));
    }

    #[test]
    fn shared_entries_are_for_some() {
        let entry = "url: https://git.example.org/team\nnamespaces: [shop, web]\npassword: p\n";
        let entry = SharedEntry::read(entry.as_bytes()).unwrap();
        assert!(entry.is_for("shop", "https://git.example.org/team/app.git"));
        assert!(!entry.is_for("bank", "https://git.example.org/team/app.git"));
        assert!(!entry.is_for("shop", "https://git.example.org/other/app.git"));
        for text in [
            "[]",
            "url: x",
            "namespaces: [a]",
            "url: x\nnamespaces: a",
            "password: [",
            "url: x\nnamespaces: [a]\npassword: 1",
        ] {
            let reason = SharedEntry::read(text.as_bytes()).err();
            assert!(
                reason.is_some_and(|reason| !reason.contains("password: [")),
                "{text}"
            );
        }
    }

    #[test]
    fn hosts_are_found_in_urls() {
        for (url, host) in [
            ("https://Git.example.org/a", Some("git.example.org")),
            ("https://git.example.org:8443/a", Some("git.example.org")),
            ("https://[::1]:8443/a", Some("::1")),
            ("ssh://git.example.org/a", None),
        ] {
            assert_eq!(host_of(url).as_deref(), host);
        }
    }
}
