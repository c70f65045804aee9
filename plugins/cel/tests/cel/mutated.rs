//! Expressions that are broken by chance: whatever they come to, nothing panics and nothing takes long.

use serde_json::Value as Json;

use crate::values::answer;

/// A generator that is the same each time.
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % end.max(1) as u64).expect("it is smaller")
    }
}

#[test]
fn nothing_panics() {
    let object: Json = serde_json::from_str(include_str!("../object.json")).expect("JSON");
    let expressions: Vec<Vec<char>> = include_str!("../answers.jsonl")
        .lines()
        .map(|line| {
            serde_json::from_str::<(String, String)>(line)
                .expect("a pair")
                .0
                .chars()
                .collect()
        })
        .collect();
    let run = move || {
        let mut chance = Chance(0x9E37_79B9_7F4A_7C15);
        for _ in 0..60_000 {
            let mut letters = expressions[chance.below(expressions.len())].clone();
            for _ in 0..=chance.below(3) {
                mutate(&mut letters, &expressions, &mut chance);
            }
            let source: String = letters.into_iter().collect();
            answer(&source, &object);
        }
    };
    crate::with_the_stack_of_an_instance(run);
}

/// Takes a part away, doubles one, exchanges a letter, or puts a part of another expression in.
fn mutate(letters: &mut Vec<char>, others: &[Vec<char>], chance: &mut Chance) {
    let start = chance.below(letters.len() + 1);
    let end = (start + 1 + chance.below(6)).min(letters.len()).max(start);
    match chance.below(4) {
        0 => drop(letters.drain(start..end)),
        1 => {
            let part: Vec<char> = letters.get(start..end).unwrap_or_default().to_vec();
            letters.splice(start..start, part);
        }
        2 => {
            if let Some(letter) = letters.get_mut(start) {
                const LETTERS: &[char] = &[
                    '(', ')', '[', ']', '{', '}', '\'', '"', '\\', '.', '?', ',', '9', 'u', 'é', '\0', '%',
                    '-',
                ];
                *letter = LETTERS[chance.below(LETTERS.len())];
            }
        }
        _ => {
            let other = &others[chance.below(others.len())];
            let from = chance.below(other.len());
            let to = (from + 1 + chance.below(12)).min(other.len());
            letters.splice(start..start, other[from..to].iter().copied());
        }
    }
}
