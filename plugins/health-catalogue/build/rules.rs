//! One rule.

use serde_yaml::{Mapping, Value as Yaml};

use super::pointers::{Fields, entry, pointer};
use super::tests;

/// A rule, checked.
pub(crate) struct Compiled {
    /// Groups and kinds.
    pub(crate) kinds: Vec<(String, String)>,
    /// The rule as Rust.
    pub(crate) text: String,
}

const STATUSES: [&str; 7] = [
    "Healthy",
    "Suspended",
    "Progressing",
    "Missing",
    "Degraded",
    "Unknown",
    "NoOpinion",
];

/// Checks a rule. What is wrong is said with the rule's first kind.
pub(crate) fn compile(rule: &Yaml) -> Result<Compiled, String> {
    let rule = keys(rule, &["kinds", "from", "states"])?;
    let kinds = texts(rule.get("kinds").ok_or("a rule has no `kinds`")?)?;
    let name = kinds.first().ok_or("a rule has no `kinds`")?.clone();
    let within = |problem: String| format!("{name}: {problem}");
    let kinds = kinds
        .iter()
        .map(|kind| group_kind(kind))
        .collect::<Result<_, _>>()
        .map_err(within)?;
    let from = rule.get("from").and_then(Yaml::as_str).unwrap_or_default();
    if !from.starts_with("https://") {
        return Err(within(
            "`from` names no page where the status is described".to_owned(),
        ));
    }
    let states = rule.get("states").and_then(Yaml::as_sequence);
    let states = states.ok_or_else(|| within("it has no `states`".to_owned()))?;
    let mut fields = Fields::new("/metadata/deletionTimestamp");
    let mut compiled = Vec::new();
    for (index, value) in states.iter().enumerate() {
        let is_last = index + 1 == states.len();
        let state = state(value, is_last, &mut fields)
            .map_err(|problem| within(format!("state {}: {problem}", index + 1)))?;
        compiled.push((fields.list().len(), state));
    }
    let reads = crossings(compiled.iter().map(|(needs, _)| *needs).collect());
    let text: String = compiled
        .iter()
        .zip(reads)
        .map(|((_, state), reads)| format!("State {{ reads: {reads}, {state} }}, "))
        .collect();
    let fields = fields.list();
    Ok(Compiled {
        kinds,
        text: format!("Rule {{ name: {name:?}, fields: &{fields:?}, states: &[{text}] }}"),
    })
}

/// Fields that one crossing reads, if they are no more than the next state needs.
const CROSSING: usize = 8;

/// How many fields are read before each state, of how many it needs: those of the states after it too, as long as a crossing has room.
fn crossings(needs: Vec<usize>) -> Vec<usize> {
    let mut read = 0;
    needs
        .iter()
        .enumerate()
        .map(|(index, need)| {
            if *need > read {
                let room = read + CROSSING;
                let fit = needs.get(index..).unwrap_or_default().iter();
                read = fit
                    .take_while(|need| **need <= room)
                    .last()
                    .copied()
                    .unwrap_or(*need);
            }
            read
        })
        .collect()
}

fn state(value: &Yaml, is_last: bool, fields: &mut Fields) -> Result<String, String> {
    let state = keys(value, &["if", "then", "why"])?;
    let test = match (state.get("if"), is_last) {
        (Some(_), true) => Err("the last state is for all that is left: it has no `if`"),
        (None, false) => Err("only the last state has no `if`"),
        (Some(test), false) => Ok(tests::test(test, fields, false)?),
        (None, true) => Ok("Test::Always".to_owned()),
    }?;
    let then = state.get("then").and_then(Yaml::as_str).unwrap_or_default();
    if !STATUSES.contains(&then) {
        return Err(format!("`then: {then}` is none of {}", STATUSES.join(", ")));
    }
    let why = match (state.get("why"), state.get("if")) {
        (Some(Yaml::String(why)), _) => why.clone(),
        // What the condition says that decided.
        (None, Some(Yaml::String(condition))) => {
            format!("{{{}}}", condition.split('=').next().unwrap_or_default())
        }
        (None, _) if then == "NoOpinion" => String::new(),
        _ => return Err("it has no `why`".to_owned()),
    };
    let why = words(&why)?;
    Ok(format!("when: {test}, then: Status::{then}, why: &[{why}]"))
}

