//! Owns the sentences that explain decisions to a supervisor. Refuses to decide.

use core::fmt::Write as _;
use core::time::Duration;
use std::collections::BTreeMap;

use vocab::{CallId, OperatorState, Time};

use crate::Acd;

/// What led to an offer.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Occasion {
    /// A call looked for an operator.
    CallWaits {
        /// Better-placed operators with whom an offer of this call failed a moment ago.
        passed_over: usize,
    },
    /// An operator became free while calls waited.
    OperatorFree,
}

/// What was known when an offer was decided.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Facts<'a> {
    pub(crate) skill: Option<&'a str>,
    pub(crate) level: u8,
    pub(crate) idle: Duration,
    /// Free operators of the skill besides the chosen one.
    pub(crate) others_free: usize,
    /// Calls of the skill without an offer, this one included.
    pub(crate) waiting: usize,
    pub(crate) waited: Duration,
}

/// Why this operator got this call.
pub(crate) fn why(occasion: &Occasion, facts: &Facts<'_>) -> String {
    let level = match facts.skill {
        Some(skill) => format!("level {} in \"{skill}\", ", facts.level),
        None => String::new(),
    };
    let idle = Seconds(facts.idle);
    match *occasion {
        Occasion::CallWaits { passed_over } => {
            let strategy = match facts.skill {
                Some(_) => "Highest level, then longest idle",
                None => "Longest idle",
            };
            let others = match facts.others_free {
                1 => "1 other".to_owned(),
                count => format!("{count} others"),
            };
            let mut text = format!("{strategy}: {level}idle {idle}, {others} free");
            if passed_over > 0 {
                let _ = write!(
                    text,
                    ", {passed_over} of them passed over: this call just failed there"
                );
            }
            text.push('.');
            text
        }
        Occasion::OperatorFree => format!(
            "Became free for the next call: {level}idle {idle}; the call waited {}, first of {}.",
            Seconds(facts.waited),
            facts.waiting,
        ),
    }
}

/// A duration for people: tenths of a second up to a minute, then minutes.
struct Seconds(Duration);

impl core::fmt::Display for Seconds {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let tenths = self.0.as_millis() / 100;
        if tenths < 600 {
            return write!(f, "{}.{} s", tenths / 10, tenths % 10);
        }
        write!(f, "{} min {} s", tenths / 600, tenths % 600 / 10)
    }
}

impl Acd {
    /// Why a call waits, in a sentence: its place, and what the operators do who can serve it.
    /// Looks at every operator: for people who ask, not for every event.
    #[must_use]
    pub fn explain(&self, now: Time, call: CallId) -> Option<String> {
        let waiting = self.calls.get(&call)?;
        let queue = self.queues.get(&waiting.queue)?;
        let mut states: BTreeMap<&str, usize> = BTreeMap::new();
        let serving = self.operators.values().filter(|operator| {
            operator.listed
                && operator
                    .memberships
                    .iter()
                    .any(|of| of.group == waiting.group)
        });
        for operator in serving {
            *states.entry(word(operator.shown().0)).or_default() += 1;
        }
        let what = if waiting.offer.is_some() {
            "rings at an operator"
        } else {
            "waits"
        };
        let mut text = format!(
            "Number {} of {} in \"{}\", {what} after {}; ",
            self.position(call)?,
            queue.calls.len(),
            queue.settings.name,
            Seconds(now.since(waiting.entered)),
        );
        match &queue.settings.skill {
            Some(skill) => {
                let _ = write!(text, "operators with \"{skill}\": ");
            }
            None => text.push_str("operators: "),
        }
        let mut separator = "";
        for (state, count) in &states {
            let _ = write!(text, "{separator}{count} {state}");
            separator = ", ";
        }
        text.push_str(if states.is_empty() { "none." } else { "." });
        Some(text)
    }
}

const fn word(state: OperatorState) -> &'static str {
    match state {
        OperatorState::Unreachable => "unreachable",
        OperatorState::Free => "free",
        OperatorState::Reserved => "reserved",
        OperatorState::Ringing => "ringing",
        OperatorState::Talking => "talking",
        OperatorState::OtherCall => "in another call",
        OperatorState::WrapUp => "in wrap-up",
        OperatorState::Resting => "resting",
        OperatorState::Paused => "paused",
    }
}
