//! Owns `hotline recordings`: the ledger check, repair, exports, keys.

mod export;
mod hold;
mod keygen;
mod purge;
mod repair;
mod show;
mod verify;

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use journal::query;
use journal::recordings::SegmentRecording;
use recorder::crypt::Keys;
use recorder::{Chain, SigningKey, Stored};
use vocab::CallId;

use super::journal::block_on;
use crate::boot;
use crate::cli::RecordingsCommand;
use crate::keeping::Afar;
use crate::settings::Settings;

pub(super) fn run(command: RecordingsCommand) -> anyhow::Result<ExitCode> {
    match command {
        RecordingsCommand::Verify(wanted) => verify::verify(&wanted),
        RecordingsCommand::Repair(config) => repair::repair(&super::load(&config.config)?),
        RecordingsCommand::Export(wanted) => export::export(&wanted),
        RecordingsCommand::Show(of) => show::show(&of),
        RecordingsCommand::Purge(wanted) => purge::purge(&wanted),
        RecordingsCommand::Hold(wanted) => hold::hold(&wanted),
        RecordingsCommand::Release(of) => hold::release(&of),
        RecordingsCommand::Keygen { file } => keygen::keygen(&file),
    }
}

fn keys(settings: &Settings) -> anyhow::Result<Keys> {
    boot::recording_keys(settings)
}

/// The chain, to write into it; days are signed if there is a key already.
fn chain(settings: &Settings) -> Chain {
    let key = SigningKey::load(&settings.recordings.signing_key).ok();
    Chain::of(&settings.recordings.root, key.map(Arc::new))
}

/// Who is at work here, for the chain.
fn who() -> String {
    let uid = rustix::process::getuid().as_raw();
    let names = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let name = names.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then_some(name)
    });
    // Through sudo the person behind it is known.
    let person = std::env::var("SUDO_USER").ok().filter(|_| uid == 0);
    match (person, name) {
        (Some(person), _) => format!("{person} (sudo)"),
        (None, Some(name)) => name.to_owned(),
        (None, None) => format!("uid {uid}"),
    }
}

/// The segments of a call that have audio, here or in the bucket, with their manifests.
fn stored(settings: &Settings, call: CallId) -> anyhow::Result<Vec<(SegmentRecording, Stored)>> {
    let segments = block_on(async {
        let mut journal = query::open(&settings.journal.database).await?;
        journal.segments_of_call(call).await
    })??;
    if segments.is_empty() {
        anyhow::bail!("the journal has no answered call {call}");
    }
    let afar = Afar::of_recorder(settings)?;
    let mut found = Vec::new();
    for segment in segments {
        let (Some(path), true) = (
            &segment.path,
            segment.missing.as_deref() != Some("destroyed"),
        ) else {
            continue;
        };
        let stored = Stored::find(&settings.recordings.root, path, segment.key())
            .with_context(|| format!("the manifest of {path} cannot be read"))?;
        found.push((segment, stored.with_afar(afar.clone())));
    }
    Ok(found)
}
