//! Owns event files and a database in memory, for worlds in which time is not real: records have the
//! form of those on a disk, and rows are computed as they are for SQL.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry::Vacant;

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
    /// Writes an event to the file of its boot, at the place that comes back.
    pub fn append(&mut self, event: &Event) -> Place {
        let boot = event.id.boot();
        let file = self.boots.entry(boot).or_default();
        let offset = file.len();
        // An event too long for a record is refused before it comes here.
        let _ = frame::encode(file, event);
        Place { boot, offset }
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

    /// The records from one place to another, `most` of them, and the place behind them.
    #[must_use]
    pub fn read(&self, from: Place, to: Place, most: usize) -> (Vec<Record>, Place) {
        let mut records = Vec::new();
        let mut at = from;
        while records.len() < most
            && let Some(payload) = self.next(&mut at, to)
        {
            records.extend(Record::of(payload));
        }
        (records, at)
    }

    /// The payload of the next record before `to`, and moves behind it.
    fn next(&self, at: &mut Place, to: Place) -> Option<&[u8]> {
        for (boot, file) in self.boots.range(at.boot..=to.boot) {
            if *boot > at.boot {
                *at = Place {
                    boot: *boot,
                    offset: 0,
                };
            }
            if *at >= to {
                return None;
            }
            if let Some(payload) = file.get(at.offset..).and_then(frame::decode) {
                at.offset += frame::HEAD + payload.len();
                return Some(payload);
            }
        }
        None
    }

    /// Every event that there is.
    #[must_use]
    pub fn all(&self) -> Vec<Event> {
        let (records, _) = self.read(Place::default(), self.end(), usize::MAX);
        records.into_iter().map(|record| record.event).collect()
    }
}

/// An event as it was read, and the octets that it was read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// What they say.
    pub event: Event,
    octets: Box<[u8]>,
}

impl Record {
    fn of(payload: &[u8]) -> Option<Self> {
        let event = serde_json::from_slice(payload).ok()?;
        let octets = payload.into();
        Some(Self { event, octets })
    }
}

/// A database: events by their ids, the rows of each call, and how far it is in the files.
#[derive(Debug, Default)]
pub struct Database {
    events: BTreeMap<EventId, Record>,
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
    pub fn apply(&mut self, batch: Vec<Record>, place: Place) {
        let mut touched = Vec::new();
        for record in batch {
            let Vacant(free) = self.events.entry(record.event.id) else {
                continue;
            };
            if let Some(call) = record.event.fact.call() {
                self.calls.entry(call).or_default().push(record.event.id);
                touched.push(call);
            }
            free.insert(record);
        }
        touched.sort_unstable();
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
        let stored = ids.filter_map(|id| self.events.get(id));
        let entry = Entry::of(call, stored.map(|record| &record.event))?;
        Some(CallRows::of(&entry))
    }

    /// How it differs from what it would be with just what the files have before `end`, all of it
    /// read at once.
    #[must_use]
    pub fn difference(&self, files: &Files, end: Place) -> Option<String> {
        self.events_differ(files, end)
            .or_else(|| self.rows_differ())
    }

    /// Octets that are the same say the same, so what the files have need not be read again.
    fn events_differ(&self, files: &Files, end: Place) -> Option<String> {
        let (mut at, mut stored) = (Place::default(), self.events.values());
        while let Some(payload) = files.next(&mut at, end) {
            if stored
                .next()
                .is_none_or(|stored| *stored.octets != *payload)
            {
                return self.event_that_differs(files, end);
            }
        }
        let strange = stored.next()?;
        Some(format!(
            "event {} is there and on no disk",
            strange.event.id
        ))
    }

    fn event_that_differs(&self, files: &Files, end: Place) -> Option<String> {
        let (on_disk, _) = files.read(Place::default(), end, usize::MAX);
        for record in &on_disk {
            let id = record.event.id;
            match self.events.get(&id) {
                Some(stored) if stored == record => {}
                Some(_) => return Some(format!("event {id} is another one there")),
                None => return Some(format!("event {id} is not there")),
            }
        }
        Some("the files have their events in another order, or what is no event".to_owned())
    }

    /// The rows of each call were computed again and again while its events came.
    fn rows_differ(&self) -> Option<String> {
        let mut whole: BTreeMap<CallId, Vec<&Event>> = BTreeMap::new();
        for record in self.events.values() {
            if let Some(call) = record.event.fact.call() {
                whole.entry(call).or_default().push(&record.event);
            }
        }
        let strange = |call: &&CallId| !whole.contains_key(*call);
        let strange = self.rows.keys().find(strange).copied();
        let differs = |(call, events): (&CallId, &Vec<&Event>)| {
            let entry = Entry::of(*call, events.iter().copied());
            let rows = entry.map(|entry| CallRows::of(&entry));
            (rows.as_ref() != self.rows.get(call)).then_some(*call)
        };
        let call = strange.or_else(|| whole.iter().find_map(differs))?;
        Some(format!("the rows of {call} are not those of its events"))
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
        for one in &first[..2] {
            files.append(one);
        }
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
        let events = |records: Vec<Record>| {
            let events = records.into_iter().map(|record| record.event);
            events.collect::<Vec<_>>()
        };
        assert_eq!((&events(batch)[..], place.boot), (&all[2..3], 1));
        assert_eq!(events(files.read(place, files.end(), 9).0), all[3..]);
    }

    #[test]
    fn a_database_that_lacks_or_invents_an_event_differs() {
        let (mut two, mut three) = (Files::default(), Files::default());
        for n in 1..=3 {
            three.append(&event(1, n));
            if n < 3 {
                two.append(&event(1, n));
            }
        }
        let stored = |files: &Files| {
            let (records, place) = files.read(Place::default(), files.end(), usize::MAX);
            let mut database = Database::default();
            database.apply(records.clone(), place);
            database.apply(records, place);
            database
        };
        let told = |database: &Database, files: &Files| database.difference(files, files.end());
        assert_eq!(told(&stored(&two), &two), None);
        let invented = told(&stored(&three), &two);
        assert!(invented.is_some_and(|told| told.contains("no disk")));
        let lacked = told(&stored(&two), &three);
        assert!(lacked.is_some_and(|told| told.contains("1-00000003 is not there")));
        let mut other = Files::default();
        other.append(&event(1, 1));
        other.append(&Event {
            up: Time::from_millis(1),
            ..event(1, 2)
        });
        let changed = told(&stored(&two), &other);
        assert!(changed.is_some_and(|told| told.contains("1-00000002 is another one")));
    }

    #[test]
    fn rows_that_are_not_those_of_the_events_are_found() {
        let mut files = Files::default();
        let call = CallId::new(1, 7);
        for (counter, fact) in [
            (1, Fact::CallAnswered { call }),
            (2, Fact::CallAnswered { call }),
        ] {
            files.append(&Event {
                fact,
                ..event(1, counter)
            });
        }
        let (records, place) = files.read(Place::default(), files.end(), usize::MAX);
        let mut database = Database::default();
        database.apply(records, place);
        assert_eq!(database.difference(&files, place), None);
        let stale = CallRows::of(&Entry::of(call, [&files.all()[0]]).unwrap());
        database.rows.insert(call, stale);
        let told = database.difference(&files, place);
        assert!(told.is_some_and(|told| told.contains("rows")));
    }
}
