//! Owns the callers who are owed a call of ours: the promise, each attempt as a call of its own, the end.
//! When an attempt is due is for the ACD to say; it keeps the place.
//!
//! ```text
//! promised ─► owed ─► dialled ─► reached: the caller waits at the old place, and an operator rings
//!              ▲          │
//!              └──────────┴─► missed; after the last attempt given up
//! ```
//! The ACD knows a callback by the id of its next attempt, so each attempt is a call of the journal
//! that names the call it makes good.
//!
//! Operator first, the attempt begins with the first offer and goes from operator to operator until one
//! takes it; then the number is dialled, and an attempt in vain ends like any other.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use acd::{CallbackEnd, CallbackMode, CallbackWish, Hours, Limits, SkillNeed};
use vocab::{
    CallId, Callback, CallbackResult, EndedBy, Fact, OfferId, OfferResult, OrderRefusal, QueueId,
    Time,
};

use crate::call::Call;
use crate::context::Context;
use crate::engine::Switch;

/// Callbacks owed at once: the missed calls of a bad day, each one promised.
const OWED_MAX: usize = 10_000;

/// How a queue calls back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallbackRules {
    /// How often it is tried.
    pub attempts: u8,
    /// From one attempt in vain to the next.
    pub pause: Duration,
    /// When it may be tried; empty for at any time.
    pub hours: Vec<Hours>,
    /// Who is called first.
    pub first: CallbackMode,
}

impl Default for CallbackRules {
    fn default() -> Self {
        Self {
            attempts: 3,
            pause: Duration::from_secs(600),
            hours: Vec::new(),
            first: CallbackMode::CallerFirst,
        }
    }
}

/// A callback that is owed.
#[derive(Debug, Clone)]
pub(crate) struct Owed {
    /// The call that was promised it.
    pub(crate) of: CallId,
    pub(crate) queue: QueueId,
    pub(crate) what: Callback,
    /// Since when it waits.
    pub(crate) since: Time,
}

/// All of them, by the id of the next attempt.
pub(crate) type Callbacks = BTreeMap<CallId, Owed>;

impl Context {
    /// Promises a callback; says whether that can be.
    pub(crate) fn promise(&mut self, of: CallId, what: Callback, since: Time) -> bool {
        let mut queues = self.settings.queues.iter();
        let queue = queues.find(|queue| queue.name == what.queue);
        let queue = queue.map(|queue| queue.id);
        let (Some(queue), false) = (queue, what.number.is_empty()) else {
            return false;
        };
        if self.callbacks.len() >= OWED_MAX {
            tracing::warn!(call = %of, "too many callbacks are owed");
            return false;
        }
        self.record(Fact::CallbackOwed {
            call: of,
            callback: Box::new(what.clone()),
        });
        let owed = Owed {
            of,
            queue,
            what,
            since,
        };
        self.owe(owed);
        true
    }

    /// Gives a callback its place in the queue.
    fn owe(&mut self, owed: Owed) {
        let id = self.call_id();
        let rules = self.settings.callbacks.get(&owed.queue).cloned();
        let rules = rules.unwrap_or_default();
        let within = |(skill, least): &(String, u8)| {
            let min = *least;
            SkillNeed::within(skill, Limits { min, ..Limits::ANY })
        };
        let wish = CallbackWish {
            arrival: acd::Arrival {
                priority: owed.what.priority,
                since: owed.since,
                caller: owed.what.number.clone(),
                skills: owed.what.skills.iter().map(within).collect(),
                ..acd::Arrival::new(id, owed.queue, self.now)
            },
            number: owed.what.number.clone(),
            mode: rules.first,
            attempts: owed.what.attempts_left,
            pause: rules.pause,
            hours: rules.hours,
        };
        self.callbacks.insert(id, owed);
        self.acd.handle(self.now, acd::Input::CallbackWanted(wish));
    }

    /// An attempt was in vain. If another follows, it has an id of its own from now on.
    pub(crate) fn callback_missed(&mut self, attempt: CallId) {
        if !self.acd.is_owed(attempt) {
            return;
        }
        let Some((next, mut owed)) = self.rename_callback(attempt) else {
            return;
        };
        owed.what.attempts_left = owed.what.attempts_left.saturating_sub(1);
        self.record(Fact::CallbackOwed {
            call: owed.of,
            callback: Box::new(owed.what.clone()),
        });
        self.callbacks.insert(next, owed);
    }

    /// The call of an attempt ends before the number was dialled: it is as if it had not been.
    pub(crate) fn callback_postponed(&mut self, attempt: CallId) {
        if self.acd.is_callback(attempt)
            && let Some((next, owed)) = self.rename_callback(attempt)
        {
            self.callbacks.insert(next, owed);
        }
    }

    fn rename_callback(&mut self, call: CallId) -> Option<(CallId, Owed)> {
        let next = self.call_id();
        self.acd
            .handle(self.now, acd::Input::CallbackNamed { call, next });
        Some((next, self.callbacks.remove(&call)?))
    }
}

