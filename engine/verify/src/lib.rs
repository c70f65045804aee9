//! Who signed these commits and charts, and may they.
//!
//! The stage between source and render. It is handed the exact bytes of commits and tags, a [`Keyring`] and a
//! [`Policy`], and answers with a [`SignatureReport`](sluice_model::trust::SignatureReport) each; [`Verifier::examine`]
//! puts them together, and what it finds is the one thing in the engine that makes a tree `Verified`. It opens no file
//! (but for [`Keyring::from_path`]), reads no clock and starts no program, so that the same input has the same answer on
//! every machine.
//!
//! # Where the verdict differs from that of `git verify-commit` and `git verify-tag`
//!
//! Nothing is trusted that Git with gpg or ssh-keygen refuses; a test holds that on thousands of objects. What Git accepts
//! is trusted too, but for this:
//!
//! - SHA-1, MD5, RIPEMD-160, DSA and RSA under 2048 bits are `weak-algorithm`, unless the policy allows them by name.
//! - Brainpool curves, and RSA over 8192 bits in SSH signatures, are `unsupported`: no library here verifies them whose
//!   certificates it also reads. X.509 is `unsupported` and never accepted.
//! - What is loosely written is `malformed`: headers that are doubled or out of order, a NUL among them, armour with
//!   anything around it, two signatures in one.
//! - A signature that demands to be understood in a way that is not known here is `unsupported`.
//! - SSH keys are valid by the clock, and not by the time that the commit itself claims (`validAt: signing` does that);
//!   times in `allowed_signers` without a `Z` are in UTC. An option there that is not known disables its line.
//! - A key that is not valid yet, and an SSH key before `valid-after`, are `expired-key`.
//!
//! Where to start reading: [`Verifier`] judges signatures, [`Request`] what is asked of a revision, [`Rules`] who may sign
//! for what, [`Ledger`] what was verified before.
#![forbid(unsafe_code)]

mod allowed_signers;
mod armour;
mod chart;
mod check;
mod error;
mod hash;
mod inspect;
mod judgement;
mod keyring;
mod ledger;
mod object;
mod openpgp;
mod packets;
mod policy;
mod revision;
mod rsa;
mod rules;
mod ssh;
mod standing;
mod verifier;

pub use chart::{ChartArchive, is_provenance};
pub use check::{Answer, Check, Explanation, RuleAnswer, SignatureKind};
pub use error::{VerifyError, codes};
pub use inspect::{Addition, AdditionState, KeyInfo, KeyKind, SubkeyInfo};
pub use keyring::{Keyring, KeyringProblem};
pub use ledger::{Broken, Dependence, Ledger};
pub use policy::{Policy, ValidAt, WeakAlgorithm};
pub use revision::{Findings, Request, Verification};
pub use rules::Rules;
pub use verifier::Verifier;
