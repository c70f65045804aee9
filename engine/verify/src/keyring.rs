//! The keys that are trusted.

use std::collections::BTreeMap;
use std::path::Path;

use fs_err as fs;
use jiff::Timestamp;
use openpgp::armor::{Kind, Reader, ReaderMode};
use openpgp::cert::amalgamation::key::PrimaryKey as _;
use openpgp::cert::{Cert, CertParser};
use openpgp::parse::Parse as _;
use openpgp::serialize::MarshalInto as _;
use openpgp::{Fingerprint, KeyHandle, KeyID};
use sequoia_openpgp as openpgp;
use sha2::{Digest as _, Sha256};
use sluice_model::trust::Signer;

use crate::allowed_signers::{AllowedSigner, allowed_signers, lets_in};
use crate::error::VerifyError;
use crate::judgement::plain;
use crate::packets::tidied;
use crate::standing::{self, SigningKey};

const BEGIN: &str = "-----BEGIN PGP ";
const END: &str = "-----END PGP ";
/// The keyring of a Linux distribution has 2 MB.
const KEYRING_BYTES: usize = 16 << 20;

/// Public keys: OpenPGP certificates and SSH allowed signers.
#[derive(Debug, Clone, Default)]
pub struct Keyring {
    certificates: BTreeMap<Fingerprint, Cert>,
    signers: Vec<AllowedSigner>,
    problems: Vec<KeyringProblem>,
    index: Index,
}

/// A part of a keyring that cannot be used. The rest of it serves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyringProblem {
    /// Where: the file or the ConfigMap's key, and the line or block in it.
    pub place: String,
    /// What is wrong and what to do.
    pub message: String,
}

/// How a key is found that a signature names.
#[derive(Debug, Clone, Default)]
struct Index {
    certificates: Vec<Cert>,
    keys: Vec<SigningKey>,
    by_fingerprint: BTreeMap<Fingerprint, Vec<usize>>,
    by_id: BTreeMap<KeyID, Vec<usize>>,
}

impl Keyring {
    /// Reads every key in `bytes`: OpenPGP, armoured or binary, any number of certificates and blocks; or an SSH
    /// `allowed_signers` file. `name` says where they come from in problems. Never fails: what cannot be read is in
    /// [`Keyring::problems`].
    pub fn from_bytes(name: &str, bytes: &[u8]) -> Self {
        let mut keyring = Self::default();
        keyring.add(name, bytes);
        keyring.index();
        keyring
    }

    /// Reads a file, or every file of a folder (not those of folders in it, and no dot-files: a mounted ConfigMap has
    /// those).
    ///
    /// # Errors
    /// [`VerifyError::KeyringUnreadable`] where the path or a file in it cannot be read.
    pub fn from_path(path: &Path) -> Result<Self, VerifyError> {
        let unreadable = |source| VerifyError::KeyringUnreadable {
            path: path.to_owned(),
            source,
        };
        let mut files = Vec::new();
        if path.is_dir() {
            for entry in fs::read_dir(path).map_err(unreadable)? {
                let file = entry.map_err(unreadable)?.path();
                let is_hidden = file
                    .file_name()
                    .is_none_or(|name| name.as_encoded_bytes().starts_with(b"."));
                if !is_hidden && !file.is_dir() {
                    files.push(file);
                }
            }
            files.sort();
        } else {
            files.push(path.to_owned());
        }
        let mut keyring = Self::default();
        for file in files {
            let bytes = fs::read(&file).map_err(unreadable)?;
            keyring.add(&file.display().to_string(), &bytes);
        }
        keyring.index();
        Ok(keyring)
    }

    /// Adds the keys of another keyring. Certificates with the same fingerprint are merged.
    pub fn extend(&mut self, other: Keyring) {
        self.problems.extend(other.problems);
        self.signers.extend(other.signers);
        for certificate in other.certificates.into_values() {
            self.insert(certificate);
        }
        self.index();
    }

    /// Whether there is no usable key.
    pub fn is_empty(&self) -> bool {
        self.certificates.is_empty() && self.signers.is_empty()
    }

    /// What could not be used, in the order it was found.
    pub fn problems(&self) -> &[KeyringProblem] {
        &self.problems
    }

    /// The fingerprints of the primary keys and of the SSH keys, sorted.
    pub fn fingerprints(&self) -> Vec<String> {
        let certificates = self.certificates.keys().map(Fingerprint::to_hex);
        let mut all: Vec<String> = certificates
            .chain(self.signers.iter().map(AllowedSigner::fingerprint))
            .collect();
        all.sort();
        all.dedup();
        all
    }

    /// Digest of all keys: equal keyrings have equal digests, whatever their order. `sha256:…`
    pub fn digest(&self) -> String {
        let mut parts: Vec<Vec<u8>> = self.certificates.values().map(written).collect();
        parts.extend(
            self.signers
                .iter()
                .map(|signer| signer.line().as_bytes().to_vec()),
        );
        digest(parts)
    }

