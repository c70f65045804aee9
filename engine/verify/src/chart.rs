//! Judges charts by their provenance files: what `helm package --sign` writes beside an archive.
//!
//! A provenance file is a text that is signed in the clear: the chart's `Chart.yaml`, a line `...`, and the SHA-256 of the archive. It is
//! read as strictly as commits are: nothing before or after, no header but `Hash`, one signature, and every line as it is hashed. Then
//! the archive is hashed here once more; its digest, the chart and the version have to be those that were signed. So a good file beside
//! another archive, or beside another version, is worth nothing.
//!
//! Keys, weak algorithms, expiry, revocation and rules are those of commits. What a chart "changes" are all of its files, from the root
//! of the archive. One signature is all that there is: a rule that asks for two people, or for a committer, lets no chart in.
//!
//! Cosign's signatures of registries, and artifacts of manifests, which have no provenance files, are not judged: where signatures are
//! asked for, they are refused.

use std::collections::BTreeMap;

use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use sluice_model::tree::Tree;
use sluice_model::trust::{Evidence, SignatureReport, Verdict, Verified};

use crate::check::Check;
use crate::error::VerifyError;
use crate::judgement::{Judgement, Moment, plain};
use crate::openpgp::{self, Document};
use crate::rules::{By, Change};
use crate::verifier::Verifier;

const BEGIN: &str = "-----BEGIN PGP SIGNED MESSAGE-----";
/// Between `Chart.yaml` and the digests.
const BETWEEN: &str = "\n...\n";
/// A `Chart.yaml` with everything that is in any, twice.
const PROVENANCE_BYTES: usize = 1 << 20;

/// What is known of an archive that is to be judged.
#[derive(Debug, Clone, Copy)]
pub struct ChartArchive<'a> {
    /// Its bytes.
    pub bytes: &'a [u8],
    /// The chart's name and version, of the archive's `Chart.yaml`; none for an artifact of manifests.
    pub chart: Option<(&'a str, &'a str)>,
    /// The provenance file, as it came.
    pub provenance: Option<&'a [u8]>,
}

/// What is signed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Message {
    /// What is hashed: its lines, with CR and LF between them.
    payload: Vec<u8>,
    signature: Vec<u8>,
    text: String,
}

#[derive(Debug, Deserialize)]
struct Metadata {
    name: String,
    version: String,
}

#[derive(Debug, Deserialize)]
struct Sums {
    files: BTreeMap<String, String>,
}

impl Verifier<'_> {
    /// Judges a chart, and vouches for its files.
    ///
    /// # Errors
    /// [`VerifyError::Untrusted`] if it has no provenance file or one that is not signed by a trusted key; [`VerifyError::Provenance`] if
    /// that is about something else; [`VerifyError::NotAllowed`] if a rule does not let the signer sign it; [`VerifyError::Artifact`] for
    /// what is no chart; [`VerifyError::Inconsistent`] if the files are not of this archive.
    pub fn chart(
        &self,
        tree: Tree,
        archive: &ChartArchive<'_>,
    ) -> Result<(Verified<Tree>, SignatureReport), VerifyError> {
        let digest = is_of(&tree, archive.bytes)?;
        let Some((name, version)) = archive.chart else {
            return Err(VerifyError::Artifact { digest });
        };
        let (judgement, message) = match archive.provenance {
            None => {
                let message = "it has no provenance file: `helm package --sign`, and put the `.prov` beside it (`helm push` does)";
                (
                    Judgement::anonymous(Verdict::Unsigned, Check::Signed, message),
                    None,
                )
            }
            Some(file) => match read(file) {
                Ok(message) => (self.signature(&message), Some(message)),
                Err(reason) => {
                    let message = format!("its provenance file is malformed: {reason}");
                    (
                        Judgement::anonymous(Verdict::Malformed, Check::Form, message),
                        None,
                    )
                }
            },
        };
        let entry = judgement.relies_on.clone();
        let mut report = SignatureReport {
            revision: format!("{}-{}", plain(name), plain(version)),
            verdict: judgement.verdict,
            signer: judgement.signer,
            signed_at: judgement.signed_at,
            message: judgement.message,
        };
        let (Verdict::Trusted, Some(message), Some(signer)) =
            (report.verdict, message, report.signer.clone())
        else {
            return Err(VerifyError::Untrusted {
                kind: "chart",
                report: Box::new(report),
                others: 0,
            });
        };
        says(&message.text, name, version, &digest).map_err(|detail| VerifyError::Provenance {
            chart: report.revision.clone(),
            detail,
        })?;
        let files: Vec<String> = tree.files.keys().cloned().collect();
        let change = Change {
            by: By {
                keyring: self.keyring,
                entry: entry.as_deref().unwrap_or(&signer.fingerprint),
                signer: &signer,
                now: self.now,
            },
            committer: None,
            is_merge: false,
            files: &files,
            own: &files,
            in_chain: false,
            merged_by: Some(&[]),
        };
        if let Some(refused) = self.policy.rules.refusal(&change) {
            report.message = refused.message;
            return Err(VerifyError::NotAllowed {
                kind: "chart",
                report: Box::new(report),
                rule: refused.rule,
                others: 0,
            });
        }
        let evidence = Evidence::Provenance { signer };
        Ok((crate::revision::attest(tree, evidence), report))
    }

    /// Vouches for the files of the archive that was trusted last: what the cluster is at, it may stay at.
    ///
    /// # Errors
    /// [`VerifyError::Inconsistent`] if they are of another one.
    pub fn chart_as_before(
        tree: Tree,
        bytes: &[u8],
        last_trusted: &str,
    ) -> Result<Verified<Tree>, VerifyError> {
        let digest = is_of(&tree, bytes)?;
        if digest != last_trusted {
            return Err(VerifyError::Inconsistent {
                id: digest,
                detail: "it is not the archive that was trusted last".to_owned(),
            });
        }
        Ok(crate::revision::attest(tree, Evidence::AlreadyTrusted))
    }

    fn signature(&self, message: &Message) -> Judgement {
        openpgp::judge(
            Document::Text,
            &message.payload,
            &message.signature,
            self.keyring,
            Some(&self.standings),
            self.policy,
            Moment {
                now: self.now,
                today: self.now,
            },
        )
    }
}

