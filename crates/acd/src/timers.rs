//! Owns the deadlines of the core, in the order in which they fall due.

use std::collections::BTreeSet;

use vocab::{CallId, OfferId, OperatorId, QueueId, Time};

/// A deadline. Of several due at one moment, the earlier variant goes first: a call that leaves is
/// not offered once more, and a call that comes back finds its place before operators get free.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Timer {
    /// When to give up waiting: the queue's longest wait has passed.
    Wait(CallId),
    /// When to let those go who wait in a queue that nobody serves.
    Unstaffed(QueueId),
    /// When to let a call be offered again to an operator with whom an offer of it failed.
    Retry(CallId, OperatorId),
    /// When to ease a call's demands, or to let operators have it who get it late.
    Stage(CallId),
    /// When to let anybody have a call that waited for its own operator.
    Own(CallId),
    /// When to let a callback be tried: after a pause, or when its hours begin.
    Callback(CallId),
    /// When to stop ringing and try the next operator.
    Ring(OfferId),
    /// When to let a call ring at one more operator.
    More(CallId),
    /// When to give an operator offers again who was set aside.
    Rest(OperatorId),
    /// When to end an operator's wrap-up.
    WrapUp(OperatorId),
    /// When to tell that an operator has used up a break.
    Break(OperatorId),
    /// When to begin the operators' counts anew.
    Midnight,
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

    /// Takes one back whose time its owner kept.
    pub(crate) fn cancel_kept(&mut self, at: &mut Option<Time>, timer: Timer) {
        if let Some(at) = at.take() {
            self.cancel(at, timer);
        }
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
