//! The commits from a revision down to the last trusted one, found by their own bytes.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use sluice_model::trust::{CommitLinks, History, SignedKind, SignedObject};

use crate::error::VerifyError;
use crate::hash;
use crate::verifier::in_parallel;

/// Commits of which each is reachable from the last, parents before their children.
pub(super) struct Chain<'a> {
    commits: Vec<&'a SignedObject>,
    links: Vec<Link>,
    all: Vec<usize>,
    has_last: bool,
}

/// What a commit is made of, with its parents by number where they are in the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) tree: String,
    pub(super) parents: Vec<Parent>,
}

/// A parent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Parent {
    /// One of the chain.
    New(usize),
    /// The last trusted commit.
    LastTrusted,
    /// One that is older than the last trusted commit.
    Older,
}

impl<'a> Chain<'a> {
    /// A commit by itself.
    pub(super) fn alone(head: &'a SignedObject, links: CommitLinks) -> Self {
        let link = Link {
            tree: links.tree,
            parents: links.parents.iter().map(|_| Parent::Older).collect(),
        };
        Self {
            commits: vec![head],
            links: vec![link],
            all: vec![0],
            has_last: true,
        }
    }

    /// Every commit from the head down to the last trusted one; without one, down to the very first.
    pub(super) fn walk(
        history: &'a History,
        head: &CommitLinks,
        last_trusted: Option<&str>,
    ) -> Result<Self, VerifyError> {
        let rewritten = |last_trusted: &str| VerifyError::Rewritten {
            last_trusted: last_trusted.to_owned(),
            new: history.head.id.clone(),
        };
        if let Some(last_trusted) = last_trusted
            && !history.last_trusted_is_ancestor
        {
            return Err(rewritten(last_trusted));
        }
        // What is not reached is not looked at, so neither is what is wrong with it.
        let links = in_parallel(&history.commits, proven);
        let links = history.commits.iter().zip(links);
        let mut given: HashMap<&str, (&SignedObject, Result<CommitLinks, VerifyError>)> = links
            .map(|(commit, links)| (commit.id.as_str(), (commit, links)))
            .collect();
        // The bytes that were proven to be the tree's.
        given.insert(&history.head.id, (&history.head, Ok(head.clone())));
        let boundary = history.boundary.iter().filter(|_| last_trusted.is_some());
        let boundary: HashSet<&str> = boundary.map(String::as_str).collect();
        let mut reached: HashMap<&str, (&SignedObject, CommitLinks)> = HashMap::new();
        reached.insert(&history.head.id, (&history.head, head.clone()));
        let mut waiting = vec![history.head.id.as_str()];
        let mut finds_last_trusted = false;
        while let Some(commit) = waiting.pop() {
            let parents = reached.get(commit).map(|(_, links)| links.parents.clone());
            for parent in parents.unwrap_or_default() {
                let is_last_trusted = Some(parent.as_str()) == last_trusted;
                finds_last_trusted |= is_last_trusted;
                if is_last_trusted || boundary.contains(parent.as_str()) {
                    continue;
                }
                if reached.contains_key(parent.as_str()) {
                    continue;
                }
                let Some((object, links)) = given.remove(parent.as_str()) else {
                    let commit = commit.to_owned();
                    return Err(VerifyError::Incomplete { commit, parent });
                };
                reached.insert(&object.id, (object, links?));
                waiting.push(&object.id);
            }
        }
        if let Some(last_trusted) = last_trusted
            && !finds_last_trusted
        {
            return Err(rewritten(last_trusted));
        }
        Ok(Self::ordered(&history.head.id, &reached, last_trusted))
    }

