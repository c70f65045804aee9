//! Judges OpenPGP signatures.
//!
//! The order of the questions decides the verdict, and follows Git and gpg where they agree with caution: is it one
//! detached signature over bytes; is there a key for it; did that key make it; may it have (bound, able to sign, not
//! revoked, not weak, not expired). Whether a key was revoked is asked of every revocation that is there, whenever it
//! was made and whatever came after it.

use jiff::{SignedDuration, Timestamp};
use openpgp::cert::Cert;
use openpgp::crypto::mpi::{PublicKey as PublicParameters, Signature as SignatureParameters};
use openpgp::packet::Key;
use openpgp::packet::key::{PublicParts, UnspecifiedRole};
use openpgp::packet::signature::subpacket::SubpacketTag;
use openpgp::packet::{Packet, Signature};
use openpgp::parse::{PacketParser, PacketParserResult, Parse as _};
use openpgp::types::{Curve, HashAlgorithm, PublicKeyAlgorithm, SignatureType};
use sequoia_openpgp as openpgp;
use sluice_model::trust::{Signer, Verdict};

use crate::check::Check;
use crate::judgement::{Judgement, Moment, day, plain};
use crate::keyring::Keyring;
use crate::packets::{tidied, trailer};
use crate::policy::{Policy, ValidAt, WeakAlgorithm};
use crate::standing::{Refusal, SigningKey, Standing, Standings, key_name, timestamp};
use crate::{armour, rsa};

/// The first line of what this module judges.
pub(crate) const BEGIN: &[u8] = b"-----BEGIN PGP SIGNATURE-----";
/// A signature of a 16384-bit key with every notation anyone uses has 4 KB.
const SIGNATURE_BYTES: usize = 64 << 10;
/// How far ahead a signer's clock may be.
const CLOCK_SKEW: SignedDuration = SignedDuration::from_mins(30);

/// Of what a signature is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Document {
    /// Of bytes, as Git signs.
    Binary,
    /// Of a text whose lines end in CR and LF, as it is signed in the clear.
    Text,
}

impl Document {
    fn is(self, kind: SignatureType) -> bool {
        match self {
            Self::Binary => kind == SignatureType::Binary,
            Self::Text => matches!(kind, SignatureType::Binary | SignatureType::Text),
        }
    }
}

/// Judges `signature` over `payload`. `standings` are those of the clock's time, where that is what
/// counts as now.
pub(crate) fn judge(
    document: Document,
    payload: &[u8],
    signature: &[u8],
    keyring: &Keyring,
    standings: Option<&Standings>,
    policy: &Policy,
    moment: Moment,
) -> Judgement {
    let read = match parse(signature, document) {
        Ok(read) => read,
        Err(reason) => {
            return Judgement::anonymous(
                Verdict::Malformed,
                Check::Readable,
                format!("the OpenPGP signature is malformed: {reason}"),
            );
        }
    };
    let signature = &read.signature;
    let signed_at = signature.signature_creation_time().and_then(timestamp);
    if !document.is(signature.typ()) {
        let with = match document {
            Document::Binary => "git",
            Document::Text => "helm package --sign",
        };
        let message = format!(
            "signatures of type {} are not accepted: sign with {with}",
            signature.typ()
        );
        return Judgement::anonymous(Verdict::Unsupported, Check::Readable, message).signed_at(signed_at);
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
        return Judgement::anonymous(Verdict::NoKey, Check::Known, message).signed_at(signed_at);
    }
    let judged = candidates.into_iter().map(|index| {
        let judgement = by_key(payload, &read, keyring, index, standings, policy, moment);
        judgement.signed_at(signed_at)
    });
    judged
        .min_by_key(Judgement::rank)
        .unwrap_or_else(|| Judgement::anonymous(Verdict::NoKey, Check::Known, "no key"))
}

