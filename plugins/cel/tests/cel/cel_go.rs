//! What cel-go answered to our probes: our own expressions and its answers, `[expression, answer]` a line (`oracle/main.go`).

use serde_json::Value as Json;

use crate::values::answer;

/// Expressions that are answered otherwise here, and why.
const DIFFERING: [(&str, &str); 24] = [
    ("google.protobuf.Timestamp{seconds: 1} == timestamp(1)", MESSAGES),
    (
        "timestamp('2024-01-02T03:04:05Z').getHours('America/New_York')",
        "no names of time zones",
    ),
    ("timestamp('2024-01-02T03:04:05,5Z')", TIMES),
    ("timestamp('2024-01-02T3:04:05Z')", TIMES),
    ("double('0x1p-2')", "no numbers with a binary exponent"),
    ("{1.5: 'a'}", KEYS),
    ("{null: 'a'}", KEYS),
    ("{[1]: 'a'}", KEYS),
    ("'%f'.format([1])", FIXED),
    ("'%e'.format([1])", FIXED),
    ("'É'.matches('(?i)é')", PATTERNS),
    (r"'é'.matches('\\pL')", PATTERNS),
    (r"'é'.matches('\\p{Greek}')", PATTERNS),
    (r"'a+b'.matches('\\Qa+b\\E')", PATTERNS),
    ("'abc'.matches('[a-c&&b]')", PATTERNS),
    ("'{'.matches('{')", PATTERNS),
    ("'a{'.matches('a{')", PATTERNS),
    ("'a{,2}'.matches('a{,2}')", PATTERNS),
    ("'abc'.matches('a**')", LENIENT),
    ("'abc'.matches('a{2000}')", LENIENT),
    ("'ab'.matches('(?x)a b')", LENIENT),
    (r"'\v'.matches('\\s')", "a vertical tab is a blank"),
    (
        "has(metadata.labels).x",
        "a truth value has no fields, which is an error",
    ),
    (
        "status.conditions[nothing].type",
        "the words: which of the two names there is not",
    ),
];

const MESSAGES: &str = "no messages of protocol buffers";
const TIMES: &str = "RFC 3339 to the letter";
const KEYS: &str = "keys are as the specification has them";
const FIXED: &str = "whole numbers are printed, where Go prints that its verb is wrong";
const PATTERNS: &str =
    "patterns that are refused: no classes of Unicode, literal parts, nor a brace that stands for itself";
const LENIENT: &str = "patterns that cel-go refuses";

/// Errors whose words are the same as well; of others it counts that there is one.
const SAME_WORDS: [&str; 6] = [
    "error: no such key: ",
    "error: no such attribute(s): ",
    "error: index out of bounds: ",
    "error: division by zero",
    "error: modulus by zero",
    "error: integer overflow",
];

#[test]
fn probes_are_answered_as_by_cel_go() {
    let object: Json = serde_json::from_str(include_str!("../object.json")).expect("JSON");
    let (mut wrong, mut same_words, mut failing) = (Vec::new(), 0, 0);
    for line in include_str!("../answers.jsonl").lines() {
        let (expression, wanted): (String, String) = serde_json::from_str(line).expect("a pair");
        let got = answer(&expression, &object);
        let kind = |answer: &str| answer.split_once(": ").map(|(kind, _)| kind.to_owned());
        let is_failing = |answer: &str| matches!(kind(answer).as_deref(), Some("error" | "refused"));
        let is_same = match (is_failing(&wanted), is_failing(&got)) {
            // What does not parse must not; other constants that make no sense may be told later.
            (true, true) => match wanted.starts_with("refused: ERROR: <input>") {
                true => got.starts_with("refused"),
                false => !has_same_words(&wanted) || wanted == got,
            },
            (false, false) => wanted == got,
            _ => false,
        };
        failing += usize::from(wanted.starts_with("error"));
        same_words += usize::from(wanted.starts_with("error") && wanted == got);
        let is_known = DIFFERING.iter().any(|(known, _)| *known == expression);
        if is_same == is_known {
            wrong.push(format!("{expression}\n  cel-go: {wanted}\n  here:   {got}"));
        }
    }
    println!("{same_words} of {failing} errors have the same words");
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}

fn has_same_words(answer: &str) -> bool {
    SAME_WORDS.iter().any(|start| answer.starts_with(start))
}
