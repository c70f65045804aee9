//! Every verdict beside that of real `git verify-commit` and `git verify-tag`, with real gpg and ssh-keygen.
//!
//! Objects are made with keys of every kind and state, then changed line by line. Two things are held: nothing is
//! trusted that Git refuses, and what Git accepts is trusted, but for the differences that `sluice_verify` documents.
#![expect(clippy::unwrap_used, reason = "the shared parts of tests are tests too")]

mod bench;
mod keys;
mod mutations;
mod openpgp;
mod shapes;
mod ssh;
