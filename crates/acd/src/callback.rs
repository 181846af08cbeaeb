//! Owns callers who wait for a call of ours in place of holding the line: a virtual caller keeps
//! the place in the queue, and is called when it is served.
//!
//! It refuses to dial. Operator first: the operator answers, then the number is dialled. Caller
//! first: an operator is reserved, the number is dialled, then the operator rings; should that one
//! not answer, the caller waits at the head of the queue as anybody.

use core::time::Duration;

use vocab::{CallId, OfferResult, OperatorId, QueueId, Time};

use crate::breaks::Hours;
use crate::calls::Call;
use crate::timers::Timer;
use crate::{Acd, Arrival, Output};

/// Calls to one number at most, whatever is configured.
pub const ATTEMPTS_MAX: u8 = 10;

/// A caller is to be called back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallbackWish {
    /// The call and its place. One that waits in the queue leaves it, and its place is taken; else
    /// `since` says since when it is owed: so a callback survives a restart.
    pub arrival: Arrival,
    /// The number to call.
    pub number: String,
    /// Who is called first.
    pub mode: CallbackMode,
    /// How often it is tried, 1 at least.
    pub attempts: u8,
    /// From one attempt in vain to the next.
    pub pause: Duration,
    /// When it may be tried; empty for at any time.
    pub hours: Vec<Hours>,
}

/// Who is called first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallbackMode {
    /// The operator: the caller hears a person at once.
    OperatorFirst,
    /// The caller: no operator listens to a ringing that nobody answers.
    CallerFirst,
}

/// How a callback ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallbackEnd {
    /// The two talked, or the caller waits on the line as anybody.
    Reached,
    /// All attempts were in vain.
    GaveUp,
    /// The caller called first: that call has the place.
    CallerCalled(CallId),
    /// There is one for this number already.
    Duplicate(CallId),
    /// It was taken back.
    Cancelled,
    /// The queue is not in the settings, or closed.
    Closed,
}

/// A virtual caller.
#[derive(Debug, Clone)]
pub(crate) struct Callback {
    pub(crate) number: String,
    mode: CallbackMode,
    attempts_left: u8,
    pause: Duration,
    hours: Vec<Hours>,
    /// Its time has not come.
    pub(crate) asleep: bool,
    /// When that is to be judged again.
    pub(crate) due_at: Option<Time>,
    /// Not before.
    paused_until: Time,
}

impl Callback {
    pub(crate) fn dials_first(&self) -> bool {
        self.mode == CallbackMode::CallerFirst
    }
}

/// A callback for which an operator has answered, and the number is being dialled.
#[derive(Debug)]
pub(crate) struct Dialling {
    callback: Box<Callback>,
    arrival: Arrival,
    operator: OperatorId,
}

impl Acd {
    pub(crate) fn callback_wanted(&mut self, now: Time, wish: CallbackWish) {
        let mut arrival = wish.arrival;
        let (call, queue) = (arrival.call, arrival.queue);
        let mut freed = Vec::new();
        if let Some(waiting) = self.calls.get(&call).filter(|one| one.queue == queue) {
            arrival = waiting.arrival.clone();
            freed = self.take_out(now, call, OfferResult::CallerGone);
        }
        arrival.since = arrival.since.min(now);
        let refused = if let Some(known) = self.callback_of(queue, &wish.number) {
            Some(CallbackEnd::Duplicate(known))
        } else {
            let open = self.queues.get(&queue).is_some_and(|queue| queue.is_open());
            (!open).then_some(CallbackEnd::Closed)
        };
        if let Some(end) = refused {
            self.outputs.push_back(Output::CallbackOver { call, end });
        } else {
            self.outputs.push_back(Output::CallbackKept { call, queue });
            let callback = Box::new(Callback {
                number: wish.number,
                mode: wish.mode,
                attempts_left: wish.attempts.clamp(1, ATTEMPTS_MAX),
                pause: wish.pause,
                hours: wish.hours,
                asleep: true,
                due_at: None,
                paused_until: now,
            });
            self.enter_callback(now, arrival, callback);
        }
        self.settle_all(now, freed);
    }

    fn enter_callback(&mut self, now: Time, arrival: Arrival, mut callback: Box<Callback>) {
        let call = arrival.call;
        if let Some(queue) = self.queues.get_mut(&arrival.queue) {
            queue.callbacks.insert(callback.number.clone(), call);
        }
        // Until its time was judged.
        callback.asleep = true;
        self.enter(now, arrival, 0, Some(callback));
        self.callback_due(now, call);
    }

    /// The callback that a queue owes to a number.
    pub(crate) fn callback_of(&self, queue: QueueId, number: &str) -> Option<CallId> {
        let queue = self.queues.get(&queue).filter(|_| !number.is_empty())?;
        queue.callbacks.get(number).copied()
    }

