//! Owns the operators' legs: the UAC side of an offer (RFC 3261 §13.2) and of the talk after it.

use dialplan::Happened;
use sip::{ClientTx, Dialog, Flow, HeaderName, Message, Method, NameAddr, Uri};
use vocab::media::{MediaCommand, RecordingKey};
use vocab::{CallId, EndedBy, Fact, LegId, OfferId, OfferResult, OperatorId, QueueOutcome};

use super::leg::{Description, MediaState, decorate, next_hop};
use super::{Call, State};
use crate::context::{Context, Owner, Timer};

/// The SIP side of the leg.
///
/// | state      | 1xx       | 2xx            | other final  | time-out     | offer withdrawn | talk ends | BYE    |
/// |------------|-----------|----------------|--------------|--------------|-----------------|-----------|--------|
/// | Preparing  | -         | -              | -            | -            | Closed          | -         | -      |
/// | Inviting   | Inviting  | Talking, ACK   | Closed       | Closed       | Cancelling      | -         | -      |
/// | Cancelling | -         | Closing, ACK   | Closed       | Closed       | -               | -         | -      |
/// | Talking    | -         | -              | -            | -            | -               | Closing   | Closed |
/// | Closing    | -         | Closed (BYE's) | Closed       | Closed       | -               | -         | Closed |
/// | Closed     | -         | -              | -            | -            | -               | -         | -      |
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sip {
    /// The media plane was asked for a socket; no INVITE is out.
    Preparing,
    /// The INVITE is out.
    Inviting { tx: ClientTx },
    /// The offer is over; the INVITE's final answer is awaited.
    Cancelling { tx: ClientTx },
    /// The operator answered.
    Talking,
    /// Our BYE is out.
    Closing { tx: ClientTx },
    /// Over.
    Closed,
}

pub(crate) struct OperatorLeg {
    pub(super) operator: OperatorId,
    pub(super) sip: Sip,
    pub(super) media: MediaState,
    pub(super) dialog: Option<Dialog>,
    pub(super) description: Option<Description>,
    pub(super) late_answer: bool,
    offer: OfferId,
    /// The INVITEs that went out, the newest last: one for each telephone that was tried.
    invites: Vec<Sent>,
    telephone: Telephone,
}

/// An INVITE of ours.
struct Sent {
    tx: ClientTx,
    flow: Flow,
    invite: Message,
}

/// Where a telephone of an operator is reached.
#[derive(Clone)]
struct Telephone {
    contact: Uri,
    flow: Flow,
    route: Vec<NameAddr>,
}

impl Telephone {
    /// The telephone of an operator that is to ring first.
    fn of(ctx: &Context, operator: OperatorId) -> Option<Self> {
        let operator = ctx.operators.get(&operator)?;
        let binding = ctx.registrar.bindings(&operator.login).next()?;
        Some(Self {
            contact: binding.contact.clone(),
            flow: binding.flow,
            route: binding.path.clone(),
        })
    }
}

impl OperatorLeg {
    /// Forgets what the engine remembers for the leg.
    pub(super) fn forget(&self, ctx: &mut Context) {
        for sent in &self.invites {
            ctx.forget_client(sent.tx);
        }
    }

    fn is_gone(&self) -> bool {
        self.sip == Sip::Closed && self.media == MediaState::Closed
    }

    fn close_media(&mut self, ctx: &mut Context, call: CallId, leg: LegId) {
        if matches!(self.media, MediaState::Opening | MediaState::Open(_)) {
            ctx.media(MediaCommand::Close { call, leg });
            self.media = MediaState::Closing;
        }
    }

    fn bye(&mut self, ctx: &mut Context, owner: Owner) {
        let Some(dialog) = &mut self.dialog else {
            self.sip = Sip::Closed;
            return;
        };
        let bye = dialog.request(Method::Bye);
        let flow = next_hop(dialog);
        self.sip = Sip::Closing {
            tx: ctx.request(owner, flow, bye),
        };
    }

