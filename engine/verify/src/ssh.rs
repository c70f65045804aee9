//! Judges SSH signatures (OpenSSH's PROTOCOL.sshsig) by the allowed signers of the keyring.
//!
//! Two differences to `git` with `ssh-keygen`, both on the side of caution. Git takes the time for `valid-after` and
//! `valid-before` from the commit, which the holder of an old key can write as they like; here it is now, unless the
//! policy says otherwise. And a time without `Z` is in UTC, not in the time zone of the user who runs this.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use sha2::{Digest as _, Sha256, Sha512};
use sluice_model::trust::{Signer, Verdict};
use ssh_key::certificate::CertType;
use ssh_key::public::KeyData;
use ssh_key::{Algorithm, Certificate, HashAlg, Signature};

use crate::allowed_signers::{AllowedSigner, lets_in};
use crate::check::Check;
use crate::judgement::{Judgement, day, plain};
use crate::keyring::Keyring;
use crate::policy::{Policy, ValidAt, WeakAlgorithm};
use crate::rsa;
use crate::standing::Refusal;

/// The first line of what this module judges.
pub(crate) const BEGIN: &[u8] = b"-----BEGIN SSH SIGNATURE-----";
const BEGIN_LINE: &str = "-----BEGIN SSH SIGNATURE-----";
const END_LINE: &str = "-----END SSH SIGNATURE-----";
const MAGIC: &[u8] = b"SSHSIG";
/// What Git signs under, so that a signature made for something else is no commit's.
const NAMESPACE: &str = "git";
const SIGNATURE_BYTES: usize = 64 << 10;
/// Set by a security key when it was touched.
const USER_PRESENT: u8 = 0x01;

/// A signature taken apart.
struct Parts {
    key: SigningKey,
    namespace: String,
    hash: String,
    signature: Signature,
}

/// What signed: a key, or a key that an authority vouches for.
enum SigningKey {
    Plain(KeyData),
    Certified(Box<Certificate>),
}

impl SigningKey {
    fn data(&self) -> &KeyData {
        match self {
            SigningKey::Plain(key) => key,
            SigningKey::Certified(certificate) => certificate.public_key(),
        }
    }
}

/// Judges `signature` over `payload`. An SSH signature carries no time; `written_at` is what the signed object says.
pub(crate) fn judge(
    payload: &[u8],
    signature: &[u8],
    keyring: &Keyring,
    policy: &Policy,
    now: Timestamp,
    written_at: Option<Timestamp>,
) -> Judgement {
    let parts = match parse(signature) {
        Ok(parts) => parts,
        Err(reason) => {
            return Judgement::anonymous(
                Verdict::Malformed,
                Check::Readable,
                format!("the SSH signature is malformed: {reason}"),
            );
        }
    };
    let candidates: Vec<&AllowedSigner> = keyring
        .signers()
        .iter()
        .filter(|signer| may_vouch(signer, &parts.key))
        .collect();
    let fingerprint = parts.key.data().fingerprint(HashAlg::Sha256).to_string();
    if candidates.is_empty() {
        let message = format!(
            "signed by SSH key {fingerprint}, which no allowed_signers line lists: add it, or have a trusted key sign"
        );
        return Judgement::anonymous(Verdict::NoKey, Check::Known, message).signed_at(written_at);
    }
    if let Err(refusal) = verify(payload, &parts, &fingerprint) {
        return Judgement::anonymous(refusal.verdict, refusal.failed, refusal.message).signed_at(written_at);
    }
    let at = match policy.valid_at {
        ValidAt::Now => now,
        ValidAt::Signing => match written_at {
            Some(written_at) => written_at,
            None => {
                return Judgement::anonymous(
                    Verdict::Malformed,
                    Check::Readable,
                    "the signed object does not say when it was written",
                );
            }
        },
    };
    let judged = candidates.into_iter().map(|signer| {
        let (principal, refusal) = by_line(signer, &parts, policy, at, &fingerprint);
        let user_id = principal.map(|principal| plain(&principal));
        let who = user_id.clone().unwrap_or_default();
        let (verdict, failed, message) = match refusal {
            Some(refusal) => (refusal.verdict, Some(refusal.failed), refusal.message),
            None => {
                let message = format!("signed by {who} with SSH key {fingerprint}");
                (Verdict::Trusted, None, message)
            }
        };
        Judgement {
            verdict,
            relies_on: Some(signer.fingerprint()),
            signer: Some(Signer {
                fingerprint: fingerprint.clone(),
                user_id,
            }),
            signed_at: written_at,
            message,
            failed,
        }
    });
    judged
        .min_by_key(Judgement::rank)
        .unwrap_or_else(|| Judgement::anonymous(Verdict::NoKey, Check::Known, "no key"))
}

