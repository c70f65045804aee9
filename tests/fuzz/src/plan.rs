//! Any bytes as a saved plan. What was read has one digest, whichever way it is written.

use sluice_model::plan::Plan;

/// See the module.
pub fn run(bytes: &[u8]) {
    let Ok(plan) = serde_json::from_slice::<Plan>(bytes) else {
        return;
    };
    let again: Plan = serde_json::from_str(&plan.to_json()).expect("a plan reads what it wrote");
    assert_eq!(again.digest(), plan.digest());
}
