//! Owns what happens to the event files at start, before the first new event: finds the calls
//! that an earlier boot left open and closes them.
//!
//! The closing events belong to the *old* boot: they continue its ids and carry the times of its
//! last event, and stand in one further file, behind all that are there. So a call's durations are always
//! differences within one boot, a reader of the files meets every boot's events in order, and an
//! earlier crash in the middle of a recovery is just another restart (the file is made whole or
//! not at all; ids already used are not used again). The last event is at most a second older
//! than the crash, because `EngineAlive` is written each second while calls are up.
//!
//! After a handover (see `scribe`) a call has events of two boots: those of the leaving engine, and
//! those that its successor stated for it, whose ids are the successor's and whose times still count from the
//! start of the leaving one. Such a call is closed as one of the boot of its newest event. Calls of a
//! leaving engine that lives are left alone.
//!
//! Recordings of those calls come later, from the recorder's repair, as events of the new boot.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use vocab::media::RecordingKey;
use vocab::{CallId, Event, EventId, Time, WallTime};

use crate::entry::Entry;
use crate::files::{self, FileId, Reader};
use crate::frame;
use crate::unsettled::{Unsettled, closing_facts};

/// What was found at start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recovery {
    /// Calls that a crash cut off; each now has an end with outcome `Interrupted`.
    pub interrupted: Vec<CallId>,
    /// Segments of those calls that were being talked in; each now has an end.
    pub segments_open: Vec<RecordingKey>,
    /// Recordings of earlier boots, of interrupted calls and others, of which nothing is known
    /// yet. Those that the recorder's repair does not bring are `LostInCrash`: say so with a
    /// `RecordingMissing` event.
    pub recordings_awaited: Vec<RecordingKey>,
    /// Wall-clock time of the last event of the last boot, if there was one.
    pub last_event_at: Option<WallTime>,
    /// Octets cut off by a crash at the end of a file: never reported durable.
    pub torn: u64,
    /// Octets in the middle of files that could not be read: the disk's fault, and an alarm.
    pub damaged: u64,
}

/// The boots whose events were read: what is open in them, and where each stopped.
#[derive(Default)]
struct Boots {
    unsettled: Unsettled,
    last: BTreeMap<u32, Last>,
}

/// The last of a boot.
#[derive(Debug, Clone, Copy)]
struct Last {
    id: EventId,
    at: WallTime,
    /// By the boot's own clock: of the last event that was not stated for a leaving engine.
    up: Time,
}

impl Boots {
    fn note(&mut self, file: FileId, event: Event) {
        let boot = event.id.boot();
        let own_clock = event.fact.is_of_recording()
            || event.fact.call().is_none_or(|call| call.boot() == boot);
        let first = Last {
            id: event.id,
            at: event.at,
            up: Time::ZERO,
        };
        let last = self.last.entry(boot).or_insert(first);
        if last.id <= event.id {
            (last.id, last.at) = (event.id, event.at);
            if own_clock {
                last.up = event.up;
            }
        }
        self.unsettled.note(file, event);
    }

    /// The events that close what is open, in their order. Calls of a boot that is `alive` are not.
    fn closing(&self, alive: Option<u32>, recovery: &mut Recovery) -> Vec<Event> {
        let mut last = self.last.clone();
        let mut closing = Vec::new();
        let up = self.unsettled.up();
        let dead = up.iter().filter(|open| Some(open.call().boot()) != alive);
        for open in dead {
            let Some(last) = last.get_mut(&open.newest.boot()) else {
                continue;
            };
            let own_clock = open.call().boot() == open.newest.boot();
            let up = if own_clock {
                last.up
            } else {
                open.up_at(last.at)
            };
            recovery.note(&open.entry);
            for fact in closing_facts(&open.entry) {
                last.id = EventId::new(last.id.boot(), last.id.counter().saturating_add(1));
                closing.push(Event {
                    id: last.id,
                    at: last.at,
                    up,
                    fact,
                });
            }
        }
        recovery.last_event_at = self.last.last_key_value().map(|(_, last)| last.at);
        closing
    }
}

