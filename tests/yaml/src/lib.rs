//! Manifests are read as `kubectl` reads them, or refused: never as something else.
//!
//! Files are made up by grammar and by changing others, all from a seed, and given to this engine and to Kubernetes' own decoder
//! (`decoder/`). [`run`] counts how they compare.
#![forbid(unsafe_code)]

pub mod decoder;
pub mod generate;
pub mod kinds;
pub mod mutate;
pub mod random;

use std::collections::BTreeMap;

use anyhow::Result;
use serde_json::Value;

use crate::decoder::{Answer, Decoder};
use crate::kinds::Kind;
use crate::random::Random;

/// How some files compare.
#[derive(Debug, Default)]
pub struct Report {
    /// Read by both, as the same.
    pub same: usize,
    /// Refused by both.
    pub refused: usize,
    /// Files with a list, which are not compared.
    pub lists: usize,
    /// Refused here alone, by kind.
    pub stricter: BTreeMap<Kind, usize>,
    /// What must not be, each with the file: another value, a file that `kubectl` refuses, a refusal of no known kind.
    pub findings: Vec<(String, String)>,
}

/// How a file compares.
enum Outcome {
    Same,
    Refused,
    List,
    Stricter(Vec<Kind>),
    Finding(String),
}

/// Compares so many files that follow from a seed.
pub fn run(seed: u64, files: usize) -> Result<Report> {
    let mut decoder = Decoder::start()?;
    let mut source = generate::Source::new(seed)?;
    let mut report = Report::default();
    for _ in 0..files {
        let file = source.file();
        let answer = decoder.ask(&file)?;
        match compare(&file, answer) {
            Outcome::Same => report.same += 1,
            Outcome::Refused => report.refused += 1,
            Outcome::List => report.lists += 1,
            Outcome::Stricter(kinds) => {
                for kind in kinds {
                    *report.stricter.entry(kind).or_default() += 1;
                }
            }
            Outcome::Finding(what) => {
                let text = String::from_utf8_lossy(&file).into_owned();
                report.findings.push((what, text));
            }
        }
    }
    Ok(report)
}

fn compare(file: &[u8], answer: Answer) -> Outcome {
    if answer.list {
        return Outcome::List;
    }
    let ours = sluice_render::decode("file.yaml", file);
    let theirs = answer
        .error
        .is_empty()
        .then(|| answer.objects.unwrap_or_default());
    match (ours, theirs) {
        (Err(_), None) => Outcome::Refused,
        (Ok(ours), Some(theirs)) => {
            let ours: Vec<&Value> = ours.iter().map(|manifest| manifest.object.value()).collect();
            let is_same = ours.len() == theirs.len()
                && ours.iter().zip(&theirs).all(|(ours, theirs)| equal(ours, theirs));
            match is_same {
                true => Outcome::Same,
                false => Outcome::Finding(format!("another value: {ours:?}, kubectl {theirs:?}")),
            }
        }
        (Ok(ours), None) => Outcome::Finding(format!("kubectl refuses it: {}; ours {ours:?}", answer.error)),
        (Err(errors), Some(_)) => {
            let unknown = errors.iter().find(|error| kinds::kind(error).is_none());
            match unknown {
                Some(error) => Outcome::Finding(format!("refused here alone: {error}")),
                None => {
                    let mut kinds: Vec<Kind> = errors.iter().filter_map(kinds::kind).collect();
                    kinds.sort();
                    kinds.dedup();
                    Outcome::Stricter(kinds)
                }
            }
        }
    }
}

/// Numbers are compared by value, as Kubernetes reads them: 1.0 is 1. The last bit of a double does not count: `serde_json`
/// does not always read it, neither from the answer nor from a manifest in JSON.
fn equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => {
            a == b || (a.as_i64().is_none() || b.as_i64().is_none()) && close(a.as_f64(), b.as_f64())
        }
        (Value::Object(a), Value::Object(b)) => {
            let same = |(key, value)| b.get(key).is_some_and(|other| equal(value, other));
            a.len() == b.len() && a.iter().all(same)
        }
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b)),
        (a, b) => a == b,
    }
}

fn close(a: Option<f64>, b: Option<f64>) -> bool {
    let pair = a.zip(b);
    pair.is_some_and(|(a, b)| (a - b).abs() <= a.abs() * 4.0 * f64::EPSILON)
}

impl Report {
    /// How many were compared.
    #[must_use]
    pub fn total(&self) -> usize {
        let stricter: usize = self.stricter.values().sum();
        self.same + self.refused + self.lists + stricter + self.findings.len()
    }
}

impl std::fmt::Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{:7} read by both, as the same", self.same)?;
        writeln!(f, "{:7} refused by both", self.refused)?;
        writeln!(f, "{:7} with a list, not compared", self.lists)?;
        for (kind, count) in &self.stricter {
            writeln!(f, "{count:7} refused here alone: {}", kind.what)?;
        }
        write!(f, "{:7} findings", self.findings.len())
    }
}

/// A choice that every part makes in the same way.
pub(crate) fn spaces(random: &mut Random, most: usize) -> String {
    " ".repeat(random.below(most + 1))
}