    /// Judges whether a callback's time has come, and sees to it that this is judged again.
    pub(crate) fn callback_due(&mut self, now: Time, id: CallId) {
        let clock = self.clock;
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        let Some(callback) = call.callback.as_mut() else {
            return;
        };
        self.timers
            .cancel_kept(&mut callback.due_at, Timer::Callback(id));
        let mut due_at = None;
        callback.asleep = now < callback.paused_until;
        if callback.asleep {
            due_at = Some(callback.paused_until);
        } else if !callback.hours.is_empty() {
            // Without a clock no hour is known: better late than in the night.
            callback.asleep = true;
            if let Some(clock) = clock {
                let time = clock.at(now).1;
                callback.asleep = !callback.hours.iter().any(|hours| hours.contains(time));
                let turns = callback.hours.iter().flat_map(|one| [one.from, one.to]);
                let next = turns.map(|turn| clock.until(now, turn)).min();
                due_at = next.map(|next| now + next);
            }
        }
        callback.due_at = due_at;
        if let Some(at) = due_at {
            self.timers.set(at, Timer::Callback(id));
        }
        self.unshelve(id);
        self.shelve(id);
        self.offer_call(now, id);
    }

    /// The clock was told, on which the hours of callbacks depend.
    pub(crate) fn wake_callbacks(&mut self, now: Time) {
        let owed = self
            .queues
            .values()
            .flat_map(|queue| queue.callbacks.values());
        let owed: Vec<CallId> = owed.copied().collect();
        for call in owed {
            self.callback_due(now, call);
        }
    }

    /// The caller calls while a callback is owed: the call has its place, since when it waits. The
    /// operators who were reserved for it are returned, to be settled when the call is in.
    pub(crate) fn callback_overtaken(
        &mut self,
        now: Time,
        callback: CallId,
        by: CallId,
    ) -> (Time, Vec<OperatorId>) {
        let since = self
            .calls
            .get(&callback)
            .map_or(now, |call| call.arrival.since);
        let freed = self.take_out(now, callback, OfferResult::Withdrawn);
        let end = CallbackEnd::CallerCalled(by);
        self.outputs.push_back(Output::CallbackOver {
            call: callback,
            end,
        });
        (since, freed)
    }

    pub(crate) fn callback_cancelled(&mut self, call: CallId) {
        let waits = self
            .calls
            .get(&call)
            .is_some_and(|call| call.callback.is_some());
        if waits || self.dialling.remove(&call).is_some() {
            let end = CallbackEnd::Cancelled;
            self.outputs.push_back(Output::CallbackOver { call, end });
        }
    }

    /// The number of a callback answered: the operator who is reserved rings.
    pub(crate) fn callback_reached(&mut self, now: Time, id: vocab::OfferId) {
        let Some(offer) = self.offers.get_mut(&id).filter(|offer| offer.dials) else {
            return;
        };
        offer.dials = false;
        offer.made = now;
        let (call, operator) = (offer.call, offer.operator);
        let Some(waiting) = self.calls.get_mut(&call) else {
            return;
        };
        // From now on somebody holds the line.
        let Some(callback) = waiting.callback.take() else {
            return;
        };
        if let Some(at) = callback.due_at {
            self.timers.cancel(at, Timer::Callback(call));
        }
        let queue = waiting.queue;
        self.by_entry.remove(&(waiting.entered, call));
        self.by_entry.insert((now, call));
        waiting.entered = now;
        let mut ring_time = Duration::ZERO;
        let record = self.operators.get(&operator);
        if let Some(queue) = self.queues.get_mut(&queue) {
            queue.callbacks.remove(&callback.number);
            ring_time = record.map_or(ring_time, |one| one.ring_time_in(&queue.settings));
            waiting.wait_until = queue.settings.wait_max.map(|wait_max| now + wait_max);
            if let Some(until) = waiting.wait_until {
                self.timers.set(until, Timer::Wait(call));
            }
        }
        self.timers.cancel(offer.ring_until, Timer::Ring(id));
        offer.ring_until = now + ring_time;
        self.timers.set(offer.ring_until, Timer::Ring(id));
        let end = CallbackEnd::Reached;
        self.outputs.push_back(Output::CallbackOver { call, end });
        let choice =
            crate::decide::Choice::by_name(operator, crate::decision::Occasion::CallWaited);
        let why = self.explain_choice(now, call, choice);
        self.outputs.push_back(Output::Offer {
            offer: id,
            call,
            queue,
            operator,
            callback: None,
            why,
        });
    }

