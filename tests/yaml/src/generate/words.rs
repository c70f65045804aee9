//! Scalars and keys: words, numbers and what looks like them, with and without quotes.

use crate::random::Random;

/// Words, numbers and what looks like them, and text that cannot stand without quotes.
pub(super) const TEXTS: &[&str] = &[
    "a",
    "x y",
    "app:",
    "2001:db8::",
    "--x",
    "-",
    "?",
    ":",
    "a: b",
    "a #b",
    "a#b",
    "#a",
    "'",
    "\"",
    "it's",
    "y",
    "no",
    "On",
    "null",
    "~",
    "",
    "0644",
    "1_000",
    "0x1F",
    "0b101",
    "1e3",
    "1.0",
    "1.50",
    ".5",
    "-0",
    "1e400",
    "12345678901234567890",
    "9223372036854775808",
    "+1",
    "0o17",
    ".inf",
    ".nan",
    "2001-12-14",
    "2001-12-14t21:59:43.10-05:00",
    "12:30:45",
    "<<",
    "=",
    "{",
    "}",
    "[",
    "]",
    ",",
    "a,b",
    "a]",
    "[a",
    "{a",
    "&a",
    "*a",
    "!a",
    "|",
    ">",
    "%a",
    "@a",
    "`a",
    "a\\nb",
    "\\",
    "\\x41",
    "é",
    "日本",
    "😀",
    "a\tb",
    "a:b",
    "http://x/y?z#w",
    "key: ",
    "- a",
    "...",
    "a...",
    "--- a",
    "?a",
    ":a",
    "-a",
    "a?",
    "a ?b",
    "a:,",
    "$(X)",
    "{{ x }}",
    "true",
    "False",
    "1.",
    "1__0",
    "_1",
    "0.1e-7",
    "1E5",
    "-.5",
    "+.inf",
    "0x",
    "08",
];

/// What most people write.
pub(super) const CALM: &[&str] = &[
    "a",
    "x y",
    "app:",
    "2001:db8::",
    "--x",
    "a#b",
    "it's",
    "yes",
    "null",
    "0644",
    "1_000",
    "1e3",
    "1.0",
    "2001-12-14",
    "<none>",
    "http://x/y?z#w",
    "$(X)",
    "a:b",
    "é",
    "true",
    "-a",
    "a,b",
    "100m",
    "10.0.0.1",
    "a \"b\"",
    "-1",
    "x-y_z",
    "a  b",
    "/x/*",
    "(a|b)",
];

pub(super) fn word(random: &mut Random) -> &'static str {
    match random.oddly(8) {
        true => random.pick(TEXTS),
        false => random.pick(CALM),
    }
}

pub(super) const ESCAPES: &[&str] = &[
    "\\n",
    "\\t",
    "\\\"",
    "\\\\",
    "\\x41",
    "\\u00e9",
    "\\U0001F600",
    "\\ud83d",
    "\\/",
    "\\'",
    "\\0",
    "\\e",
    "\\_",
    "\\N",
    "\\L",
    "\\P",
    "\\q",
    "\\ ",
    "\\a",
    "\\x4",
];

pub(super) const COMMENTS: &[&str] = &[" # c", " #", "#c", "\t# c", "  # a: b", ""];

pub(super) fn key(random: &mut Random) -> String {
    if random.calm {
        return (random.pick(&[
            "k",
            "\"a b\"",
            "'c'",
            "x-y",
            "a.b/c",
            "1.5",
            "0x1F",
            "on",
            "\"\\u00e9\"",
        ]))
        .to_owned();
    }
    match random.below(6) {
        0 => format!("\"{}\"", quoted_text(random)),
        1 => format!("'{}'", word(random).replace('\'', "''")),
        2 => "<<".to_owned(),
        3 => format!("&{} k", anchor(random)),
        _ => word(random).to_owned(),
    }
}

pub(super) fn anchor(random: &mut Random) -> &'static str {
    match random.once_in(20) {
        true if !random.calm => random.pick(&["A_", "c"]),
        _ => random.pick(&["a", "a", "b", "a-1"]),
    }
}

/// A plain text over lines.
pub(super) fn plain_lines(random: &mut Random, indent: usize) -> String {
    let mut text = word(random).to_owned();
    for _ in 0..=random.below(3) {
        text.push_str(random.pick(&["\n", "\n\n", "\n \n", " \n", "\t\n"]));
        text.push_str(&" ".repeat(indent));
        text.push_str(random.pick(&["", "", " ", "\t"]));
        text.push_str(word(random));
    }
    text
}

pub(super) fn quoted_text(random: &mut Random) -> String {
    let mut text = String::new();
    for _ in 0..=random.below(3) {
        match random.below(3) {
            0 => {
                let known = if random.oddly(6) { ESCAPES.len() } else { 7 };
                text.push_str(random.pick(&ESCAPES[..known]));
            }
            _ => text.push_str(&word(random).replace(['"', '\\'], "")),
        }
    }
    text
}

pub(super) fn quoted(random: &mut Random, indent: usize) -> String {
    let is_double = random.once_in(2);
    let quote = if is_double { '"' } else { '\'' };
    let mut text = String::from(quote);
    for line in 0..=random.below(3) {
        if line > 0 {
            text.push_str(random.pick(&["\n", "\n\n", " \n", "\t\n", "\\\n", "\n \n\n"]));
            text.push_str(&" ".repeat(if random.once_in(4) { 0 } else { indent }));
            text.push_str(random.pick(&["", "", "\t", " "]));
        }
        match is_double {
            true => text.push_str(&quoted_text(random)),
            false => text.push_str(&word(random).replace('\'', "''")),
        }
    }
    text.push(quote);
    text
}
