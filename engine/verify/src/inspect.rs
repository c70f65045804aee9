//! What is in a keyring, and what would be said of a signature made with each key now: for people who look after one.

use jiff::Timestamp;
use openpgp::serialize::SerializeInto as _;
use sequoia_openpgp as openpgp;
use serde::Serialize;
use sluice_model::trust::Verdict;

use crate::allowed_signers::AllowedSigner;
use crate::judgement::plain;
use crate::keyring::{Keyring, written};
use crate::policy::Policy;
use crate::standing::{SigningKey, Standing, timestamp};
use crate::{openpgp as pgp, ssh};

/// An entry of a keyring.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct KeyInfo {
    /// Full fingerprint: of the primary key in upper-case hex, or of the SSH key as `SHA256:…`.
    pub fingerprint: String,
    /// What it is.
    pub kind: KeyKind,
    /// User IDs, or principals as they are written.
    pub names: Vec<String>,
    /// The keys that it has; of an SSH line, its one.
    pub keys: Vec<SubkeyInfo>,
    /// Digest of the entry, which changes when anything about it does. `sha256:…`
    pub digest: String,
}

/// What an entry of a keyring is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyKind {
    /// An OpenPGP certificate.
    Openpgp,
    /// A line of `allowed_signers`.
    Ssh,
    /// A line of `allowed_signers` for certificates by an authority.
    SshAuthority,
}

/// A key of an entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SubkeyInfo {
    /// Full fingerprint.
    pub fingerprint: String,
    /// `EdDSA`, `RSA 2048`, `ssh-ed25519`.
    pub algorithm: String,
    /// When it was made, where that is known.
    pub created: Option<Timestamp>,
    /// Until when it is valid, where that is limited.
    pub expires: Option<Timestamp>,
    /// What would be said of a signature that it makes now.
    pub verdict: Verdict,
    /// Why, and what to do; empty where it would be trusted.
    pub message: String,
}

impl KeyInfo {
    /// Whether a signature by one of its keys would be trusted now.
    pub fn can_sign(&self) -> bool {
        self.keys.iter().any(|key| key.verdict == Verdict::Trusted)
    }
}

/// What importing an entry into a keyring comes to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Addition {
    /// Of the entry.
    pub fingerprint: String,
    /// What it is.
    pub kind: KeyKind,
    /// Whether the keyring has it.
    pub state: AdditionState,
    /// What has to be appended to the keyring: an armoured block, or a line. Empty where it has it already.
    #[serde(skip)]
    pub text: String,
}

/// Whether a keyring has an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum AdditionState {
    /// It does not know the key.
    New,
    /// It knows the key, and this one says more: another user ID, a longer life, a revocation, another line.
    Newer,
    /// It has all of it.
    Known,
}

impl Keyring {
    /// Every entry, OpenPGP first, sorted by fingerprint; lines in their order.
    pub fn entries(&self, policy: &Policy, now: Timestamp) -> Vec<KeyInfo> {
        let mut entries: Vec<KeyInfo> = Vec::new();
        for certificate in self.certificates() {
            let fingerprint = certificate.fingerprint();
            let keys = self
                .signing_keys()
                .iter()
                .filter(|key| self.certificate(key.certificate).fingerprint() == fingerprint);
            let names = certificate.userids();
            entries.push(KeyInfo {
                fingerprint: fingerprint.to_hex(),
                kind: KeyKind::Openpgp,
                names: names
                    .map(|name| plain(&String::from_utf8_lossy(name.userid().value())))
                    .collect(),
                keys: keys.map(|key| self.openpgp_key(key, policy, now)).collect(),
                digest: self.entry_digest(&fingerprint.to_hex()).unwrap_or_default(),
            });
        }
        entries.extend(self.signers().iter().map(|line| KeyInfo {
            fingerprint: line.fingerprint(),
            kind: ssh_kind(line),
            names: line.principals.split(',').map(plain).collect(),
            keys: vec![ssh_key(line, policy, now)],
            digest: self.entry_digest(&line.fingerprint()).unwrap_or_default(),
        }));
        entries
    }

