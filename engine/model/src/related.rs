//! Related objects: what a health check sees beside the object that it judges.
//!
//! A check asks for them while it judges ([`Need`]). Whoever asks the check answers from what is at hand ([`Related`]), and remembers
//! what was asked: the verdict holds for as long as the answers do.

use std::hash::{DefaultHasher, Hash, Hasher};

use serde_json::Value;

use crate::object::{GroupKind, Object};

/// So many objects at most are handed to a check at once. Of more it is told nothing.
pub const MOST: usize = 500;

/// Objects that a check asks to see.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Need {
    /// Where they are: in the namespace of the object that is judged; none if that is in none.
    pub namespace: Option<String>,
    /// Their kind.
    pub kind: GroupKind,
    /// Which of them.
    pub selection: Selection,
}

/// Which objects of a kind a check asks to see.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Selection {
    /// Those with an owner reference to the object with this uid.
    OwnedBy(String),
    /// The one of this name.
    Named(String),
    /// Those with all of these labels.
    Labelled(Vec<(String, String)>),
    /// Events about the object with this uid.
    About(String),
}

/// The objects at hand.
pub trait Related: Send + Sync {
    /// The objects that a check asks for, in a fixed order; none if that is not known: nobody looks there, nobody may, or there are more
    /// than [`MOST`].
    fn find(&self, need: &Need) -> Option<Vec<Object>>;
}

/// Where there is nothing but the object itself: nothing else is known.
#[derive(Debug, Clone, Copy)]
pub struct Unrelated;

impl Related for Unrelated {
    fn find(&self, _: &Need) -> Option<Vec<Object>> {
        None
    }
}

/// Some objects, as of a file. Of a kind that is among them all are; of another one nothing is known.
#[derive(Debug)]
pub struct Among(pub Vec<Object>);

impl Related for Among {
    fn find(&self, need: &Need) -> Option<Vec<Object>> {
        let of_kind = |object: &&Object| object.kind() == need.kind.kind && object.group() == need.kind.group;
        self.0.iter().find(of_kind)?;
        bounded(self.0.iter().filter(|object| need.picks(object)))
    }
}

/// As many objects as a check is handed; none if there are more.
pub fn bounded<'o>(found: impl IntoIterator<Item = &'o Object>) -> Option<Vec<Object>> {
    let found: Vec<Object> = found.into_iter().take(MOST + 1).cloned().collect();
    (found.len() <= MOST).then_some(found)
}

impl Need {
    /// Whether an object is asked for.
    pub fn picks(&self, object: &Object) -> bool {
        object.kind() == self.kind.kind
            && object.group() == self.kind.group
            && object.namespace() == self.namespace.as_deref()
            && self.selection.picks(object)
    }
}

impl Selection {
    /// Whether an object of the kind and in the namespace is asked for.
    pub fn picks(&self, object: &Object) -> bool {
        match self {
            Self::OwnedBy(uid) => owners(object).any(|owner| owner == uid),
            Self::Named(name) => object.name() == name,
            Self::Labelled(labels) => {
                let has = |(key, value): &(String, String)| object.label(key) == Some(value);
                labels.iter().all(has)
            }
            Self::About(uid) => {
                let about = |field: &str| object.value().pointer(field).and_then(Value::as_str);
                ["/involvedObject/uid", "/regarding/uid"]
                    .into_iter()
                    .any(|field| about(field) == Some(uid))
            }
        }
    }
}

/// The uids of an object's owners.
fn owners(object: &Object) -> impl Iterator<Item = &str> {
    let references = object.value().pointer("/metadata/ownerReferences");
    let references = references.and_then(Value::as_array).into_iter().flatten();
    references.filter_map(|reference| reference.get("uid")?.as_str())
}

/// What a check asked for, and what it was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// What it asked for.
    pub need: Need,
    /// The states of what it was handed, as one number; none if that was not known.
    pub states: Option<u64>,
}

impl Seen {
    /// That a check asked, and was told this.
    pub fn new(need: Need, found: Option<&[Object]>) -> Self {
        Self {
            need,
            states: found.map(states),
        }
    }

    /// Whether the answer would be the same now.
    pub fn holds(&self, related: &dyn Related) -> bool {
        related.find(&self.need).as_deref().map(states) == self.states
    }
}

