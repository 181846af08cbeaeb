//! Owns what people want of the queues while the engine runs: what an operator chooses, what a
//! supervisor commands. Names are those that people know; who may want what is for the door to judge.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{CallId, SupervisionMode, WallTime};

/// What is wanted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "order", rename_all = "snake_case", deny_unknown_fields)]
pub enum Order {
    /// An operator signs in to a line and is available.
    SignIn {
        /// Login, or number of the own line.
        operator: String,
        /// The number of the workplace; without it the operator's own.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        line: Option<String>,
    },
    /// An operator signs out, and is off.
    SignOut {
        /// Who.
        operator: String,
    },
    /// An operator chooses a status.
    Choose {
        /// Who.
        operator: String,
        /// As [`crate::Fact::OperatorTurned`] spells it: `available`, `break: REASON`, `training`,
        /// `after_call_work`, `off`.
        status: String,
    },
    /// An operator has done the work after a call, where that is theirs to say.
    Ready {
        /// Who.
        operator: String,
    },
    /// Other skills for an operator.
    Skills {
        /// Whose.
        operator: String,
        /// All of them, with their levels.
        skills: BTreeMap<String, u8>,
    },
    /// Another priority for a waiting call.
    Priority {
        /// Which call.
        call: CallId,
        /// Which, in all; higher is served first.
        priority: u8,
    },
    /// A waiting call for the operator who asks for it.
    Pull {
        /// Which call.
        call: CallId,
        /// For whom.
        operator: String,
    },
    /// A waiting call for this operator, whatever the skills.
    Assign {
        /// Which call.
        call: CallId,
        /// To whom.
        operator: String,
    },
    /// A waiting call into another queue, with the waiting time it has.
    Move {
        /// Which call.
        call: CallId,
        /// Where.
        queue: String,
    },
    /// A missed call becomes a task: its caller is called back.
    CallBack {
        /// Which call.
        call: CallId,
        /// Whose operators are to call back.
        queue: String,
        /// The number to call.
        number: String,
        /// The number that the caller had dialled, to be shown.
        #[serde(default)]
        line: String,
    },
    /// A callback that is owed is owed no more: somebody has done it by other means, or nobody is to.
    Settle {
        /// The call that was promised it, or was missed.
        call: CallId,
    },
    /// A supervisor's telephone is called and joins a talk; one that is there takes part in another way.
    Supervise {
        /// Which call.
        call: CallId,
        /// Login or line of the supervisor.
        operator: String,
        /// How.
        mode: SupervisionMode,
    },
    /// The supervision of a call is over; the talk goes on.
    EndSupervision {
        /// Which call.
        call: CallId,
    },
    /// The two talks of an operator become one conference.
    Conference {
        /// Whose.
        operator: String,
    },
    /// A queue takes calls again.
    OpenQueue {
        /// Which.
        queue: String,
    },
    /// A queue takes no more calls; those in it go on. A restart does not open it.
    CloseQueue {
        /// Which.
        queue: String,
    },
}

impl Order {
    /// The call that it is about, if it is about one.
    #[must_use]
    pub const fn call(&self) -> Option<CallId> {
        match self {
            Self::Priority { call, .. }
            | Self::Pull { call, .. }
            | Self::Assign { call, .. }
            | Self::CallBack { call, .. }
            | Self::Settle { call }
            | Self::Supervise { call, .. }
            | Self::EndSupervision { call }
            | Self::Move { call, .. } => Some(*call),
            Self::SignIn { .. }
            | Self::SignOut { .. }
            | Self::Choose { .. }
            | Self::Ready { .. }
            | Self::Skills { .. }
            | Self::Conference { .. }
            | Self::OpenQueue { .. }
            | Self::CloseQueue { .. } => None,
        }
    }

    /// Whether operators may want it for themselves.
    #[must_use]
    pub const fn is_own(&self) -> bool {
        match self {
            Self::SignIn { .. }
            | Self::SignOut { .. }
            | Self::Choose { .. }
            | Self::Ready { .. }
            | Self::Conference { .. }
            | Self::Pull { .. } => true,
            Self::Skills { .. }
            | Self::Priority { .. }
            | Self::Assign { .. }
            | Self::CallBack { .. }
            | Self::Settle { .. }
            | Self::Supervise { .. }
            | Self::EndSupervision { .. }
            | Self::Move { .. }
            | Self::OpenQueue { .. }
            | Self::CloseQueue { .. } => false,
        }
    }
}

