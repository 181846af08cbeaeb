//! Owns whether a queue has anybody to serve it, and what follows if not; and its reserve.

use vocab::{OperatorId, QueueId, Time};

use crate::Acd;
use crate::output::Cause;
use crate::pool::Pool;
use crate::settings::{Overflow, StaffRule, Unstaffed};
use crate::status::Presence;
use crate::timers::Timer;

/// How a queue stands with its operators.
#[derive(Debug, Default)]
pub(crate) struct Staffing {
    /// The group that calls are in when they enter.
    pub(crate) group: usize,
    /// Why nobody serves it, if nobody does.
    pub(crate) cause: Option<Unstaffed>,
    /// When its calls leave for that.
    pub(crate) leave_at: Option<Time>,
}

impl Staffing {
    /// Operators who take its calls, be it after the present one.
    pub(crate) fn serving(&self, pool: &Pool) -> u32 {
        self.count(pool, Presence::Serving)
    }

    fn count(&self, pool: &Pool, presence: Presence) -> u32 {
        pool.groups
            .get(self.group)
            .and_then(|group| group.staff.get(presence.index()).copied())
            .unwrap_or(0)
    }

    fn judge(&self, pool: &Pool) -> Option<Unstaffed> {
        if self.serving(pool) > 0 {
            None
        } else if self.count(pool, Presence::OnBreak) > 0 {
            Some(Unstaffed::AllOnBreak)
        } else if self.count(pool, Presence::Unreachable) > 0 {
            Some(Unstaffed::NobodyReachable)
        } else {
            Some(Unstaffed::NobodySignedIn)
        }
    }
}

impl Acd {
    /// An operator of a queue came, went or took a break.
    pub(crate) fn judge_staff(&mut self, now: Time, id: QueueId) {
        let Some(queue) = self.queues.get_mut(&id) else {
            return;
        };
        let cause = queue.staffing.judge(&self.pool);
        if cause == queue.staffing.cause {
            return;
        }
        queue.staffing.cause = cause;
        let timer = Timer::Unstaffed(id);
        self.timers.cancel_kept(&mut queue.staffing.leave_at, timer);
        let leave_after = rule(&queue.settings.unstaffed, cause).and_then(|rule| rule.leave_after);
        if let Some(after) = leave_after {
            let at = now + after;
            self.timers.set(at, timer);
            queue.staffing.leave_at = Some(at);
        }
    }

    /// Nobody has served a queue for so long that its calls leave.
    pub(crate) fn unstaffed_too_long(&mut self, now: Time, id: QueueId) {
        let Some(queue) = self.queues.get_mut(&id) else {
            return;
        };
        queue.staffing.leave_at = None;
        let Some(cause) = queue.staffing.cause else {
            return;
        };
        let Some(rule) = rule(&queue.settings.unstaffed, Some(cause)) else {
            return;
        };
        let then = rule.then.clone();
        // Callbacks wait for better times.
        let calls: Vec<_> = queue.calls.iter().map(|key| key.call).collect();
        for call in calls {
            let is_caller = self
                .calls
                .get(&call)
                .is_some_and(|call| call.callback.is_none());
            if is_caller {
                self.dismiss(now, call, Cause::Unstaffed(cause), then.clone());
            }
        }
    }

    /// Why a queue would take no call now, and what would become of it; `None` if it would.
    pub(crate) fn refusal_cause(&self, id: QueueId) -> Option<(Cause, Overflow)> {
        let Some(queue) = self.queues.get(&id).filter(|queue| queue.listed) else {
            return Some((Cause::Closed, Overflow::Plan));
        };
        let settings = &queue.settings;
        if !queue.is_open() {
            return Some((Cause::Closed, settings.on_closed.clone()));
        }
        if queue.calls.len() >= settings.length_max {
            return Some((Cause::Full, settings.on_full.clone()));
        }
        let cause = queue.staffing.cause?;
        let rule = rule(&settings.unstaffed, Some(cause)).filter(|rule| {
            // While calls that are inside may still stay, so may new ones.
            rule.refuses && queue.staffing.leave_at.is_none()
        })?;
        Some((Cause::Unstaffed(cause), rule.then.clone()))
    }

    /// A call more: the reserve may have to help.
    pub(crate) fn open_reserve(&mut self, now: Time, id: QueueId) {
        let Some(queue) = self.queues.get(&id) else {
            return;
        };
        let Some(length) = queue.settings.reserve.length else {
            return;
        };
        if queue.calls.len() < length || !self.set_reserve(id, true) {
            return;
        }
        // Those of the reserve who are free take what waits.
        let reserve: Vec<OperatorId> = self
            .pool
            .groups
            .iter()
            .filter(|group| group.key.queue == Some(id))
            .flat_map(|group| group.free.iter().rev())
            .take_while(|key| key.tier().is_reserve())
            .map(|key| key.operator())
            .collect();
        for operator in reserve {
            self.alter(now, operator, |_| {});
            self.settle(now, operator);
        }
    }

    /// A call less: the reserve may rest.
    pub(crate) fn close_reserve(&mut self, id: QueueId) {
        let Some(queue) = self.queues.get(&id) else {
            return;
        };
        let length = queue.settings.reserve.length;
        if length.is_some_and(|length| queue.calls.len() < length) {
            self.set_reserve(id, false);
        }
    }

    /// Returns whether anything changed.
    fn set_reserve(&mut self, id: QueueId, open: bool) -> bool {
        let mut changed = false;
        for group in &mut self.pool.groups {
            if group.key.queue == Some(id) && group.reserve_open != open {
                group.reserve_open = open;
                changed = true;
            }
        }
        changed
    }
}

fn rule(rules: &[StaffRule], cause: Option<Unstaffed>) -> Option<&StaffRule> {
    rules.iter().find(|rule| Some(rule.cause) == cause)
}
