//! What an expression may take.

use std::cell::Cell;

use crate::Failure;

/// The limits of one check.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Nodes that are evaluated, entries that are looked at, and eight letters each that are read.
    pub steps: u64,
    /// Bytes of all that is made.
    pub bytes: usize,
}

impl Default for Limits {
    /// So many steps take some hundredths of a second.
    fn default() -> Self {
        Self {
            steps: 250_000,
            bytes: 16 << 20,
        }
    }
}

/// Counts for all expressions of one check.
#[derive(Debug)]
pub struct Meter {
    limits: Limits,
    steps: Cell<u64>,
    bytes: Cell<usize>,
}

impl Meter {
    /// Nothing was taken yet.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            steps: Cell::new(limits.steps),
            bytes: Cell::new(limits.bytes),
        }
    }

    /// Takes steps, before what costs them is done.
    pub fn steps(&self, count: usize) -> Result<(), Failure> {
        let left = self.steps.get().checked_sub(count as u64);
        // What is used up stays used up, whatever the expression makes of the error.
        self.steps.set(left.unwrap_or(0));
        left.map(drop)
            .ok_or_else(|| Failure::Limit(format!("it takes more than {} steps", self.limits.steps)))
    }

    /// Takes steps for reading so many letters, or bytes.
    pub(crate) fn letters(&self, count: usize) -> Result<(), Failure> {
        self.steps(1 + count / 8)
    }

    /// Takes bytes, before they are allocated.
    pub fn bytes(&self, count: usize) -> Result<(), Failure> {
        let left = self.bytes.get().checked_sub(count);
        self.bytes.set(left.unwrap_or(0));
        left.map(drop)
            .ok_or_else(|| Failure::Limit(format!("it takes more than {} MiB", self.limits.bytes >> 20)))
    }

    /// Takes what a list of so many entries takes.
    pub(crate) fn entries(&self, count: usize) -> Result<(), Failure> {
        self.steps(count)?;
        self.bytes(count.saturating_mul(size_of::<crate::Value>()))
    }

    /// Takes what a text of so many bytes takes.
    pub(crate) fn text(&self, bytes: usize) -> Result<(), Failure> {
        self.letters(bytes)?;
        self.bytes(bytes)
    }
}
