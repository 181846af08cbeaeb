//! Owns what is configured about queues and operators. Refuses to know what happens to them.

use core::time::Duration;
use std::collections::BTreeMap;

use vocab::{OperatorId, QueueId};

use crate::skills::{Relaxation, SkillNeed};

/// Shortest time before an operator is asked again after a failed offer, whatever is configured.
///
/// A telephone that declines by itself (do-not-disturb) answers within a millisecond; with a
/// delay of zero it and the engine would exchange INVITEs as fast as the network carries them.
pub const PAUSE_AFTER_FAILURE_MIN: Duration = Duration::from_millis(100);

/// Queues that a call may overflow through; two that overflow into each other end here.
pub const OVERFLOWS_MAX: u8 = 3;

/// Operators at whom one call may ring at once, whatever is configured.
pub const RINGING_AT_ONCE_MAX: usize = 32;

/// A queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueSettings {
    /// Its number in the loaded settings.
    pub id: QueueId,
    /// Its name, for explanations.
    pub name: String,
    /// What its calls ask of an operator.
    pub skills: Vec<SkillNeed>,
    /// How that is eased while a call waits, in order of time.
    pub relaxation: Vec<Relaxation>,
    /// Whom it takes among those who can serve alike.
    pub strategy: Strategy,
    /// What a higher level is worth.
    pub levels: Levels,
    /// At how many operators one call rings.
    pub ringing: Ringing,
    /// How long an offer rings, unless the operator has a time of their own.
    pub ring_time: Duration,
    /// What follows when an offer fails.
    pub failures: Failures,
    /// Work after a call.
    pub wrap_up: WrapUp,
    /// Added to the priority that a call brings.
    pub priority: u8,
    /// Waiting time that its calls are credited with when they enter.
    pub credit: Duration,
    /// Only operators who name the queue serve it; else also those who name none.
    pub members_only: bool,
    /// When its reserve operators help.
    pub reserve: Reserve,
    /// How long a call waits for its own operator before anybody may take it; `None` for not.
    pub sticky: Option<Duration>,
    /// How long the place of a caller is kept who hung up; `None` for not.
    pub keep_place: Option<Duration>,
    /// The longest wait, counted from entry; `None` for no limit.
    pub wait_max: Option<Duration>,
    /// What becomes of a call that waited so long.
    pub on_wait_max: Overflow,
    /// Calls in the queue at once, those that ring included; one more overflows.
    pub length_max: usize,
    /// What becomes of one more.
    pub on_full: Overflow,
    /// What becomes of a call for a queue that is closed.
    pub on_closed: Overflow,
    /// What happens when nobody serves it, by the cause.
    pub unstaffed: Vec<StaffRule>,
}

impl QueueSettings {
    /// A queue for everybody about which nothing else is said: the one idle longest, no limits, no
    /// wrap-up; who lets it ring in vain for 20 s is left alone for 30 s.
    #[must_use]
    pub fn new(id: QueueId, name: &str) -> Self {
        Self {
            id,
            name: name.to_owned(),
            skills: Vec::new(),
            relaxation: Vec::new(),
            strategy: Strategy::LongestIdle,
            levels: Levels::HighestFirst,
            ringing: Ringing::One,
            ring_time: Duration::from_secs(20),
            failures: Failures::new(Duration::from_secs(5), Duration::from_secs(30)),
            wrap_up: WrapUp::None,
            priority: 0,
            credit: Duration::ZERO,
            members_only: false,
            reserve: Reserve::default(),
            sticky: None,
            keep_place: None,
            wait_max: None,
            on_wait_max: Overflow::Plan,
            length_max: usize::MAX,
            on_full: Overflow::Plan,
            on_closed: Overflow::Plan,
            unstaffed: Vec::new(),
        }
    }
}

/// Whom a queue takes among those who can serve a call alike.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Strategy {
    /// The one who has been free longest.
    #[default]
    LongestIdle,
    /// The one who took the fewest calls today.
    FewestCalls,
    /// The one who talked least today.
    LeastTalk,
    /// In the order of the table, beginning after the last one who got a call.
    RoundRobin,
    /// In the order of the table, from its beginning each time.
    Linear,
    /// By lot; an operator with twice the weight is drawn twice as often.
    WeightedRandom,
}

/// What a higher level is worth.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Levels {
    /// The operator with the highest level first; the strategy decides between equals.
    #[default]
    HighestFirst,
    /// Nothing, within the limits: the strategy alone decides.
    Alike,
}

/// At how many operators one call rings at once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Ringing {
    /// At one.
    #[default]
    One,
    /// At all who are free and whom no other call needs, this number at most.
    All(usize),
    /// At one, and at one more each time that it has rung for so long.
    Progressive {
        /// How long until the next one.
        every: Duration,
        /// At how many at most.
        max: usize,
    },
}

/// When operators help who are a queue's reserve. Either is enough; with neither they never do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reserve {
    /// From so many calls in the queue on.
    pub length: Option<usize>,
    /// With calls that have waited so long.
    pub wait: Option<Duration>,
}