    /// The dialog that a 2xx to an INVITE of ours makes.
    fn dialog_of(&self, tx: ClientTx, response: &Message) -> Option<Dialog> {
        let sent = self.invites.iter().find(|sent| sent.tx == tx)?;
        Dialog::uac(&sent.invite, response, sent.flow).ok()
    }

    /// Whether this is a 2xx that nobody waits for: of another telephone behind the same address
    /// (RFC 3261 §13.2.2.4), or of one that was given up.
    fn is_stray(&self, status: u16, tx: ClientTx, response: &Message) -> bool {
        let invited = response
            .cseq()
            .is_ok_and(|cseq| cseq.method == Method::Invite);
        let awaited = match self.sip {
            Sip::Inviting { tx: awaited } | Sip::Cancelling { tx: awaited } => awaited == tx,
            Sip::Preparing | Sip::Talking | Sip::Closing { .. } | Sip::Closed => false,
        };
        (200..300).contains(&status) && invited && !awaited
    }

    /// A telephone that is silent, or never answers, is not registered any more: the state shown
    /// is the state there is, and its next REGISTER brings it back.
    fn unregister(&self, ctx: &mut Context) {
        if let Some(operator) = ctx.operators.get(&self.operator) {
            ctx.registrar
                .forget_contact(&operator.login, &self.telephone.contact);
        }
    }

    /// The SIP side is over: forget its dialog.
    pub(super) fn closed(&mut self, ctx: &mut Context) {
        if let Sip::Inviting { tx } | Sip::Cancelling { tx } | Sip::Closing { tx } = self.sip {
            ctx.forget_client(tx);
        }
        if let Some(dialog) = &self.dialog {
            ctx.dialogs.remove(&dialog.id());
        }
        self.sip = Sip::Closed;
    }
}

/// What a final answer other than 2xx means for the ACD.
fn result_of(status: u16) -> OfferResult {
    match status {
        486 | 600 => OfferResult::Busy,
        // A redirection is a person's wish not to answer here; we do not follow it.
        300..=399 | 403 | 603..=699 => OfferResult::Rejected,
        _ => OfferResult::Unreachable,
    }
}

impl Call {
    /// The ACD offers the call to an operator.
    pub(crate) fn offer(
        &mut self,
        ctx: &mut Context,
        offer: OfferId,
        operator: OperatorId,
        why: String,
    ) {
        let telephone = Telephone::of(ctx, operator);
        let named = ctx.operator_ref(operator);
        let State::Queued { name, .. } = &self.state else {
            ctx.bug("an offer for a call that waits in no queue", Some(self.id));
            ctx.acd.handle(ctx.now, acd::Input::Left { call: self.id });
            return;
        };
        let (Some(named), Some(telephone)) = (named, telephone) else {
            // The registration ran out in this very moment.
            let result = OfferResult::Unreachable;
            ctx.acd
                .handle(ctx.now, acd::Input::Failed { offer, result });
            return;
        };
        let queue = name.clone();
        ctx.record(Fact::OfferMade {
            call: self.id,
            offer,
            queue,
            operator: named,
            why,
        });
        let leg = ctx.leg_id();
        ctx.media(MediaCommand::Open { call: self.id, leg });
        self.legs.insert(
            leg,
            OperatorLeg {
                operator,
                sip: Sip::Preparing,
                media: MediaState::Opening,
                dialog: None,
                description: None,
                late_answer: false,
                offer,
                invites: Vec::new(),
                telephone,
            },
        );
    }

    pub(super) fn operator_media_opened(&mut self, ctx: &mut Context, id: LegId, port: u16) {
        let Some(leg) = self.legs.get_mut(&id) else {
            return;
        };
        if leg.media != MediaState::Opening || leg.sip != Sip::Preparing {
            return;
        }
        leg.media = MediaState::Open(port);
        // The caller's codec first: then nothing has to be translated.
        let mut codecs = ctx.settings.codecs.clone();
        let spoken = self.caller.codec();
        codecs.sort_by_key(|codec| Some(*codec) != spoken);
        let address = ctx.media_address(&leg.telephone.flow);
        let description = Description::new(ctx, address, port, codecs);
        leg.description = Some(description);
        self.ring(ctx, id);
    }

