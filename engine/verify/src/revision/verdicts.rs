//! Which commits of a chain are refused, once each has been judged and it is known what it changes.

use std::collections::BTreeMap;

use sluice_model::trust::{SignedObject, Verdict};

use super::walk::Chain;
use crate::check::Explanation;
use crate::rules::{By, Change, Refused};
use crate::verifier::{Judged, Verifier};

/// What rules need to know of a commit.
pub(super) struct Facts {
    /// The files that it changes itself.
    pub(super) own: Vec<String>,
    pub(super) committer: Option<String>,
}

/// The verdicts on a chain.
pub(super) struct Verdicts<'a> {
    pub(super) verifier: &'a Verifier<'a>,
    pub(super) chain: &'a Chain<'a>,
    pub(super) judged: &'a [Judged],
    pub(super) facts: &'a [Facts],
}

/// Which commits of a chain are refused, by their number, and by which rule where it was one.
pub(super) type RefusedCommits = BTreeMap<usize, Option<Refused>>;

/// How many older commits are tried where what came after a commit decides whether it is trusted. A person has to look at
/// such a history anyway.
const CANDIDATES: usize = 1_000;

impl Verdicts<'_> {
    /// The commits that are refused, looking at these alone: a change that is only merged by later ones is not yet.
    pub(super) fn within(&self, commits: &[usize]) -> RefusedCommits {
        let rules = &self.verifier.policy.rules;
        let merges = match rules.look_at_merges() {
            true => self.chain.merges(commits),
            false => BTreeMap::new(),
        };
        let mut refused = BTreeMap::new();
        for at in commits.iter().copied() {
            let Some(judged) = self.judged.get(at) else {
                continue;
            };
            if judged.report.verdict != Verdict::Trusted {
                refused.insert(at, None);
                continue;
            }
            if rules.is_empty() {
                continue;
            }
            let merged_by = self.signers(merges.get(&at));
            let refusal = self
                .change(at, &merged_by)
                .and_then(|change| rules.refusal(&change));
            if let Some(refusal) = refusal {
                refused.insert(at, Some(refusal));
            }
        }
        refused
    }

    fn signers(&self, merges: Option<&Vec<usize>>) -> Vec<By<'_>> {
        let merges = merges.into_iter().flatten();
        let judged = merges.filter_map(|merge| self.judged.get(*merge));
        judged
            .filter(|judged| judged.report.verdict == Verdict::Trusted)
            .filter_map(|judged| self.verifier.by(judged))
            .collect()
    }

    fn change<'c>(&'c self, at: usize, merged_by: &'c [By<'c>]) -> Option<Change<'c>> {
        let facts = self.facts.get(at)?;
        Some(Change {
            by: self.verifier.by(self.judged.get(at)?)?,
            committer: facts.committer.as_deref(),
            is_merge: self.chain.link(at)?.parents.len() > 1,
            files: &facts.own,
            own: &facts.own,
            in_chain: true,
            merged_by: Some(merged_by),
        })
    }

    /// The newest commit of the line all of whose history is trusted.
    pub(super) fn newest(&self, refused: &RefusedCommits) -> Option<usize> {
        let line = self.chain.line();
        let looks_at_merges = self.verifier.policy.rules.look_at_merges();
        line.into_iter().take(CANDIDATES).find(|candidate| {
            let history = self.chain.history_of(*candidate);
            if !self.chain.leads_to_last(&history) {
                return false;
            }
            match looks_at_merges {
                // A merge that is not part of this history brought nothing in.
                true => self.within(&history).is_empty(),
                false => !history.iter().any(|at| refused.contains_key(at)),
            }
        })
    }

    pub(super) fn explanations(&self) -> Vec<Explanation> {
        let merges = self.chain.merges(self.chain.all());
        let explain = |(at, (commit, judged)): (usize, (&&SignedObject, &Judged))| {
            let mut explanation = self.verifier.explanation(commit, judged);
            let merged_by = self.signers(merges.get(&at));
            if judged.report.verdict == Verdict::Trusted
                && let Some(change) = self.change(at, &merged_by)
            {
                explanation
                    .asked
                    .extend(self.verifier.policy.rules.answers(&change));
            }
            explanation
        };
        let commits = self.chain.commits().iter().zip(self.judged);
        commits.enumerate().map(explain).collect()
    }
}
