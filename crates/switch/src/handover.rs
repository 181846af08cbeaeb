//! Owns what two engines of one installation tell each other while one leaves and its successor takes over, and
//! which messages are whose. Refuses to carry anything: words are outputs and inputs.
//!
//! The leaving engine hands over its sockets and keeps its calls. What reaches the successor by UDP and belongs to
//! none of its own is passed on, and treated by the leaving engine as if it had come there. Operators serve both;
//! who may have whom is the ACD's to say (`acd`, module `lease`), each engine for its own.
//!
//! What stands of people is the successor's to write down: registrations, duties, breaks. So the leaving engine
//! writes none of it, its registrations do not run out, and neither trunks nor lines are asked anything any more.
//! Its subscriptions end at once as "deactivated", which asks telephones to subscribe anew (RFC 6665 §4.1.3): where
//! the new calls are. The callbacks that wait are the successor's, which reads them in the journal; those under way
//! come to it when the leaving engine is gone.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use sip::subscription::Reason;
use sip::{DialogId, Flow, Message, Method, Replaces};
use vocab::{CallId, Fact, OperatorId};

use crate::context::Context;
use crate::engine::Switch;
use crate::input::octets;
use crate::output::Output;

/// What one engine tells the other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Word {
    /// These operators are mine until I lend them, and nobody else is: the first word of the leaving engine.
    Staff(Vec<OperatorId>),
    /// These operators are yours.
    Lent(Vec<OperatorId>),
    /// Whether calls wait here for which operators are wanted.
    Wanted(bool),
    /// A message came that belongs to none of mine.
    Message {
        /// Where from and where to.
        flow: Flow,
        /// Its octets.
        #[serde(with = "octets")]
        bytes: Vec<u8>,
    },
}

/// Our part in a handover.
#[derive(Debug, Default)]
pub(crate) struct Handover {
    /// A successor has the sockets.
    left: bool,
    /// The Call-IDs of the engine before us, while it lives.
    predecessor: Option<BTreeSet<String>>,
    callbacks: Aside,
}

/// What is known of callbacks until the journal is read again, after the predecessor.
#[derive(Debug, Default)]
struct Aside {
    /// What stood was taken up.
    resumed: bool,
    /// The journal will be read again.
    expected: bool,
    /// Under way at the predecessor.
    elsewhere: BTreeSet<CallId>,
    /// Settled here since: the journal may not know it when it is read.
    settled: BTreeSet<CallId>,
}

impl Handover {
    /// Whether a successor has the sockets.
    pub(crate) const fn has_left(&self) -> bool {
        self.left
    }

    /// Whether a callback that the journal has as owed is to be left alone.
    pub(crate) fn sets_aside(&self, of: CallId) -> bool {
        self.callbacks.elsewhere.contains(&of) || self.callbacks.settled.contains(&of)
    }

    /// A callback is over.
    pub(crate) fn settled(&mut self, of: CallId) {
        if self.callbacks.expected {
            self.callbacks.settled.insert(of);
        }
    }

    /// What stood is being taken up; whether it was before.
    pub(crate) const fn resumes_again(&mut self) -> bool {
        core::mem::replace(&mut self.callbacks.resumed, true)
    }

    /// The journal was read for what the predecessor left.
    pub(crate) fn read_again(&mut self) {
        if self.predecessor.is_none() {
            self.callbacks.expected = false;
            self.callbacks.settled.clear();
        }
    }
}

impl Context {
    /// Writes down what stands of people, unless a successor does.
    pub(crate) fn record_standing(&mut self, fact: Fact) {
        if !self.handover.left {
            self.record(fact);
        }
    }
}

impl Switch {
    /// The Call-IDs of all that a message may belong to which is not to be taken for a new call elsewhere.
    #[must_use]
    pub fn sip_calls(&self) -> BTreeSet<String> {
        let of_calls = self.calls.values().flat_map(|call| call.sip_calls());
        of_calls
            .chain(self.ctx.transactions.invited())
            .map(str::to_owned)
            .collect()
    }

    /// Whether a leg of a call or a transaction lives on a connection. Subscriptions and registrations do not count:
    /// without it they begin anew at the successor.
    #[must_use]
    pub fn uses(&self, flow: &Flow) -> bool {
        self.calls.values().any(|call| call.uses(flow)) || self.ctx.transactions.uses(flow)
    }

    /// The calls to which callbacks are owed that ring, are dialled or talk now.
    #[must_use]
    pub fn callbacks_in_progress(&self) -> BTreeSet<CallId> {
        let owed = self.ctx.callbacks.iter();
        owed.filter(|(id, _)| !self.ctx.acd.is_owed(**id))
            .map(|(_, owed)| owed.of)
            .collect()
    }

