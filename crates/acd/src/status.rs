//! Owns the status that a person chooses. What the engine observes is the state, and another thing.

use core::time::Duration;
use std::collections::BTreeMap;

use vocab::OperatorId;

/// What an operator chose.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// Takes calls.
    Available,
    /// On a break, for a reason of the settings.
    Break {
        /// The reason.
        reason: String,
    },
    /// In training.
    Training,
    /// At work on an earlier call.
    AfterCallWork,
    /// Set so by the engine after offers that nobody took; the person comes back.
    NotReady,
    /// Not at work.
    Off,
}

impl Status {
    /// A break.
    #[must_use]
    pub fn on_break(reason: &str) -> Self {
        Self::Break {
            reason: reason.to_owned(),
        }
    }
}

/// Who chose a status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// The operator.
    Operator,
    /// A supervisor, whose word needs no leave.
    Supervisor,
}

/// How an operator counts for a queue that asks who serves it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Presence {
    /// Not signed in, or on no table.
    Away,
    /// Signed in, takes no calls.
    OnBreak,
    /// Would take calls; the telephone cannot be reached.
    Unreachable,
    /// Takes calls, be it after the present one.
    Serving,
}

impl Presence {
    /// All, in the order of a [`Staff`].
    pub(crate) const COUNT: usize = 4;

    pub(crate) const fn index(self) -> usize {
        match self {
            Self::Away => 0,
            Self::OnBreak => 1,
            Self::Unreachable => 2,
            Self::Serving => 3,
        }
    }
}

/// A break that has come to an end, for the report on breaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BreakTaken {
    /// Who.
    pub operator: OperatorId,
    /// The reason.
    pub reason: String,
    /// How long.
    pub lasted: Duration,
    /// Whether it began outside the schedule or above the day's limit, with a supervisor's leave.
    pub by_leave: bool,
    /// By how much the day's limit was overrun when it ended.
    pub over: Duration,
}

/// An operator as of before a restart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resumed {
    /// Who.
    pub operator: OperatorId,
    /// The line signed in to.
    pub line: Option<String>,
    /// What was chosen.
    pub status: Status,
    /// How long the break has lasted, if the status is one.
    pub on_it_for: Duration,
    /// Whether it is by a supervisor's leave.
    pub by_leave: bool,
    /// Breaks of today that are over, by reason.
    pub breaks_today: BTreeMap<String, Duration>,
}
