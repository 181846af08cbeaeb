//! Owns what the core is told. Refuses to act on it.

use core::time::Duration;

use vocab::{CallId, OfferId, OfferResult, OperatorId, QueueId, Time};

use crate::breaks::BreakSettings;
use crate::callback::CallbackWish;
use crate::command::Command;
use crate::settings::{CallerSettings, OperatorSettings, QueueSettings, WrapUp};
use crate::skills::SkillNeed;
use crate::status::{By, Resumed, Status};

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// The table of queues, whole. A queue that is missing takes no new calls; those in it go on.
    Queues(Vec<QueueSettings>),
    /// The table of operators, whole, in the order of linear strategies. One that is missing ends
    /// the offer or talk under way first.
    Operators(Vec<OperatorSettings>),
    /// What is known of callers, whole: by number.
    Callers(Vec<(String, CallerSettings)>),
    /// What was remembered of callers before a restart; after the tables.
    Remembered(Remembered),
    /// Who talked to a number longer ago, the newest talk first; what is known of a number stays.
    Regulars(Vec<(String, OperatorId)>),
    /// The kinds of breaks, whole.
    Breaks(Vec<BreakSettings>),
    /// The local time of day, at the start and whenever the clock was set.
    Clock {
        /// Days since any day; a new one begins the operators' counts anew.
        day: u32,
        /// Since midnight.
        time: Duration,
    },
    /// The first telephone of an operator registered, or the last one went.
    Reachable {
        /// Who.
        operator: OperatorId,
        /// Whether there is a live registration now.
        reachable: bool,
    },
    /// An operator signs in to a line and is available.
    SignedIn {
        /// Who.
        operator: OperatorId,
        /// The number of the workplace.
        line: String,
    },
    /// An operator signs out, and is off.
    SignedOut {
        /// Who.
        operator: OperatorId,
    },
    /// A status was chosen.
    Status {
        /// Whose.
        operator: OperatorId,
        /// Which.
        status: Status,
        /// Who chose it.
        by: By,
    },
    /// An operator goes on as before a restart; after the table of operators and the clock.
    Resumed(Resumed),
    /// A call is to wait in a queue. A call that waits in another queue is moved.
    Queued(Arrival),
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
    /// Of a callback that is being dialled: whom it is for was not reached.
    Failed {
        /// Which offer.
        offer: OfferId,
        /// How.
        result: OfferResult,
    },
    /// The operator and the caller put each other on hold, or took the talk up again.
    Held {
        /// Who.
        operator: OperatorId,
        /// Whether the talk is on hold.
        held: bool,
    },
    /// The operator's part of a call is over.
    Freed {
        /// Who.
        operator: OperatorId,
    },
    /// The journal entry of a call is complete.
    EntryComplete {
        /// Who completed it.
        operator: OperatorId,
        /// Of which call.
        call: CallId,
    },
    /// The operator has finished the work after a call, where that is theirs to say.
    Ready {
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
        /// Work after it, if it is the last.
        wrap_up: WrapUp,
    },
    /// A caller is to be called back, in the place the call has or had.
    CallbackWanted(CallbackWish),
    /// The one who is called back answered: now the operator may ring.
    CallbackReached {
        /// Which offer dials.
        offer: OfferId,
    },
    /// From now on a callback that waits goes by another name: that of its next attempt.
    CallbackNamed {
        /// Which.
        call: CallId,
        /// Its name from now on; no other call has it.
        next: CallId,
    },
    /// What became of a callback for which an operator answered first.
    CallbackEnded {
        /// Which.
        call: CallId,
        /// Whether the two talked; else it is tried again.
        reached: bool,
    },
    /// From now on another core takes all new calls, and operators go to it (see `lease`).
    HandedOver,
    /// That core is gone: every operator is ours again.
    TakenBack,
    /// Another core has handed over to this one, and holds the operators. At the start.
    Predecessor,
    /// That core is gone: every operator is ours.
    PredecessorGone,
    /// The core that has handed over to this one names everybody it knows, by an [`crate::Output::Staff`].
    Staff(Vec<OperatorId>),
    /// The other core gives these operators, by an [`crate::Output::Lend`].
    Lent(Vec<OperatorId>),
    /// Whether the other core wants operators, by an [`crate::Output::Want`].
    Wanted(bool),
    /// A supervisor's or an operator's command.
    Command {
        /// A number that the answer names.
        number: u32,
        /// What is wanted.
        command: Command,
    },
}

/// What was remembered of callers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Remembered {
    /// Places that are kept on: of whom, where, and for how long yet; who waited longest comes first.
    pub places: Vec<(String, QueueId, Duration)>,
    /// Who talked to a number last, the oldest first.
    pub regulars: Vec<(String, OperatorId)>,
}

/// A call that is to wait in a queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrival {
    /// Which call.
    pub call: CallId,
    /// Where.
    pub queue: QueueId,
    /// Higher is served first. The queue's and the caller's are added.
    pub priority: u8,
    /// Since when it waits, which orders calls of one priority: earlier than now for a call that
    /// comes back to its old place. The longest wait counts from now all the same.
    pub since: Time,
    /// The caller's number; empty if withheld.
    pub caller: String,
    /// What this call asks for besides what the queue asks for: the language that was chosen.
    pub skills: Vec<SkillNeed>,
    /// The operator who looks after this caller, if that is known.
    pub owner: Option<OperatorId>,
}

impl Arrival {
    /// A call that comes now and asks for nothing of its own.
    #[must_use]
    pub const fn new(call: CallId, queue: QueueId, now: Time) -> Self {
        Self {
            call,
            queue,
            priority: 0,
            since: now,
            caller: String::new(),
            skills: Vec::new(),
            owner: None,
        }
    }
}
