//! The tests of a state.

use serde_yaml::{Mapping, Value as Yaml};

use super::pointers::{Fields, place};
use super::rules::{escape, keys, pieces, texts};

/// A test as Rust. Within a list `./pointer` is allowed.
pub(crate) fn test(value: &Yaml, fields: &mut Fields, is_in_list: bool) -> Result<String, String> {
    let all = |list: &[Yaml], fields: &mut Fields| {
        let tests = list.iter().map(|value| test(value, fields, is_in_list));
        tests
            .collect::<Result<Vec<_>, _>>()
            .map(|tests| format!("&[{}]", tests.join(", ")))
    };
    match value {
        Yaml::String(text) => {
            let (name, status) = text.split_once('=').unwrap_or((text, "True"));
            condition_is(
                name,
                "/status/conditions",
                &[status.to_owned()],
                fields,
                is_in_list,
            )
        }
        Yaml::Sequence(list) if !list.is_empty() => Ok(format!("Test::All({})", all(list, fields)?)),
        Yaml::Mapping(map) => {
            let subject = SUBJECTS.iter().find(|subject| map.contains_key(**subject));
            match subject.copied() {
                Some("any") => {
                    let map = keys(value, &["any"])?;
                    let list = map.get("any").and_then(Yaml::as_sequence);
                    let list = list.ok_or("`any` is a list")?;
                    Ok(format!("Test::Any({})", all(list, fields)?))
                }
                Some("not") => {
                    let map = keys(value, &["not"])?;
                    let inner = test(map.get("not").unwrap_or(&Yaml::Null), fields, is_in_list)?;
                    Ok(format!("Test::Not(&{inner})"))
                }
                Some("stale") => stale(value, fields, is_in_list),
                Some("condition") => condition(value, fields, is_in_list),
                Some("field") => field(value, fields, is_in_list),
                Some("some") => quantified(value, "some", "Some", fields, is_in_list),
                Some("every") => quantified(value, "every", "Every", fields, is_in_list),
                Some(subject @ ("count" | "sum")) => {
                    let known = [subject, "where", "of", "below", "above", "equals"];
                    let map = keys(value, &known)?;
                    let number = number(value, fields, is_in_list)?;
                    compared(&number, map, fields, is_in_list)?
                        .ok_or_else(|| format!("`{subject}` is compared with nothing"))
                }
                _ => Err(format!("a test has one of {}", SUBJECTS.join(", "))),
            }
        }
        _ => Err(format!("{value:?} is no test")),
    }
}

/// What a test may be about, one each.
const SUBJECTS: [&str; 9] = [
    "any",
    "not",
    "stale",
    "condition",
    "field",
    "some",
    "every",
    "count",
    "sum",
];

fn stale(value: &Yaml, fields: &mut Fields, is_in_list: bool) -> Result<String, String> {
    let map = keys(value, &["stale"])?;
    let seen = match map.get("stale") {
        Some(Yaml::Bool(true)) => "/status/observedGeneration".to_owned(),
        Some(Yaml::String(text)) if text.starts_with(['/', '.']) => text.clone(),
        Some(Yaml::String(text)) => {
            format!("/status/conditions/[type={}]/observedGeneration", escape(text))
        }
        _ => return Err("`stale` is true, the type of a condition, or a pointer".to_owned()),
    };
    let seen = place(&seen, fields, is_in_list)?;
    let newest = place("/metadata/generation", fields, is_in_list)?;
    Ok(format!("Test::Below(Number::At({seen}), Number::At({newest}))"))
}

