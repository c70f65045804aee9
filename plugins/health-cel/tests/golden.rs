//! What the plugin says, case by case. `UPDATE=1 cargo test` writes the expectations anew.

#[test]
fn cases() {
    sluice_plugin::golden::health::<health_cel::HealthCel>("tests/cases");
}
