//! Whether an OpenPGP key may sign at one moment: bound, meant for signing, neither revoked nor expired.
//!
//! Whether a key was revoked is asked of every revocation that is there, whenever it was made and whatever came after it.

use std::sync::{LazyLock, OnceLock};
use std::time::SystemTime;

use jiff::Timestamp;
use openpgp::Fingerprint;
use openpgp::cert::amalgamation::ValidAmalgamation as _;
use openpgp::cert::{Cert, ValidCert};
use openpgp::packet::key::{PublicParts, UnspecifiedRole};
use openpgp::packet::{Key, Signature};
use openpgp::policy::{AsymmetricAlgorithm, HashAlgoSecurity, StandardPolicy};
use openpgp::types::{HashAlgorithm, RevocationType};
use sequoia_openpgp as openpgp;
use sluice_model::trust::Verdict;

use crate::check::Check;
use crate::judgement::{day, plain};
use crate::keyring::Keyring;

/// A key of a certificate, ready to verify with.
#[derive(Debug, Clone)]
pub(crate) struct SigningKey {
    pub(crate) certificate: usize,
    pub(crate) key: Key<PublicParts, UnspecifiedRole>,
    pub(crate) is_primary: bool,
}

/// Whether a key may sign at one moment.
#[derive(Debug, Clone)]
pub(crate) struct Standing {
    pub(crate) user_id: Option<String>,
    pub(crate) refusal: Option<Refusal>,
    pub(crate) expiry: Option<Timestamp>,
}

/// Why a key may not sign.
#[derive(Debug, Clone)]
pub(crate) struct Refusal {
    pub(crate) verdict: Verdict,
    pub(crate) failed: Check,
    pub(crate) message: String,
}

impl Refusal {
    pub(crate) fn new(verdict: Verdict, failed: Check, message: String) -> Self {
        Self {
            verdict,
            failed,
            message,
        }
    }
}

/// The standing of each key of the keyring as of now, found out when first needed.
#[derive(Debug)]
pub(crate) struct Standings(Vec<OnceLock<Standing>>);

impl Standings {
    pub(crate) fn new(keyring: &Keyring) -> Self {
        Self(keyring.signing_keys().iter().map(|_| OnceLock::new()).collect())
    }

    /// The standing of the key of that number as of `at`, which must be the same moment for all calls.
    pub(crate) fn get(&self, index: usize, of: impl FnOnce() -> Standing) -> Option<&Standing> {
        self.0.get(index).map(|cell| cell.get_or_init(of))
    }
}

/// How sequoia is to read certificates. Algorithms are judged by us, where a verdict can name them; what sequoia
/// refuses by itself would look like a key without a binding.
static READING: LazyLock<StandardPolicy<'static>> = LazyLock::new(|| {
    let mut policy = StandardPolicy::new();
    // Most keys made before 2013 bind themselves with SHA-1. Forging such a binding takes a second preimage, since its
    // content is the owner's alone; that is out of reach, and gpg accepts it too.
    policy.accept_hash_property(HashAlgorithm::SHA1, HashAlgoSecurity::SecondPreImageResistance);
    for algorithm in [
        AsymmetricAlgorithm::RSA1024,
        AsymmetricAlgorithm::DSA1024,
        AsymmetricAlgorithm::DSA2048,
        AsymmetricAlgorithm::DSA3072,
        AsymmetricAlgorithm::DSA4096,
        AsymmetricAlgorithm::BrainpoolP256,
        AsymmetricAlgorithm::BrainpoolP384,
        AsymmetricAlgorithm::BrainpoolP512,
    ] {
        policy.accept_asymmetric_algo(algorithm);
    }
    policy
});

impl Standing {
    /// Judges a key as of `at`. What it is bound by is what was valid then; where the owner has replaced that since (gpg
    /// keeps no older version when a key is extended), what is valid today.
    pub(crate) fn of(
        certificate: &Cert,
        signing: &SigningKey,
        at: Timestamp,
        today: Timestamp,
        keyring: &Keyring,
    ) -> Self {
        let name = key_name(certificate, signing);
        let fingerprint = signing.key.fingerprint();
        let as_of = |time: Timestamp| certificate.with_policy(&*READING, SystemTime::from(time));
        let binds = |valid: &ValidCert<'_>| {
            let mut keys = valid.keys();
            keys.any(|key| key.key().fingerprint() == fingerprint)
        };
        let valid = match as_of(at) {
            Ok(valid) if binds(&valid) => Ok(valid),
            Ok(_) | Err(_) => as_of(today),
        };
        let user_id = user_id(certificate, valid.as_ref().ok());
        let refuse = |verdict, failed, message: String| Self {
            user_id: user_id.clone(),
            refusal: Some(Refusal::new(verdict, failed, message)),
            expiry: None,
        };
        if let Some(message) = revocation(certificate, signing, at, keyring) {
            return refuse(Verdict::RevokedKey, Check::NotRevoked, message);
        }
        let primary = certificate.primary_key().key().creation_time();
        let Some(created) = timestamp(signing.key.creation_time().max(primary)) else {
            return refuse(
                Verdict::BadSignature,
                Check::Bound,
                format!("{name} was made at no known time"),
            );
        };
        if created > at {
            return refuse(
                Verdict::ExpiredKey,
                Check::Valid,
                format!("{name} is not valid before {}", day(created)),
            );
        }
        let unbound = |detail: String| {
            refuse(
                Verdict::BadSignature,
                Check::Bound,
                format!(
                    "{name} is not validly bound to its certificate, so anyone could have added it: {detail}"
                ),
            )
        };
        let valid = match valid {
            Ok(valid) => valid,
            Err(error) => return unbound(plain(&error.to_string())),
        };
        let Some(key) = valid.keys().find(|key| key.key().fingerprint() == fingerprint) else {
            return unbound("there is no valid binding signature and back signature for it".to_owned());
        };
        // Keys without flags are from before there were any; for the primary key its algorithm then decides.
        let may_sign = match key.key_flags() {
            Some(flags) => flags.for_signing(),
            None => signing.is_primary && signing.key.pk_algo().for_signing(),
        };
        if !may_sign {
            return refuse(
                Verdict::BadSignature,
                Check::Signing,
                format!("{name} is not meant for signing: sign with a signing key of the same certificate"),
            );
        }
        let expiries = [
            valid.primary_key().key_expiration_time(),
            key.key_expiration_time(),
        ];
        let expiry = expiries.into_iter().flatten().filter_map(timestamp).min();
        if let Some(expired) = expiry.filter(|expiry| *expiry <= at) {
            let message = format!(
                "{name} expired on {}: its owner extends it and the keyring gets the new version, or a valid key signs",
                day(expired)
            );
            return refuse(Verdict::ExpiredKey, Check::Valid, message);
        }
        Self {
            user_id,
            refusal: None,
            expiry,
        }
    }
}