impl Recovery {
    /// Takes down a call that was cut off.
    fn note(&mut self, entry: &Entry) {
        self.interrupted.push(entry.call);
        let segments = entry.segments.iter().filter(|one| one.ended.is_none());
        let messages = entry.messages.iter().filter(|one| one.ended.is_none());
        let open = segments.map(|segment| segment.number);
        let open = open.chain(messages.map(|message| message.segment));
        self.segments_open.extend(open.map(|segment| RecordingKey {
            call: entry.call,
            segment,
        }));
    }
}

/// What closes the calls of a leaving engine that died at `now`, to be stated by its successor: the ids
/// are nobody's. Besides, what is awaited of that boot.
pub(crate) fn close_boot(
    unsettled: &Unsettled,
    boot: u32,
    now: WallTime,
) -> (Vec<Event>, Recovery) {
    let mut recovery = Recovery::default();
    let mut closing = Vec::new();
    let up = unsettled.up();
    for open in up.iter().filter(|open| open.call().boot() == boot) {
        recovery.note(&open.entry);
        closing.extend(closing_facts(&open.entry).into_iter().map(|fact| Event {
            id: open.newest,
            at: now,
            up: open.up_at(now),
            fact,
        }));
    }
    let awaited = unsettled.recordings_awaited().into_iter();
    recovery.recordings_awaited = awaited.filter(|key| key.call.boot() == boot).collect();
    (closing, recovery)
}

/// What a start makes of the events of earlier boots, without a file: the events that close what a
/// crash left open, and what is awaited after them. For simulations; [`crate::start`] does the same.
#[must_use]
pub fn close_interrupted(events: &[Event]) -> (Vec<Event>, Recovery) {
    let mut boots = Boots::default();
    let mut recovery = Recovery::default();
    for event in events {
        boots.note(FileId::FIRST, event.clone());
    }
    let closing = boots.closing(None, &mut recovery);
    for event in &closing {
        boots.unsettled.note(FileId::FIRST, event.clone());
    }
    recovery.recordings_awaited = boots.unsettled.recordings_awaited();
    (closing, recovery)
}

/// Closes what earlier boots left open, but for one that is `alive`. Tells the calls whose recordings are
/// still awaited.
pub(crate) fn recover(dir: &Path, alive: Option<u32>) -> io::Result<(Recovery, Unsettled)> {
    let files = files::list(dir)?;
    let mut boots = Boots::default();
    let mut reader = Reader::new(dir, unsettled_from(dir, &files)?.at(0));
    while let Some(event) = reader.next(None)? {
        boots.note(reader.position().file, event);
    }
    let mut recovery = Recovery {
        torn: reader.damage.torn,
        damaged: reader.damage.lost,
        ..Recovery::default()
    };
    let closing = boots.closing(alive, &mut recovery);
    if let Some(last) = files.last()
        && !closing.is_empty()
    {
        write_closing(dir, last.next(), &mut boots.unsettled, closing)?;
    }
    let awaited = boots.unsettled.recordings_awaited().into_iter();
    recovery.recordings_awaited = awaited
        .filter(|key| Some(key.call.boot()) != alive)
        .collect();
    Ok((recovery, boots.unsettled))
}

/// Where to begin: as the newest readable header says, or at the first file.
fn unsettled_from(dir: &Path, files: &[FileId]) -> io::Result<FileId> {
    for &file in files.iter().rev() {
        if let Some(header) = files::header(dir, file)? {
            return Ok(header.unsettled_from);
        }
    }
    Ok(FileId::FIRST)
}

fn write_closing(
    dir: &Path,
    file: FileId,
    unsettled: &mut Unsettled,
    closing: Vec<Event>,
) -> io::Result<()> {
    let mut records = Vec::new();
    for event in &closing {
        frame::encode(&mut records, event).map_err(io::Error::other)?;
    }
    files::create(dir, file, unsettled.oldest(file), &records)?;
    for event in closing {
        unsettled.note(file, event);
    }
    Ok(())
}
