//! Every target holds for what it begins with, and for everything that is nearly that.
#![expect(clippy::unwrap_used, reason = "the shared parts of tests are tests too")]

use std::path::Path;

use sluice_fuzz::TARGETS;

/// Of one seed; a run of every target stays below some seconds.
const CHANGES: usize = 200;

fn seeds(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds").join(target);
    let files = fs_err::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    files.map(|file| fs_err::read(file).unwrap()).collect()
}

#[test]
fn what_is_known_and_what_is_nearly_that() {
    for (name, target) in TARGETS {
        let seeds = seeds(name);
        assert!(!seeds.is_empty(), "{name}");
        for seed in seeds {
            target(&seed);
            let step = seed.len().div_ceil(CHANGES).max(1);
            for place in (0..seed.len()).step_by(step) {
                target(&seed[..place]);
                let mut changed = seed.clone();
                changed[place] ^= 1 << (place % 8);
                target(&changed);
                changed.remove(place);
                target(&changed);
            }
        }
    }
}

#[test]
fn every_folder_of_seeds_is_a_targets() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds");
    for entry in fs_err::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name();
        assert!(TARGETS.iter().any(|(target, _)| name == *target), "{name:?}");
    }
}
