//! Owns the kinds of values that say what becomes of calls a queue cannot serve, and of offers that fail.

use std::path::Path;
use std::time::Duration;

use acd::{Failures, Unstaffed};
use toml::Spanned;
use toml::de::DeValue;

use super::value::{Fault, Listed, Value, duration, text};

/// The word for callbacks, where else the name of a queue stands.
const CALLBACK: &str = "callback";

/// Where a call goes that its queue lets go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Elsewhere {
    /// Into another queue.
    Queue(String),
    /// Nowhere: it is called back.
    Callback,
}

impl Elsewhere {
    fn named(text: &str) -> Option<Self> {
        let name = text.trim();
        (!name.is_empty()).then(|| match name {
            CALLBACK => Self::Callback,
            _ => Self::Queue(name.to_owned()),
        })
    }
}

impl Value for Elsewhere {
    const EXPECTED: &'static str = "the name of another queue, or \"callback\"";

    fn read(value: &Spanned<DeValue<'_>>, _: &Path, faults: &mut Vec<Fault>) -> Option<Self> {
        text(value, faults, Self::named)
    }
}

/// What a queue does when nobody serves it, for one cause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnservedRule {
    /// The cause.
    pub cause: Unstaffed,
    /// Whether new calls are turned away.
    pub refuses: bool,
    /// After how long those that wait leave; without it they stay.
    pub leave_after: Option<Duration>,
    /// Where they go; without it their plan goes on.
    pub to: Option<Elsewhere>,
}

impl Value for UnservedRule {
    const EXPECTED: &'static str = "a cause and what follows, such as \"nobody-signed-in: refuse\", \
        \"nobody-reachable: leave after 30s\" or \"all-on-break: leave after 5 min, to callback\"";

    fn read(value: &Spanned<DeValue<'_>>, _: &Path, faults: &mut Vec<Fault>) -> Option<Self> {
        text(value, faults, unserved)
    }
}

impl Listed for UnservedRule {
    const LIST: &'static str = "a list of rules, such as [\"nobody-signed-in: refuse\", \"all-on-break: leave after 5 min\"]";
}

fn unserved(text: &str) -> Option<UnservedRule> {
    let (cause, follows) = text.split_once(':')?;
    let mut rule = UnservedRule {
        cause: match cause.trim() {
            "nobody-signed-in" => Unstaffed::NobodySignedIn,
            "nobody-reachable" => Unstaffed::NobodyReachable,
            "all-on-break" => Unstaffed::AllOnBreak,
            _ => return None,
        },
        refuses: false,
        leave_after: None,
        to: None,
    };
    for part in follows.split(',').map(str::trim) {
        if part == "refuse" {
            rule.refuses = true;
        } else if let Some(time) = part.strip_prefix("leave after ") {
            rule.leave_after = Some(duration(time)?);
        } else {
            rule.to = Some(Elsewhere::named(part.strip_prefix("to ")?)?);
        }
    }
    (rule.refuses || rule.leave_after.is_some()).then_some(rule)
}

/// What follows an offer that failed in one way, where that is not as usual.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailureRule {
    kind: Kind,
    retry: Option<Duration>,
    rest: Option<(Duration, u8)>,
    not_ready_from: Option<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    NoAnswer,
    Rejected,
    Busy,
    Unreachable,
}

impl FailureRule {
    /// Puts the rule in the place of the usual one.
    pub fn apply(&self, failures: &mut Failures) {
        let rule = match self.kind {
            Kind::NoAnswer => &mut failures.no_answer,
            Kind::Rejected => &mut failures.rejected,
            Kind::Busy => &mut failures.busy,
            Kind::Unreachable => &mut failures.unreachable,
        };
        rule.retry = self.retry.unwrap_or(rule.retry);
        if let Some((rest, from)) = self.rest {
            (rule.rest, rule.rest_from) = (rest, from);
        }
        rule.not_ready_from = self.not_ready_from.unwrap_or(rule.not_ready_from);
    }
}

