//! The command line of epics-gauge.

mod cli;

fn main() -> std::process::ExitCode {
    cli::main()
}