    /// Digest of one entry: of the certificate with this primary fingerprint, or of the lines that list this SSH key.
    /// None where the keyring does not have it.
    pub fn entry_digest(&self, fingerprint: &str) -> Option<String> {
        if let Some(certificate) = self.by_primary(fingerprint) {
            let mut parts = vec![written(certificate)];
            // Whether a revocation by one of these counts depends on whether their key is here.
            let known = standing::appointed(certificate)
                .into_iter()
                .filter(|appointed| self.index.by_fingerprint.contains_key(appointed));
            parts.extend(known.map(|appointed| appointed.as_bytes().to_vec()));
            return Some(digest(parts));
        }
        let lines: Vec<Vec<u8>> = self
            .signers
            .iter()
            .filter(|signer| signer.fingerprint() == fingerprint)
            .map(|signer| signer.line().as_bytes().to_vec())
            .collect();
        (!lines.is_empty()).then(|| digest(lines))
    }

    /// Why the key of this fingerprint was revoked, if it was.
    pub fn revocation(&self, fingerprint: &str, now: Timestamp) -> Option<String> {
        let certificate = self.by_primary(fingerprint)?;
        let primary = self
            .index
            .keys
            .iter()
            .find(|key| key.is_primary && key.key.fingerprint() == certificate.fingerprint())?;
        standing::revocation(certificate, primary, now, self)
    }

    /// Whether a signer, who `entry` of this keyring vouches for, may call themselves by an address: an OpenPGP user ID
    /// has it, or the line of the SSH key or the certificate names it as a principal.
    pub(crate) fn has_address(&self, entry: &str, signer: &Signer, address: &str, now: Timestamp) -> bool {
        match self.by_primary(entry) {
            Some(certificate) => standing::has_address(certificate, address, now),
            None => self.is_principal(entry, signer, address),
        }
    }

    /// Whether the line of an SSH key, or the certificate that an authority gave it, names this principal.
    pub(crate) fn is_principal(&self, entry: &str, signer: &Signer, principal: &str) -> bool {
        let mut lines = self.signers.iter().filter(|line| line.fingerprint() == entry);
        lines.any(|line| match line.is_authority {
            true => signer.user_id.as_deref() == Some(principal) && lets_in(&line.principals, principal),
            false => entry == signer.fingerprint && lets_in(&line.principals, principal),
        })
    }

    pub(crate) fn by_primary(&self, fingerprint: &str) -> Option<&Cert> {
        self.certificates.get(&fingerprint.parse::<Fingerprint>().ok()?)
    }

    pub(crate) fn signing_keys(&self) -> &[SigningKey] {
        &self.index.keys
    }

    pub(crate) fn certificate(&self, index: usize) -> &Cert {
        self.index
            .certificates
            .get(index)
            .expect("keys and certificates are indexed together")
    }

    /// Sorted by fingerprint.
    pub(crate) fn certificates(&self) -> impl Iterator<Item = &Cert> {
        self.certificates.values()
    }

    pub(crate) fn signers(&self) -> &[AllowedSigner] {
        &self.signers
    }

    /// Keys that a signature may be by, as it names them. A full fingerprint leaves nothing to guess; where there is
    /// none, every key with the short id is tried, and only the signature itself decides.
    pub(crate) fn openpgp_candidates(&self, issuers: &[KeyHandle]) -> Vec<usize> {
        let fingerprints = issuers.iter().filter_map(|issuer| match issuer {
            KeyHandle::Fingerprint(fingerprint) => Some(fingerprint),
            KeyHandle::KeyID(_) => None,
        });
        let named: Vec<&Fingerprint> = fingerprints.collect();
        let mut found: Vec<usize> = if named.is_empty() {
            let ids = issuers.iter().map(KeyID::from);
            ids.filter_map(|id| self.index.by_id.get(&id))
                .flatten()
                .copied()
                .collect()
        } else {
            named
                .into_iter()
                .filter_map(|named| self.index.by_fingerprint.get(named))
                .flatten()
                .copied()
                .collect()
        };
        found.sort_unstable();
        found.dedup();
        found
    }

    fn add(&mut self, name: &str, bytes: &[u8]) {
        if bytes.len() > KEYRING_BYTES {
            return self.problem(name, format!("it is larger than {KEYRING_BYTES} bytes"));
        }
        if bytes.get(8..12) == Some(b"KBXf") {
            return self.problem(name, "this is a keybox, which only GnuPG itself reads: export the keys with `gpg --armor --export`".to_owned());
        }
        if bytes.first().is_some_and(|byte| byte & 0x80 != 0) {
            return self.add_certificates(name, bytes);
        }
        let Ok(text) = std::str::from_utf8(bytes) else {
            return self.add_armoured(name, &String::from_utf8_lossy(bytes));
        };
        if text.contains(BEGIN) {
            self.add_armoured(name, text);
        } else if text.contains("PRIVATE KEY-----") || text.starts_with("PuTTY-User-Key-File") {
            let message = "this is a private key, which belongs nowhere near here: write a line `ADDRESS KEY` with the public one, which `ssh-keygen -y -f FILE` prints";
            self.problem(name, message.to_owned());
        } else if text.contains("BEGIN SSH2 PUBLIC KEY") {
            let message = "this is a public key in another form: write a line `ADDRESS KEY` with what `ssh-keygen -i -f FILE` prints";
            self.problem(name, message.to_owned());
        } else {
            let (signers, problems) = allowed_signers(text);
            if signers.is_empty() && problems.is_empty() {
                self.problem(name, "it holds no key".to_owned());
            }
            self.signers.extend(signers);
            for (line, message) in problems {
                self.problem(&format!("{name}, line {line}"), message);
            }
        }
    }