/// A text with fields in braces, as parts.
fn words(text: &str) -> Result<String, String> {
    let mut parts = String::new();
    for (is_field, piece) in pieces(text)? {
        if !is_field {
            parts.push_str(&format!("Part::Text({piece:?}), "));
            continue;
        }
        let choices: Vec<&str> = piece.split('|').collect();
        if choices
            .iter()
            .all(|choice| choice.starts_with("./") || *choice == ".")
        {
            let places = choices
                .iter()
                .map(|choice| entry(choice))
                .collect::<Result<Vec<_>, _>>()?;
            parts.push_str(&format!("Part::Culprit(&[{}]), ", places.join(", ")));
            continue;
        }
        let mut pointers = Vec::new();
        for choice in choices {
            match choice.starts_with('/') {
                true => pointers.push(pointer(choice)?.to_owned()),
                false => {
                    let of = |field: &str| format!("/status/conditions/[type={}]/{field}", escape(choice));
                    pointers.extend([of("message"), of("reason")]);
                }
            }
        }
        parts.push_str(&format!("Part::Object(&{pointers:?}), "));
    }
    Ok(parts)
}

/// A condition's type as part of a pointer.
pub(crate) fn escape(text: &str) -> String {
    text.replace('~', "~0").replace('/', "~1")
}

/// The pieces of a text: what stands in braces, and what does not.
pub(crate) fn pieces(text: &str) -> Result<Vec<(bool, &str)>, String> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        let (field, after) = after
            .split_once('}')
            .ok_or_else(|| format!("`{text}`: a brace is not closed"))?;
        pieces.extend((!before.is_empty()).then_some((false, before)));
        pieces.push((true, field));
        rest = after;
    }
    pieces.extend((!rest.is_empty()).then_some((false, rest)));
    Ok(pieces)
}

fn group_kind(text: &str) -> Result<(String, String), String> {
    let (group, kind) = text
        .rsplit_once('/')
        .ok_or_else(|| format!("`{text}` is not group/Kind"))?;
    let is_kind =
        kind == "*" || (kind.starts_with(char::is_uppercase) && kind.chars().all(char::is_alphanumeric));
    let plain = group.strip_prefix("*.").unwrap_or(group);
    let is_group = !plain.is_empty()
        && plain
            .chars()
            .all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || "-.".contains(letter));
    // Kinds that are written in small letters are a mistake, but for one that is.
    match is_group && (is_kind || kind == "postgresql") {
        true => Ok((group.to_owned(), kind.to_owned())),
        false => Err(format!("`{text}` is not group/Kind")),
    }
}

/// A map with no other keys than these.
pub(crate) fn keys<'a>(value: &'a Yaml, known: &[&str]) -> Result<&'a Mapping, String> {
    let map = value
        .as_mapping()
        .ok_or_else(|| format!("a map with {} was expected", known.join(", ")))?;
    for key in map.keys() {
        let key = key.as_str().unwrap_or_default();
        if !known.contains(&key) {
            return Err(format!("`{key}` is none of {}", known.join(", ")));
        }
    }
    Ok(map)
}

/// A text or a list of texts.
pub(crate) fn texts(value: &Yaml) -> Result<Vec<String>, String> {
    let text = |value: &Yaml| {
        value
            .as_str()
            .map(str::to_owned)
            .ok_or_else(|| format!("{value:?} is no text"))
    };
    match value {
        Yaml::Sequence(list) if !list.is_empty() => list.iter().map(text).collect(),
        value => Ok(vec![text(value)?]),
    }
}
