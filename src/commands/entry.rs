//! Owns `hotline journal show`, `edit`, `complete`, `reopen` and `add`: what people do to entries.

use std::fmt::Write;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, anyhow, bail};
use journal::desk::{Desk, Done, Offline, Wish};
use journal::entry::Entry;
use journal::{export, operators, query};
use vocab::{CallId, EntryField, OperatorRef, WallTime};

use super::journal::block_on;
use crate::boot::{self, control};
use crate::cli::{Contact, Edit, Reopen, SetField, ShowEntry, TextFormat};
use crate::settings::Settings;

pub(super) fn show(show: &ShowEntry) -> anyhow::Result<ExitCode> {
    let settings = super::load(&show.config.config)?;
    let (rows, entry) = block_on(async {
        let mut journal = query::open(&settings.journal.database).await?;
        let rows = journal.call(show.id).await?;
        anyhow::Ok((rows, journal.entry(show.id).await?))
    })??;
    let (Some(rows), Some(entry)) = (rows, entry) else {
        bail!("the journal has no entry {}", show.id);
    };
    let text = match show.format {
        TextFormat::Json => format!("{}\n", export::call_json(&rows)?),
        TextFormat::Text => in_words(&entry, &rows),
    };
    super::print_out(&text)?;
    Ok(ExitCode::SUCCESS)
}

pub(super) fn edit(edit: Edit) -> anyhow::Result<ExitCode> {
    if edit.set.is_empty() {
        bail!("expected at least one --set FIELD=VALUE");
    }
    let settings = super::load(&edit.config.config)?;
    let wish = Wish::Edit {
        call: edit.id,
        by: who(edit.by),
        changes: changes(edit.set),
        seen: None,
    };
    let done = carry_out(&settings, wish)?;
    tell(match done.event {
        Some(_) => format!("{}: written\n", done.call),
        None => format!("{}: nothing to write, all is so already\n", done.call),
    })
}

pub(super) fn complete(edit: Edit) -> anyhow::Result<ExitCode> {
    let settings = super::load(&edit.config.config)?;
    let wish = Wish::Complete {
        call: edit.id,
        by: who(edit.by),
        changes: changes(edit.set),
        seen: None,
    };
    let done = carry_out(&settings, wish)?;
    tell(format!("{}: completed\n", done.call))
}

pub(super) fn reopen(reopen: Reopen) -> anyhow::Result<ExitCode> {
    let settings = super::load(&reopen.config.config)?;
    let wish = Wish::Reopen {
        call: reopen.id,
        by: who(reopen.by),
        reason: reopen.reason,
    };
    let done = carry_out(&settings, wish)?;
    tell(format!("{}: open again\n", done.call))
}

pub(super) fn add(contact: Contact) -> anyhow::Result<ExitCode> {
    let settings = super::load(&contact.config.config)?;
    let operator = match &contact.operator {
        Some(login) => Some(operator(&settings, login)?),
        None => None,
    };
    let wish = Wish::Add {
        contact: Box::new(vocab::Contact {
            channel: contact.channel,
            at: contact.at.unwrap_or_else(crate::driver::wall_clock),
            queue: contact.queue,
            by: who(contact.by),
            operator,
            fields: changes(contact.set),
        }),
        complete: contact.complete,
    };
    let done = carry_out(&settings, wish)?;
    tell(format!("{}\n", done.call))
}

fn tell(text: String) -> anyhow::Result<ExitCode> {
    super::print_out(&text)?;
    Ok(ExitCode::SUCCESS)
}

fn changes(set: Vec<SetField>) -> Vec<vocab::FieldChange> {
    set.into_iter().map(|SetField(change)| change).collect()
}

/// Who writes: as said, or the user of this machine.
pub(super) fn who(said: Option<String>) -> String {
    said.or_else(|| std::env::var("USER").ok())
        .filter(|name| !name.trim().is_empty())
        .unwrap_or_else(|| "command line".to_owned())
}

fn operator(settings: &Settings, login: &str) -> anyhow::Result<OperatorRef> {
    let operators = block_on(operators::list(&settings.journal.database))??;
    let found = operators
        .into_iter()
        .find(|operator| operator.login.eq_ignore_ascii_case(login));
    let operator = found.ok_or_else(|| {
        anyhow!("there is no operator with the login {login:?}; `hotline user list` shows them all")
    })?;
    Ok(OperatorRef {
        id: operator.id,
        login: operator.login,
        name: operator.name,
        line: operator.line,
    })
}

