//! Owns the switch as a whole: takes inputs, hands each to the call or service it belongs to.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use acd::Overflow;
use sip::subscription::Reason;
use sip::{ClientTx, Datagram, Flow, Message, ServerTx};
use vocab::media::MediaEvent;
use vocab::{CallId, Fact, LiveCounts, OperatorId, Time, WallTime};

use crate::admission::only_session;
use crate::authentication::Guard;
use crate::call::Call;
use crate::context::{Context, Prompts, Timer};
use crate::handover::Word;
use crate::input::Input;
use crate::message::Messages;
use crate::output::Output;
use crate::settings::{Operator, Settings};
use crate::subscribe::Watchers;

/// How often a fact dates the engine's life while calls are up: a crash is dated to the second.
const ALIVE_EVERY: Duration = Duration::from_secs(1);

/// The engine's core. See the crate's documentation for how to drive it.
pub struct Switch {
    pub(crate) ctx: Context,
    pub(crate) guard: Guard,
    pub(crate) calls: BTreeMap<CallId, Call>,
    pub(crate) watchers: Watchers,
    pub(crate) messages: Messages,
    pub(crate) draining: bool,
    /// The journal cannot take the facts of more calls.
    pub(crate) journal_behind: bool,
    pub(crate) recording_trouble: bool,
    started: bool,
    alive_at: Option<Time>,
}

