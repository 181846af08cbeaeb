//! Owns the door: which requests outside a dialog are taken, from whom, for which number.

use dialplan::staff::Reply;
use sip::{DialogId, Flow, HeaderName, Message, Method, Replaces, Scheme, ServerTx};
use vocab::{CallId, Direction, EndedBy, Fact, OperatorId, Outcome, Redacted};

use crate::call::{Arrival, Call, Course};
use crate::destination::Destination;
use crate::engine::Switch;
use crate::features::Feature;
use crate::incoming::{Reading, Source};
use crate::turns;

/// What is to become of a call.
struct Errand {
    course: Course,
    direction: Direction,
    consults: Option<CallId>,
    /// What an operator wants done, and is told of by the call.
    feature: Option<Feature>,
}

impl Switch {
    /// A new request that belongs to no transaction.
    pub(crate) fn on_request(&mut self, tx: ServerTx, flow: Flow, mut request: Message) {
        if let Some(id) = DialogId::of_incoming(&request) {
            if let (Some(Method::Subscribe), Some(found)) =
                (request.method(), self.watchers.subscriptions.find(&id))
            {
                self.on_renewal(tx, flow, found, &request);
                return;
            }
            self.on_dialog_request(tx, flow, &id, &mut request);
            return;
        }
        if let Some(status) = self.refusal(&flow, &request) {
            self.refuse(tx, &request, status);
            return;
        }
        match request.method() {
            Some(Method::Invite) => self.on_invite(tx, flow, request),
            Some(Method::Register) => self.on_register(tx, flow, &request),
            Some(Method::Options) => self.on_options(tx, flow, &request),
            // A request for a dialog or subscription that we do not have (RFC 3261 §12.2.2, RFC
            // 6665 §4.1.3).
            Some(Method::Bye | Method::Update | Method::Info | Method::Prack | Method::Notify) => {
                self.ctx.refuse(tx, &request, 481)
            }
            Some(Method::Subscribe) => self.on_subscribe(tx, flow, &request),
            Some(Method::Message) => self.on_message(tx, flow, request),
            // Outside a dialog it would be a call that nobody may make (RFC 3515 §5.1).
            Some(Method::Refer) => self.ctx.refuse(tx, &request, 403),
            Some(Method::Other(_)) | None => self.ctx.refuse(tx, &request, 501),
            Some(Method::Ack | Method::Cancel | Method::Publish) => {
                self.ctx.refuse(tx, &request, 405);
            }
        }
    }

    fn on_dialog_request(
        &mut self,
        tx: ServerTx,
        flow: Flow,
        id: &DialogId,
        request: &mut Message,
    ) {
        let owner = self.ctx.dialogs.get(id).copied();
        if let (Some(owner), Some(Method::Refer)) = (owner, request.method()) {
            self.on_refer(owner, tx, request);
            return;
        }
        let early = self.ctx.early_dialogs.get(id).copied();
        let found = owner.or(early);
        let call = found.and_then(|owner| self.calls.get_mut(&owner.call));
        let (Some(found), Some(call)) = (found, call) else {
            self.ctx.refuse(tx, request, 481);
            return;
        };
        if let Err(fault) = only_session(request) {
            self.ctx.refuse_known(tx, request, fault.status());
            return;
        }
        if request.method() == Some(&Method::Notify) {
            match owner.filter(|owner| call.is_news(owner.leg, request)) {
                Some(owner) => {
                    call.follow(owner.leg, flow);
                    call.on_news(&mut self.ctx, tx, request);
                    self.sweep(owner.call);
                }
                None => self.refuse_notify_in_call(tx, request),
            }
            return;
        }
        let Some(owner) = owner else {
            call.on_early_request(&mut self.ctx, (found.leg, id), (tx, flow), request);
            self.sweep(found.call);
            return;
        };
        call.follow(owner.leg, flow);
        call.on_request(&mut self.ctx, owner.leg, tx, flow, request);
        call.choose_codec_anew(&mut self.ctx);
        self.sweep(owner.call);
    }

