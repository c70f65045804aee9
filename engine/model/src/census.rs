//! How many objects there are of each kind in each namespace: what a policy is told of what an Application owns.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::object::{GroupKind, Object};

/// So many lines of a census are kept in a status, which must never grow past etcd's limit.
const LISTED: usize = 200;

/// How many objects there are of each kind in each namespace.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Census(BTreeMap<(GroupKind, Option<String>), u32>);

/// How many objects there are of one kind in one namespace.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Tally {
    /// API group; empty for the core group.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub group: String,
    /// The objects' kind, such as `Deployment`.
    pub kind: String,
    /// None for cluster-scoped objects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// How many there are.
    pub count: u32,
}

impl<'a> FromIterator<&'a Object> for Census {
    fn from_iter<T: IntoIterator<Item = &'a Object>>(objects: T) -> Self {
        let mut census = Self::default();
        for object in objects {
            let key = (object.group_kind(), object.namespace().map(str::to_owned));
            *census.0.entry(key).or_default() += 1;
        }
        census
    }
}

impl Census {
    /// Reads what [`Census::to_record`] wrote.
    pub fn recorded(tallies: &[Tally]) -> Self {
        let mut census = Self::default();
        for tally in tallies {
            let key = (GroupKind::new(&tally.group, &tally.kind), tally.namespace.clone());
            census.0.insert(key, tally.count);
        }
        census
    }

    /// Returns what a status remembers: the two hundred largest tallies. What is not listed counts as nothing later, so that a policy
    /// that limits shares holds rather more than less.
    pub fn to_record(&self) -> Vec<Tally> {
        let mut tallies: Vec<Tally> = self.tallies().collect();
        if tallies.len() > LISTED {
            tallies.sort_by_key(|tally| std::cmp::Reverse(tally.count));
            tallies.truncate(LISTED);
        }
        tallies
    }

    /// Returns every tally, by kind and namespace.
    pub fn tallies(&self) -> impl Iterator<Item = Tally> {
        self.0.iter().map(|((kind, namespace), count)| Tally {
            group: kind.group.clone(),
            kind: kind.kind.clone(),
            namespace: namespace.clone(),
            count: *count,
        })
    }

    /// Returns the same tallies, each no larger than in an earlier census.
    #[must_use]
    pub fn no_more_than(&self, earlier: &Self) -> Self {
        let limited = self.0.iter().filter_map(|(key, count)| {
            let count = *count.min(earlier.0.get(key)?);
            Some((key.clone(), count))
        });
        Self(limited.collect())
    }

    /// Returns the same tallies with one object fewer.
    #[must_use]
    pub fn without(&self, object: &Object) -> Self {
        let mut census = self.clone();
        let key = (object.group_kind(), object.namespace().map(str::to_owned));
        if let Some(count) = census.0.get_mut(&key) {
            *count = count.saturating_sub(1);
        }
        census.0.retain(|_, count| *count > 0);
        census
    }

    /// Returns how many objects there are in all.
    pub fn total(&self) -> u32 {
        self.0.values().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(kind: &str, namespace: &str, count: u32) -> Tally {
        Tally {
            kind: kind.to_owned(),
            namespace: Some(namespace.to_owned()),
            count,
            ..Tally::default()
        }
    }

    #[test]
    fn one_object_fewer() {
        let object = |kind: &str| {
            let value = serde_json::json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": "x", "namespace": "a"}});
            Object::new(value).unwrap()
        };
        let all = Census::recorded(&[tally("ConfigMap", "a", 2), tally("Service", "a", 1)]);
        let without = |kind: &str| all.without(&object(kind)).tallies().collect::<Vec<_>>();
        assert_eq!(
            without("ConfigMap"),
            [tally("ConfigMap", "a", 1), tally("Service", "a", 1)]
        );
        assert_eq!(without("Service"), [tally("ConfigMap", "a", 2)]);
        assert_eq!(without("Secret"), all.tallies().collect::<Vec<_>>());
    }

    #[test]
    fn what_came_since_does_not_count() {
        let earlier = Census::recorded(&[tally("ConfigMap", "a", 4), tally("Service", "a", 1)]);
        let now = Census::recorded(&[
            tally("ConfigMap", "a", 8),
            tally("ConfigMap", "b", 2),
            tally("Service", "a", 0),
        ]);
        let left: Vec<Tally> = now.no_more_than(&earlier).tallies().collect();
        assert_eq!(left, [tally("ConfigMap", "a", 4), tally("Service", "a", 0)]);
    }

    #[test]
    fn a_record_is_bounded_and_never_says_more() {
        let all: Vec<Tally> = (0..500)
            .map(|number| tally("ConfigMap", &format!("{number:03}"), number))
            .collect();
        let census = Census::recorded(&all);
        let record = census.to_record();
        assert_eq!((record.len(), record[0].count), (200, 499));
        let again = Census::recorded(&record);
        assert!(again.total() < census.total());
        assert_eq!(again.no_more_than(&census), again);
        assert_eq!(Census::recorded(&all[..3]).to_record(), all[..3]);
    }
}
