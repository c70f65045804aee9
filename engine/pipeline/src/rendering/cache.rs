//! The last renderings, by what they follow from.
//!
//! A renderer says which paths it read or looked for. Its rendering is the answer again as long as none of them is another: a commit
//! that touches other files costs a look at those, and no rendering.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use sha2::{Digest as _, Sha256};
use sluice_model::manifest::Manifest;
use sluice_model::rendering::{Complaint, Context, Input, Rendering};
use sluice_model::tree::below;
use sluice_render::Tools;

use super::disk::{Disk, Kept};
use super::places::may_be_elsewhere;

/// So many bytes of renderings are kept.
const BYTES: usize = 64 << 20;
/// So many renderings are kept for one question: as many as there are Applications or branches that ask the same of other files.
pub(super) const ANSWERS: usize = 8;
/// A rendering that read more paths is not kept: looking at them would cost as much as rendering.
const PATHS: usize = 5_000;

pub(super) type Digest = [u8; 32];

/// What is asked, but for the files: renderer, folder, settings, capabilities.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Question(Digest);

impl Question {
    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    #[cfg(test)]
    pub(super) fn numbered(number: u8) -> Self {
        Self([number; 32])
    }

    /// `renderer` is the digest of the one that is asked.
    pub(crate) fn of(renderer: &str, input: &Input, context: &Context) -> Option<Self> {
        // Only chance follows from the seed.
        let context = Context {
            seed: String::new(),
            ..context.clone()
        };
        let context = serde_json::to_string(&context).ok()?;
        let mut digest = Sha256::new();
        for part in [renderer, &input.path, &input.settings, &context] {
            digest.update((part.len() as u64).to_le_bytes());
            digest.update(part);
        }
        Some(Self(digest.finalize().into()))
    }
}

/// The paths of one commit, looked at once each.
pub(crate) struct Lookup<'a> {
    /// The folder that was handed over, and its files.
    folder: &'a str,
    files: BTreeMap<&'a str, &'a [u8]>,
    tools: &'a mut dyn Tools,
    seen: BTreeMap<String, Option<Digest>>,
}

impl<'a> Lookup<'a> {
    /// Looks in what was handed over, and beyond it in the same commit.
    pub(crate) fn of(input: &'a Input, tools: &'a mut dyn Tools) -> Self {
        let files = input
            .files
            .iter()
            .map(|file| (file.path.as_str(), &*file.content));
        Self {
            folder: &input.path,
            files: files.collect(),
            tools,
            seen: BTreeMap::new(),
        }
    }

    /// What is at a path: a file's content, or, if it ends in `/`, all names and contents below a folder. None if that cannot be told.
    fn digest(&mut self, path: &str) -> Option<Digest> {
        if let Some(seen) = self.seen.get(path) {
            return *seen;
        }
        let digest = self.look(path);
        self.seen.insert(path.to_owned(), digest);
        digest
    }

    fn look(&mut self, path: &str) -> Option<Digest> {
        let (place, is_folder) = match path.strip_suffix('/') {
            Some(folder) => (folder, true),
            None => (path, path.is_empty()),
        };
        if below(place, self.folder).is_some() && !may_be_elsewhere(place) {
            let files = self.files.iter().map(|(name, content)| (*name, *content));
            return Some(digest(place, is_folder, files));
        }
        let tree = self.tools.files(place).ok()?;
        let Some(tree) = tree.as_ref().map(|tree| tree.get()) else {
            return Some(digest(place, is_folder, std::iter::empty()));
        };
        // What a link below it leads to is not looked at.
        if is_folder && !tree.links.is_empty() {
            return None;
        }
        let files = tree
            .files
            .iter()
            .map(|(name, content)| (name.as_str(), &**content));
        Some(digest(&tree.path, is_folder, files))
    }
}

/// What is at a place: the file of that name, or all names and contents below it.
fn digest<'f>(place: &str, is_folder: bool, files: impl Iterator<Item = (&'f str, &'f [u8])>) -> Digest {
    let is_meant = |name: &str| match is_folder {
        true => below(name, place).is_some_and(|rest| !rest.is_empty()),
        false => name == place,
    };
    let mut digest = Sha256::new();
    for (name, content) in files.filter(|(name, _)| is_meant(name)) {
        digest.update((name.len() as u64).to_le_bytes());
        digest.update(name);
        digest.update((content.len() as u64).to_le_bytes());
        digest.update(content);
    }
    digest.finalize().into()
}