    /// Sends the INVITE to the telephone of the leg.
    fn ring(&mut self, ctx: &mut Context, id: LegId) {
        let Some(leg) = self.legs.get_mut(&id) else {
            return;
        };
        let Some(description) = &leg.description else {
            ctx.bug(
                "an operator is to ring without a description",
                Some(self.id),
            );
            return;
        };
        let body = sdp::offer(&description.local()).into_bytes();
        let Telephone {
            contact,
            flow,
            route,
        } = leg.telephone.clone();
        let mut invite = Message::request(Method::Invite, contact);
        let login = ctx
            .operators
            .get(&leg.operator)
            .map(|o| o.login.clone())
            .unwrap_or_default();
        for hop in &route {
            invite.headers.push(HeaderName::Route, hop.to_string());
        }
        let host = ctx.sip_address(&flow).ip();
        let tag = ctx.entropy.tag();
        let shown = if self.private {
            ""
        } else {
            self.caller_number.as_str()
        };
        let from = caller_identity(shown, &self.caller_name, host).with_tag(&tag);
        let to = Uri::sip(Some(&login), sip::Host::Ip(flow.remote.ip()), None);
        invite.headers.push(HeaderName::MaxForwards, "70");
        invite.headers.push(HeaderName::From, from.to_string());
        invite.headers.push(HeaderName::To, format!("<{to}>"));
        invite
            .headers
            .push(HeaderName::CallId, ctx.entropy.call_id());
        invite.headers.push(HeaderName::CSeq, "1 INVITE");
        decorate(ctx, &flow, &mut invite);
        let invite = invite.with_body("application/sdp", body);
        let tx = ctx.request(
            Owner {
                call: self.id,
                leg: id,
            },
            flow,
            invite.clone(),
        );
        leg.invites.push(Sent { tx, flow, invite });
        leg.sip = Sip::Inviting { tx };
        let silence = ctx.settings.unreachable_after;
        self.timers
            .push(ctx.set_timer(self.id, silence, Timer::Unreachable(id)));
    }

    pub(super) fn operator_media_failed(&mut self, ctx: &mut Context, id: LegId) {
        let Some(leg) = self.legs.get_mut(&id) else {
            return;
        };
        leg.media = MediaState::Closed;
        if leg.sip == Sip::Preparing {
            leg.sip = Sip::Closed;
            // Our want of a port is not the operator's silence.
            self.offer_failed(ctx, id, OfferResult::Withdrawn, None);
        }
        self.sweep(ctx, id);
    }

    pub(super) fn operator_media_closed(&mut self, ctx: &mut Context, id: LegId) {
        let Some(leg) = self.legs.get_mut(&id) else {
            return;
        };
        if leg.media != MediaState::Closing {
            ctx.bug("the media plane closed a leg unasked", Some(self.id));
        }
        leg.media = MediaState::Closed;
        self.sweep(ctx, id);
    }

