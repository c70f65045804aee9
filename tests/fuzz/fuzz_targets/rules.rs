//! Any text as shared signing rules.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sluice_verify::Rules;

fuzz_target!(|text: &str| {
    if let Ok(set) = Rules::read("fuzz", text) {
        for branch in [None, Some("main")] {
            drop(Rules::new(&[("fuzz", &set)], "https://git.example.org/a.git", branch));
        }
    }
});
