//! Fetching from real Git servers over every transport, and from servers that misbehave.
#![expect(clippy::unwrap_used, reason = "the shared parts of tests are tests too")]

mod branches;
mod fixture;
mod hostile;
mod https;
mod impostor;
mod malformed;
mod mirrors;
mod packs;
mod ssh;
