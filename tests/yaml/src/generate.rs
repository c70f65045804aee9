//! Files by grammar: every way to write a value, well and badly.

use std::path::Path;

use anyhow::{Context as _, Result};

use crate::mutate::mutate;
use crate::random::Random;
use crate::spaces;

/// Of a bundle only files up to this size are changed and compared.
const SEED_BYTES: u64 = 12 << 10;
/// So many of each module.
const SEEDS: usize = 150;
const MODULES: [&str; 4] = [
    "github.com/prometheus-operator/prometheus-operator",
    "sigs.k8s.io/gateway-api",
    "k8s.io/kubernetes",
    "knative.dev/serving",
];

/// Makes files from a seed.
#[derive(Debug)]
pub struct Source {
    random: Random,
    /// What others published (`tests/bundles`).
    seeds: Vec<Vec<u8>>,
}

impl Source {
    /// The files that belong to a seed.
    pub fn new(seed: u64) -> Result<Self> {
        let mut seeds = Vec::new();
        for module in MODULES {
            let mut found = Vec::new();
            collect(&sluice_sandbox::bundle(module)?, &mut found)?;
            found.sort();
            let step = found.len().div_ceil(SEEDS).max(1);
            for path in found.into_iter().step_by(step) {
                seeds.push(fs_err::read(path)?);
            }
        }
        let random = Random::new(seed);
        Ok(Self { random, seeds })
    }

    /// The next one.
    pub fn file(&mut self) -> Vec<u8> {
        let random = &mut self.random;
        random.calm = random.once_in(2);
        let mut file = match random.below(10) {
            0 => self.seeds[random.below(self.seeds.len())].clone(),
            1 => soup(random).into_bytes(),
            2 => json_stream(random).into_bytes(),
            3 => one_line(random).into_bytes(),
            _ => stream(random).into_bytes(),
        };
        if random.once_in(if random.calm { 4 } else { 2 }) {
            for _ in 0..=random.below(3) {
                file = mutate(random, &file);
            }
        }
        file
    }
}

fn collect(folder: &Path, found: &mut Vec<std::path::PathBuf>) -> Result<()> {
    for entry in fs_err::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, found)?;
        } else if path
            .extension()
            .is_some_and(|extension| ["yaml", "yml", "json"].iter().any(|known| extension == *known))
            && fs_err::metadata(&path).context("a file of a bundle")?.len() <= SEED_BYTES
        {
            found.push(path);
        }
    }
    Ok(())
}

