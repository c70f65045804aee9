//! What one signature turned out to be, before it is put into a report.

use jiff::Timestamp;
use sluice_model::trust::{Signer, Verdict};

use crate::check::Check;

/// What one signature turned out to be.
#[derive(Debug, Clone)]
pub(crate) struct Judgement {
    pub(crate) verdict: Verdict,
    pub(crate) signer: Option<Signer>,
    pub(crate) signed_at: Option<Timestamp>,
    pub(crate) message: String,
    /// The question that was answered with no.
    pub(crate) failed: Option<Check>,
    /// The entry of the keyring that the answer rests on: the fingerprint of a certificate's primary key, or of the SSH
    /// key or authority of a line.
    pub(crate) relies_on: Option<String>,
}

impl Judgement {
    /// One that names no signer, because no key that is held has made the signature.
    pub(crate) fn anonymous(verdict: Verdict, failed: Check, message: impl Into<String>) -> Self {
        Self {
            verdict,
            signer: None,
            signed_at: None,
            message: message.into(),
            failed: Some(failed),
            relies_on: None,
        }
    }

    pub(crate) fn signed_at(mut self, signed_at: Option<Timestamp>) -> Self {
        self.signed_at = signed_at;
        self
    }

    /// How much it says for the object, for choosing among keys that could each have made the signature: two
    /// certificates may claim one subkey, and two lines of an allowed-signers file may list one key.
    pub(crate) fn rank(&self) -> u8 {
        match self.verdict {
            Verdict::Trusted => 0,
            Verdict::RevokedKey => 1,
            Verdict::WeakAlgorithm => 2,
            Verdict::ExpiredKey => 3,
            Verdict::Unsupported => 4,
            Verdict::BadSignature => 5,
            Verdict::NoKey => 6,
            Verdict::Malformed | Verdict::Unsigned => 7,
        }
    }
}

/// The moment by which something is judged.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    /// What counts as now: the clock's time, or that of the first time it was verified.
    pub(crate) now: Timestamp,
    /// The clock's time.
    pub(crate) today: Timestamp,
}

/// A date as people read it.
pub(crate) fn day(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d").to_string()
}

/// Text from outside, without what a terminal would act on, and not too long.
pub(crate) fn plain(text: &str) -> String {
    text.chars()
        .take(200)
        .map(|character| {
            if character.is_control() {
                '\u{fffd}'
            } else {
                character
            }
        })
        .collect()
}
