//! Owns what the core answers. Refuses to carry it out.

use vocab::{CallId, OfferId, OfferResult, OperatorId, QueueId, QueueOutcome};

use crate::breaks::LeaveNeeded;
use crate::callback::CallbackEnd;
use crate::command::Refusal;
use crate::decision::Decision;
use crate::settings::{Overflow, Unstaffed};
use crate::status::{BreakTaken, Status};

/// What to do, and what to tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Ring the operator.
    Offer {
        /// The new offer; or the one that dialled, when a callback's caller was reached.
        offer: OfferId,
        /// For which call.
        call: CallId,
        /// From which queue.
        queue: QueueId,
        /// Whom.
        operator: OperatorId,
        /// The number to dial once the operator has answered, if the call is a callback.
        callback: Option<String>,
        /// Why this operator.
        why: Box<Decision>,
    },
    /// Dial the number of a callback: the operator is reserved for it meanwhile.
    Dial {
        /// The new offer.
        offer: OfferId,
        /// For which callback.
        call: CallId,
        /// From which queue.
        queue: QueueId,
        /// Who is reserved.
        operator: OperatorId,
        /// The number.
        number: String,
        /// Why this operator.
        why: Box<Decision>,
    },
    /// Stop ringing, or dialling: the offer is over.
    Withdraw {
        /// Which offer.
        offer: OfferId,
        /// Of which call.
        call: CallId,
        /// At whom it rang.
        operator: OperatorId,
        /// `NoAnswer` (ring time), `CallerGone` (`Left`) or `Withdrawn` (another operator answered,
        /// time-out, move).
        result: OfferResult,
    },
    /// The call did not get into the queue, or cannot stay in it, and is out of it.
    Dismissed {
        /// Which call.
        call: CallId,
        /// Which queue.
        queue: QueueId,
        /// Why.
        cause: Cause,
        /// What is to become of it; never `Overflow::Queue`.
        then: Overflow,
    },
    /// The call overflowed into another queue, where it waits now.
    Moved {
        /// Which call.
        call: CallId,
        /// Out of which queue.
        from: QueueId,
        /// Into which.
        to: QueueId,
        /// Why.
        cause: Cause,
    },
    /// An operator answered an offer that was over already: hang that leg up.
    Stale {
        /// Which offer.
        offer: OfferId,
    },
    /// The operator's status changed.
    StatusChanged {
        /// Whose.
        operator: OperatorId,
        /// To what.
        status: Status,
    },
    /// A break was asked for that needs a supervisor's leave. The status stays as it was.
    NeedsLeave {
        /// Who asked.
        operator: OperatorId,
        /// For which reason.
        reason: String,
        /// Why leave is needed.
        because: LeaveNeeded,
    },
    /// The day's limit of a break is used up, and the operator is still on it.
    BreakTooLong {
        /// Who.
        operator: OperatorId,
        /// The reason.
        reason: String,
    },
    /// A break is over.
    BreakTaken(BreakTaken),
    /// Somebody else is signed in to that line.
    LineTaken {
        /// Who wanted to sign in.
        operator: OperatorId,
        /// To which line.
        line: String,
        /// Who is there.
        by: OperatorId,
    },
    /// A caller will be called back, and has the place.
    CallbackKept {
        /// The call whose place it is; names the callback from now on.
        call: CallId,
        /// In which queue.
        queue: QueueId,
    },
    /// A callback is over.
    CallbackOver {
        /// Which.
        call: CallId,
        /// How.
        end: CallbackEnd,
    },
    /// The core that took over is to know: these operators are ours, until we lend them. Comes before all that it is to
    /// be told.
    Staff(Vec<OperatorId>),
    /// These operators are the other core's from now on. In order with [`Output::Want`], and never lost.
    Lend(Vec<OperatorId>),
    /// Whether calls wait here for which the other core is to give operators. Said again: also those who
    /// came back, or come now.
    Want(bool),
    /// A callback waits here no more: it is for the core that took over, which knows it from the journal.
    CallbackLeft {
        /// Which.
        call: CallId,
        /// How often it is to be tried yet.
        attempts_left: u8,
    },
    /// A command was carried out, or not.
    Commanded {
        /// Its number.
        number: u32,
        /// Why not, if so.
        refusal: Option<Refusal>,
    },
}

/// Why a call cannot be in a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// The queue is full.
    Full,
    /// The queue's longest wait passed.
    WaitedTooLong,
    /// The queue is closed, or not in the settings.
    Closed,
    /// Nobody serves it.
    Unstaffed(Unstaffed),
    /// A supervisor moved the call.
    Commanded,
}

impl Cause {
    /// How the call left the queue, in the terms of the journal, given what becomes of it.
    #[must_use]
    pub const fn outcome(self, then: &Overflow) -> QueueOutcome {
        match (then, self) {
            (Overflow::Queue(_) | Overflow::Voicemail | Overflow::Number(_), _) => {
                QueueOutcome::Overflowed
            }
            (Overflow::Callback, _) => QueueOutcome::CallbackTaken,
            (Overflow::Plan | Overflow::Close, Self::Full) => QueueOutcome::RefusedFull,
            (Overflow::Plan | Overflow::Close, Self::WaitedTooLong) => QueueOutcome::TimedOut,
            (
                Overflow::Plan | Overflow::Close,
                Self::Closed | Self::Unstaffed(_) | Self::Commanded,
            ) => QueueOutcome::Closed,
        }
    }
}
