//! What SOPS writes beside the values: to whom the file is encrypted, and by which rules.

use regex::Regex;

use crate::error::SopsError;
use crate::tree::Node;

/// The kinds of keys that are not opened here: as SOPS names them, and for people.
const FOREIGN: &[(&str, &str)] = &[
    ("kms", "AWS KMS"),
    ("gcp_kms", "Google Cloud KMS"),
    ("azure_kv", "Azure Key Vault"),
    ("hc_vault", "HashiCorp Vault"),
    ("hckms", "Huawei Cloud KMS"),
];
/// So many keys are tried for one file, at most.
const RECIPIENTS: usize = 256;

/// What is known of a file besides its values.
#[derive(Debug)]
pub(crate) struct Metadata {
    pub(crate) age: Vec<Recipient>,
    pub(crate) pgp: Vec<Recipient>,
    /// For people: keys that are not opened here.
    pub(crate) foreign: Vec<&'static str>,
    pub(crate) mac: String,
    pub(crate) last_modified: String,
    pub(crate) mac_only_encrypted: bool,
    pub(crate) rule: Rule,
}

/// Somebody to whom the data key is encrypted.
#[derive(Debug)]
pub(crate) struct Recipient {
    pub(crate) name: String,
    pub(crate) encrypted: String,
}

/// Which values are encrypted.
#[derive(Debug)]
pub(crate) enum Rule {
    UnencryptedSuffix(String),
    EncryptedSuffix(String),
    UnencryptedRegex(Regex),
    EncryptedRegex(Regex),
}

impl Rule {
    /// Whether the value at a path is encrypted.
    pub(crate) fn is_encrypted(&self, path: &[&str]) -> bool {
        let any = |is: &dyn Fn(&str) -> bool| path.iter().any(|name| is(name));
        match self {
            Self::UnencryptedSuffix(suffix) => !any(&|name| name.ends_with(suffix.as_str())),
            Self::EncryptedSuffix(suffix) => any(&|name| name.ends_with(suffix.as_str())),
            Self::UnencryptedRegex(regex) => !any(&|name| regex.is_match(name)),
            Self::EncryptedRegex(regex) => any(&|name| regex.is_match(name)),
        }
    }
}

impl Metadata {
    /// Reads what stands below `sops`.
    pub(crate) fn read(sops: &Node) -> Result<Self, SopsError> {
        let Node::Map(_) = sops else {
            return Err(SopsError::malformed("`sops` is no map"));
        };
        let text = |name: &str| sops.get(name).and_then(Node::text).unwrap_or_default();
        let is_there = |name: &&(&str, &str)| is_given(sops.get(name.0));
        let foreign = FOREIGN.iter().filter(is_there).map(|(_, name)| *name).collect();
        if is_given(sops.get("key_groups")) {
            return Err(SopsError::unsupported(
                "with a key that is shared among key groups (Shamir)",
            ));
        }
        for required in ["mac", "lastmodified"] {
            if text(required).is_empty() {
                return Err(SopsError::malformed(format!("`sops.{required}` is missing")));
            }
        }
        Ok(Self {
            age: recipients(sops.get("age"), "recipient")?,
            pgp: recipients(sops.get("pgp"), "fp")?,
            foreign,
            mac: text("mac").to_owned(),
            last_modified: text("lastmodified").to_owned(),
            mac_only_encrypted: match sops.get("mac_only_encrypted") {
                Some(Node::Bool(value)) => *value,
                Some(Node::Text(text)) => text == "true",
                _ => false,
            },
            rule: rule(sops)?,
        })
    }

    /// To whom the file is encrypted, for people.
    pub(crate) fn wanted(&self) -> Vec<String> {
        let named = |kind: &'static str, recipients: &[Recipient]| {
            let names = recipients
                .iter()
                .map(move |recipient| format!("{kind} {}", recipient.name));
            names.collect::<Vec<_>>()
        };
        let mut wanted = named("age", &self.age);
        wanted.extend(named("OpenPGP", &self.pgp));
        wanted.extend(self.foreign.iter().map(|&name| name.to_owned()));
        wanted
    }
}

fn is_given(node: Option<&Node>) -> bool {
    match node {
        None | Some(Node::Null) => false,
        Some(Node::List(entries)) => !entries.is_empty(),
        Some(_) => true,
    }
}

fn recipients(node: Option<&Node>, name: &str) -> Result<Vec<Recipient>, SopsError> {
    let entries = match node {
        None | Some(Node::Null) => return Ok(Vec::new()),
        Some(Node::List(entries)) if entries.len() <= RECIPIENTS => entries,
        Some(_) => return Err(SopsError::malformed("its list of keys is none, or too long")),
    };
    let read = |entry: &Node| {
        let text = |name: &str| entry.get(name).and_then(Node::text).map(str::to_owned);
        Some(Recipient {
            name: text(name)?
                .chars()
                .filter(|c| !c.is_control())
                .take(100)
                .collect(),
            encrypted: text("enc")?,
        })
    };
    let all: Option<Vec<_>> = entries.iter().map(read).collect();
    all.ok_or_else(|| SopsError::malformed(format!("a key in it lacks `{name}` or `enc`")))
}

fn rule(sops: &Node) -> Result<Rule, SopsError> {
    let given: Vec<(&str, &str)> = [
        "unencrypted_suffix",
        "encrypted_suffix",
        "unencrypted_regex",
        "encrypted_regex",
        "unencrypted_comment_regex",
        "encrypted_comment_regex",
    ]
    .into_iter()
    .filter_map(|name| Some((name, sops.get(name)?.text().filter(|text| !text.is_empty())?)))
    .collect();
    let regex = |text: &str| {
        let regex = regex::RegexBuilder::new(text).size_limit(1 << 20).build();
        regex.map_err(|_| SopsError::malformed("its regular expression cannot be read"))
    };
    match given.as_slice() {
        [] => Ok(Rule::UnencryptedSuffix("_unencrypted".to_owned())),
        [("unencrypted_suffix", suffix)] => Ok(Rule::UnencryptedSuffix((*suffix).to_owned())),
        [("encrypted_suffix", suffix)] => Ok(Rule::EncryptedSuffix((*suffix).to_owned())),
        [("unencrypted_regex", text)] => Ok(Rule::UnencryptedRegex(regex(text)?)),
        [("encrypted_regex", text)] => Ok(Rule::EncryptedRegex(regex(text)?)),
        [_] => Err(SopsError::unsupported("by a rule about comments")),
        _ => Err(SopsError::malformed(
            "it has more than one rule of which values are encrypted",
        )),
    }
}
