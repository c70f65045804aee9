//! Says which step is running and how long each took.

use std::time::{Duration, Instant};

use anyhow::Result;

/// Runs one step, announcing it and telling how it went.
pub(crate) fn step<T>(name: &str, what: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    println!("\n▶ {name}: {what}");
    let start = Instant::now();
    let result = work();
    let mark = if result.is_ok() { "✓" } else { "✗" };
    println!("{mark} {name} ({})", seconds(start.elapsed()));
    result
}

/// Returns a duration for people: `0.4 s`, `12 s`, `4 min 10 s`.
pub(crate) fn seconds(duration: Duration) -> String {
    match duration.as_secs() {
        0..10 => format!("{:.1} s", duration.as_secs_f64()),
        whole @ 10..60 => format!("{whole} s"),
        whole => format!("{} min {} s", whole / 60, whole % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_for_people() {
        let texts = [0.44, 9.96, 10.5, 59.9, 250.0].map(|value| seconds(Duration::from_secs_f64(value)));
        assert_eq!(texts, ["0.4 s", "10.0 s", "10 s", "59 s", "4 min 10 s"]);
    }
}
