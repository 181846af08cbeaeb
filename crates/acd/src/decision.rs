//! Owns what is told of a decision: why this operator, who else was considered, why not.
//!
//! Data, so that it can be kept as a fact; its `Display` is the sentence for a supervisor.

use core::fmt;
use core::time::Duration;
use std::sync::Arc;

use vocab::OperatorId;

use crate::settings::{Levels, Strategy};

/// Operators named in one decision besides the chosen one.
pub const CONSIDERED_MAX: usize = 6;

/// Why an operator gets a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// What led to it.
    pub occasion: Occasion,
    /// The skills that decided, for people; empty if the queue asks for none.
    pub skills: Arc<str>,
    /// The order that decided between equals.
    pub strategy: Strategy,
    /// Whether higher levels come first.
    pub levels: Levels,
    /// The operator's level in those skills; the lowest, if there are several.
    pub level: u8,
    /// How long the operator was free.
    pub idle: Duration,
    /// How long the call has waited in this queue.
    pub waited: Duration,
    /// Calls that ask for the same, this one included.
    pub waiting: usize,
    /// Free operators who serve such calls, besides the chosen one.
    pub others_free: usize,
    /// Steps by which the call's demands were eased.
    pub steps: usize,
    /// Those who came before but could not get it, then those who would have been next.
    pub considered: Vec<Considered>,
}

/// What led to an offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Occasion {
    /// A call looked for an operator.
    CallWaited,
    /// An operator became free while calls waited.
    OperatorFree,
    /// The call waited for this operator: the caller's own, or the last one.
    OwnOperator,
    /// A call that rings already may ring at one more.
    RingsOn,
    /// A supervisor assigned it.
    Assigned,
    /// The operator pulled it out of the queue.
    Pulled,
}

/// An operator who was considered and not chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Considered {
    /// Who.
    pub operator: OperatorId,
    /// Why not.
    pub why_not: WhyNot,
}

/// Why a free operator did not get a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhyNot {
    /// An offer of this call failed there a moment ago, or it rings there.
    JustFailed,
    /// The operator gets calls of this queue only after a longer wait.
    Delayed,
    /// The operator is of the reserve.
    Reserve,
    /// A level is below the lowest that will do.
    LevelTooLow,
    /// A level is above the highest that is spent on such a call.
    LevelTooHigh,
    /// Others have more of the skills that are preferred.
    LessPreferred,
    /// Others have a higher level.
    LowerLevel,
    /// Others come first by the strategy.
    BehindInOrder,
}

impl WhyNot {
    /// In words that follow a name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::JustFailed => "this call just failed there",
            Self::Delayed => "gets such calls only after a longer wait",
            Self::Reserve => "in reserve",
            Self::LevelTooLow => "level too low",
            Self::LevelTooHigh => "level too high, spared for others",
            Self::LessPreferred => "has less of the preferred skills",
            Self::LowerLevel => "lower level",
            Self::BehindInOrder => "comes later in order",
        }
    }
}

impl Strategy {
    /// As a decision names it.
    const fn in_words(self) -> &'static str {
        match self {
            Self::LongestIdle => "longest idle",
            Self::FewestCalls => "fewest calls",
            Self::LeastTalk => "least talk",
            Self::RoundRobin => "round robin",
            Self::Linear => "order of the table",
            Self::WeightedRandom => "by lot",
        }
    }
}

impl Decision {
    fn order(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let strategy = self.strategy.in_words();
        if self.levels == Levels::HighestFirst && !self.skills.is_empty() {
            return write!(f, "Highest level, then {strategy}: ");
        }
        let (first, rest) = strategy.split_at(1);
        write!(f, "{}{rest}: ", first.to_ascii_uppercase())
    }

    fn operator(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.skills.is_empty() && self.level > 0 {
            write!(f, "level {} in {}, ", self.level, self.skills)?;
        }
        write!(f, "idle {}", Seconds(self.idle))
    }
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.occasion {
            Occasion::CallWaited | Occasion::RingsOn => {
                if self.occasion == Occasion::RingsOn {
                    f.write_str("Rings at one more. ")?;
                }
                self.order(f)?;
                self.operator(f)?;
                match self.others_free {
                    1 => f.write_str(", 1 other free")?,
                    count => write!(f, ", {count} others free")?,
                }
                let failed = |one: &&Considered| one.why_not == WhyNot::JustFailed;
                let failed = self.considered.iter().filter(failed).count();
                if failed > 0 {
                    write!(
                        f,
                        ", {failed} of them passed over: this call just failed there"
                    )?;
                }
                f.write_str(".")?;
            }
            Occasion::OperatorFree => {
                f.write_str("Became free for the next call: ")?;
                self.operator(f)?;
                let waited = Seconds(self.waited);
                write!(f, "; the call waited {waited}, first of {}.", self.waiting)?;
            }
            Occasion::OwnOperator => {
                f.write_str("The caller's own operator: ")?;
                self.operator(f)?;
                write!(f, "; the call waited {}.", Seconds(self.waited))?;
            }
            Occasion::Assigned => f.write_str("Assigned by a supervisor.")?,
            Occasion::Pulled => f.write_str("Pulled out of the queue by the operator.")?,
        }
        match self.steps {
            0 => Ok(()),
            1 => f.write_str(" Its demands were eased once."),
            steps => write!(f, " Its demands were eased {steps} times."),
        }
    }
}

/// A duration for people: tenths of a second up to a minute, then minutes.
pub(crate) struct Seconds(pub(crate) Duration);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tenths = self.0.as_millis() / 100;
        if tenths < 600 {
            return write!(f, "{}.{} s", tenths / 10, tenths % 10);
        }
        write!(f, "{} min {} s", tenths / 600, tenths % 600 / 10)
    }
}
