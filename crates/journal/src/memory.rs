//! Owns event files and a database in memory, for worlds in which time is not real: records have the
//! form of those on a disk, and rows are computed as they are for SQL.

use std::collections::BTreeMap;

use vocab::{CallId, Event, EventId};

use crate::entry::Entry;
use crate::frame;
use crate::rows::CallRows;

/// A place between two records of the files.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    boot: u32,
    offset: usize,
}

/// The event files of all boots, as octets.
#[derive(Debug, Default)]
pub struct Files {
    boots: BTreeMap<u32, Vec<u8>>,
}

impl Files {
    /// Writes an event to the file of its boot.
    pub fn append(&mut self, event: &Event) {
        let file = self.boots.entry(event.id.boot()).or_default();
        // An event too long for a record is refused before it comes here.
        let _ = frame::encode(file, event);
    }

    /// Behind the last octet that was written.
    #[must_use]
    pub fn end(&self) -> Place {
        let last = self.boots.last_key_value();
        last.map_or_else(Place::default, |(boot, file)| Place {
            boot: *boot,
            offset: file.len(),
        })
    }

    /// Octets behind a place in its file.
    #[must_use]
    pub fn octets_after(&self, place: Place) -> usize {
        let file = self.boots.get(&place.boot);
        file.map_or(0, |file| file.len().saturating_sub(place.offset))
    }

    /// A power cut: of what stands behind `place` only so many octets are there.
    pub fn cut(&mut self, place: Place, left: usize) {
        self.boots.retain(|boot, _| *boot <= place.boot);
        if let Some(file) = self.boots.get_mut(&place.boot) {
            file.truncate(place.offset + left);
        }
    }

    /// Takes away what is no whole record at the ends of the files, as a start does.
    pub fn repair(&mut self) {
        for file in self.boots.values_mut() {
            let mut sound = 0;
            while let Some(payload) = file.get(sound..).and_then(frame::decode) {
                sound += frame::HEAD + payload.len();
            }
            file.truncate(sound);
        }
    }

    /// The events from one place to another, `most` of them, and the place behind them.
    #[must_use]
    pub fn read(&self, from: Place, to: Place, most: usize) -> (Vec<Event>, Place) {
        let mut events = Vec::new();
        let mut at = from;
        for (boot, file) in self.boots.range(from.boot..=to.boot) {
            if events.len() >= most {
                break;
            }
            if *boot > at.boot {
                at = Place {
                    boot: *boot,
                    offset: 0,
                };
            }
            while at < to && events.len() < most {
                let Some(payload) = file.get(at.offset..).and_then(frame::decode) else {
                    break;
                };
                at.offset += frame::HEAD + payload.len();
                events.extend(serde_json::from_slice::<Event>(payload).ok());
            }
        }
        (events, at)
    }

    /// Every event that there is.
    #[must_use]
    pub fn all(&self) -> Vec<Event> {
        self.read(Place::default(), self.end(), usize::MAX).0
    }
}

/// A database: events by their ids, the rows of each call, and how far it is in the files.
#[derive(Debug, Default)]
pub struct Database {
    events: BTreeMap<EventId, Event>,
    calls: BTreeMap<CallId, Vec<EventId>>,
    rows: BTreeMap<CallId, CallRows>,
    applied: Place,
}

impl Database {
    /// Everything before it is in the database.
    #[must_use]
    pub const fn applied(&self) -> Place {
        self.applied
    }

    /// A transaction: stores a batch and what is computed from it, and moves to `place`. As with SQL
    /// an event is stored once, whatever comes again.
    pub fn apply(&mut self, batch: &[Event], place: Place) {
        let mut touched = Vec::new();
        for event in batch {
            let new = self.events.insert(event.id, event.clone()).is_none();
            if let Some(call) = event.fact.call().filter(|_| new) {
                self.calls.entry(call).or_default().push(event.id);
                touched.push(call);
            }
        }
        touched.dedup();
        for call in touched {
            if let Some(rows) = self.compute(call) {
                self.rows.insert(call, rows);
            }
        }
        self.applied = place;
    }

    fn compute(&self, call: CallId) -> Option<CallRows> {
        let ids = self.calls.get(&call).into_iter().flatten();
        let entry = Entry::of(call, ids.filter_map(|id| self.events.get(id)))?;
        Some(CallRows::of(&entry))
    }

    /// How it differs from what it would be with just these events, computed from them at once.
    #[must_use]
    pub fn difference(&self, events: &[Event]) -> Option<String> {
        let mut whole = Self::default();
        whole.apply(events, self.applied);
        for event in whole.events.values() {
            match self.events.get(&event.id) {
                Some(stored) if stored == event => {}
                Some(_) => return Some(format!("event {} is another one there", event.id)),
                None => return Some(format!("event {} is not there", event.id)),
            }
        }
        let strange = |id: &&EventId| !whole.events.contains_key(*id);
        if let Some(strange) = self.events.keys().find(strange) {
            return Some(format!("event {strange} is there and on no disk"));
        }
        let differs = |call: &&CallId| self.rows.get(*call) != whole.rows.get(*call);
        let differs = whole.rows.keys().chain(self.rows.keys()).find(differs)?;
        Some(format!("the rows of {differs} are not those of its events"))
    }
}

#[cfg(test)]
mod tests {
    use vocab::{Fact, Time, WallTime};

    use super::*;

    fn event(boot: u32, counter: u32) -> Event {
        Event {
            id: EventId::new(boot, counter),
            at: WallTime::from_unix_millis(1_795_340_000_000),
            up: Time::ZERO,
            fact: Fact::EngineAlive { calls: counter },
        }
    }

    #[test]
    fn whole_records_before_a_cut_are_read_over_boots_and_nothing_else() {
        let mut files = Files::default();
        let first: Vec<Event> = (1..=3).map(|n| event(1, n)).collect();
        first[..2].iter().for_each(|one| files.append(one));
        let durable = files.end();
        files.append(&first[2]);
        let whole = files.octets_after(durable);
        files.cut(durable, whole - 1);
        files.repair();
        assert_eq!(files.all(), first[..2]);
        files.append(&first[2]);
        files.append(&event(2, 1));
        let all: Vec<Event> = first.into_iter().chain([event(2, 1)]).collect();
        assert_eq!(files.all(), all);
        let (batch, place) = files.read(durable, files.end(), 1);
        assert_eq!((&batch[..], place.boot), (&all[2..3], 1));
        assert_eq!(files.read(place, files.end(), 9).0, all[3..]);
    }

    #[test]
    fn a_database_that_lacks_or_invents_an_event_differs() {
        let (one, two) = (event(1, 1), event(1, 2));
        let both = [one.clone(), two.clone()];
        let mut database = Database::default();
        database.apply(&both, Place::default());
        database.apply(&both, Place::default());
        assert_eq!(database.difference(&both), None);
        assert!(
            database
                .difference(&[one])
                .is_some_and(|told| told.contains("no disk"))
        );
        let more = [both[0].clone(), two, event(1, 3)];
        assert!(
            database
                .difference(&more)
                .is_some_and(|told| told.contains("not there"))
        );
    }
}
