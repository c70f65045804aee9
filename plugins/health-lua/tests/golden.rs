//! What the plugin says, case by case. `UPDATE=1 cargo test` writes the expectations anew.

#[test]
fn cases() {
    // Without optimisation a call of a script takes many times the stack that it takes in the plugin.
    let judge = || sluice_plugin::golden::health::<health_lua::HealthLua>("tests/cases");
    let thread = std::thread::Builder::new().stack_size(256 << 20).spawn(judge);
    if let Err(panic) = thread.expect("a thread").join() {
        std::panic::resume_unwind(panic);
    }
}
