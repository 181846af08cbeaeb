//! The program `hotline`. Everything it does is in the library of the same name.

use std::process::ExitCode;

use clap::Parser;
use hotline::cli::Cli;

fn main() -> ExitCode {
    match hotline::commands::run(Cli::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("hotline: {}", sentence(&error));
            ExitCode::FAILURE
        }
    }
}

/// The error and its causes, each said once.
fn sentence(error: &anyhow::Error) -> String {
    let mut text = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}
