//! Who may sign for which repository, branch and path.
//!
//! Every rule that applies must be met. What a rule with paths is about is decided commit by commit, by what a commit
//! changes *by itself*: against its parent, and of a merge against what merging its parents gives, so that a merge that
//! smuggles something in answers for it and one that doesn't is nobody's change. In the modes `head` and `tag`, where one
//! signature vouches for everything, it is the difference to the last trusted revision.

mod answer;

use std::collections::BTreeSet;

use globset::{GlobBuilder, GlobMatcher};
use jiff::Timestamp;
use serde::Serialize;
use sluice_model::application::{AcceptedMerge, MergeKey, RuleSet, SigningRule};
use sluice_model::trust::Signer;

use crate::error::VerifyError;
use crate::judgement::plain;
use crate::keyring::Keyring;

pub(crate) use answer::{Change, Refused};

/// Rules that apply to one repository and branch, ready to be asked.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    rules: Vec<Rule>,
    merge_keys: Vec<(Name, AcceptedMerge)>,
    written: Written,
}

/// What they were made of, for the digest.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Written {
    rules: Vec<(SigningRule, Vec<Person>)>,
    merge_keys: Vec<MergeKey>,
}

/// A rule that applies.
#[derive(Debug, Clone)]
pub(crate) struct Rule {
    pub(crate) name: String,
    paths: Vec<GlobMatcher>,
    /// Empty: every key of the keyrings.
    people: Vec<Person>,
    groups: String,
    signatures: usize,
    match_committer: bool,
}

/// A person and the names of their keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Person {
    name: String,
    keys: Vec<Name>,
}

/// What a key is called by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
enum Name {
    Fingerprint(String),
    Principal(String),
}

/// Who signed, by whose word.
#[derive(Debug, Clone, Copy)]
pub(crate) struct By<'a> {
    pub(crate) keyring: &'a Keyring,
    /// The entry of the keyring that vouches for the signer.
    pub(crate) entry: &'a str,
    pub(crate) signer: &'a Signer,
    pub(crate) now: Timestamp,
}

impl Rules {
    /// Makes ready the rules of all `sets` that apply to a repository and a branch. Each set comes with what messages call
    /// it; the first is the Application's own, whose rules may use the groups of all, those of the others only their own.
    /// `branch` is none where the revision was not named by a branch: rules for branches apply then.
    ///
    /// # Errors
    /// [`VerifyError::Rules`]
    pub fn new(
        sets: &[(&str, &RuleSet)],
        repository: &str,
        branch: Option<&str>,
    ) -> Result<Self, VerifyError> {
        let mut rules = Self::default();
        for (number, (place, set)) in sets.iter().enumerate() {
            let visible = if number == 0 {
                sets
            } else {
                sets.get(number..=number).unwrap_or_default()
            };
            let wrong = |detail: String| VerifyError::Rules {
                place: (*place).to_owned(),
                detail,
            };
            rules.add(set, visible, repository, branch).map_err(wrong)?;
        }
        rules.check_merge_keys().map_err(|detail| VerifyError::Rules {
            place: sets
                .iter()
                .map(|(place, _)| *place)
                .collect::<Vec<_>>()
                .join(" and "),
            detail,
        })?;
        Ok(rules)
    }

    /// Reads groups, rules and merge keys as YAML, the way they are shared. `place` is what messages call the text.
    ///
    /// # Errors
    /// [`VerifyError::Rules`]
    pub fn read(place: &str, text: &str) -> Result<RuleSet, VerifyError> {
        serde_yaml::from_str(text).map_err(|error| VerifyError::Rules {
            place: place.to_owned(),
            detail: plain(&error.to_string()),
        })
    }

    /// Whether there are none that apply.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty() && self.merge_keys.is_empty()
    }

    /// Whether what a commit changes has to be known to answer.
    pub(crate) fn ask_for_changes(&self) -> bool {
        !self.merge_keys.is_empty()
            || self
                .rules
                .iter()
                .any(|rule| !rule.paths.is_empty() || rule.signatures > 1)
    }

    /// A rule that asks for more signatures than one commit has.
    pub(crate) fn needs_chain(&self) -> Option<&str> {
        let rule = self.rules.iter().find(|rule| rule.signatures > 1)?;
        Some(&rule.name)
    }

    /// Whether a commit can be judged without those that come after it.
    pub(crate) fn look_at_merges(&self) -> bool {
        self.rules.iter().any(|rule| rule.signatures > 1)
    }

    pub(crate) fn written(&self) -> &Written {
        &self.written
    }

    fn add(
        &mut self,
        set: &RuleSet,
        visible: &[(&str, &RuleSet)],
        repository: &str,
        branch: Option<&str>,
    ) -> Result<(), String> {
        let mut names = BTreeSet::new();
        for group in &set.groups {
            if !names.insert(&group.name) {
                return Err(format!("the group `{}` is there twice", group.name));
            }
        }
        for rule in &set.rules {
            let made = make(rule, visible).map_err(|detail| format!("rule `{}`: {detail}", rule.name))?;
            let applies = |globs: &[String], text: Option<&str>| -> Result<bool, String> {
                let globs = matchers(globs, rule)?;
                let matches = |text: &str| globs.iter().any(|glob| glob.is_match(text));
                Ok(globs.is_empty() || text.is_none_or(matches))
            };
            if applies(&rule.repositories, Some(repository))? && applies(&rule.branches, branch)? {
                self.written.rules.push((rule.clone(), made.people.clone()));
                self.rules.push(made);
            }
        }
        for merge_key in &set.merge_keys {
            let name = Name::of(&merge_key.key).map_err(|detail| format!("mergeKeys: {detail}"))?;
            self.merge_keys.push((name, merge_key.accept));
            self.written.merge_keys.push(merge_key.clone());
        }
        Ok(())
    }

    /// A merge key stands for no person: in a group it would count for one.
    fn check_merge_keys(&self) -> Result<(), String> {
        for rule in &self.rules {
            for person in &rule.people {
                if let Some((name, _)) = self
                    .merge_keys
                    .iter()
                    .find(|(name, _)| person.keys.contains(name))
                {
                    return Err(format!(
                        "{} is a merge key and cannot be a key of {} too",
                        name.text(),
                        person.name
                    ));
                }
            }
        }
        Ok(())
    }

    fn merge_key(&self, by: By<'_>) -> Option<AcceptedMerge> {
        let found = self.merge_keys.iter().find(|(name, _)| name.is(by));
        found.map(|(_, accept)| *accept)
    }
}

