//! The `sluice` binary as its users meet it: what it prints, on which stream, and how it exits.
//!
//! Nothing here needs a cluster; what does is in `tests/cluster`. Snapshots are kept beside this file; look at a change of one
//! as a user would: `INSTA_UPDATE=always cargo test --release -p sluice --test cli` writes them anew.
#![expect(clippy::unwrap_used, reason = "the shared parts of tests are tests too")]

mod bad_input;
mod cases;
mod contracts;
mod errors;
mod help;
mod plugins;
mod printed;
mod program;
mod renderers;
mod repositories;
mod secrets;
mod sources;
mod trust;
