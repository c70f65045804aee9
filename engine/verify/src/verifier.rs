//! Judges objects and revisions by one keyring, one policy, one moment.

use jiff::Timestamp;
use sluice_model::application::VerificationMode;
use sluice_model::tree::Tree;
use sluice_model::trust::{History, SignatureReport, SignedObject, Verified};

use crate::error::VerifyError;
use crate::keyring::Keyring;
use crate::policy::Policy;

/// Judges objects and revisions by one keyring, one policy, one moment.
#[derive(Debug)]
pub struct Verifier<'a> {
    keyring: &'a Keyring,
    policy: Policy,
    now: Timestamp,
}

/// A revision that was let through, and every signature that was looked at for it.
#[derive(Debug, Clone)]
pub struct Verification {
    /// What render takes.
    pub tree: Verified<Tree>,
    /// One report for each commit that was judged, oldest first, then the tag's where there is one.
    pub reports: Vec<SignatureReport>,
}

impl<'a> Verifier<'a> {
    /// Judges by `keyring` and `policy` as of `now`.
    pub fn new(keyring: &'a Keyring, policy: Policy, now: Timestamp) -> Self {
        Self { keyring, policy, now }
    }

    /// Judges one commit or tag alone. Never fails: what cannot be judged is not trusted.
    pub fn object(&self, object: &SignedObject) -> SignatureReport {
        let _ = (self.keyring, &self.policy, self.now);
        SignatureReport {
            revision: object.id.clone(),
            verdict: sluice_model::trust::Verdict::Unsupported,
            signer: None,
            signed_at: None,
            message: String::new(),
        }
    }

    /// Judges many, on all cores. One report each, in the same order.
    pub fn objects(&self, objects: &[SignedObject]) -> Vec<SignatureReport> {
        objects.iter().map(|object| self.object(object)).collect()
    }

    /// Lets a revision through, or says why not. `history` is what source says lies between the last trusted commit
    /// and the tree's; nothing of it is believed that its bytes do not prove.
    ///
    /// # Errors
    /// Every variant of [`VerifyError`] but `KeyringUnreadable`.
    pub fn revision(
        &self,
        _tree: Tree,
        _history: &History,
        _mode: VerificationMode,
        _last_trusted: Option<&str>,
    ) -> Result<Verification, VerifyError> {
        Err(VerifyError::KeyringEmpty { problems: Vec::new() })
    }

    /// Lets a tree through unseen, for applications that ask for no verification.
    #[expect(clippy::disallowed_methods, reason = "this is the verify stage")]
    pub fn not_required(tree: Tree) -> Verified<Tree> {
        Verified::attest(tree, sluice_model::trust::Evidence::NotRequired)
    }
}
