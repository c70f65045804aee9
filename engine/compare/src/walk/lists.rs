//! Lists: which kind each is, and how entries find each other.

use std::rc::Rc;

use serde_json::{Map, Value};

use super::{Walk, is_empty};
use crate::defaults;
use crate::ownership::{self, ListKind, Tree};
use crate::path::{Entry, Part};
use crate::scalars;

/// What of an entry of a keyed list is ours, with its keys.
type Record<'a> = (Map<String, Value>, &'a Tree);

impl<'a> Walk<'a> {
    /// What kind of list this is: as our record says, or anybody's, or as the entries look.
    pub(super) fn list_kind(&self, desired: &[Value], live: &[Value], ours: Option<&Tree>) -> ListKind {
        match ours.and_then(ownership::list_kind) {
            // Given empty, and others put something there: theirs.
            Some(ListKind::Atomic) if desired.is_empty() => {}
            Some(kind) => return kind,
            None => {}
        }
        let known = self.others().filter_map(ownership::list_kind);
        // A leaf may be an empty list of any kind; entries tell more.
        let known = known.max_by_key(|kind| *kind != ListKind::Atomic);
        known.unwrap_or_else(|| defaults::guess_list_kind(desired, live))
    }

    /// What all managers' trees have at this place. Slow, and only asked where our own record says nothing.
    pub(super) fn others(&self) -> impl Iterator<Item = &'a Tree> {
        ownership::all(self.live).filter_map(|tree| {
            let found = descend(tree, &self.path)?;
            // All of something above it: that says nothing about what is here.
            (found.1 == self.path.len()).then_some(found.0)
        })
    }

    /// Compares entry by entry. False where entries cannot be told apart by their keys, as a plain write may leave them: then the list
    /// is one value.
    pub(super) fn keyed_list(
        &mut self,
        desired: &'a [Value],
        live: &'a [Value],
        ours: Option<&'a Tree>,
    ) -> bool {
        let records: Vec<Record<'a>> = ours.into_iter().flat_map(ownership::keyed_entries).collect();
        let names: Rc<[&'a str]> = self.key_names(&records, desired).into();
        let mut matched = vec![false; live.len()];
        let mut missing = Vec::new();
        for (index, wanted) in desired.iter().enumerate() {
            let Some(entry) = wanted.as_object() else {
                self.path.push(Part::Index(index));
                self.report(None, Some(wanted));
                self.path.pop();
                continue;
            };
            let there = live
                .iter()
                .map(Value::as_object)
                .enumerate()
                .find_map(|(index, candidate)| {
                    candidate
                        .filter(|candidate| same_keys(&names, entry, candidate))
                        .map(|found| (index, found))
                });
            if let Some((index, _)) = there
                && matched
                    .get_mut(index)
                    .is_some_and(|matched| std::mem::replace(matched, true))
            {
                return false;
            }
            self.path.push(Part::Entry(Entry {
                names: Rc::clone(&names),
                desired: Some((index, entry)),
                live: there,
            }));
            match there {
                _ if self.is_ignored() => {}
                Some((_, there)) => {
                    let before = self.found.changes.len();
                    let record = records.iter().find(|(keys, _)| {
                        keys.iter().all(|(key, value)| {
                            there.get(key).is_some_and(|found| is_recorded(key, value, found))
                        })
                    });
                    let record = record.map(|(_, below)| *below);
                    for (name, value) in entry {
                        self.entry(name, value, there.get(name), record);
                    }
                    self.removed_fields(entry, there, record, |name| names.contains(&name));
                    self.look_beside(entry, there, record, before);
                }
                None => {
                    missing.push(entry);
                    self.report(None, Some(wanted));
                }
            }
            self.path.pop();
        }
        let mut unmatched = live
            .iter()
            .zip(&matched)
            .filter(|(_, matched)| !**matched)
            .filter_map(|(entry, _)| entry.as_object());
        let is_wanted = |found: &Map<String, Value>| {
            let mut wanted = desired.iter().filter_map(Value::as_object);
            wanted.any(|wanted| same_keys(&names, wanted, found))
        };
        if unmatched.any(is_wanted) {
            return false;
        }
        self.removed_records(desired, live, &records);
        if !missing.is_empty() && self.finds_removals && matched.contains(&false) {
            self.edited_entries(&missing, live, &matched, &names);
        }
        true
    }

    /// Entries of Git's whose keys were edited by hand are missing, and what they became gives way.
    fn edited_entries(
        &mut self,
        missing: &[&'a Map<String, Value>],
        live: &'a [Value],
        matched: &[bool],
        names: &Rc<[&'a str]>,
    ) {
        let mut free: Vec<_> = live
            .iter()
            .enumerate()
            .zip(matched)
            .filter(|(_, matched)| !**matched)
            .filter_map(|((index, entry), _)| Some((index, entry, entry.as_object()?)))
            .collect();
        for wanted in missing {
            let mut place = None;
            for (at, (index, entry, fields)) in free.iter().enumerate() {
                self.path.push(Part::Entry(Entry {
                    names: Rc::clone(names),
                    desired: None,
                    live: Some((*index, fields)),
                }));
                let became = !self.is_ignored() && self.became(wanted, fields);
                if became {
                    self.report(Some(entry), None);
                    self.claim();
                }
                self.path.pop();
                if became {
                    place = Some(at);
                    break;
                }
            }
            if let Some(at) = place {
                free.remove(at);
            }
        }
    }

    /// The fields by which entries of a list are told apart.
    fn key_names(&self, records: &[Record<'a>], desired: &'a [Value]) -> Vec<&'a str> {
        if let Some((keys, _)) = records.first() {
            return borrowed(keys, desired);
        }
        match self
            .others()
            .find_map(|tree| ownership::keyed_entries(tree).next())
        {
            Some((keys, _)) => borrowed(&keys, desired),
            None => defaults::guess_keys(desired),
        }
    }

    /// Entries that we applied and of which Git gives none any more.
    pub(super) fn removed_entries(&mut self, live: &'a [Value], ours: &'a Tree) {
        let records: Vec<Record<'a>> = ownership::keyed_entries(ours).collect();
        self.removed_records(&[], live, &records);
    }

    fn removed_records(&mut self, desired: &'a [Value], live: &'a [Value], records: &[Record<'a>]) {
        if !self.finds_removals {
            return;
        }
        for (keys, below) in records {
            let is_it = |entry: &Value| {
                keys.iter().all(|(key, value)| match entry.get(key) {
                    Some(found) => is_recorded(key, value, found),
                    None => says_nothing(value) || defaults::is_default_key(key, value),
                })
            };
            if desired.iter().any(is_it) {
                continue;
            }
            let Some((index, entry)) = live.iter().enumerate().find(|(_, entry)| is_it(entry)) else {
                continue;
            };
            let Some(fields) = entry.as_object() else { continue };
            let names = keys
                .keys()
                .filter_map(|key| fields.get_key_value(key).map(|(key, _)| key.as_str()))
                .collect();
            self.path.push(Part::Entry(Entry {
                names,
                desired: None,
                live: Some((index, fields)),
            }));
            if below.contains_key(".") || below.is_empty() {
                if !self.is_ignored() {
                    self.report(Some(entry), None);
                }
            } else {
                self.removed_fields_of(fields, below);
            }
            self.path.pop();
        }
    }

    pub(super) fn set(&mut self, desired: &'a [Value], live: &'a [Value], ours: Option<&'a Tree>) {
        for wanted in desired
            .iter()
            .filter(|wanted| !live.iter().any(|found| scalars::equal(found, wanted)))
        {
            self.path.push(Part::Member {
                value: wanted,
                live: None,
            });
            if !self.is_ignored() {
                self.report(None, Some(wanted));
            }
            self.path.pop();
        }
        if let Some(ours) = ours {
            self.removed_members(desired, live, ours);
        }
    }

    pub(super) fn removed_members(&mut self, desired: &'a [Value], live: &'a [Value], ours: &'a Tree) {
        if !self.finds_removals {
            return;
        }
        for member in ownership::members(ours) {
            if desired.iter().any(|wanted| scalars::equal(wanted, &member)) {
                continue;
            }
            let found = live
                .iter()
                .enumerate()
                .find(|(_, found)| scalars::equal(found, &member));
            if let Some((index, found)) = found {
                self.path.push(Part::Member {
                    value: found,
                    live: Some(index),
                });
                if !self.is_ignored() {
                    self.report(Some(found), None);
                }
                self.path.pop();
            }
        }
    }
}

/// Follows a way through a manager's tree: the node, and how many parts led to it. Fewer than all where a leaf is above, which
/// owns everything below it.
pub(super) fn descend<'t>(tree: &'t Tree, path: &[Part<'_>]) -> Option<(&'t Tree, usize)> {
    let mut node = tree;
    for (length, part) in path.iter().enumerate() {
        if node.is_empty() && length > 0 {
            return Some((node, length));
        }
        node = match part {
            Part::Field(name) => ownership::field(Some(node), name, &mut String::new())?,
            Part::Entry(entry) => {
                let same = |found: &Map<String, Value>| {
                    entry
                        .keys()
                        .all(|(key, value)| found.get(key).is_none_or(|found| is_recorded(key, found, value)))
                };
                ownership::keyed_entries(node).find(|(found, _)| same(found))?.1
            }
            Part::Index(_) | Part::Member { .. } => return None,
        };
    }
    Some((node, path.len()))
}

/// The names of some keys, as texts of the manifest or known ones: those of the record do not live long enough.
fn borrowed<'a>(keys: &Map<String, Value>, desired: &'a [Value]) -> Vec<&'a str> {
    let in_manifest = |key: &str| {
        let mut entries = desired.iter().filter_map(Value::as_object);
        entries.find_map(|entry| entry.get_key_value(key).map(|(name, _)| name.as_str()))
    };
    let known = |key: &str| defaults::KEY_FIELDS.iter().copied().find(|name| *name == key);
    keys.keys()
        .filter_map(|key| known(key).or_else(|| in_manifest(key)))
        .collect()
}

/// True where an entry has the key that the record has for it; one that was applied as a null became the default.
fn is_recorded(name: &str, recorded: &Value, found: &Value) -> bool {
    scalars::equal(found, recorded) || says_nothing(recorded) && defaults::is_default_key(name, found)
}

/// A key that was given and says nothing.
fn says_nothing(recorded: &Value) -> bool {
    recorded.is_null() || recorded == ""
}

/// True where two entries of a list have the same keys; one that Git leaves out has its default.
fn same_keys(names: &[&str], desired: &Map<String, Value>, live: &Map<String, Value>) -> bool {
    !names.is_empty()
        && names
            .iter()
            .all(|name| match (desired.get(*name), live.get(*name)) {
                (Some(wanted), Some(found)) if !wanted.is_null() => scalars::equal(wanted, found),
                (_, Some(found)) => defaults::is_default_key(name, found),
                (Some(wanted), None) => is_empty(wanted),
                (None, None) => true,
            })
}