fn by_key(
    payload: &[u8],
    read: &Read,
    keyring: &Keyring,
    index: usize,
    standings: Option<&Standings>,
    policy: &Policy,
    moment: Moment,
) -> Judgement {
    let Some(signing) = keyring.signing_keys().get(index) else {
        return Judgement::anonymous(Verdict::NoKey, Check::Known, "no key");
    };
    let certificate = keyring.certificate(signing.certificate);
    let name = key_name(certificate, signing);
    let signature = &read.signature;
    if let Err(mismatch) = verify(payload, read, &signing.key) {
        return match mismatch {
            Mismatch::Unsupported(what) => Judgement::anonymous(
                Verdict::Unsupported,
                Check::Matches,
                format!("{what}, which {name} signed with, is not supported"),
            ),
            Mismatch::Bad => Judgement::anonymous(
                Verdict::BadSignature,
                Check::Matches,
                format!("the signature does not match: {name} did not sign this, or it was changed since"),
            ),
        };
    }
    let Some(signed_at) = signature.signature_creation_time().and_then(timestamp) else {
        return Judgement::anonymous(
            Verdict::Malformed,
            Check::Readable,
            "the OpenPGP signature does not say when it was made",
        );
    };
    let at = match policy.valid_at {
        ValidAt::Now => moment.now,
        ValidAt::Signing => signed_at,
    };
    let judged = || Standing::of(certificate, signing, at, moment.today, keyring);
    let fresh;
    let standing = match (policy.valid_at, standings) {
        (ValidAt::Now, Some(standings)) => match standings.get(index, judged) {
            Some(standing) => standing,
            None => return Judgement::anonymous(Verdict::NoKey, Check::Known, "no key"),
        },
        (ValidAt::Now, None) | (ValidAt::Signing, _) => {
            fresh = judged();
            &fresh
        }
    };
    let signer = Signer {
        fingerprint: certificate.fingerprint().to_hex(),
        user_id: standing.user_id.clone(),
    };
    let refusal = refusal(
        signature,
        certificate,
        signing,
        standing,
        policy,
        signed_at,
        moment.now,
        &name,
    );
    let (verdict, failed, message) = match refusal {
        Some(refusal) => (refusal.verdict, Some(refusal.failed), refusal.message),
        None => {
            let who = signer.user_id.as_deref().unwrap_or("no user ID");
            let until = standing
                .expiry
                .map(|expiry| format!(", valid until {}", day(expiry)))
                .unwrap_or_default();
            let message = format!("signed by {who} with {name}{until}");
            (Verdict::Trusted, None, message)
        }
    };
    Judgement {
        verdict,
        relies_on: Some(signer.fingerprint.clone()),
        signer: Some(signer),
        signed_at: Some(signed_at),
        message,
        failed,
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
) -> Option<Refusal> {
    if let Some(what) = unknown_critical(signature) {
        return Some(Refusal::new(
            Verdict::Unsupported,
            Check::Understood,
            format!("the signature of {name} demands to be understood in full, and {what} is not known here"),
        ));
    }
    // A revocation is said first: whatever else is wrong with the key, this is what people have to know.
    if let Some(refusal) = &standing.refusal
        && refusal.verdict == Verdict::RevokedKey
    {
        return Some(refusal.clone());
    }
    let weak = weak_hash(signature.hash_algo()).filter(|(weakness, _)| !policy.allow_weak.contains(weakness));
    if let Some((weakness, what)) = weak.or_else(|| self::weakness(certificate, &signing.key, policy)) {
        let allow = weakness.name();
        let message = format!(
            "{name} signed with {what}, which is too weak: sign with a stronger key or digest (the policy can allow `{allow}`)"
        );
        return Some(Refusal::new(Verdict::WeakAlgorithm, Check::Strong, message));
    }
    if let Some(refusal) = &standing.refusal {
        return Some(refusal.clone());
    }
    if signed_at.duration_since(now) > CLOCK_SKEW {
        let message = format!(
            "{name} signed at {signed_at}, which is in the future: check the signer's clock and this one"
        );
        return Some(Refusal::new(Verdict::BadSignature, Check::Timely, message));
    }
    if let Some(expired) = signature.signature_expiration_time().and_then(timestamp)
        && expired <= now
    {
        return Some(Refusal::new(
            Verdict::ExpiredKey,
            Check::Timely,
            format!(
                "the signature itself, by {name}, expired on {}: sign again",
                day(expired)
            ),
        ));
    }
    None
}

/// Why a key did not make a signature.
enum Mismatch {
    Bad,
    Unsupported(String),
}

fn verify(payload: &[u8], read: &Read, key: &Key<PublicParts, UnspecifiedRole>) -> Result<(), Mismatch> {
    let signature = &read.signature;
    match by_rsa(payload, read, key) {
        Some(true) => return Ok(()),
        Some(false) => return Err(Mismatch::Bad),
        None => {}
    }
    let unsupported = |what: String| Mismatch::Unsupported(what);
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
            _ => Mismatch::Bad,
        })
}