    /// Each block by itself, so that a damaged one takes no other with it. Files of keys often have text in between.
    fn add_armoured(&mut self, name: &str, text: &str) {
        let mut block: Option<(usize, String)> = None;
        for (number, line) in text.lines().enumerate() {
            let line = line.trim_end();
            if line.starts_with(BEGIN) {
                if let Some((start, _)) = block {
                    self.problem(
                        &format!("{name}, line {start}"),
                        "the block of keys has no end".to_owned(),
                    );
                }
                block = Some((number + 1, String::new()));
            }
            if let Some((_, content)) = &mut block {
                content.push_str(line);
                content.push('\n');
            }
            if line.starts_with(END)
                && let Some((start, content)) = block.take()
            {
                self.add_block(&format!("{name}, line {start}"), &content);
            }
        }
        if let Some((start, _)) = block {
            self.problem(
                &format!("{name}, line {start}"),
                "the block of keys has no end".to_owned(),
            );
        }
    }

    fn add_block(&mut self, place: &str, block: &str) {
        if !block.starts_with("-----BEGIN PGP PUBLIC KEY BLOCK-----") {
            let message = if block.contains("PRIVATE KEY") {
                "this is a private key, which belongs nowhere near here: export the public one with `gpg --armor --export`"
            } else {
                "this is no block of public keys"
            };
            return self.problem(place, message.to_owned());
        }
        let mut reader = Reader::from_bytes(block.as_bytes(), ReaderMode::Tolerant(Some(Kind::PublicKey)));
        let mut bytes = Vec::new();
        match std::io::Read::read_to_end(&mut reader, &mut bytes) {
            Ok(_) => self.add_certificates(place, &bytes),
            Err(error) => self.problem(
                place,
                format!("the block of keys is damaged: {}", plain(&error.to_string())),
            ),
        }
    }

    fn add_certificates(&mut self, place: &str, bytes: &[u8]) {
        let packets = tidied(bytes);
        let parser = match CertParser::from_bytes(&packets) {
            Ok(parser) => parser,
            Err(error) => {
                return self.problem(
                    place,
                    format!("no key can be read: {}", plain(&error.to_string())),
                );
            }
        };
        let mut count = 0;
        for (number, certificate) in parser.enumerate() {
            count += 1;
            match certificate {
                Ok(certificate) if certificate.is_tsk() => {
                    let message = "this is a private key, which belongs nowhere near here: export the public one with `gpg --export`";
                    self.problem(place, message.to_owned());
                }
                Ok(certificate) => self.insert(certificate),
                Err(error) => self.problem(
                    place,
                    format!(
                        "key number {} is damaged: {}",
                        number + 1,
                        plain(&error.to_string())
                    ),
                ),
            }
        }
        if count == 0 {
            self.problem(place, "it holds no key".to_owned());
        }
    }

    fn insert(&mut self, certificate: Cert) {
        let fingerprint = certificate.fingerprint();
        let merged = match self.certificates.remove(&fingerprint) {
            None => certificate,
            // Fails only for different fingerprints.
            Some(held) => held.clone().merge_public(certificate).unwrap_or(held),
        };
        self.certificates.insert(fingerprint, merged);
    }

    fn problem(&mut self, place: &str, message: String) {
        self.problems.push(KeyringProblem {
            place: place.to_owned(),
            message,
        });
    }

    fn index(&mut self) {
        let mut index = Index::default();
        for certificate in self.certificates.values() {
            let number = index.certificates.len();
            index.certificates.push(certificate.clone());
            for key in certificate.keys() {
                let at = index.keys.len();
                let public = key.key().clone().role_into_unspecified();
                index
                    .by_fingerprint
                    .entry(public.fingerprint())
                    .or_default()
                    .push(at);
                index.by_id.entry(public.keyid()).or_default().push(at);
                index.keys.push(SigningKey {
                    certificate: number,
                    key: public,
                    is_primary: key.primary(),
                });
            }
        }
        self.index = index;
    }
}

/// A certificate as bytes.
pub(crate) fn written(certificate: &Cert) -> Vec<u8> {
    // Only fails when memory does.
    certificate
        .to_vec()
        .unwrap_or_else(|_| certificate.fingerprint().as_bytes().to_vec())
}

/// `sha256:…` of parts whose order and number say nothing.
fn digest(mut parts: Vec<Vec<u8>>) -> String {
    parts.sort();
    parts.dedup();
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part);
    }
    format!("sha256:{}", hex::encode(hasher.finalize()))
}

impl std::fmt::Display for KeyringProblem {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}: {}", self.place, self.message)
    }
}
