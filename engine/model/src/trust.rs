//! What is known about who signed what.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::tree::Tree;

/// A commit or an annotated tag, exactly as Git stores it (without the loose-object header).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedObject {
    /// Full object id, lower-case hex: 40 digits for SHA-1, 64 for SHA-256 repositories.
    pub id: String,
    /// Commit or tag.
    pub kind: SignedKind,
    /// The exact bytes that were hashed to `id`.
    pub bytes: Vec<u8>,
}

/// The newest commit and everything between it and the last trusted one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct History {
    /// The commit that is asked about. Always there, also when nothing is new.
    pub head: SignedObject,
    /// The annotated tag that led to it, where one did.
    pub tag: Option<SignedObject>,
    /// Every commit reachable from the head and not from the last trusted one, merges and all their parents, oldest
    /// first. Without a last trusted commit, the head alone.
    pub commits: Vec<SignedObject>,
    /// Parents of those commits that are reachable from the last trusted commit (or, without one, the head's
    /// parents): where the walk ended, sorted.
    pub boundary: Vec<String>,
    /// Whether the last trusted commit is the head or an ancestor of it; true where there is none.
    pub last_trusted_is_ancestor: bool,
}

/// Which tree and parents a commit names, read from its exact bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitLinks {
    /// The root tree.
    pub tree: String,
    /// The parents, in order.
    pub parents: Vec<String>,
}

impl CommitLinks {
    /// Reads the lines that Git puts first in every commit: one `tree`, then any number of `parent`. None when they
    /// are not exactly that, or when another `tree` or `parent` line follows among the headers, so that no two
    /// readers can disagree about what a commit contains.
    pub fn read(bytes: &[u8], id_digits: usize) -> Option<Self> {
        let links = Self::as_git(bytes, id_digits)?;
        let headers = bytes
            .split(|byte| *byte == b'\n')
            .take_while(|line| !line.is_empty());
        let mut later = headers.skip(1 + links.parents.len());
        let is_another = |line: &[u8]| line.starts_with(b"parent ") || line.starts_with(b"tree ");
        (!later.any(is_another)).then_some(links)
    }

    /// What Git itself follows, whatever comes after it: to walk a history, whose commits are judged elsewhere. None where
    /// Git cannot walk on either.
    pub fn as_git(bytes: &[u8], id_digits: usize) -> Option<Self> {
        let mut lines = bytes.split(|byte| *byte == b'\n');
        let tree = object_id(lines.next()?.strip_prefix(b"tree ")?, id_digits)?;
        let parents = lines.map_while(|line| line.strip_prefix(b"parent "));
        let parents = parents
            .map(|parent| object_id(parent, id_digits))
            .collect::<Option<_>>()?;
        Some(Self { tree, parents })
    }
}

fn object_id(text: &[u8], digits: usize) -> Option<String> {
    let is_hex = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    let valid = text.len() == digits && text.iter().all(is_hex);
    valid.then(|| String::from_utf8_lossy(text).into_owned())
}

/// What a repository has to tell beyond the signed bytes: which files a commit changes. Verify asks only where a rule is
/// about paths or a key counts for merges only.
pub trait Changes: Sync {
    /// The paths of the files that a commit changes by itself: against its parent; of a merge, against what merging its
    /// parents gives; of a commit without parents, all.
    ///
    /// # Errors
    /// Whatever keeps it from telling. The commit is then refused.
    fn own(&self, commit: &str) -> Result<Vec<String>, ChangesError>;

    /// The paths of the files in which two commits differ; without an older one, all files of the newer.
    ///
    /// # Errors
    /// Whatever keeps it from telling. The commit is then refused.
    fn between(&self, old: Option<&str>, new: &str) -> Result<Vec<String>, ChangesError>;
}

/// Why a repository cannot tell what a commit changes.
pub type ChangesError = Box<dyn std::error::Error + Send + Sync>;

/// Which kind of Git object carries the signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SignedKind {
    /// A commit, signed in its `gpgsig` header.
    Commit,
    /// An annotated tag, signed at its end.
    Tag,
}

