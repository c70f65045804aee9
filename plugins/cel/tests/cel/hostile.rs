//! Expressions that would take everything. Each ends with a value or an error, in time and within its bytes.

use std::time::{Duration, Instant};

use sluice_cel::{Failure, Limits, Meter, Program, Value};

/// The expressions of `hostile.txt`.
pub(crate) fn expressions() -> Vec<String> {
    let lines = include_str!("hostile.txt").lines();
    let wanted = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    wanted.map(written_out).collect()
}

/// `⟨3×ab⟩` written out: `ababab`. They may be within each other.
fn written_out(line: &str) -> String {
    let mut text = line.to_owned();
    // The innermost first: the last to begin before an end.
    while let Some((before, after)) = text.split_once('⟩') {
        let (before, repeated) = before.rsplit_once('⟨').expect("a start");
        let (times, part) = repeated.split_once('×').expect("a count");
        let part = part.repeat(times.parse().expect("a number"));
        text = format!("{before}{part}{after}");
    }
    text
}

/// A list of 10,000 numbers, a long text, and a list of a thousand texts: what a hostile controller may write.
fn fields() -> impl Fn(&str) -> Result<Option<Value>, Failure> {
    let many = Value::list((0..10_000).map(Value::Int).collect());
    let long = Value::text("a".repeat(1 << 20));
    let words = Value::list(vec![Value::text("a".repeat(1 << 10)); 1_000]);
    move |name| {
        Ok(match name {
            "many" => Some(many.clone()),
            "long" => Some(long.clone()),
            "words" => Some(words.clone()),
            _ => None,
        })
    }
}

#[test]
fn every_hostile_expression_ends() {
    let expressions = expressions();
    assert!(expressions.len() >= 60, "{}", expressions.len());
    let run = move || {
        let fields = fields();
        let mut longest = Duration::ZERO;
        let (mut refused, mut limited, mut failed, mut answered) = (0, 0, 0, 0);
        for source in &expressions {
            let start = Instant::now();
            match Program::parse(source, &Meter::new(Limits::default())) {
                Err(_) => refused += 1,
                Ok(program) => match program.evaluate(&fields, &Meter::new(Limits::default())) {
                    Err(Failure::Limit(_)) => limited += 1,
                    Err(Failure::Error(_)) => failed += 1,
                    Ok(_) => answered += 1,
                },
            }
            let taken = start.elapsed();
            let shown: String = source.chars().take(100).collect();
            assert!(taken < Duration::from_secs(2), "{shown}: {taken:?}");
            if taken > longest {
                longest = taken;
                println!("{taken:?} {shown}");
            }
        }
        println!("{refused} refused, {limited} over a limit, {failed} failed, {answered} answered");
        assert!(limited >= 20, "{limited}");
    };
    crate::with_the_stack_of_an_instance(run);
}