fn condition(value: &Yaml, fields: &mut Fields, is_in_list: bool) -> Result<String, String> {
    let map = keys(
        value,
        &["condition", "in", "is", "reason", "reason-has", "message-has"],
    )?;
    let name = text(map, "condition")?;
    let list = match map.get("in") {
        Some(_) => text(map, "in")?,
        None => "/status/conditions",
    };
    let statuses = match map.get("is") {
        None => vec!["True".to_owned()],
        Some(Yaml::Sequence(list)) => list.iter().map(status).collect::<Result<_, _>>()?,
        Some(value) => vec![status(value)?],
    };
    let mut tests = vec![condition_is(name, list, &statuses, fields, is_in_list)?];
    for (key, field, test) in [
        ("reason", "reason", "Is"),
        ("reason-has", "reason", "Has"),
        ("message-has", "message", "Has"),
    ] {
        if let Some(value) = map.get(key) {
            let place = place(&condition_field(name, list, field), fields, is_in_list)?;
            let words = texts(value)?;
            tests.push(match test {
                "Is" => format!("Test::Is({place}, &[{}])", literals(&words).join(", ")),
                _ => format!("Test::Has({place}, &{words:?})"),
            });
        }
    }
    match tests.as_slice() {
        [one] => Ok(one.clone()),
        tests => Ok(format!("Test::All(&[{}])", tests.join(", "))),
    }
}

/// A condition's status, which may be written without quotes.
fn status(value: &Yaml) -> Result<String, String> {
    match value {
        Yaml::Bool(true) => Ok("True".to_owned()),
        Yaml::Bool(false) => Ok("False".to_owned()),
        Yaml::String(text) => Ok(text.clone()),
        _ => Err(format!("{value:?} is no status of a condition")),
    }
}

fn condition_is(
    name: &str,
    list: &str,
    statuses: &[String],
    fields: &mut Fields,
    is_in_list: bool,
) -> Result<String, String> {
    let is_name = !name.is_empty() && !name.contains([' ', '{', '=']);
    if !is_name {
        return Err(format!("`{name}` is no type of a condition"));
    }
    let place = place(&condition_field(name, list, "status"), fields, is_in_list)?;
    Ok(format!("Test::Is({place}, &[{}])", literals(statuses).join(", ")))
}

fn condition_field(name: &str, list: &str, field: &str) -> String {
    format!("{list}/[type={}]/{field}", escape(name))
}

fn literals(texts: &[String]) -> Vec<String> {
    texts
        .iter()
        .map(|text| format!("Literal::Text({text:?})"))
        .collect()
}

fn field(value: &Yaml, fields: &mut Fields, is_in_list: bool) -> Result<String, String> {
    let known = [
        "field", "is", "set", "has", "starts", "or", "below", "above", "equals",
    ];
    let map = keys(value, &known)?;
    let at = place(text(map, "field")?, fields, is_in_list)?;
    let mut tests = Vec::new();
    if let Some(value) = map.get("is") {
        let wanted = match value {
            Yaml::Sequence(list) => list.iter().collect(),
            value => vec![value],
        };
        let wanted = wanted
            .into_iter()
            .map(|value| literal(value, fields, is_in_list))
            .collect::<Result<Vec<_>, _>>()?;
        tests.push(format!("Test::Is({at}, &[{}])", wanted.join(", ")));
    }
    match map.get("set") {
        None => {}
        Some(Yaml::Bool(true)) => tests.push(format!("Test::Set({at})")),
        Some(Yaml::Bool(false)) => tests.push(format!("Test::Not(&Test::Set({at}))")),
        Some(_) => return Err("`set` is true or false".to_owned()),
    }
    for (key, test) in [("has", "Has"), ("starts", "Starts")] {
        if let Some(value) = map.get(key) {
            tests.push(format!("Test::{test}({at}, &{:?})", texts(value)?));
        }
    }
    // Two fields that are to be the same may be texts.
    let same = map
        .get("equals")
        .and_then(Yaml::as_str)
        .filter(|_| !map.contains_key("or"));
    if let Some(other) = same {
        let other = place(other, fields, is_in_list)?;
        tests.push(format!("Test::Same({at}, {other})"));
    } else {
        let number = number(value, fields, is_in_list)?;
        tests.extend(compared(&number, map, fields, is_in_list)?);
    }
    match tests.as_slice() {
        [one] => Ok(one.clone()),
        _ => Err("a field has one thing that is asked of it".to_owned()),
    }
}