    /// What RFC 3261 §8.2 refuses before a request is looked at: URI scheme, extensions.
    fn refusal(&self, flow: &Flow, request: &Message) -> Option<u16> {
        let scheme = request.request_uri().map(|uri| &uri.scheme);
        if matches!(scheme, Some(Scheme::Other(_))) {
            return Some(416);
        }
        // `sips:` is TLS all the way to us (RFC 5630 §3.1).
        if matches!(scheme, Some(Scheme::Sips)) && !flow.transport.is_secure() {
            return Some(416);
        }
        sip::session::unsupported(request).map(|_| 420)
    }

    fn refuse(&mut self, tx: ServerTx, request: &Message, status: u16) {
        if status != 420 {
            self.ctx.refuse(tx, request, status);
            return;
        }
        let mut response = request.respond(420, Some(&sip::stateless_tag(request)));
        let unknown = sip::session::unsupported(request).unwrap_or_default();
        response.headers.set(HeaderName::Unsupported, unknown);
        self.ctx.respond_stateless(tx, response);
    }

    fn on_options(&mut self, tx: ServerTx, flow: Flow, request: &Message) {
        if self.draining {
            self.ctx.refuse_overload(tx, request);
            return;
        }
        let mut response = request.respond(200, Some(&sip::stateless_tag(request)));
        response.headers.set(HeaderName::Allow, self.ctx.allow());
        let events = sip::subscription::ALLOW_EVENTS;
        response.headers.set(HeaderName::AllowEvents, events);
        response
            .headers
            .set(HeaderName::Accept, sip::ACCEPTED_BODIES);
        response
            .headers
            .set(HeaderName::Contact, self.ctx.contact(&flow));
        self.ctx.respond_stateless(tx, response);
    }

    fn on_invite(&mut self, tx: ServerTx, flow: Flow, mut request: Message) {
        let full = self.live_calls() >= self.ctx.settings.calls_max;
        let unrecorded = self.recording_trouble && self.ctx.settings.recording_mandatory;
        let closed = self.draining && !self.continues(&request);
        if closed || self.journal_behind || unrecorded || full {
            self.ctx.counts.refused += 1;
            self.ctx.refuse_overload(tx, &request);
            return;
        }
        let Some(source) = self.admit(tx, flow, &request) else {
            return;
        };
        if !self.is_sound(tx, &mut request) {
            return;
        }
        let operator = self.operator_of(&source);
        match (Replaces::of(&request), operator) {
            (Ok(None), _) => self.on_new_call((tx, flow, request), source, operator),
            (Ok(Some(replaces)), Some(operator)) => {
                self.on_replacing((tx, flow, request), operator, &replaces);
            }
            // Nobody from outside takes anybody's place (RFC 3891 §8).
            (Ok(Some(_)), None) => self.ctx.refuse_known(tx, &request, 403),
            (Err(status), _) => self.ctx.refuse_known(tx, &request, status),
        }
    }

    /// Whether an INVITE is to take a place in a call that is up, which is no new call.
    fn continues(&self, invite: &Message) -> bool {
        matches!(Replaces::of(invite), Ok(Some(replaces)) if self.has_replaced(&replaces))
    }

    /// Refuses an INVITE of whomever that nothing can be made of: its body, its way, its session.
    fn is_sound(&mut self, tx: ServerTx, request: &mut Message) -> bool {
        let fault = only_session(request).err().map(|fault| fault.status());
        if let Some(status) = fault.or_else(|| spent(request)) {
            self.ctx.counts.refused += 1;
            self.ctx.refuse(tx, request, status);
            return false;
        }
        let timer = sip::SessionTimer::new(self.ctx.settings.session_timer);
        if let Err(least_s) = timer.check(request) {
            self.refuse_short_session(tx, request, least_s);
            return false;
        }
        true
    }

