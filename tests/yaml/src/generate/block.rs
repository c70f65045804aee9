//! Values in block style.

use super::flow::flow;
use super::words::{COMMENTS, anchor, key, plain_lines, quoted, word};
use crate::random::Random;
use crate::spaces;

/// What follows a key's colon, up to the end of the line and below; `indent` is the column of the key.
pub(super) fn block_value(random: &mut Random, indent: usize, depth: usize) -> String {
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

pub(super) fn between(random: &mut Random, indent: usize) -> String {
    match random.below(14) {
        0 => "\n".to_owned(),
        1 => format!("{}# c\n", spaces(random, 6)),
        2 => format!("{}\n", " ".repeat(indent)),
        3 if random.oddly(4) => "\t\n".to_owned(),
        _ => String::new(),
    }
}

pub(super) fn block_list(random: &mut Random, indent: usize, depth: usize) -> String {
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

pub(super) fn block_map(random: &mut Random, indent: usize, depth: usize) -> String {
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

/// A block of text with its header.
pub(super) fn block_text(random: &mut Random, indent: usize) -> String {
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
