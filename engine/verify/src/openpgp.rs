//! Judges OpenPGP signatures.
//!
//! The order of the questions decides the verdict, and follows Git and gpg where they agree with caution: is it one
//! detached signature over bytes; is there a key for it; did that key make it; may it have (bound, able to sign, not
//! revoked, not weak, not expired). Whether a key was revoked is asked of every revocation that is there, whenever it
//! was made and whatever came after it.

use std::sync::{LazyLock, OnceLock};
use std::time::SystemTime;

use jiff::{SignedDuration, Timestamp};

use openpgp::cert::{Cert, ValidCert};
use openpgp::crypto::mpi::PublicKey as PublicParameters;
use openpgp::packet::Key;
use openpgp::packet::key::{PublicParts, UnspecifiedRole};
use openpgp::packet::signature::subpacket::SubpacketTag;
use openpgp::packet::{Packet, Signature};
use openpgp::parse::{PacketParser, PacketParserResult, Parse as _};
use openpgp::policy::{AsymmetricAlgorithm, HashAlgoSecurity, StandardPolicy};
use openpgp::types::{HashAlgorithm, PublicKeyAlgorithm, RevocationType, SignatureType};
use sequoia_openpgp as openpgp;
use sluice_model::trust::{Signer, Verdict};

use crate::armour;
use crate::judgement::{Judgement, day, plain};
use crate::keyring::Keyring;
use crate::packets::tidied;
use crate::policy::{Policy, ValidAt, WeakAlgorithm};

/// The first line of what this module judges.
pub(crate) const BEGIN: &[u8] = b"-----BEGIN PGP SIGNATURE-----";
/// A signature of a 16384-bit key with every notation anyone uses has 4 KB.
const SIGNATURE_BYTES: usize = 64 << 10;
/// How far ahead a signer's clock may be.
const CLOCK_SKEW: SignedDuration = SignedDuration::from_mins(30);
const SHORT_RSA_BITS: usize = 2048;

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
    user_id: Option<String>,
    refusal: Option<(Verdict, String)>,
    expiry: Option<Timestamp>,
}

/// The standing of each key of the keyring as of now, found out when first needed.
#[derive(Debug)]
pub(crate) struct Standings(Vec<OnceLock<Standing>>);

