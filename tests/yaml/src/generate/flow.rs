//! Values within brackets.

use super::words::{anchor, key, quoted, word};
use crate::random::Random;

/// A value within brackets, perhaps over lines.
pub(super) fn flow(random: &mut Random, indent: usize, depth: usize) -> String {
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
