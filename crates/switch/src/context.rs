//! Owns the services that every call uses: the clock it was told, ids, the journal's ledger, the
//! transaction layer, the ACD, timers. Refuses to know what a call is doing.

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use acd::Acd;
use dialplan::{Plan, Plans, Run};
use sip::{
    ClientTx, DialogId, Flow, HeaderName, Host, Message, Registrar, Scheme, ServerTx, Transactions,
    Transport, Uri,
};
use vocab::media::{MediaCommand, MediaEvent, PromptId};
use vocab::{
    CallId, Event, EventId, Fact, LegId, LiveCounts, OperatorId, OperatorRef, Time, WallTime,
};

use crate::callbacks::Callbacks;
use crate::callers::Blocked;
use crate::duties::Duties;
use crate::entropy::Entropy;
use crate::fixed::FixedLines;
use crate::handover::Handover;
use crate::outgoing::Outgoing;
use crate::output::Output;
use crate::settings::{Messages, Operator, Settings};
use crate::trunk::{Strangers, Trunks};

/// Methods we take; the value of Allow. Outside a dialog there may be one more: see
/// [`Context::allow`].
pub(crate) const ALLOW: &str =
    "INVITE, ACK, BYE, CANCEL, OPTIONS, INFO, PRACK, UPDATE, REFER, REGISTER, SUBSCRIBE";

/// Whose transaction or dialog it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Owner {
    pub(crate) call: CallId,
    pub(crate) leg: LegId,
}

/// The timers of calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Timer {
    /// When to give up an operator's telephone that has not said a word.
    Unreachable(LegId),
    /// When to give up somebody whom we called and who does not answer.
    Ringing(LegId),
    /// When to look after a leg's session: a refresh, its end, a repetition.
    Session(LegId),
    /// When to go on from the step of a plan that waits.
    Step,
    /// When to tell a waiting caller the place in the queue.
    Announce,
    /// When to go on with a recording that was paused.
    Pause,
    /// When to carry a transfer out ourselves that a trunk was asked for.
    Referral,
    /// When to end a call that lasts longer than any should.
    Longest,
    /// When to report an ended call whose legs are still not gone.
    Linger,
}

/// What can be played: (name, language), or (name, "") for a sound without words. A call keeps those
/// with which it began.
#[derive(Debug, Default)]
pub(crate) struct Prompts(pub(crate) BTreeMap<(String, String), PromptId>);

impl Prompts {
    /// The sound of a name: in the language, or without words.
    pub(crate) fn find(&self, name: &str, language: &str) -> Option<PromptId> {
        let key = |language: &str| (name.to_owned(), language.to_owned());
        self.0
            .get(&key(language))
            .or_else(|| self.0.get(&key("")))
            .copied()
    }

    /// A piece of music, for calls whose plan names none.
    pub(crate) fn any_music(&self) -> Option<PromptId> {
        self.0
            .iter()
            .find(|((name, language), _)| language.is_empty() && name != dialplan::VOICEMAIL_TONE)
            .map(|(_, id)| *id)
    }
}

/// Names one set timer.
pub(crate) type TimerKey = (Time, CallId, Timer);

