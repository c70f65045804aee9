//! See the library.

fn main() -> std::process::ExitCode {
    sluice_cli::main()
}