fn may_vouch(signer: &AllowedSigner, key: &SigningKey) -> bool {
    match key {
        SigningKey::Plain(key) => !signer.is_authority && signer.key.key_data() == key,
        SigningKey::Certified(certificate) => {
            signer.is_authority && signer.key.key_data() == certificate.signature_key()
        }
    }
}

fn verify(payload: &[u8], parts: &Parts, fingerprint: &str) -> Result<(), Refusal> {
    if parts.namespace != NAMESPACE {
        let message = format!(
            "SSH key {fingerprint} signed this for `{}`, not for git",
            plain(&parts.namespace)
        );
        return Err(Refusal::new(Verdict::BadSignature, Check::Purpose, message));
    }
    let digest = match parts.hash.as_str() {
        "sha256" => Sha256::digest(payload).to_vec(),
        "sha512" => Sha512::digest(payload).to_vec(),
        other => {
            return Err(Refusal::new(
                Verdict::Unsupported,
                Check::Readable,
                format!("the digest `{}` is not supported", plain(other)),
            ));
        }
    };
    let mut signed = MAGIC.to_vec();
    for part in [parts.namespace.as_bytes(), b"", parts.hash.as_bytes(), &digest] {
        signed.extend_from_slice(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
        signed.extend_from_slice(part);
    }
    let key = parts.key.data();
    unsupported(key, &format!("SSH key {fingerprint}"))?;
    let is_by_key = by_rsa(key, &signed, &parts.signature)
        .unwrap_or_else(|| signature::Verifier::verify(key, &signed, &parts.signature).is_ok());
    if !is_by_key {
        let message = format!(
            "the signature does not match: SSH key {fingerprint} did not sign this, or it was changed since"
        );
        return Err(Refusal::new(Verdict::BadSignature, Check::Matches, message));
    }
    let is_hardware = matches!(key, KeyData::SkEd25519(_) | KeyData::SkEcdsaSha2NistP256(_));
    // Flags and a counter of four bytes end the signature of a security key.
    let flags = parts
        .signature
        .as_bytes()
        .iter()
        .rev()
        .nth(4)
        .copied()
        .unwrap_or_default();
    if is_hardware && flags & USER_PRESENT == 0 {
        return Err(Refusal::new(
            Verdict::BadSignature,
            Check::Touched,
            format!("the security key {fingerprint} was not touched for this signature"),
        ));
    }
    Ok(())
}

/// The answer for RSA. A signature of another kind than the key is no signature by it.
fn by_rsa(key: &KeyData, signed: &[u8], signature: &Signature) -> Option<bool> {
    let key = key.rsa()?;
    let digest = match signature.algorithm() {
        Algorithm::Rsa {
            hash: Some(HashAlg::Sha256),
        } => rsa::Digest::Sha256,
        Algorithm::Rsa {
            hash: Some(HashAlg::Sha512),
        } => rsa::Digest::Sha512,
        _ => return Some(false),
    };
    let (n, e) = (key.n.as_positive_bytes()?, key.e.as_positive_bytes()?);
    rsa::verify(n, e, digest, signed, signature.as_bytes())
}

/// Kinds of keys that cannot be verified with.
fn unsupported(key: &KeyData, name: &str) -> Result<(), Refusal> {
    let refuse = |what: &str| {
        let message = format!("{what}, which {name} is, is not supported");
        Err(Refusal::new(Verdict::Unsupported, Check::Readable, message))
    };
    match key {
        KeyData::Other(_) => refuse("this kind of key"),
        KeyData::Rsa(_) if rsa_bits(key).is_none_or(|bits| !rsa::BITS.contains(&bits)) => {
            refuse("an RSA key of fewer than 1024 or more than 8192 bits")
        }
        _ => Ok(()),
    }
}

/// Who signed by one line of the file, and why that is not good enough, if it isn't.
fn by_line(
    signer: &AllowedSigner,
    parts: &Parts,
    policy: &Policy,
    at: Timestamp,
    fingerprint: &str,
) -> (Option<String>, Option<Refusal>) {
    let principal = match &parts.key {
        SigningKey::Plain(_) => Some(signer.principals.clone()),
        SigningKey::Certified(certificate) => certificate
            .valid_principals()
            .iter()
            .find(|principal| lets_in(&signer.principals, principal))
            .cloned(),
    };
    let name = format!("SSH key {fingerprint}");
    if let Some(refusal) = permitted(signer) {
        return (principal, Some(refusal));
    }
    let keys = [parts.key.data(), signer.key.key_data()];
    if let Some(refusal) = keys.into_iter().find_map(|key| weak(key, policy, &name)) {
        return (principal, Some(refusal));
    }
    if let Some(refusal) = timely(signer, at, &name) {
        return (principal, Some(refusal));
    }
    if let SigningKey::Certified(certificate) = &parts.key {
        let refusal = certified(certificate, signer, principal.is_some(), at, &name);
        return (principal, refusal);
    }
    (principal, None)
}

/// Why nothing that the key of a line signs now would be trusted, whatever it is.
pub(crate) fn refusal_of_line(signer: &AllowedSigner, policy: &Policy, now: Timestamp) -> Option<Refusal> {
    let name = format!("SSH key {}", signer.fingerprint());
    let key = signer.key.key_data();
    permitted(signer)
        .or_else(|| unsupported(key, &name).err())
        .or_else(|| weak(key, policy, &name))
        .or_else(|| timely(signer, now, &name))
}

fn permitted(signer: &AllowedSigner) -> Option<Refusal> {
    let namespaces = signer.namespaces.as_deref()?;
    let message = format!(
        "SSH key {} is allowed for `{}` only, not for git",
        signer.fingerprint(),
        plain(namespaces)
    );
    (!lets_in(namespaces, NAMESPACE)).then(|| Refusal::new(Verdict::NoKey, Check::Permitted, message))
}

fn weak(key: &KeyData, policy: &Policy, name: &str) -> Option<Refusal> {
    let (weakness, what) = weak_key(key).filter(|(weakness, _)| !policy.allow_weak.contains(weakness))?;
    let message = format!(
        "{name} is {what}, which is too weak: sign with a stronger key (the policy can allow `{}`)",
        weakness.name()
    );
    Some(Refusal::new(Verdict::WeakAlgorithm, Check::Strong, message))
}

fn timely(signer: &AllowedSigner, at: Timestamp, name: &str) -> Option<Refusal> {
    let message = if let Some(after) = signer.valid_after.filter(|after| at < *after) {
        format!("{name} is not valid before {}", day(after))
    } else if let Some(before) = signer.valid_before.filter(|before| at >= *before) {
        format!("{name} was valid until {}: have a valid key sign", day(before))
    } else {
        return None;
    };
    Some(Refusal::new(Verdict::ExpiredKey, Check::Valid, message))
}

fn certified(
    certificate: &Certificate,
    signer: &AllowedSigner,
    has_principal: bool,
    at: Timestamp,
    name: &str,
) -> Option<Refusal> {
    let refuse = |verdict, message: String| Some(Refusal::new(verdict, Check::Certified, message));
    if certificate.verify_signature().is_err() {
        return refuse(
            Verdict::BadSignature,
            format!("the certificate of {name} is not by the authority it names"),
        );
    }
    if certificate.cert_type() != CertType::User {
        return refuse(
            Verdict::Unsupported,
            format!("the certificate of {name} is for a host, not for a person"),
        );
    }
    if !certificate.critical_options().is_empty() {
        return refuse(
            Verdict::Unsupported,
            format!("the certificate of {name} has conditions that are not known here"),
        );
    }
    if !has_principal {
        let message = format!(
            "the certificate of {name} names no principal that `{}` allows",
            plain(&signer.principals)
        );
        return refuse(Verdict::NoKey, message);
    }
    let seconds = u64::try_from(at.as_second()).unwrap_or(0);
    if seconds < certificate.valid_after() || seconds >= certificate.valid_before() {
        return refuse(
            Verdict::ExpiredKey,
            format!("the certificate of {name} is not valid at that time: have it renewed and sign again"),
        );
    }
    None
}

fn weak_key(key: &KeyData) -> Option<(WeakAlgorithm, String)> {
    match key {
        KeyData::Dsa(_) => Some((WeakAlgorithm::Dsa, "DSA".to_owned())),
        KeyData::Rsa(_) => rsa_bits(key)
            .filter(|bits| *bits < rsa::SHORT_BITS)
            .map(|bits| (WeakAlgorithm::ShortRsa, format!("RSA of {bits} bits"))),
        _ => None,
    }
}

fn rsa_bits(key: &KeyData) -> Option<usize> {
    Some(rsa::bits(key.rsa()?.n.as_positive_bytes()?))
}

fn parse(text: &[u8]) -> Result<Parts, &'static str> {
    if text.len() > SIGNATURE_BYTES {
        return Err("it is too long");
    }
    let text = std::str::from_utf8(text).map_err(|_| "it is no text")?;
    let body = text.strip_prefix(BEGIN_LINE).ok_or("its first line is missing")?;
    let (body, rest) = body.split_once(END_LINE).ok_or("its last line is missing")?;
    if !rest.trim().is_empty() {
        return Err("something follows its last line");
    }
    // As strictly as ssh-keygen: these lines end where they end.
    let body = body.strip_prefix('\n').and_then(|body| body.strip_suffix('\n'));
    let base64 = body
        .ok_or("something stands in its first or last line")?
        .replace('\n', "");
    let bytes = STANDARD.decode(base64).map_err(|_| "it is no base64")?;
    let mut fields = Fields(bytes.strip_prefix(MAGIC).ok_or("it does not begin with SSHSIG")?);
    if fields.number()? != 1 {
        return Err("its version is not 1");
    }
    let key = fields.string()?;
    let namespace = fields.text()?;
    if !fields.string()?.is_empty() {
        return Err("a reserved field is used");
    }
    let hash = fields.text()?;
    let signature =
        Signature::try_from(fields.string()?).map_err(|_| "the signature in it cannot be read")?;
    if !fields.0.is_empty() {
        return Err("something follows the signature in it");
    }
    Ok(Parts {
        key: signing_key(key)?,
        namespace,
        hash,
        signature,
    })
}