pub(crate) struct Context {
    pub(crate) settings: Settings,
    pub(crate) now: Time,
    pub(crate) transactions: Transactions,
    pub(crate) registrar: Registrar,
    pub(crate) outgoing: Outgoing,
    pub(crate) acd: Acd,
    pub(crate) duties: Duties,
    /// Callers who are declined.
    pub(crate) blocked: Blocked,
    /// Callers who are owed a call of ours.
    pub(crate) callbacks: Callbacks,
    pub(crate) handover: Handover,
    pub(crate) trunks: Trunks,
    pub(crate) strangers: Strangers,
    pub(crate) plans: Plans,
    /// Emergency switches as people set them, by plan: they win over the files.
    pub(crate) emergencies: BTreeMap<String, bool>,
    pub(crate) entropy: Entropy,
    pub(crate) operators: BTreeMap<OperatorId, Operator>,
    pub(crate) logins: BTreeMap<String, OperatorId>,
    /// Lines with a fixed address.
    pub(crate) lines: FixedLines,
    /// Operators of whom the ACD was told that they can be reached.
    pub(crate) reachable: BTreeSet<OperatorId>,
    pub(crate) dialogs: BTreeMap<DialogId, Owner>,
    /// Dialogs of INVITEs of ours that have no final answer.
    pub(crate) early_dialogs: BTreeMap<DialogId, Owner>,
    pub(crate) counts: LiveCounts,
    /// Calls to which something happened in this turn.
    pub(crate) touched: BTreeSet<CallId>,
    pub(crate) prompts: Arc<Prompts>,
    /// Those before, as long as a call has them.
    retired: Vec<Arc<Prompts>>,
    /// Where operators have pressed the keys for a conference, in this turn.
    pub(crate) conferences: Vec<Owner>,
    server_owners: BTreeMap<ServerTx, Owner>,
    client_owners: BTreeMap<ClientTx, Owner>,
    /// Whose leg each open socket is.
    media_legs: BTreeMap<LegId, CallId>,
    /// Calls that go by the name of another one towards the media plane.
    media_names: BTreeMap<CallId, CallId>,
    deadlines: BTreeSet<TimerKey>,
    gated: BTreeMap<ServerTx, EventId>,
    outputs: VecDeque<Output>,
    wall: (Time, WallTime),
    next_event: u32,
    next_call: u32,
    next_leg: u32,
}

impl Context {
    pub(crate) fn new(mut settings: Settings) -> Self {
        let trunks = Trunks::new(core::mem::take(&mut settings.trunks));
        let mut entropy = Entropy::new(settings.seed);
        let mut acd = Acd::new(settings.boot);
        acd.handle(Time::ZERO, acd::Input::Queues(settings.queues.clone()));
        acd.handle(Time::ZERO, acd::Input::Breaks(settings.breaks.clone()));
        Self {
            now: Time::ZERO,
            transactions: Transactions::new(settings.timers, settings.transactions_max),
            registrar: Registrar::new(settings.registrar),
            outgoing: Outgoing::default(),
            acd,
            duties: Duties::default(),
            blocked: Blocked::new(),
            callbacks: Callbacks::new(),
            handover: Handover::default(),
            trunks,
            strangers: Strangers::new(settings.strangers.clone(), entropy.number()),
            plans: Plans::default(),
            emergencies: BTreeMap::new(),
            entropy,
            operators: BTreeMap::new(),
            logins: BTreeMap::new(),
            lines: FixedLines::new(settings.unreachable_after, settings.probe_every),
            reachable: BTreeSet::new(),
            dialogs: BTreeMap::new(),
            early_dialogs: BTreeMap::new(),
            counts: LiveCounts::default(),
            touched: BTreeSet::new(),
            prompts: Arc::default(),
            retired: Vec::new(),
            conferences: Vec::new(),
            server_owners: BTreeMap::new(),
            client_owners: BTreeMap::new(),
            media_legs: BTreeMap::new(),
            media_names: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            gated: BTreeMap::new(),
            outputs: VecDeque::new(),
            wall: (Time::ZERO, WallTime::default()),
            next_event: 0,
            next_call: 0,
            next_leg: 0,
            settings,
        }
    }

    pub(crate) fn poll(&mut self) -> Option<Output> {
        if let Some(question) = self.outgoing.locator.poll() {
            return Some(Output::Resolve { question });
        }
        self.outputs.pop_front()
    }

    /// Writes a fact into the journal.
    pub(crate) fn record(&mut self, fact: Fact) -> EventId {
        self.touched.extend(fact.call());
        let at = self.wall_at(self.now);
        self.state(at, self.now, fact)
    }

    /// Writes what a leaving engine stated, with the time at which it did.
    pub(crate) fn adopt(&mut self, event: Event) -> EventId {
        let own_clock = event.fact.call().is_none() || event.fact.is_of_recording();
        let up = if own_clock { self.now } else { event.up };
        self.state(event.at, up, event.fact)
    }

    fn state(&mut self, at: WallTime, up: Time, fact: Fact) -> EventId {
        self.next_event += 1;
        let id = EventId::new(self.settings.boot, self.next_event);
        self.outputs
            .push_back(Output::Record(Event { id, at, up, fact }));
        id
    }

    /// The fact that was recorded last.
    pub(crate) fn last_event(&self) -> EventId {
        EventId::new(self.settings.boot, self.next_event)
    }

