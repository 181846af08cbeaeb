//! Owns the core as a whole: its tables, and which part takes what happened.
//!
//! It refuses to know how an offer is carried out, and no event makes it look through all calls or
//! all operators; only new settings, and skills that no call asked for before, do that.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use vocab::{CallId, OfferId, OperatorId, QueueId, Time};

use crate::breaks::{Breaks, Clock};
use crate::callback::Dialling;
use crate::calls::{Call, Queue};
use crate::group::Extra;
use crate::kept::{KeptPlaces, Regulars};
use crate::lease::Lease;
use crate::offers::Offer;
use crate::operator::{Happened, Operator, Phase};
use crate::order::CallKey;
use crate::pool::Pool;
use crate::random::Random;
use crate::settings::CallerSettings;
use crate::timers::{Timer, Timers};
use crate::{Input, Output, Remembered};

/// The core. See the crate's documentation for its contract.
#[derive(Debug)]
pub struct Acd {
    pub(crate) boot: u32,
    pub(crate) offers_made: u32,
    pub(crate) random: Random,
    pub(crate) queues: BTreeMap<QueueId, Queue>,
    pub(crate) calls: BTreeMap<CallId, Call>,
    /// The calls by the time they entered: the first waits longest.
    pub(crate) by_entry: BTreeSet<(Time, CallId)>,
    pub(crate) operators: BTreeMap<OperatorId, Operator>,
    /// Who is signed in to a line.
    pub(crate) lines: BTreeMap<String, OperatorId>,
    pub(crate) offers: BTreeMap<OfferId, Offer>,
    pub(crate) callers: BTreeMap<String, CallerSettings>,
    pub(crate) kept: KeptPlaces,
    pub(crate) regulars: Regulars,
    pub(crate) dialling: BTreeMap<CallId, Dialling>,
    pub(crate) breaks: Breaks,
    pub(crate) clock: Option<Clock>,
    pub(crate) pool: Pool,
    pub(crate) timers: Timers,
    pub(crate) outputs: VecDeque<Output>,
    /// Operators of whom something may be told that was not before.
    pub(crate) altered: BTreeSet<OperatorId>,
    pub(crate) lease: Lease,
}

impl Acd {
    /// A core without queues and operators. `boot` makes the ids of offers unique over restarts and
    /// is the seed of what is drawn by lot.
    #[must_use]
    pub fn new(boot: u32) -> Self {
        Self {
            boot,
            offers_made: 0,
            random: Random::new(u64::from(boot)),
            queues: BTreeMap::new(),
            calls: BTreeMap::new(),
            by_entry: BTreeSet::new(),
            operators: BTreeMap::new(),
            lines: BTreeMap::new(),
            offers: BTreeMap::new(),
            callers: BTreeMap::new(),
            kept: KeptPlaces::default(),
            regulars: Regulars::default(),
            dialling: BTreeMap::new(),
            breaks: Breaks::default(),
            clock: None,
            pool: Pool::new(true),
            timers: Timers::default(),
            outputs: VecDeque::new(),
            altered: BTreeSet::new(),
            lease: Lease::default(),
        }
    }

    /// Takes in what happened. Deadlines that are due wait for [`Self::handle_timeout`], so an
    /// answer that is handed in before it counts even if the ring time has just passed.
    pub fn handle(&mut self, now: Time, input: Input) {
        self.take(now, input);
        self.tell_other(now);
    }

