//! Owns the calls of the queues: how they enter, wait, overflow and leave.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use vocab::{CallId, OfferId, OfferResult, OperatorId, QueueId, Time};

use crate::callback::Callback;
use crate::estimate::{Estimates, Forecast};
use crate::operator::Happened;
use crate::order::CallKey;
use crate::output::Cause;
use crate::settings::{OVERFLOWS_MAX, Overflow, QueueSettings};
use crate::skills::{NEEDS_MAX, SkillNeed};
use crate::staffing::Staffing;
use crate::timers::Timer;
use crate::{Acd, Arrival, Output};

/// A queue and its calls, those that ring included.
#[derive(Debug)]
pub(crate) struct Queue {
    pub(crate) settings: QueueSettings,
    /// In the settings. One that is not takes no more calls and goes with its last one.
    pub(crate) listed: bool,
    /// Closed by a supervisor.
    pub(crate) closed: bool,
    pub(crate) calls: BTreeSet<CallKey>,
    /// How many calls there are of each priority.
    pub(crate) by_priority: BTreeMap<u8, usize>,
    /// The way of calls without wishes of their own.
    pub(crate) way: usize,
    /// The ways of others, by their wishes.
    pub(crate) own_ways: BTreeMap<Vec<SkillNeed>, usize>,
    /// When operators join who get calls late.
    pub(crate) delays: Vec<Duration>,
    pub(crate) staffing: Staffing,
    pub(crate) estimates: Estimates,
    /// Callbacks by number.
    pub(crate) callbacks: BTreeMap<String, CallId>,
}

impl Queue {
    pub(crate) fn new(settings: QueueSettings) -> Self {
        Self {
            settings,
            listed: true,
            closed: false,
            calls: BTreeSet::new(),
            by_priority: BTreeMap::new(),
            way: 0,
            own_ways: BTreeMap::new(),
            delays: Vec::new(),
            staffing: Staffing::default(),
            estimates: Estimates::default(),
            callbacks: BTreeMap::new(),
        }
    }

    pub(crate) fn is_open(&self) -> bool {
        self.listed && !self.closed
    }

    fn insert(&mut self, key: CallKey) {
        self.calls.insert(key);
        *self.by_priority.entry(key.priority()).or_default() += 1;
    }

    fn remove(&mut self, key: &CallKey) {
        if self.calls.remove(key)
            && let Some(count) = self.by_priority.get_mut(&key.priority())
        {
            *count -= 1;
        }
    }

    /// The place that one who comes last of this priority has; 1 for the next.
    pub(crate) fn last_place(&self, priority: u8) -> usize {
        self.by_priority
            .range(priority..)
            .map(|(_, count)| count)
            .sum::<usize>()
            + 1
    }
}

/// A call in a queue.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) queue: QueueId,
    pub(crate) key: CallKey,
    /// As it came, so that it can enter another queue.
    pub(crate) arrival: Arrival,
    /// When it entered this queue: later than `arrival.since` if it came back.
    pub(crate) entered: Time,
    pub(crate) overflows: u8,
    pub(crate) way: usize,
    pub(crate) stage: usize,
    /// On which shelf of which group it stands, if it does.
    pub(crate) shelf: Option<(usize, usize)>,
    /// The one operator it waits for, and until when.
    pub(crate) own: Option<(OperatorId, Time)>,
    pub(crate) wait_until: Option<Time>,
    pub(crate) stage_at: Option<Time>,
    pub(crate) more_at: Option<Time>,
    pub(crate) offers: Vec<(OfferId, OperatorId)>,
    /// At how many operators it may ring at once.
    pub(crate) offers_max: usize,
    /// With whom an offer of it failed, and until when they do not get it again.
    pub(crate) failed_with: BTreeMap<OperatorId, Time>,
    pub(crate) callback: Option<Box<Callback>>,
    pub(crate) forecast: Option<Forecast>,
}

impl Call {
    /// An offer of it failed at this operator a moment ago.
    pub(crate) fn is_barred(&self, operator: OperatorId) -> bool {
        self.failed_with.contains_key(&operator)
    }

    /// A callback whose time has not come.
    pub(crate) fn is_asleep(&self) -> bool {
        self.callback
            .as_ref()
            .is_some_and(|callback| callback.asleep)
    }
}

impl Acd {
    pub(crate) fn queued(&mut self, now: Time, mut arrival: Arrival) {
        arrival.since = arrival.since.min(now);
        arrival.skills.truncate(NEEDS_MAX);
        let mut freed = match self.calls.get(&arrival.call) {
            // Said twice: the call keeps its place.
            Some(waiting) if waiting.queue == arrival.queue => return,
            Some(_) => self.take_out(now, arrival.call, OfferResult::Withdrawn),
            None => Vec::new(),
        };
        if let Some(callback) = self.callback_of(arrival.queue, &arrival.caller) {
            let (since, operators) = self.callback_overtaken(now, callback, arrival.call);
            arrival.since = arrival.since.min(since);
            freed.extend(operators);
        }
        if let Some(since) = self.kept.take(now, arrival.queue, &arrival.caller) {
            arrival.since = arrival.since.min(since);
        }
        self.admit(now, arrival, 0);
        self.settle_all(now, freed);
    }