impl Value for FailureRule {
    const EXPECTED: &'static str = "a way to fail and what follows, such as \
        \"no-answer: retry 10s, rest 1 min\", \"rejected: rest 30s from 2\" or \
        \"unreachable: not-ready from 3\"";

    fn read(value: &Spanned<DeValue<'_>>, _: &Path, faults: &mut Vec<Fault>) -> Option<Self> {
        text(value, faults, failure)
    }
}

impl Listed for FailureRule {
    const LIST: &'static str =
        "a list of rules, such as [\"no-answer: rest 1 min\", \"unreachable: not-ready from 3\"]";
}

fn failure(text: &str) -> Option<FailureRule> {
    let (kind, follows) = text.split_once(':')?;
    let mut rule = FailureRule {
        kind: match kind.trim() {
            "no-answer" => Kind::NoAnswer,
            "rejected" => Kind::Rejected,
            "busy" => Kind::Busy,
            "unreachable" => Kind::Unreachable,
            _ => return None,
        },
        retry: None,
        rest: None,
        not_ready_from: None,
    };
    let count = |text: &str| text.trim().parse().ok().filter(|count: &u8| *count > 0);
    for part in follows.split(',').map(str::trim) {
        if let Some(time) = part.strip_prefix("retry ") {
            rule.retry = Some(duration(time)?);
        } else if let Some(from) = part.strip_prefix("not-ready from ") {
            rule.not_ready_from = Some(count(from)?);
        } else {
            let rest = part.strip_prefix("rest ")?;
            let (time, from) = rest.split_once(" from ").unwrap_or((rest, "1"));
            rule.rest = Some((duration(time)?, count(from)?));
        }
    }
    Some(rule)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn rules_of_unserved_queues_are_read_by_their_cause() {
        let rule = unserved("all-on-break: leave after 5 min, to callback").unwrap();
        assert_eq!(rule.cause, Unstaffed::AllOnBreak);
        assert_eq!(rule.leave_after, Some(300 * SECOND));
        assert_eq!(rule.to, Some(Elsewhere::Callback));
        assert!(!rule.refuses);
        let rule = unserved("nobody-signed-in: refuse, to night").unwrap();
        assert_eq!(rule.to, Some(Elsewhere::Queue("night".to_owned())));
        assert!(rule.refuses && rule.leave_after.is_none());
        for bad in [
            "",
            "all-on-break",
            "all-on-break:",
            "all-on-break: to others",
            "nobody: refuse",
            "all-on-break: leave",
            "all-on-break: refuse, to ",
        ] {
            assert_eq!(unserved(bad), None, "{bad}");
        }
    }

    #[test]
    fn each_way_to_fail_has_its_own_consequence() {
        let mut failures = Failures::new(5 * SECOND, 30 * SECOND);
        let usual = failures;
        for rule in [
            "no-answer: retry 10s, rest 1 min",
            "unreachable: not-ready from 3",
        ] {
            failure(rule).unwrap().apply(&mut failures);
        }
        assert_eq!(failures.no_answer.retry, 10 * SECOND);
        assert_eq!(failures.no_answer.rest, 60 * SECOND);
        assert_eq!(failures.unreachable.not_ready_from, 3);
        assert_eq!(failures.unreachable.rest, usual.unreachable.rest);
        assert_eq!(
            (failures.busy, failures.rejected),
            (usual.busy, usual.rejected)
        );
        failure("rejected: rest 30s from 2")
            .unwrap()
            .apply(&mut failures);
        assert_eq!(failures.rejected.rest_from, 2);
        for bad in [
            "",
            "rejected",
            "rejected:",
            "late: rest 1s",
            "busy: rest",
            "busy: not-ready from 0",
        ] {
            assert_eq!(failure(bad), None, "{bad}");
        }
    }
}