    /// A successor has the sockets.
    pub(crate) fn hand_over(&mut self) {
        if self.ctx.handover.predecessor.is_some() {
            self.draining = true;
            // Whose operators some of ours are, nobody could say any more.
            self.ctx
                .bug("handed over while the predecessor lives", None);
            return;
        }
        if core::mem::replace(&mut self.ctx.handover.left, true) {
            return;
        }
        let now = self.ctx.now;
        tracing::info!(calls = self.calls.len(), "handed over to a successor");
        self.ctx.registrar.hold();
        self.ctx.lines.hold(true);
        self.ctx.trunks.hold();
        let subscriptions = &mut self.watchers.subscriptions;
        subscriptions.end_all(now, Reason::Deactivated);
        self.ctx.acd.handle(now, acd::Input::HandedOver);
    }

    /// The successor died.
    pub(crate) fn take_back(&mut self) {
        if !core::mem::replace(&mut self.ctx.handover.left, false) {
            return;
        }
        let now = self.ctx.now;
        tracing::warn!("the successor is gone: the sockets are ours again");
        self.ctx.registrar.resume(now);
        self.ctx.lines.hold(false);
        self.ctx.trunks.resume(now);
        self.ctx.acd.handle(now, acd::Input::TakenBack);
    }

    /// Calls of another engine go on.
    pub(crate) fn succeed(&mut self, calls: BTreeSet<String>, callbacks: BTreeSet<CallId>) {
        let now = self.ctx.now;
        let known = self.ctx.callbacks.iter();
        let under_way: Vec<CallId> = known
            .filter(|(id, owed)| callbacks.contains(&owed.of) && self.ctx.acd.is_owed(**id))
            .map(|(id, _)| *id)
            .collect();
        for call in under_way {
            // Before the ACD says that it is over: it is not.
            self.ctx.callbacks.remove(&call);
            self.ctx.acd.handle(now, acd::Input::Left { call });
        }
        let handover = &mut self.ctx.handover;
        handover.predecessor = Some(calls);
        handover.callbacks.expected = true;
        handover.callbacks.elsewhere = callbacks;
        self.ctx.acd.handle(now, acd::Input::Predecessor);
    }

    /// The engine before us is gone.
    pub(crate) fn predecessor_gone(&mut self) {
        if self.ctx.handover.predecessor.take().is_none() {
            return;
        }
        self.ctx.handover.callbacks.elsewhere.clear();
        let now = self.ctx.now;
        self.ctx.acd.handle(now, acd::Input::PredecessorGone);
    }

    /// The other engine says something.
    pub(crate) fn told(&mut self, word: Word) {
        let now = self.ctx.now;
        match word {
            Word::Staff(operators) => {
                let input = acd::Input::Staff(operators);
                self.ctx.acd.handle(now, input);
            }
            Word::Lent(operators) => {
                let input = acd::Input::Lent(operators);
                self.ctx.acd.handle(now, input);
            }
            Word::Wanted(wanted) => {
                let input = acd::Input::Wanted(wanted);
                self.ctx.acd.handle(now, input);
            }
            // Whosever it is, it goes no further.
            Word::Message { flow, bytes } => self.on_own_datagram(flow, &bytes),
        }
    }

    /// Tells the other engine something.
    pub(crate) fn tell_other(&mut self, word: Word) {
        self.ctx.output(Output::Tell(word));
    }

    /// Whether a message that came here is the predecessor's. Over a connection it is the business of who has that.
    pub(crate) fn is_others(&mut self, flow: &Flow, message: &Message) -> bool {
        if self.ctx.handover.predecessor.is_none() || flow.transport.is_reliable() {
            return false;
        }
        if self.ctx.transactions.knows(message) {
            return false;
        }
        if !message.is_request() {
            return true;
        }
        if let Some(dialog) = DialogId::of_incoming(message) {
            return !self.ctx.has_dialog(&dialog) && !self.is_of_subscription(&dialog);
        }
        match message.method() {
            Some(Method::Ack | Method::Cancel) => true,
            _ => self.continues_elsewhere(message),
        }
    }

    /// Whether a request outside a dialog belongs to a call of the predecessor.
    fn continues_elsewhere(&self, request: &Message) -> bool {
        let Some(calls) = &self.ctx.handover.predecessor else {
            return false;
        };
        if request.call_id().is_ok_and(|id| calls.contains(id)) {
            return true;
        }
        // A dialog that neither of us has is refused there as well as here, and one that was made after the handover
        // is not in the list.
        matches!(Replaces::of(request), Ok(Some(replaces)) if !self.has_replaced(&replaces))
    }

    /// A callback is for the successor, after `attempts_left` is written down if one was in vain.
    pub(crate) fn callback_left(&mut self, id: CallId, attempts_left: u8) {
        let Some(mut owed) = self.ctx.callbacks.remove(&id) else {
            return;
        };
        if attempts_left < owed.what.attempts_left {
            owed.what.attempts_left = attempts_left;
            self.ctx.record(Fact::CallbackOwed {
                call: owed.of,
                callback: Box::new(owed.what),
            });
        }
        if let Some(call) = self.calls.get_mut(&id) {
            call.not_needed(&mut self.ctx, "the successor calls back");
            self.sweep(id);
        }
    }
}
