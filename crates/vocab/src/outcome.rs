//! Owns how things end: an offer, a stay in a queue, a call, a message.

use serde::{Deserialize, Serialize};

/// How an offer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OfferResult {
    /// The operator answered.
    Answered,
    /// The operator's telephone said busy (486, 600).
    Busy,
    /// The operator declined (603, or another final answer that is a person's choice).
    Rejected,
    /// It rang until the ring time was over.
    NoAnswer,
    /// No answer of any kind came, or the telephone cannot be reached (408, 404, 480, 5xx).
    Unreachable,
    /// The caller hung up while it rang.
    CallerGone,
    /// The call left the queue for another reason while it rang (time-out, closing).
    Withdrawn,
}

/// How a call left a queue: METRICS.md, `outcome`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QueueOutcome {
    /// An operator answered.
    Answered,
    /// The caller hung up while waiting.
    Abandoned,
    /// It was sent on to another queue or place.
    Overflowed,
    /// The queue's longest wait passed.
    TimedOut,
    /// The queue is closed or nobody serves it.
    Closed,
    /// The queue was full.
    RefusedFull,
    /// The caller chose to be called back.
    CallbackTaken,
}

impl QueueOutcome {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Answered,
        Self::Abandoned,
        Self::Overflowed,
        Self::TimedOut,
        Self::Closed,
        Self::RefusedFull,
        Self::CallbackTaken,
    ];
}

/// A call's one outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// At least one operator talked to the caller.
    Answered,
    /// The caller hung up while waiting for an operator.
    Abandoned,
    /// The caller hung up before the queue: while it rang, in the greeting or the menu.
    AbandonedEarly,
    /// The longest wait passed.
    TimedOut,
    /// The hotline was closed, or nobody served the queue.
    Closed,
    /// The queue was full.
    RefusedFull,
    /// The plan ended the call by itself (an announcement and no queue).
    Served,
    /// Nobody talked to the caller, who left a message.
    Message,
    /// The number dialled belongs to no plan (404).
    UnknownNumber,
    /// The one whom an operator called did not answer, or the operator gave up first.
    Unreached,
    /// The call could not be carried on for a technical reason (media, protocol, limits).
    Failed,
    /// The engine stopped or crashed while the call was up.
    Interrupted,
}

/// What ended a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MessageEnd {
    /// Nothing more was said.
    Silence,
    /// The caller pressed the key.
    Key,
    /// The caller hung up.
    HungUp,
    /// It was as long as one may be.
    Longest,
    /// The call was ended otherwise: a failure, a stop, a crash.
    Engine,
}