/// Words, numbers and what looks like them, and text that cannot stand without quotes.
const TEXTS: &[&str] = &[
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
const CALM: &[&str] = &[
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

fn word(random: &mut Random) -> &'static str {
    match random.oddly(8) {
        true => random.pick(TEXTS),
        false => random.pick(CALM),
    }
}

const ESCAPES: &[&str] = &[
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

const COMMENTS: &[&str] = &[" # c", " #", "#c", "\t# c", "  # a: b", ""];

/// A stream of documents, most of which are objects.
fn stream(random: &mut Random) -> String {
    let mut text = String::new();
    if random.once_in(20) {
        text.push('\u{feff}');
    }
    if random.once_in(3) {
        text.push_str(random.pick(&["---\n", "# c\n---\n", "\n", "--- # c\n", "---\t\n", "# c\n"]));
    }
    let documents = if random.once_in(2) { 1 } else { 1 + random.below(3) };
    for number in 0..documents {
        if number > 0 {
            text.push_str(random.pick(&[
                "---\n",
                "---\n",
                "---\n",
                "--- \n",
                "---\r\n",
                "---#\n",
                "---\n---\n",
                "--- # x\n",
                "...\n---\n",
                "---\n# c\n",
                "---\n\u{feff}",
            ]));
        }
        text.push_str(&object(random));
    }
    if random.once_in(8) {
        text.push_str(random.pick(&["---", "---\n", "...\n", "...", "# end", "\n\n", "  \n", "\t\n"]));
    }
    if random.once_in(12) {
        text = text.replace('\n', "\r\n");
    }
    text
}

/// An object whose fields are anything.
fn object(random: &mut Random) -> String {
    let mut text = String::from("apiVersion: v1\nkind: ConfigMap\n");
    if random.once_in(2) {
        text.push_str("metadata: {name: a}\n");
    }
    if !random.oddly(3) {
        text.push_str("d0: &a {x: 1, y: z}\nd1: &b [1]\nd2: &a-1 t\n");
    }
    let fields = 1 + random.below(4);
    for field in 0..fields {
        let key = match random.below(6) {
            0 => key(random),
            _ => format!("f{field}"),
        };
        text.push_str(&key);
        text.push(':');
        text.push_str(&block_value(random, 0, 4));
    }
    text
}

fn key(random: &mut Random) -> String {
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

fn anchor(random: &mut Random) -> &'static str {
    match random.once_in(20) {
        true if !random.calm => random.pick(&["A_", "c"]),
        _ => random.pick(&["a", "a", "b", "a-1"]),
    }
}

/// What follows a key's colon, up to the end of the line and below; `indent` is the column of the key.
fn block_value(random: &mut Random, indent: usize, depth: usize) -> String {
    let blank = random.pick(&[" ", " ", " ", " ", " ", " ", "  ", "\t"]);
    let property = match random.below(40) {
        0 => format!("&{} ", if random.calm { "z" } else { anchor(random) }),
        1 if random.calm => "!!str ".to_owned(),
        1 => format!(
            "{} ",
            random.pick(&[
                "!!str",
                "!!int",
                "!!float",
                "!!bool",
                "!!null",
                "!!binary",
                "!!map",
                "!!seq",
                "!foo",
                "!",
                "!<tag:yaml.org,2002:str>",
                "!e!x",
                "!!timestamp"
            ])
        ),
        _ => String::new(),
    };
    let comment = if random.once_in(10) {
        random.pick(COMMENTS)
    } else {
        ""
    };
    let deeper = match random.below(20) {
        0 | 1 => indent + 1,
        2 => indent + 5,
        3 if random.oddly(3) => indent.saturating_sub(1),
        4 if random.oddly(3) => indent,
        _ => indent + 2,
    };
    let choice = if depth == 0 {
        random.below(6)
    } else {
        random.below(10)
    };
    match choice {
        0 | 1 => format!("{blank}{property}{}{comment}\n", word(random)),
        2 => format!("{blank}{property}{}{comment}\n", quoted(random, deeper)),
        3 => format!("{blank}{property}{}{comment}\n", flow(random, deeper, 3)),
        4 => format!("{blank}{property}{}", block_text(random, deeper)),
        5 => match random.below(3) {
            0 => format!(" *{}{comment}\n", anchor(random)),
            1 => format!("{blank}{property}{comment}\n"),
            _ => format!("{blank}{}\n", plain_lines(random, deeper)),
        },
        6 | 7 => {
            let column = if random.once_in(2) { indent } else { deeper };
            format!(
                "{blank}{property}{comment}\n{}",
                block_list(random, column, depth - 1)
            )
        }
        _ => format!(
            "{blank}{property}{comment}\n{}",
            block_map(random, deeper, depth - 1)
        ),
    }
}

fn between(random: &mut Random, indent: usize) -> String {
    match random.below(14) {
        0 => "\n".to_owned(),
        1 => format!("{}# c\n", spaces(random, 6)),
        2 => format!("{}\n", " ".repeat(indent)),
        3 if random.oddly(4) => "\t\n".to_owned(),
        _ => String::new(),
    }
}

fn block_list(random: &mut Random, indent: usize, depth: usize) -> String {
    let mut text = String::new();
    for _ in 0..=random.below(3) {
        text.push_str(&between(random, indent));
        text.push_str(&" ".repeat(indent));
        text.push('-');
        match random.below(5) {
            0 => {
                // A map that begins in the entry's own line.
                text.push_str(" k:");
                text.push_str(&block_value(random, indent + 2, depth.saturating_sub(1)));
                if random.once_in(2) {
                    text.push_str(&" ".repeat(indent + 2));
                    text.push_str("l:");
                    text.push_str(&block_value(random, indent + 2, depth.saturating_sub(1)));
                }
            }
            1 => {
                text.push_str(" -");
                text.push_str(&block_value(random, indent + 2, depth.saturating_sub(1)));
            }
            _ => text.push_str(&block_value(random, indent, depth)),
        }
    }
    text
}

fn block_map(random: &mut Random, indent: usize, depth: usize) -> String {
    let mut text = String::new();
    for field in 0..=random.below(3) {
        text.push_str(&between(random, indent));
        text.push_str(&" ".repeat(indent));
        match random.below(12) {
            0 => {
                text.push_str("? ");
                text.push_str(word(random));
                text.push('\n');
                text.push_str(&" ".repeat(indent));
                text.push(':');
            }
            1 => {
                text.push_str(&key(random));
                text.push_str(random.pick(&[":", ":", " :"]));
            }
            2 if field == 0 => {
                let target = if random.oddly(4) { "b" } else { "a" };
                text.push_str(&format!("<<: *{target}\n{}m:", " ".repeat(indent)));
            }
            _ => text.push_str(&format!("k{field}:")),
        }
        text.push_str(&block_value(random, indent, depth));
    }
    text
}

/// A plain text over lines.
fn plain_lines(random: &mut Random, indent: usize) -> String {
    let mut text = word(random).to_owned();
    for _ in 0..=random.below(3) {
        text.push_str(random.pick(&["\n", "\n\n", "\n \n", " \n", "\t\n"]));
        text.push_str(&" ".repeat(indent));
        text.push_str(random.pick(&["", "", " ", "\t"]));
        text.push_str(word(random));
    }
    text
}

fn quoted_text(random: &mut Random) -> String {
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

fn quoted(random: &mut Random, indent: usize) -> String {
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

/// A block of text with its header.
fn block_text(random: &mut Random, indent: usize) -> String {
    let mut text = format!(
        "{}{}{}\n",
        random.pick(&["|", ">"]),
        random.pick(&[
            "", "", "", "", "-", "-", "+", "+", "2", "1", "2-", "+1", "-3", "9"
        ]),
        random.pick(&["", "", "", " # c", "#c", " ", "\t"])
    );
    for _ in 0..random.below(6) {
        match random.below(9) {
            0 => text.push('\n'),
            1 => text.push_str(&format!("{}\n", spaces(random, 8))),
            2 if !random.calm => {
                text.push_str(&format!("{}\t{}\n", spaces(random, indent + 1), word(random)))
            }
            3 if !random.calm => text.push_str(&format!("{}{}\n", spaces(random, indent + 3), word(random))),
            4 if !random.calm => text.push_str(&format!("{}# c\n", spaces(random, indent))),
            _ => text.push_str(&format!("{}{}\n", " ".repeat(indent), word(random))),
        }
    }
    text
}

/// A value within brackets, perhaps over lines.
fn flow(random: &mut Random, indent: usize, depth: usize) -> String {
    let gap = |random: &mut Random| match random.below(14) {
        0 => format!("\n{}", " ".repeat(indent)),
        1 if !random.calm => "\n".to_owned(),
        2 => "\t".to_owned(),
        3 => format!(" # c\n{}", " ".repeat(indent)),
        4 | 5 => String::new(),
        _ => " ".to_owned(),
    };
    if depth == 0 || random.once_in(3) {
        return match random.below(6) {
            0 => quoted(random, indent),
            1 => format!("*{}", anchor(random)),
            2 => format!("&z {}", word(random)),
            _ => word(random).to_owned(),
        };
    }
    let is_map = random.once_in(2);
    let mut text = String::from(if is_map { "{" } else { "[" });
    for entry in 0..random.below(4) {
        if entry > 0 {
            text.push_str(if random.oddly(20) { "" } else { "," });
        }
        text.push_str(&gap(random));
        let is_pair = is_map || random.once_in(8);
        if is_pair {
            text.push_str(if random.oddly(12) { "? " } else { "" });
            match random.below(3) {
                0 => text.push_str(&key(random)),
                _ => text.push_str(&format!("k{entry}")),
            }
            let known = if random.calm { 6 } else { 10 };
            text.push_str(
                random.pick(&[": ", ": ", ": ", ": ", " : ", ":\n  ", ":", "", ":\n", ":\t"][..known]),
            );
        }
        if !is_pair || !random.once_in(8) {
            text.push_str(&flow(random, indent, depth - 1));
        }
        text.push_str(if random.once_in(4) { " " } else { "" });
    }
    if random.once_in(8) {
        text.push(',');
    }
    text.push_str(&gap(random));
    text.push_str(if random.oddly(30) {
        ""
    } else if is_map {
        "}"
    } else {
        "]"
    });
    text
}

/// Pieces in any order below the head of an object.
fn soup(random: &mut Random) -> String {
    const PIECES: &[&str] = &[
        " ",
        "  ",
        "\n",
        "\n",
        "\n  ",
        "\n- ",
        "- ",
        "a",
        "b: ",
        "c:",
        ": ",
        ":",
        "? ",
        "?",
        "[",
        "]",
        "{",
        "}",
        ", ",
        ",",
        "'",
        "\"",
        "''",
        "|",
        ">",
        "|-",
        ">+",
        "#",
        " # c",
        "&a ",
        "*a",
        "!!str ",
        "!",
        "<<: ",
        "\t",
        "%",
        "@",
        "\\",
        "...",
        "---",
        "\n---\n",
        "\n...\n",
        "é",
        "1",
        "null",
        "\r",
        "\r\n",
        "x y",
        "\n\n",
        "\n    d: ",
        "\n  - ",
        "~",
        "\u{feff}",
    ];
    let mut text = String::from("apiVersion: v1\nkind: A\nx:");
    for _ in 0..=random.below(14) {
        text.push_str(random.pick(PIECES));
    }
    text
}

/// A whole object within brackets.
fn one_line(random: &mut Random) -> String {
    let mut text = format!(
        "{}{{apiVersion: v1, kind: A, x: {}",
        random.pick(&["", "", "\n", "---\n", "# c\n"]),
        flow(random, 1, 4)
    );
    text.push_str(random.pick(&[
        "}\n",
        "}",
        "}\n---\n",
        " }\n\n",
        "}}\n",
        "} # c\n",
        "}\n...\n",
        "}\nb: c\n",
        "\n}\n",
    ]));
    if random.once_in(3) {
        text.push_str(&object(random));
    }
    text
}

fn json_stream(random: &mut Random) -> String {
    let mut text = String::from(random.pick(&["", "", "", "\n", "  ", "\u{feff}", "---\n", "\t"]));
    for number in 0..=random.below(4) {
        if number > 0 {
            text.push_str(random.pick(&[
                "\n",
                "",
                " ",
                "\n---\n",
                "\n---\n",
                "---\n",
                "\n\n---\n",
                " \n---\n",
                ",\n",
                "\n--- # c\n",
            ]));
        }
        text.push_str(r#"{"apiVersion": "v1", "kind": "A", "x": "#);
        text.push_str(&json(random, 3));
        text.push_str(random.pick(&["}", "}", "}", "}", ",}", "", "}}"]));
    }
    text.push_str(random.pick(&["", "\n", "\n---\n", " ", "\n// c\n", "\nx"]));
    text
}

fn json(random: &mut Random, depth: usize) -> String {
    let space = random.pick(&["", " ", "\n", "\t", "\n  ", "\r\n"]);
    match if depth == 0 {
        random.below(4)
    } else {
        random.below(7)
    } {
        0 => random
            .pick(&[
                "1",
                "-0",
                "1.0",
                "1.5",
                "1e3",
                "1E-7",
                "12345678901234567890",
                "9223372036854775808",
                "01",
                "1.",
                "-",
                "+1",
                "1e400",
                "0.1",
                "123456789.123456789",
            ])
            .to_owned(),
        1 => random
            .pick(&["null", "true", "false", "yes", "Null", "x"])
            .to_owned(),
        2 | 3 => {
            let mut text = String::from('"');
            for _ in 0..random.below(4) {
                match random.below(4) {
                    0 => text.push_str(random.pick(&[
                        "\\n",
                        "\\u00e9",
                        "\\ud83d\\ude00",
                        "\\ud83d",
                        "\\/",
                        "\\\"",
                        "\\u2028",
                        "\u{2028}",
                        "\t",
                        "\\x41",
                        "\\b",
                        "\u{7f}",
                    ])),
                    _ => text.push_str(&word(random).replace(['"', '\\'], "")),
                }
            }
            text.push('"');
            text
        }
        4 | 5 => {
            let entries: Vec<String> = (0..random.below(4))
                .map(|number| format!("{space}\"k{}\":{}", number % 3, json(random, depth - 1)))
                .collect();
            format!("{{{}{space}}}", entries.join(","))
        }
        _ => {
            let entries: Vec<String> = (0..random.below(4))
                .map(|_| format!("{space}{}", json(random, depth - 1)))
                .collect();
            format!("[{}{space}]", entries.join(","))
        }
    }
}