    /// Lets a call in, or lets it overflow.
    pub(crate) fn admit(&mut self, now: Time, arrival: Arrival, overflows: u8) {
        // A full queue still has the place of a call that comes back, but not of one that
        // overflowed into it.
        let returns = overflows == 0 && arrival.since < now;
        let refusal = self
            .refusal_cause(arrival.queue)
            .filter(|(cause, _)| !(returns && *cause == Cause::Full));
        match refusal {
            Some((cause, then)) => self.overflow(now, arrival, overflows, cause, then),
            None => self.enter(now, arrival, overflows, None),
        }
    }

    /// What becomes of a call that cannot be in its queue, and is in none now.
    fn overflow(
        &mut self,
        now: Time,
        arrival: Arrival,
        overflows: u8,
        cause: Cause,
        then: Overflow,
    ) {
        let (call, queue) = (arrival.call, arrival.queue);
        let then = match then {
            Overflow::Queue(to) if to != queue && overflows < OVERFLOWS_MAX => {
                let from = queue;
                self.outputs.push_back(Output::Moved {
                    call,
                    from,
                    to,
                    cause,
                });
                let arrival = Arrival {
                    queue: to,
                    ..arrival
                };
                return self.admit(now, arrival, overflows + 1);
            }
            // Round and round: the plan decides.
            Overflow::Queue(_) => Overflow::Plan,
            other => other,
        };
        self.outputs.push_back(Output::Dismissed {
            call,
            queue,
            cause,
            then,
        });
    }

    /// Puts a call into a queue that takes it.
    pub(crate) fn enter(
        &mut self,
        now: Time,
        arrival: Arrival,
        overflows: u8,
        callback: Option<Box<Callback>>,
    ) {
        let (call, queue_id) = (arrival.call, arrival.queue);
        let way = self.way_of(queue_id, &arrival.skills);
        let caller = self.callers.get(&arrival.caller);
        let (more, credit) = caller.map_or((0, Duration::ZERO), |caller| {
            (caller.priority, caller.credit)
        });
        let owner = arrival.owner.or(caller.and_then(|caller| caller.owner));
        let Some(queue) = self.queues.get_mut(&queue_id) else {
            return;
        };
        let priority = arrival
            .priority
            .saturating_add(queue.settings.priority)
            .saturating_add(more);
        let since = earlier(arrival.since, credit + queue.settings.credit);
        let key = CallKey::new(priority, since, call);
        let place = queue.last_place(priority);
        queue.insert(key);
        // Who is called back does not wait on the line.
        if callback.is_none() {
            self.by_entry.insert((now, call));
        }
        let wait_until = match callback {
            // A callback ends with its attempts.
            Some(_) => None,
            None => queue.settings.wait_max.map(|wait_max| now + wait_max),
        };
        if let Some(until) = wait_until {
            self.timers.set(until, Timer::Wait(call));
        }
        let sticky = queue.settings.sticky;
        let stage = self.pool.stage_after(way, now.since(arrival.since));
        let record = Call {
            queue: queue_id,
            key,
            entered: now,
            overflows,
            way,
            stage,
            shelf: None,
            own: None,
            wait_until,
            stage_at: None,
            more_at: None,
            offers: Vec::new(),
            offers_max: queue.settings.ringing.at_first(),
            failed_with: BTreeMap::new(),
            callback,
            forecast: None,
            arrival,
        };
        let owner = sticky.and_then(|_| owner.or_else(|| self.regulars.of(&record.arrival.caller)));
        self.calls.insert(call, record);
        self.set_stage_timer(call);
        if let (Some(owner), Some(limit)) = (owner, sticky) {
            self.wait_for_own(now, call, owner, limit);
        }
        self.shelve(call);
        self.offer_call(now, call);
        // After this call has its place: one that comes back or was moved may be the oldest.
        self.open_reserve(now, queue_id);
        self.forecast(call, place);
    }

    pub(crate) fn left(&mut self, now: Time, call: CallId) {
        if let Some(waiting) = self.calls.get(&call) {
            let keep = self
                .queues
                .get(&waiting.queue)
                .and_then(|queue| queue.settings.keep_place);
            if let (Some(keep), None) = (keep, &waiting.callback) {
                let Arrival { caller, since, .. } = &waiting.arrival;
                self.kept.keep(now, keep, waiting.queue, caller, *since);
            }
        }
        self.callback_cancelled(call);
        // A call that is not waiting was accepted, timed out or refused already.
        let freed = self.take_out(now, call, OfferResult::CallerGone);
        self.settle_all(now, freed);
    }

