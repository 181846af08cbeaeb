//! Owns what happens to the event files at start, before the first new event: finds the calls
//! that an earlier boot left open and closes them.
//!
//! The closing events belong to the *old* boot: they continue its ids and carry the times of its
//! last event, and stand in a further file of that boot. So a call's durations are always
//! differences within one boot, a reader of the files meets every boot's events in order, and an
//! earlier crash in the middle of a recovery is just another restart (the file is made whole or
//! not at all; ids already used are not used again). The last event is at most a second older
//! than the crash, because `EngineAlive` is written each second while calls are up.
//!
//! Recordings of those calls come later, from the recorder's repair, as events of the new boot.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use vocab::media::RecordingKey;
use vocab::{CallId, Event, EventId, WallTime};

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
    last: BTreeMap<u32, Event>,
}

impl Boots {
    fn note(&mut self, file: FileId, event: Event) {
        let boot = event.id.boot();
        if self.last.get(&boot).is_none_or(|known| known.id < event.id) {
            self.last.insert(boot, event.clone());
        }
        self.unsettled.note(file, event);
    }

    /// The events that close what is open, for each boot that has any.
    fn closing(&self, recovery: &mut Recovery) -> Vec<(u32, Vec<Event>)> {
        let up = self.unsettled.up();
        let mut closing = Vec::new();
        for (boot, last) in &self.last {
            let calls = up.iter().filter(|entry| entry.arrived_in(*boot));
            let events = closing_events(last, calls, recovery);
            if !events.is_empty() {
                closing.push((*boot, events));
            }
        }
        recovery.last_event_at = self.last.last_key_value().map(|(_, event)| event.at);
        closing
    }
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
    let closing = boots.closing(&mut recovery);
    let closing: Vec<Event> = closing.into_iter().flat_map(|(_, events)| events).collect();
    for event in &closing {
        boots.unsettled.note(FileId::FIRST, event.clone());
    }
    recovery.recordings_awaited = boots.unsettled.recordings_awaited();
    (closing, recovery)
}

/// Closes what earlier boots left open. Returns the calls whose recordings are still awaited.
pub(crate) fn recover(dir: &Path) -> io::Result<(Recovery, Unsettled)> {
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
    for (boot, closing) in boots.closing(&mut recovery) {
        let of_boot = files.iter().filter(|file| file.boot == boot);
        let number = of_boot.map(|file| file.number).max().unwrap_or(0);
        let file = FileId { boot, number }.next();
        write_closing(dir, file, &mut boots.unsettled, closing)?;
    }
    recovery.recordings_awaited = boots.unsettled.recordings_awaited();
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

fn closing_events<'a>(
    last: &Event,
    calls: impl Iterator<Item = &'a Entry>,
    recovery: &mut Recovery,
) -> Vec<Event> {
    let mut closing = Vec::new();
    let mut counter = last.id.counter();
    for entry in calls {
        recovery.interrupted.push(entry.call);
        let open = entry
            .segments
            .iter()
            .filter(|segment| segment.ended.is_none());
        let messages = entry.messages.iter().filter(|one| one.ended.is_none());
        let open = open.map(|segment| segment.number);
        let open = open.chain(messages.map(|message| message.segment));
        recovery
            .segments_open
            .extend(open.map(|segment| RecordingKey {
                call: entry.call,
                segment,
            }));
        for fact in closing_facts(entry) {
            counter = counter.saturating_add(1);
            let id = EventId::new(last.id.boot(), counter);
            closing.push(Event {
                id,
                at: last.at,
                up: last.up,
                fact,
            });
        }
    }
    closing
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