/// As whom somebody gives an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rank {
    /// As the operator: the rules of breaks hold.
    Operator,
    /// As a supervisor, whose word is the leave that a break needs.
    Supervisor,
}

/// An order and who gives it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instruction {
    /// Who: a login, the name of a token, or the user of a command line.
    pub by: String,
    /// As whom.
    pub rank: Rank,
    /// What is wanted.
    pub order: Order,
}

/// Why an order was not carried out. Nothing changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "refused", rename_all = "snake_case")]
pub enum OrderRefusal {
    /// There is no such operator.
    UnknownOperator {
        /// As it was said.
        operator: String,
    },
    /// There is no such queue.
    UnknownQueue {
        /// As it was said.
        queue: String,
    },
    /// There is no such status, or nobody can choose it.
    UnknownStatus {
        /// As it was said.
        status: String,
    },
    /// The call does not wait in a queue.
    NotWaiting {
        /// Which.
        call: CallId,
    },
    /// Nobody is owed a callback for the call.
    NotOwed {
        /// Which.
        call: CallId,
    },
    /// Nobody talks in the call now.
    NoTalk {
        /// Which.
        call: CallId,
    },
    /// Somebody else supervises the call.
    Supervised {
        /// Who; a login.
        by: String,
    },
    /// Nobody supervises the call.
    NotSupervised {
        /// Which.
        call: CallId,
    },
    /// The operator has no two talks that could become a conference.
    NoConference {
        /// Who.
        operator: String,
        /// Why not, in words.
        because: String,
    },
    /// The operator is not free.
    NotFree {
        /// Who.
        operator: String,
    },
    /// The queue would not take the call.
    QueueRefuses {
        /// Which.
        queue: String,
    },
    /// Somebody else is signed in to the line.
    LineTaken {
        /// Which line.
        line: String,
        /// Who.
        by: String,
    },
    /// The break needs a supervisor's leave.
    NeedsLeave {
        /// The reason of the break.
        reason: String,
        /// Why, in words.
        because: String,
    },
    /// Only a supervisor gives such an order.
    NotYours,
    /// There is no work after a call that the operator could end.
    NothingToEnd {
        /// Who.
        operator: String,
    },
    /// A value that cannot be.
    Unfit {
        /// What was expected, and what came.
        message: String,
    },
    /// The engine does not take orders now.
    Unavailable {
        /// Why.
        cause: String,
    },
}

impl fmt::Display for OrderRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownOperator { operator } => write!(
                f,
                "there is no operator with the login or line {operator:?}; `hotline user list` \
                 shows them all"
            ),
            Self::UnknownQueue { queue } => {
                write!(f, "there is no queue {queue:?} in the settings")
            }
            Self::UnknownStatus { status } => write!(
                f,
                "expected available, \"break: REASON\", training, after_call_work or off, found \
                 {status:?}"
            ),
            Self::NotWaiting { call } => write!(f, "the call {call} waits in no queue now"),
            Self::NotOwed { call } => write!(
                f,
                "no callback is owed for the call {call}; `hotline acd callbacks` lists those that are"
            ),
            Self::NoTalk { call } => write!(
                f,
                "nobody talks in the call {call} now; only a talk can be supervised"
            ),
            Self::Supervised { by } => write!(
                f,
                "{by} supervises the call; one can at a time, so end that first"
            ),
            Self::NotSupervised { call } => write!(f, "nobody supervises the call {call}"),
            Self::NoConference { operator, because } => {
                write!(f, "{operator} cannot begin a conference: {because}")
            }
            Self::NotFree { operator } => {
                write!(f, "{operator} is not free; wait, or choose somebody else")
            }
            Self::QueueRefuses { queue } => {
                write!(
                    f,
                    "the queue {queue:?} takes no call now: closed, full or unstaffed"
                )
            }
            Self::LineTaken { line, by } => write!(
                f,
                "{by} is signed in to the line {line}; sign {by} out first, or take another line"
            ),
            Self::NeedsLeave { reason, because } => {
                write!(
                    f,
                    "the break {reason:?} needs a supervisor's leave: {because}"
                )
            }
            Self::NotYours => f.write_str("only a supervisor may order this"),
            Self::NothingToEnd { operator } => {
                write!(
                    f,
                    "{operator} has no work after a call that could be ended by a word"
                )
            }
            Self::Unfit { message } => f.write_str(message),
            Self::Unavailable { cause } => f.write_str(cause),
        }
    }
}