/// What one signature is worth. Only `Trusted` lets anything in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Signed by a key of the keyring that is valid.
    Trusted,
    /// There is no signature.
    Unsigned,
    /// Signed by a key that is not in the keyring.
    NoKey,
    /// The signature does not match the bytes.
    BadSignature,
    /// The key has expired.
    ExpiredKey,
    /// The key was revoked.
    RevokedKey,
    /// The signature or its key uses an algorithm that is too weak.
    WeakAlgorithm,
    /// A kind of signature that is never accepted, e.g. X.509.
    Unsupported,
    /// The object or its signature cannot be parsed.
    Malformed,
}

/// Who signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Signer {
    /// Full fingerprint of the primary key, upper-case hex; for SSH `SHA256:…`.
    pub fingerprint: String,
    /// The primary user ID or the SSH principal, where there is one.
    pub user_id: Option<String>,
}

/// The answer about one commit or tag: the contract of `sluice verify -o json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SignatureReport {
    /// What was asked about: an object id, or the name as given.
    pub revision: String,
    /// The verdict.
    pub verdict: Verdict,
    /// Who signed, where that is known; a signer is named only when the signature was made by a key we hold.
    pub signer: Option<Signer>,
    /// When the signature says it was made.
    pub signed_at: Option<Timestamp>,
    /// Why, for people: which key, which rule, what to do.
    pub message: String,
}

/// Something that the verify stage let through. Render takes nothing else.
///
/// Only the verify stage may call [`Verified::attest`]; a lint (`.clippy.toml`, `disallowed-methods`) holds that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified<T> {
    inner: T,
    evidence: Evidence,
}

/// Why something was let through.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Evidence {
    /// The application asks for no verification.
    NotRequired,
    /// Every commit that had to be was signed by a trusted key.
    Signed {
        /// Signer of the newest commit.
        signer: Signer,
        /// How many commits were verified on the way.
        commits: u32,
    },
    /// The annotated tag that names the revision was signed by a trusted key.
    Tagged {
        /// Who signed the tag.
        signer: Signer,
        /// The tag's object id.
        tag: String,
    },
    /// The provenance file of the chart was signed by a trusted key.
    Provenance {
        /// Who signed it.
        signer: Signer,
    },
    /// The revision is the last trusted one: it was verified before, or the start of trust names it.
    AlreadyTrusted,
}

impl<T> Verified<T> {
    /// Vouches for `inner`. For the verify stage alone.
    pub fn attest(inner: T, evidence: Evidence) -> Self {
        Self { inner, evidence }
    }

    /// What was vouched for.
    pub fn get(&self) -> &T {
        &self.inner
    }

    /// Returns why it is trusted.
    pub fn evidence(&self) -> &Evidence {
        &self.evidence
    }
}

impl Verified<Tree> {
    /// Vouches for other files of the same commit: what is trusted is the commit with all that it holds. None if they are of another
    /// commit.
    pub fn with(&self, more: Tree) -> Option<Self> {
        let is_same = self.inner.revision.commit == more.revision.commit
            && self.inner.revision.tree == more.revision.tree;
        is_same.then(|| Self {
            inner: more,
            evidence: self.evidence.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    const B: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

    fn links(text: &str) -> Option<CommitLinks> {
        CommitLinks::read(text.as_bytes(), 40)
    }

    #[test]
    fn links_are_the_first_lines() {
        let merge = links(&format!(
            "tree {A}\nparent {A}\nparent {B}\nauthor x\n\nparent {B}\n"
        ))
        .unwrap();
        assert_eq!(
            merge,
            CommitLinks {
                tree: A.into(),
                parents: vec![A.into(), B.into()]
            }
        );
        assert_eq!(
            links(&format!("tree {A}\nauthor x\n\n")).unwrap().parents,
            Vec::<String>::new()
        );
    }

    #[test]
    fn anything_ambiguous_is_refused() {
        for text in [
            format!("parent {A}\ntree {A}\n\n"),
            format!("tree {A}\nauthor x\nparent {A}\n\n"),
            format!("tree {A}\ntree {B}\n\n"),
            format!("tree {A}\r\n\n"),
            format!("tree {}\n\n", A.to_uppercase()),
            format!("tree {}\n\n", &A[1..]),
            format!("tree {A} \n\n"),
            String::new(),
        ] {
            assert_eq!(links(&text), None, "{text:?}");
        }
    }
}
