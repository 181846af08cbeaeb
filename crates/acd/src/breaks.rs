//! Owns the rules of breaks: reasons, limits of a day, the schedule of permitted ones, and who is
//! on which. It refuses to end a break: it tells, and people act.

use core::time::Duration;
use std::collections::BTreeMap;

use vocab::{OperatorId, Time};

use crate::status::BreakTaken;

const DAY: Duration = Duration::from_secs(86_400);

/// A kind of break.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BreakSettings {
    /// The reason, by which it is asked for.
    pub reason: String,
    /// How long an operator may be on it in a day; `None` for no limit.
    pub daily_max: Option<Duration>,
    /// When it may begin; empty for at any time.
    pub hours: Vec<Hours>,
}

/// A time of day, from its beginning to before its end; one that ends before it begins goes over
/// midnight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hours {
    /// Since midnight.
    pub from: Duration,
    /// Since midnight.
    pub to: Duration,
}

impl Hours {
    pub(crate) fn contains(self, time: Duration) -> bool {
        if self.from <= self.to {
            self.from <= time && time < self.to
        } else {
            time >= self.from || time < self.to
        }
    }
}

/// Why a break needs leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeaveNeeded {
    /// It is not the time for it.
    OutsideHours,
    /// The day's limit is used up.
    LimitUsedUp,
    /// There is no such kind of break.
    UnknownReason,
}

/// The local time of day, as it was told.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    day: u32,
    time: Duration,
    told: Time,
}

impl Clock {
    pub(crate) const fn new(day: u32, time: Duration, told: Time) -> Self {
        Self { day, time, told }
    }

    pub(crate) const fn told(&self) -> Time {
        self.told
    }

    /// The day and the time of day.
    pub(crate) fn at(&self, now: Time) -> (u32, Duration) {
        let since = self.time + now.since(self.told);
        let days = u32::try_from(since.as_secs() / DAY.as_secs()).unwrap_or(0);
        (self.day + days, since - DAY * days)
    }

    pub(crate) fn until(&self, now: Time, time: Duration) -> Duration {
        let (_, present) = self.at(now);
        if time > present {
            time - present
        } else {
            DAY - (present - time)
        }
    }
}

/// Breaks under way and taken today.
#[derive(Debug, Default)]
pub(crate) struct Breaks {
    kinds: BTreeMap<String, BreakSettings>,
    current: BTreeMap<OperatorId, Current>,
    today: BTreeMap<(OperatorId, String), Duration>,
}

#[derive(Debug)]
pub(crate) struct Current {
    reason: String,
    since: Time,
    /// How long it had lasted by then, in an earlier life of the process.
    before: Duration,
    by_leave: bool,
    /// When the day's limit is used up.
    pub(crate) used_up_at: Option<Time>,
}

impl Breaks {
    pub(crate) fn set(&mut self, kinds: Vec<BreakSettings>) {
        self.kinds = kinds
            .into_iter()
            .map(|kind| (kind.reason.clone(), kind))
            .collect();
    }

    /// What speaks against beginning a break now. Without a clock no hours are known, and the
    /// schedule permits nothing.
    pub(crate) fn objection(
        &self,
        operator: OperatorId,
        reason: &str,
        clock: Option<(u32, Duration)>,
    ) -> Option<LeaveNeeded> {
        if self.kinds.is_empty() {
            return None;
        }
        let Some(kind) = self.kinds.get(reason) else {
            return Some(LeaveNeeded::UnknownReason);
        };
        let within = |time| kind.hours.iter().any(|hours| hours.contains(time));
        if !kind.hours.is_empty() && !clock.is_some_and(|(_, time)| within(time)) {
            return Some(LeaveNeeded::OutsideHours);
        }
        let left = self.left(operator, reason);
        (left == Some(Duration::ZERO)).then_some(LeaveNeeded::LimitUsedUp)
    }

    /// What is left of the day's limit.
    fn left(&self, operator: OperatorId, reason: &str) -> Option<Duration> {
        let limit = self.kinds.get(reason)?.daily_max?;
        let used = self.today.get(&(operator, reason.to_owned()));
        Some(limit.saturating_sub(used.copied().unwrap_or_default()))
    }

    /// A break begins, or goes on that has lasted `before`; returns when the day's limit will be used
    /// up.
    pub(crate) fn begin(
        &mut self,
        now: Time,
        operator: OperatorId,
        reason: &str,
        by_leave: bool,
        before: Duration,
    ) -> Option<Time> {
        let left = self.left(operator, reason);
        let left = left.map(|left| left.saturating_sub(before));
        let used_up_at = left.filter(|left| !left.is_zero()).map(|left| now + left);
        let current = Current {
            reason: reason.to_owned(),
            since: now,
            before,
            by_leave,
            used_up_at,
        };
        self.current.insert(operator, current);
        used_up_at
    }

    pub(crate) fn current(&mut self, operator: OperatorId) -> Option<&mut Current> {
        self.current.get_mut(&operator)
    }

    /// A break ends.
    pub(crate) fn end(&mut self, now: Time, operator: OperatorId) -> Option<(Current, BreakTaken)> {
        let current = self.current.remove(&operator)?;
        let lasted = current.lasts(now);
        let over = self
            .left(operator, &current.reason)
            .map(|left| lasted.saturating_sub(left))
            .unwrap_or_default();
        let used = self.today.entry((operator, current.reason.clone()));
        *used.or_default() += lasted;
        let taken = BreakTaken {
            operator,
            reason: current.reason.clone(),
            lasted,
            by_leave: current.by_leave,
            over,
        };
        Some((current, taken))
    }

    /// Breaks that an operator took today before the process began.
    pub(crate) fn resume(&mut self, operator: OperatorId, today: BTreeMap<String, Duration>) {
        let taken = today.into_iter();
        self.today
            .extend(taken.map(|(reason, long)| ((operator, reason), long)));
    }

    /// The breaks of today that an operator has ended, by reason.
    pub(crate) fn today_of(&self, operator: OperatorId) -> BTreeMap<String, Duration> {
        let from = (operator, String::new());
        let own = self.today.range(from..);
        own.take_while(|((of, _), _)| *of == operator)
            .map(|((_, reason), long)| (reason.clone(), *long))
            .collect()
    }

    /// How long the break of an operator has lasted, and whether it is by leave.
    pub(crate) fn under_way(&self, now: Time, operator: OperatorId) -> Option<(Duration, bool)> {
        let current = self.current.get(&operator)?;
        Some((current.lasts(now), current.by_leave))
    }

    /// The limits count anew. A break under way goes on, and counts whole for the day it ends in.
    pub(crate) fn begin_day(&mut self) {
        self.today.clear();
    }
}

impl Current {
    fn lasts(&self, now: Time) -> Duration {
        self.before + now.since(self.since)
    }

    pub(crate) fn reason(&self) -> &str {
        &self.reason
    }
}