impl std::error::Error for OrderRefusal {}

/// What an operator chose, whole: what a restart takes up again.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Duty {
    /// The line signed in to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<String>,
    /// As [`crate::Fact::OperatorTurned`] spells it.
    pub status: String,
    /// Since when the break lasts, if this is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub break_since: Option<WallTime>,
    /// Whether it began by a supervisor's leave.
    #[serde(default)]
    pub by_leave: bool,
    /// The local day on which `breaks_ms` counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub day: Option<u32>,
    /// Breaks of that day that are over, milliseconds by reason.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub breaks_ms: BTreeMap<String, u64>,
}

/// What stood when the last event of the journal was written.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// What each operator chose, by login.
    pub duties: BTreeMap<String, Duty>,
    /// Queues that a supervisor closed, by name.
    pub closed: Vec<String>,
    /// Callbacks that are owed, and to which calls.
    pub callbacks: Vec<(CallId, Callback)>,
    /// What is remembered of callers.
    pub remembered: Remembered,
}

/// What is remembered of callers who are not here.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remembered {
    /// Places of callers who left a queue before they were served; the one who waited longest first.
    pub places: Vec<KeptPlace>,
    /// Who talked to a number last; the oldest talk first.
    pub regulars: Vec<Regular>,
}

/// The place of a caller who left a queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptPlace {
    /// The caller's number.
    pub caller: String,
    /// Which queue, by name.
    pub queue: String,
    /// Since when the caller waited.
    pub since: WallTime,
    /// When the caller left; none: the engine died first.
    pub left: Option<WallTime>,
}

/// An operator who talked to a caller.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Regular {
    /// The caller's number.
    pub caller: String,
    /// The operator's login.
    pub operator: String,
}

/// A callback that is owed, whole: what a restart takes up again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Callback {
    /// In which queue it has its place.
    pub queue: String,
    /// The number to call.
    pub number: String,
    /// The number that the caller had dialled, which is shown to them.
    pub line: String,
    /// Since when the caller waits.
    pub since: WallTime,
    /// Higher is served first.
    pub priority: u8,
    /// What it asks of an operator besides what the queue asks: skill and least level.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub skills: Vec<(String, u8)>,
    /// The language that the caller chose.
    pub language: String,
    /// Whether the talk is recorded: the caller was told so.
    pub recorded: bool,
    /// How often it is tried yet.
    pub attempts_left: u8,
}

/// How a callback ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallbackResult {
    /// The caller answered.
    Reached,
    /// All attempts were in vain.
    GaveUp,
    /// The caller called first, and has the place.
    CallerCalled,
    /// One was owed to that number already.
    Duplicate,
    /// It was taken back.
    Cancelled,
    /// The queue is closed, or not in the settings any more.
    Closed,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_are_read_as_people_write_them_and_nothing_else_is() {
        let read = |text| serde_json::from_str::<Order>(text);
        let order = r#"{"order":"choose","operator":"ivanova","status":"break: lunch"}"#;
        let wanted = Order::Choose {
            operator: "ivanova".to_owned(),
            status: "break: lunch".to_owned(),
        };
        assert_eq!(read(order).unwrap(), wanted);
        assert_eq!(serde_json::to_string(&wanted).unwrap(), order);
        let line = r#"{"order":"sign_in","operator":"ivanova","lane":"105"}"#;
        assert!(
            read(line).is_err(),
            "a misspelt key would be a silent default"
        );
        assert!(read(r#"{"order":"dance"}"#).is_err());
    }
}