    /// An operator answered for a call: if it is a callback, the number is dialled now.
    pub(crate) fn callback_answered(&mut self, id: CallId, call: Call, operator: OperatorId) {
        if let Some(callback) = call.callback {
            let dialling = Dialling {
                callback,
                arrival: call.arrival,
                operator,
            };
            self.dialling.insert(id, dialling);
        }
    }

    /// What became of the dialling.
    pub(crate) fn callback_ended(&mut self, now: Time, call: CallId, reached: bool) {
        let Some(dialling) = self.dialling.remove(&call) else {
            return;
        };
        if reached {
            let end = CallbackEnd::Reached;
            self.outputs.push_back(Output::CallbackOver { call, end });
            self.regulars
                .served(now, &dialling.arrival.caller, dialling.operator);
        } else {
            // There was no talk, so there is no work after it.
            if let Some(operator) = self.operators.get_mut(&dialling.operator) {
                operator.owes_no_work(call);
            }
            self.try_again(now, dialling.arrival, dialling.callback);
        }
    }

    /// The operator's part is over without a word about the dialling: they talked.
    pub(crate) fn callback_freed(&mut self, operator: OperatorId) {
        let over = self
            .dialling
            .iter()
            .find(|(_, one)| one.operator == operator);
        if let Some((call, _)) = over {
            let (call, end) = (*call, CallbackEnd::Reached);
            self.dialling.remove(&call);
            self.outputs.push_back(Output::CallbackOver { call, end });
        }
    }

    /// The number was dialled in vain, the operator not disturbed.
    pub(crate) fn callback_missed(&mut self, now: Time, call: CallId) {
        let Some(mut gone) = self.forget_call(call) else {
            return;
        };
        if let Some(callback) = gone.callback.take() {
            self.try_again(now, gone.arrival, callback);
        }
    }

    /// A callback that waits gets another name, and keeps all else.
    pub(crate) fn callback_named(&mut self, now: Time, call: CallId, next: CallId) {
        if !self.is_callback(call) || self.calls.contains_key(&next) {
            return;
        }
        // Whom it rings at is not asked in the new name at once: that is a call of its own.
        let freed = self.withdraw_all(now, call, OfferResult::Withdrawn);
        let Some(mut gone) = self.forget_call(call) else {
            return;
        };
        if let Some(callback) = gone.callback.take() {
            let arrival = Arrival {
                call: next,
                ..gone.arrival
            };
            self.enter_callback(now, arrival, callback);
        }
        self.settle_all(now, freed);
    }

    /// Whether this is a callback that nobody has answered yet.
    #[must_use]
    pub fn is_callback(&self, call: CallId) -> bool {
        let call = self.calls.get(&call);
        call.is_some_and(|call| call.callback.is_some())
    }

    /// Whether this is a callback that waits for its time or an operator, and rings nowhere.
    #[must_use]
    pub fn is_owed(&self, call: CallId) -> bool {
        let call = self.calls.get(&call);
        call.is_some_and(|call| call.callback.is_some() && call.offers.is_empty())
    }

    fn try_again(&mut self, now: Time, arrival: Arrival, mut callback: Box<Callback>) {
        let call = arrival.call;
        callback.attempts_left = callback.attempts_left.saturating_sub(1);
        let open = self.queues.contains_key(&arrival.queue);
        if callback.attempts_left == 0 || !open {
            let end = CallbackEnd::GaveUp;
            self.outputs.push_back(Output::CallbackOver { call, end });
            return;
        }
        if let Some(by) = self.waiting_as(arrival.queue, &callback.number) {
            // Called while we dialled: the number was engaged by the one whom it is for.
            let end = CallbackEnd::CallerCalled(by);
            self.outputs.push_back(Output::CallbackOver { call, end });
            return;
        }
        callback.paused_until = now + callback.pause;
        self.enter_callback(now, arrival, callback);
    }

    /// One that rings nowhere waits here no more: it is for the core that took over.
    pub(crate) fn leave_callback(&mut self, call: CallId) {
        let gone = self.forget_call(call).and_then(|gone| gone.callback);
        if let Some(gone) = gone {
            let attempts_left = gone.attempts_left;
            self.outputs.push_back(Output::CallbackLeft {
                call,
                attempts_left,
            });
        }
    }

    /// The call of this number that waits in a queue. Looked for when a dialling failed, and so seldom.
    fn waiting_as(&self, queue: QueueId, number: &str) -> Option<CallId> {
        let calls = self.queues.get(&queue)?.calls.iter();
        calls.map(|key| key.call).find(|call| {
            let call = self.calls.get(call);
            call.is_some_and(|call| call.callback.is_none() && call.arrival.caller == number)
        })
    }
}
