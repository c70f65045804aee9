//! The expressions for a kind, and what they say of an object.

use sluice_cel::{Failure, Limits, Meter, Program, Value};
use sluice_plugin::patterns::fits;
use sluice_plugin::{Object, ObjectRef, Verdict};

use crate::fields::{Fields, Reads};

/// The longest message that an expression may give, in letters.
const MESSAGE: usize = 1_000;

/// What is asked about objects of a kind.
pub(crate) struct Rule {
    pub(crate) group: String,
    pub(crate) kind: String,
    /// Whether an object is progressing as long as its controller has not seen its newest spec.
    pub(crate) waits_for_generation: bool,
    pub(crate) checks: Vec<Check>,
    /// What an object is if no check holds.
    pub(crate) otherwise: Status,
    pub(crate) reads: Reads,
}

/// A condition, and what it means.
pub(crate) struct Check {
    pub(crate) when: Expression,
    pub(crate) status: Status,
    pub(crate) message: Message,
}

/// An expression and where it stands in the settings.
pub(crate) struct Expression {
    pub(crate) place: String,
    pub(crate) program: Program,
}

/// What is said beside a status.
pub(crate) enum Message {
    Text(String),
    Expression(Expression),
}

/// The engine's words for health.
pub(crate) type Status = fn(String) -> Verdict;

/// A status by its name.
pub(crate) fn status(name: &str) -> Option<Status> {
    Some(match name {
        "Healthy" => Verdict::Healthy,
        "Progressing" => Verdict::Progressing,
        "Degraded" => Verdict::Degraded,
        "Suspended" => Verdict::Suspended,
        "Missing" => Verdict::Missing,
        "Unknown" => Verdict::Unknown,
        _ => return None,
    })
}

impl Rule {
    /// Whether it is for an object's kind.
    pub(crate) fn is_for(&self, object: &ObjectRef) -> bool {
        fits(&self.group, &object.group) && fits(&self.kind, &object.kind)
    }

    /// What it says of an object.
    pub(crate) fn judge(&self, object: &Object<'_>) -> Verdict {
        let meter = Meter::new(Limits::default());
        match self.asked(object, &meter) {
            Ok(verdict) => verdict,
            Err(reason) => Verdict::Unknown(reason),
        }
    }

    fn asked(&self, object: &Object<'_>, meter: &Meter) -> Result<Verdict, String> {
        let fields =
            Fields::fetch(&self.reads, object, meter).map_err(|failure| format!("the object: {failure}"))?;
        if fields.is_deleting(object) {
            return Ok(Verdict::Progressing("Pending deletion".to_owned()));
        }
        if let Some((newest, seen)) = fields.stale_generation().filter(|_| self.waits_for_generation) {
            let message = format!("its controller has seen generation {seen}, and it is at {newest}");
            return Ok(Verdict::Progressing(message));
        }
        for check in &self.checks {
            match check.when.value(&fields, meter)? {
                Value::Bool(true) => return Ok((check.status)(check.message.text(&fields, meter)?)),
                Value::Bool(false) => {}
                other => return Err(check.when.is_no(&other, "true or false")),
            }
        }
        Ok((self.otherwise)("none of its expressions is true".to_owned()))
    }
}

impl Expression {
    fn value(&self, fields: &Fields, meter: &Meter) -> Result<Value, String> {
        let value = |name: &str| -> Result<Option<Value>, Failure> { Ok(fields.value(name)) };
        let value = self.program.evaluate(&value, meter);
        value.map_err(|failure| format!("{}: {failure}", self.place))
    }

    fn is_no(&self, value: &Value, wanted: &str) -> String {
        format!(
            "{}: it is of type {}, not {wanted}",
            self.place,
            value.type_name()
        )
    }
}

impl Message {
    fn text(&self, fields: &Fields, meter: &Meter) -> Result<String, String> {
        match self {
            Self::Text(text) => Ok(text.clone()),
            Self::Expression(expression) => match expression.value(fields, meter)? {
                Value::Text(text) => Ok(cut(&text)),
                other => Err(expression.is_no(&other, "a string")),
            },
        }
    }
}

/// The start of a text that is too long for a message.
fn cut(text: &str) -> String {
    match text.char_indices().nth(MESSAGE) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
    }
}