fn make(rule: &SigningRule, visible: &[(&str, &RuleSet)]) -> Result<Rule, String> {
    let mut people: Vec<Person> = Vec::new();
    for name in &rule.groups {
        let mut groups = visible
            .iter()
            .flat_map(|(_, set)| &set.groups)
            .filter(|group| group.name == *name);
        let group = groups
            .next()
            .ok_or_else(|| format!("there is no group `{name}`"))?;
        if groups.next().is_some() {
            return Err(format!("the group `{name}` is there twice"));
        }
        for member in &group.members {
            let keys = member
                .keys
                .iter()
                .map(|key| Name::of(key))
                .collect::<Result<Vec<_>, _>>();
            let keys = keys.map_err(|detail| format!("{} in group `{name}`: {detail}", member.name))?;
            match people.iter_mut().find(|person| person.name == member.name) {
                Some(person) => person.keys.extend(keys),
                None => people.push(Person {
                    name: member.name.clone(),
                    keys,
                }),
            }
        }
    }
    if !rule.groups.is_empty() && people.iter().all(|person| person.keys.is_empty()) {
        return Err("its groups have no keys, so no signature could ever meet it".to_owned());
    }
    let signatures = usize::try_from(rule.signatures).unwrap_or(usize::MAX);
    if signatures == 0 {
        return Err("`signatures` is at least 1".to_owned());
    }
    if !rule.groups.is_empty() && signatures > people.len() {
        return Err(format!(
            "it asks for {signatures} signers and its groups have {}",
            people.len()
        ));
    }
    for (at, person) in people.iter().enumerate() {
        let others = people.get(at + 1..).unwrap_or_default();
        let shared = others
            .iter()
            .find(|other| other.keys.iter().any(|key| person.keys.contains(key)));
        if let Some(other) = shared {
            return Err(format!("{} and {} share a key", person.name, other.name));
        }
    }
    Ok(Rule {
        name: rule.name.clone(),
        paths: matchers(&rule.paths, rule)?,
        people,
        groups: rule.groups.join(" or "),
        signatures,
        match_committer: rule.match_committer,
    })
}

fn matchers(globs: &[String], rule: &SigningRule) -> Result<Vec<GlobMatcher>, String> {
    let matcher = |glob: &String| {
        GlobBuilder::new(glob)
            .literal_separator(true)
            .build()
            .map(|glob| glob.compile_matcher())
            .map_err(|error| format!("rule `{}`: {error}", rule.name))
    };
    globs.iter().map(matcher).collect()
}

impl Name {
    fn of(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let hex: String = text
            .chars()
            .filter(|character| !character.is_whitespace())
            .collect();
        let hex = hex.strip_prefix("0x").unwrap_or(&hex);
        let is_hex = !hex.is_empty() && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
        match hex.len() {
            _ if text.is_empty() => Err("there is an empty key".to_owned()),
            40 | 64 if is_hex => Ok(Self::Fingerprint(hex.to_ascii_uppercase())),
            8.. if is_hex => Err(format!(
                "`{text}` is no full fingerprint, and others can make a key with the same end: write all 40 digits"
            )),
            _ if text.starts_with("SHA256:") && text.len() == "SHA256:".len() + 43 => {
                Ok(Self::Fingerprint(text.to_owned()))
            }
            _ if text.starts_with("SHA256:") || text.starts_with("MD5:") => Err(format!(
                "`{text}` is no full fingerprint of an SSH key: write what `ssh-keygen -lf` prints, `SHA256:` and 43 characters"
            )),
            _ => Ok(Self::Principal(text.to_owned())),
        }
    }

    fn is(&self, by: By<'_>) -> bool {
        match self {
            Name::Fingerprint(fingerprint) => *fingerprint == by.signer.fingerprint,
            Name::Principal(principal) => by.keyring.is_principal(by.entry, by.signer, principal),
        }
    }

    fn text(&self) -> &str {
        match self {
            Name::Fingerprint(text) | Name::Principal(text) => text,
        }
    }
}
