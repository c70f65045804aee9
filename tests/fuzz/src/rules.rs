//! Any text as shared signing rules.

use sluice_verify::Rules;

/// See the module.
pub fn run(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    if let Ok(set) = Rules::read("fuzz", text) {
        for branch in [None, Some("main")] {
            drop(Rules::new(
                &[("fuzz", &set)],
                "https://git.example.org/a.git",
                branch,
            ));
        }
    }
}