    pub(crate) fn waited_too_long(&mut self, now: Time, call: CallId) {
        let queue = self.calls.get(&call).map(|call| call.queue);
        let Some(queue) = queue.and_then(|queue| self.queues.get(&queue)) else {
            return;
        };
        let then = queue.settings.on_wait_max.clone();
        self.dismiss(now, call, Cause::WaitedTooLong, then);
    }

    /// Takes a waiting call out of its queue, for what is to become of it.
    pub(crate) fn dismiss(&mut self, now: Time, call: CallId, cause: Cause, then: Overflow) {
        let Some((arrival, overflows)) = self
            .calls
            .get(&call)
            .map(|call| (call.arrival.clone(), call.overflows))
        else {
            return;
        };
        let freed = self.take_out(now, call, OfferResult::Withdrawn);
        self.overflow(now, arrival, overflows, cause, then);
        self.settle_all(now, freed);
    }

    /// Takes a call out of its queue and withdraws its offers. The operators at whom it rang are
    /// returned, to be settled when everything else about the call is done.
    pub(crate) fn take_out(
        &mut self,
        now: Time,
        call: CallId,
        result: OfferResult,
    ) -> Vec<OperatorId> {
        let freed = self.withdraw_all(now, call, result);
        self.forget_call(call);
        freed
    }

    /// Withdraws the offers of a call. Nobody is settled yet.
    pub(crate) fn withdraw_all(
        &mut self,
        now: Time,
        call: CallId,
        result: OfferResult,
    ) -> Vec<OperatorId> {
        let mut freed = Vec::new();
        let offers = self.calls.get(&call).map(|call| call.offers.clone());
        for (offer, operator) in offers.unwrap_or_default() {
            if self.end_offer(offer).is_none() {
                continue;
            }
            self.happened(now, operator, Happened::Withdrawn);
            self.outputs.push_back(Output::Withdraw {
                offer,
                call,
                operator,
                result,
            });
            freed.push(operator);
        }
        freed
    }

    /// Removes every trace of a call that has no offer any more.
    pub(crate) fn forget_call(&mut self, call: CallId) -> Option<Call> {
        self.unshelve(call);
        let mut gone = self.calls.remove(&call)?;
        self.by_entry.remove(&(gone.entered, call));
        let timers = &mut self.timers;
        timers.cancel_kept(&mut gone.wait_until, Timer::Wait(call));
        timers.cancel_kept(&mut gone.stage_at, Timer::Stage(call));
        timers.cancel_kept(&mut gone.more_at, Timer::More(call));
        for (operator, until) in core::mem::take(&mut gone.failed_with) {
            timers.cancel(until, Timer::Retry(call, operator));
        }
        if let Some((operator, until)) = gone.own.take() {
            timers.cancel(until, Timer::Own(call));
            if let Some(operator) = self.operators.get_mut(&operator) {
                operator.own_calls.remove(&gone.key);
            }
        }
        if let Some(callback) = &mut gone.callback {
            timers.cancel_kept(&mut callback.due_at, Timer::Callback(call));
        }
        if let Some(queue) = self.queues.get_mut(&gone.queue) {
            queue.remove(&gone.key);
            if let Some(callback) = &gone.callback {
                queue.callbacks.remove(&callback.number);
            }
            if !queue.listed && queue.calls.is_empty() {
                self.timers
                    .cancel_kept(&mut queue.staffing.leave_at, Timer::Unstaffed(gone.queue));
                self.queues.remove(&gone.queue);
            }
        }
        self.close_reserve(gone.queue);
        Some(gone)
    }

    /// Another priority for a waiting call.
    pub(crate) fn reprioritise(&mut self, now: Time, call: CallId, priority: u8) {
        self.unshelve(call);
        let Some(waiting) = self.calls.get_mut(&call) else {
            return;
        };
        let before = waiting.key;
        waiting.key = before.with_priority(priority);
        waiting.arrival.priority = priority;
        if let Some(queue) = self.queues.get_mut(&waiting.queue) {
            queue.remove(&before);
            queue.insert(waiting.key);
        }
        if let Some((operator, _)) = waiting.own
            && let Some(operator) = self.operators.get_mut(&operator)
        {
            operator.own_calls.remove(&before);
            operator.own_calls.insert(waiting.key);
        }
        self.shelve(call);
        self.offer_call(now, call);
    }

    /// What to expect of the wait of a call that has just entered.
    fn forecast(&mut self, id: CallId, place: usize) {
        let Some(call) = self
            .calls
            .get_mut(&id)
            .filter(|call| call.callback.is_none())
        else {
            return;
        };
        let Some(queue) = self.queues.get(&call.queue) else {
            return;
        };
        let ahead = if call.offers.is_empty() { place } else { 0 };
        let serving = queue.staffing.serving(&self.pool);
        call.forecast = queue.estimates.forecast(ahead, serving);
    }
}

/// A time before another, as far as there is one.
pub(crate) fn earlier(time: Time, by: Duration) -> Time {
    let by = u64::try_from(by.as_micros()).unwrap_or(u64::MAX);
    Time::from_micros(time.as_micros().saturating_sub(by))
}
