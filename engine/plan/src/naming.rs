//! Names for hooks that have only `generateName`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use sha2::{Digest as _, Sha256};
use sluice_model::decision::Phase;
use sluice_model::manifest::{Manifest, Origin};
use sluice_model::object::Object;
use sluice_model::revisions;
use sluice_model::secret::mask;

/// What a name may have: more than 63 letters cannot be the value of a label, which Jobs and Pods make of theirs.
const LONGEST: usize = 63;

/// The names of hooks that have only `generateName`. A name follows from the revision, the phase and what the hook is: so a repeated
/// attempt at one revision finds what the one before it created, and two hooks are two objects, whatever they have in common.
#[derive(Debug, Default)]
pub struct HookNames {
    /// Where each content is written: equal manifests are told apart by their places.
    places: BTreeMap<String, BTreeSet<Origin>>,
}

impl HookNames {
    /// For all manifests of a revision; those that have a name count for nothing.
    pub fn of<'a>(manifests: impl Iterator<Item = &'a Manifest>) -> Self {
        let mut names = Self::default();
        for manifest in manifests.filter(|manifest| prefix(&manifest.object).is_some()) {
            let places = names.places.entry(digest(&manifest.object)).or_default();
            places.insert(manifest.origin.clone());
        }
        names
    }

    /// The hook as it is created for a phase: with a name. What has one keeps it, and what has no `generateName` has none.
    ///
    /// `generateName` stays: by it an earlier run is known for one.
    pub fn named(&self, hook: &Manifest, revision: &str, phase: Phase) -> Object {
        let Some(prefix) = prefix(&hook.object) else {
            return hook.object.clone();
        };
        let digest = digest(&hook.object);
        let twin = self.places.get(&digest).map_or(0, |places| {
            places.iter().take_while(|place| **place < hook.origin).count()
        });
        let name = name(prefix, revision, phase, &digest, twin);
        hook.object.edit(|map| {
            if let Some(Value::Object(metadata)) = map.get_mut("metadata") {
                metadata.insert("name".to_owned(), name.into());
            }
        })
    }
}

/// True where a live hook is an earlier run of one that has only `generateName`.
pub(crate) fn is_run_of(live: &Object, hook: &Object) -> bool {
    let alike = hook.group_kind() == live.group_kind() && hook.namespace() == live.namespace();
    prefix(hook)
        .filter(|_| alike)
        .is_some_and(|prefix| match live.metadata("generateName") {
            Some(generated) => generated == prefix,
            // As earlier versions created them.
            None => live.name().starts_with(prefix),
        })
}

fn prefix(object: &Object) -> Option<&str> {
    object
        .metadata("generateName")
        .filter(|_| object.name().is_empty())
}

fn digest(object: &Object) -> String {
    let bytes = mask(object).value().to_string();
    let digest = hex::encode(Sha256::digest(bytes));
    digest.get(..8).unwrap_or(&digest).to_owned()
}

fn name(prefix: &str, revision: &str, phase: Phase, digest: &str, twin: usize) -> String {
    let phase = format!("{phase:?}").to_lowercase();
    let mut parts = vec![phase.as_str(), digest];
    let revision = revisions::for_name(revision);
    if !revision.is_empty() {
        parts.insert(0, &revision);
    }
    let number = twin.to_string();
    if twin > 0 {
        parts.push(&number);
    }
    let end = parts.join("-");
    let mut room = LONGEST.saturating_sub(end.len()).min(prefix.len());
    while !prefix.is_char_boundary(room) {
        room -= 1;
    }
    format!("{}{end}", prefix.get(..room).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const REVISION: &str = "0123456789abcdef0123456789abcdef01234567";

    fn hook(prefix: &str, argument: &str, line: u32) -> Manifest {
        let value = json!({"apiVersion": "batch/v1", "kind": "Job",
            "metadata": {"generateName": prefix, "namespace": "shop"}, "spec": {"args": [argument]}});
        Manifest {
            object: Object::new(value).unwrap(),
            origin: Origin {
                file: "a.yaml".to_owned(),
                line,
            },
        }
    }

    fn names(hooks: &[Manifest], revision: &str) -> Vec<String> {
        let names = HookNames::of(hooks.iter());
        let named = |hook| names.named(hook, revision, Phase::PreSync).name().to_owned();
        hooks.iter().map(named).collect()
    }

    #[test]
    fn generated_names_are_the_same_every_time() {
        let one = names(&[hook("migrate-", "a", 1)], REVISION);
        assert!(one[0].starts_with("migrate-0123456-presync-"), "{one:?}");
        assert_eq!(one, names(&[hook("migrate-", "a", 7)], REVISION));
        let gone = names(&[hook("migrate-", "a", 1)], "");
        assert!(gone[0].starts_with("migrate-presync-"), "{gone:?}");
    }

    /// Reported: two hooks with one `generateName` got one name, and the second deleted the first while it ran.
    #[test]
    fn two_hooks_are_two_objects() {
        let hooks = [
            hook("lint-", "a", 1),
            hook("lint-", "b", 9),
            hook("lint-", "a", 20),
        ];
        let mut all = names(&hooks, REVISION);
        let reversed: Vec<Manifest> = hooks.iter().rev().cloned().collect();
        let mut other = names(&reversed, REVISION);
        other.reverse();
        assert_eq!(all, other, "whatever their order");
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 3);
    }

    #[test]
    fn a_name_is_never_too_long() {
        let long = "é".repeat(40);
        let both = names(
            &[hook(&long, "a", 1), hook(&format!("{long}x"), "a", 2)],
            REVISION,
        );
        assert!(both.iter().all(|name| name.len() <= LONGEST), "{both:?}");
        assert_ne!(both[0], both[1]);
    }

    #[test]
    fn an_earlier_run_is_known_by_what_it_was_made_of() {
        let named = hook("lint-", "a", 1);
        let run = HookNames::default().named(&named, REVISION, Phase::PreSync);
        assert!(is_run_of(&run, &hook("lint-", "b", 1).object));
        assert!(!is_run_of(&run, &hook("lin", "a", 1).object));
        assert!(!is_run_of(&run, &run), "what has a name is one object");
    }
}