    /// A call of a trunk or an operator.
    fn on_new_call(
        &mut self,
        (tx, flow, request): (ServerTx, Flow, Message),
        source: Source,
        operator: Option<OperatorId>,
    ) {
        let seat = match self.take_seat(&source) {
            Ok(seat) => seat,
            Err(full) => {
                self.refuse_full(tx, &request, full);
                return;
            }
        };
        self.ctx.counts.arrived += 1;
        let read = self.read(source, &request);
        let blocked = self.blocked_by(&read).filter(|_| operator.is_none());
        if let Some(list) = blocked.map(str::to_owned) {
            self.give_seat_back(seat);
            self.decline(tx, &request, read, &list);
            return;
        }
        let errand = match operator {
            _ if self.is_loop(&request, &read.dialled.number) => Err(482),
            Some(operator) => self.errand_of(operator, &request),
            None => self.errand_by_plan(&read).ok_or(404),
        };
        let errand = match errand {
            Ok(errand) => errand,
            Err(status) => {
                self.give_seat_back(seat);
                self.refuse_errand(tx, &request, read, status);
                return;
            }
        };
        let arrival = Arrival {
            tx,
            flow,
            number: read.dialled.number,
            caller: read.caller.number,
            caller_name: read.caller.name,
            trunk: read.trunk,
            course: errand.course,
            direction: errand.direction,
            operator,
            consults: errand.consults,
            private: read.caller.private,
            seat,
            invite: request,
        };
        match Call::arrive(&mut self.ctx, arrival) {
            Ok(call) => {
                let id = call.id;
                self.add_call(call);
                // The operator is in a call by now, so that no offer crosses it.
                if let (Some(feature), Some(operator)) = (errand.feature, operator) {
                    self.feature_dialled(id, operator, feature);
                }
            }
            Err(arrival) => {
                self.ctx.counts.refused += 1;
                self.ctx.refuse(arrival.tx, &arrival.invite, 400);
                self.give_seat_back(arrival.seat);
            }
        }
    }

    /// Whether this is a call that we have sent out and that has come back: unchanged, or once too
    /// often (RFC 3261 §16.3 step 4).
    fn is_loop(&self, request: &Message, number: &str) -> bool {
        let Some(session) = turns::session_of(request) else {
            return false;
        };
        let turns = self
            .calls
            .values()
            .filter_map(|call| call.turn(&session, number));
        let turns: Vec<bool> = turns.take(turns::TURNS_MAX).collect();
        turns.len() >= turns::TURNS_MAX || turns.contains(&true)
    }

    fn refuse_errand(&mut self, tx: ServerTx, request: &Message, read: Reading, status: u16) {
        if status == 404 {
            self.unknown_number(tx, request, read);
            return;
        }
        self.ctx.counts.refused += 1;
        let why = match status {
            482 => "a call of ours has come back",
            _ => "an operator may not make this call",
        };
        tracing::warn!(caller = read.trunk, number = %Redacted(&read.dialled.number), status, why);
        self.ctx.refuse_known(tx, request, status);
    }

    fn operator_of(&self, source: &Source) -> Option<OperatorId> {
        match source {
            Source::Operator { user } => self.ctx.logins.get(user).copied(),
            Source::Trunk(_) => None,
        }
    }

    fn errand_by_plan(&self, read: &Reading) -> Option<Errand> {
        Some(Errand {
            course: Course::Plan(self.ctx.run(
                self.plan(read)?,
                &read.caller.number,
                &read.dialled.number,
            )),
            direction: Direction::Inbound,
            consults: None,
            feature: None,
        })
    }

    /// What an operator dialled.
    ///
    /// # Errors
    /// 404 for what nobody knows, 403 for what the operator may not call, 486 if the operator makes as
    /// many calls already as one may.
    fn errand_of(&self, operator: OperatorId, request: &Message) -> Result<Errand, u16> {
        let made = self.calls.values().filter(|call| call.is_made_by(operator));
        if made.count() >= self.ctx.settings.operator_calls.at_once_max {
            return Err(486);
        }
        let uri = request.request_uri().ok_or(400_u16)?;
        let dialled = uri.user.as_deref().unwrap_or_default();
        if let Some(feature) = self.ctx.feature(dialled) {
            return Ok(Errand {
                course: Course::told(Reply::Refused.prompt(), &self.ctx.settings.staff_language),
                direction: Direction::Internal,
                consults: None,
                feature: Some(feature),
            });
        }
        let destination = Destination::find(&self.ctx, uri)?;
        let direction = match &destination {
            Destination::Outer { .. } => Direction::Outbound,
            Destination::Plan { .. } | Destination::Operator(_) | Destination::Queue { .. } => {
                Direction::Internal
            }
        };
        let course = match destination {
            Destination::Plan { plan, number } => {
                let line = self
                    .ctx
                    .operators
                    .get(&operator)
                    .map(|one| one.line.as_str());
                Course::Plan(self.ctx.run(plan, line.unwrap_or_default(), &number))
            }
            Destination::Queue { name, priority } => Course::Queue {
                name,
                priority: priority.unwrap_or_default(),
            },
            Destination::Operator(_) | Destination::Outer { .. } => {
                Course::Party(Some(destination))
            }
        };
        let consults = self
            .calls
            .values()
            .find(|call| call.has_in_talk(operator))
            .map(|call| call.id);
        Ok(Errand {
            course,
            direction,
            consults,
            feature: None,
        })
    }