impl Switch {
    /// A switch that knows no plans and no operators yet.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        let mut ctx = Context::new(settings);
        let guard = Guard::new(&mut ctx);
        let watchers = Watchers::new(&ctx.settings);
        Self {
            ctx,
            guard,
            calls: BTreeMap::new(),
            watchers,
            messages: Messages::default(),
            draining: false,
            journal_behind: false,
            recording_trouble: false,
            started: false,
            alive_at: None,
        }
    }

    /// Takes what happened at `now`. Drain [`Self::poll`] after it.
    pub fn handle(&mut self, now: Time, input: Input) {
        // Time never goes back for a core, whatever its inputs' stamps say.
        self.ctx.now = self.ctx.now.max(now);
        match input {
            Input::Datagram { flow, bytes } => self.on_datagram(flow, &bytes),
            Input::FlowClosed { flow } => self.on_flow_closed(flow),
            Input::Resolved {
                question,
                answer,
                holds,
            } => self.ctx.resolved(question, answer, holds),
            Input::Fetched {
                call,
                question,
                reply,
            } => self.on_fetched(call, question, reply),
            Input::Media(event) => self.on_media(event),
            Input::RecordingStored { key, file } => {
                let (call, segment) = (key.call, key.segment);
                self.ctx.record(Fact::RecordingStored {
                    call,
                    segment,
                    file,
                });
            }
            Input::RecordingMissing { key, reason } => {
                let (call, segment) = (key.call, key.segment);
                self.ctx.record(Fact::RecordingMissing {
                    call,
                    segment,
                    reason,
                });
            }
            Input::Wall(wall) => self.on_wall(wall),
            Input::Clock { day, time } => {
                let input = acd::Input::Clock { day, time };
                self.ctx.acd.handle(self.ctx.now, input);
            }
            Input::Standing(standing) => self.resume(standing),
            Input::Regulars(regulars) => {
                let regulars = self.known_regulars(regulars);
                self.ctx
                    .acd
                    .handle(self.ctx.now, acd::Input::Regulars(regulars));
            }
            Input::Plans { plans, prompts } => {
                self.ctx.set_plans(plans, Prompts(prompts));
            }
            Input::Operators(operators) => self.set_operators(operators),
            Input::Callers(known) => self.set_callers(known),
            Input::Emergencies(switched) => self.ctx.emergencies = switched,
            Input::MessagesWaiting { login, waiting } => self.set_waiting(&login, waiting),
            Input::Bindings {
                registrations,
                listening,
            } => self.restore_bindings(registrations, &listening),
            Input::Deadline => {}
            Input::JournalBehind(behind) => self.journal_behind = behind,
            Input::RecordingTrouble(trouble) => self.recording_trouble = trouble,
            Input::Drain => self.draining = true,
            Input::HandedOver => self.hand_over(),
            Input::TakenBack => self.take_back(),
            Input::Predecessor { calls, callbacks } => self.succeed(calls, callbacks),
            Input::PredecessorGone => self.predecessor_gone(),
            Input::Told(word) => self.told(word),
            Input::Stop => self.stop(),
            Input::Exit => {
                self.end_wrap_ups();
                self.ctx.record(Fact::EngineStopped);
            }
        }
        // What came is older than what is due now: an answer that arrives with the deadline of its
        // offer is an answer.
        self.pump();
        self.on_time();
        self.pump();
        self.tell_watchers();
        self.pump();
        self.tell_duties();
        self.keep_alive();
    }

    /// The next thing to do; `None` when nothing is left.
    pub fn poll(&mut self) -> Option<Output> {
        self.ctx.poll()
    }

    /// When to come back with [`Input::Deadline`], if nothing else happens before.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Time> {
        [
            self.ctx.next_deadline(),
            self.ctx.transactions.next_deadline(),
            self.ctx.registrar.next_deadline(),
            self.ctx.lines.next_deadline(),
            self.ctx.trunks.next_deadline(),
            self.ctx.outgoing.next_deadline(),
            self.ctx.acd.next_deadline(),
            self.watchers.subscriptions.next_deadline(),
            self.messages.next_deadline(),
            self.alive_at,
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Calls up, those on their way out included.
    #[must_use]
    pub fn calls(&self) -> usize {
        self.calls.len()
    }

    /// Sizes of all tables that must be empty when no call is up. For checkers.
    #[must_use]
    pub fn tables(&self) -> Vec<(&'static str, usize)> {
        let mut tables = self.ctx.tables().to_vec();
        tables.push(("calls", self.calls.len()));
        tables.push(("line_calls", self.watchers.line_calls.len()));
        tables.push(("notifies", self.watchers.untold()));
        tables.push(("messages", self.messages.len()));
        tables.push(("transactions", self.ctx.transactions.len()));
        tables.push(("waiting", self.ctx.acd.waiting()));
        tables
    }

    pub(crate) fn live_calls(&self) -> usize {
        usize::try_from(self.ctx.counts.calls).unwrap_or(usize::MAX)
    }

    pub(crate) fn add_call(&mut self, call: Call) {
        self.ctx.touched.insert(call.id);
        self.calls.insert(call.id, call);
    }

    /// The first wall time begins the journal of this boot.
    fn on_wall(&mut self, wall: WallTime) {
        self.ctx.set_wall(wall);
        if !self.started {
            self.started = true;
            let version = self.ctx.settings.version.clone();
            self.ctx.record(Fact::EngineStarted { version });
        }
    }

    fn on_datagram(&mut self, flow: Flow, bytes: &[u8]) {
        let read = sip::parse_datagram(bytes);
        if let Ok(Datagram::Message(message)) = &read
            && self.is_others(&flow, message)
        {
            let bytes = bytes.to_vec();
            self.tell_other(Word::Message { flow, bytes });
            return;
        }
        self.on_read(flow, read);
    }

    /// A datagram that is ours in any case.
    pub(crate) fn on_own_datagram(&mut self, flow: Flow, bytes: &[u8]) {
        self.on_read(flow, sip::parse_datagram(bytes));
    }

    fn on_read(&mut self, flow: Flow, read: Result<Datagram, sip::Malformed>) {
        match read {
            Ok(Datagram::Message(message)) => {
                if !self.is_dropped(&flow, Some(&message)) {
                    self.ctx.transactions.receive(self.ctx.now, flow, message);
                }
            }
            Ok(Datagram::KeepAlive) => {}
            Err(malformed) => {
                self.ctx.counts.malformed += 1;
                tracing::debug!(source = %flow.remote, problem = %malformed.problem, "malformed");
                if let Some(mut answer) = malformed.answer
                    && !self.is_dropped(&flow, None)
                {
                    let flow = sip::address_response(&mut answer, flow);
                    self.ctx.send(flow, answer.to_bytes(), None);
                }
            }
        }
    }

    fn on_flow_closed(&mut self, flow: Flow) {
        // A datagram that found no way says nothing about the next one.
        if flow.transport.is_reliable() {
            self.ctx.registrar.flow_closed(flow);
            self.watchers.subscriptions.flow_lost(flow);
            for call in self.calls.values_mut() {
                call.flow_lost(flow);
            }
        }
        self.ctx.transactions.flow_lost(self.ctx.now, flow);
    }

    fn on_fetched(&mut self, id: CallId, question: u32, reply: Option<String>) {
        // Its call may be gone.
        if let Some(call) = self.calls.get_mut(&id) {
            call.fetched(&mut self.ctx, question, reply);
            self.sweep(id);
        }
    }

    fn on_media(&mut self, event: MediaEvent) {
        let Some(id) = self.ctx.media_owner(&event) else {
            return;
        };
        if let Some(call) = self.calls.get_mut(&id) {
            call.on_media(&mut self.ctx, event);
            self.sweep(id);
        }
    }

    /// Does what is due by now.
    fn on_time(&mut self) {
        let now = self.ctx.now;
        self.ctx.transactions.handle_timeout(now);
        self.ctx.registrar.handle_timeout(now);
        self.ctx.outgoing_timeout();
        self.messages_timeout();
        self.ctx.acd.handle_timeout(now);
        self.probe_fixed_lines();
        self.serve_trunks();
        while let Some((at, id, timer)) = self.ctx.due() {
            if let Some(call) = self.calls.get_mut(&id) {
                call.on_timer(&mut self.ctx, at, timer);
                self.sweep(id);
            } else if timer != Timer::Linger {
                self.ctx.bug("a timer outlived its call", Some(id));
            }
        }
    }

    /// Lets the services' outputs reach the calls until all are quiet.
    fn pump(&mut self) {
        loop {
            if let Some(output) = self.ctx.transactions.poll() {
                self.on_transaction(output);
            } else if let Some(tx) = self.ctx.outgoing.poll() {
                self.on_timed_out(tx);
            } else if let Some(output) = self.ctx.acd.poll() {
                self.on_acd(output);
            } else if let Some(change) = self.ctx.registrar.poll() {
                self.on_registration(change);
            } else if let Some(owner) = self.ctx.conferences.pop() {
                self.conference_keyed(owner);
            } else if let Some(operator) = self.ctx.lines.poll() {
                self.ctx.tell_reachable(operator);
            } else {
                self.ctx.forget_gates();
                return;
            }
        }
    }

    fn on_transaction(&mut self, output: sip::Output) {
        match output {
            sip::Output::Send {
                flow,
                bytes,
                tx,
                first,
            } => {
                self.ctx.send(flow, bytes, tx.filter(|_| first));
            }
            sip::Output::Request { tx, flow, request } => self.on_request(tx, flow, request),
            sip::Output::Ack { tx, mut ack } => {
                forget_odd_body(&mut ack);
                self.on_ack(tx, &ack);
            }
            sip::Output::Cancelled { tx } => {
                if let Some(owner) = self.ctx.server_owner(tx)
                    && let Some(call) = self.calls.get_mut(&owner.call)
                {
                    call.cancelled(&mut self.ctx, owner.leg);
                    self.sweep(owner.call);
                }
            }
            sip::Output::AckMissing { tx } => self.on_ack_missing(tx),
            sip::Output::Response { tx, mut response } => {
                if let Some(tx) = self.ctx.outcome(tx, response.status()) {
                    forget_odd_body(&mut response);
                    self.on_response(tx, &response);
                }
            }
            // RFC 3261 §8.1.3.1 makes 503 of the one and 408 of the other; an owner ends what it
            // asked for in both cases.
            sip::Output::TimedOut { tx } | sip::Output::Failed { tx } => {
                if let Some(tx) = self.ctx.outcome(tx, None) {
                    self.on_timed_out(tx);
                }
            }
        }
    }

    fn on_ack(&mut self, tx: ServerTx, ack: &Message) {
        let Some(owner) = self.ctx.server_owner(tx) else {
            return;
        };
        self.ctx.forget_server(tx);
        let Some(call) = self.calls.get_mut(&owner.call) else {
            return;
        };
        call.acknowledged(&mut self.ctx, owner.leg, ack);
        if owner.leg == call.caller.id {
            call.caller_acknowledged(&mut self.ctx);
        } else {
            call.leg_acknowledged(&mut self.ctx, owner.leg);
        }
        call.choose_codec_anew(&mut self.ctx);
        call.arm(&mut self.ctx, owner.leg);
        self.sweep(owner.call);
    }

    fn on_ack_missing(&mut self, tx: ServerTx) {
        let Some(owner) = self.ctx.server_owner(tx) else {
            return;
        };
        self.ctx.forget_server(tx);
        let Some(call) = self.calls.get_mut(&owner.call) else {
            return;
        };
        tracing::warn!(call = %owner.call, "an answer to an INVITE was never acknowledged");
        // A re-INVITE without ACK is no reason to cut a talk that goes on.
        call.offer_lost(owner.leg);
        if owner.leg == call.caller.id {
            call.caller_ack_missing(&mut self.ctx);
        } else {
            call.leg_acknowledged(&mut self.ctx, owner.leg);
        }
        call.choose_codec_anew(&mut self.ctx);
        self.sweep(owner.call);
    }

    fn on_response(&mut self, tx: ClientTx, response: &Message) {
        if self.ctx.lines.is_probe(tx) {
            self.on_probe_answered(tx, response);
            return;
        }
        if self.ctx.trunks.has_asked(tx) {
            self.on_trunk_response(tx, response);
            return;
        }
        if self.watchers.has_told(tx) {
            self.on_notify_answered(tx, Some(response));
            return;
        }
        if self.messages.has_sent(tx) {
            self.on_message_answered(tx, Some(response));
            return;
        }
        let Some(owner) = self.ctx.client_owner(tx) else {
            return;
        };
        let Some(call) = self.calls.get_mut(&owner.call) else {
            return;
        };
        if call.modification_answered(&mut self.ctx, owner.leg, tx, response)
            || call.referral_answered(&mut self.ctx, tx, response)
            || call.key_answered(&mut self.ctx, owner.leg, tx, Some(response))
        {
            // A refresh, a REFER or an INFO of ours.
        } else if owner.leg == call.caller.id {
            if response.status().is_some_and(|status| status >= 200) {
                call.caller_bye_answered(&mut self.ctx, Some(response));
            }
        } else {
            call.leg_response(&mut self.ctx, owner.leg, tx, response);
        }
        call.choose_codec_anew(&mut self.ctx);
        self.sweep(owner.call);
    }

    fn on_timed_out(&mut self, tx: ClientTx) {
        if self.ctx.lines.is_probe(tx) {
            self.ctx.lines.forget_probe(tx);
            return;
        }
        if self.ctx.trunks.has_asked(tx) {
            self.on_trunk_silence(tx);
            return;
        }
        if self.watchers.has_told(tx) {
            self.on_notify_answered(tx, None);
            return;
        }
        if self.messages.has_sent(tx) {
            self.on_message_answered(tx, None);
            return;
        }
        let Some(owner) = self.ctx.client_owner(tx) else {
            return;
        };
        let Some(call) = self.calls.get_mut(&owner.call) else {
            return;
        };
        if call.modification_timed_out(&mut self.ctx, owner.leg, tx)
            || call.referral_timed_out(&mut self.ctx, tx)
            || call.key_answered(&mut self.ctx, owner.leg, tx, None)
        {
            // A refresh, a REFER or an INFO of ours.
        } else if owner.leg == call.caller.id {
            call.caller_bye_answered(&mut self.ctx, None);
        } else {
            call.leg_timed_out(&mut self.ctx, owner.leg, tx);
        }
        call.choose_codec_anew(&mut self.ctx);
        self.sweep(owner.call);
    }

    pub(crate) fn on_acd(&mut self, output: acd::Output) {
        match output {
            acd::Output::Offer {
                offer,
                call,
                operator,
                why,
                callback,
                ..
            } => {
                if callback.is_some() {
                    self.offer_callback(call);
                }
                self.tell(call, |call, ctx| call.offer(ctx, offer, operator, &why));
            }
            acd::Output::Withdraw {
                offer,
                call,
                result,
                ..
            } => {
                if !self.callback_withdrawn(call) {
                    self.tell(call, |call, ctx| call.withdraw(ctx, offer, result));
                }
            }
            acd::Output::Dismissed {
                call,
                queue,
                cause,
                then: Overflow::Callback,
            } => self.tell(call, |call, ctx| {
                call.queue_calls_back(ctx, queue, cause);
            }),
            acd::Output::Dismissed {
                call, cause, then, ..
            } => self.tell(call, |call, ctx| {
                call.queue_over(ctx, cause.outcome(&then), cause);
            }),
            acd::Output::Moved { call, to, .. } => {
                self.tell(call, |call, ctx| call.queue_moved(ctx, to));
            }
            acd::Output::Stale { .. } => {
                self.ctx.bug("an offer was accepted after its end", None);
            }
            acd::Output::StatusChanged { operator, status } => {
                tracing::info!(?operator, ?status, "status");
                self.ctx.duties.status_changed(operator, &status);
            }
            acd::Output::BreakTaken(taken) => self.break_taken(&taken),
            acd::Output::BreakTooLong { operator, reason } => {
                tracing::warn!(
                    ?operator,
                    reason,
                    "a break lasts longer than the day's limit"
                );
            }
            // What a command comes to is told where it is given.
            acd::Output::NeedsLeave { .. }
            | acd::Output::LineTaken { .. }
            | acd::Output::Commanded { .. } => {}
            acd::Output::Dial { offer, call, .. } => self.dial_callback(call, offer),
            acd::Output::CallbackOver { call, end } => self.callback_over(call, end),
            // It was written down when it was promised.
            acd::Output::CallbackKept { .. } => {}
            acd::Output::CallbackLeft {
                call,
                attempts_left,
            } => self.callback_left(call, attempts_left),
            acd::Output::Staff(operators) => self.tell_other(Word::Staff(operators)),
            acd::Output::Lend(operators) => self.tell_other(Word::Lent(operators)),
            acd::Output::Want(wanted) => self.tell_other(Word::Wanted(wanted)),
        }
    }

    /// Lets a call do what the ACD decided about it.
    fn tell(&mut self, id: CallId, what: impl FnOnce(&mut Call, &mut Context)) {
        let Some(call) = self.calls.get_mut(&id) else {
            self.ctx
                .bug("the ACD speaks of a call that is gone", Some(id));
            return;
        };
        what(call, &mut self.ctx);
        self.sweep(id);
    }

    fn set_operators(&mut self, operators: Vec<Operator>) {
        let acd = operators
            .iter()
            .map(|operator| {
                let queues = self.ctx.settings.members.get(&operator.login);
                acd::OperatorSettings {
                    queues: queues.cloned().unwrap_or_default(),
                    attendance: self.ctx.settings.attendance,
                    weight: self
                        .ctx
                        .settings
                        .weights
                        .get(&operator.login)
                        .map_or(1, |weight| *weight),
                    ..acd::OperatorSettings::new(operator.id, operator.skills.clone())
                }
            })
            .collect();
        self.unregister_outdated(&operators);
        self.ctx.logins = operators
            .iter()
            .map(|operator| (operator.login.clone(), operator.id))
            .collect();
        // Those who are gone stay nameable while they talk: names are only ever replaced.
        for operator in operators {
            self.ctx.operators.insert(operator.id, operator);
        }
        let served: BTreeSet<OperatorId> = self.ctx.logins.values().copied().collect();
        self.ctx
            .reachable
            .retain(|operator| served.contains(operator));
        self.ctx
            .acd
            .handle(self.ctx.now, acd::Input::Operators(acd));
        self.watch_fixed_lines();
        let everybody: Vec<OperatorId> = self.ctx.logins.values().copied().collect();
        for operator in everybody {
            self.ctx.tell_reachable(operator);
        }
    }

    fn stop(&mut self) {
        self.draining = true;
        for call in self.calls.values_mut() {
            call.interrupt(&mut self.ctx);
        }
        if self.ctx.handover.has_left() {
            // The successor is registered, and has the subscriptions.
            return;
        }
        self.close_trunks();
        let now = self.ctx.now;
        self.watchers
            .subscriptions
            .end_all(now, Reason::Deactivated);
    }

    /// Registrations with trunks that are being taken back, after a stop.
    #[must_use]
    pub fn closing(&self) -> usize {
        self.ctx.trunks.closing()
    }

    /// Removes a call of which nothing is left.
    pub(crate) fn sweep(&mut self, id: CallId) {
        self.ctx.touched.insert(id);
        if self.calls.get(&id).is_some_and(Call::is_gone)
            && let Some(mut call) = self.calls.remove(&id)
        {
            call.forget(&mut self.ctx);
            drop(call);
            if self.ctx.has_retired_prompts() {
                self.ctx.forget_prompts();
            }
        }
    }

    fn keep_alive(&mut self) {
        if self.ctx.counts.calls == 0 {
            self.alive_at = None;
            return;
        }
        let due = *self.alive_at.get_or_insert(self.ctx.now + ALIVE_EVERY);
        if due <= self.ctx.now {
            let calls = self.ctx.counts.calls;
            self.ctx.record(Fact::EngineAlive { calls });
            self.alive_at = Some(self.ctx.now + ALIVE_EVERY);
        }
    }

    pub(crate) fn counts(&self) -> LiveCounts {
        let wait = self.ctx.acd.longest_wait(self.ctx.now).as_millis();
        LiveCounts {
            waiting: u32::try_from(self.ctx.acd.waiting()).unwrap_or(u32::MAX),
            longest_wait_ms: u64::try_from(wait).unwrap_or(u64::MAX),
            ..self.ctx.counts
        }
    }
}

/// Neither an ACK nor a response can be refused: one whose body cannot be used has none.
fn forget_odd_body(message: &mut Message) {
    if let Err(fault) = only_session(message) {
        tracing::warn!(?fault, "a peer answered with a body that cannot be used");
    }
}