    /// What has to be appended to this keyring so that it has every entry of `found` too.
    pub fn additions(&self, found: &Keyring) -> Vec<Addition> {
        let certificates = found.certificates().map(|certificate| {
            let fingerprint = certificate.fingerprint().to_hex();
            let held = self.by_primary(&fingerprint);
            let state = match held.map(|held| (held, held.clone().merge_public(certificate.clone()))) {
                None => AdditionState::New,
                Some((held, Ok(merged))) if written(held) == written(&merged) => AdditionState::Known,
                Some(_) => AdditionState::Newer,
            };
            // Only fails when memory does.
            let text = certificate.armored().to_vec().unwrap_or_default();
            Addition {
                fingerprint,
                kind: KeyKind::Openpgp,
                text: match state {
                    AdditionState::Known => String::new(),
                    AdditionState::New | AdditionState::Newer => String::from_utf8_lossy(&text).into_owned(),
                },
                state,
            }
        });
        let lines = found.signers().iter().map(|line| {
            let known = |held: &AllowedSigner| held.line() == line.line();
            let same_key = |held: &AllowedSigner| held.fingerprint() == line.fingerprint();
            let state = if self.signers().iter().any(known) {
                AdditionState::Known
            } else if self.signers().iter().any(same_key) {
                AdditionState::Newer
            } else {
                AdditionState::New
            };
            Addition {
                fingerprint: line.fingerprint(),
                kind: ssh_kind(line),
                text: match state {
                    AdditionState::Known => String::new(),
                    AdditionState::New | AdditionState::Newer => format!("{}\n", line.line()),
                },
                state,
            }
        });
        certificates.chain(lines).collect()
    }

    fn openpgp_key(&self, key: &SigningKey, policy: &Policy, now: Timestamp) -> SubkeyInfo {
        let certificate = self.certificate(key.certificate);
        let standing = Standing::of(certificate, key, now, now, self);
        let weakness = pgp::weakness(certificate, &key.key, policy);
        let (verdict, message) = match (standing.refusal, weakness) {
            (Some(refusal), _) if refusal.verdict == Verdict::RevokedKey => {
                (refusal.verdict, refusal.message)
            }
            (_, Some((weakness, what))) => (
                Verdict::WeakAlgorithm,
                format!(
                    "it is {what}, which is too weak (the policy can allow `{}`)",
                    weakness.name()
                ),
            ),
            (Some(refusal), None) => (refusal.verdict, refusal.message),
            (None, None) => match pgp::unsupported(&key.key) {
                Some(what) => (Verdict::Unsupported, format!("{what} is not supported")),
                None => (Verdict::Trusted, String::new()),
            },
        };
        let bits = key
            .key
            .mpis()
            .bits()
            .map(|bits| format!(" {bits}"))
            .unwrap_or_default();
        SubkeyInfo {
            fingerprint: key.key.fingerprint().to_hex(),
            algorithm: match pgp::curve(&key.key) {
                Some(curve) => format!("{} {curve}", key.key.pk_algo()),
                None => format!("{}{bits}", key.key.pk_algo()),
            },
            created: timestamp(key.key.creation_time()),
            expires: standing.expiry,
            verdict,
            message,
        }
    }
}

fn ssh_kind(line: &AllowedSigner) -> KeyKind {
    match line.is_authority {
        true => KeyKind::SshAuthority,
        false => KeyKind::Ssh,
    }
}

fn ssh_key(line: &AllowedSigner, policy: &Policy, now: Timestamp) -> SubkeyInfo {
    let refusal = ssh::refusal_of_line(line, policy, now);
    SubkeyInfo {
        fingerprint: line.fingerprint(),
        algorithm: line.key.algorithm().to_string(),
        created: line.valid_after,
        expires: line.valid_before,
        verdict: refusal
            .as_ref()
            .map_or(Verdict::Trusted, |refusal| refusal.verdict),
        message: refusal.map(|refusal| refusal.message).unwrap_or_default(),
    }
}