    fn take(&mut self, now: Time, input: Input) {
        match input {
            Input::Queues(queues) => self.reload_queues(now, queues),
            Input::Operators(operators) => self.reload_operators(now, operators),
            Input::Callers(callers) => self.callers = callers.into_iter().collect(),
            Input::Remembered(before) => self.remember(now, before),
            Input::Regulars(older) => {
                for (caller, operator) in older {
                    self.regulars.served_before(caller, operator);
                }
            }
            Input::Breaks(breaks) => self.breaks.set(breaks),
            Input::Clock { day, time } => self.clock_set(now, Clock::new(day, time, now)),
            Input::Reachable {
                operator,
                reachable,
            } => {
                self.introduce(now, operator);
                self.alter(now, operator, |record| record.set_reachable(now, reachable));
                self.settle(now, operator);
            }
            Input::SignedIn { operator, line } => self.signed_in(now, operator, line),
            Input::SignedOut { operator } => self.signed_out(now, operator),
            Input::Status {
                operator,
                status,
                by,
            } => self.status_chosen(now, operator, status, by),
            Input::Resumed(before) => self.resumed(now, before),
            Input::Queued(arrival) => self.queued(now, arrival),
            Input::Left { call } => self.left(now, call),
            Input::Ringing { offer } => self.ringing(now, offer),
            Input::Accepted { offer } => self.accepted(now, offer),
            Input::Failed { offer, result } => self.failed(now, offer, result),
            Input::Held { operator, held } => {
                self.happened(now, operator, Happened::Held(held));
            }
            Input::Freed { operator } => {
                self.callback_freed(operator);
                self.happened(now, operator, Happened::Freed);
                self.settle(now, operator);
            }
            Input::EntryComplete { operator, call } => {
                self.happened(now, operator, Happened::EntryComplete(call));
                self.settle(now, operator);
            }
            Input::Ready { operator } => {
                self.happened(now, operator, Happened::Ready);
                self.settle(now, operator);
            }
            Input::OtherCallBegan { operator } => {
                self.introduce(now, operator);
                self.alter(now, operator, |record| record.other_call_began(now));
            }
            Input::OtherCallEnded { operator, wrap_up } => {
                self.alter(now, operator, |record| {
                    record.other_call_ended(now, wrap_up);
                });
                self.settle(now, operator);
            }
            Input::CallbackWanted(wish) => self.callback_wanted(now, wish),
            Input::CallbackReached { offer } => self.callback_reached(now, offer),
            Input::CallbackNamed { call, next } => self.callback_named(now, call, next),
            Input::CallbackEnded { call, reached } => self.callback_ended(now, call, reached),
            Input::Command { number, command } => self.command(now, number, command),
            Input::HandedOver => self.handed_over(now),
            Input::Predecessor => self.begin_after(now),
            Input::TakenBack | Input::PredecessorGone => self.alone(now),
            Input::Staff(operators) => self.staff(now, operators),
            Input::Lent(operators) => self.lent(now, operators),
            Input::Wanted(wanted) => self.wanted(now, wanted),
        }
    }

    fn remember(&mut self, now: Time, before: Remembered) {
        for (at, (caller, queue, long)) in (0..).zip(before.places) {
            // All waited before this process began: what counts is who waited longer.
            let since = Time::from_micros(at);
            self.kept.keep(now, long, queue, &caller, since);
        }
        for (caller, operator) in before.regulars {
            self.regulars.served(now, &caller, operator);
        }
    }

    /// Carries out what is due.
    pub fn handle_timeout(&mut self, now: Time) {
        while let Some(timer) = self.timers.due(now) {
            match timer {
                Timer::Wait(call) => self.waited_too_long(now, call),
                Timer::Unstaffed(queue) => self.unstaffed_too_long(now, queue),
                Timer::Retry(call, operator) => {
                    if let Some(waiting) = self.calls.get_mut(&call) {
                        waiting.failed_with.remove(&operator);
                    }
                    self.offer_call(now, call);
                }
                Timer::Stage(call) => self.next_stage(now, call),
                Timer::Own(call) => self.release_own(now, call),
                Timer::Callback(call) => self.callback_due(now, call),
                Timer::Ring(offer) => self.rang_too_long(now, offer),
                Timer::More(call) => self.ring_at_more(now, call),
                Timer::Rest(operator) => {
                    self.happened(now, operator, Happened::RestOver);
                    self.settle(now, operator);
                }
                Timer::WrapUp(operator) => {
                    self.happened(now, operator, Happened::WrapUpOver);
                    self.settle(now, operator);
                }
                Timer::Break(operator) => self.break_used_up(operator),
                Timer::Midnight => self.midnight(now),
            }
        }
        self.tell_other(now);
    }

    /// The next thing to do, in order.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Operators whose state or status may have changed since this was asked last.
    #[must_use]
    pub fn changed(&mut self) -> Vec<OperatorId> {
        core::mem::take(&mut self.altered).into_iter().collect()
    }