/// A scalar to compare with; a text may have fields in it.
fn literal(value: &Yaml, fields: &mut Fields, is_in_list: bool) -> Result<String, String> {
    match value {
        Yaml::Bool(flag) => Ok(format!("Literal::Flag({flag})")),
        Yaml::Number(number) => number
            .as_i64()
            .map(|number| format!("Literal::Integer({number})"))
            .ok_or_else(|| format!("{number} is no whole number")),
        Yaml::String(text) if text.contains('{') => {
            let mut parts = Vec::new();
            for (is_field, piece) in pieces(text)? {
                parts.push(match is_field {
                    true => format!("Piece::Field({})", place(piece, fields, is_in_list)?),
                    false => format!("Piece::Text({piece:?})"),
                });
            }
            Ok(format!("Literal::Written(&[{}])", parts.join(", ")))
        }
        Yaml::String(text) => Ok(format!("Literal::Text({text:?})")),
        _ => Err(format!("{value:?} is nothing to compare with")),
    }
}

fn quantified(
    value: &Yaml,
    key: &str,
    name: &str,
    fields: &mut Fields,
    is_in_list: bool,
) -> Result<String, String> {
    let map = keys(value, &[key, "where"])?;
    let list = place(text(map, key)?, fields, is_in_list)?;
    let inner = test(map.get("where").ok_or("`where` is missing")?, fields, true)?;
    Ok(format!("Test::{name}({list}, &{inner})"))
}

/// The comparison of a number that a map asks for, if it asks for one.
fn compared(
    number: &str,
    map: &Mapping,
    fields: &mut Fields,
    is_in_list: bool,
) -> Result<Option<String>, String> {
    let mut tests = Vec::new();
    for key in ["below", "above", "equals"] {
        if let Some(value) = map.get(key) {
            let other = self::number(value, fields, is_in_list)?;
            tests.push(match key {
                "below" => format!("Test::Below({number}, {other})"),
                "above" => format!("Test::Below({other}, {number})"),
                _ => format!("Test::Equal({number}, {other})"),
            });
        }
    }
    match tests.len() {
        0 | 1 => Ok(tests.pop()),
        _ => Ok(Some(format!("Test::All(&[{}])", tests.join(", ")))),
    }
}

fn number(value: &Yaml, fields: &mut Fields, is_in_list: bool) -> Result<String, String> {
    match value {
        Yaml::Number(number) => number
            .as_i64()
            .map(|number| format!("Number::Literal({number})"))
            .ok_or_else(|| format!("{number} is no whole number")),
        Yaml::String(text) => Ok(format!("Number::At({})", place(text, fields, is_in_list)?)),
        Yaml::Mapping(map) if map.contains_key("count") => {
            let list = place(text(map, "count")?, fields, is_in_list)?;
            let inner = match map.get("where") {
                Some(value) => test(value, fields, true)?,
                None => "Test::Always".to_owned(),
            };
            Ok(format!("Number::Count({list}, &{inner})"))
        }
        Yaml::Mapping(map) if map.contains_key("sum") => {
            let list = place(text(map, "sum")?, fields, is_in_list)?;
            let steps = super::pointers::entry(text(map, "of")?)?;
            Ok(format!("Number::Sum({list}, {steps})"))
        }
        Yaml::Mapping(map) => {
            let at = place(text(map, "field")?, fields, is_in_list)?;
            match map.get("or").map(Yaml::as_i64) {
                Some(Some(other)) => Ok(format!("Number::Or({at}, {other})")),
                Some(None) => Err("`or` is a whole number".to_owned()),
                None => Ok(format!("Number::At({at})")),
            }
        }
        _ => Err(format!("{value:?} is no number")),
    }
}

fn text<'a>(map: &'a Mapping, key: &str) -> Result<&'a str, String> {
    map.get(key)
        .and_then(Yaml::as_str)
        .ok_or_else(|| format!("`{key}` is no text"))
}
