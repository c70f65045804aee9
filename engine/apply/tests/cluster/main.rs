//! Plans executed against a real API server: what it refuses, what is written, and in which order.
#![expect(
    clippy::unwrap_used,
    reason = "what a test builds upon either works or ends it"
)]

mod execution;
mod later;
mod refusals;
mod strategies;
mod world;
