//! The engine that ships, a real Kubernetes and real Git: what a user would see.
//!
//! One program, so that its tests share one control plane. `cargo test -p sluice-cluster-tests NAME` runs some of them.
#![expect(clippy::unwrap_used, reason = "the shared parts of tests are tests too")]

mod adoption;
mod bad_git;
mod bad_manifests;
mod bundles;
mod charts;
mod commands;
mod definitions;
mod deletion;
mod examples;
mod given;
mod going_back;
mod health;
mod identity;
mod keys;
mod killed;
mod later;
mod leftovers;
mod lifecycle;
mod membership;
mod operations;
mod outages;
mod ownership;
mod plans;
mod pressure;
mod refreshes;
mod refusals;
mod related;
mod renderers;
mod repositories;
mod restarts;
mod secrets;
mod several;
mod signed;
mod spec;
mod strategies;
mod tenancy;
mod transfer;
mod trust;
mod unions;
