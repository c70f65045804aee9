//! The engine that ships, a real Kubernetes and real Git: what a user would see.
//!
//! One program, so that its tests share one control plane. `cargo test -p sluice-cluster-tests NAME` runs some of them.
#![expect(clippy::unwrap_used, reason = "the shared parts of tests are tests too")]

mod bad_git;
mod bad_manifests;
mod commands;
mod examples;
mod lifecycle;
mod outages;
mod plans;
mod refusals;
