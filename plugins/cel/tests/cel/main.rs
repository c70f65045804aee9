//! The language: beside cel-go, and under attack.

mod cel_go;
mod hostile;
mod mutated;
mod values;

/// Runs a test with the stack that it has within the engine. Without optimisation every frame takes several times as much.
fn with_the_stack_of_an_instance(run: impl FnOnce() + Send + 'static) {
    let size = if cfg!(debug_assertions) { 8 << 20 } else { 1 << 20 };
    let thread = std::thread::Builder::new().stack_size(size).spawn(run);
    if let Err(panic) = thread.expect("a thread").join() {
        std::panic::resume_unwind(panic);
    }
}