/// The digest of an archive, whose files these have to be.
fn is_of(tree: &Tree, bytes: &[u8]) -> Result<String, VerifyError> {
    let digest = hex::encode(Sha256::digest(bytes));
    if tree.revision.commit != digest || tree.revision.tree != digest {
        return Err(VerifyError::Inconsistent {
            id: tree.revision.commit.clone(),
            detail: format!("its bytes hash to {digest}"),
        });
    }
    Ok(digest)
}

/// Whether what was signed is this archive of this chart; what it is otherwise.
fn says(text: &str, name: &str, version: &str, digest: &str) -> Result<(), String> {
    let parts: Vec<&str> = text.split(BETWEEN).collect();
    let [metadata, sums] = parts.as_slice() else {
        return Err("it does not have a Chart.yaml and digests, with a line `...` between them".to_owned());
    };
    // The reader's own message may show what it could not read.
    let metadata: Metadata = serde_yaml::from_str(metadata)
        .map_err(|_| "its Chart.yaml has no `name` and `version`".to_owned())?;
    let sums: Sums = serde_yaml::from_str(sums).map_err(|_| "it has no digests of `files`".to_owned())?;
    if (metadata.name.as_str(), metadata.version.as_str()) != (name, version) {
        return Err(format!(
            "it was signed for {} {}",
            plain(&metadata.name),
            plain(&metadata.version)
        ));
    }
    let file = format!("{name}-{version}.tgz");
    match sums.files.get(&file) {
        None => Err(format!("it has no digest of `{}`", plain(&file))),
        Some(sum) if *sum == format!("sha256:{digest}") => Ok(()),
        Some(sum) => Err(format!(
            "the archive was signed as {}, and is sha256:{digest}",
            plain(sum)
        )),
    }
}