    /// When to call [`Self::handle_timeout`] next.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Time> {
        self.timers.next()
    }

    /// An id for a ringing that no queue decided.
    #[must_use]
    pub fn direct_offer(&mut self) -> OfferId {
        let offer = OfferId::new(self.boot, self.offers_made);
        self.offers_made = self.offers_made.wrapping_add(1);
        offer
    }

    /// Makes a record for an operator who is in no table yet: the telephone may register first.
    pub(crate) fn introduce(&mut self, now: Time, operator: OperatorId) {
        let lease = &mut self.lease;
        self.operators
            .entry(operator)
            .or_insert_with(|| lease.newcomer(now, operator));
    }

    pub(crate) fn happened(&mut self, now: Time, operator: OperatorId, what: Happened) {
        self.alter(now, operator, |record| record.happened(now, what));
    }

    /// The one place that changes an operator: out of the pool first, whose order depends on what
    /// changes, with the deadline of the phase and the counts of the queues in step.
    /// [`Self::settle`] puts the operator back.
    pub(crate) fn alter(&mut self, now: Time, id: OperatorId, change: impl FnOnce(&mut Operator)) {
        let Some(operator) = self.operators.get_mut(&id) else {
            return;
        };
        if operator.pooled {
            self.pool.remove_free(operator);
        }
        let (due_before, presence_before) = (deadline(id, operator.phase), operator.presence());
        let before = (operator.shown().0, operator.status.clone());
        change(operator);
        if before != (operator.shown().0, operator.status.clone()) {
            self.altered.insert(id);
        }
        let (due, presence) = (deadline(id, operator.phase), operator.presence());
        if due_before != due {
            if let Some((at, timer)) = due_before {
                self.timers.cancel(at, timer);
            }
            if let Some((at, timer)) = due {
                self.timers.set(at, timer);
            }
        }
        if let Some((queue, lasted)) = operator.work_done.take()
            && let Some(queue) = self.queues.get_mut(&queue)
        {
            queue.estimates.handled(lasted);
        }
        if presence_before != presence {
            let touched = self.pool.count(operator, presence_before, presence);
            for queue in touched {
                self.judge_staff(now, queue);
            }
            self.release_all_own(now, id);
        }
    }

    /// Gives a free operator the next call of all queues that the operator serves, or else a place
    /// among the free ones. Follows each [`Self::alter`] that may have freed somebody.
    ///
    /// Calls passed over are those of which an offer to this operator failed a moment ago: few,
    /// before the operator is set aside. Calls that ring nowhere come first.
    pub(crate) fn settle(&mut self, now: Time, id: OperatorId) {
        if self.goes(id) {
            self.lend(now, id);
            return;
        }
        let Some(operator) = self.operators.get_mut(&id) else {
            return;
        };
        if !operator.is_free() {
            if operator.is_forgettable() && self.lease.is_alone() {
                self.pool.leave(operator);
                self.operators.remove(&id);
            }
            return;
        }
        let operator = &*operator;
        let calls = &self.calls;
        let failed = |call| {
            calls
                .get(&call)
                .is_some_and(|call: &Call| call.is_barred(id))
        };
        let own = operator.own_calls.iter().find(|key| !failed(key.call));
        let order_of = |key: &CallKey| {
            let queue = calls.get(&key.call).map(|call| call.queue);
            let member = operator.queues.iter().find(|one| Some(one.queue) == queue);
            member.map_or(0, |one| one.order)
        };
        let mut best = own.map(|key| (order_of(key), *key, None, Extra::Silent));
        for extra in [Extra::Silent, Extra::Ringing] {
            for (index, place) in operator.places.iter().enumerate() {
                let Some(group) = self.pool.groups.get(place.group) else {
                    continue;
                };
                let wanted = |key: &CallKey| {
                    best.is_none_or(|(order, first, ..)| (place.order, *key) < (order, first))
                };
                if let Some(key) = group.next_call(place, extra, wanted, failed) {
                    best = Some((place.order, key, Some(index), extra));
                }
            }
            if best.is_some() {
                break;
            }
        }
        match best {
            Some((_, key, index, extra)) => self.offer_next(now, key.call, id, index, extra),
            None => {
                if let Some(operator) = self.operators.get_mut(&id).filter(|who| !who.pooled) {
                    self.pool.insert_free(&mut self.random, id, operator);
                }
            }
        }
    }

    pub(crate) fn settle_all(&mut self, now: Time, operators: Vec<OperatorId>) {
        for operator in operators {
            self.settle(now, operator);
        }
    }
}

/// The deadline that a phase carries.
const fn deadline(operator: OperatorId, phase: Phase) -> Option<(Time, Timer)> {
    match phase {
        Phase::WrapUp { until, .. } => Some((until, Timer::WrapUp(operator))),
        Phase::Resting { until, .. } => Some((until, Timer::Rest(operator))),
        Phase::Idle | Phase::Offered { .. } | Phase::Talking(_) => None,
    }
}
