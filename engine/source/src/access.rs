//! How a repository is reached: credentials, trusted hosts, limits.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How a repository is reached.
#[derive(Debug, Clone)]
pub struct Access {
    /// Who asks.
    pub credentials: Credentials,
    /// OpenSSH `known_hosts` to check the host key against; that of the user and of the system where missing. There
    /// is no way to leave the check out.
    pub known_hosts: Option<PathBuf>,
    /// More certificate authorities for HTTPS, PEM.
    pub certificate_authorities: Option<Vec<u8>>,
    /// Client certificate and its key for HTTPS, PEM.
    pub client_identity: Option<Secret>,
    /// Proxy for HTTP and HTTPS, e.g. `http://proxy:3128`; the environment's (`HTTPS_PROXY`, `NO_PROXY`) where missing.
    pub proxy: Option<String>,
    /// How long a fetch may take in all.
    pub timeout: Duration,
    /// How many bytes a fetch may receive.
    pub receive_limit: u64,
    /// Ends the fetch from another thread.
    pub cancel: Cancel,
}

impl Default for Access {
    fn default() -> Self {
        Self {
            credentials: Credentials::None,
            known_hosts: None,
            certificate_authorities: None,
            client_identity: None,
            proxy: None,
            // A first clone of a large repository takes minutes; Argo CD gives a repository operation 90 s, Flux 60 s,
            // and people raise both.
            timeout: Duration::from_secs(300),
            // Larger than any repository of manifests; a hostile server stops here instead of filling the disk.
            receive_limit: 4 << 30,
            cancel: Cancel::default(),
        }
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

/// Who asks.
#[derive(Debug, Clone, Default)]
pub enum Credentials {
    /// Nobody: what is public, or what the user's own SSH agent and configuration open.
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
