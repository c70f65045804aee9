//! The two ways to a remote: requests over HTTP, and a program whose pipes are spoken through.
//!
//! gix speaks Git's protocol over either. What went wrong underneath is kept in a [`Trouble`] beside it, because the
//! error that comes up through the protocol's layers no longer tells an unknown host from an unknown repository.

pub(crate) mod http;
pub(crate) mod process;
mod ssh;
mod stream;
pub(crate) mod tls;

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

/// What went wrong underneath the protocol. The first entry is the cause.
#[derive(Debug, Clone, Default)]
pub(crate) struct Trouble(Arc<Mutex<Option<Cause>>>);

/// Why a remote could not be spoken with.
#[derive(Debug)]
pub(crate) enum Cause {
    Unreachable(String),
    UnknownRepository(String),
    Authentication(String),
    HostKey(Stranger),
    Certificate(Stranger),
    /// What, and the limit.
    TooLarge(String, String),
    Disk(io::Error),
    Other(String),
}

/// A host that is not the one that is known.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stranger {
    /// The fingerprint that it showed.
    pub(crate) seen: Option<String>,
    /// The fingerprints that would do.
    pub(crate) wanted: Vec<String>,
    pub(crate) detail: String,
}

impl Trouble {
    pub(crate) fn note(&self, cause: Cause) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get_or_insert(cause);
    }

    pub(crate) fn take(&self) -> Option<Cause> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}
