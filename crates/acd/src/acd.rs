//! Owns the decisions: waiting calls, free operators, live offers, and how one event changes them.
//!
//! It refuses to know how an offer is carried out, and it never looks through all calls or all
//! operators for an event; only a new table of settings does that (`reload`).
//!
//! Longer than 500 lines because calls, offers and operators change in step: the sets they share
//! stay private to this file.

use core::cmp::Reverse;
use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use vocab::{CallId, OfferId, OfferResult, OperatorId, OperatorState, QueueId, QueueOutcome, Time};

use crate::explain::{self, Occasion};
use crate::operator::{Fault, Happened, Operator, Phase};
use crate::pool::{CallKey, GroupId, Pool};
use crate::settings::PAUSE_AFTER_FAILURE_MIN;
use crate::timers::{Timer, Timers};
use crate::{Input, Output, QueueSettings};

/// The core. See the crate's documentation for its contract.
#[derive(Debug)]
pub struct Acd {
    boot: u32,
    offers_made: u32,
    pub(crate) queues: BTreeMap<QueueId, Queue>,
    pub(crate) calls: BTreeMap<CallId, Call>,
    /// The calls by the time they entered: the first waits longest.
    by_entry: BTreeSet<(Time, CallId)>,
    pub(crate) operators: BTreeMap<OperatorId, Operator>,
    offers: BTreeMap<OfferId, Offer>,
    pub(crate) pool: Pool,
    pub(crate) timers: Timers,
    outputs: VecDeque<Output>,
}

/// A queue and its calls, those that ring included.
#[derive(Debug)]
pub(crate) struct Queue {
    pub(crate) settings: QueueSettings,
    pub(crate) group: GroupId,
    /// In the settings. One that is not takes no more calls and goes with its last one.
    pub(crate) open: bool,
    pub(crate) calls: BTreeSet<CallKey>,
}

/// A call in a queue. It stands in the pool exactly while it has no offer.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) queue: QueueId,
    pub(crate) key: CallKey,
    /// When it entered this queue: later than the `since` of its key if it came back.
    pub(crate) entered: Time,
    pub(crate) group: GroupId,
    pub(crate) wait_until: Option<Time>,
    pub(crate) offer: Option<OfferId>,
    /// With whom an offer of it failed, and until when they do not get it again.
    failed_with: BTreeMap<OperatorId, Time>,
}

/// A live offer.
#[derive(Debug)]
struct Offer {
    call: CallId,
    operator: OperatorId,
    ring_until: Time,
}

impl Acd {
    /// A core without queues and operators. `boot` makes the ids of offers unique over restarts.
    #[must_use]
    pub fn new(boot: u32) -> Self {
        Self {
            boot,
            offers_made: 0,
            queues: BTreeMap::new(),
            calls: BTreeMap::new(),
            by_entry: BTreeSet::new(),
            operators: BTreeMap::new(),
            offers: BTreeMap::new(),
            pool: Pool::default(),
            timers: Timers::default(),
            outputs: VecDeque::new(),
        }
    }

    /// Takes in what happened. Deadlines that are due wait for [`Self::handle_timeout`], so an
    /// answer that is handed in before it counts even if the ring time has just passed.
    pub fn handle(&mut self, now: Time, input: Input) {
        match input {
            Input::Queues(queues) => self.reload_queues(now, queues),
            Input::Operators(operators) => self.reload_operators(now, operators),
            Input::Reachable {
                operator,
                reachable,
            } => {
                self.introduce(now, operator);
                self.alter(operator, |record| record.set_reachable(now, reachable));
                self.settle(now, operator);
            }
            Input::Paused { operator, paused } => {
                self.introduce(now, operator);
                self.alter(operator, |record| record.set_paused(now, paused));
                self.settle(now, operator);
            }
            Input::Queued {
                call,
                queue,
                priority,
                since,
            } => self.queued(now, call, queue, (priority, since.min(now))),
            Input::Left { call } => self.left(now, call),
            Input::Ringing { offer } => self.ringing(now, offer),
            Input::Accepted { offer } => self.accepted(now, offer),
            Input::Failed { offer, result } => self.failed(now, offer, result),
            Input::Freed { operator } => {
                self.happened(now, operator, Happened::Freed);
                self.settle(now, operator);
            }
            Input::OtherCallBegan { operator } => {
                self.introduce(now, operator);
                self.alter(operator, |record| record.other_call_began(now));
            }
            Input::OtherCallEnded { operator, wrap_up } => {
                self.alter(operator, |record| record.other_call_ended(now, wrap_up));
                self.settle(now, operator);
            }
        }
    }

