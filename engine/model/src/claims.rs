//! What an Application says of objects that are not, or no longer, its own. It stands in its status, so that every controller
//! and command that decides about a deletion can read it, also after a restart.
//!
//! What an Application owns needs no claim: the object's label says so. A claim is about the rest: what the Application wants and
//! does not own, so that no other one deletes it meanwhile, and what it owns and no longer wants, so that another one may take it
//! over. At rest there is neither.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::object::{GroupKind, Object, ObjectKey};

/// So many objects, or places, are listed at most: a status must never grow past etcd's limit.
const LISTED: usize = 200;

/// What an Application claims and what it releases.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Claims {
    /// What its revision meant when it said so, full object id: whether that commit could be synced or not.
    #[serde(default)]
    pub revision: String,
    /// RFC 3339: when it last could not find out what its revision means. What it said before still holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unknown_at: Option<String>,
    /// Objects that it wants and does not own, at most two hundred.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub wanted: Vec<ClaimedObject>,
    /// If there are more: it wants everything of these kinds in these namespaces, at most two hundred of such places.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub wanted_in: Vec<ClaimedPlace>,
    /// If there are more of those too: it may want anything.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub everything: bool,
    /// Objects that it owns and no longer wants, at most two hundred; the others follow.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub released: Vec<ClaimedObject>,
}

/// An object that is claimed or released.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClaimedObject {
    /// API group; empty for the core group.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub group: String,
    /// The object's kind, such as `Deployment`.
    pub kind: String,
    /// None for cluster-scoped objects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// The object's name.
    pub name: String,
    /// Its identity, if it is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<String>,
}

/// A kind in a namespace.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClaimedPlace {
    /// Kind, of any group.
    pub kind: String,
    /// None for cluster-scoped objects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
}

/// Returns true for two keys that may mean one object, which the server has in two API groups. Only its identity tells for certain.
pub fn may_be_one(a: &ObjectKey, b: &ObjectKey) -> bool {
    a.group_kind.kind == b.group_kind.kind && (&a.namespace, &a.name) == (&b.namespace, &b.name)
}

impl ClaimedObject {
    fn of(key: &ObjectKey, uid: Option<&str>) -> Self {
        Self {
            group: key.group_kind.group.clone(),
            kind: key.group_kind.kind.clone(),
            namespace: key.namespace.clone(),
            name: key.name.clone(),
            uid: uid.map(str::to_owned),
        }
    }

    fn key(&self) -> ObjectKey {
        ObjectKey {
            group_kind: GroupKind::new(&self.group, &self.kind),
            namespace: self.namespace.clone(),
            name: self.name.clone(),
        }
    }
}

impl Claims {
    /// Returns what an Application claims at `revision`: `desired` is what it wants there, `members` what it owns, and `others` what
    /// else is there of what it wants.
    pub fn of(
        revision: &str,
        desired: &BTreeSet<ObjectKey>,
        members: &BTreeMap<ObjectKey, Object>,
        others: &BTreeMap<ObjectKey, Object>,
    ) -> Self {
        let uid = |key: &ObjectKey| others.get(key).and_then(|object| object.metadata("uid"));
        let wanted = desired.iter().filter(|key| !members.contains_key(*key));
        let wanted: Vec<ClaimedObject> = wanted.map(|key| ClaimedObject::of(key, uid(key))).collect();
        let released = members.iter().filter(|(key, _)| !desired.contains(*key));
        let released = released.map(|(key, object)| ClaimedObject::of(key, object.metadata("uid")));
        let mut claims = Self {
            revision: revision.to_owned(),
            released: released.take(LISTED).collect(),
            ..Self::default()
        };
        if wanted.len() <= LISTED {
            claims.wanted = wanted;
            return claims;
        }
        let places: BTreeSet<ClaimedPlace> = wanted
            .into_iter()
            .map(|object| ClaimedPlace {
                kind: object.kind,
                namespace: object.namespace,
            })
            .collect();
        match places.len() <= LISTED {
            true => claims.wanted_in = places.into_iter().collect(),
            false => claims.everything = true,
        }
        claims
    }

    /// Returns true if the Application wants this object, or may want it.
    pub fn want(&self, key: &ObjectKey, uid: Option<&str>) -> bool {
        let there =
            |place: &ClaimedPlace| place.kind == key.group_kind.kind && place.namespace == key.namespace;
        let is_it = |wanted: &ClaimedObject| {
            let other = wanted.key();
            let same = match (&wanted.uid, uid) {
                (Some(wanted), Some(uid)) => wanted == uid,
                // Without an identity it may be the same.
                _ => true,
            };
            other == *key || may_be_one(&other, key) && same
        };
        self.everything || self.wanted_in.iter().any(there) || self.wanted.iter().any(is_it)
    }