impl Standings {
    pub(crate) fn new(keyring: &Keyring) -> Self {
        Self(keyring.signing_keys().iter().map(|_| OnceLock::new()).collect())
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

/// Judges `signature` over `payload`.
pub(crate) fn judge(
    payload: &[u8],
    signature: &[u8],
    keyring: &Keyring,
    standings: &Standings,
    policy: &Policy,
    now: Timestamp,
) -> Judgement {
    let signature = match parse(signature) {
        Ok(signature) => signature,
        Err(reason) => {
            return Judgement::anonymous(
                Verdict::Malformed,
                format!("the OpenPGP signature is malformed: {reason}"),
            );
        }
    };
    let signed_at = signature.signature_creation_time().and_then(timestamp);
    if !matches!(signature.typ(), SignatureType::Binary) {
        let message = format!(
            "signatures of type {} are not accepted: sign with git",
            signature.typ()
        );
        return Judgement::anonymous(Verdict::Unsupported, message).signed_at(signed_at);
    }
    let issuers = signature.get_issuers();
    let candidates: Vec<usize> = keyring.openpgp_candidates(&issuers);
    if candidates.is_empty() {
        let issuer = issuers.first().map_or_else(
            || "a key that is not named".to_owned(),
            |issuer| format!("key {issuer:X}"),
        );
        let message =
            format!("signed by {issuer}, which is not in the keyring: add it, or have a trusted key sign");
        return Judgement::anonymous(Verdict::NoKey, message).signed_at(signed_at);
    }
    let judged = candidates.into_iter().map(|index| {
        let judgement = by_key(payload, &signature, keyring, index, standings, policy, now);
        judgement.signed_at(signed_at)
    });
    judged
        .min_by_key(Judgement::rank)
        .unwrap_or_else(|| Judgement::anonymous(Verdict::NoKey, "no key"))
}

fn by_key(
    payload: &[u8],
    signature: &Signature,
    keyring: &Keyring,
    index: usize,
    standings: &Standings,
    policy: &Policy,
    now: Timestamp,
) -> Judgement {
    let Some(signing) = keyring.signing_keys().get(index) else {
        return Judgement::anonymous(Verdict::NoKey, "no key");
    };
    let certificate = keyring.certificate(signing.certificate);
    let name = key_name(certificate, signing);
    if let Err(refusal) = verify(payload, signature, &signing.key) {
        return match refusal {
            Refusal::Unsupported(what) => Judgement::anonymous(
                Verdict::Unsupported,
                format!("{what}, which {name} signed with, is not supported"),
            ),
            Refusal::Bad => Judgement::anonymous(
                Verdict::BadSignature,
                format!("the signature does not match: {name} did not sign this, or it was changed since"),
            ),
        };
    }
    let Some(signed_at) = signature.signature_creation_time().and_then(timestamp) else {
        return Judgement::anonymous(
            Verdict::Malformed,
            "the OpenPGP signature does not say when it was made",
        );
    };
    let at = match policy.valid_at {
        ValidAt::Now => now,
        ValidAt::Signing => signed_at,
    };
    let fresh;
    let standing = match policy.valid_at {
        ValidAt::Now => match standings.0.get(index) {
            Some(cell) => cell.get_or_init(|| Standing::of(certificate, signing, at, keyring)),
            None => return Judgement::anonymous(Verdict::NoKey, "no key"),
        },
        ValidAt::Signing => {
            fresh = Standing::of(certificate, signing, at, keyring);
            &fresh
        }
    };
    let signer = Signer {
        fingerprint: certificate.fingerprint().to_hex(),
        user_id: standing.user_id.clone(),
    };
    let (verdict, message) = refusal(
        signature,
        certificate,
        signing,
        standing,
        policy,
        signed_at,
        now,
        &name,
    )
    .unwrap_or_else(|| {
        let who = signer.user_id.as_deref().unwrap_or("no user ID");
        let until = standing
            .expiry
            .map(|expiry| format!(", valid until {}", day(expiry)))
            .unwrap_or_default();
        (Verdict::Trusted, format!("signed by {who} with {name}{until}"))
    });
    Judgement {
        verdict,
        signer: Some(signer),
        signed_at: Some(signed_at),
        message,
    }
}

/// Why a signature that was really made by a key is not good enough, if it isn't.
#[expect(clippy::too_many_arguments, reason = "the facts of one case")]
fn refusal(
    signature: &Signature,
    certificate: &Cert,
    signing: &SigningKey,
    standing: &Standing,
    policy: &Policy,
    signed_at: Timestamp,
    now: Timestamp,
    name: &str,
) -> Option<(Verdict, String)> {
    if let Some(what) = unknown_critical(signature) {
        return Some((
            Verdict::Unsupported,
            format!("the signature of {name} demands to be understood in full, and {what} is not known here"),
        ));
    }
    // A revocation is said first: whatever else is wrong with the key, this is what people have to know.
    if let Some((Verdict::RevokedKey, message)) = &standing.refusal {
        return Some((Verdict::RevokedKey, message.clone()));
    }
    let primary = certificate.primary_key().key();
    let weaknesses = [
        weak_hash(signature.hash_algo()),
        weak_key(signing.key.mpis(), signing.key.pk_algo()),
        weak_key(primary.mpis(), primary.pk_algo()),
    ];
    if let Some((weakness, what)) = weaknesses
        .into_iter()
        .flatten()
        .find(|(weakness, _)| !policy.allow_weak.contains(weakness))
    {
        let allow = weakness.name();
        let message = format!(
            "{name} signed with {what}, which is too weak: sign with a stronger key or digest (the policy can allow `{allow}`)"
        );
        return Some((Verdict::WeakAlgorithm, message));
    }
    if let Some(refusal) = &standing.refusal {
        return Some(refusal.clone());
    }
    if signed_at.duration_since(now) > CLOCK_SKEW {
        let message = format!(
            "{name} signed at {signed_at}, which is in the future: check the signer's clock and this one"
        );
        return Some((Verdict::BadSignature, message));
    }
    if let Some(expired) = signature.signature_expiration_time().and_then(timestamp)
        && expired <= now
    {
        return Some((
            Verdict::ExpiredKey,
            format!(
                "the signature itself, by {name}, expired on {}: sign again",
                day(expired)
            ),
        ));
    }
    None
}

impl Standing {
    fn of(certificate: &Cert, signing: &SigningKey, at: Timestamp, keyring: &Keyring) -> Self {
        let name = key_name(certificate, signing);
        let time = SystemTime::from(at);
        let valid = certificate.with_policy(&*READING, time);
        let user_id = user_id(certificate, valid.as_ref().ok());
        let refuse = |verdict, message: String| Self {
            user_id: user_id.clone(),
            refusal: Some((verdict, message)),
            expiry: None,
        };
        if let Some(message) = revocation(certificate, signing, at, keyring) {
            return refuse(Verdict::RevokedKey, message);
        }
        let Some(created) = timestamp(signing.key.creation_time()) else {
            return refuse(Verdict::BadSignature, format!("{name} was made at no known time"));
        };
        if created > at {
            return refuse(
                Verdict::ExpiredKey,
                format!("{name} is not valid before {}", day(created)),
            );
        }
        let unbound = |detail: String| {
            refuse(
                Verdict::BadSignature,
                format!(
                    "{name} is not validly bound to its certificate, so anyone could have added it: {detail}"
                ),
            )
        };
        let valid = match valid {
            Ok(valid) => valid,
            Err(error) => return unbound(plain(&error.to_string())),
        };
        let fingerprint = signing.key.fingerprint();
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
            return refuse(Verdict::ExpiredKey, message);
        }
        if let Err(error) = valid.alive() {
            return refuse(
                Verdict::ExpiredKey,
                format!("{name} is not valid: {}", plain(&error.to_string())),
            );
        }
        Self {
            user_id,
            refusal: None,
            expiry,
        }
    }
}

enum Refusal {
    Bad,
    Unsupported(String),
}

fn verify(
    payload: &[u8],
    signature: &Signature,
    key: &Key<PublicParts, UnspecifiedRole>,
) -> Result<(), Refusal> {
    let unsupported = |what: String| Refusal::Unsupported(what);
    let context = signature
        .hash_algo()
        .context()
        .map_err(|_| unsupported(format!("the digest {}", signature.hash_algo())))?;
    let mut hash = context.for_signature(signature.version());
    hash.update(payload);
    signature
        .verify_hash(key, hash)
        .map_err(|error| match error.downcast_ref::<openpgp::Error>() {
            Some(openpgp::Error::UnsupportedPublicKeyAlgorithm(algorithm)) => {
                unsupported(format!("the algorithm {algorithm}"))
            }
            Some(openpgp::Error::UnsupportedEllipticCurve(curve)) => {
                unsupported(format!("the curve {curve}"))
            }
            Some(openpgp::Error::UnsupportedHashAlgorithm(algorithm)) => {
                unsupported(format!("the digest {algorithm}"))
            }
            _ => Refusal::Bad,
        })
}

/// Exactly one armoured block with exactly one signature packet, and nothing after it.
fn parse(text: &[u8]) -> Result<Signature, String> {
    if text.len() > SIGNATURE_BYTES {
        return Err(format!("it is longer than {SIGNATURE_BYTES} bytes"));
    }
    let packets = tidied(&armour::taken_off(text)?);
    let mut found = None;
    let mut parser = PacketParser::from_bytes(&packets).map_err(|error| plain(&error.to_string()))?;
    while let PacketParserResult::Some(packet) = parser {
        let (packet, next) = packet.next().map_err(|error| plain(&error.to_string()))?;
        parser = next;
        match packet {
            Packet::Signature(signature) if found.is_none() => found = Some(signature),
            Packet::Signature(_) => return Err("it holds more than one signature".to_owned()),
            Packet::Marker(_) => {}
            other => return Err(format!("it holds a packet of kind {}", other.tag())),
        }
    }
    found.ok_or_else(|| "it holds no signature".to_owned())
}

fn key_name(certificate: &Cert, signing: &SigningKey) -> String {
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
fn revocation(certificate: &Cert, signing: &SigningKey, at: Timestamp, keyring: &Keyring) -> Option<String> {
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

fn by_designated(certificate: &Cert, signature: &Signature, keyring: &Keyring) -> bool {
    let appointed: Vec<_> = certificate
        .revocation_keys(&*READING)
        .map(|key| key.revoker().1.clone())
        .collect();
    appointed.iter().any(|fingerprint| {
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

fn weak_hash(algorithm: HashAlgorithm) -> Option<(WeakAlgorithm, String)> {
    let weakness = match algorithm {
        HashAlgorithm::MD5 => WeakAlgorithm::Md5,
        HashAlgorithm::SHA1 => WeakAlgorithm::Sha1,
        HashAlgorithm::RipeMD => WeakAlgorithm::Ripemd160,
        _ => return None,
    };
    Some((weakness, format!("the digest {algorithm}")))
}

fn weak_key(parameters: &PublicParameters, algorithm: PublicKeyAlgorithm) -> Option<(WeakAlgorithm, String)> {
    match parameters {
        PublicParameters::RSA { n, .. } if n.bits() < SHORT_RSA_BITS => {
            Some((WeakAlgorithm::ShortRsa, format!("RSA of {} bits", n.bits())))
        }
        PublicParameters::DSA { .. } => Some((WeakAlgorithm::Dsa, format!("{algorithm}"))),
        _ => None,
    }
}

/// What the signature says must be understood and is not.
fn unknown_critical(signature: &Signature) -> Option<String> {
    signature.hashed_area().iter().find_map(|subpacket| {
        let is_known = matches!(
            subpacket.tag(),
            SubpacketTag::SignatureCreationTime
                | SubpacketTag::SignatureExpirationTime
                | SubpacketTag::Issuer
                | SubpacketTag::IssuerFingerprint
                | SubpacketTag::SignersUserID
                | SubpacketTag::PolicyURI
                | SubpacketTag::IntendedRecipient
        );
        (subpacket.critical() && !is_known).then(|| format!("its subpacket {}", subpacket.tag()))
    })
}

fn timestamp(time: SystemTime) -> Option<Timestamp> {
    Timestamp::try_from(time).ok()
}
