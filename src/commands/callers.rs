//! Owns `hotline callers`: numbers on lists of callers, in the journal.

use std::fmt::Write as _;
use std::process::ExitCode;

use anyhow::bail;
use journal::callers::{self, Listed};

use super::entry;
use super::journal::block_on;
use crate::cli::{CallerAdd, CallerRemove, CallersCommand};
use crate::driver::wall_clock;
use crate::settings::{Settings, is_number};

pub(super) fn run(command: CallersCommand) -> anyhow::Result<ExitCode> {
    match command {
        CallersCommand::List(config) => list(&super::load(&config.config)?),
        CallersCommand::Add(wanted) => add(wanted),
        CallersCommand::Remove(wanted) => remove(&wanted),
    }
}

fn list(settings: &Settings) -> anyhow::Result<ExitCode> {
    let mut text = String::new();
    for one in block_on(callers::list(&settings.journal.database))?? {
        let owner = one.owner.as_deref().unwrap_or("-");
        let written = entry::moment(one.written_at);
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "{:<16} {:<18} {owner:<16} {written} {:<12} {}",
            entry::printable(&one.list),
            entry::printable(&one.number),
            entry::printable(&one.written_by),
            entry::printable(&one.note),
        );
    }
    super::print_out(&text)?;
    Ok(ExitCode::SUCCESS)
}

fn add(wanted: CallerAdd) -> anyhow::Result<ExitCode> {
    let settings = super::load(&wanted.config.config)?;
    known_list(&settings, &wanted.list)?;
    if !is_number(&wanted.number) {
        bail!(
            "expected a telephone number of 2 to 20 digits, found {:?}",
            wanted.number
        );
    }
    let listed = Listed {
        list: wanted.list,
        number: wanted.number,
        owner: wanted.owner,
        note: wanted.note,
        written_by: entry::who(wanted.by),
        written_at: wall_clock().as_unix_millis(),
    };
    block_on(callers::put(&settings.journal.database, &listed))??;
    Ok(ExitCode::SUCCESS)
}

fn remove(wanted: &CallerRemove) -> anyhow::Result<ExitCode> {
    let settings = super::load(&wanted.config.config)?;
    let (list, number) = (&wanted.list, &wanted.number);
    if !block_on(callers::remove(&settings.journal.database, list, number))?? {
        bail!(
            "the number {number:?} is not on the list {list:?} in the journal; a file of the list may have it"
        );
    }
    Ok(ExitCode::SUCCESS)
}

fn known_list(settings: &Settings, name: &str) -> anyhow::Result<()> {
    if settings.caller_lists.iter().any(|list| list.name == name) {
        return Ok(());
    }
    let names = settings.caller_lists.iter().map(|list| list.name.as_str());
    let names: Vec<&str> = names.collect();
    bail!(
        "there is no [[caller_list]] {name:?} in the settings; there are: {}",
        if names.is_empty() {
            "none".to_owned()
        } else {
            names.join(", ")
        }
    )
}
