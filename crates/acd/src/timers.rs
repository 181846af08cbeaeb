//! Owns the deadlines of the core, in the order in which they fall due.

use std::collections::BTreeSet;

use vocab::{CallId, OfferId, OperatorId, Time};

/// A deadline. Of several due at one moment, the earlier variant goes first: a call that leaves is
/// not offered once more, and a call that comes back finds its place before operators get free.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Timer {
    /// When to give up waiting: the queue's longest wait has passed.
    Wait(CallId),
    /// When to let a call be offered again to an operator with whom an offer of it failed.
    Retry(CallId, OperatorId),
    /// When to stop ringing and try the next operator.
    Ring(OfferId),
    /// When to give an operator offers again who was set aside.
    Rest(OperatorId),
    /// When to end an operator's wrap-up.
    WrapUp(OperatorId),
}

/// The deadlines. Whoever sets one remembers its time, so that it can be taken back.
#[derive(Debug, Default)]
pub(crate) struct Timers(BTreeSet<(Time, Timer)>);

impl Timers {
    pub(crate) fn set(&mut self, at: Time, timer: Timer) {
        self.0.insert((at, timer));
    }

    pub(crate) fn cancel(&mut self, at: Time, timer: Timer) {
        self.0.remove(&(at, timer));
    }

    pub(crate) fn next(&self) -> Option<Time> {
        self.0.first().map(|(at, _)| *at)
    }

    /// Takes out the first timer that is due.
    pub(crate) fn due(&mut self, now: Time) -> Option<Timer> {
        if self.next()? > now {
            return None;
        }
        self.0.pop_first().map(|(_, timer)| timer)
    }
}