    /// What the wall clock reads at a time that is not before it was set last.
    pub(crate) fn wall_at(&self, time: Time) -> WallTime {
        let (anchor, wall) = self.wall;
        wall + time.since(anchor)
    }

    pub(crate) fn set_wall(&mut self, wall: WallTime) {
        self.wall = (self.now, wall);
    }

    pub(crate) fn media(&mut self, command: MediaCommand) {
        let call = command.call();
        if let MediaCommand::Open { leg, .. } = command {
            self.media_legs.insert(leg, call);
        }
        let name = self.media_name(call);
        self.outputs
            .push_back(Output::Media(command.in_name_of(name)));
    }

    /// The call whose leg the media plane speaks of. After its last word the leg is forgotten.
    pub(crate) fn media_owner(&mut self, event: &MediaEvent) -> Option<CallId> {
        match event {
            MediaEvent::Closed { leg, .. } | MediaEvent::OpenFailed { leg, .. } => {
                self.media_legs.remove(leg)
            }
            MediaEvent::Opened { leg, .. }
            | MediaEvent::PlayEnded { leg, .. }
            | MediaEvent::AudioStarted { leg, .. }
            | MediaEvent::OneWayBegan { leg, .. }
            | MediaEvent::OneWayEnded { leg, .. }
            | MediaEvent::Silent { leg, .. }
            | MediaEvent::Gone { leg, .. }
            | MediaEvent::Spoken { leg, .. }
            | MediaEvent::Quiet { leg, .. }
            | MediaEvent::Press { leg, .. }
            | MediaEvent::Digit { leg, .. } => self.media_legs.get(leg).copied(),
        }
    }

    /// Whether a peer's request is of a dialog that is up, or about to be.
    pub(crate) fn has_dialog(&self, id: &DialogId) -> bool {
        self.dialogs.contains_key(id) || self.early_dialogs.contains_key(id)
    }

    /// By what name the media plane knows a call.
    pub(crate) fn media_name(&self, call: CallId) -> CallId {
        self.media_names.get(&call).copied().unwrap_or(call)
    }

    /// From now on the call goes by the name of another, so that legs can change between the two.
    pub(crate) fn share_media(&mut self, call: CallId, with: CallId) {
        let name = self.media_name(with);
        self.media_names.insert(call, name);
    }

    pub(crate) fn forget_media_name(&mut self, call: CallId) {
        self.media_names.remove(&call);
    }

    /// A leg goes over to another call with all that is known of it.
    pub(crate) fn move_leg(&mut self, from: Owner, to: Owner) {
        let owners = self
            .dialogs
            .values_mut()
            .chain(self.early_dialogs.values_mut())
            .chain(self.client_owners.values_mut())
            .chain(self.server_owners.values_mut());
        for owner in owners.filter(|owner| **owner == from) {
            *owner = to;
        }
        if let Some(call) = self.media_legs.get_mut(&from.leg) {
            *call = to.call;
        }
    }

    /// Wants something done that no other service does.
    pub(crate) fn output(&mut self, output: Output) {
        self.outputs.push_back(output);
    }

    /// Before the first message of a flow by TLS: whom its certificate must name.
    pub(crate) fn expect_name(&mut self, flow: Flow, name: String) {
        self.outputs.push_back(Output::ExpectName { flow, name });
    }

    /// Takes what the transaction layer wants sent; a durable response gets its condition here.
    pub(crate) fn send(&mut self, flow: Flow, bytes: Vec<u8>, first: Option<ServerTx>) {
        let after = first.and_then(|tx| self.gated.remove(&tx));
        self.outputs.push_back(Output::Send { flow, bytes, after });
    }

    pub(crate) fn call_id(&mut self) -> CallId {
        self.next_call += 1;
        CallId::new(self.settings.boot, self.next_call)
    }

    pub(crate) fn leg_id(&mut self) -> LegId {
        self.next_leg += 1;
        LegId::new(self.settings.boot, self.next_leg)
    }

    /// A broken invariant: counted and logged, and never a reason to stop.
    pub(crate) fn bug(&mut self, what: &'static str, call: Option<CallId>) {
        self.counts.bugs += 1;
        tracing::error!(
            call = call.map(tracing::field::display),
            what,
            "broken invariant"
        );
    }

