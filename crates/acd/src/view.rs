//! Owns what is shown of the core to those who ask. Refuses to change anything.

use core::fmt::Write as _;
use core::time::Duration;
use std::collections::BTreeMap;

use vocab::{CallId, OperatorId, OperatorState, QueueId, QueueOutcome, Time};

use crate::Acd;
use crate::decision::Seconds;
use crate::estimate::Estimate;
use crate::operator::{Phase, Work};
use crate::status::{Presence, Status};

impl Acd {
    /// Calls in queues, those that ring included; who is owed a callback waits on no line.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.by_entry.len()
    }

    /// Calls in one queue, those that ring included.
    #[must_use]
    pub fn waiting_in(&self, queue: QueueId) -> usize {
        self.queues.get(&queue).map_or(0, |queue| queue.calls.len())
    }

    /// How long the call that has waited longest waits; zero if none waits.
    #[must_use]
    pub fn longest_wait(&self, now: Time) -> Duration {
        self.by_entry
            .first()
            .map_or(Duration::ZERO, |(since, _)| now.since(*since))
    }

    /// What an operator does and since when; `None` for one who is in no table and no talk.
    #[must_use]
    pub fn operator_state(&self, operator: OperatorId) -> Option<(OperatorState, Time)> {
        let record = self.operators.get(&operator)?;
        (record.listed || !record.is_idle()).then(|| record.shown())
    }

    /// What an operator chose.
    #[must_use]
    pub fn operator_status(&self, operator: OperatorId) -> Option<&Status> {
        self.operators.get(&operator).map(|record| &record.status)
    }

    /// How long the break of an operator has lasted, and whether it is by leave; `None` on none.
    #[must_use]
    pub fn break_under_way(&self, now: Time, operator: OperatorId) -> Option<(Duration, bool)> {
        self.breaks.under_way(now, operator)
    }

    /// Whether the other core of a handover holds an operator.
    #[must_use]
    pub fn is_elsewhere(&self, operator: OperatorId) -> bool {
        let record = self.operators.get(&operator);
        record.is_some_and(|record| record.elsewhere)
    }

    /// Whether this core holds an operator, who may get calls of it and no other.
    #[must_use]
    pub fn holds(&self, operator: OperatorId) -> bool {
        let record = self.operators.get(&operator);
        record.is_some_and(|record| !record.elsewhere)
    }

    /// Whether an operator is in a call here that no queue gave.
    #[must_use]
    pub fn has_other_call(&self, operator: OperatorId) -> bool {
        let record = self.operators.get(&operator);
        record.is_some_and(crate::operator::Operator::has_other_call)
    }

    /// The breaks of today that an operator has ended, by reason.
    #[must_use]
    pub fn breaks_today(&self, operator: OperatorId) -> BTreeMap<String, Duration> {
        self.breaks.today_of(operator)
    }

    /// The local day, as the clock was told; `None` before it was.
    #[must_use]
    pub fn day(&self, now: Time) -> Option<u32> {
        self.clock.map(|clock| clock.at(now).0)
    }

    /// Whether an operator is at the work after a call and may say that it is done.
    #[must_use]
    pub fn may_end_work(&self, operator: OperatorId) -> bool {
        let phase = self.operators.get(&operator).map(|record| record.phase);
        matches!(
            phase,
            Some(Phase::WrapUp {
                of: Work::Optional,
                ..
            })
        )
    }

    /// Who is signed in to a line.
    #[must_use]
    pub fn signed_in_at(&self, line: &str) -> Option<OperatorId> {
        self.lines.get(line).copied()
    }

    /// The line that an operator is signed in to.
    #[must_use]
    pub fn operator_line(&self, operator: OperatorId) -> Option<&str> {
        self.operators.get(&operator)?.line.as_deref()
    }

    /// How a queue would refuse a call now; `None` if it would take it.
    #[must_use]
    pub fn refusal(&self, queue: QueueId) -> Option<QueueOutcome> {
        let (cause, then) = self.refusal_cause(queue)?;
        Some(cause.outcome(&then))
    }

    /// Whether a queue has anybody to serve it: an operator whose telephone is reachable, be it on
    /// a break. Looks at every operator: for a transfer, not for every event.
    #[must_use]
    pub fn is_served(&self, queue: QueueId) -> bool {
        self.queues.get(&queue).is_some_and(|queue| {
            self.operators.values().any(|operator| {
                let serves = |place: &crate::group::Place| place.group == queue.staffing.group;
                operator.reachable
                    && operator.presence() != Presence::Away
                    && operator.places.iter().any(serves)
            })
        })
    }

    /// Whether an operator is free who would get a call of a queue at once.
    #[must_use]
    pub fn has_free(&self, queue: QueueId) -> bool {
        let way = self.queues.get(&queue).map(|queue| queue.way);
        let stage = way.and_then(|way| self.pool.way(way).first());
        stage.is_some_and(|stage| self.best_on(stage.group, stage.shelf, |_| false).is_some())
    }

    /// A call's place in its queue, 1 for the next one. Counts along the queue: for people who
    /// ask, not for every event.
    #[must_use]
    pub fn position(&self, call: CallId) -> Option<usize> {
        let call = self.calls.get(&call)?;
        let before = self
            .queues
            .get(&call.queue)?
            .calls
            .range(..call.key)
            .count();
        Some(before + 1)
    }

    /// Whether a waiting call rings at an operator now.
    #[must_use]
    pub fn is_offered(&self, call: CallId) -> bool {
        let call = self.calls.get(&call);
        call.is_some_and(|call| !call.offers.is_empty())
    }

    /// How long a call will wait from now on, by its place now. Counts along the queue.
    #[must_use]
    pub fn estimate(&self, id: CallId) -> Option<Estimate> {
        let call = self.calls.get(&id)?;
        let queue = self.queues.get(&call.queue)?;
        let place = if call.offers.is_empty() {
            self.position(id)?
        } else {
            0
        };
        let serving = queue.staffing.serving(&self.pool);
        Some(queue.estimates.forecast(place, serving)?.estimate())
    }

    /// What was expected of a call's whole wait when it entered.
    #[must_use]
    pub fn estimate_at_entry(&self, call: CallId) -> Option<Estimate> {
        Some(self.calls.get(&call)?.forecast?.estimate())
    }

    /// Why a call waits, in a sentence: its place, and what the operators do who can serve it.
    /// Looks at every operator: for people who ask, not for every event.
    #[must_use]
    pub fn explain(&self, now: Time, call: CallId) -> Option<String> {
        let waiting = self.calls.get(&call)?;
        let queue = self.queues.get(&waiting.queue)?;
        let stage = self.stage(call)?;
        let mut states: BTreeMap<&str, usize> = BTreeMap::new();
        let serving = self.operators.values().filter(|operator| {
            operator.listed && operator.places.iter().any(|of| of.group == stage.group)
        });
        for operator in serving {
            *states.entry(word(operator.shown().0)).or_default() += 1;
        }
        let what = if !waiting.offers.is_empty() {
            "rings at an operator"
        } else if waiting.own.is_some() {
            "waits for its own operator"
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
        let skills = self.pool.groups.get(stage.group).map(|group| &group.label);
        match skills.filter(|skills| !skills.is_empty()) {
            Some(skills) => {
                let _ = write!(text, "operators with {skills}: ");
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
        OperatorState::Held => "on hold",
        OperatorState::OtherCall => "in another call",
        OperatorState::WrapUp => "in wrap-up",
        OperatorState::Resting => "resting",
        OperatorState::Paused => "paused",
    }
}
