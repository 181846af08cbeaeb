//! Owns `hotline migrate` and `hotline journal`.

use std::fs::File;
use std::future::Future;
use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

use anyhow::{Context, bail};
use journal::query::{self, Range};
use journal::{Location, export};

use crate::boot::{self, control};
use crate::cli::{Export, ExportFormat, JournalCommand, PruneJournal};
use crate::settings::Settings;

pub(super) fn migrate(settings: &Settings) -> anyhow::Result<ExitCode> {
    let database = &settings.journal.database;
    boot::make_parent_of(database)?;
    let applied = block_on(journal::migrate(database))??;
    let mut text: String = applied
        .iter()
        .map(|migration| format!("applied {migration}\n"))
        .collect();
    if applied.is_empty() {
        text = format!("{database} is up to date\n");
    }
    super::print_out(&text)?;
    Ok(ExitCode::SUCCESS)
}

pub(super) fn run(command: JournalCommand) -> anyhow::Result<ExitCode> {
    match command {
        JournalCommand::Show(what) => super::entry::show(&what),
        JournalCommand::Edit(what) => super::entry::edit(what),
        JournalCommand::Complete(what) => super::entry::complete(what),
        JournalCommand::Reopen(what) => super::entry::reopen(what),
        JournalCommand::Add(what) => super::entry::add(what),
        JournalCommand::Rebuild(config) => rebuild(&super::load(&config.config)?),
        JournalCommand::Copy(which) => {
            let (from, to) = (Location::parse(&which.from), Location::parse(&which.to));
            boot::make_parent_of(&to)?;
            told(block_on(journal::copy(&from, &to))??, &to)
        }
        JournalCommand::Backup(which) => {
            let settings = super::load(&which.config.config)?;
            if which.output.exists() {
                bail!("{} is there already", which.output.display());
            }
            let to = Location::from(&which.output);
            let copied = block_on(journal::copy(&settings.journal.database, &to))??;
            block_on(journal::note_backup(&settings.journal.events, &to))??;
            told(copied, &to)
        }
        JournalCommand::Prune(which) => prune(&which),
        JournalCommand::Restore(which) => {
            let settings = super::load(&which.config.config)?;
            if control::is_running(&settings.journal.events) {
                bail!("the engine runs with this journal; stop it first");
            }
            let to = &settings.journal.database;
            boot::make_parent_of(to)?;
            told(block_on(journal::copy(&which.from, to))??, to)
        }
        JournalCommand::Check(config) => check(&super::load(&config.config)?),
        JournalCommand::Export(export) => {
            let settings = super::load(&export.config.config)?;
            write_out(&export, &settings.journal.database)?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn told(copied: journal::Copied, to: &Location) -> anyhow::Result<ExitCode> {
    let journal::Copied {
        events,
        entries,
        operators,
    } = copied;
    super::print_out(&format!(
        "{events} events, {entries} entries and {operators} operators are in {to}\n"
    ))?;
    Ok(ExitCode::SUCCESS)
}

fn prune(which: &PruneJournal) -> anyhow::Result<ExitCode> {
    let settings = super::load(&which.config.config)?;
    let backups = if which.without_backup {
        journal::Backups::NotNeeded
    } else {
        journal::Backups::Needed
    };
    let ours = &settings.journal;
    let pruned = block_on(journal::prune(&ours.events, &ours.database, backups))??;
    let journal::Pruned {
        files,
        octets,
        left,
    } = pruned;
    super::print_out(&format!(
        "{files} event files of {octets} octets removed, {left} stay\n"
    ))?;
    Ok(ExitCode::SUCCESS)
}

fn rebuild(settings: &Settings) -> anyhow::Result<ExitCode> {
    let calls = block_on(journal::rebuild(&settings.journal.database))??;
    super::print_out(&format!("{calls} entries computed anew\n"))?;
    Ok(ExitCode::SUCCESS)
}

/// Entries with a problem that are shown.
const SHOWN: usize = 100;

fn check(settings: &Settings) -> anyhow::Result<ExitCode> {
    let found = block_on(async {
        let mut journal = query::open(&settings.journal.database).await?;
        journal.check(Range::default(), SHOWN).await
    })??;
    let mut text = String::new();
    for (call, problems) in &found {
        text.push_str(&format!("{call}: {}\n", problems.join("; ")));
    }
    if found.is_empty() {
        text.push_str("every entry is sound\n");
    }
    super::print_out(&text)?;
    Ok(if found.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn write_out(export: &Export, database: &Location) -> anyhow::Result<()> {
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
    Ok(runtime()?.block_on(future))
}

/// A runtime of a command, for what it asks in several steps.
pub(super) fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start")
}
