//! Charts and artifacts are fetched from real servers: files over HTTP as `helm repo index` lays them out, and the CNCF's registry.
//! `helm` and `gpg` make what is fetched.
#![expect(clippy::unwrap_used, reason = "this is how a test fails")]

mod fixture;
mod provenance;
mod registries;
mod repositories;
