//! Owns what a load is told to do. Decides nothing.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use vocab::media::Law;

use crate::voice::Voices;

/// A load: whom it calls, from where, how often, and how its people behave.
#[derive(Debug, Clone)]
pub struct LoadSettings {
    /// The engine's SIP address (UDP).
    pub engine: SocketAddr,
    /// Address the callers live at; to the engine it is the trunk.
    pub caller_address: IpAddr,
    /// Address the operators' telephones live at.
    pub operator_address: IpAddr,
    /// The callers.
    pub callers: CallerPattern,
    /// The operators' accounts, in the engine's words.
    pub operators: Vec<OperatorAccount>,
    /// How the operators behave; may be overridden per account.
    pub behaviour: OperatorBehaviour,
    /// What callers and operators say.
    pub voices: Voices,
    /// The law that all of them speak.
    pub codec: Law,
    /// Threads that send and receive audio. One serves about a thousand calls.
    pub media_threads: usize,
    /// Where all random choices come from.
    pub seed: u64,
    /// Finished calls whose reports are kept, newest first out: beyond it the oldest are
    /// dropped and only counted.
    pub reports_max: usize,
}

impl LoadSettings {
    /// Callers at 127.0.0.2, operators at 127.0.0.3, A-law, one media thread; no operators, no
    /// calls yet.
    #[must_use]
    pub fn new(engine: SocketAddr) -> Self {
        Self {
            engine,
            caller_address: IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2)),
            operator_address: IpAddr::V4(Ipv4Addr::new(127, 0, 0, 3)),
            callers: CallerPattern::default(),
            operators: Vec::new(),
            behaviour: OperatorBehaviour::default(),
            voices: Voices::generated(1),
            codec: Law::Pcma,
            media_threads: 1,
            seed: 1,
            reports_max: 100_000,
        }
    }
}

/// From the shortest to the longest, evenly spread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DurationRange {
    /// Lower end, inclusive.
    pub shortest: Duration,
    /// Upper end.
    pub longest: Duration,
}

impl DurationRange {
    /// From `shortest` to `longest`.
    #[must_use]
    pub const fn new(shortest: Duration, longest: Duration) -> Self {
        Self { shortest, longest }
    }

    /// Always the same duration.
    #[must_use]
    pub const fn exactly(duration: Duration) -> Self {
        Self {
            shortest: duration,
            longest: duration,
        }
    }
}

/// How the callers call.
#[derive(Debug, Clone)]
pub struct CallerPattern {
    /// The number they dial.
    pub number: String,
    /// How many calls in all; `None` = until stopped.
    pub calls: Option<u64>,
    /// Calls a second; they arrive at random moments, as a Poisson process.
    pub rate: f64,
    /// Calls up at once at most; a call that would be one too many waits for its turn.
    pub at_once: usize,
    /// How long they talk, from the moment they hear the operator.
    pub talk: DurationRange,
    /// How long they wait to hear an operator before they hang up.
    pub patience: DurationRange,
    /// Share of talks (0 to 1) that the operator ends; the caller ends the others.
    pub operator_hangs_up: f64,
    /// Number of the first caller, digits with country code; the next has the next number, so
    /// that each call of a load has a caller of its own in the journal.
    pub first_caller: u64,
}

impl Default for CallerPattern {
    fn default() -> Self {
        Self {
            number: String::new(),
            calls: Some(0),
            rate: 1.0,
            at_once: 10,
            talk: DurationRange::new(Duration::from_secs(3), Duration::from_secs(10)),
            patience: DurationRange::exactly(Duration::from_secs(120)),
            operator_hangs_up: 0.3,
            first_caller: 79_140_000_000,
        }
    }
}

/// One operator's telephone.
#[derive(Clone)]
pub struct OperatorAccount {
    /// Sign-in name, which is also the SIP user.
    pub login: String,
    /// Password of the digest.
    pub password: String,
    /// How this one behaves, if unlike the others.
    pub behaviour: Option<OperatorBehaviour>,
}

impl OperatorAccount {
    /// An operator who behaves like the others.
    #[must_use]
    pub fn new(login: impl Into<String>, password: impl Into<String>) -> Self {
        Self {
            login: login.into(),
            password: password.into(),
            behaviour: None,
        }
    }
}

impl std::fmt::Debug for OperatorAccount {
    /// Without the password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OperatorAccount")
            .field("login", &self.login)
            .field("behaviour", &self.behaviour)
            .finish_non_exhaustive()
    }
}

/// How an operator takes an offer. The shares are of 1; what is left over answers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OperatorBehaviour {
    /// From the INVITE to the 200 (or to the 486, 603).
    pub answer_delay: DurationRange,
    /// Share of offers answered by 486 Busy Here.
    pub busy: f64,
    /// Share of offers answered by 603 Decline.
    pub reject: f64,
    /// Share of offers that ring until the engine gives up.
    pub ring_on: f64,
    /// Share of offers to which the telephone says nothing at all.
    pub dead: f64,
}

impl Default for OperatorBehaviour {
    fn default() -> Self {
        Self {
            answer_delay: DurationRange::new(
                Duration::from_millis(500),
                Duration::from_millis(2_000),
            ),
            busy: 0.0,
            reject: 0.0,
            ring_on: 0.0,
            dead: 0.0,
        }
    }
}
