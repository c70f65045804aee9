//! Random objects through every rule: nothing panics, the same object gets the same verdict, and no message is longer than its limit.
//!
//! The objects have random values at the very pointers that a rule reads, and among them the words that it knows: values that are
//! random everywhere would reach the last state and nothing else.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "what fails names its rule"
)]

use std::collections::BTreeSet;

use health_catalogue::{Literal, Number, Part, Place, RULES, Rule, Step, Test, assess};
use serde_json::{Map, Value as Json, json};
use sluice_plugin::Object;
use sluice_plugin::golden::health_json;

/// Objects for each rule.
const OBJECTS: usize = 400;

/// What one field may bring into a message, and a mark where it was cut.
const FIELD: usize = 1024 + '…'.len_utf8();

#[test]
fn no_object_breaks_a_rule() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut states = 0;
    let mut seen = 0;
    for (rule, index) in RULES.iter().zip(0_u16..) {
        let words = words_of(rule);
        let mut decided = BTreeSet::new();
        for _ in 0..OBJECTS {
            let object = object(&mut random, rule, &words);
            let judged = || {
                let judged = assess(index, &Object::json(object.clone()));
                judged.map(|(state, verdict)| (state, health_json(&verdict)))
            };
            let said = judged();
            assert_eq!(said, judged(), "{}: two answers about {object}", rule.name);
            let Ok((state, said)) = said else { continue };
            decided.extend(state);
            let message = said["message"].as_str().unwrap_or_default();
            let limit = state.map_or(FIELD, |state| longest(rule.states[state].why));
            assert!(
                message.len() <= limit,
                "{}: {} bytes of {object}",
                rule.name,
                message.len()
            );
        }
        states += rule.states.len();
        seen += decided.len();
    }
    // A generator that reaches few states would show nothing.
    assert!(
        seen * 10 > states * 6,
        "only {seen} of {states} states were reached"
    );
}

#[test]
fn a_list_that_is_none_is_said_to_be_none() {
    let (rule, index) = RULES
        .iter()
        .zip(0_u16..)
        .find(|(rule, _)| rule.name == "route.openshift.io/Route")
        .unwrap();
    assert!(rule.fields.contains(&"/status/ingress"));
    let object = Object::json(json!({"status": {"ingress": "all"}}));
    assert_eq!(
        assess(index, &object).unwrap_err(),
        "`/status/ingress` is neither a list nor a map"
    );
}

/// The most that a message of these parts may have.
fn longest(parts: &[Part]) -> usize {
    let of = |part: &Part| match part {
        Part::Text(text) => text.len(),
        Part::Object(_) | Part::Culprit(_) => FIELD,
    };
    parts.iter().map(of).sum()
}

/// xorshift64: enough for a test, and the same on every machine.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end as u64) as usize
    }

    fn pick<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        &list[self.below(list.len())]
    }
}

fn object(random: &mut Random, rule: &Rule, words: &[Json]) -> Json {
    let mut object = json!({"metadata": {"generation": random.below(4)}});
    for pointer in &rule.fields[1..] {
        if random.below(3) > 0 {
            put(&mut object, pointer, value(random, words, 3));
        }
    }
    if random.below(20) == 0 {
        put(&mut object, rule.fields[0], json!("2026-01-01T00:00:00Z"));
    }
    object
}

fn value(random: &mut Random, words: &[Json], depth: usize) -> Json {
    match random.below(if depth == 0 { 14 } else { 18 }) {
        0 => Json::Null,
        1 => json!(random.below(2) == 0),
        2 => json!(random.below(5)),
        3 => json!(-1.5),
        4 => json!(i64::MAX),
        5 => json!("x".repeat(random.below(3000))),
        6 => json!("ä".repeat(1100)),
        7..14 => random.pick(words).clone(),
        14..16 => (0..random.below(4))
            .map(|_| value(random, words, depth - 1))
            .collect(),
        _ => {
            let keys = words.iter().filter_map(Json::as_str).collect::<Vec<_>>();
            let entries = (0..random.below(6)).map(|_| {
                let key = (*random.pick(&keys)).to_owned();
                (key, value(random, words, depth - 1))
            });
            Json::Object(entries.collect::<Map<_, _>>())
        }
    }
}

/// Puts a value where a pointer leads, as far as what is already there lets it.
fn put(object: &mut Json, pointer: &str, value: Json) {
    let plain = |text: &str| text.replace("~1", "/").replace("~0", "~");
    let mut at = object;
    for segment in pointer.split('/').skip(1) {
        if let Some(selector) = segment.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            let (key, wanted) = selector.split_once('=').unwrap();
            let wanted = json!(plain(wanted));
            if !at.is_array() {
                *at = json!([]);
            }
            let list = at.as_array_mut().unwrap();
            let place = list.iter().position(|entry| entry.get(key) == Some(&wanted));
            let place = place.unwrap_or_else(|| {
                list.push(json!({key: wanted}));
                list.len() - 1
            });
            at = &mut list[place];
        } else {
            if !at.is_object() {
                *at = json!({});
            }
            at = &mut at[plain(segment)];
        }
    }
    *at = value;
}

/// The words that a rule knows, and the keys that it looks for in entries.
fn words_of(rule: &Rule) -> Vec<Json> {
    let mut words = vec![
        json!("True"),
        json!("False"),
        json!("Unknown"),
        json!("2"),
        json!(""),
    ];
    for state in rule.states {
        of_test(&state.when, &mut words);
    }
    words
}

fn of_test(test: &Test, words: &mut Vec<Json>) {
    match test {
        Test::Always => {}
        Test::All(tests) | Test::Any(tests) => tests.iter().for_each(|test| of_test(test, words)),
        Test::Not(test) => of_test(test, words),
        Test::Set(place) => of_place(place, words),
        Test::Is(place, literals) => {
            of_place(place, words);
            words.extend(literals.iter().map(|literal| match literal {
                Literal::Flag(flag) => json!(flag),
                Literal::Integer(number) => json!(number),
                Literal::Text(text) => json!(text),
                Literal::Written(_) => json!("2/2"),
            }));
        }
        Test::Has(place, texts) | Test::Starts(place, texts) => {
            of_place(place, words);
            words.extend(texts.iter().map(|text| json!(text)));
        }
        Test::Same(left, right) => {
            of_place(left, words);
            of_place(right, words);
        }
        Test::Below(left, right) | Test::Equal(left, right) => {
            of_number(left, words);
            of_number(right, words);
        }
        Test::Some(place, test) | Test::Every(place, test) => {
            of_place(place, words);
            of_test(test, words);
        }
    }
}

fn of_number(number: &Number, words: &mut Vec<Json>) {
    match number {
        Number::Literal(number) => words.push(json!(number)),
        Number::At(place) | Number::Or(place, _) => of_place(place, words),
        Number::Count(place, test) => {
            of_place(place, words);
            of_test(test, words);
        }
        Number::Sum(place, steps) => {
            of_place(place, words);
            of_steps(steps, words);
        }
    }
}

fn of_place(place: &Place, words: &mut Vec<Json>) {
    if let Place::Entry(steps) = place {
        of_steps(steps, words);
    }
}

fn of_steps(steps: &[Step], words: &mut Vec<Json>) {
    words.extend(steps.iter().map(|step| match step {
        Step::Key(key) => json!(key),
        Step::Where(key, _) => json!(key),
    }));
}