/// The last renderings.
#[derive(Default)]
pub(crate) struct Cache(Mutex<Shelf>);

#[derive(Default)]
struct Shelf {
    answers: BTreeMap<Question, VecDeque<Arc<Answer>>>,
    /// The questions, the one that was asked longest ago first.
    order: VecDeque<Question>,
    bytes: usize,
}

/// One rendering, and what came of it.
pub(crate) struct Answer {
    kept: Kept,
    /// What it was decoded to: objects and warnings.
    pub(crate) decoded: OnceLock<(Vec<Manifest>, Vec<Complaint>)>,
    bytes: usize,
}

impl Answer {
    fn of(kept: Kept) -> Arc<Self> {
        let documents = kept.rendering.documents.iter();
        let texts: usize = documents
            .map(|document| document.text.len() + document.source.len())
            .sum();
        let paths: usize = kept.read.iter().map(|(path, _)| path.len() + 64).sum();
        Arc::new(Self {
            kept,
            decoded: OnceLock::new(),
            // Once as text and once decoded, which takes some four times as much.
            bytes: 5 * texts + paths,
        })
    }

    /// What the renderer answered.
    pub(crate) fn rendering(&self) -> &Rendering {
        &self.kept.rendering
    }

    /// Whether it is the answer still.
    fn holds(&self, lookup: &mut Lookup<'_>, seed: &str) -> bool {
        let mut read = self.kept.read.iter();
        self.kept.seed.as_deref().is_none_or(|of| of == seed)
            && read.all(|(path, digest)| lookup.digest(path) == Some(*digest))
    }
}

impl Cache {
    /// The rendering that answers a question, if nothing that it follows from has changed: of those in memory, or of those on disk.
    pub(crate) fn find(
        &self,
        question: &Question,
        lookup: &mut Lookup<'_>,
        seed: &str,
        disk: Option<&Disk>,
    ) -> Option<Arc<Answer>> {
        let known = {
            let mut shelf = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let known = shelf.answers.get(question).cloned();
            if known.is_some() {
                shelf.touch(question);
            }
            known.unwrap_or_default()
        };
        if let Some(answer) = known.iter().find(|answer| answer.holds(lookup, seed)) {
            return Some(Arc::clone(answer));
        }
        // What another process has written since is found too.
        let kept = disk?.read(question).into_iter().map(Answer::of);
        let answer = kept.into_iter().find(|answer| answer.holds(lookup, seed))?;
        let mut shelf = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        shelf.put(question.clone(), Arc::clone(&answer));
        Some(answer)
    }

    /// Keeps a rendering, if that is worth it; returns what is kept.
    pub(crate) fn keep(
        &self,
        question: Question,
        lookup: &mut Lookup<'_>,
        seed: &str,
        rendering: &Rendering,
        disk: Option<&Disk>,
    ) -> Option<Arc<Answer>> {
        let read = &rendering.read;
        if read.len() > PATHS {
            return None;
        }
        let digests = read.iter().map(|path| Some((path.clone(), lookup.digest(path)?)));
        let answer = Answer::of(Kept {
            read: digests.collect::<Option<Vec<_>>>()?,
            seed: (!rendering.random.is_empty()).then(|| seed.to_owned()),
            rendering: rendering.clone(),
        });
        if let Some(disk) = disk {
            disk.write(&question, &answer.kept);
        }
        let mut shelf = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        shelf.put(question, Arc::clone(&answer));
        Some(answer)
    }
}

impl Shelf {
    fn touch(&mut self, question: &Question) {
        self.order.retain(|other| other != question);
        self.order.push_back(question.clone());
    }

    fn put(&mut self, question: Question, answer: Arc<Answer>) {
        self.touch(&question);
        self.bytes += answer.bytes;
        let answers = self.answers.entry(question).or_default();
        answers.push_front(answer);
        while answers.len() > ANSWERS {
            self.bytes -= answers.pop_back().map_or(0, |answer| answer.bytes);
        }
        while self.bytes > BYTES {
            let Some(oldest) = self.order.pop_front() else {
                break;
            };
            let gone = self.answers.remove(&oldest).unwrap_or_default();
            self.bytes -= gone.iter().map(|answer| answer.bytes).sum::<usize>();
        }
    }
}

#[cfg(test)]
mod tests;
