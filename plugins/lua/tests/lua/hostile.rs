//! Scripts that want more than there is. Each ends within its limits, and the next check is none the wiser.

use std::time::{Duration, Instant};

use sluice_lua::{Engine, Limits};

use crate::script::{answer_of, with_stack};

/// `--- WORDS` before each script: what its answer contains.
const SCRIPTS: &str = include_str!("hostile.txt");

#[test]
fn hostile_scripts_end_within_their_limits() {
    with_stack(|| {
        let mut engine = Engine::new(Limits::default());
        let mut wrong = Vec::new();
        let mut count = 0;
        for part in SCRIPTS.split("--- ").skip(1) {
            let (words, script) = part.split_once('\n').expect("words and a script");
            count += 1;
            let begun = Instant::now();
            let got = answer_of(&mut engine, script.trim().as_bytes());
            let took = begun.elapsed();
            // Without optimisation, on a machine that may be busy.
            if !got.contains(words.trim()) || took > Duration::from_secs(20) {
                wrong.push(format!(
                    "{}\n  wanted {words}, after {took:?} got {got:.300}",
                    script.trim()
                ));
            }
            assert_eq!(
                answer_of(&mut engine, b"return (x or 'clean') .. #string.format('%d', 7)"),
                "clean1",
                "after {script}"
            );
        }
        assert!(
            wrong.is_empty(),
            "{} of {count}:\n{}",
            wrong.len(),
            wrong.join("\n")
        );
        assert!(count >= 60, "{count} scripts");
    });
}

#[test]
fn limits_name_script_and_line() {
    with_stack(|| {
        let mut engine = Engine::new(Limits::default());
        let got = answer_of(&mut engine, b"local x = 1\nwhile true do\n  x = x + 1\nend");
        assert!(
            got.starts_with("ERROR <string>:2: the script takes more than 2000000 steps"),
            "{got}"
        );
    });
}