fn signing_key(bytes: &[u8]) -> Result<SigningKey, &'static str> {
    let algorithm = Fields(bytes).text()?;
    if algorithm.ends_with("-cert-v01@openssh.com") {
        let certificate =
            Certificate::from_bytes(bytes).map_err(|_| "the certificate in it cannot be read")?;
        return Ok(SigningKey::Certified(Box::new(certificate)));
    }
    let key = ssh_key::PublicKey::from_bytes(bytes).map_err(|_| "the key in it cannot be read")?;
    Ok(SigningKey::Plain(key.key_data().clone()))
}

/// Numbers and strings as SSH writes them.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn number(&mut self) -> Result<u32, &'static str> {
        let (bytes, rest) = self.0.split_first_chunk::<4>().ok_or("it ends too early")?;
        self.0 = rest;
        Ok(u32::from_be_bytes(*bytes))
    }

    fn string(&mut self) -> Result<&'a [u8], &'static str> {
        let length = usize::try_from(self.number()?).map_err(|_| "it ends too early")?;
        let (bytes, rest) = self.0.split_at_checked(length).ok_or("it ends too early")?;
        self.0 = rest;
        Ok(bytes)
    }

    fn text(&mut self) -> Result<String, &'static str> {
        std::str::from_utf8(self.string()?)
            .map(str::to_owned)
            .map_err(|_| "a text in it is no text")
    }
}
