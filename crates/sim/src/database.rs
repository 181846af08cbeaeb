//! Owns the journal's database in a world, and what follows the event files into it: the database is
//! down, slow, or commits and does not say so; a crash finds it in the middle of a transaction.

use core::time::Duration;

use journal::memory::{Database as Store, Files, Place, Record};
use vocab::Time;

use crate::random::Random;
use crate::room::{Alarm, Room};
use crate::scenario::Fault;

/// Least time between two transactions. The real one is shorter: here it is what a world costs.
const PACE: Duration = Duration::from_millis(500);

/// Pauses between tries when the database fails, as in the journal's follower.
const RETRY_FIRST: Duration = Duration::from_millis(50);
const RETRY_LAST: Duration = Duration::from_secs(2);

/// The longest transaction of a database that is slow.
const SLOWEST: Duration = Duration::from_secs(5);

/// What happened so long before the end is in the database.
const SETTLED: Duration = Duration::from_secs(30);

/// Most events of one transaction.
const BATCH_MAX: usize = 4_096;

/// It outlives the process.
#[derive(Debug, Default)]
pub(crate) struct Database {
    store: Store,
    down_until: Time,
}

impl Database {
    pub(crate) fn take_down(&mut self, until: Time) {
        self.down_until = self.down_until.max(until);
    }

    /// What is wrong with it at the end: what is not of the last moments must be there, and when it has
    /// the rest as well it must be what the events on the disk make of it.
    pub(crate) fn judge(
        &mut self,
        (files, durable): (&Files, Place),
        now: Time,
    ) -> Result<(), String> {
        let (rest, place) = files.read(self.store.applied(), durable, usize::MAX);
        let mut events = rest.iter().map(|record| &record.event);
        if let Some(late) = events.find(|event| event.up + SETTLED < now) {
            return Err(format!("the database still lacks event {}", late.id));
        }
        self.store.apply(rest, place);
        // What is not synced at the last moment is on no disk yet.
        match self.store.difference(files, durable) {
            Some(told) => Err(format!("the database: {told}")),
            None => Ok(()),
        }
    }
}

/// What a process has of the way from its files to the database.
#[derive(Debug, Default)]
pub(crate) struct Follower {
    is_set: bool,
    pause: Duration,
    /// Where it believes to be; after a failure it asks the database.
    at: Option<Place>,
    /// A transaction that is not over.
    open: Option<(Vec<Record>, Place)>,
}

impl Follower {
    /// Something is durable that may not be in the database.
    pub(crate) fn wake(&mut self, room: &mut Room, boot: u32) {
        if !core::mem::replace(&mut self.is_set, true) {
            room.alarm(PACE, Alarm::Follow(boot));
        }
    }

    /// Does the next step: a transaction, the end of one, or another try.
    pub(crate) fn follow(
        &mut self,
        (room, random): (&mut Room, &mut Random),
        boot: u32,
        database: &mut Database,
        (files, durable): (&Files, Place),
    ) {
        self.is_set = false;
        if database.down_until > room.now {
            // What was begun is rolled back.
            (self.open, self.at) = (None, None);
            self.pause = (self.pause * 2).clamp(RETRY_FIRST, RETRY_LAST);
            self.is_set = true;
            return room.alarm(self.pause, Alarm::Follow(boot));
        }
        self.pause = Duration::ZERO;
        if let Some((batch, place)) = self.open.take() {
            database.store.apply(batch, place);
            self.at = Some(place);
        }
        let from = self.at.unwrap_or_else(|| database.store.applied());
        let (batch, place) = files.read(from, durable, BATCH_MAX);
        if batch.is_empty() {
            return;
        }
        let strikes = |random: &mut Random| room.has(Fault::Database) && random.chance(20);
        let mut pause = PACE;
        if strikes(random) {
            room.count(Fault::Database);
            pause = random.between(PACE, SLOWEST);
            self.open = Some((batch, place));
        } else {
            database.store.apply(batch, place);
            // It is committed, and the word of it is lost: the batch comes again.
            let unsaid = room.has(Fault::Database) && random.chance(20);
            self.at = Some(if unsaid { from } else { place });
        }
        self.is_set = true;
        room.alarm(pause, Alarm::Follow(boot));
    }
}
