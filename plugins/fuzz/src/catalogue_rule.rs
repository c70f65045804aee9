//! Any bytes as a file of the catalogue's rules: what the build takes and refuses, without a panic of it.

use serde_yaml::Value as Yaml;

#[path = "../../health-catalogue/build/pointers.rs"]
mod pointers;
#[path = "../../health-catalogue/build/rules.rs"]
mod rules;
#[path = "../../health-catalogue/build/tests.rs"]
mod tests;

/// See the module.
///
/// # Panics
/// If a rule that was taken is for no kind, or comes to something else when it is read again.
pub fn run(bytes: &[u8]) {
    let Ok(list) = serde_yaml::from_slice::<Vec<Yaml>>(bytes) else {
        return;
    };
    for rule in list {
        match (rules::compile(&rule), rules::compile(&rule)) {
            (Ok(first), Ok(second)) => {
                assert!(!first.kinds.is_empty(), "{rule:?}");
                assert_eq!(first.text, second.text);
            }
            (first, second) => assert_eq!(first.err(), second.err(), "{rule:?}"),
        }
    }
}
