//! Owns what a run and whoever carries it out say to each other.

use core::time::Duration;
use std::collections::BTreeMap;

use vocab::{Outcome, QueueOutcome, WallTime};

use crate::step::Announce;

/// What became of the last step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Happened {
    /// The call arrived.
    Started,
    /// The time of a [`Step::Wait`] is over.
    Waited,
    /// The call is answered: the answer to [`Step::Answer`].
    Answered,
    /// What was to be heard was played to its end, or could not be played: the answer to
    /// [`Step::Say`], [`Step::Music`] and [`Step::Voicemail`].
    Said,
    /// The keys that the caller pressed, without the one that ends the entry; empty if none came
    /// in time: the answer to [`Step::Ask`].
    Keyed(String),
    /// It is written down: the answer to [`Step::Set`] and [`Step::Rate`].
    Noted,
    /// The call left the queue: the answer to [`Step::Queue`].
    QueueLeft(QueueOutcome),
    /// The queue let the call go, or did not take it: an answer to [`Step::Queue`] that says more.
    NotServed(Unserved),
    /// Who was called did not answer, or nobody is there: an answer to [`Step::Ring`] and
    /// [`Step::Transfer`].
    NotReached,
    /// The body of a service's reply, or none without a good one: the answer to [`Step::Fetch`].
    Fetched(Option<String>),
    /// The talk is over and the caller is still there. Follows [`Step::Talk`]; may also be said in
    /// place of the answer to a [`Step::Queue`], [`Step::Ring`] or [`Step::Transfer`].
    TalkEnded,
}

/// Why a queue does not serve a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unserved {
    /// It has as many calls as it may.
    Full,
    /// The call has waited as long as one may.
    WaitedTooLong,
    /// It is closed.
    Closed,
    /// Nobody who serves it is signed in, or has a telephone that can be reached.
    Nobody,
    /// All who serve it are on a break, in training or not ready.
    OnBreak,
}

impl Unserved {
    /// What the call is if nothing better follows.
    #[must_use]
    pub const fn outcome(self) -> Outcome {
        match self {
            Self::Full => Outcome::RefusedFull,
            Self::WaitedTooLong => Outcome::TimedOut,
            Self::Closed | Self::Nobody | Self::OnBreak => Outcome::Closed,
        }
    }

    /// The key of a `queue` that says where such a call goes.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::Full => "on_full",
            Self::WaitedTooLong => "on_timeout",
            Self::Closed => "on_closed",
            Self::Nobody => "on_nobody",
            Self::OnBreak => "on_break",
        }
    }

    /// All causes.
    pub const ALL: [Self; 5] = [
        Self::Full,
        Self::WaitedTooLong,
        Self::Closed,
        Self::Nobody,
        Self::OnBreak,
    ];
}

