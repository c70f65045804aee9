//! `spec.verification` and `status.verification`: whose signatures are needed, and what was found.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::LocalName;

/// Annotation: the commit that a person accepts although the history was rewritten behind the last trusted one. It counts
/// for exactly that commit, which must still be signed; what lies behind it is then the start of trust.
pub const ACCEPTED_HISTORY_ANNOTATION: &str = "sluice.dev/accepted-history";

/// How commits prove where they come from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Verification {
    /// How much of the history must be signed.
    pub mode: VerificationMode,
    /// The keys that are trusted, of all of these together. One that is missing or cannot be read holds everything, also where
    /// others have the signer's key: it may be the one that has a revocation. A damaged key in one is named, and the others
    /// serve.
    #[serde(default)]
    pub keyrings: Vec<KeyringRef>,
    /// Where trust starts in mode `chain`. Without this, with the first revision that is synced, which must be signed itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_of_trust: Option<StartOfTrust>,
    /// What happens in mode `chain` when a new commit is not trusted.
    #[serde(default)]
    pub on_unverified: OnUnverified,
    /// When a key has to be valid.
    #[serde(default)]
    pub valid_at: ValidAt,
    /// Algorithms that are accepted although they are weak.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allow_weak: Vec<WeakAlgorithm>,
    /// Groups of people, for `rules`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<SignerGroup>,
    /// Who may sign for which repository, branch and path. Every rule that applies must be met; where none applies, every
    /// key of the keyrings counts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<SigningRule>,
    /// Keys that count for merge commits only, such as that of a forge's merge button.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub merge_keys: Vec<MergeKey>,
    /// Groups, rules and merge keys that several Applications share. They hold in addition to those written here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules_from: Vec<RulesRef>,
}

impl Verification {
    /// The groups, rules and merge keys that are written here.
    pub fn rule_set(&self) -> RuleSet {
        RuleSet {
            groups: self.groups.clone(),
            rules: self.rules.clone(),
            merge_keys: self.merge_keys.clone(),
        }
    }
}

/// How much of the history must be signed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum VerificationMode {
    /// No signature is asked for.
    #[default]
    None,
    /// The newest commit.
    Head,
    /// The annotated tag that `targetRevision` names. The commits need no signature.
    Tag,
    /// Every commit reachable from the new revision and not from the last trusted one, merges and all their parents.
    Chain,
}

/// What happens when a new commit is not trusted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum OnUnverified {
    /// The cluster stays on the last trusted revision.
    #[default]
    Hold,
    /// The cluster moves to the newest commit of the branch's own line (first parents) all of whose history is trusted.
    Advance,
}

/// When a key has to be valid.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ValidAt {
    /// Now, as `git verify-commit` does: when a key expires, what it signed is no longer trusted. What was verified
    /// before stays so.
    #[default]
    Now,
    /// At the time the signature says it was made. The risk: who gets hold of an expired or retired key can sign with
    /// it and backdate. A key that was revoked for any other reason than being retired or superseded is refused
    /// whatever the signature's time.
    Signing,
}

/// An algorithm that can be broken with known means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum WeakAlgorithm {
    /// Collisions are found in practice.
    Md5,
    /// Collisions are found in practice.
    Sha1,
    /// 160 bits and no longer studied.
    Ripemd160,
    /// Withdrawn by FIPS 186-5; one repeated or guessed nonce gives the key away.
    Dsa,
    /// Moduli under 2048 bits.
    ShortRsa,
}

impl WeakAlgorithm {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Md5, Self::Sha1, Self::Ripemd160, Self::Dsa, Self::ShortRsa];

    /// The name it is allowed by.
    pub fn name(self) -> &'static str {
        match self {
            WeakAlgorithm::Md5 => "md5",
            WeakAlgorithm::Sha1 => "sha1",
            WeakAlgorithm::Ripemd160 => "ripemd160",
            WeakAlgorithm::Dsa => "dsa",
            WeakAlgorithm::ShortRsa => "short-rsa",
        }
    }
}

/// Where trust starts: what led there was looked at by people. One of the two.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StartOfTrust {
    /// This commit, full object id. It needs no signature: its id says what it holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// The commit of this annotated tag, which must be signed by a trusted key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
}

/// Where public keys are read from: one of the three.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KeyringRef {
    /// ConfigMap in the Application's namespace; every value of it is a keyring, armoured or (`binaryData`) binary.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_map: Option<LocalName>,
    /// Secret in the Application's namespace; every value of it is a keyring.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<LocalName>,
    /// File or folder as the engine sees it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
}

/// Where shared rules are read from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RulesRef {
    /// ConfigMap in the Application's namespace.
    pub config_map: LocalName,
    /// The key of the ConfigMap that holds `groups`, `rules` and `mergeKeys` as YAML.
    #[serde(default = "rules_key")]
    pub key: String,
}

fn rules_key() -> String {
    "rules.yaml".to_owned()
}

