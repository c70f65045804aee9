//! What must hold of any bytes that somebody hands us, as functions that panic where it does not.
//!
//! Each is one fuzz target of `libfuzzer/`, which looks for such bytes; `tests/seeds.rs` gives them those that are known.
#![forbid(unsafe_code)]

pub mod allowed_signers;
pub mod chart_archive;
pub mod chart_index;
pub mod chart_provenance;
pub mod keyring;
pub mod known;
pub mod manifests;
pub mod object;
pub mod plan;
pub mod pointers;
pub mod rules;
pub mod signature;
pub mod sops;
pub mod substitution;

/// A target: takes any bytes.
pub type Target = fn(&[u8]);

/// All of them, by the name of their folder in `seeds/`.
pub const TARGETS: &[(&str, Target)] = &[
    ("allowed_signers", allowed_signers::run),
    ("chart_archive", chart_archive::run),
    ("chart_index", chart_index::run),
    ("chart_provenance", chart_provenance::run),
    ("keyring", keyring::run),
    ("manifests", manifests::run),
    ("object", object::run),
    ("plan", plan::run),
    ("pointers", pointers::run),
    ("rules", rules::run),
    ("signature", signature::run),
    ("sops", sops::run),
    ("substitution", substitution::run),
];
