//! Who signed these commits, and may they.
//!
//! The stage between source and render. It is handed the exact bytes of commits and tags, a [`Keyring`] and a
//! [`Policy`], and answers with a [`SignatureReport`](sluice_model::trust::SignatureReport) each; [`Verifier::revision`]
//! puts them together and is the one place in the engine where a tree becomes `Verified`. It opens no file (but for
//! [`Keyring::from_path`]), reads no clock and starts no program, so that the same input has the same answer on every
//! machine.
//!
//! Ids are never believed: the bytes of every object are hashed again, and the walk from the new revision to the last
//! trusted one is made a second time over those bytes alone.
//!
//! Where to start reading: [`Verifier`].
#![forbid(unsafe_code)]

mod allowed_signers;
mod armour;
mod error;
mod hash;
mod judgement;
mod keyring;
mod object;
mod openpgp;
mod packets;
mod policy;
mod ssh;
mod verifier;

pub use error::{VerifyError, codes};
pub use keyring::{Keyring, KeyringProblem};
pub use policy::{Policy, ValidAt, WeakAlgorithm};
pub use verifier::{Verification, Verifier};
