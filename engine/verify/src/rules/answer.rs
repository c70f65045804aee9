//! What the rules answer about one commit or tag whose signature is good.

use std::collections::BTreeSet;

use globset::GlobMatcher;
use sluice_model::application::AcceptedMerge;

use super::{By, Name, Rule, Rules};
use crate::check::{Answer, RuleAnswer};
use crate::judgement::plain;

/// What is asked about: a commit or tag whose signature is good.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Change<'a> {
    pub(crate) by: By<'a>,
    /// The committer's or tagger's address.
    pub(crate) committer: Option<&'a str>,
    pub(crate) is_merge: bool,
    /// The files that it answers for.
    pub(crate) files: &'a [String],
    /// The files that it changes by itself; of a merge, beyond what merging its parents gives.
    pub(crate) own: &'a [String],
    /// Whether its parents are judged too.
    pub(crate) in_chain: bool,
    /// The signers of the merges that brought it in; none where that is not known yet, and not asked about.
    pub(crate) merged_by: Option<&'a [By<'a>]>,
}

/// A rule that is not met.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) rule: String,
    pub(crate) message: String,
}

impl Rules {
    /// The first rule that is not met.
    pub(crate) fn refusal(&self, change: &Change<'_>) -> Option<Refused> {
        self.answers(change).find_map(|asked| match asked.answer {
            Answer::NotMet(message) => Some(Refused {
                rule: asked.rule,
                message,
            }),
            Answer::Met(_) | Answer::NotAsked(_) => None,
        })
    }

    /// Every rule and its answer.
    pub(crate) fn answers<'a>(&'a self, change: &'a Change<'a>) -> impl Iterator<Item = RuleAnswer> + 'a {
        let accept = self.merge_key(change.by);
        let merge = accept.map(|accept| RuleAnswer {
            rule: "the key counts for merge commits only".to_owned(),
            answer: merge(accept, change),
        });
        let rules = self.rules.iter().map(move |rule| RuleAnswer {
            rule: format!("rule `{}`", rule.name),
            answer: rule.answer(change, self, accept.is_some()),
        });
        merge.into_iter().chain(rules)
    }
}

/// Whether a key that counts for merges only counts for this.
fn merge(accept: AcceptedMerge, change: &Change<'_>) -> Answer {
    let key = &change.by.signer.fingerprint;
    if !change.is_merge {
        return Answer::NotMet(format!(
            "key {key} counts for merge commits only, and this is none: have its author sign it"
        ));
    }
    match (accept, change.own) {
        (AcceptedMerge::TrustedParents, _) if change.in_chain => {
            Answer::Met("it is a merge, and its parents are judged as well".to_owned())
        }
        (AcceptedMerge::TrustedParents, _) => Answer::NotMet(format!(
            "key {key} counts for merges of trusted parents, which only mode `chain` judges"
        )),
        (AcceptedMerge::AutomaticResult, []) => {
            Answer::Met("it is exactly what merging its parents gives".to_owned())
        }
        (AcceptedMerge::AutomaticResult, [first, ..]) => Answer::NotMet(format!(
            "key {key} counts for merges that are exactly what merging their parents gives, and this one changes `{}` besides: have a person sign the merge",
            plain(first)
        )),
    }
}

impl Rule {
    fn answer(&self, change: &Change<'_>, rules: &Rules, by_merge_key: bool) -> Answer {
        let files = change.files;
        // Without a chain, one signature vouches for everything, and that of a merge key for nothing.
        if by_merge_key && change.in_chain && change.own.is_empty() {
            return Answer::NotAsked("the merge changes nothing by itself".to_owned());
        }
        let matches = |file: &&String| self.paths.iter().any(|glob: &GlobMatcher| glob.is_match(file));
        let what = match files.iter().find(matches) {
            _ if self.paths.is_empty() && self.signatures > 1 && files.is_empty() => {
                return Answer::NotAsked("it changes nothing by itself".to_owned());
            }
            _ if self.paths.is_empty() => "this".to_owned(),
            Some(file) => format!("`{}`", plain(file)),
            None => return Answer::NotAsked("it changes none of the rule's paths".to_owned()),
        };
        let signer = change.by.signer;
        let name = signer.user_id.as_deref().unwrap_or("no user ID");
        let Some(identity) = self.identity(change.by) else {
            return Answer::NotMet(format!(
                "{what} may be signed by {} only ({}), and {name} with key {} is none of them: have one of them sign",
                self.groups,
                self.people(),
                signer.fingerprint
            ));
        };
        if self.match_committer {
            let By {
                keyring, entry, now, ..
            } = change.by;
            let address = change.committer.unwrap_or_default();
            if address.is_empty() || !keyring.has_address(entry, signer, address, now) {
                return Answer::NotMet(format!(
                    "the committer is `{}`, and key {} is {name}'s: commit under the address of the key",
                    plain(address),
                    signer.fingerprint
                ));
            }
        }
        if self.signatures == 1 {
            return Answer::Met(format!("{what} is signed by {identity}"));
        }
        let Some(merged_by) = change.merged_by else {
            return Answer::NotAsked("the merges that bring it in are not known yet".to_owned());
        };
        let mut identities = BTreeSet::from([identity]);
        let people = merged_by.iter().filter(|by| rules.merge_key(**by).is_none());
        identities.extend(people.filter_map(|by| self.identity(*by)));
        let all = identities.iter().cloned().collect::<Vec<_>>().join(" and ");
        if identities.len() < self.signatures {
            return Answer::NotMet(format!(
                "the change of {what} and the merges that brought it in must be signed by {} different people{}, and are by {all}: have another one merge it",
                self.signatures,
                if self.people.is_empty() {
                    String::new()
                } else {
                    format!(" of {} ({})", self.groups, self.people())
                }
            ));
        }
        Answer::Met(format!("{what} and its merges are signed by {all}"))
    }

    /// Who signed, as the rule counts people; none if it asks for others.
    fn identity(&self, by: By<'_>) -> Option<String> {
        if !self.people.is_empty() {
            let is = |name: &Name| name.is(by);
            let person = self.people.iter().find(|person| person.keys.iter().any(is))?;
            return Some(person.name.clone());
        }
        // An authority may have given one person many keys.
        let is_certified = by.entry != by.signer.fingerprint;
        let principal = by.signer.user_id.clone().filter(|_| is_certified);
        Some(principal.unwrap_or_else(|| by.signer.fingerprint.clone()))
    }

    fn people(&self) -> String {
        const SHOWN: usize = 5;
        let names = self.people.iter().map(|person| person.name.as_str());
        let mut text = names.take(SHOWN).collect::<Vec<_>>().join(", ");
        if let Some(more) = self.people.len().checked_sub(SHOWN + 1) {
            text.push_str(&format!(" and {} more", more + 1));
        }
        text
    }
}
