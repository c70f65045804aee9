//! What the interpreter answers: to the questions that gopher-lua was asked, to hostile scripts, and to any bytes at all.

mod gopher;
mod hostile;
mod language;
mod mutated;
mod script;
