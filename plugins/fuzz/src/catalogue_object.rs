//! Any object against the rules of the catalogue: the kind, as `group/Kind`, a NUL, and the object. One that is for no rule is held against
//! a rule all the same.

use health_catalogue::{CLAIMS, RULES, assess};
use sluice_plugin::Object;
use sluice_plugin::golden::health_json;

/// See the module.
///
/// # Panics
/// If the same object is judged in two ways.
pub fn run(bytes: &[u8]) {
    let (kind, object) = crate::with_object(bytes);
    let claimed = CLAIMS
        .iter()
        .find(|(group, name, _)| [group.as_bytes(), b"/", name.as_bytes()].concat() == kind);
    let any = kind.iter().map(|byte| usize::from(*byte)).sum::<usize>() % RULES.len();
    let rule = claimed.map_or(any as u16, |(_, _, rule)| *rule);
    let judge = || {
        let judged = assess(rule, &Object::json(object.clone()));
        judged.map(|(state, verdict)| (state, health_json(&verdict)))
    };
    assert_eq!(judge(), judge(), "{object}");
}