/// The answer for RSA, where the key and the digest are of a kind that is common.
fn by_rsa(payload: &[u8], read: &Read, key: &Key<PublicParts, UnspecifiedRole>) -> Option<bool> {
    let signature = &read.signature;
    let (PublicParameters::RSA { e, n }, SignatureParameters::RSA { s }) = (key.mpis(), signature.mpis())
    else {
        return None;
    };
    let digest = match signature.hash_algo() {
        HashAlgorithm::SHA256 => rsa::Digest::Sha256,
        HashAlgorithm::SHA384 => rsa::Digest::Sha384,
        HashAlgorithm::SHA512 => rsa::Digest::Sha512,
        _ => return None,
    };
    let is_right_kind =
        signature.pk_algo().for_signing() && signature.version() == 4 && key.pk_algo().for_signing();
    let trailer = read.trailer.as_deref().filter(|_| is_right_kind)?;
    rsa::verify(
        n.value(),
        e.value(),
        digest,
        &[payload, trailer].concat(),
        s.value(),
    )
}

/// A signature, and what is hashed for it after the document.
struct Read {
    signature: Signature,
    /// Of version 4 only.
    trailer: Option<Vec<u8>>,
}

/// Exactly one armoured block with exactly one signature packet, and nothing after it.
fn parse(text: &[u8], document: Document) -> Result<Read, String> {
    if text.len() > SIGNATURE_BYTES {
        return Err(format!("it is longer than {SIGNATURE_BYTES} bytes"));
    }
    let end = match document {
        Document::Binary => armour::End::AsGpg,
        Document::Text => armour::End::AsHelm,
    };
    let packets = tidied(&armour::taken_off(text, end)?);
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
    let signature = found.ok_or_else(|| "it holds no signature".to_owned())?;
    let trailer = trailer(&packets);
    Ok(Read { signature, trailer })
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

/// What is too weak about a key or the primary key that stands for it, and not allowed.
pub(crate) fn weakness(
    certificate: &Cert,
    key: &Key<PublicParts, UnspecifiedRole>,
    policy: &Policy,
) -> Option<(WeakAlgorithm, String)> {
    let primary = certificate.primary_key().key();
    let weaknesses = [
        weak_key(key.mpis(), key.pk_algo()),
        weak_key(primary.mpis(), primary.pk_algo()),
    ];
    let mut found = weaknesses.into_iter().flatten();
    found.find(|(weakness, _)| !policy.allow_weak.contains(weakness))
}

/// What about a key cannot be verified with.
pub(crate) fn unsupported(key: &Key<PublicParts, UnspecifiedRole>) -> Option<String> {
    match curve(key) {
        Some(curve) if !curve.is_supported() => Some(format!("the curve {curve}")),
        _ if !key.pk_algo().is_supported() => Some(format!("the algorithm {}", key.pk_algo())),
        _ => None,
    }
}

/// The curve of a key that is on one.
pub(crate) fn curve(key: &Key<PublicParts, UnspecifiedRole>) -> Option<&Curve> {
    match key.mpis() {
        PublicParameters::EdDSA { curve, .. }
        | PublicParameters::ECDSA { curve, .. }
        | PublicParameters::ECDH { curve, .. } => Some(curve),
        _ => None,
    }
}

fn weak_key(parameters: &PublicParameters, algorithm: PublicKeyAlgorithm) -> Option<(WeakAlgorithm, String)> {
    match parameters {
        PublicParameters::RSA { n, .. } if n.bits() < rsa::SHORT_BITS => {
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