    /// An answer to a request of ours on an operator's leg.
    pub(crate) fn operator_response(
        &mut self,
        ctx: &mut Context,
        id: LegId,
        tx: ClientTx,
        response: &Message,
    ) {
        let status = response.status().unwrap_or_default();
        let Some(leg) = self.legs.get_mut(&id) else {
            return;
        };
        if leg.is_stray(status, tx, response) {
            self.hang_up_stray(ctx, id, tx, response);
            return;
        }
        match leg.sip {
            Sip::Inviting { tx: awaited } if awaited == tx => match status {
                0..=199 => {
                    let offer = leg.offer;
                    ctx.acd.handle(ctx.now, acd::Input::Ringing { offer });
                }
                200..=299 => self.operator_answered(ctx, id, tx, response),
                _ => {
                    leg.closed(ctx);
                    self.offer_failed(ctx, id, result_of(status), Some(status));
                }
            },
            Sip::Cancelling { tx: awaited } if awaited == tx => match status {
                0..=199 => {}
                // The answer crossed our CANCEL (RFC 3261 §9.1): accept it, then hang up.
                200..=299 => {
                    if self.acknowledge(ctx, id, tx, response)
                        && let Some(leg) = self.legs.get_mut(&id)
                    {
                        leg.bye(
                            ctx,
                            Owner {
                                call: self.id,
                                leg: id,
                            },
                        );
                    }
                }
                _ => leg.closed(ctx),
            },
            Sip::Closing { tx: awaited } if awaited == tx && status >= 200 => leg.closed(ctx),
            // A late answer of something that is over.
            Sip::Preparing
            | Sip::Inviting { .. }
            | Sip::Cancelling { .. }
            | Sip::Talking
            | Sip::Closing { .. }
            | Sip::Closed => {}
        }
        self.sweep(ctx, id);
    }

    /// No final answer came to a request of ours on an operator's leg.
    pub(crate) fn operator_timed_out(&mut self, ctx: &mut Context, id: LegId, tx: ClientTx) {
        let Some(leg) = self.legs.get_mut(&id) else {
            return;
        };
        match leg.sip {
            Sip::Inviting { tx: awaited } if awaited == tx => {
                leg.unregister(ctx);
                if !self.ring_next(ctx, id)
                    && let Some(leg) = self.legs.get_mut(&id)
                {
                    leg.closed(ctx);
                    self.offer_failed(ctx, id, OfferResult::Unreachable, None);
                }
            }
            Sip::Cancelling { tx: awaited } | Sip::Closing { tx: awaited } if awaited == tx => {
                leg.closed(ctx);
            }
            Sip::Preparing
            | Sip::Inviting { .. }
            | Sip::Cancelling { .. }
            | Sip::Talking
            | Sip::Closing { .. }
            | Sip::Closed => {}
        }
        self.sweep(ctx, id);
    }

    /// The telephone has not said a word, not even 100: it is dead, and the caller is not to
    /// wait for Timer B (32 s).
    pub(super) fn operator_silent(&mut self, ctx: &mut Context, id: LegId) {
        let Some(leg) = self.legs.get_mut(&id) else {
            return;
        };
        if let Sip::Inviting { tx } = leg.sip
            && !ctx.transactions.is_heard(tx)
        {
            leg.unregister(ctx);
            ctx.transactions.cancel(ctx.now, tx);
            if !self.ring_next(ctx, id)
                && let Some(leg) = self.legs.get_mut(&id)
            {
                leg.sip = Sip::Cancelling { tx };
                self.offer_failed(ctx, id, OfferResult::Unreachable, None);
            }
        }
    }

    /// Tries the next telephone of the operator, if there is one; the offer goes on.
    fn ring_next(&mut self, ctx: &mut Context, id: LegId) -> bool {
        let Some(leg) = self.legs.get_mut(&id) else {
            return false;
        };
        let Some(next) = Telephone::of(ctx, leg.operator) else {
            return false;
        };
        leg.telephone = next;
        self.ring(ctx, id);
        true
    }

    /// The ACD takes an offer back.
    pub(crate) fn withdraw(&mut self, ctx: &mut Context, offer: OfferId, result: OfferResult) {
        let open = |leg: &OperatorLeg| {
            leg.offer == offer && matches!(leg.sip, Sip::Preparing | Sip::Inviting { .. })
        };
        let Some(id) = self
            .legs
            .iter()
            .find(|(_, leg)| open(leg))
            .map(|(id, _)| *id)
        else {
            // This call took it back itself, when the caller hung up.
            return;
        };
        self.cancel(ctx, id, result);
    }