/// What a caller chose at a menu, for the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chosen {
    /// The flow in which the menu stands.
    pub menu: String,
    /// The key; empty if the last try was in vain.
    pub key: String,
    /// The flow that follows; empty if the menu's own goes on.
    pub flow: String,
}

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Let it ring, then say [`Happened::Waited`].
    Wait {
        /// For how long.
        time: Duration,
    },
    /// Answer the call, then say [`Happened::Answered`].
    Answer,
    /// Play a prompt to its end, then say [`Happened::Said`].
    Say {
        /// As in [`crate::PromptRef`].
        prompt: String,
        /// As in [`crate::PromptRef`].
        language: String,
        /// It tells the caller that the call is recorded.
        notice: bool,
    },
    /// Play music, then say [`Happened::Said`].
    Music {
        /// As in [`crate::PromptRef`], no language.
        music: String,
        /// For how long.
        time: Duration,
    },
    /// Play a prompt and gather keys, then say [`Happened::Keyed`].
    Ask(Ask),
    /// Write down that a field has a value, then say [`Happened::Noted`].
    Set {
        /// Which field.
        field: String,
        /// The value; `None` if it is personal.
        value: Option<String>,
    },
    /// Write down the caller's mark, then say [`Happened::Noted`].
    Rate {
        /// From 1 to 5.
        mark: u8,
    },
    /// Put the call in a queue, then say [`Happened::QueueLeft`].
    Queue {
        /// The queue's name in the settings.
        queue: String,
        /// Played again and again while the call waits; as in [`crate::PromptRef`], no language.
        music: Option<String>,
        /// Higher is served first.
        priority: u8,
        /// Whether the talk is recorded.
        recorded: bool,
        /// Whether what the caller says and hears while waiting is recorded.
        wait_recorded: bool,
        /// What the operator must have besides what the queue asks for: the least level of each.
        skills: BTreeMap<String, u8>,
        /// The operator who gets the call first, by line or login.
        owner: Option<String>,
        /// When the caller is told place and expected wait, if ever.
        announce: Option<Announce>,
    },
    /// Call somebody; say [`Happened::NotReached`] if that fails.
    Ring {
        /// Whom.
        target: Target,
        /// How long it may ring.
        time: Duration,
        /// Played meanwhile, as for a queue.
        music: Option<String>,
        /// Whether the talk is recorded.
        recorded: bool,
    },
    /// Hand the call over; say [`Happened::NotReached`] if nobody takes it.
    Transfer {
        /// A plan's number, a line or login, a queue or an outer number.
        to: String,
    },
    /// Ask a web service, then say [`Happened::Fetched`].
    Fetch {
        /// Where.
        url: String,
        /// A JSON object to be sent by POST; a GET without one.
        body: Option<String>,
        /// After which there is no reply.
        timeout: Duration,
    },
    /// Record a message, then say [`Happened::Said`].
    Voicemail(Box<VoiceMessage>),
    /// The caller wants to be called back: take note, and hang up.
    CallBack {
        /// The queue that calls.
        queue: String,
    },
    /// Nothing: the call is with an operator. Say [`Happened::TalkEnded`] when that is over.
    Talk,
    /// End the call.
    Hangup {
        /// The call's outcome as far as the plan knows it.
        outcome: Option<Outcome>,
        /// The SIP status for a call that was never answered.
        status: u16,
        /// Cause of ITU-T Q.850, if the plan gives one.
        cause: Option<u8>,
    },
}

/// A message to be left, after a greeting and a tone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VoiceMessage {
    /// The greeting, as in [`Step::Say`]. It says that a message is recorded.
    pub prompt: String,
    /// As in [`Step::Say`].
    pub language: String,
    /// Where it is kept.
    pub mailbox: String,
    /// Operators for whom it waits, by line or login.
    pub lines: Vec<String>,
    /// Longest message.
    pub longest: Duration,
    /// Where less is said, it is thrown away.
    pub shortest: Duration,
    /// Silence that ends it.
    pub silence: Duration,
    /// The key that ends it.
    pub end: char,
}

/// Keys to be gathered from a caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// As in [`Step::Say`].
    pub prompt: String,
    /// As in [`Step::Say`].
    pub language: String,
    /// Whether a key pressed during the prompt counts, and ends it.
    pub barge_in: bool,
    /// How long each key is waited for, from the end of the prompt or the key before.
    pub wait: Duration,
    /// So many keys end the entry.
    pub digits_max: u8,
    /// The key that ends the entry, if there is one.
    pub end: Option<char>,
    /// Personal: in no log.
    pub personal: bool,
}

/// Somebody certain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// An operator, by line or login.
    Operator(String),
    /// Several at once: who answers first has the call.
    Operators(Vec<String>),
    /// A number of the outer network.
    Number(String),
}

/// What a run looks at when it comes to a fork.
pub trait Sights {
    /// The wall clock.
    fn now(&self) -> WallTime;
    /// A queue of the settings.
    fn queue(&self, name: &str) -> QueueState;
}

/// The state of a queue.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct QueueState {
    /// Calls that wait.
    pub waiting: u32,
    /// Whether any operator who can be reached serves it.
    pub served: bool,
    /// Whether an operator is free for it.
    pub free: bool,
}