/// Takes a provenance file apart; what is wrong with it otherwise.
pub(crate) fn read(file: &[u8]) -> Result<Message, String> {
    if file.len() > PROVENANCE_BYTES {
        return Err(format!("it is longer than {PROVENANCE_BYTES} bytes"));
    }
    let text = std::str::from_utf8(file).map_err(|_| "it is no text")?;
    if text.contains('\0') {
        return Err("it holds a NUL".to_owned());
    }
    let begin = std::str::from_utf8(openpgp::BEGIN).unwrap_or_default();
    let mut lines = text.split_inclusive('\n');
    let first = lines.next().unwrap_or_default();
    if first.trim_end_matches(['\r', '\n']) != BEGIN {
        return Err("something else than a signed text is in its first line".to_owned());
    }
    let mut at = first.len();
    loop {
        let line = lines.next().ok_or("it ends within its headers")?;
        at += line.len();
        match line.trim_end() {
            "" => break,
            // The signature names the digest itself.
            header if header.starts_with("Hash: ") => {}
            _ => return Err("it has another header than `Hash`".to_owned()),
        }
    }
    let mut signed: Vec<&str> = Vec::new();
    loop {
        let line = lines.next().ok_or("it has no signature")?;
        // What is at the end of a line is not hashed, so it is not read either.
        let bare = line
            .trim_end_matches(['\r', '\n'])
            .trim_end_matches([' ', '\t', '\r']);
        if bare == begin {
            break;
        }
        at += line.len();
        match bare.strip_prefix("- ") {
            Some(escaped) => signed.push(escaped),
            None if bare.starts_with('-') => {
                return Err("a line begins with a dash that is not escaped".to_owned());
            }
            None => signed.push(bare),
        }
    }
    if signed.iter().any(|line| line.contains('\r')) {
        return Err("a CR stands within a line".to_owned());
    }
    let signature = text.get(at..).unwrap_or_default();
    Ok(Message {
        payload: signed.join("\r\n").into_bytes(),
        signature: signature.as_bytes().to_vec(),
        text: signed.join("\n"),
    })
}

/// Any bytes as a provenance file, for tests that look for a panic.
#[doc(hidden)]
#[must_use]
pub fn is_provenance(file: &[u8]) -> bool {
    read(file).is_ok_and(|message| says(&message.text, "a", "1.0.0", &"0".repeat(64)).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIGNATURE: &str = "-----BEGIN PGP SIGNATURE-----\n\nx\n-----END PGP SIGNATURE-----\n";

    #[test]
    fn a_signed_text_is_taken_apart() {
        for (text, payload) in [
            (
                format!("{BEGIN}\nHash: SHA512\n\na  \n- - b\n{SIGNATURE}"),
                "a\r\n- b",
            ),
            (format!("{BEGIN}\r\n\r\na\t\r\n\r\n{SIGNATURE}"), "a\r\n"),
        ] {
            let message = read(text.as_bytes()).unwrap();
            assert_eq!(message.payload, payload.as_bytes());
            assert_eq!(message.signature, SIGNATURE.as_bytes());
        }
    }

    #[test]
    fn anything_else_is_malformed() {
        for text in [
            String::new(),
            SIGNATURE.to_owned(),
            format!("x\n{BEGIN}\n\na\n{SIGNATURE}"),
            format!("{BEGIN}\nComment: x\n\na\n{SIGNATURE}"),
            format!("{BEGIN}\nHash: SHA512\n"),
            format!("{BEGIN}\n\na\n"),
            format!("{BEGIN}\n\n-a\n{SIGNATURE}"),
            format!("{BEGIN}\n\na\rb\n{SIGNATURE}"),
            format!("{BEGIN}\n\na\0\n{SIGNATURE}"),
            format!("{BEGIN}\n\n{}\n{SIGNATURE}", "a".repeat(PROVENANCE_BYTES)),
        ] {
            assert!(read(text.as_bytes()).is_err(), "{:?}", text.get(..60));
        }
    }

    #[test]
    fn what_was_signed_is_compared() {
        let sum = "ab".repeat(32);
        let text = |name: &str, version: &str, file: &str, sum: &str| {
            format!("name: {name}\nversion: {version}\n...\nfiles:\n  {file}: sha256:{sum}\n")
        };
        let judge = |text: &str| says(text, "shop", "1.2.3", &sum);
        judge(&text("shop", "1.2.3", "shop-1.2.3.tgz", &sum)).unwrap();
        for (wrong, why) in [
            (
                text("other", "1.2.3", "shop-1.2.3.tgz", &sum),
                "signed for other 1.2.3",
            ),
            (
                text("shop", "1.2.4", "shop-1.2.3.tgz", &sum),
                "signed for shop 1.2.4",
            ),
            (text("shop", "1.2.3", "shop-1.2.4.tgz", &sum), "no digest of"),
            (
                text("shop", "1.2.3", "shop-1.2.3.tgz", "cd"),
                "was signed as sha256:cd",
            ),
            ("name: shop\nversion: 1.2.3\n".to_owned(), "between them"),
            ("a: [\n...\nfiles: {}\n".to_owned(), "no `name`"),
            (
                "name: shop\nversion: 1.2.3\n...\nfiles: []\n".to_owned(),
                "no digests",
            ),
        ] {
            let reason = judge(&wrong).unwrap_err();
            assert!(reason.contains(why), "{reason}");
        }
    }
}