fn states(objects: &[Object]) -> u64 {
    let mut hasher = DefaultHasher::new();
    for object in objects {
        match (object.metadata("uid"), object.metadata("resourceVersion")) {
            (Some(uid), Some(version)) => (uid, version).hash(&mut hasher),
            // Of a file.
            _ => object.value().hash(&mut hasher),
        }
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn object(kind: &str, name: &str, more: Value) -> Object {
        let mut value =
            json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "namespace": "shop"}});
        for (key, more) in more.as_object().cloned().unwrap_or_default() {
            match (value.get_mut(&key).and_then(Value::as_object_mut), more) {
                (Some(map), Value::Object(more)) => map.extend(more),
                (_, more) => value[key] = more,
            }
        }
        Object::new(value).unwrap()
    }

    #[test]
    fn what_is_asked_for_is_found() {
        let owned = json!({"metadata": {"ownerReferences": [{"uid": "1"}], "labels": {"a": "b", "c": "d"}}});
        let among = Among(vec![
            object("Pod", "x", owned.clone()),
            object("Pod", "y", json!({"metadata": {"labels": {"a": "b"}}})),
            object("Secret", "x", owned.clone()),
            object("Event", "e", json!({"involvedObject": {"uid": "1"}})),
            object(
                "Pod",
                "z",
                json!({"metadata": {"namespace": "other", "ownerReferences": [{"uid": "1"}]}}),
            ),
        ]);
        let label = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        for (kind, selection, names) in [
            ("Pod", Selection::OwnedBy("1".to_owned()), vec!["x"]),
            ("Pod", Selection::OwnedBy("2".to_owned()), vec![]),
            ("Pod", Selection::Named("y".to_owned()), vec!["y"]),
            ("Pod", Selection::Labelled(vec![label("a", "b")]), vec!["x", "y"]),
            (
                "Pod",
                Selection::Labelled(vec![label("a", "b"), label("c", "d")]),
                vec!["x"],
            ),
            ("Event", Selection::About("1".to_owned()), vec!["e"]),
        ] {
            let need = Need {
                namespace: Some("shop".to_owned()),
                kind: GroupKind::new("", kind),
                selection,
            };
            let found = among.find(&need).unwrap();
            let found: Vec<&str> = found.iter().map(Object::name).collect();
            assert_eq!(found, names, "{need:?}");
        }
        let unknown = Need {
            namespace: Some("shop".to_owned()),
            kind: GroupKind::new("", "Service"),
            selection: Selection::Named("x".to_owned()),
        };
        assert_eq!(
            among.find(&unknown),
            None,
            "no Service is among them: nothing is known of any"
        );
    }

    #[test]
    fn a_verdict_holds_as_long_as_what_it_rests_on() {
        let need = Need {
            namespace: Some("shop".to_owned()),
            kind: GroupKind::new("", "Pod"),
            selection: Selection::OwnedBy("1".to_owned()),
        };
        let pod = |version: &str| {
            let metadata = json!({"uid": "p", "resourceVersion": version, "ownerReferences": [{"uid": "1"}]});
            Among(vec![object("Pod", "x", json!({"metadata": metadata}))])
        };
        let seen = Seen::new(need.clone(), pod("1").find(&need).as_deref());
        assert!(seen.holds(&pod("1")));
        assert!(!seen.holds(&pod("2")));
        let other = object("Pod", "y", json!({}));
        assert!(!seen.holds(&Among(vec![other])));
        assert!(!seen.holds(&Unrelated));
        assert!(Seen::new(need, None).holds(&Unrelated));
    }

    #[test]
    fn of_too_many_nothing_is_told() {
        let pods = |count: usize| (0..count).map(|number| object("Pod", &format!("p{number}"), json!({})));
        let all = |count| {
            let need = Need {
                namespace: Some("shop".to_owned()),
                kind: GroupKind::new("", "Pod"),
                selection: Selection::Labelled(Vec::new()),
            };
            Among(pods(count).collect()).find(&need).map(|found| found.len())
        };
        assert_eq!(all(MOST), Some(MOST));
        assert_eq!(all(MOST + 1), None);
    }
}
