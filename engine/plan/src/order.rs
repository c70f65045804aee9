//! Phases, waves, kinds and names: in which order things happen.

use sluice_model::decision::Phase;

/// The name of a hook that has only `generateName`: the same for every attempt at one revision and phase, so that a
/// repeated attempt finds what the one before it created.
pub fn hook_name(generate_name: &str, revision: &str, phase: Phase) -> String {
    let revision = revision.get(..7).unwrap_or(revision);
    format!(
        "{generate_name}{revision}-{}",
        format!("{phase:?}").to_lowercase()
    )
}
