//! Who signed these commits, and may they.
//!
//! The stage between source and render. It is handed the exact bytes of commits and tags, a [`Keyring`] and a
//! [`Policy`], and answers with a [`SignatureReport`](sluice_model::trust::SignatureReport) each; [`Verifier::examine`]
//! puts them together, and what it finds is the one thing in the engine that makes a tree `Verified`. It opens no file
//! (but for [`Keyring::from_path`]), reads no clock and starts no program, so that the same input has the same answer on
//! every machine.
//!
//! Where to start reading: [`Verifier`] judges signatures, [`Request`] what is asked of a revision, [`Rules`] who may sign
//! for what, [`Ledger`] what was verified before.
#![forbid(unsafe_code)]

mod allowed_signers;
mod armour;
mod check;
mod error;
mod hash;
mod judgement;
mod keyring;
mod ledger;
mod object;
mod openpgp;
mod packets;
mod policy;
mod revision;
mod rules;
mod ssh;
mod standing;
mod verifier;

pub use check::{Answer, Check, Explanation, RuleAnswer, SignatureKind};
pub use error::{VerifyError, codes};
pub use keyring::{Keyring, KeyringProblem};
pub use ledger::{Broken, Dependence, Ledger};
pub use policy::{Policy, ValidAt, WeakAlgorithm};
pub use revision::{Findings, Request, Verification};
pub use rules::Rules;
pub use verifier::Verifier;
