//! The loop as data: scenarios (`cases/*.txt`), tables of every combination, and random walks.
#![expect(clippy::unwrap_used, reason = "the shared parts of tests are tests too")]

mod driver;
mod random;
mod scenarios;
mod tables;