    /// Carries out what is due.
    pub fn handle_timeout(&mut self, now: Time) {
        while let Some(timer) = self.timers.due(now) {
            match timer {
                Timer::Wait(call) => self.waited_too_long(now, call),
                Timer::Retry(call, operator) => {
                    if let Some(waiting) = self.calls.get_mut(&call) {
                        waiting.failed_with.remove(&operator);
                    }
                    self.offer_call(now, call);
                }
                Timer::Ring(offer) => self.rang_too_long(now, offer),
                Timer::Rest(operator) => {
                    self.happened(now, operator, Happened::RestOver);
                    self.settle(now, operator);
                }
                Timer::WrapUp(operator) => {
                    self.happened(now, operator, Happened::WrapUpOver);
                    self.settle(now, operator);
                }
            }
        }
    }

    /// The next thing to do, in order.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to call [`Self::handle_timeout`] next.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Time> {
        self.timers.next()
    }

    /// Calls in queues, those that ring included.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.calls.len()
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

    /// How a queue would refuse a call now; `None` if it would take it.
    #[must_use]
    pub fn refusal(&self, queue: QueueId) -> Option<QueueOutcome> {
        match self.queues.get(&queue) {
            Some(queue) if queue.open => (queue.calls.len() >= queue.settings.length_max)
                .then_some(QueueOutcome::RefusedFull),
            Some(_) | None => Some(QueueOutcome::Closed),
        }
    }

    /// Whether a queue has anybody to serve it: an operator whose telephone is reachable.
    /// Looks at every operator: for a transfer, not for every event.
    #[must_use]
    pub fn is_served(&self, queue: QueueId) -> bool {
        self.queues.get(&queue).is_some_and(|queue| {
            self.operators.values().any(|operator| {
                operator.listed
                    && operator.reachable
                    && operator
                        .memberships
                        .iter()
                        .any(|place| place.group == queue.group)
            })
        })
    }

    /// An id for a ringing that no queue decided.
    #[must_use]
    pub fn direct_offer(&mut self) -> OfferId {
        let offer = OfferId::new(self.boot, self.offers_made);
        self.offers_made = self.offers_made.wrapping_add(1);
        offer
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

    // ---- calls ----

    fn queued(&mut self, now: Time, call: CallId, queue: QueueId, place: (u8, Time)) {
        let freed = match self.calls.get(&call) {
            // Said twice: the call keeps its place.
            Some(waiting) if waiting.queue == queue => return,
            Some(_) => self.take_out(now, call, OfferResult::Withdrawn),
            None => None,
        };
        // A full queue still has the place of a call that comes back.
        let returns = place.1 < now;
        let refusal = self
            .refusal(queue)
            .filter(|outcome| !(returns && *outcome == QueueOutcome::RefusedFull));
        match refusal {
            Some(outcome) => self.outputs.push_back(Output::Refused {
                call,
                queue,
                outcome,
            }),
            None => self.enter(now, call, queue, place),
        }
        self.settle_freed(now, freed);
    }

    fn enter(&mut self, now: Time, call: CallId, queue: QueueId, (priority, since): (u8, Time)) {
        let Some(entered) = self.queues.get_mut(&queue) else {
            return;
        };
        let key = CallKey {
            priority: Reverse(priority),
            since,
            call,
        };
        let group = entered.group;
        let wait_until = entered.settings.wait_max.map(|wait_max| now + wait_max);
        entered.calls.insert(key);
        self.by_entry.insert((now, call));
        if let Some(until) = wait_until {
            self.timers.set(until, Timer::Wait(call));
        }
        self.pool.insert_call(group, key);
        let failed_with = BTreeMap::new();
        self.calls.insert(
            call,
            Call {
                queue,
                key,
                entered: now,
                group,
                wait_until,
                offer: None,
                failed_with,
            },
        );
        self.offer_call(now, call);
    }

    fn left(&mut self, now: Time, call: CallId) {
        // A call that is not waiting was accepted, timed out or refused already.
        let freed = self.take_out(now, call, OfferResult::CallerGone);
        self.settle_freed(now, freed);
    }

    fn waited_too_long(&mut self, now: Time, call: CallId) {
        let Some(queue) = self.calls.get(&call).map(|call| call.queue) else {
            return;
        };
        let freed = self.take_out(now, call, OfferResult::Withdrawn);
        self.outputs.push_back(Output::TimedOut { call, queue });
        self.settle_freed(now, freed);
    }

    /// Takes a call out of its queue and withdraws its offer. The operator at whom it rang is
    /// returned, to be settled when everything else about the call is done.
    fn take_out(&mut self, now: Time, call: CallId, result: OfferResult) -> Option<OperatorId> {
        let offer = self.calls.get(&call)?.offer;
        let freed = offer.and_then(|id| {
            let offer = self.end_offer(id)?;
            self.happened(now, offer.operator, Happened::Withdrawn);
            let Offer { call, operator, .. } = offer;
            self.outputs.push_back(Output::Withdraw {
                offer: id,
                call,
                operator,
                result,
            });
            Some(operator)
        });
        self.forget_call(call);
        freed
    }

    /// Removes every trace of a call that has no offer any more.
    fn forget_call(&mut self, call: CallId) {
        let Some(gone) = self.calls.remove(&call) else {
            return;
        };
        self.by_entry.remove(&(gone.entered, call));
        self.pool.remove_call(gone.group, gone.key);
        if let Some(until) = gone.wait_until {
            self.timers.cancel(until, Timer::Wait(call));
        }
        for (operator, until) in gone.failed_with {
            self.timers.cancel(until, Timer::Retry(call, operator));
        }
        if let Some(queue) = self.queues.get_mut(&gone.queue) {
            queue.calls.remove(&gone.key);
            if !queue.open && queue.calls.is_empty() {
                self.queues.remove(&gone.queue);
            }
        }
    }

    // ---- offers ----

    fn ringing(&mut self, now: Time, offer: OfferId) {
        // A late 180 of a dead offer says nothing.
        let Some(operator) = self.offers.get(&offer).map(|offer| offer.operator) else {
            return;
        };
        self.happened(now, operator, Happened::Ringing);
    }

    fn accepted(&mut self, now: Time, id: OfferId) {
        let Some(offer) = self.end_offer(id) else {
            self.outputs.push_back(Output::Stale { offer: id });
            return;
        };
        let wrap_up = self
            .queue_of(offer.call)
            .map_or(Duration::ZERO, |queue| queue.wrap_up);
        self.forget_call(offer.call);
        self.happened(now, offer.operator, Happened::Accepted { wrap_up });
    }

    fn rang_too_long(&mut self, now: Time, id: OfferId) {
        let Some(Offer { call, operator, .. }) = self.offers.get(&id) else {
            return;
        };
        let (call, operator, result) = (*call, *operator, OfferResult::NoAnswer);
        self.outputs.push_back(Output::Withdraw {
            offer: id,
            call,
            operator,
            result,
        });
        self.failed(now, id, result);
    }

    /// The offer is over without an answer; the call goes to the next operator at once.
    fn failed(&mut self, now: Time, id: OfferId, result: OfferResult) {
        // The end of an offer that we withdrew ourselves is no news.
        let Some(Offer { call, operator, .. }) = self.end_offer(id) else {
            return;
        };
        let Some(queue) = self.queue_of(call) else {
            return;
        };
        let retry_delay = queue.retry_delay.max(PAUSE_AFTER_FAILURE_MIN);
        let rest = queue.rest_after_no_answer.max(PAUSE_AFTER_FAILURE_MIN);
        let happened = match result {
            OfferResult::Busy | OfferResult::Rejected => Happened::Declined { rest: retry_delay },
            OfferResult::NoAnswer => Happened::Unanswered {
                rest,
                fault: Fault::Person,
            },
            OfferResult::Unreachable => Happened::Unanswered {
                rest,
                fault: Fault::Telephone,
            },
            // Not the operator's doing; if the call is to leave, `Left` says so.
            OfferResult::Answered | OfferResult::CallerGone | OfferResult::Withdrawn => {
                Happened::Withdrawn
            }
        };
        if let Some(waiting) = self.calls.get_mut(&call) {
            let until = now + retry_delay;
            waiting.failed_with.insert(operator, until);
            self.timers.set(until, Timer::Retry(call, operator));
            self.pool.insert_call(waiting.group, waiting.key);
        }
        self.happened(now, operator, happened);
        self.offer_call(now, call);
        self.settle(now, operator);
    }

    /// Removes a live offer; its call is in no set then, and its operator still bound.
    fn end_offer(&mut self, id: OfferId) -> Option<Offer> {
        let offer = self.offers.remove(&id)?;
        self.timers.cancel(offer.ring_until, Timer::Ring(id));
        if let Some(call) = self.calls.get_mut(&offer.call) {
            call.offer = None;
        }
        Some(offer)
    }

    fn queue_of(&self, call: CallId) -> Option<&QueueSettings> {
        let call = self.calls.get(&call)?;
        Some(&self.queues.get(&call.queue)?.settings)
    }

    // ---- decisions ----

    /// Offers a waiting call to the best free operator. Those passed over are operators with whom
    /// an offer of this very call failed within `retry_delay`, so the search is short.
    pub(crate) fn offer_call(&mut self, now: Time, id: CallId) {
        let Some(call) = self.calls.get(&id).filter(|call| call.offer.is_none()) else {
            return;
        };
        let failed_with = &call.failed_with;
        let Some(found) = self
            .pool
            .best_operator(call.group, |operator| failed_with.contains_key(&operator))
        else {
            return;
        };
        let occasion = Occasion::CallWaits {
            passed_over: found.passed_over,
        };
        self.offer(now, id, found.operator, found.level, occasion);
    }

    /// Gives a free operator the next call of all queues that the operator serves, or else a place
    /// among the free ones. Follows each [`Self::alter`] that may have freed somebody.
    ///
    /// Calls passed over are those of which an offer to this operator failed within `retry_delay`:
    /// fewer than `DECLINES_IN_A_ROW_MAX` before the operator is set aside.
    pub(crate) fn settle(&mut self, now: Time, id: OperatorId) {
        let Some(operator) = self.operators.get_mut(&id) else {
            return;
        };
        if !operator.is_free() {
            if operator.is_forgettable() {
                self.operators.remove(&id);
            }
            return;
        }
        let calls = &self.calls;
        let failed = |call| {
            calls
                .get(&call)
                .is_some_and(|call: &Call| call.failed_with.contains_key(&id))
        };
        let pool = &self.pool;
        let next = operator
            .memberships
            .iter()
            .filter_map(|place| Some((pool.next_call(place.group, failed)?, place.level)))
            .min();
        match next {
            Some((key, level)) => self.offer(now, key.call, id, level, Occasion::OperatorFree),
            None if operator.pooled => {}
            None => {
                operator.pooled = true;
                self.pool
                    .insert_free(&operator.memberships, operator.idle_since, id);
            }
        }
    }

    fn settle_freed(&mut self, now: Time, freed: Option<OperatorId>) {
        if let Some(operator) = freed {
            self.settle(now, operator);
        }
    }

    fn offer(&mut self, now: Time, id: CallId, to: OperatorId, level: u8, occasion: Occasion) {
        let Some(idle) = self.operators.get(&to).map(|who| now.since(who.idle_since)) else {
            return;
        };
        let offer = OfferId::new(self.boot, self.offers_made);
        self.happened(now, to, Happened::Offered { offer });
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        let Some(queue) = self.queues.get(&call.queue) else {
            return;
        };
        self.offers_made = self.offers_made.wrapping_add(1);
        let why = explain::why(
            &occasion,
            &explain::Facts {
                skill: self.pool.skill(call.group),
                level,
                idle,
                others_free: self.pool.free_in(call.group),
                waiting: self.pool.waiting_in(call.group),
                waited: now.since(call.entered),
            },
        );
        self.pool.remove_call(call.group, call.key);
        call.offer = Some(offer);
        let ring_until = now + queue.settings.ring_time;
        self.timers.set(ring_until, Timer::Ring(offer));
        self.offers.insert(
            offer,
            Offer {
                call: id,
                operator: to,
                ring_until,
            },
        );
        let (call, queue, operator) = (id, call.queue, to);
        self.outputs.push_back(Output::Offer {
            offer,
            call,
            queue,
            operator,
            why,
        });
    }

    // ---- operators ----

    /// Makes a record for an operator who is in no table yet: the telephone may register first.
    fn introduce(&mut self, now: Time, operator: OperatorId) {
        self.operators
            .entry(operator)
            .or_insert_with(|| Operator::new(now));
    }

    fn happened(&mut self, now: Time, operator: OperatorId, what: Happened) {
        self.alter(operator, |record| record.happened(now, what));
    }

    /// The one place that changes an operator: out of the pool first, whose order depends on what
    /// changes, and with the deadline of the phase in step. [`Self::settle`] puts the operator back.
    fn alter(&mut self, id: OperatorId, change: impl FnOnce(&mut Operator)) {
        let Some(operator) = self.operators.get_mut(&id) else {
            return;
        };
        if operator.pooled {
            operator.pooled = false;
            self.pool
                .remove_free(&operator.memberships, operator.idle_since, id);
        }
        let before = deadline(id, operator.phase);
        change(operator);
        let after = deadline(id, operator.phase);
        if before == after {
            return;
        }
        if let Some((at, timer)) = before {
            self.timers.cancel(at, timer);
        }
        if let Some((at, timer)) = after {
            self.timers.set(at, timer);
        }
    }
}

/// The deadline that a phase carries.
const fn deadline(operator: OperatorId, phase: Phase) -> Option<(Time, Timer)> {
    match phase {
        Phase::WrapUp { until } => Some((until, Timer::WrapUp(operator))),
        Phase::Resting { until, .. } => Some((until, Timer::Rest(operator))),
        Phase::Idle | Phase::Offered { .. } | Phase::Talking { .. } => None,
    }
}
