//! Which commits lie between the last trusted one and a new one.
//!
//! The answer is exact whatever dates the commits carry. The walk goes from both ends, newest first, which finds the
//! common part early where dates are honest. Where the new commits lead only to the last trusted one itself, that is
//! already proof; otherwise (a side branch that began before it was merged) the ancestors of the last trusted commit are
//! walked to the end, so that an old commit is never judged as if it were new.

use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use gix::ObjectId;
use gix::objs::Kind;
use sluice_model::tree::Revision;
use sluice_model::trust::{CommitLinks, History, SignedObject};

use crate::error::SourceError;
use crate::lenient::committed_at;
use crate::repository::{Reader, Repository};

impl Repository {
    /// Every commit reachable from `revision` and not from `last_trusted`. At most `limit` commits.
    ///
    /// # Errors
    /// [`SourceError::Shallow`], [`SourceError::HistoryTooLong`], [`SourceError::Object`]. A last trusted commit that is
    /// no longer there is no error: [`History::last_trusted_is_ancestor`] is false then.
    pub fn history(
        &self,
        revision: &Revision,
        last_trusted: Option<&str>,
        limit: usize,
    ) -> Result<History, SourceError> {
        self.read(|reader| {
            if reader.is_shallow()? {
                return Err(SourceError::Shallow {
                    name: self.name().to_owned(),
                });
            }
            let head_id = reader.id(&revision.commit)?;
            let head = reader.commit(head_id)?;
            let tag = revision
                .tag
                .as_ref()
                .map(|tag| reader.signed(tag, reader.id(tag)?))
                .transpose()?;
            let known = match last_trusted.map(|id| reader.id(id)).transpose() {
                Ok(id) => id,
                // An id of another object format: the repository was made anew.
                Err(_) => return rewritten(head, tag, reader),
            };
            let Some(last_trusted) = known else {
                let boundary = sorted(reader.links(head_id, &head.bytes)?.parents);
                return Ok(History {
                    commits: vec![head.clone()],
                    head,
                    tag,
                    boundary,
                    last_trusted_is_ancestor: true,
                });
            };
            if reader.kind(last_trusted)? != Some(Kind::Commit) {
                return rewritten(head, tag, reader);
            }
            let mut walk = Walk::new(reader, limit, &revision.commit);
            walk.run(head_id, Some(last_trusted))?;
            walk.finish(head, tag, Some(last_trusted))
        })
    }

    /// Every commit that leads to `revision`, from the very first one on, oldest first. At most `limit` commits. For looking
    /// at a repository as a whole; what an application trusts begins with its first revision ([`Repository::history`]).
    ///
    /// # Errors
    /// [`SourceError::Shallow`], [`SourceError::HistoryTooLong`], [`SourceError::Object`].
    pub fn ancestry(&self, revision: &Revision, limit: usize) -> Result<Vec<SignedObject>, SourceError> {
        self.read(|reader| {
            if reader.is_shallow()? {
                return Err(SourceError::Shallow {
                    name: self.name().to_owned(),
                });
            }
            let head_id = reader.id(&revision.commit)?;
            let head = reader.commit(head_id)?;
            let mut walk = Walk::new(reader, limit, &revision.commit);
            walk.run(head_id, None)?;
            Ok(walk.finish(head, None, None)?.commits)
        })
    }
}

/// What is told of a commit whose last trusted commit is nowhere to be found.
fn rewritten(head: SignedObject, tag: Option<SignedObject>, reader: &Reader) -> Result<History, SourceError> {
    let id = head.id.clone();
    let boundary = sorted(reader.links(reader.id(&id)?, &head.bytes)?.parents);
    Ok(History {
        commits: vec![head.clone()],
        head,
        tag,
        boundary,
        last_trusted_is_ancestor: false,
    })
}

struct Walk<'a> {
    reader: &'a Reader,
    limit: usize,
    name: &'a str,
    /// By when they were committed, newest first.
    queue: BinaryHeap<(i64, ObjectId)>,
    nodes: BTreeMap<ObjectId, Node>,
    /// How many in the queue are not known to be old.
    new_in_queue: usize,
    /// How many are held as new.
    new: usize,
}

#[derive(Debug)]
struct Node {
    parents: Vec<ObjectId>,
    seconds: i64,
    /// Reachable from the last trusted commit.
    is_old: bool,
    is_queued: bool,
    /// Only of new commits.
    object: Option<SignedObject>,
}

impl<'a> Walk<'a> {
    fn new(reader: &'a Reader, limit: usize, name: &'a str) -> Self {
        Self {
            reader,
            limit,
            name,
            queue: BinaryHeap::new(),
            nodes: BTreeMap::new(),
            new_in_queue: 0,
            new: 0,
        }
    }

    fn run(&mut self, head: ObjectId, last_trusted: Option<ObjectId>) -> Result<(), SourceError> {
        if let Some(last_trusted) = last_trusted {
            self.reach(last_trusted, true)?;
        }
        self.reach(head, false)?;
        while self.new_in_queue > 0 {
            self.step()?;
        }
        if !self.is_exact(last_trusted) {
            while !self.queue.is_empty() {
                self.step()?;
            }
        }
        Ok(())
    }

