//! Processes that are measured, and what they have used, from `/proc`.

use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use sluice_sandbox::{Folder, Process};

/// A ticking of the kernel's clock is 10 ms.
const TICKS: f64 = 100.0;

/// So many lines of a log are shown of an engine that fails.
const LAST: usize = 5;

/// A process of an engine.
pub(crate) struct Running {
    pub(crate) name: &'static str,
    process: Process,
}

impl Running {
    /// Starts it; its log is in the folder.
    pub(crate) fn start(name: &'static str, command: &mut Command, folder: &Folder) -> Result<Self> {
        let log = folder.path().join(format!("{name}.log"));
        let process = Process::start(name, command, &log)?;
        Ok(Self { name, process })
    }

    /// Fails if it has ended.
    pub(crate) fn check(&mut self) -> Result<()> {
        self.process.check()
    }

    /// The end of its log.
    pub(crate) fn last_words(&self) -> String {
        let log = self.process.log().unwrap_or_default();
        let lines: Vec<&str> = log.lines().rev().take(LAST).collect();
        let lines: String = lines.iter().rev().map(|line| format!("\n{line}")).collect();
        format!("{}:{lines}\n", self.name)
    }

    /// Processor seconds so far, with those of its ended children: fields 14 to 17 of `/proc/PID/stat`.
    pub(crate) fn cpu(&self) -> Result<f64> {
        let stat = fs_err::read_to_string(format!("/proc/{}/stat", self.process.id()))?;
        let (_, fields) = stat.rsplit_once(')').context("an unknown form of stat")?;
        let ticks = numbers(fields.split_whitespace().skip(11).take(4));
        ensure!(ticks.len() == 4, "an unknown form of stat: {stat}");
        Ok(ticks.iter().sum::<f64>() / TICKS)
    }

    /// The most memory that it has had resident, in MiB.
    pub(crate) fn peak(&self) -> Result<f64> {
        let status = fs_err::read_to_string(format!("/proc/{}/status", self.process.id()))?;
        let line = status.lines().find(|line| line.starts_with("VmHWM:"));
        let kib: f64 = line
            .and_then(|line| line.split_whitespace().nth(1)?.parse().ok())
            .context("no VmHWM")?;
        Ok(kib / 1024.0)
    }
}

/// Processor seconds of all so far.
pub(crate) fn cpu(processes: &[Running]) -> Result<f64> {
    processes.iter().map(Running::cpu).sum()
}

/// Seconds that the machine's processors have been busy, all together.
pub(crate) fn machine() -> Result<f64> {
    let stat = fs_err::read_to_string("/proc/stat")?;
    let line = stat.lines().next().context("an empty stat")?;
    // user, nice and system
    Ok(numbers(line.split_whitespace().skip(1).take(3))
        .iter()
        .sum::<f64>()
        / TICKS)
}

fn numbers<'a>(words: impl Iterator<Item = &'a str>) -> Vec<f64> {
    words.filter_map(|word| word.parse().ok()).collect()
}
