//! The `sluice` binary as its users meet it: what it prints, on which stream, and how it exits.
