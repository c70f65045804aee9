//! Files by grammar: every way to write a value, well and badly.

mod block;
mod flow;
mod words;

use std::path::Path;

use anyhow::{Context as _, Result};

use crate::mutate::mutate;
use crate::random::Random;

use block::block_value;
use flow::flow;
use words::{key, word};

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
