//! Owns what time alone changes for a waiting call: where it stands, whom it waits for, at how
//! many operators it rings.

use core::time::Duration;

use vocab::{CallId, OperatorId, QueueId, Time};

use crate::Acd;
use crate::group::Extra;
use crate::pool::Stage;
use crate::settings::{RINGING_AT_ONCE_MAX, Ringing};
use crate::skills::SkillNeed;
use crate::status::Presence;
use crate::timers::Timer;

impl Ringing {
    /// At how many operators a call rings at once when it has just come.
    pub(crate) fn at_first(self) -> usize {
        match self {
            Self::One | Self::Progressive { .. } => 1,
            Self::All(max) => max.clamp(1, RINGING_AT_ONCE_MAX),
        }
    }
}

impl Acd {
    /// The way of a call of a queue with wishes of its own, worked out if nobody wished that before.
    pub(crate) fn way_of(&mut self, queue: QueueId, own: &[SkillNeed]) -> usize {
        let Some(known) = self.queues.get(&queue) else {
            return 0;
        };
        if own.is_empty() {
            return known.way;
        }
        if let Some(way) = known.own_ways.get(own) {
            return *way;
        }
        if self.pool.is_full() {
            return known.way;
        }
        let first = self.pool.groups.len();
        let way = self.pool.make_way(&known.settings, own, &known.delays);
        self.join_groups(first);
        if let Some(queue) = self.queues.get_mut(&queue) {
            queue.own_ways.insert(own.to_vec(), way);
        }
        way
    }

    /// Gives all operators their places in groups that are new.
    fn join_groups(&mut self, first: usize) {
        if first == self.pool.groups.len() {
            return;
        }
        let queues = &self.queues;
        for (id, operator) in &mut self.operators {
            let free = operator.pooled;
            if free {
                self.pool.remove_free(operator);
            }
            self.pool.join(operator, first, |queue| {
                queues
                    .get(&queue)
                    .is_some_and(|queue| queue.settings.members_only)
            });
            // The new groups have no calls yet: who was free stays so.
            if free {
                self.pool.insert_free(&mut self.random, *id, operator);
            }
        }
    }

    /// The stage at which a call stands.
    pub(crate) fn stage(&self, call: CallId) -> Option<Stage> {
        let call = self.calls.get(&call)?;
        self.pool.way(call.way).get(call.stage).copied()
    }

    pub(crate) fn set_stage_timer(&mut self, id: CallId) {
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        let next = self.pool.way(call.way).get(call.stage + 1);
        let at = next.map(|stage| call.arrival.since + stage.after);
        self.timers
            .cancel_kept(&mut call.stage_at, Timer::Stage(id));
        if let Some(at) = at {
            self.timers.set(at, Timer::Stage(id));
            call.stage_at = Some(at);
        }
    }

    /// A call's demands are eased, or operators join who get it late; also while it rings.
    pub(crate) fn next_stage(&mut self, now: Time, id: CallId) {
        self.unshelve(id);
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        call.stage_at = None;
        call.stage = self
            .pool
            .stage_after(call.way, now.since(call.arrival.since));
        self.set_stage_timer(id);
        self.shelve(id);
        self.offer_call(now, id);
    }

    /// Puts a call on the shelf where operators find it, if they may.
    pub(crate) fn shelve(&mut self, id: CallId) {
        let Some(Stage { group, shelf, .. }) = self.stage(id) else {
            return;
        };
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        if call.own.is_some() || call.is_asleep() || call.offers.len() >= call.offers_max {
            return;
        }
        let key = call.key;
        let extra = if call.offers.is_empty() {
            Extra::Silent
        } else {
            Extra::Ringing
        };
        call.shelf = Some((group, shelf));
        if let Some(group) = self.pool.groups.get_mut(group) {
            group.put(shelf, key, extra);
        }
    }

    /// Takes a call off its shelf.
    pub(crate) fn unshelve(&mut self, id: CallId) {
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        if let Some((group, shelf)) = call.shelf.take()
            && let Some(group) = self.pool.groups.get_mut(group)
        {
            group.take(shelf, call.key);
        }
    }

    /// A call rings, and may ring at one more.
    pub(crate) fn ring_at_more(&mut self, now: Time, id: CallId) {
        self.unshelve(id);
        if let Some(call) = self.calls.get_mut(&id) {
            call.more_at = None;
            call.offers_max += 1;
        }
        self.set_more_timer(now, id);
        self.shelve(id);
        self.offer_call(now, id);
    }

    /// From the first ringing on, a progressive call rings at one more after a while.
    pub(crate) fn set_more_timer(&mut self, now: Time, id: CallId) {
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        let Some(queue) = self.queues.get(&call.queue) else {
            return;
        };
        if let Ringing::Progressive { every, max } = queue.settings.ringing
            && call.more_at.is_none()
            && call.offers_max < max.min(RINGING_AT_ONCE_MAX)
        {
            let at = now + every.max(Duration::from_secs(1));
            self.timers.set(at, Timer::More(id));
            call.more_at = Some(at);
        }
    }

    /// A call waits for its own operator, if that one takes calls.
    pub(crate) fn wait_for_own(
        &mut self,
        now: Time,
        id: CallId,
        owner: OperatorId,
        limit: Duration,
    ) {
        let (Some(call), Some(operator)) =
            (self.calls.get_mut(&id), self.operators.get_mut(&owner))
        else {
            return;
        };
        if operator.presence() == Presence::Serving {
            let until = now + limit;
            call.own = Some((owner, until));
            operator.own_calls.insert(call.key);
            self.timers.set(until, Timer::Own(id));
        }
    }

    /// Anybody may have a call that waited for its own operator.
    pub(crate) fn release_own(&mut self, now: Time, id: CallId) {
        self.disown(id);
        self.shelve(id);
        self.offer_call(now, id);
    }

    /// A call does not wait for its own operator any more.
    pub(crate) fn disown(&mut self, id: CallId) {
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        if let Some((owner, until)) = call.own.take() {
            self.timers.cancel(until, Timer::Own(id));
            if let Some(operator) = self.operators.get_mut(&owner) {
                operator.own_calls.remove(&call.key);
            }
        }
    }

    /// An operator takes no more calls: those that waited for this one wait for anybody.
    pub(crate) fn release_all_own(&mut self, now: Time, operator: OperatorId) {
        let Some(operator) = self.operators.get(&operator) else {
            return;
        };
        if operator.presence() == Presence::Serving || operator.own_calls.is_empty() {
            return;
        }
        let calls: Vec<CallId> = operator.own_calls.iter().map(|key| key.call).collect();
        for call in calls {
            self.release_own(now, call);
        }
    }
}