    // Timers.

    /// Sets a timer; the key takes it back.
    pub(crate) fn set_timer(&mut self, call: CallId, after: Duration, timer: Timer) -> TimerKey {
        let key = (self.now + after, call, timer);
        self.deadlines.insert(key);
        key
    }

    /// Sets a timer for a moment; the key takes it back.
    pub(crate) fn set_timer_at(&mut self, call: CallId, at: Time, timer: Timer) -> TimerKey {
        let key = (at, call, timer);
        self.deadlines.insert(key);
        key
    }

    pub(crate) fn next_deadline(&self) -> Option<Time> {
        self.deadlines.first().map(|(at, _, _)| *at)
    }

    /// Takes out the next timer that is due.
    pub(crate) fn due(&mut self) -> Option<TimerKey> {
        let first = *self.deadlines.first()?;
        if first.0 > self.now {
            return None;
        }
        self.deadlines.remove(&first);
        Some(first)
    }

    /// Forgets the timers of a call that is gone.
    pub(crate) fn clear_timers(&mut self, timers: &[TimerKey]) {
        for timer in timers {
            self.deadlines.remove(timer);
        }
    }

    // SIP.

    /// The address a peer on this flow should send SIP to.
    pub(crate) fn sip_address(&self, flow: &Flow) -> SocketAddr {
        SocketAddr::new(
            self.settings.advertised.unwrap_or(flow.local.ip()),
            flow.local.port(),
        )
    }

    /// The address a peer on this flow should send audio to.
    pub(crate) fn media_address(&self, flow: &Flow) -> IpAddr {
        self.settings
            .advertised
            .or(self.settings.media_address)
            .unwrap_or(flow.local.ip())
    }

    /// Our Contact for a peer on this flow: the next request of the peer comes the same way.
    pub(crate) fn contact(&self, flow: &Flow) -> String {
        format!("<{}>", self.contact_uri(flow, None))
    }

    /// The same as `sips:` where the peer used that (RFC 3261 §12.1.1); TLS goes without saying there.
    pub(crate) fn contact_secured(&self, flow: &Flow, user: Option<&str>) -> String {
        let mut uri = self.contact_uri(flow, user);
        uri.scheme = Scheme::Sips;
        if flow.transport == Transport::Tls {
            uri.params.remove("transport");
        }
        format!("<{uri}>")
    }

    /// The URI of our Contact: with a user part for those who route by it, and with the transport
    /// of the flow. `sip:` with `transport=tls`, not `sips:`: RFC 3261 §26.2.2 asks for `sips:`
    /// only where the peer's own URI has it, and telephones that know TLS but no `sips:` are many.
    pub(crate) fn contact_uri(&self, flow: &Flow, user: Option<&str>) -> Uri {
        let address = self.sip_address(flow);
        let host = Host::Ip(address.ip());
        let mut uri = Uri::sip(user, host, Some(address.port()));
        if let Some(name) = flow.transport.uri_param() {
            uri.params.set("transport", Some(name));
        }
        uri
    }

    /// Sends a request within or outside a dialog.
    pub(crate) fn request(&mut self, owner: Owner, flow: Flow, request: Message) -> ClientTx {
        if self.is_long(&flow, &request) {
            return self.request_long(Some(owner), flow, request);
        }
        let tx = self.transmit(flow, request);
        self.client_owners.insert(tx, owner);
        tx
    }

    /// Sends a request whose answer nobody waits for.
    pub(crate) fn request_unowned(&mut self, flow: Flow, request: Message) -> ClientTx {
        if self.is_long(&flow, &request) {
            return self.request_long(None, flow, request);
        }
        self.transmit(flow, request)
    }

    /// Gives a request to the transaction layer.
    pub(crate) fn transmit(&mut self, flow: Flow, mut request: Message) -> ClientTx {
        if !self.settings.user_agent.is_empty() {
            request
                .headers
                .set(HeaderName::UserAgent, self.settings.user_agent.as_str());
        }
        let branch = self.entropy.branch();
        let sent_by = self.sip_address(&flow).to_string();
        self.transactions
            .request(self.now, flow, &sent_by, &branch, request)
    }

