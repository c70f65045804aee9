//! `status.conditions`, as far as the model reads it.

use serde_json::Value;
use sluice_plugin::Field;

/// The conditions, in their order.
pub(crate) struct Conditions(Vec<Condition>);

/// One condition. A field that is not there is empty.
#[derive(Default)]
pub(crate) struct Condition {
    pub(crate) kind: String,
    pub(crate) status: String,
    pub(crate) reason: String,
    pub(crate) message: String,
}

impl Conditions {
    /// Reads the list; empty if there is none. What is no list of conditions is an error: nothing can be told from half of it.
    pub(crate) fn read(field: Field) -> Result<Self, String> {
        const WRONG: &str = "`/status/conditions` is not a list of conditions";
        match field.tree().map_err(|_| WRONG)? {
            Value::Null => Ok(Self(Vec::new())),
            Value::Array(list) => {
                let read = list.iter().map(|entry| Condition::read(entry).ok_or(WRONG));
                Ok(Self(read.collect::<Result<_, _>>()?))
            }
            _ => Err(WRONG.to_owned()),
        }
    }

    /// All of them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Condition> {
        self.0.iter()
    }

    /// The first of a type with a status.
    pub(crate) fn with(&self, kind: &str, status: &str) -> Option<&Condition> {
        self.iter()
            .find(|condition| condition.kind == kind && condition.status == status)
    }

    /// Whether a type is `True`.
    pub(crate) fn is_true(&self, kind: &str) -> bool {
        self.with(kind, "True").is_some()
    }
}

impl Condition {
    /// None for what is no condition.
    fn read(entry: &Value) -> Option<Self> {
        if entry.is_null() {
            return Some(Self::default());
        }
        let fields = entry.as_object()?;
        let text = |key: &str| match fields.get(key) {
            None | Some(Value::Null) => Some(String::new()),
            Some(Value::String(text)) => Some(text.clone()),
            Some(_) => None,
        };
        Some(Self {
            kind: text("type")?,
            status: text("status")?,
            reason: text("reason")?,
            message: text("message")?,
        })
    }

    /// Whether it is `True`.
    pub(crate) fn holds(&self) -> bool {
        self.status == "True"
    }
}