    /// Returns true if the Application owns this object and no longer wants it.
    pub fn release(&self, key: &ObjectKey, uid: Option<&str>) -> bool {
        let is_it = |released: &ClaimedObject| {
            may_be_one(&released.key(), key) && released.uid.is_some() && released.uid.as_deref() == uid
        };
        self.released.iter().any(is_it)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn object(api_version: &str, kind: &str, name: &str, uid: &str) -> Object {
        let metadata = json!({"name": name, "namespace": "shop", "uid": uid});
        Object::new(json!({"apiVersion": api_version, "kind": kind, "metadata": metadata})).unwrap()
    }

    fn map(objects: &[Object]) -> BTreeMap<ObjectKey, Object> {
        objects
            .iter()
            .map(|object| (object.key(), object.clone()))
            .collect()
    }

    fn keys(kind: &str, names: impl IntoIterator<Item = String>) -> BTreeSet<ObjectKey> {
        names
            .into_iter()
            .map(|name| object("v1", kind, &name, "").key())
            .collect()
    }

    #[test]
    fn at_rest_nothing_is_claimed() {
        let members = [object("v1", "ConfigMap", "a", "1")];
        let claims = Claims::of(
            "c",
            &keys("ConfigMap", ["a".to_owned()]),
            &map(&members),
            &BTreeMap::new(),
        );
        let nothing = Claims {
            revision: "c".to_owned(),
            ..Claims::default()
        };
        assert_eq!(claims, nothing);
        assert!(!claims.want(&members[0].key(), Some("1")) && !claims.release(&members[0].key(), Some("1")));
    }

    #[test]
    fn what_is_wanted_and_what_is_let_go() {
        let members = [
            object("v1", "ConfigMap", "old", "1"),
            object("v1", "ConfigMap", "mine", "2"),
        ];
        let others = [object("v1", "ConfigMap", "theirs", "3")];
        let desired = keys("ConfigMap", ["mine", "theirs", "new"].map(str::to_owned));
        let claims = Claims::of("c", &desired, &map(&members), &map(&others));
        let key = |name: &str| object("v1", "ConfigMap", name, "").key();
        for (name, uid, wanted, released) in [
            ("old", Some("1"), false, true),
            // Made anew since: another object, which was not let go.
            ("old", Some("9"), false, false),
            ("mine", Some("2"), false, false),
            ("theirs", Some("3"), true, false),
            ("theirs", Some("9"), true, false),
            ("new", None, true, false),
            ("another", Some("4"), false, false),
        ] {
            assert_eq!(claims.want(&key(name), uid), wanted, "{name}");
            assert_eq!(claims.release(&key(name), uid), released, "{name}");
        }
        let text = serde_json::to_string(&claims).unwrap();
        assert_eq!(serde_json::from_str::<Claims>(&text).unwrap(), claims);
    }

    /// The server has an Event in two API groups: one identity is one object.
    #[test]
    fn an_object_in_two_groups_is_claimed_under_either() {
        let new = object("events.k8s.io/v1", "Event", "x", "1");
        let old = object("v1", "Event", "x", "1");
        let claims = Claims::of(
            "c",
            &[new.key()].into(),
            &BTreeMap::new(),
            &map(std::slice::from_ref(&new)),
        );
        assert!(claims.want(&old.key(), Some("1")));
        assert!(!claims.want(&old.key(), Some("2")), "another one of that name");
        let unseen = Claims::of("c", &[new.key()].into(), &BTreeMap::new(), &BTreeMap::new());
        assert!(
            unseen.want(&old.key(), Some("2")),
            "not looked at: it may be the same"
        );
        let lets_go = Claims::of("c", &BTreeSet::new(), &map(&[old]), &BTreeMap::new());
        assert!(lets_go.release(&new.key(), Some("1")) && !lets_go.release(&new.key(), Some("2")));
    }

    #[test]
    fn claims_are_bounded_and_never_fall_short() {
        let many = keys("ConfigMap", (0..5_000).map(|number| format!("c{number}")));
        let claims = Claims::of("c", &many, &BTreeMap::new(), &BTreeMap::new());
        assert_eq!((claims.wanted.len(), claims.wanted_in.len()), (0, 1));
        assert!(many.iter().all(|key| claims.want(key, Some("1"))));
        let kinds = (0..300).flat_map(|number| keys(&format!("Kind{number}"), ["a".to_owned()]));
        let kinds: BTreeSet<ObjectKey> = kinds.collect();
        let claims = Claims::of("c", &kinds, &BTreeMap::new(), &BTreeMap::new());
        assert!(claims.everything && kinds.iter().all(|key| claims.want(key, None)));
        let members: Vec<Object> = (0..1_000)
            .map(|number| object("v1", "ConfigMap", &format!("c{number}"), "1"))
            .collect();
        let claims = Claims::of("c", &BTreeSet::new(), &map(&members), &BTreeMap::new());
        assert_eq!(claims.released.len(), LISTED);
        assert!(serde_json::to_string(&claims).unwrap().len() < 64 << 10);
    }
}
