//! Tells the steps: what is done, what is expected, what was seen.

use std::{
    fmt::Display,
    io::IsTerminal as _,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};

use crate::{steps::seconds, stop};

/// Longer than any of it takes on an idle machine; a busy one may need half of it.
const PATIENCE: Duration = Duration::from_secs(90);
/// Slow enough to leave the processor to those who are waited for.
const TICK: Duration = Duration::from_millis(200);
const WIDTH: usize = 110;

/// Opens an act.
pub(crate) fn act(title: &str) {
    let line = "─".repeat(WIDTH.saturating_sub(title.chars().count() + 4));
    println!("\n── {} {line}", strong(title));
}

/// One step: does something, says what must follow from it, and tells what `see` saw.
pub(crate) fn scene(does: &str, expected: &str, see: impl FnOnce() -> Result<String>) -> Result<()> {
    println!();
    labelled("does", does);
    labelled("expected", expected);
    let start = Instant::now();
    match see() {
        Ok(seen) => {
            labelled(&green("saw ✓"), &format!("{seen} ({})", seconds(start.elapsed())));
            Ok(())
        }
        Err(error) => {
            labelled(&red("saw ✗"), &format!("{error:#}"));
            Err(error).with_context(|| format!("expected: {expected}"))
        }
    }
}

/// Waits until `ask` has an answer; fails with its last reason.
pub(crate) fn wait<T>(mut ask: impl FnMut() -> Result<T>) -> Result<T> {
    let start = Instant::now();
    loop {
        stop::check()?;
        match ask() {
            Ok(answer) => return Ok(answer),
            Err(error) if start.elapsed() > PATIENCE => {
                return Err(error).with_context(|| format!("not within {}", seconds(PATIENCE)));
            }
            Err(_) => thread::sleep(TICK),
        }
    }
}

/// Shows what a command printed, as a quotation.
pub(crate) fn quote(command: &str, text: &str) {
    println!("            {}", faint(&format!("$ {command}")));
    for line in text.trim_end().lines() {
        println!("            {}", faint(line));
    }
}

/// Prints a label and a text, broken at the width, its lines under each other.
fn labelled(label: &str, text: &str) {
    const MARGIN: usize = 12;
    // A label may be coloured: what counts is what is seen of it.
    let seen = label
        .chars()
        .filter(|c| c.is_alphanumeric() || " ✓✗".contains(*c))
        .count();
    let seen = if label.starts_with('\u{1b}') {
        "saw ✓".chars().count()
    } else {
        seen
    };
    print!("  {label}{}", " ".repeat(MARGIN.saturating_sub(seen + 2)));
    let mut column = MARGIN;
    for (number, line) in text.lines().enumerate() {
        if number > 0 {
            print!("\n{}", " ".repeat(MARGIN));
            column = MARGIN;
        }
        for word in line.split_inclusive(' ') {
            let length = word.chars().count();
            if column + length > WIDTH && column > MARGIN {
                print!("\n{}", " ".repeat(MARGIN));
                column = MARGIN;
            }
            print!("{word}");
            column += length;
        }
    }
    println!();
}

fn styled(code: &str, text: impl Display) -> String {
    let plain = !std::io::stdout().is_terminal()
        || std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    if plain {
        text.to_string()
    } else {
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }
}

fn strong(text: &str) -> String {
    styled("1", text)
}

fn green(text: &str) -> String {
    styled("32", text)
}

fn red(text: &str) -> String {
    styled("31", text)
}

fn faint(text: &str) -> String {
    styled("2", text)
}