/// What messages call a key.
pub(crate) fn key_name(certificate: &Cert, signing: &SigningKey) -> String {
    let primary = certificate.fingerprint().to_hex();
    if signing.is_primary {
        format!("key {primary}")
    } else {
        format!("subkey {} of key {primary}", signing.key.fingerprint().to_hex())
    }
}

fn user_id(certificate: &Cert, valid: Option<&ValidCert<'_>>) -> Option<String> {
    let primary = valid.and_then(|valid| valid.primary_userid().ok());
    let any = || {
        certificate
            .userids()
            .next()
            .map(|user_id| String::from_utf8_lossy(user_id.userid().value()).into_owned())
    };
    primary
        .map(|user_id| String::from_utf8_lossy(user_id.userid().value()).into_owned())
        .or_else(any)
        .map(|text| plain(&text))
}

/// Whether the key or its certificate was revoked, by itself or by one it appointed.
pub(crate) fn revocation(
    certificate: &Cert,
    signing: &SigningKey,
    at: Timestamp,
    keyring: &Keyring,
) -> Option<String> {
    let counts = |signature: &&Signature| {
        let reason = signature.reason_for_revocation();
        let is_soft = reason.is_some_and(|(reason, _)| reason.revocation_type() == RevocationType::Soft);
        // What was retired later was good then; what may have been stolen was never. Without a reason, the worse.
        let was_later = signature
            .signature_creation_time()
            .and_then(timestamp)
            .is_some_and(|time| time > at);
        !(is_soft && was_later)
    };
    let name = format!("key {}", certificate.fingerprint().to_hex());
    let primary = certificate.primary_key();
    if let Some(signature) = primary.self_revocations().find(counts) {
        return Some(told(&name, signature));
    }
    for signature in primary.other_revocations().filter(counts) {
        if by_designated(certificate, signature, keyring) {
            return Some(told(&name, signature));
        }
    }
    if signing.is_primary {
        return None;
    }
    let fingerprint = signing.key.fingerprint();
    let subkey = certificate
        .keys()
        .subkeys()
        .find(|key| key.key().fingerprint() == fingerprint)?;
    let signature = subkey.self_revocations().find(counts)?;
    Some(told(&key_name(certificate, signing), signature))
}

/// Whether a user ID of the certificate that holds at that time has this address, letters' case aside.
pub(crate) fn has_address(certificate: &Cert, address: &str, at: Timestamp) -> bool {
    let Ok(valid) = certificate.with_policy(&*READING, SystemTime::from(at)) else {
        return false;
    };
    valid.userids().any(|user_id| {
        let is_revoked = matches!(
            user_id.revocation_status(),
            openpgp::types::RevocationStatus::Revoked(_)
        );
        let has = user_id.userid().email().ok().flatten();
        !is_revoked && has.is_some_and(|has| has.eq_ignore_ascii_case(address))
    })
}

/// Who may revoke the certificate beside its owner.
pub(crate) fn appointed(certificate: &Cert) -> Vec<Fingerprint> {
    let keys = certificate.revocation_keys(&*READING);
    keys.map(|key| key.revoker().1.clone()).collect()
}

fn by_designated(certificate: &Cert, signature: &Signature, keyring: &Keyring) -> bool {
    appointed(certificate).iter().any(|fingerprint| {
        let revoker = keyring.openpgp_candidates(&[fingerprint.into()]);
        revoker
            .into_iter()
            .filter_map(|index| keyring.signing_keys().get(index))
            .any(|revoker| {
                signature
                    .verify_primary_key_revocation(&revoker.key, certificate.primary_key().key())
                    .is_ok()
            })
    })
}

fn told(name: &str, signature: &Signature) -> String {
    let on = signature
        .signature_creation_time()
        .and_then(timestamp)
        .map(|time| format!(" on {}", day(time)))
        .unwrap_or_default();
    let why = signature
        .reason_for_revocation()
        .map(|(reason, text)| {
            let text = plain(&String::from_utf8_lossy(text));
            if text.is_empty() {
                format!(" ({reason})")
            } else {
                format!(" ({reason}: {text})")
            }
        })
        .unwrap_or_default();
    format!("{name} was revoked{on}{why}: sign again with another key")
}

/// The same moment, where it can be told.
pub(crate) fn timestamp(time: SystemTime) -> Option<Timestamp> {
    Timestamp::try_from(time).ok()
}
