//! Owns `hotline call`: one call from the journal and the SIP trace, for people or for Wireshark.

use std::fs::OpenOptions;
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::process::ExitCode;
use std::str::FromStr;

use anyhow::{Context, bail};
use journal::query;
use trace::ladder::{self, Options};
use trace::{Packet, Wanted};
use vocab::{CallId, Event, Fact};

use super::journal::block_on;
use crate::cli::{CallCommand, CallExport, CallShow, WhichCall};
use crate::settings::Settings;

/// How far the clocks of trace and journal may be apart, and what may follow a call's last fact.
const BEFORE_US: i64 = 60_000_000;
const AFTER_US: i64 = 120_000_000;

/// A call with all that is known of it.
pub(super) struct Found {
    /// As it was asked for, or as the journal calls it.
    pub(super) name: String,
    pub(super) events: Vec<Event>,
    packets: Vec<Packet>,
}

pub(super) fn run(command: CallCommand) -> anyhow::Result<ExitCode> {
    match command {
        CallCommand::Show(show) => self::show(&show),
        CallCommand::Export(export) => self::export(&export),
    }
}

fn show(show: &CallShow) -> anyhow::Result<ExitCode> {
    let settings = super::load(&show.config.config)?;
    let options = Options {
        clear: show.clear,
        messages: show.messages,
    };
    let mut text = String::new();
    for found in find(&settings, &show.which)? {
        if !text.is_empty() {
            text.push('\n');
        }
        let call = ladder::Call {
            packets: &found.packets,
            events: &found.events,
        };
        text.push_str(&ladder::show(call, options));
        if found.packets.is_empty() {
            text.push_str(&format!("\n{}\n", why_no_messages(&settings)));
        }
    }
    super::print_out(&text)?;
    Ok(ExitCode::SUCCESS)
}

fn why_no_messages(settings: &Settings) -> String {
    let trace = &settings.trace;
    if trace.enabled {
        format!(
            "no SIP messages of this call are in {} (any more)",
            trace.folder.display()
        )
    } else {
        "no SIP messages are kept: [trace] enabled = false".to_owned()
    }
}

fn export(export: &CallExport) -> anyhow::Result<ExitCode> {
    let settings = super::load(&export.config.config)?;
    let mut packets = Vec::new();
    for found in find(&settings, &export.which)? {
        if found.packets.is_empty() {
            bail!("call {}: {}", found.name, why_no_messages(&settings));
        }
        let parties = ladder::parties(&found.events, Options::default());
        packets.extend(found.packets.into_iter().map(|mut packet| {
            let party = sip::wire::peek::call_id(&packet.bytes)
                .and_then(|id| parties.get(String::from_utf8_lossy(id).as_ref()));
            if let Some(party) = party {
                packet.comment = format!("{}, {party}", packet.comment);
            }
            packet
        }));
    }
    packets.sort_by_key(|packet| packet.at_us);
    let output: Box<dyn Write> = if export.output.as_os_str() == "-" {
        Box::new(io::stdout().lock())
    } else {
        let path = &export.output;
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(path)
            .with_context(|| format!("cannot write {}", path.display()))?;
        Box::new(file)
    };
    match trace::pcapng::write(BufWriter::new(output), &packets) {
        // The reader has had enough.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(error).context("the export cannot be written")
        }
        _ => Ok(ExitCode::SUCCESS),
    }
}

/// The calls asked for; a sentence if there are none.
pub(super) fn find(settings: &Settings, which: &WhichCall) -> anyhow::Result<Vec<Found>> {
    let database = &settings.journal.database;
    if let Some(last) = which.last {
        let calls = block_on(async {
            let mut journal = query::open(database).await?;
            journal.newest(None, last).await
        })??;
        if calls.is_empty() {
            bail!("the journal has no calls yet");
        }
        let ids = calls.iter().rev().map(|row| CallId::from_i64(row.call));
        return ids.map(|call| of_call(settings, call, None)).collect();
    }
    let id = which.id.as_deref().unwrap_or_default();
    if let Ok(call) = CallId::from_str(id) {
        return Ok(vec![of_call(settings, call, None)?]);
    }
    // A Call-ID: of a caller's leg, or of any leg by the comment in the trace.
    let known = block_on(async {
        let mut journal = query::open(database).await?;
        journal.call_of_sip(id).await
    })??;
    let found = packets(settings, &Wanted::sip_call_id(id))?;
    let call = known.or_else(|| found.iter().find_map(Packet::call));
    match call {
        Some(call) => Ok(vec![of_call(settings, call, Some(id))?]),
        None if found.is_empty() => {
            bail!("{id:?} is neither a call of the journal nor a Call-ID of the SIP trace")
        }
        None => Ok(vec![Found {
            name: id.to_owned(),
            events: Vec::new(),
            packets: found,
        }]),
    }
}

fn of_call(settings: &Settings, call: CallId, asked: Option<&str>) -> anyhow::Result<Found> {
    let events = block_on(async {
        let mut journal = query::open(&settings.journal.database).await?;
        journal.events(call).await
    })??;
    if events.is_empty() && asked.is_none() {
        bail!("the journal has no call {call}");
    }
    let at = |event: &Event| event.at.as_unix_millis().saturating_mul(1_000);
    // A recording may be stored long after the call.
    let ended = |event: &&Event| matches!(event.fact, Fact::CallEnded { .. });
    let wanted = Wanted {
        call: Some(call),
        sip_call_ids: ladder::parties(&events, Options::default())
            .into_keys()
            .chain(asked.map(str::to_owned))
            .collect(),
        from_us: events.first().map(|event| at(event) - BEFORE_US),
        to_us: events.iter().find(ended).map(|event| at(event) + AFTER_US),
    };
    Ok(Found {
        name: call.to_string(),
        packets: packets(settings, &wanted)?,
        events,
    })
}

fn packets(settings: &Settings, wanted: &Wanted) -> anyhow::Result<Vec<Packet>> {
    if !settings.trace.folder.exists() {
        return Ok(Vec::new());
    }
    Ok(trace::find(&settings.trace.folder, wanted)?)
}
