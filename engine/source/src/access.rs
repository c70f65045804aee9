//! How a repository is reached: credentials, trusted hosts, proxy, limits.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How a repository is reached.
#[derive(Debug, Clone, Default)]
pub struct Access {
    /// Who asks.
    pub credentials: Credentials,
    /// Client certificate and its key for HTTPS, PEM; shown to the host that was named and to no other.
    pub client_identity: Option<Secret>,
    /// Which SSH host keys are known. There is no way to leave the check out.
    pub known_hosts: KnownHosts,
    /// The certificates that HTTPS servers are judged by, PEM, instead of the system's: authorities, or a server's own.
    pub certificate_authorities: Option<Arc<[u8]>>,
    /// Proxy for HTTP and HTTPS with its user and password, e.g. `http://proxy:3128`; the environment's (`HTTPS_PROXY`,
    /// `NO_PROXY`) where missing.
    pub proxy: Option<Secret>,
    /// What a fetch may cost.
    pub limits: Limits,
    /// Ends the fetch from another thread.
    pub cancel: Cancel,
}

impl Access {
    /// Whether anything was given to prove who asks.
    pub(crate) fn has_credentials(&self) -> bool {
        !matches!(self.credentials, Credentials::None) || self.client_identity.is_some()
    }
}

impl From<Credentials> for Access {
    fn from(credentials: Credentials) -> Self {
        Self {
            credentials,
            ..Self::default()
        }
    }
}

/// What a fetch may cost, whatever the server sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How long it may take in all.
    pub timeout: Duration,
    /// How many bytes it may receive.
    pub receive: u64,
    /// How large one object may become.
    pub object: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            // A first clone of a large repository takes minutes; Argo CD gives a repository operation 90 s, Flux 60 s,
            // and people raise both.
            timeout: Duration::from_secs(300),
            // Larger than any repository of manifests; a hostile server stops here instead of filling the disk.
            receive: 4 << 30,
            // The largest file that GitHub takes.
            object: 100 << 20,
        }
    }
}

/// Which SSH host keys are known, as OpenSSH's `known_hosts` writes them.
#[derive(Debug, Clone, Default)]
pub enum KnownHosts {
    /// Those of the user and of the system.
    #[default]
    User,
    /// Those in a file, and no others.
    File(PathBuf),
    /// These, and no others.
    Lines(Arc<[u8]>),
}

/// Who asks.
#[derive(Debug, Clone, Default)]
pub enum Credentials {
    /// No credentials: what is public, or what the user's own SSH agent and configuration open.
    #[default]
    None,
    /// HTTP basic authentication: a password or a token.
    Basic {
        /// User name; anything but empty where a token is the password.
        username: String,
        /// Password or token.
        password: Secret,
    },
    /// HTTP bearer token.
    Bearer(Secret),
    /// An SSH private key without passphrase, in any of OpenSSH's formats.
    SshKey(Secret),
}

/// Something that must not be shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Arc<[u8]>);

impl Secret {
    /// Keeps `value` from being shown.
    pub fn new(value: impl AsRef<[u8]>) -> Self {
        Self(Arc::from(value.as_ref()))
    }

    /// Equal for equal secrets, and of no other use. SHA-256.
    #[must_use]
    pub fn digest(&self) -> Vec<u8> {
        let mut hasher = gix::hash::hasher(gix::hash::Kind::Sha256);
        hasher.update(&self.0);
        // The hasher only ever fails for SHA-1, where an attack is found in what is hashed.
        let digest = hasher.try_finalize().map(|digest| digest.as_bytes().to_vec());
        digest.unwrap_or_default()
    }

    pub(crate) fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("••••••••")
    }
}

/// A flag that ends a fetch. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// Ends every fetch that holds a clone of this, soon.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether [`Cancel::cancel`] was called.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
