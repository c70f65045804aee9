//! The objects of an Application, each above what it owns, and which of them the application's health is for. Pure.

use std::collections::BTreeMap;

use serde_json::Value;
use sluice_health::ObjectHealth;
use sluice_model::health::{HealthStatus, HealthVerdict};
use sluice_model::object::{Object, ObjectRef};

/// An object that is judged.
#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    /// Which object.
    pub reference: ObjectRef,
    /// As the cluster has it; none if it is missing.
    pub live: Option<Object>,
    /// Where in the list the object is that it stands below, which owns it; none for what stands below nothing.
    pub owner: Option<usize>,
    /// Whether its health counts for the application's. That of what an object owns does not: the object's own check says what it means.
    pub counts: bool,
}

impl Part {
    /// Returns an object that is there and stands below nothing.
    pub fn of(live: Object, counts: bool) -> Self {
        Self {
            reference: live.reference(),
            live: Some(live),
            owner: None,
            counts,
        }
    }

    fn uid(&self) -> Option<&str> {
        self.live.as_ref()?.metadata("uid")
    }
}

/// How healthy an application is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// The worst status of the objects that count.
    pub status: HealthStatus,
    /// The way to what it is for, as places in the list: from the worst object that counts down to the worst of what that owns. Empty if
    /// everything is healthy.
    pub culprit: Vec<usize>,
}

/// Returns the members in their order, each with what it owns right after it, and what that owns after that. What none of them owns is left
/// out. A member that another one owns stands below that one.
pub(super) fn arranged(members: Vec<Part>, others: Vec<Object>) -> Vec<Part> {
    let number = members.len();
    let mut others: Vec<Part> = others.into_iter().map(|other| Part::of(other, false)).collect();
    others.sort_by(|left, right| left.reference.cmp(&right.reference));
    let all: Vec<Part> = members.into_iter().chain(others).collect();
    let by_uid: BTreeMap<&str, usize> = all
        .iter()
        .enumerate()
        .filter_map(|(index, part)| Some((part.uid()?, index)))
        .collect();
    let owner = |part: &Part| {
        let owners = part.live.as_ref().map(owners).unwrap_or_default();
        owners.into_iter().find_map(|uid| by_uid.get(uid).copied())
    };
    let owners: Vec<Option<usize>> = all.iter().map(owner).collect();
    let mut owned: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (index, owner) in owners.iter().enumerate() {
        if let Some(owner) = owner {
            owned.entry(*owner).or_default().push(index);
        }
    }
    let mut forest = Forest {
        left: all.into_iter().map(Some).collect(),
        owned,
        grown: Vec::new(),
    };
    let (below, above): (Vec<usize>, Vec<usize>) =
        (0..number).partition(|index| owners.get(*index).copied().flatten().is_some());
    // Those that own each other in a circle are below nothing that came before.
    for root in above.into_iter().chain(below) {
        forest.grow(root, None);
    }
    forest.grown
}

struct Forest {
    /// What has no place yet.
    left: Vec<Option<Part>>,
    owned: BTreeMap<usize, Vec<usize>>,
    grown: Vec<Part>,
}

impl Forest {
    fn grow(&mut self, index: usize, owner: Option<usize>) {
        let Some(part) = self.left.get_mut(index).and_then(Option::take) else {
            return;
        };
        let place = self.grown.len();
        self.grown.push(Part { owner, ..part });
        for owned in self.owned.remove(&index).unwrap_or_default() {
            self.grow(owned, Some(place));
        }
    }
}

/// The uids of an object's owners, that of its controller first.
fn owners(object: &Object) -> Vec<&str> {
    let references = object.value().pointer("/metadata/ownerReferences");
    let mut references: Vec<&Value> = references
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .collect();
    references.sort_by_key(|reference| reference.get("controller").and_then(Value::as_bool) != Some(true));
    let uids = references
        .into_iter()
        .filter_map(|reference| reference.get("uid")?.as_str());
    uids.collect()
}

/// Returns how healthy the application of these objects is. `verdicts` are theirs, in their order.
pub fn health(parts: &[Part], verdicts: &[&HealthVerdict]) -> Health {
    let counted = parts
        .iter()
        .zip(verdicts)
        .enumerate()
        .filter(|(_, (part, _))| part.counts);
    let (places, judged): (Vec<usize>, Vec<ObjectHealth>) = counted
        .map(|(index, (part, verdict))| {
            let health = ObjectHealth {
                object: part.reference.clone(),
                verdict: (*verdict).clone(),
            };
            (index, health)
        })
        .unzip();
    let Some(worst) = sluice_health::worst(&judged) else {
        return Health {
            status: HealthStatus::Healthy,
            culprit: Vec::new(),
        };
    };
    let status = worst.verdict.status;
    let mut both = places.into_iter().zip(&judged);
    let root = both.find(|(_, judged)| std::ptr::eq(*judged, worst));
    let root = root
        .map(|(index, _)| index)
        .filter(|_| status != HealthStatus::Healthy);
    Health {
        status,
        culprit: root
            .map(|root| way_down(root, parts, verdicts))
            .unwrap_or_default(),
    }
}

