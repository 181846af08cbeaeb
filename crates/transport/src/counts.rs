//! Owns the numbers of what went wrong without being anybody's error.

use core::sync::atomic::{AtomicU64, Ordering};

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Count(AtomicU64);

impl Count {
    pub(crate) fn add(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// How often it happened.
    #[must_use]
    pub fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What went wrong so far.
#[derive(Debug, Default)]
pub struct Counts {
    /// Datagrams that the kernel did not take.
    pub unsent: Count,
    /// Connections turned away because there were too many, in all or of one address.
    pub turned_away: Count,
    /// Connections closed because the peer did not read.
    pub queue_full: Count,
    /// Connections closed because a message or a handshake was not complete in time.
    pub slow: Count,
    /// Connections closed because nobody can say any more where the next message begins.
    pub framing_lost: Count,
    /// TLS or WebSocket handshakes that failed.
    pub handshakes_failed: Count,
    /// Connections that we could not open.
    pub unconnected: Count,
}
