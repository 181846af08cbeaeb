//! Owns the counters by which the journal's state is seen from outside.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// How the journal is, at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Health {
    /// Events given and not yet taken up for writing. Normally a handful; grows while the disk fails. The queue
    /// has no bound, because an event is never thrown away: an engine that sees this above
    /// [`Health::BACKLOG_ALARM`] should refuse new calls.
    pub backlog: u64,
    /// Events of this boot that are not yet in SQL.
    pub lag: u64,
    /// The event file cannot be written at this moment.
    pub disk_failing: bool,
    /// The database cannot be written at this moment.
    pub database_failing: bool,
    /// Failed writes and syncs of the event file, each try counted.
    pub disk_errors: u64,
    /// Failed batches in the database, each try counted.
    pub database_errors: u64,
    /// Syncs of the event file.
    pub syncs: u64,
    /// Longest write with its sync, microseconds.
    pub sync_us_max: u64,
    /// Events that could not be kept. Always zero, or there is a bug or a stop with a dead disk.
    pub lost: u64,
}

impl Health {
    /// Backlog at which a person must act: about 100 MiB of memory.
    pub const BACKLOG_ALARM: u64 = 100_000;
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    /// One more than the counter of the last event given; 0 before the first.
    pub(crate) appended: AtomicU64,
    pub(crate) disk_errors: AtomicU64,
    pub(crate) database_errors: AtomicU64,
    pub(crate) lost: AtomicU64,
    syncs: AtomicU64,
    sync_us_max: AtomicU64,
    disk_failing: AtomicBool,
    database_failing: AtomicBool,
    stopping: AtomicBool,
    handed_over: AtomicBool,
}

// Each counter stands alone, and no memory is published through it: relaxed order is enough.
impl Counters {
    pub(crate) fn add(counter: &AtomicU64, n: u64) {
        counter.fetch_add(n, Ordering::Relaxed);
    }

    pub(crate) fn synced(&self, took: Duration) {
        self.syncs.fetch_add(1, Ordering::Relaxed);
        let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.sync_us_max.fetch_max(us, Ordering::Relaxed);
    }

    /// Says whether this is news of a failure.
    pub(crate) fn set_disk_failing(&self, failing: bool) -> bool {
        !self.disk_failing.swap(failing, Ordering::Relaxed) && failing
    }

    /// Says whether this is news of a failure.
    pub(crate) fn set_database_failing(&self, failing: bool) -> bool {
        !self.database_failing.swap(failing, Ordering::Relaxed) && failing
    }

    pub(crate) fn hand_over(&self) {
        self.handed_over.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_handed_over(&self) -> bool {
        self.handed_over.load(Ordering::Relaxed)
    }

    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    pub(crate) fn health(&self, backlog: usize, lag: u64) -> Health {
        Health {
            backlog: backlog as u64,
            lag,
            disk_failing: self.disk_failing.load(Ordering::Relaxed),
            database_failing: self.database_failing.load(Ordering::Relaxed),
            disk_errors: self.disk_errors.load(Ordering::Relaxed),
            database_errors: self.database_errors.load(Ordering::Relaxed),
            syncs: self.syncs.load(Ordering::Relaxed),
            sync_us_max: self.sync_us_max.load(Ordering::Relaxed),
            lost: self.lost.load(Ordering::Relaxed),
        }
    }
}