    /// Takes back all offers that ring.
    pub(super) fn withdraw_offers(&mut self, ctx: &mut Context, result: OfferResult) {
        let open: Vec<LegId> = self
            .legs
            .iter()
            .filter(|(_, leg)| matches!(leg.sip, Sip::Preparing | Sip::Inviting { .. }))
            .map(|(id, _)| *id)
            .collect();
        for id in open {
            self.cancel(ctx, id, result);
        }
    }

    fn cancel(&mut self, ctx: &mut Context, id: LegId, result: OfferResult) {
        let Some(leg) = self.legs.get_mut(&id) else {
            return;
        };
        let offer = leg.offer;
        ctx.record(Fact::OfferEnded {
            call: self.id,
            offer,
            result,
            status: None,
        });
        match leg.sip {
            Sip::Inviting { tx } => {
                ctx.transactions.cancel(ctx.now, tx);
                leg.sip = Sip::Cancelling { tx };
            }
            Sip::Preparing => leg.sip = Sip::Closed,
            Sip::Cancelling { .. } | Sip::Talking | Sip::Closing { .. } | Sip::Closed => {}
        }
        leg.close_media(ctx, self.id, id);
    }

    /// The operator could not or would not take it: on to the next.
    fn offer_failed(
        &mut self,
        ctx: &mut Context,
        id: LegId,
        result: OfferResult,
        status: Option<u16>,
    ) {
        let Some(leg) = self.legs.get_mut(&id) else {
            return;
        };
        let offer = leg.offer;
        leg.close_media(ctx, self.id, id);
        ctx.record(Fact::OfferEnded {
            call: self.id,
            offer,
            result,
            status,
        });
        ctx.acd
            .handle(ctx.now, acd::Input::Failed { offer, result });
    }

    /// ACK and dialog for a 2xx. If it makes no dialog the leg is closed, and this says false.
    fn acknowledge(
        &mut self,
        ctx: &mut Context,
        id: LegId,
        tx: ClientTx,
        response: &Message,
    ) -> bool {
        let Some(leg) = self.legs.get_mut(&id) else {
            return false;
        };
        let dialog = leg.dialog_of(tx, response);
        let Some(dialog) = dialog else {
            tracing::warn!(call = %self.id, "an operator's 2xx makes no dialog");
            leg.closed(ctx);
            return false;
        };
        let number = response.cseq().map_or(1, |cseq| cseq.number);
        ctx.ack(tx, next_hop(&dialog), dialog.ack(number));
        ctx.dialogs.insert(
            dialog.id(),
            Owner {
                call: self.id,
                leg: id,
            },
        );
        leg.dialog = Some(dialog);
        true
    }

    fn operator_answered(
        &mut self,
        ctx: &mut Context,
        id: LegId,
        tx: ClientTx,
        response: &Message,
    ) {
        if !self.acknowledge(ctx, id, tx, response) {
            self.offer_failed(ctx, id, OfferResult::Unreachable, response.status());
            return;
        }
        let Some(leg) = self.legs.get_mut(&id) else {
            return;
        };
        let remote = leg
            .description
            .as_ref()
            .and_then(|description| sdp::accept(&response.body, &description.local()).ok());
        let (State::Queued { name, recorded, .. }, Some(remote)) = (self.state.clone(), remote)
        else {
            tracing::warn!(call = %self.id, "an operator's answer has no audio that fits");
            leg.bye(
                ctx,
                Owner {
                    call: self.id,
                    leg: id,
                },
            );
            self.offer_failed(ctx, id, OfferResult::Unreachable, response.status());
            return;
        };
        let (offer, operator) = (leg.offer, leg.operator);
        leg.sip = Sip::Talking;
        ctx.acd.handle(ctx.now, acd::Input::Accepted { offer });
        ctx.media(MediaCommand::SetRemote {
            call: self.id,
            leg: id,
            remote,
        });
        self.start_segment(ctx, id, operator, offer, name, recorded);
    }