    /// Whether no new commit can turn out to be old: each way down from them ends at the last trusted one itself.
    /// Were one of them among its ancestors, then so were all below it, and none of those is the last trusted one.
    fn is_exact(&self, last_trusted: Option<ObjectId>) -> bool {
        let new = self.nodes.values().filter(|node| !node.is_old);
        new.into_iter().all(|node| {
            !node.parents.is_empty()
                && node
                    .parents
                    .iter()
                    .all(|parent| Some(*parent) == last_trusted || self.is_new(*parent))
        })
    }

    fn is_new(&self, id: ObjectId) -> bool {
        self.nodes.get(&id).is_some_and(|node| !node.is_old)
    }

    fn step(&mut self) -> Result<(), SourceError> {
        let Some((_, id)) = self.queue.pop() else {
            return Ok(());
        };
        let Some(node) = self.nodes.get_mut(&id) else {
            return Ok(());
        };
        node.is_queued = false;
        let is_old = node.is_old;
        let parents = node.parents.clone();
        if !is_old {
            self.new_in_queue -= 1;
        }
        for parent in parents {
            self.reach(parent, is_old)?;
        }
        Ok(())
    }

    /// Notes that a commit is reachable, and whether from the last trusted one.
    fn reach(&mut self, id: ObjectId, is_old: bool) -> Result<(), SourceError> {
        if let Some(node) = self.nodes.get_mut(&id) {
            if is_old && !node.is_old {
                node.is_old = true;
                node.object = None;
                self.new -= 1;
                if node.is_queued {
                    self.new_in_queue -= 1;
                } else {
                    // Its parents were taken for new; they hear of it in their turn.
                    node.is_queued = true;
                    self.queue.push((node.seconds, id));
                }
            }
            return Ok(());
        }
        let object = self.reader.commit(id)?;
        let links: CommitLinks = self.reader.links(id, &object.bytes)?;
        let parents = links
            .parents
            .iter()
            .map(|parent| self.reader.id(parent))
            .collect::<Result<Vec<_>, _>>()?;
        let seconds = committed_at(&object.bytes);
        let object = (!is_old).then_some(object);
        self.nodes.insert(
            id,
            Node {
                parents,
                seconds,
                is_old,
                is_queued: true,
                object,
            },
        );
        self.queue.push((seconds, id));
        if !is_old {
            self.new_in_queue += 1;
            self.new += 1;
            // Old commits that are taken for new at first are few; with them counted, memory stays bounded.
            if self.new > self.limit {
                return Err(SourceError::HistoryTooLong {
                    commit: self.name.to_owned(),
                    limit: self.limit,
                });
            }
        }
        Ok(())
    }

    fn finish(
        mut self,
        head: SignedObject,
        tag: Option<SignedObject>,
        last_trusted: Option<ObjectId>,
    ) -> Result<History, SourceError> {
        let head_id = self.reader.id(&head.id)?;
        let is_ancestor = |walk: &Self| match last_trusted {
            None => true,
            Some(trusted) if trusted == head_id => true,
            Some(trusted) => walk
                .nodes
                .values()
                .any(|node| !node.is_old && node.parents.contains(&trusted)),
        };
        let mut last_trusted_is_ancestor = is_ancestor(&self);
        let mut boundary = BTreeSet::new();
        for node in self.nodes.values().filter(|node| !node.is_old) {
            boundary.extend(
                node.parents
                    .iter()
                    .filter(|parent| !self.is_new(**parent))
                    .map(ToString::to_string),
            );
        }
        // The head is itself an ancestor of the last trusted commit: the branch was set back.
        if self.nodes.get(&head_id).is_some_and(|node| node.is_old) && last_trusted != Some(head_id) {
            last_trusted_is_ancestor = false;
        }
        let commits = self.oldest_first(head_id);
        Ok(History {
            head,
            tag,
            commits,
            boundary: boundary.into_iter().collect(),
            last_trusted_is_ancestor,
        })
    }

    /// Parents before their children; among those that are free, in the order the walk from the head comes to them.
    fn oldest_first(&mut self, head: ObjectId) -> Vec<SignedObject> {
        let mut order = Vec::new();
        let mut stack = vec![(head, false)];
        let mut visited = BTreeSet::new();
        while let Some((id, is_done)) = stack.pop() {
            if is_done {
                order.push(id);
            } else if self.is_new(id) && visited.insert(id) {
                stack.push((id, true));
                let parents = self
                    .nodes
                    .get(&id)
                    .map(|node| node.parents.clone())
                    .unwrap_or_default();
                stack.extend(parents.into_iter().rev().map(|parent| (parent, false)));
            }
        }
        order
            .into_iter()
            .filter_map(|id| self.nodes.get_mut(&id).and_then(|node| node.object.take()))
            .collect()
    }
}

fn sorted(mut ids: Vec<String>) -> Vec<String> {
    ids.sort();
    ids.dedup();
    ids
}
