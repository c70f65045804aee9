//! What a script returned, as a verdict.

use sluice_lua::{Engine, Value};
use sluice_plugin::Verdict;

/// Argo CD's own words for a status that there is not.
const INVALID: &str = "Lua returned an invalid health status";

/// The verdict; `script` stands in what is said of an answer that is none.
pub(crate) fn verdict(engine: &Engine, returned: &Value, script: &str) -> Verdict {
    let (fields, others) = match returned {
        Value::Nil => return Verdict::NoOpinion,
        Value::Table(_) => engine.fields(returned),
        other => {
            let kind = other.type_name();
            return Verdict::Unknown(format!(
                "{script}: expect table output from Lua script, not {kind}"
            ));
        }
    };
    match (fields.is_empty(), others) {
        // An empty table and a list are the same to Argo CD.
        (true, _) => return Verdict::NoOpinion,
        (false, true) => {
            return Verdict::Unknown(format!(
                "{script}: the table that it returns is a list and a map at once"
            ));
        }
        (false, false) => {}
    }
    let mut fields = fields;
    fields.sort_by(|left, right| left.0.cmp(&right.0));
    let (mut status, mut message) = (String::new(), String::new());
    for (key, value) in fields {
        // Keys are compared without case, and the later one counts.
        let target = match key.to_ascii_lowercase().as_slice() {
            b"status" => &mut status,
            b"message" => &mut message,
            _ => continue,
        };
        match value {
            Value::Text(text) => *target = String::from_utf8_lossy(&text).into_owned(),
            other => {
                let (key, kind) = (String::from_utf8_lossy(&key), other.type_name());
                return Verdict::Unknown(format!("{script}: `{key}` is a {kind}, not a string"));
            }
        }
    }
    match status.as_str() {
        "Healthy" => Verdict::Healthy(message),
        "Suspended" => Verdict::Suspended(message),
        "Progressing" => Verdict::Progressing(message),
        "Missing" => Verdict::Missing(message),
        "Degraded" => Verdict::Degraded(message),
        "Unknown" => Verdict::Unknown(message),
        _ => Verdict::Unknown(INVALID.to_owned()),
    }
}
