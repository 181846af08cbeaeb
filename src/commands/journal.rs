//! Owns `hotline migrate` and `hotline journal`.

use std::fs::File;
use std::future::Future;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use journal::export;
use journal::query::Range;

use crate::boot;
use crate::cli::{Export, ExportFormat, JournalCommand};
use crate::settings::Settings;

pub(super) fn migrate(settings: &Settings) -> anyhow::Result<ExitCode> {
    let database = &settings.journal.database;
    boot::make_parent(database)?;
    let applied = block_on(journal::migrate(database))??;
    let mut text: String = applied
        .iter()
        .map(|migration| format!("applied {migration}\n"))
        .collect();
    if applied.is_empty() {
        text = format!("{} is up to date\n", database.display());
    }
    super::print_out(&text)?;
    Ok(ExitCode::SUCCESS)
}

pub(super) fn run(command: JournalCommand) -> anyhow::Result<ExitCode> {
    match command {
        JournalCommand::Export(export) => {
            let settings = super::load(&export.config.config)?;
            write_out(&export, &settings.journal.database)?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn write_out(export: &Export, database: &Path) -> anyhow::Result<()> {
    let output: Box<dyn Write> = match &export.output {
        Some(path) if path.as_os_str() != "-" => Box::new(
            File::create(path).with_context(|| format!("cannot write {}", path.display()))?,
        ),
        _ => Box::new(io::stdout().lock()),
    };
    let range = Range {
        from: export.from,
        to: export.to,
    };
    let output = BufWriter::new(output);
    let written = match export.format {
        ExportFormat::Csv => block_on(export::csv(database, range, output))?,
        ExportFormat::Jsonl => block_on(export::jsonl(database, range, output))?,
    };
    match written {
        // The reader (`| head`) has had enough.
        Err(export::ExportError::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
            Ok(())
        }
        written => written.map(drop).map_err(Into::into),
    }
}

/// Runs one task of a command that needs no engine.
pub(super) fn block_on<F: Future>(future: F) -> anyhow::Result<F::Output> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start")?;
    Ok(runtime.block_on(future))
}
