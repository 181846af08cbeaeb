//! Owns what each command of the command line does.

mod acd;
mod call;
mod callers;
mod check;
mod dialplan;
mod emergency;
mod entry;
mod journal;
mod operators;
mod person;
mod recordings;
mod replay;
mod report;
mod serve;
mod sim;
mod simulate;
mod staffing;
mod token;
mod user;
mod voicemail;
mod webhook;

use std::io::Write;
use std::process::ExitCode;

use anyhow::anyhow;

use crate::boot::Begin;
use crate::cli::{Cli, Command};
use crate::settings::{self, LogFormat, Settings};

/// Does what was asked for.
///
/// # Errors
/// One plain sentence.
pub fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    match cli.command {
        Command::Serve(wanted) => {
            let begin = if wanted.take_over {
                Begin::TakeOver
            } else {
                Begin::Anew
            };
            serve::serve(&load(&wanted.config.config)?, begin)
        }
        Command::Check(config) => Ok(check::check(&config.config)),
        Command::Demo(demo) => crate::demo::run(&demo),
        Command::Migrate(config) => journal::migrate(&load(&config.config)?),
        Command::Journal { command } => journal::run(command),
        Command::Report(wanted) => report::run(&wanted),
        Command::Call { command } => call::run(command),
        Command::Recordings { command } => recordings::run(command),
        Command::Voicemail { command } => voicemail::run(command),
        Command::Dialplan { command } => dialplan::run(command),
        Command::Acd { command } => acd::run(command),
        Command::Operators { command } => operators::run(command),
        Command::Callers { command } => callers::run(command),
        Command::Staffing(wanted) => staffing::run(&wanted),
        Command::Replay(wanted) => replay::run(&wanted),
        Command::Sim(wanted) => sim::run(&wanted),
        Command::Simulate(wanted) => simulate::run(&wanted),
        Command::User { command } => user::run(command),
        Command::Token { command } => token::run(&command),
        Command::Person { command } => person::run(command),
        Command::Webhook { command } => webhook::run(command),
        Command::Settings(text) => {
            let preset = text.preset.as_deref().and_then(settings::preset);
            let text = match preset {
                Some(preset) => preset.to_owned(),
                None if text.reference => settings::reference(),
                None => settings::sample(),
            };
            print_out(&text)?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// Reads the settings; all mistakes but the last go to standard error here.
fn load(path: &std::path::Path) -> anyhow::Result<Settings> {
    let settings = settings::load(path).map_err(|mut problems| {
        let last = problems.pop();
        for problem in &problems {
            eprintln!("hotline: {problem}");
        }
        last.map_or_else(
            || anyhow!("the settings cannot be read"),
            |last| anyhow!("{last}"),
        )
    })?;
    for warning in &settings.warnings {
        eprintln!("hotline: warning: {warning}");
    }
    Ok(settings)
}

/// Writes to standard output. A reader that has gone (`| head`) is no error: it had enough.
///
/// # Errors
/// If it cannot be written.
pub fn print_out(text: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(anyhow!("standard output cannot be written: {error}"))
        }
        _ => Ok(()),
    }
}

/// Starts the log on standard error.
pub(crate) fn start_log(settings: &Settings) {
    let level = settings.log.level.as_str();
    let filter = tracing_subscriber::EnvFilter::try_from_env("HOTLINE_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(format!("{level},sqlx=warn")));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    // A second start in one process (tests) keeps the first log.
    let _ = match settings.log.format {
        LogFormat::Text => log.with_ansi(false).try_init(),
        LogFormat::Json => log.json().try_init(),
    };
}
