//! Whole histories, over real repositories signed by real keys.
#![expect(clippy::unwrap_used, reason = "the shared parts of tests are tests too")]

mod ledger;
mod modes;
mod rules;
mod world;