    /// Acknowledges a 2xx.
    pub(crate) fn ack(&mut self, tx: ClientTx, flow: Flow, ack: Message) {
        let branch = self.entropy.branch();
        let sent_by = self.sip_address(&flow).to_string();
        let tx = self.transaction_of(tx);
        self.transactions
            .ack(self.now, tx, flow, &sent_by, &branch, ack);
    }

    pub(crate) fn client_owner(&self, tx: ClientTx) -> Option<Owner> {
        self.client_owners.get(&tx).copied()
    }

    pub(crate) fn own_client(&mut self, tx: ClientTx, owner: Owner) {
        self.client_owners.insert(tx, owner);
    }

    pub(crate) fn forget_client(&mut self, tx: ClientTx) {
        self.client_owners.remove(&tx);
        self.forget_outgoing(tx);
    }

    /// From now on, what happens to this INVITE from a peer belongs to the leg.
    pub(crate) fn own_server(&mut self, tx: ServerTx, owner: Owner) {
        self.server_owners.insert(tx, owner);
    }

    pub(crate) fn server_owner(&self, tx: ServerTx) -> Option<Owner> {
        self.server_owners.get(&tx).copied()
    }

    pub(crate) fn forget_server(&mut self, tx: ServerTx) {
        self.server_owners.remove(&tx);
    }

    /// Answers a request.
    pub(crate) fn respond(&mut self, tx: ServerTx, mut response: Message) {
        if !self.settings.user_agent.is_empty() {
            response
                .headers
                .set(HeaderName::Server, self.settings.user_agent.as_str());
        }
        self.transactions.respond(self.now, tx, response);
    }

    /// Answers a request once the fact is on disk.
    pub(crate) fn respond_after(&mut self, event: EventId, tx: ServerTx, response: Message) {
        self.gated.insert(tx, event);
        self.respond(tx, response);
    }

    /// Answers a request that must cost no memory: a stranger's, or one too many.
    pub(crate) fn respond_stateless(&mut self, tx: ServerTx, mut response: Message) {
        if !self.settings.user_agent.is_empty() {
            response
                .headers
                .set(HeaderName::Server, self.settings.user_agent.as_str());
        }
        self.transactions.respond_stateless(tx, &response);
    }

    /// Conditions of answers that the transaction layer did not want any more.
    pub(crate) fn forget_gates(&mut self) {
        self.gated.clear();
    }

    /// The methods that are taken outside a dialog.
    pub(crate) fn allow(&self) -> String {
        match self.settings.messages {
            Messages::Refuse => ALLOW.to_owned(),
            Messages::Operators => format!("{ALLOW}, MESSAGE"),
        }
    }

    /// Refuses a request outside any call: a stranger's costs no memory, and gets one answer.
    pub(crate) fn refuse(&mut self, tx: ServerTx, request: &Message, status: u16) {
        let mut response = request.respond(status, Some(&sip::stateless_tag(request)));
        explain(&mut response, status);
        if matches!(status, 405 | 501) {
            response.headers.set(HeaderName::Allow, self.allow());
        }
        self.respond_stateless(tx, response);
    }

    /// Refuses what cannot be understood: 420 with what of Require is not known.
    pub(crate) fn refuse_unsupported(&mut self, tx: ServerTx, request: &Message, tags: String) {
        let tag = self.entropy.tag();
        let mut response = request.respond(420, Some(&tag));
        response.headers.set(HeaderName::Unsupported, tags);
        self.respond(tx, response);
    }

    /// Refuses a request of a known peer; the answer is repeated to copies of it.
    pub(crate) fn refuse_known(&mut self, tx: ServerTx, request: &Message, status: u16) {
        let tag = self.entropy.tag();
        let mut response = request.respond(status, Some(&tag));
        explain(&mut response, status);
        self.respond(tx, response);
    }

    /// Refuses a request for want of room: 503 without any state.
    pub(crate) fn refuse_overload(&mut self, tx: ServerTx, request: &Message) {
        self.refuse_overload_for(tx, request, self.settings.retry_after);
    }

    /// The same, where it is known how long the want will last.
    pub(crate) fn refuse_overload_for(&mut self, tx: ServerTx, request: &Message, wait: Duration) {
        let tag = sip::stateless_tag(request);
        let mut response = request.respond(503, Some(&tag));
        response.headers.set(HeaderName::RetryAfter, seconds(wait));
        self.respond_stateless(tx, response);
    }

