//! The program `hotline`. Everything it does is in the library of the same name.

use std::process::ExitCode;

use clap::Parser;
use hotline::cli::Cli;

fn main() -> ExitCode {
    match hotline::commands::run(Cli::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("hotline: {error:#}");
            ExitCode::FAILURE
        }
    }
}
