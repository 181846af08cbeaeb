//! Owns what a new table of queues or operators changes. The only code that looks at every call
//! and every operator. It refuses to touch offers, talks, wrap-ups and places in queues.

use std::collections::BTreeSet;

use vocab::{CallId, OperatorId, Time};

use crate::acd::Queue;
use crate::operator::Operator;
use crate::pool::{CallKey, Pool};
use crate::timers::Timer;
use crate::{Acd, OperatorSettings, QueueSettings};

impl Acd {
    pub(crate) fn reload_queues(&mut self, now: Time, table: Vec<QueueSettings>) {
        for queue in self.queues.values_mut() {
            queue.open = false;
        }
        for settings in table {
            // The rebuild below gives every queue its group.
            let group = self.pool.group(settings.skill.as_deref());
            let calls = self.queues.remove(&settings.id).map(|queue| queue.calls);
            let calls = calls.unwrap_or_default();
            self.queues.insert(
                settings.id,
                Queue {
                    settings,
                    group,
                    open: true,
                    calls,
                },
            );
        }
        self.queues
            .retain(|_, queue| queue.open || !queue.calls.is_empty());
        self.rebuild(now);
    }

    pub(crate) fn reload_operators(&mut self, now: Time, table: Vec<OperatorSettings>) {
        let listed: BTreeSet<OperatorId> = table.iter().map(|settings| settings.id).collect();
        for (id, operator) in &mut self.operators {
            operator.listed = listed.contains(id);
        }
        for settings in table {
            let new = || Operator::new(now);
            let operator = self.operators.entry(settings.id).or_insert_with(new);
            operator.listed = true;
            operator.skills = settings.skills;
        }
        self.operators
            .retain(|_, operator| !operator.is_forgettable());
        self.rebuild(now);
    }

    /// Fills the pool anew and makes the offers that have become possible.
    fn rebuild(&mut self, now: Time) {
        self.pool = Pool::default();
        for queue in self.queues.values_mut() {
            queue.group = self.pool.group(queue.settings.skill.as_deref());
        }
        for (id, operator) in &mut self.operators {
            let skills = &operator.skills;
            operator.memberships = self.pool.memberships(|skill| skills.get(skill).copied());
            operator.pooled = operator.is_free();
            if operator.pooled {
                self.pool
                    .insert_free(&operator.memberships, operator.idle_since, *id);
            }
        }
        let mut unoffered: BTreeSet<CallKey> = BTreeSet::new();
        for (id, call) in &mut self.calls {
            let Some(queue) = self.queues.get(&call.queue) else {
                continue;
            };
            call.group = queue.group;
            let wait_until = queue
                .settings
                .wait_max
                .map(|wait_max| call.entered + wait_max);
            if let Some(until) = core::mem::replace(&mut call.wait_until, wait_until) {
                self.timers.cancel(until, Timer::Wait(*id));
            }
            if let Some(until) = wait_until {
                self.timers.set(until, Timer::Wait(*id));
            }
            if call.offer.is_none() {
                self.pool.insert_call(call.group, call.key);
                unoffered.insert(call.key);
            }
        }
        let in_order: Vec<CallId> = unoffered.into_iter().map(|key| key.call).collect();
        for call in in_order {
            self.offer_call(now, call);
        }
    }
}
