//! The interpreter: the test of a state and what was read of an object give yes or no. Nothing else goes in, and nothing is kept.

use serde_json::Value as Json;

use crate::facts::{Facts, Seen, walk};
use crate::rule::{Literal, Number, Piece, Place, State, Test};

/// The answer of a test: if it holds, the entry of a list that made it hold, if there was one.
pub(crate) enum Finding<'a> {
    No,
    Yes(Option<&'a Json>),
}

impl Finding<'_> {
    fn of(answer: bool) -> Self {
        match answer {
            true => Self::Yes(None),
            false => Self::No,
        }
    }

    fn is_yes(&self) -> bool {
        matches!(self, Self::Yes(_))
    }
}

/// What tests look at: the object, and within a list one of its entries.
#[derive(Clone, Copy)]
struct View<'a> {
    facts: &'a Facts,
    entry: Option<&'a Json>,
}

/// Whether the test of a state holds. An error says what of the object is not as it should be.
pub(crate) fn ask<'a>(state: &'static State, facts: &'a Facts) -> Result<Finding<'a>, String> {
    View { facts, entry: None }.ask(&state.when)
}

impl<'a> View<'a> {
    fn ask(self, test: &'static Test) -> Result<Finding<'a>, String> {
        Ok(match test {
            Test::Always => Finding::Yes(None),
            Test::All(tests) => {
                let mut culprit = None;
                for test in *tests {
                    match self.ask(test)? {
                        Finding::No => return Ok(Finding::No),
                        Finding::Yes(found) => culprit = culprit.or(found),
                    }
                }
                Finding::Yes(culprit)
            }
            Test::Any(tests) => {
                for test in *tests {
                    if let Finding::Yes(culprit) = self.ask(test)? {
                        return Ok(Finding::Yes(culprit));
                    }
                }
                Finding::No
            }
            Test::Not(test) => Finding::of(!self.ask(test)?.is_yes()),
            Test::Set(place) => Finding::of(self.seen(place) != Seen::Nothing),
            Test::Is(place, wanted) => {
                let seen = self.seen(place);
                Finding::of(wanted.iter().any(|wanted| self.equal(seen, wanted)))
            }
            Test::Has(place, words) => {
                let text = self.seen(place).text();
                Finding::of(words.iter().any(|word| text.contains(word)))
            }
            Test::Starts(place, words) => {
                let text = self.seen(place).text();
                Finding::of(words.iter().any(|word| text.starts_with(word)))
            }
            Test::Same(left, right) => {
                let (left, right) = (self.seen(left), self.seen(right));
                Finding::of(left == right && !matches!(left, Seen::Nothing | Seen::Tree))
            }
            Test::Below(left, right) => self.compare(left, right, |left, right| left < right)?,
            Test::Equal(left, right) => self.compare(left, right, |left, right| left == right)?,
            Test::Some(place, test) => {
                for entry in self.entries(place)? {
                    if let Finding::Yes(culprit) = self.at(entry).ask(test)? {
                        return Ok(Finding::Yes(culprit.or(Some(entry))));
                    }
                }
                Finding::No
            }
            Test::Every(place, test) => {
                for entry in self.entries(place)? {
                    if !self.at(entry).ask(test)?.is_yes() {
                        return Ok(Finding::No);
                    }
                }
                Finding::Yes(None)
            }
        })
    }

    fn at(self, entry: &'a Json) -> Self {
        Self {
            entry: Some(entry),
            ..self
        }
    }

    fn seen(self, place: &Place) -> Seen<'a> {
        match place {
            Place::Field(index) => self.facts.seen(*index),
            Place::Entry(steps) => Seen::of(self.entry.and_then(|entry| walk(entry, steps))),
        }
    }

    fn entries(self, place: &Place) -> Result<impl Iterator<Item = &'a Json> + use<'a>, String> {
        let tree = match place {
            Place::Field(index) => self.facts.tree(*index)?,
            Place::Entry(steps) => self.entry.and_then(|entry| walk(entry, steps)),
        };
        let list = tree.and_then(Json::as_array).into_iter().flatten();
        let map = tree
            .and_then(Json::as_object)
            .into_iter()
            .flat_map(|map| map.values());
        Ok(list.chain(map))
    }

    fn equal(self, seen: Seen<'_>, wanted: &Literal) -> bool {
        match (seen, wanted) {
            (Seen::Flag(flag), Literal::Flag(wanted)) => flag == *wanted,
            (Seen::Number(number), Literal::Integer(wanted)) => number == *wanted as f64,
            (Seen::Text(text), Literal::Text(wanted)) => text == *wanted,
            (Seen::Text(text), Literal::Written(pieces)) => text == self.written(pieces),
            _ => false,
        }
    }

    fn written(self, pieces: &[Piece]) -> String {
        let text = |piece: &Piece| match piece {
            Piece::Text(text) => (*text).to_owned(),
            Piece::Field(place) => match self.seen(place) {
                Seen::Text(text) => text.to_owned(),
                Seen::Number(number) => number.to_string(),
                Seen::Flag(flag) => flag.to_string(),
                Seen::Nothing | Seen::Tree => String::new(),
            },
        };
        pieces.iter().map(text).collect()
    }

    fn compare(
        self,
        left: &Number,
        right: &Number,
        holds: impl Fn(f64, f64) -> bool,
    ) -> Result<Finding<'a>, String> {
        let numbers = self.number(left)?.zip(self.number(right)?);
        Ok(Finding::of(
            numbers.is_some_and(|(left, right)| holds(left, right)),
        ))
    }

    fn number(self, number: &Number) -> Result<Option<f64>, String> {
        Ok(match number {
            Number::Literal(number) => Some(*number as f64),
            Number::At(place) => self.seen(place).number(),
            Number::Or(place, other) => match self.seen(place) {
                Seen::Nothing => Some(*other as f64),
                seen => seen.number(),
            },
            Number::Count(place, test) => {
                let mut count = 0_u32;
                for entry in self.entries(place)? {
                    count += u32::from(self.at(entry).ask(test)?.is_yes());
                }
                Some(f64::from(count))
            }
            Number::Sum(place, steps) => {
                let numbers = self
                    .entries(place)?
                    .map(|entry| Seen::of(walk(entry, steps)).number());
                numbers.sum()
            }
        })
    }
}
