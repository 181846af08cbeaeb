//! Owns what the core is told and what it answers. Refuses to act on either.

use core::time::Duration;

use vocab::{CallId, OfferId, OfferResult, OperatorId, QueueId, QueueOutcome, Time};

use crate::{OperatorSettings, QueueSettings};

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// The table of queues, whole. A queue that is missing takes no new calls; those in it go on.
    Queues(Vec<QueueSettings>),
    /// The table of operators, whole. One that is missing ends the offer or talk under way first.
    Operators(Vec<OperatorSettings>),
    /// The first telephone of an operator registered, or the last one went.
    Reachable {
        /// Who.
        operator: OperatorId,
        /// Whether there is a live registration now.
        reachable: bool,
    },
    /// The person chose to take calls, or not to.
    Paused {
        /// Who.
        operator: OperatorId,
        /// True: no offers.
        paused: bool,
    },
    /// A call is to wait in a queue. A call that waits in another queue is moved.
    Queued {
        /// Which call.
        call: CallId,
        /// Where.
        queue: QueueId,
        /// Higher is served first.
        priority: u8,
        /// Since when it waits, which orders calls of one priority: earlier than now for a call
        /// that comes back to its old place. The longest wait counts from now all the same.
        since: Time,
    },
    /// The caller hung up, or the plan took the call out of the queue.
    Left {
        /// Which call.
        call: CallId,
    },
    /// The operator's telephone rings (180, 183).
    Ringing {
        /// Which offer.
        offer: OfferId,
    },
    /// The operator answered. The call leaves the queue.
    Accepted {
        /// Which offer.
        offer: OfferId,
    },
    /// The operator's telephone refused, or could not be reached. The call keeps its place.
    Failed {
        /// Which offer.
        offer: OfferId,
        /// How.
        result: OfferResult,
    },
    /// The operator's part of a call is over.
    Freed {
        /// Who.
        operator: OperatorId,
    },
    /// The operator makes a call or is called by other means than an offer.
    OtherCallBegan {
        /// Who.
        operator: OperatorId,
    },
    /// That call is over. There is one of these for each `OtherCallBegan`.
    OtherCallEnded {
        /// Who.
        operator: OperatorId,
        /// Time to finish the work of it, if it is the last; zero for none.
        wrap_up: Duration,
    },
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Ring the operator.
    Offer {
        /// The new offer.
        offer: OfferId,
        /// For which call.
        call: CallId,
        /// From which queue.
        queue: QueueId,
        /// Whom.
        operator: OperatorId,
        /// Why this operator, in a sentence for a supervisor.
        why: String,
    },
    /// Stop ringing: the offer is over.
    Withdraw {
        /// Which offer.
        offer: OfferId,
        /// Of which call.
        call: CallId,
        /// At whom it rang.
        operator: OperatorId,
        /// `NoAnswer` (ring time), `CallerGone` (`Left`) or `Withdrawn` (time-out, move).
        result: OfferResult,
    },
    /// The call did not get into the queue.
    Refused {
        /// Which call.
        call: CallId,
        /// Which queue.
        queue: QueueId,
        /// `RefusedFull`, or `Closed` for a queue that is not in the settings.
        outcome: QueueOutcome,
    },
    /// The queue's longest wait passed and the call is out of it.
    TimedOut {
        /// Which call.
        call: CallId,
        /// Which queue.
        queue: QueueId,
    },
    /// An operator answered an offer that was over already: hang that leg up.
    Stale {
        /// Which offer.
        offer: OfferId,
    },
}
