//! Owns the load's clock: the time since it started, shared by its threads.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use vocab::{Time, WallTime};

/// One clock for all threads of a load.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    epoch: Instant,
    started: WallTime,
}

impl Clock {
    pub(crate) fn start() -> Self {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or(Duration::ZERO);
        let started = i64::try_from(since.as_millis()).unwrap_or(i64::MAX);
        Self {
            epoch: Instant::now(),
            started: WallTime::from_unix_millis(started),
        }
    }

    pub(crate) fn now(&self) -> Time {
        Time::from_micros(u64::try_from(self.epoch.elapsed().as_micros()).unwrap_or(u64::MAX))
    }

    /// Wall-clock time of `Time::ZERO`.
    pub(crate) fn started(&self) -> WallTime {
        self.started
    }
}