    /// 422: sessions that short we do not keep (RFC 4028 §6).
    fn refuse_short_session(&mut self, tx: ServerTx, request: &Message, least_s: u32) {
        let mut response = request.respond(422, Some(&sip::stateless_tag(request)));
        response.headers.set(HeaderName::MinSe, least_s.to_string());
        self.ctx.respond_stateless(tx, response);
    }

    /// A trunk by its address, or a trunk or operator by its password. `None`: challenged or refused.
    fn admit(&mut self, tx: ServerTx, flow: Flow, request: &Message) -> Option<Source> {
        let user = request.request_uri().and_then(|uri| uri.user.as_deref());
        if let Some(id) = self.ctx.trunks.by_address(self.ctx.now, &flow, user) {
            return Some(Source::Trunk(id));
        }
        let user = self.authenticate(tx, flow, request, |ctx, user| {
            let trunk = ctx.trunks.by_login(user, &flow);
            match trunk.and_then(|(_, trunk)| trunk.source.credentials.as_ref()) {
                Some((_, secrets)) => Some(secrets.clone()),
                None => ctx.operator_secrets(user),
            }
        })?;
        match self.ctx.trunks.by_login(&user, &flow) {
            Some((id, _)) => Some(Source::Trunk(id)),
            None => Some(Source::Operator { user }),
        }
    }

    /// A known caller dialled a number that no plan has: 404, and an entry, since a wrongly
    /// routed number is somebody's lost call.
    fn unknown_number(&mut self, tx: ServerTx, request: &Message, read: Reading) {
        let (number, trunk) = (read.dialled.number, read.trunk);
        let (caller, caller_name) = (read.caller.number, read.caller.name);
        tracing::warn!(trunk, number, "no plan has this number");
        self.ctx.counts.refused += 1;
        let call: CallId = self.ctx.call_id();
        let sip_call_id = request.call_id().unwrap_or_default().to_owned();
        let plan = String::new();
        self.ctx.record(Fact::CallArrived {
            call,
            number,
            caller,
            caller_name,
            trunk,
            plan,
            sip_call_id,
            direction: Direction::Inbound,
            operator: None,
            consults: None,
        });
        self.ctx.record(Fact::CallEnded {
            call,
            outcome: Outcome::UnknownNumber,
            ended_by: EndedBy::Engine,
            status: Some(404),
            reason: String::new(),
        });
        self.ctx.refuse_known(tx, request, 404);
    }
}

/// Leaves nothing but the session description in the body of what may hold one, so that nobody
/// behind the door meets another body (RFC 3261 §8.2.3, RFC 5621).
pub(crate) fn only_session(message: &mut Message) -> Result<(), sip::BodyFault> {
    let about_session = match message.method() {
        Some(Method::Invite | Method::Ack | Method::Update | Method::Prack) => true,
        Some(_) => false,
        None => message.cseq().is_ok_and(|cseq| {
            matches!(cseq.method, Method::Invite | Method::Update | Method::Prack)
        }),
    };
    if about_session {
        message.keep_session_description()?;
    }
    Ok(())
}

/// 483: a call is forwarded to an operator, and this one must not be any more (RFC 3261 §16.3).
fn spent(invite: &Message) -> Option<u16> {
    (invite.max_forwards() == Some(0)).then_some(483)
}