impl Switch {
    /// The ACD wants the number of a callback dialled: an operator is reserved for it.
    pub(crate) fn dial_callback(&mut self, id: CallId, offer: OfferId) {
        let Some(owed) = self.ctx.callbacks.get(&id).cloned() else {
            self.ctx
                .bug("the ACD calls back whom nobody knows", Some(id));
            return;
        };
        let full = self.live_calls() >= self.ctx.settings.calls_max;
        if self.takes_no_calls() || self.journal_behind || full {
            let result = OfferResult::Unreachable;
            let input = acd::Input::Failed { offer, result };
            self.ctx.acd.handle(self.ctx.now, input);
            self.ctx.callback_missed(id);
            return;
        }
        let call = Call::call_back(&mut self.ctx, id, &owed);
        self.add_call(call);
        if let Some(call) = self.calls.get_mut(&id) {
            call.dial_back(&mut self.ctx, &owed.what.number, offer);
        }
        self.sweep(id);
    }

    /// An operator is to ring for a callback, and the number is dialled afterwards.
    pub(crate) fn offer_callback(&mut self, id: CallId) {
        if self.calls.contains_key(&id) {
            // It rang at another operator before.
            return;
        }
        if let Some(owed) = self.ctx.callbacks.get(&id).cloned() {
            let mut call = Call::call_back(&mut self.ctx, id, &owed);
            call.await_operator(&owed);
            self.add_call(call);
        }
    }

    /// The ACD takes the dialling back, if it is one: it rang too long, or the caller called.
    pub(crate) fn callback_withdrawn(&mut self, id: CallId) -> bool {
        let operator_first = self
            .calls
            .get(&id)
            .is_some_and(|call| call.awaits_operator());
        if operator_first || !self.ctx.callbacks.contains_key(&id) {
            return false;
        }
        if let Some(call) = self.calls.get_mut(&id) {
            call.give_up_dialling(&mut self.ctx, EndedBy::Engine);
            self.sweep(id);
        }
        self.ctx.callback_missed(id);
        true
    }

    /// A callback is over.
    pub(crate) fn callback_over(&mut self, id: CallId, end: CallbackEnd) {
        let Some(owed) = self.ctx.callbacks.remove(&id) else {
            return;
        };
        let result = match end {
            CallbackEnd::Reached => CallbackResult::Reached,
            CallbackEnd::GaveUp => CallbackResult::GaveUp,
            CallbackEnd::CallerCalled(_) => CallbackResult::CallerCalled,
            CallbackEnd::Duplicate(_) => CallbackResult::Duplicate,
            CallbackEnd::Cancelled => CallbackResult::Cancelled,
            CallbackEnd::Closed => CallbackResult::Closed,
        };
        let call = owed.of;
        self.ctx.record(Fact::CallbackSettled { call, result });
        self.ctx.handover.settled(call);
        if let Some(call) = self.calls.get_mut(&id) {
            call.not_needed(&mut self.ctx, "nothing is owed any more");
            self.sweep(id);
        }
    }

    /// Makes a missed call a task: whoever called is called back.
    pub(crate) fn call_back_missed(
        &mut self,
        of: CallId,
        queue: &str,
        number: &str,
        line: &str,
    ) -> Result<(), OrderRefusal> {
        let id = self.queue_called(queue)?;
        let digits = number.trim_start_matches('+');
        if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
            let message = format!("number: expected a number to call, found {number:?}");
            return Err(OrderRefusal::Unfit { message });
        }
        let rules = self.ctx.settings.callbacks.get(&id).cloned();
        let what = Callback {
            queue: queue.to_owned(),
            number: number.to_owned(),
            line: line.to_owned(),
            since: self.ctx.wall_at(self.ctx.now),
            priority: 0,
            skills: Vec::new(),
            language: String::new(),
            recorded: false,
            attempts_left: rules.unwrap_or_default().attempts,
        };
        let now = self.ctx.now;
        if self.ctx.promise(of, what, now) {
            return Ok(());
        }
        let queue = queue.to_owned();
        Err(OrderRefusal::QueueRefuses { queue })
    }

    /// A person says that a callback is done, or is not to be.
    pub(crate) fn settle_callback(&mut self, of: CallId) -> Result<(), OrderRefusal> {
        let owed = self.ctx.callbacks.iter();
        let waits = |id: &CallId| self.ctx.acd.is_owed(*id);
        let found = owed.filter(|(id, owed)| owed.of == of && waits(id));
        let found = found.map(|(id, _)| *id).next();
        let Some(call) = found else {
            return Err(OrderRefusal::NotOwed { call: of });
        };
        self.ctx.acd.handle(self.ctx.now, acd::Input::Left { call });
        Ok(())
    }

    /// Takes up callbacks that were owed before a restart: those that waited longest first.
    pub(crate) fn resume_callbacks(&mut self, mut owed: Vec<(CallId, Callback)>) {
        owed.sort_by_key(|(call, what)| (what.since, *call));
        let known: BTreeSet<CallId> = self.ctx.callbacks.values().map(|owed| owed.of).collect();
        owed.retain(|(of, _)| !known.contains(of) && !self.ctx.handover.sets_aside(*of));
        for (of, what) in owed {
            let Ok(queue) = self.queue_called(&what.queue) else {
                let result = CallbackResult::Closed;
                self.ctx.record(Fact::CallbackSettled { call: of, result });
                continue;
            };
            // All of it was before this process began.
            let since = Time::ZERO;
            self.ctx.owe(Owed {
                of,
                queue,
                what,
                since,
            });
        }
    }
}
