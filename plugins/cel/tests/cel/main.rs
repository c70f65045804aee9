//! The language: beside cel-go, and under attack.

mod cel_go;
mod hostile;
mod mutated;
mod values;