/// From an object down to the worst below it, as long as something below is not healthy.
fn way_down(root: usize, parts: &[Part], verdicts: &[&HealthVerdict]) -> Vec<usize> {
    // What is owned comes after its owner.
    let mut worst: Vec<HealthStatus> = verdicts.iter().map(|verdict| verdict.status).collect();
    for index in (0..worst.len()).rev() {
        let owner = parts.get(index).and_then(|part| part.owner);
        let below = worst.get(index).copied().unwrap_or_default();
        if let Some(above) = owner.and_then(|owner| worst.get_mut(owner)) {
            *above = below.max(*above);
        }
    }
    let sick = |index: &usize| {
        let status = worst.get(*index).copied();
        status.filter(|status| *status != HealthStatus::Healthy)
    };
    let mut way = vec![root];
    let mut at = root;
    loop {
        let below = parts
            .iter()
            .enumerate()
            .filter(|(_, part)| part.owner == Some(at));
        let below: Vec<usize> = below
            .map(|(index, _)| index)
            .filter(|index| sick(index).is_some())
            .collect();
        // The first of several that are equally bad.
        let Some(next) = below.into_iter().rev().max_by_key(sick) else {
            return way;
        };
        way.push(next);
        at = next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// `Kind/name` with the uid `name`, owned by those that are named after `<`, the controller with a `!`.
    fn object(text: &str) -> Object {
        let (what, by) = text.split_once(" < ").unwrap_or((text, ""));
        let (kind, name) = what.split_once('/').unwrap();
        let owners: Vec<Value> = by
            .split_whitespace()
            .map(|owner| json!({"uid": owner.trim_end_matches('!'), "controller": owner.ends_with('!')}))
            .collect();
        let metadata = json!({"name": name, "namespace": "shop", "uid": name, "ownerReferences": owners});
        Object::new(json!({"apiVersion": "v1", "kind": kind, "metadata": metadata})).unwrap()
    }

    fn members(texts: &[&str]) -> Vec<Part> {
        texts.iter().map(|text| Part::of(object(text), true)).collect()
    }

    fn grown(own: &[&str], others: &[&str]) -> Vec<Part> {
        arranged(members(own), others.iter().map(|text| object(text)).collect())
    }

    /// Each with a step to the right for what it stands below.
    fn drawn(parts: &[Part]) -> Vec<String> {
        let mut depths: Vec<usize> = Vec::new();
        for part in parts {
            depths.push(part.owner.map_or(0, |owner| depths[owner] + 1));
        }
        let name = |part: &Part| format!("{}/{}", part.reference.kind, part.reference.name);
        parts
            .iter()
            .zip(depths)
            .map(|(part, depth)| format!("{}{}", " ".repeat(depth), name(part)))
            .collect()
    }

    #[test]
    fn each_stands_above_what_it_owns() {
        for (own, others, drawing) in [
            (&["A/a", "A/b"][..], &[][..], &["A/a", "A/b"][..]),
            (
                &["D/web", "S/svc"],
                &["P/x2 < rs", "P/x1 < rs", "R/rs < web", "E/slice < svc"],
                &["D/web", " R/rs", "  P/x1", "  P/x2", "S/svc", " E/slice"],
            ),
            // Nobody of these owns it.
            (&["A/a"], &["P/x < stranger"], &["A/a"]),
            // A member below a member.
            (&["A/a < b", "B/b"], &["P/x < a"], &["B/b", " A/a", "  P/x"]),
            // The controller comes before other owners.
            (&["A/a", "B/b"], &["P/x < a b!"], &["A/a", "B/b", " P/x"]),
            // A circle keeps its members.
            (&["A/a < b", "B/b < a"], &["P/x < b"], &["A/a", " B/b", "  P/x"]),
            (&["A/a < a"], &[], &["A/a"]),
        ] {
            assert_eq!(drawn(&grown(own, others)), drawing, "{own:?} {others:?}");
        }
    }

    fn verdict(status: HealthStatus) -> HealthVerdict {
        HealthVerdict {
            status,
            message: String::new(),
            plugin: None,
        }
    }

    #[test]
    fn the_culprit_is_below_the_worst_that_counts() {
        use HealthStatus::{Degraded, Healthy, Missing, Progressing, Suspended};
        let own = ["D/api", "D/web", "H/hook"];
        let others = ["P/x < rs", "P/y < rs", "R/old < web", "R/rs < web", "P/z < old"];
        // In the order of the list.
        let names = ["api", "web", "old", "z", "rs", "x", "y", "hook"];
        for (sick, status, culprit) in [
            (&[][..], Healthy, &[][..]),
            (&[("web", Progressing)], Progressing, &["web"]),
            (
                &[("web", Progressing), ("rs", Progressing), ("y", Degraded)],
                Progressing,
                &["web", "rs", "y"],
            ),
            // The first of equals.
            (
                &[("api", Degraded), ("web", Degraded), ("x", Degraded)],
                Degraded,
                &["api"],
            ),
            (
                &[
                    ("web", Degraded),
                    ("rs", Degraded),
                    ("x", Degraded),
                    ("y", Degraded),
                ],
                Degraded,
                &["web", "rs", "x"],
            ),
            // Through one that nobody has an opinion of.
            (
                &[("web", Degraded), ("y", Degraded)],
                Degraded,
                &["web", "rs", "y"],
            ),
            // What an object owns does not count by itself, nor does a hook.
            (&[("x", Degraded), ("hook", Degraded)], Healthy, &[]),
            (&[("api", Suspended)], Suspended, &["api"]),
            (&[("api", Suspended), ("web", Missing)], Missing, &["web"]),
        ] {
            let mut parts = grown(&own, &others);
            let found: Vec<String> = parts.iter().map(|part| part.reference.name.clone()).collect();
            assert_eq!(found, names);
            parts[7].counts = false;
            let of = |name: &&str| {
                sick.iter()
                    .find(|(sick, _)| sick == name)
                    .map_or(Healthy, |(_, status)| *status)
            };
            let verdicts: Vec<HealthVerdict> = names.iter().map(|name| verdict(of(name))).collect();
            let health = health(&parts, &verdicts.iter().collect::<Vec<_>>());
            let way: Vec<&str> = health.culprit.iter().map(|index| names[*index]).collect();
            assert_eq!((health.status, way.as_slice()), (status, culprit), "{sick:?}");
        }
    }
}
