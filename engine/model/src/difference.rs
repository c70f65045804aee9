//! How one object's desired and live state differ.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::manager::Manager;

/// The result of comparing one object.
#[derive(Debug, Clone, PartialEq)]
pub enum Difference {
    /// Live is as desired.
    Same,
    /// It is not in the cluster.
    Missing,
    /// It is in the cluster but nothing of it was ever applied by us: applying it takes it over.
    Unowned(Vec<FieldChange>),
    /// These fields differ.
    Changed(Vec<FieldChange>),
}

impl Difference {
    /// True where the cluster is as Git wants it.
    pub fn is_same(&self) -> bool {
        matches!(self, Self::Same)
    }

    /// The same without the change of one field.
    #[must_use]
    pub fn without(self, pointer: &str) -> Self {
        self.keeping(|change| change.pointer != pointer)
    }

    /// Only some of the changes.
    #[must_use]
    pub fn keeping(self, keep: impl Fn(&FieldChange) -> bool) -> Self {
        match self {
            Self::Same | Self::Missing => self,
            Self::Unowned(mut changes) => {
                changes.retain(keep);
                Self::Unowned(changes)
            }
            Self::Changed(mut changes) => {
                changes.retain(keep);
                match changes.is_empty() {
                    true => Self::Same,
                    false => Self::Changed(changes),
                }
            }
        }
    }
}

/// One field that differs. A Secret's values are masked before they get here.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FieldChange {
    /// RFC 6901 pointer; a list entry with a key is shown by it, e.g. `/spec/containers/[name=web]/image`.
    pub pointer: String,
    /// As the cluster has it; none where it has nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub live: Option<Value>,
    /// As Git wants it; none where the field is to go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub desired: Option<Value>,
    /// Another manager that has the field on record: writing it takes it from them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holder: Option<Manager>,
    /// True where Git dropped the field and the server keeps it, whatever is applied: only a new object loses it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stays: bool,
}
