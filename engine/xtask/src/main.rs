//! `cargo xtask`: everything that is done with this repository, on a machine that has Rust, Go and a C linker.
//!
//! Start at `demo` to see the engine at work, at `test` to see what is promised. Each command says what it does before it
//! does it and how long that took, installs what is missing, and on Ctrl-C stops whatever it has started.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program for a terminal"
)]

mod bench;
mod command;
mod coverage;
mod demo;
mod plugins;
mod prerequisites;
mod renderers;
mod sandbox;
mod steps;
mod stop;
mod test;
mod tidy;

use std::process::ExitCode;

use anyhow::{Result, bail};

const USAGE: &str = "\
usage: cargo xtask COMMAND

  demo [--keep]     show the engine at work on examples/guestbook, in a cluster made for it; with --keep, leave it
                    running to look at until Ctrl-C
  test [STEP…]      run every check and every test, or these steps only; `test --list` names them. After
                    `--within MINUTES`, no step begins once that time is over, and what did not run is named
  plugins           build the standard plugins and renderers
  sandbox           start a Kubernetes to play with and print its KUBECONFIG; it ends with Ctrl-C
  bench             measure what the project promises to be fast at
  coverage          measure how much of the crates that decide is reached by tests that need no cluster
  tidy              check the layout of the source: headers, crate edges, frozen interfaces
";

fn main() -> ExitCode {
    stop::watch();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = run(&words);
    sluice_sandbox::janitor::finish();
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.is::<stop::Stopped>() => {
            eprintln!("\nstopped; nothing was left behind");
            ExitCode::from(stop::EXIT_CODE)
        }
        Err(error) if error.is::<test::Failed>() => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("\nerror: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(words: &[&str]) -> Result<()> {
    match words {
        ["demo"] => demo::run(demo::Afterwards::Remove),
        ["demo", "--keep"] => demo::run(demo::Afterwards::Keep),
        ["test", steps @ ..] => test::run_steps(steps),
        ["plugins"] => {
            prerequisites::wasm_target()?;
            prerequisites::c_compiler()?;
            plugins::build()
        }
        ["sandbox"] => sandbox::run_alone(),
        ["bench"] => bench::run_all(),
        ["coverage"] => coverage::measure(),
        ["tidy"] => tidy::run(),
        [] | ["help" | "--help" | "-h"] => {
            print!("{USAGE}");
            Ok(())
        }
        _ => bail!("unknown command `{}`\n\n{USAGE}", words.join(" ")),
    }
}
