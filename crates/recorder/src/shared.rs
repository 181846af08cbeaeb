//! Owns what the recorder's threads share: counters and the disk's state. No lock, no policy.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering};

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::Report;

/// Totals since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Packets that reached a tap and could not be kept: ring full, or disk in trouble too long.
    pub dropped: u64,
    /// `start` for a recording that was already running.
    pub started_twice: u64,
    /// `packet` or `stop` for a recording that is not running.
    pub unknown: u64,
    /// `start` beyond the limit of recordings at once, or with no room even for that.
    pub refused: u64,
    /// Recordings stored.
    pub stored: u64,
    /// Recordings reported missing.
    pub missing: u64,
    /// Packets in the spool.
    pub packets: u64,
    /// Bytes written to the spool.
    pub spool_bytes: u64,
    /// Recordings that are over and wait for the finaliser, or are with it.
    pub waiting: usize,
    /// How long the one of them that has waited longest has waited.
    pub lag: Duration,
}

/// What the recorder counts, for whoever shows it, on any thread.
#[derive(Debug, Clone)]
pub struct Figures(pub(crate) Arc<Shared>);

impl Figures {
    /// Totals since the start.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.0.counts()
    }

    /// Whether spool or recordings cannot be written at this moment.
    #[must_use]
    pub fn disk_failing(&self) -> bool {
        self.0.trouble.load(Ordering::Relaxed) != 0
    }
}

/// Which thread sees the disk fail; one bit each, so that an episode ends when both are fine.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Who {
    Writer = 1,
    Finaliser = 2,
    Watch = 4,
}

/// When the recorder began.
#[derive(Debug)]
struct Born(Instant);

impl Default for Born {
    fn default() -> Self {
        Self(Instant::now())
    }
}

impl Born {
    fn ms(&self) -> u64 {
        self.at(Instant::now())
    }

    fn at(&self, when: Instant) -> u64 {
        u64::try_from(when.duration_since(self.0).as_millis()).unwrap_or(u64::MAX)
    }
}

/// Statistics use relaxed order: no other memory depends on them.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    pending: AtomicUsize,
    stopping: AtomicBool,
    trouble: AtomicU8,
    /// When the writer's present write began, ms after `born` and one; 0 while it does not write.
    writing: AtomicU64,
    /// When the finaliser was handed the oldest job it has at hand, likewise.
    oldest: AtomicU64,
    waiting: AtomicUsize,
    born: Born,
    pub(crate) dropped: AtomicU64,
    pub(crate) started_twice: AtomicU64,
    pub(crate) unknown: AtomicU64,
    pub(crate) refused: AtomicU64,
    pub(crate) stored: AtomicU64,
    pub(crate) missing: AtomicU64,
    pub(crate) packets: AtomicU64,
    pub(crate) spool_bytes: AtomicU64,
}

/// Adds one to a statistic.
pub(crate) fn bump(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

impl Shared {
    pub(crate) fn began(&self) {
        self.pending.fetch_add(1, Ordering::SeqCst);
    }

    /// After the report, so that `pending() == 0` means that all reports were made.
    pub(crate) fn ended(&self) {
        let _ = self
            .pending
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1));
    }

    pub(crate) fn pending(&self) -> usize {
        self.pending.load(Ordering::SeqCst)
    }

    /// The writer begins a write.
    pub(crate) fn write_begins(&self) {
        self.writing.store(self.born.ms() + 1, Ordering::Relaxed);
    }

    /// The write came to an end.
    pub(crate) fn write_ended(&self) {
        self.writing.store(0, Ordering::Relaxed);
    }

    /// How long the present write has lasted.
    pub(crate) fn writing_for(&self) -> Option<Duration> {
        let began = self.writing.load(Ordering::Relaxed).checked_sub(1)?;
        Some(Duration::from_millis(self.born.ms().saturating_sub(began)))
    }

    /// The finaliser gets one more job.
    pub(crate) fn job_handed(&self) {
        self.waiting.fetch_add(1, Ordering::Relaxed);
    }

    /// It is done with one.
    pub(crate) fn job_done(&self) {
        self.waiting.fetch_sub(1, Ordering::Relaxed);
    }

    /// The oldest job that it has at hand, if any.
    pub(crate) fn jobs_since(&self, oldest: Option<Instant>) {
        let ms = oldest.map_or(0, |oldest| self.born.at(oldest) + 1);
        self.oldest.store(ms, Ordering::Relaxed);
    }

    /// How far the finaliser is behind.
    pub(crate) fn lag(&self) -> Duration {
        let oldest = self.oldest.load(Ordering::Relaxed).checked_sub(1);
        let lag = oldest.map_or(0, |oldest| self.born.ms().saturating_sub(oldest));
        Duration::from_millis(lag)
    }

    pub(crate) fn ask_to_stop(&self) {
        self.stopping.store(true, Ordering::SeqCst);
    }

    pub(crate) fn stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    /// The disk failed for `who`; the first to see it reports.
    pub(crate) fn disk_failed(&self, who: Who, message: String, report: &impl Fn(Report)) {
        if self.trouble.fetch_or(who as u8, Ordering::SeqCst) == 0 {
            tracing::error!(%message, "recordings cannot be written");
            report(Report::DiskTrouble { message });
        }
    }

    /// The disk works for `who`; the last to recover reports.
    pub(crate) fn disk_works(&self, who: Who, report: &impl Fn(Report)) {
        if self.trouble.load(Ordering::Relaxed) == 0 {
            return;
        }
        let bit = who as u8;
        if self.trouble.fetch_and(!bit, Ordering::SeqCst) == bit {
            tracing::info!("recordings can be written again");
            report(Report::DiskFine);
        }
    }

    pub(crate) fn counts(&self) -> Counts {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counts {
            dropped: read(&self.dropped),
            started_twice: read(&self.started_twice),
            unknown: read(&self.unknown),
            refused: read(&self.refused),
            stored: read(&self.stored),
            missing: read(&self.missing),
            packets: read(&self.packets),
            spool_bytes: read(&self.spool_bytes),
            waiting: self.waiting.load(Ordering::Relaxed),
            lag: self.lag(),
        }
    }
}