    /// The value of Retry-After, whole seconds.
    pub(crate) fn retry_after(&self) -> String {
        seconds(self.settings.retry_after)
    }

    // Plans and operators.

    /// A call on its way through a plan, by the switch as it stands now.
    pub(crate) fn run(&self, plan: Arc<Plan>, caller: &str, number: &str) -> Box<Run> {
        let switched = self.emergencies.get(&plan.name).copied();
        Box::new(Run::new(plan, caller, number).switched(switched))
    }

    /// A person set the emergency switch of a plan. Calls that are up go on as they began.
    pub(crate) fn set_emergency(&mut self, plan: &str, on: Option<bool>) {
        match on {
            Some(on) => self.emergencies.insert(plan.to_owned(), on),
            None => self.emergencies.remove(plan),
        };
    }

    pub(crate) fn set_plans(&mut self, plans: Plans, prompts: Prompts) {
        self.plans = plans;
        let before = core::mem::replace(&mut self.prompts, Arc::new(prompts));
        self.retired.push(before);
        self.forget_prompts();
    }

    /// Lets go of prompts that no plan has any more, once no call that began with them is up.
    pub(crate) fn forget_prompts(&mut self) {
        let (gone, retired) = core::mem::take(&mut self.retired)
            .into_iter()
            .partition(|prompts: &Arc<Prompts>| Arc::strong_count(prompts) == 1);
        self.retired = retired;
        let gone: Vec<Arc<Prompts>> = gone;
        let in_use = self.retired.iter().chain([&self.prompts]);
        let in_use: BTreeSet<PromptId> = in_use.flat_map(|one| one.0.values().copied()).collect();
        let gone = gone.iter().flat_map(|one| one.0.values().copied());
        let gone: BTreeSet<PromptId> = gone.filter(|id| !in_use.contains(id)).collect();
        if !gone.is_empty() {
            self.outputs.push_back(Output::ForgetPrompts(gone));
        }
    }

    /// Whether there is anything to let go of, for those who ask often.
    pub(crate) fn has_retired_prompts(&self) -> bool {
        !self.retired.is_empty()
    }

    /// The line of an operator: the one signed in to, else the own.
    pub(crate) fn line_of<'a>(&'a self, operator: &'a Operator) -> &'a str {
        let signed_in = self.acd.operator_line(operator.id);
        signed_in.unwrap_or(&operator.line)
    }

    pub(crate) fn operator_ref(&self, id: OperatorId) -> Option<OperatorRef> {
        let operator = self.operators.get(&id)?;
        Some(OperatorRef {
            id,
            login: operator.login.clone(),
            name: operator.name.clone(),
            line: self.line_of(operator).to_owned(),
        })
    }

    /// What must be empty when no call is up, for the checkers: name and size of each table.
    pub(crate) fn tables(&self) -> [(&'static str, usize); 10] {
        [
            ("media_legs", self.media_legs.len()),
            ("media_names", self.media_names.len()),
            ("dialogs", self.dialogs.len()),
            ("early_dialogs", self.early_dialogs.len()),
            ("server_owners", self.server_owners.len()),
            ("client_owners", self.client_owners.len()),
            ("deadlines", self.deadlines.len()),
            ("gated", self.gated.len()),
            ("outgoing", self.outgoing.len()),
            ("seats", self.trunks.seats()),
        ]
    }
}

/// Whole seconds, at least one, rounded up.
fn seconds(time: Duration) -> String {
    (time.as_secs() + u64::from(time.subsec_nanos() > 0))
        .max(1)
        .to_string()
}

/// What a status must or should carry (RFC 3261 §21.4.6, §21.4.13, §21.5.2).
fn explain(response: &mut Message, status: u16) {
    match status {
        405 | 501 => response.headers.set(HeaderName::Allow, ALLOW),
        415 => {
            response
                .headers
                .set(HeaderName::Accept, sip::ACCEPTED_BODIES);
            response.headers.set(HeaderName::AcceptEncoding, "identity");
        }
        // RFC 6086 §4.2.2: we take no Info-Package.
        469 => response.headers.set(HeaderName::parse("Recv-Info"), ""),
        _ => {}
    }
}