/// What the key of a [`RulesRef`] holds, as YAML. Its rules see its own groups only.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RuleSet {
    /// Groups of people, for the rules.
    #[serde(default)]
    pub groups: Vec<SignerGroup>,
    /// Who may sign for what.
    #[serde(default)]
    pub rules: Vec<SigningRule>,
    /// Keys that count for merge commits only.
    #[serde(default)]
    pub merge_keys: Vec<MergeKey>,
}

/// People who may do the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SignerGroup {
    /// What rules call it.
    pub name: String,
    /// Who is in it.
    pub members: Vec<Member>,
}

/// A person, however many keys they have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Member {
    /// What messages call them.
    pub name: String,
    /// Their keys: full fingerprints of OpenPGP primary keys, of SSH keys (`SHA256:…`), or SSH principals.
    pub keys: Vec<String>,
}

/// Who may sign for a repository, a branch, a path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SigningRule {
    /// What messages call it.
    pub name: String,
    /// Globs of repository URLs that it applies to; all where missing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub repositories: Vec<String>,
    /// Globs of branches that it applies to; all where missing. It also applies where `targetRevision` is no branch.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub branches: Vec<String>,
    /// Globs of paths, e.g. `prod/**`: the rule is about commits that change one of these by themselves. About every
    /// commit where missing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub paths: Vec<String>,
    /// Who may sign: members of any of these groups. Every key of the keyrings where missing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
    /// How many different people must have signed: the change itself, and the merges that brought it in. More than one
    /// needs mode `chain`.
    #[serde(default = "one_signature")]
    #[schemars(range(min = 1))]
    pub signatures: u32,
    /// The signer's user ID or principal must be the committer's address.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub match_committer: bool,
}

fn one_signature() -> u32 {
    1
}

/// A key that counts for merge commits only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MergeKey {
    /// Full fingerprint of an OpenPGP primary key or of an SSH key (`SHA256:…`), or an SSH principal.
    pub key: String,
    /// Which merges it counts for.
    #[serde(default)]
    pub accept: AcceptedMerge,
}

/// Which merges a merge key counts for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum AcceptedMerge {
    /// Those whose content is exactly what merging their parents gives.
    #[default]
    AutomaticResult,
    /// Those whose parents are all trusted; the holder of the key may resolve conflicts in any way. Needs mode `chain`.
    TrustedParents,
}

/// What was verified.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VerificationState {
    /// The newest commit all of whose history since the start of trust was verified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trusted_revision: Option<String>,
    /// Its version, of a chart. A range that leads back from it is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trusted_version: Option<String>,
    /// Fingerprint of who signed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signer: Option<String>,
    /// The commit that was refused, where one was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused_revision: Option<String>,
    /// The commit that trust started with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_of_trust: Option<String>,
    /// The start of trust that the spec had, as a commit. Another one there starts trust anew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub declared_start: Option<String>,
    /// Digest of the keyring that it was verified against.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keyring_digest: Option<String>,
    /// Digest of the policy that it was verified by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy_digest: Option<String>,
    /// How many commits were verified since the start of trust.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commits: Option<u64>,
    /// Digest of what the ledger's ConfigMap holds. One of another digest is not read, and what it knew is verified again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ledger_digest: Option<String>,
    /// The newest commit of a rewritten history, which waits for a person to accept it by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending_acceptance: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_are_written() {
        for algorithm in WeakAlgorithm::ALL {
            assert_eq!(serde_json::to_value(algorithm).unwrap(), algorithm.name());
        }
    }

    #[test]
    fn a_whole_one_is_read() {
        let written = serde_json::json!({
            "mode": "chain",
            "keyrings": [{"configMap": {"name": "keys"}}, {"secret": {"name": "more"}}, {"file": "/etc/keys"}],
            "startOfTrust": {"tag": "v1.0"},
            "onUnverified": "advance",
            "validAt": "signing",
            "allowWeak": ["sha1", "short-rsa"],
            "groups": [{"name": "release", "members": [{"name": "Ada", "keys": ["SHA256:abc"]}]}],
            "rules": [{"name": "production", "paths": ["prod/**"], "groups": ["release"], "signatures": 2}],
            "mergeKeys": [{"key": "968479A1AFF927E37D1A566BB5690EEEBB952194"}],
            "rulesFrom": [{"configMap": {"name": "signing-rules"}}],
        });
        let read: Verification = serde_json::from_value(written).unwrap();
        assert_eq!(read.rules[0].signatures, 2);
        assert_eq!(read.merge_keys[0].accept, AcceptedMerge::AutomaticResult);
        assert_eq!(read.rules_from[0].key, "rules.yaml");
        let back: Verification = serde_json::from_value(serde_json::to_value(&read).unwrap()).unwrap();
        assert_eq!(read, back);
        let short: Verification = serde_json::from_value(serde_json::json!({"mode": "head"})).unwrap();
        assert_eq!(
            (short.valid_at, short.on_unverified),
            (ValidAt::Now, OnUnverified::Hold)
        );
    }
}