    /// Parents before their children, in the order of the parents; the head is last.
    fn ordered(
        head: &'a str,
        reached: &HashMap<&'a str, (&'a SignedObject, CommitLinks)>,
        last_trusted: Option<&str>,
    ) -> Self {
        let mut numbers: HashMap<&str, usize> = HashMap::new();
        let mut seen = HashSet::new();
        let mut chain = Self {
            commits: Vec::with_capacity(reached.len()),
            links: Vec::with_capacity(reached.len()),
            all: (0..reached.len()).collect(),
            has_last: last_trusted.is_some(),
        };
        let mut stack = vec![(head, false)];
        while let Some((id, is_done)) = stack.pop() {
            let Some((id, (commit, links))) = reached.get_key_value(id) else {
                continue;
            };
            if is_done {
                let parents = links.parents.iter().map(|parent| {
                    let number = numbers.get(parent.as_str()).copied();
                    match number {
                        Some(number) => Parent::New(number),
                        None if Some(parent.as_str()) == last_trusted => Parent::LastTrusted,
                        None => Parent::Older,
                    }
                });
                let link = Link {
                    tree: links.tree.clone(),
                    parents: parents.collect(),
                };
                numbers.insert(id, chain.commits.len());
                chain.links.push(link);
                chain.commits.push(commit);
            } else if seen.insert(*id) {
                stack.push((id, true));
                let parents = links.parents.iter().rev();
                let new = parents.filter_map(|parent| reached.get_key_value(parent.as_str()));
                stack.extend(new.map(|(parent, _)| (*parent, false)));
            }
        }
        chain
    }

    pub(super) fn commits(&self) -> &[&'a SignedObject] {
        &self.commits
    }

    pub(super) fn all(&self) -> &[usize] {
        &self.all
    }

    pub(super) fn head(&self) -> (&'a SignedObject, &Link) {
        let last = self.commits.len() - 1;
        match (self.commits.get(last), self.links.get(last)) {
            (Some(head), Some(link)) => (head, link),
            _ => unreachable!("a chain has a head"),
        }
    }

    pub(super) fn id(&self, at: usize) -> Option<&str> {
        self.commits.get(at).map(|commit| commit.id.as_str())
    }

    pub(super) fn link(&self, at: usize) -> Option<&Link> {
        self.links.get(at)
    }

    /// The first parents of the head that are new, newest first, without the head.
    pub(super) fn line(&self) -> Vec<usize> {
        let mut line = Vec::new();
        let mut at = self.commits.len() - 1;
        while let Some(Parent::New(parent)) = self.link(at).and_then(|link| link.parents.first()) {
            line.push(*parent);
            at = *parent;
        }
        line
    }

    /// The commits of the chain that lead to one of them, and itself, oldest first.
    pub(super) fn history_of(&self, at: usize) -> Vec<usize> {
        self.reachable([at])
    }

    /// Whether the last trusted commit is a parent of one of these. Where there is none, any history will do.
    pub(super) fn leads_to_last(&self, commits: &[usize]) -> bool {
        let mut links = commits.iter().filter_map(|at| self.link(*at));
        !self.has_last || links.any(|link| link.parents.contains(&Parent::LastTrusted))
    }

    /// For each of these commits, the merges among them that brought it to the branch: those that reach it, and not by
    /// their first parent.
    pub(super) fn merges(&self, commits: &[usize]) -> BTreeMap<usize, Vec<usize>> {
        let mut merges: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for at in commits.iter().copied() {
            let parents = self
                .link(at)
                .map(|link| link.parents.as_slice())
                .unwrap_or_default();
            let [first, others @ ..] = parents else { continue };
            if others.is_empty() {
                continue;
            }
            let had: BTreeSet<usize> = self.reachable(number(first)).into_iter().collect();
            for brought in self.reachable(others.iter().filter_map(number)) {
                if !had.contains(&brought) {
                    merges.entry(brought).or_default().push(at);
                }
            }
        }
        merges
    }

    fn reachable(&self, from: impl IntoIterator<Item = usize>) -> Vec<usize> {
        let mut reached = vec![false; self.commits.len()];
        let mut waiting: Vec<usize> = from.into_iter().collect();
        while let Some(at) = waiting.pop() {
            match reached.get_mut(at) {
                Some(is_reached) if !*is_reached => *is_reached = true,
                Some(_) | None => continue,
            }
            let parents = self
                .link(at)
                .map(|link| link.parents.as_slice())
                .unwrap_or_default();
            waiting.extend(parents.iter().filter_map(number));
        }
        let numbered = reached.into_iter().enumerate();
        numbered
            .filter_map(|(at, is_reached)| is_reached.then_some(at))
            .collect()
    }
}

fn number(parent: &Parent) -> Option<usize> {
    match parent {
        Parent::New(number) => Some(*number),
        Parent::LastTrusted | Parent::Older => None,
    }
}

/// The links of a commit whose bytes hash to its id.
pub(super) fn proven(commit: &SignedObject) -> Result<CommitLinks, VerifyError> {
    if commit.kind != SignedKind::Commit {
        return Err(inconsistent(&commit.id, "it is not a commit"));
    }
    if !hash::is_id_right(commit) {
        return Err(inconsistent(&commit.id, "its bytes do not hash to its id"));
    }
    CommitLinks::read(&commit.bytes, commit.id.len())
        .ok_or_else(|| inconsistent(&commit.id, "its tree and parent lines are not those of a commit"))
}

pub(super) fn inconsistent(id: &str, detail: &str) -> VerifyError {
    VerifyError::Inconsistent {
        id: id.to_owned(),
        detail: detail.to_owned(),
    }
}