    fn start_segment(
        &mut self,
        ctx: &mut Context,
        leg: LegId,
        operator: OperatorId,
        offer: OfferId,
        queue: String,
        recorded: bool,
    ) {
        let call = self.id;
        let Some(named) = ctx.operator_ref(operator) else {
            ctx.bug("an operator answered whom nobody knows", Some(call));
            return;
        };
        self.segments += 1;
        ctx.counts.talking += 1;
        let segment = self.segments;
        if segment == 1 {
            ctx.counts.answered += 1;
        }
        let result = OfferResult::Answered;
        ctx.record(Fact::OfferEnded {
            call,
            offer,
            result,
            status: Some(200),
        });
        ctx.record(Fact::QueueLeft {
            call,
            queue,
            outcome: QueueOutcome::Answered,
        });
        ctx.record(Fact::SegmentStarted {
            call,
            segment,
            operator: named,
            offer,
            recorded,
        });
        let record = recorded.then_some(RecordingKey { call, segment });
        ctx.media(MediaCommand::Bridge {
            call,
            caller: self.caller.id,
            operator: leg,
            record,
        });
        self.state = State::Talking { leg };
        self.segment_ended_by = None;
        tracing::info!(call = %call, operator = operator.0, segment, "operator answered");
    }

    /// A telephone answered that is not to talk: it gets ACK and BYE, and what it says to the BYE
    /// is of no interest.
    fn hang_up_stray(&mut self, ctx: &mut Context, id: LegId, tx: ClientTx, response: &Message) {
        let dialog = self
            .legs
            .get(&id)
            .and_then(|leg| leg.dialog_of(tx, response));
        if let Some(mut dialog) = dialog {
            let number = response.cseq().map_or(1, |cseq| cseq.number);
            ctx.ack(tx, next_hop(&dialog), dialog.ack(number));
            let bye = dialog.request(Method::Bye);
            ctx.request_unowned(next_hop(&dialog), bye);
        }
    }

    /// BYE of an operator.
    pub(super) fn operator_hung_up(&mut self, ctx: &mut Context, id: LegId) {
        let Some(leg) = self.legs.get_mut(&id) else {
            return;
        };
        leg.closed(ctx);
        if self.state == (State::Talking { leg: id }) {
            self.end_segment(ctx, id, EndedBy::Operator);
            if let Some(leg) = self.legs.get_mut(&id) {
                leg.close_media(ctx, self.id, id);
            }
            self.state = State::Opening;
            self.advance(ctx, Happened::TalkEnded);
        }
    }

    /// Hangs up on every operator of the call.
    pub(super) fn close_operators(&mut self, ctx: &mut Context) {
        let ids: Vec<LegId> = self.legs.keys().copied().collect();
        for id in ids {
            let Some(leg) = self.legs.get_mut(&id) else {
                continue;
            };
            if leg.sip == Sip::Talking {
                leg.bye(
                    ctx,
                    Owner {
                        call: self.id,
                        leg: id,
                    },
                );
            }
            leg.close_media(ctx, self.id, id);
            self.sweep(ctx, id);
        }
    }

    /// Removes a leg of which nothing is left.
    pub(super) fn sweep(&mut self, ctx: &mut Context, id: LegId) {
        if self.legs.get(&id).is_some_and(OperatorLeg::is_gone)
            && let Some(leg) = self.legs.remove(&id)
        {
            leg.forget(ctx);
        }
    }
}

/// How the caller is shown to the operator (From); nameless where the number is withheld
/// (RFC 3323 §4.1.1.3).
fn caller_identity(number: &str, name: &str, host: core::net::IpAddr) -> NameAddr {
    let (uri, display) = if number.is_empty() {
        let host = sip::Host::Name("anonymous.invalid".to_owned());
        (
            Uri::sip(Some("anonymous"), host, None),
            Some("Anonymous".to_owned()),
        )
    } else {
        let display = (!name.is_empty()).then(|| name.to_owned());
        (Uri::sip(Some(number), sip::Host::Ip(host), None), display)
    };
    NameAddr {
        display,
        uri,
        params: sip::Params::default(),
    }
}
