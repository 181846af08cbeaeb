//! Owns the two bounds of a trunk's direction: calls at once, and new calls a second.

use core::time::Duration;

use vocab::Time;

use super::settings::{DirectionLimits, TrunkId};

/// A rate of events, as a bucket of tokens that is full at first and holds one second's worth.
///
/// Kept as one time, the moment at which the bucket will be full again: nothing has to be
/// refilled, and an idle hour costs nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rate {
    full_at: Time,
    interval: Duration,
}

/// What a full bucket holds, in time.
const DEPTH: Duration = Duration::from_secs(1);

impl Rate {
    /// So many events a second, at least one.
    pub(crate) fn per_second(events: u32) -> Self {
        Self {
            full_at: Time::ZERO,
            interval: DEPTH / events.max(1),
        }
    }

    /// Takes a token.
    ///
    /// # Errors
    /// How long to wait for the next one.
    pub(crate) fn take(&mut self, now: Time) -> Result<(), Duration> {
        let wait = self.wait(now);
        if !wait.is_zero() {
            return Err(wait);
        }
        self.full_at = self.full_at.max(now) + self.interval;
        Ok(())
    }

    /// How long until there is a token.
    pub(crate) fn wait(&self, now: Time) -> Duration {
        (self.full_at + self.interval)
            .since(now)
            .saturating_sub(DEPTH.max(self.interval))
    }
}

/// Which way a call goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// The trunk brings it.
    In,
    /// It goes to the trunk.
    Out,
}

/// A call's place among those of its trunk. Whoever holds it gives it back when the call ends:
/// there is no copy.
#[derive(Debug, PartialEq, Eq)]
pub struct Seat {
    pub(crate) trunk: TrunkId,
    pub(super) direction: Direction,
}

/// The calls of one direction against its bounds.
#[derive(Debug)]
pub(super) struct Usage {
    limits: DirectionLimits,
    pub(super) calls: u32,
    rate: Option<Rate>,
}

impl Usage {
    pub(super) fn new(limits: DirectionLimits) -> Self {
        Self {
            limits,
            calls: 0,
            rate: limits.per_second.map(Rate::per_second),
        }
    }

    /// Counts a new call.
    ///
    /// # Errors
    /// The bound that it would pass, and nothing is counted.
    pub(super) fn begin(&mut self, now: Time) -> Result<(), Full> {
        if self.limits.calls.is_some_and(|most| self.calls >= most) {
            return Err(Full::Calls);
        }
        if let Some(rate) = &mut self.rate {
            rate.take(now).map_err(Full::Rate)?;
        }
        self.calls += 1;
        Ok(())
    }

    /// Whether `begin` would succeed.
    pub(super) fn has_room(&self, now: Time) -> bool {
        self.limits.calls.is_none_or(|most| self.calls < most)
            && self.rate.is_none_or(|rate| rate.wait(now).is_zero())
    }

    pub(super) fn end(&mut self) {
        self.calls = self.calls.saturating_sub(1);
    }
}

/// Which bound a call would pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Full {
    /// Calls at once; it ends when one of them does.
    Calls,
    /// Calls a second; it ends after this time.
    Rate(Duration),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_holds_as_many_tokens_as_the_rate_says_and_then_one_each_interval() {
        let mut rate = Rate::per_second(4);
        let start = Time::from_millis(10_000);
        for _ in 0..4 {
            assert_eq!(rate.take(start), Ok(()));
        }
        assert_eq!(rate.take(start), Err(Duration::from_millis(250)));
        assert!(rate.take(Time::from_millis(10_249)).is_err());
        assert_eq!(rate.take(Time::from_millis(10_250)), Ok(()));
        assert!(rate.take(Time::from_millis(10_250)).is_err());
        // An hour of silence fills it to the brim and not beyond.
        let later = Time::from_millis(3_700_000);
        assert_eq!((0..100).filter(|_| rate.take(later).is_ok()).count(), 4);
    }

    #[test]
    fn one_a_second_is_one_a_second() {
        let mut rate = Rate::per_second(1);
        let taken = (0..100u64)
            .filter(|tenth| rate.take(Time::from_millis(tenth * 100)).is_ok())
            .count();
        assert_eq!(taken, 10);
    }

    #[test]
    fn calls_at_once_are_bounded_and_a_refused_one_costs_no_token() {
        let mut usage = Usage::new(DirectionLimits {
            calls: Some(1),
            per_second: Some(2),
        });
        assert_eq!(usage.begin(Time::ZERO), Ok(()));
        assert_eq!(usage.begin(Time::ZERO), Err(Full::Calls));
        usage.end();
        assert_eq!(usage.begin(Time::ZERO), Ok(()));
        usage.end();
        assert!(!usage.has_room(Time::ZERO));
        assert_eq!(
            usage.begin(Time::ZERO),
            Err(Full::Rate(Duration::from_millis(500)))
        );
    }
}
