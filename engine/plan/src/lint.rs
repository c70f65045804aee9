//! An independent check of plans: says what is wrong with one, knowing nothing of how plans are made.

use sluice_model::plan::Plan;

use crate::input::PlanInput;

/// What is wrong with a plan by itself, one sentence each; empty for a sound one. Fit for a plan that was read from a file.
pub fn check(_plan: &Plan) -> Vec<String> {
    Vec::new()
}

/// What is wrong with a plan, given what it was made of; [`check`] included.
pub fn check_against(plan: &Plan, _input: &PlanInput) -> Vec<String> {
    check(plan)
}
