//! Owns the opening of the recorder, and what is told of recordings that earlier processes left.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use journal::Recovery;
use recorder::{Recorder, Report};
use switch::Input;
use vocab::media::RecordingKey;
use vocab::{MissingReason, WallTime};

use super::translate;
use crate::driver::Inbox;
use crate::settings::Settings;

/// Recordings of which the recorder has told what became of them.
type Told = Arc<Mutex<BTreeSet<RecordingKey>>>;

/// Starts the recorder; what an earlier process left is repaired by then, and what is beyond
/// repair is said in the journal. `beside`: a leaving engine still records.
pub(super) fn open(
    settings: &Settings,
    wall_zero: WallTime,
    (inbox, beside): (&Inbox, bool),
    recovery: &Recovery,
) -> anyhow::Result<(Vec<recorder::Tap>, Recorder)> {
    let mut told = translate::recorder(settings)?;
    told.beside = beside;
    if !told.keys.encrypts() {
        tracing::warn!("recordings are not encrypted at rest: [recordings] encryption = \"none\"");
    } else if told.keys.can_read() && !told.keys.reads_what_it_writes() {
        tracing::warn!("no key of recordings.identity reads what is recorded from now on");
    }
    let root = told.root.clone();
    let reported = Told::default();
    let started = recorder::start(told, wall_zero, report(inbox, &reported))?;
    settle_awaited(&root, inbox, &reported, recovery)?;
    Ok(started)
}

/// Makes recordings of what a leaving engine left that died.
pub(super) fn repair_left(
    settings: &Settings,
    inbox: &Inbox,
    recovery: &Recovery,
) -> anyhow::Result<()> {
    let told = translate::recorder(settings)?;
    let reported = Told::default();
    recorder::repair_left(&told, report(inbox, &reported))?;
    settle_awaited(&told.root, inbox, &reported, recovery)
}

fn report(inbox: &Inbox, reported: &Told) -> impl Fn(Report) + Send + Clone + 'static {
    let (inbox, reported) = (inbox.clone(), Arc::clone(reported));
    move |report: Report| {
        if let Report::Stored { key, .. } | Report::Missing { key, .. } = &report {
            reported
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .insert(*key);
        }
        take_report(&inbox, report);
    }
}

/// Says what became of recordings that were awaited, and that the repair did not bring.
fn settle_awaited(
    root: &Path,
    inbox: &Inbox,
    reported: &Told,
    recovery: &Recovery,
) -> anyhow::Result<()> {
    let repaired = reported.lock().unwrap_or_else(PoisonError::into_inner);
    let awaited = recovery.recordings_awaited.iter().copied();
    let awaited: Vec<RecordingKey> = awaited.filter(|key| !repaired.contains(key)).collect();
    drop(repaired);
    // They may lie there all the same: stored, and the journal was not told before the crash, or
    // `hotline recordings repair` made them.
    let found: BTreeMap<_, _> = recorder::mend::find(root, &awaited)?.into_iter().collect();
    for key in awaited {
        inbox.input(match found.get(&key).cloned() {
            Some(file) => Input::RecordingStored { key, file },
            None => Input::RecordingMissing {
                key,
                reason: MissingReason::LostInCrash,
            },
        });
    }
    Ok(())
}

fn take_report(inbox: &Inbox, report: Report) {
    match report {
        Report::Stored { key, file } => inbox.input(Input::RecordingStored { key, file }),
        Report::Missing { key, reason } => inbox.input(Input::RecordingMissing { key, reason }),
        Report::DiskTrouble { message } => {
            tracing::error!(message, "recordings cannot be written");
            inbox.input(Input::RecordingTrouble(true));
        }
        Report::DiskFine => {
            tracing::info!("recordings can be written again");
            inbox.input(Input::RecordingTrouble(false));
        }
        Report::LowWater { path, free } => {
            let path = path.display();
            tracing::error!(%path, free, "little room is left for recordings");
        }
        Report::RoomAgain => tracing::info!("there is room for recordings again"),
        Report::FinaliserLate { lag, waiting } => {
            let seconds = lag.as_secs();
            tracing::error!(seconds, waiting, "recordings wait too long to be stored");
        }
        Report::FinaliserInTime => tracing::info!("recordings are stored in time again"),
    }
}
