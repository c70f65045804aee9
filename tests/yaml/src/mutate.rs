//! Files that are nearly others.

use crate::random::Random;

/// What is put in somewhere.
const PIECES: &[&str] = &[
    " ",
    "  ",
    "\t",
    "\n",
    "\r",
    "\r\n",
    "#",
    " #",
    ":",
    ": ",
    "-",
    "- ",
    "? ",
    ",",
    "[",
    "]",
    "{",
    "}",
    "'",
    "\"",
    "|",
    ">",
    "&a ",
    "*a",
    "!",
    "!!str ",
    "%",
    "@",
    "`",
    "\\",
    "...\n",
    "---\n",
    "\n---\n",
    "\u{feff}",
    "\u{85}",
    "\u{2028}",
    "\u{a0}",
    "\0",
    "\u{7f}",
    "é",
    "<<: ",
    "~",
    "0",
    "null",
    "\n\n",
    "  \n",
    "\t\n",
    "a: b\n",
    "x",
    "- a\n",
    "? a\n: b\n",
];

/// Changes one thing about a file.
pub fn mutate(random: &mut Random, file: &[u8]) -> Vec<u8> {
    if file.is_empty() {
        return random.pick(PIECES).as_bytes().to_vec();
    }
    let place = random.below(file.len());
    let (before, after) = file.split_at(place);
    match random.below(16) {
        // Within the text, at a border of characters where they are whole.
        0..=4 => [before, random.pick(PIECES).as_bytes(), after].concat(),
        5 | 6 => [before, after.get(1..).unwrap_or_default()].concat(),
        7 => {
            let end = random.below(after.len().min(40)) + 1;
            [before, after.get(end..).unwrap_or_default()].concat()
        }
        8 => before.to_vec(),
        9 => {
            let mut changed = file.to_vec();
            changed[place] = random.pick(b" \t\n:-#,[]{}'\"|>&*!?%@0ax\\");
            changed
        }
        _ => by_lines(random, file),
    }
}

/// Changes a line, or where it stands.
fn by_lines(random: &mut Random, file: &[u8]) -> Vec<u8> {
    let mut lines: Vec<Vec<u8>> = file
        .split_inclusive(|byte| *byte == b'\n')
        .map(<[u8]>::to_vec)
        .collect();
    let line = random.below(lines.len());
    let other = random.below(lines.len());
    match random.below(8) {
        0 => lines.swap(line, other),
        1 => lines.insert(other, lines[line].clone()),
        2 => {
            lines.remove(line);
        }
        3 => lines[line].insert(0, b' '),
        4 => {
            if lines[line].first() == Some(&b' ') {
                lines[line].remove(0);
            }
        }
        5 => {
            let spaces = lines[line].iter().take_while(|byte| **byte == b' ').count();
            lines[line].splice(..spaces, random.pick(&["\t", "  \t", ""]).bytes());
        }
        6 => {
            // Joined with the next.
            lines[line].pop();
        }
        _ => lines.insert(
            line,
            random
                .pick(&[
                    "---\n",
                    "...\n",
                    "# c\n",
                    "\n",
                    "  # c\n",
                    "x: y\n",
                    "- z\n",
                    "\u{feff}---\n",
                ])
                .as_bytes()
                .to_vec(),
        ),
    }
    lines.concat()
}