/// Work after a call, in which no other is offered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum WrapUp {
    /// There is none.
    #[default]
    None,
    /// The operator says when it is over; at the latest after this.
    Optional(Duration),
    /// This long.
    Fixed(Duration),
    /// Until the journal entry of the call is complete; at the latest after this.
    UntilEntry(Duration),
}

impl WrapUp {
    /// The longest it may last.
    #[must_use]
    pub const fn longest(self) -> Duration {
        match self {
            Self::None => Duration::ZERO,
            Self::Optional(limit) | Self::Fixed(limit) | Self::UntilEntry(limit) => limit,
        }
    }
}

/// What follows when an offer fails, by the way it failed. The call goes to the next operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failures {
    /// It rang in vain.
    pub no_answer: Consequence,
    /// The person declined.
    pub rejected: Consequence,
    /// The telephone was busy.
    pub busy: Consequence,
    /// The telephone could not be reached.
    pub unreachable: Consequence,
}

impl Failures {
    /// One who declines or is busy gets that call again after `retry`, and is set aside for as
    /// long from the second time in a row; one who does not answer is set aside for `rest` at once.
    /// The first refusal may be about that one caller; from the second on it is the telephone or
    /// the person that takes no calls.
    #[must_use]
    pub const fn new(retry: Duration, rest: Duration) -> Self {
        let declined = Consequence {
            retry,
            rest: retry,
            rest_from: 2,
            not_ready_from: 0,
        };
        let silent = Consequence {
            retry,
            rest,
            rest_from: 1,
            not_ready_from: 0,
        };
        Self {
            no_answer: silent,
            rejected: declined,
            busy: declined,
            unreachable: silent,
        }
    }
}

/// What follows from one way to fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Consequence {
    /// How long the call is not offered to this operator again.
    pub retry: Duration,
    /// How long the operator is set aside.
    pub rest: Duration,
    /// From which such failure in a row; 0 for never.
    pub rest_from: u8,
    /// From which such failure in a row the operator is not ready until they say otherwise; 0 for
    /// never.
    pub not_ready_from: u8,
}

/// What becomes of a call that cannot stay in a queue.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Overflow {
    /// Its dialplan goes on.
    #[default]
    Plan,
    /// It waits in another queue, with the waiting time it has.
    Queue(QueueId),
    /// It leaves a message.
    Voicemail,
    /// It is put through to an outer number.
    Number(String),
    /// It is called back.
    Callback,
    /// It is told that the hotline is closed, and ends.
    Close,
}

/// Why nobody serves a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unstaffed {
    /// Nobody who serves it is signed in.
    NobodySignedIn,
    /// Of those who are signed in, nobody has a telephone that can be reached.
    NobodyReachable,
    /// All who could are on a break, in training or not ready.
    AllOnBreak,
}

/// What happens when nobody serves a queue, for one cause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StaffRule {
    /// The cause.
    pub cause: Unstaffed,
    /// New calls do not get in.
    pub refuses: bool,
    /// How long it lasts until those that wait leave; `None`: they stay.
    pub leave_after: Option<Duration>,
    /// What becomes of them.
    pub then: Overflow,
}

/// An operator. Whether a telephone is reachable and whether the person takes calls are inputs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperatorSettings {
    /// Who.
    pub id: OperatorId,
    /// Level per skill, 0 to 100; 0 is the same as not having the skill. Languages are skills.
    pub skills: BTreeMap<String, u8>,
    /// The queues that the operator serves; empty for all that want no members of their own.
    pub queues: Vec<Membership>,
    /// How long an offer rings, in place of the queue's time.
    pub ring_time: Option<Duration>,
    /// How often by lot, compared with others; 0 counts as 1.
    pub weight: u16,
    /// Whether the operator signs in to a line; else a registered telephone is enough.
    pub attendance: Attendance,
}

impl OperatorSettings {
    /// An operator with these skills who serves all queues.
    #[must_use]
    pub const fn new(id: OperatorId, skills: BTreeMap<String, u8>) -> Self {
        Self {
            id,
            skills,
            queues: Vec::new(),
            ring_time: None,
            weight: 1,
            attendance: Attendance::ByTelephone,
        }
    }
}

/// What makes an operator present.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Attendance {
    /// A telephone that is registered.
    #[default]
    ByTelephone,
    /// Signing in to a line; the telephone has to be registered as well.
    BySignIn,
}

/// An operator's place in a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Membership {
    /// Which queue.
    pub queue: QueueId,
    /// Which of the operator's queues is served first: the lowest; equals by their calls.
    pub order: u8,
    /// How long a call must have waited before the operator gets it.
    pub delay: Duration,
    /// Whether the operator is of the queue's reserve.
    pub reserve: bool,
    /// How long an offer of this queue rings here, in place of any other time.
    pub ring_time: Option<Duration>,
}

impl Membership {
    /// A place in a queue like anybody's.
    #[must_use]
    pub const fn of(queue: QueueId) -> Self {
        Self {
            queue,
            order: 0,
            delay: Duration::ZERO,
            reserve: false,
            ring_time: None,
        }
    }
}

/// What is known of a caller's number before it calls.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CallerSettings {
    /// Added to the priority of the call.
    pub priority: u8,
    /// Waiting time that the call is credited with.
    pub credit: Duration,
    /// The operator who looks after this caller.
    pub owner: Option<OperatorId>,
}
