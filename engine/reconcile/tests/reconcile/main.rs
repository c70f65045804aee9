//! The loop as data: scenarios (`cases/*.txt`), tables of every combination, and random walks.

mod driver;
mod random;
mod scenarios;
mod tables;
