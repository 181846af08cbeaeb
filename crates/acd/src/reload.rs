//! Owns what a new table of queues or operators changes. The only code that looks at every call
//! and every operator. It refuses to touch offers, talks, wrap-ups and places in queues.

use core::time::Duration;
use std::collections::BTreeSet;

use vocab::{CallId, OperatorId, QueueId, Time};

use crate::calls::{Call, Queue};
use crate::order::CallKey;
use crate::pool::Pool;
use crate::timers::Timer;
use crate::{Acd, OperatorSettings, Output, QueueSettings};

impl Acd {
    pub(crate) fn reload_queues(&mut self, now: Time, table: Vec<QueueSettings>) {
        for queue in self.queues.values_mut() {
            queue.listed = false;
        }
        for mut settings in table {
            settings.relaxation.sort_by_key(|step| step.after);
            match self.queues.get_mut(&settings.id) {
                Some(queue) => {
                    queue.listed = true;
                    queue.settings = settings;
                }
                None => {
                    self.queues.insert(settings.id, Queue::new(settings));
                }
            }
        }
        let timers = &mut self.timers;
        self.queues.retain(|id, queue| {
            let stays = queue.listed || !queue.calls.is_empty();
            if !stays {
                timers.cancel_kept(&mut queue.staffing.leave_at, Timer::Unstaffed(*id));
            }
            stays
        });
        self.rebuild(now);
    }

    pub(crate) fn reload_operators(&mut self, now: Time, table: Vec<OperatorSettings>) {
        let listed: BTreeSet<OperatorId> = table.iter().map(|settings| settings.id).collect();
        for (id, operator) in &mut self.operators {
            operator.listed = listed.contains(id);
        }
        for (position, settings) in (0..).zip(table) {
            let id = settings.id;
            let lease = &mut self.lease;
            let new = || lease.newcomer(now, id);
            let operator = self.operators.entry(id).or_insert_with(new);
            let before = operator.status.clone();
            operator.set(now, position, settings);
            self.altered.insert(id);
            if operator.status != before {
                self.outputs.push_back(Output::StatusChanged {
                    operator: id,
                    status: operator.status.clone(),
                });
            }
        }
        if self.lease.is_alone() {
            self.operators
                .retain(|_, operator| !operator.is_forgettable());
        }
        self.rebuild(now);
        let gone: Vec<OperatorId> = self
            .operators
            .iter()
            .filter(|(_, operator)| !operator.listed)
            .map(|(id, _)| *id)
            .collect();
        for operator in gone {
            self.release_all_own(now, operator);
        }
        self.lend_all(now);
    }

    /// Fills the pool anew and makes the offers that have become possible.
    fn rebuild(&mut self, now: Time) {
        let named = self.operators.values().any(|who| !who.queues.is_empty());
        let closed = |queue: &Queue| queue.settings.members_only;
        let shared = !named && !self.queues.values().any(closed);
        self.pool = Pool::new(shared);
        self.make_ways();
        let queues = &self.queues;
        let members_only = |queue: QueueId| {
            queues
                .get(&queue)
                .is_some_and(|queue| queue.settings.members_only)
        };
        for (id, operator) in &mut self.operators {
            operator.places.clear();
            operator.pooled = false;
            self.pool.join(operator, 0, members_only);
            if operator.is_free() {
                self.pool.insert_free(&mut self.random, *id, operator);
            }
        }
        let mut in_order: BTreeSet<CallKey> = BTreeSet::new();
        let calls: Vec<CallId> = self.calls.keys().copied().collect();
        for id in calls {
            in_order.extend(self.place_anew(now, id));
        }
        let full = self.queues.iter().filter(|(_, queue)| {
            let length = queue.settings.reserve.length;
            length.is_some_and(|length| queue.calls.len() >= length)
        });
        let full: Vec<QueueId> = full.map(|(id, _)| *id).collect();
        for key in in_order {
            self.offer_call(now, key.call);
        }
        for queue in full {
            self.open_reserve(now, queue);
        }
        self.judge_all_staff(now);
    }

    fn make_ways(&mut self) {
        for (id, queue) in &mut self.queues {
            let memberships = self.operators.values().flat_map(|who| &who.queues);
            let mut delays: Vec<Duration> = memberships
                .filter(|one| one.queue == *id)
                .map(|one| one.delay)
                .collect();
            delays.sort_unstable();
            delays.dedup();
            queue.way = self.pool.make_way(&queue.settings, &[], &delays);
            queue.delays = delays;
            queue.own_ways.clear();
            let first = self.pool.way(queue.way).first();
            queue.staffing.group = first.map_or(0, |stage| stage.group);
            if let Some(group) = self.pool.groups.get_mut(queue.staffing.group) {
                group.queues.push(*id);
            }
        }
    }

    /// Finds the place of a call in the new pool; returns it if the call may be offered.
    fn place_anew(&mut self, now: Time, id: CallId) -> Option<CallKey> {
        let call = self.calls.get_mut(&id)?;
        call.shelf = None;
        let (queue, own) = (call.queue, call.arrival.skills.clone());
        let way = self.way_of(queue, &own);
        let call = self.calls.get_mut(&id)?;
        let settings = &self.queues.get(&queue)?.settings;
        set_wait_limit(&mut self.timers, settings, id, call);
        call.way = way;
        call.stage = self.pool.stage_after(way, now.since(call.arrival.since));
        let (key, silent) = (call.key, call.offers.is_empty());
        self.set_stage_timer(id);
        self.shelve(id);
        silent.then_some(key)
    }

    /// Judges for each queue whether anybody serves it.
    pub(crate) fn judge_all_staff(&mut self, now: Time) {
        let queues: Vec<QueueId> = self.queues.keys().copied().collect();
        for queue in queues {
            self.judge_staff(now, queue);
        }
    }
}

/// The longest wait counts from entry, also by new settings.
fn set_wait_limit(
    timers: &mut crate::timers::Timers,
    settings: &QueueSettings,
    id: CallId,
    call: &mut Call,
) {
    timers.cancel_kept(&mut call.wait_until, Timer::Wait(id));
    if call.callback.is_some() {
        return;
    }
    call.wait_until = settings.wait_max.map(|wait_max| call.entered + wait_max);
    if let Some(until) = call.wait_until {
        timers.set(until, Timer::Wait(id));
    }
}