/// By the running engine, or else by ourselves.
pub(super) fn carry_out(settings: &Settings, wish: Wish) -> anyhow::Result<Done> {
    if let Some(reply) = control::ask(&settings.journal.events, &wish)? {
        return Ok(reply?);
    }
    let forms = Arc::new(boot::read_forms(&settings.journal)?);
    boot::make_parent_of(&settings.journal.database)?;
    let ours = journal::Settings {
        dir: settings.journal.events.clone(),
        database: settings.journal.database.clone(),
        group: settings.journal.group,
        leaving: None,
    };
    let ledger = Arc::new(Offline::start(ours, env!("CARGO_PKG_VERSION"))?);
    let desk = Desk::new(&settings.journal.database, forms, Arc::clone(&ledger) as _);
    let done = block_on(desk.carry_out(wish))?;
    drop(desk);
    if let Some(ledger) = Arc::into_inner(ledger) {
        let stopped = ledger.stop();
        if stopped.lost > 0 {
            bail!("the journal could not be written");
        }
    }
    done.context("nothing was written")
}

/// An entry for people: the regulation's fields first.
fn in_words(entry: &Entry, rows: &journal::rows::CallRows) -> String {
    let row = &rows.entry;
    let mut text = String::new();
    let mut line = |name: &str, value: Option<String>| {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            let value = printable(&value);
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{name:<18} {value}");
        }
    };
    line("entry", Some(entry.call.to_string()));
    line("operator's line", row.operator_line.clone());
    line("operator", row.operator_name.clone());
    line("date and time", row.arrived_at.map(moment));
    for field in EntryField::ALL {
        line(field.name(), entry.field(field));
    }
    line("completed", row.completed_at.map(moment));
    line("completed by", row.completed_by.clone());
    line("channel", Some(row.channel.clone()));
    line("direction", Some(row.direction.clone()));
    line("caller", Some(row.caller.clone()));
    line("caller's name", Some(row.caller_name.clone()));
    line("number", Some(row.number.clone()));
    line("trunk", Some(row.trunk.clone()));
    line("plan", Some(row.plan.clone()));
    line("menu path", row.menu_path.clone());
    line("queue", row.queue.clone());
    for stay in &rows.queue_entries {
        let skills = if stay.skills.is_empty() {
            ""
        } else {
            ", skills "
        };
        let outcome = stay.outcome.as_deref().unwrap_or("waits");
        let wait = stay.wait_ms.map(seconds).unwrap_or_default();
        let told = format!("{}, {outcome} {wait}{skills}{}", stay.queue, stay.skills);
        line("waited", Some(told));
    }
    for segment in &rows.segments {
        let who = segment
            .operator_name
            .as_ref()
            .or(segment.outer_number.as_ref());
        let part = |name: &str, ms: Option<i64>| ms.map(|ms| format!(", {name} {}", seconds(ms)));
        let told = format!(
            "{} {}{}{}{}{}",
            segment.segment,
            who.cloned().unwrap_or_default(),
            part("rang", segment.ring_ms).unwrap_or_default(),
            part("talk", segment.talk_ms).unwrap_or_default(),
            part("of it held", segment.held_ms.filter(|ms| *ms > 0)).unwrap_or_default(),
            part("wrap-up", segment.wrap_up_ms).unwrap_or_default(),
        );
        line("segment", Some(told));
    }
    for message in &rows.messages {
        let length = message.length_ms.map(seconds).unwrap_or_default();
        let heard = match (&message.heard_by, message.kept) {
            (Some(by), _) => format!("heard by {by}"),
            (None, true) => "not heard".to_owned(),
            (None, false) => "not kept".to_owned(),
        };
        let told = format!("{} {}, {length}, {heard}", message.segment, message.mailbox);
        line("message", Some(told));
    }
    line("outcome", row.outcome.clone());
    line("ended by", row.ended_by.clone());
    line("reason", row.reason.clone());
    line("rating", row.rating.map(|mark| mark.to_string()));
    line("recording", row.recording_path.clone());
    line(
        "linked call",
        row.linked_call.map(|id| CallId::from_i64(id).to_string()),
    );
    for field in &rows.fields {
        let value = field
            .value
            .clone()
            .unwrap_or_else(|| "(personal)".to_owned());
        line("plan's field", Some(format!("{} = {value}", field.field)));
    }
    for correction in &rows.corrections {
        let told = format!(
            "{} {} wrote {}: {:?} over {:?}",
            moment(correction.written_at),
            correction.written_by,
            correction.field,
            correction.new_value.as_deref().unwrap_or_default(),
            correction.old_value.as_deref().unwrap_or_default(),
        );
        line("corrected", Some(told));
    }
    text
}

pub(super) fn moment(ms: i64) -> String {
    export::utc(WallTime::from_unix_millis(ms))
}

pub(super) fn seconds(ms: i64) -> String {
    format!("{}.{:03} s", ms / 1_000, ms % 1_000)
}

/// What a caller or a person gave must not steer the terminal.
pub(super) fn printable(text: &str) -> String {
    export::printable(&text.replace('\n', " "))
}
