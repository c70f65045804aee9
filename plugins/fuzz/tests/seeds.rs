//! Every target holds for what it begins with, and for everything that is nearly that.

use std::fs;
use std::path::{Path, PathBuf};

use sluice_guests_fuzz::TARGETS;

/// Of one seed; a run of every target stays below some seconds.
const CHANGES: usize = 200;

fn seeds() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds")
}

#[test]
fn what_is_known_and_what_is_nearly_that() {
    let run = || {
        for (name, target) in TARGETS {
            let files: Vec<PathBuf> = fs::read_dir(seeds().join(name))
                .unwrap()
                .map(|entry| entry.unwrap().path())
                .collect();
            assert!(!files.is_empty(), "{name}");
            for file in files {
                let seed = fs::read(file).unwrap();
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
    };
    // Without optimisation a call takes many times the stack that it takes in a plugin.
    let thread = std::thread::Builder::new().stack_size(256 << 20).spawn(run);
    thread.unwrap().join().unwrap();
}

#[test]
fn every_folder_of_seeds_is_a_targets() {
    for entry in fs::read_dir(seeds()).unwrap() {
        let name = entry.unwrap().file_name();
        assert!(TARGETS.iter().any(|(target, _)| name == *target), "{name:?}");
    }
}
