//! Owns transfers within one call: a REFER of an operator (RFC 3515), what the operator is told of it,
//! and where the call goes when it fails. Joining two calls is `crate::join`'s work.
//!
//! A transfer is carried out here, by calling the target ourselves: nothing is asked of the caller's
//! side, so no trunk can refuse it. Where the settings have the trunk do it, `referral` asks first. From the 202 on the operator does not talk any more, and the
//! caller hears music. The caller is never dropped because a transfer fails:
//!
//! | it fails while the operator | the call goes                                                |
//! |-----------------------------|--------------------------------------------------------------|
//! | is still on the line        | back to the operator, as a new segment                       |
//! | has hung up, and is free    | to the operator, who is called                               |
//! | has another call, or does   | to the queue it came from, with its old priority and time of |
//! | not answer                  | waiting                                                      |
//!
//! Only a call that never was in a queue ends then, as there is nobody to give it to.

use std::sync::Arc;

use dialplan::Happened;
use sip::{HeaderName, Host, Message, Method, NameAddr, Refer, ServerTx, Uri, refer};
use vocab::{
    CallId, EndedBy, Fact, LegId, OperatorId, TransferKind, TransferResult, TransferTarget,
};

use super::leg::decorate;
use super::reach::{Failure, Purpose};
use super::steps::Place;
use super::{Call, Course, State};
use crate::context::Context;
use crate::destination::Destination;

/// What a NOTIFY says of how long the news goes on: as long as anything may ring.
const EVENTS_EXPIRE: u32 = 180;

/// A transfer under way.
pub(super) struct Transfer {
    number: u16,
    /// The leg on which it was asked for.
    by: LegId,
    operator: OperatorId,
    /// Who is told how it goes: the value of Event; none with `Refer-Sub: false`.
    event: Option<String>,
    /// Who transfers, for the target's telephone (RFC 3892).
    referred_by: String,
}

/// What a transfer is, for the journal.
pub(crate) struct Asked {
    pub(crate) kind: TransferKind,
    pub(crate) target: TransferTarget,
    pub(crate) consultation: Option<CallId>,
}

impl Call {
    /// A REFER within a dialog of this call. `None`: it was refused.
    pub(crate) fn take_refer(
        &mut self,
        ctx: &mut Context,
        leg: LegId,
        tx: ServerTx,
        request: &Message,
    ) -> Option<Refer> {
        match self.judge_refer(leg, request) {
            Ok(refer) => Some(refer),
            Err(420) => {
                let mut response = request.respond(420, None);
                for value in request.headers.all(&HeaderName::Require) {
                    response.headers.push(HeaderName::Unsupported, value);
                }
                ctx.respond(tx, response);
                None
            }
            Err(status) => {
                tracing::info!(call = %self.id, status, "REFER refused");
                ctx.refuse_known(tx, request, status);
                None
            }
        }
    }

    fn judge_refer(&mut self, leg: LegId, request: &Message) -> Result<Refer, u16> {
        let over = self.state == State::Ended;
        let parts = self.parts(leg).filter(|_| !over).ok_or(481_u16)?;
        parts.dialog.accept(request)?;
        let known = |option: &str| {
            option.eq_ignore_ascii_case(refer::NO_REFER_SUB)
                || option.eq_ignore_ascii_case(refer::REPLACES)
        };
        if !request.headers.values(&HeaderName::Require).all(known) {
            return Err(420);
        }
        // Callers and trunks transfer nobody: it would be calls at our cost.
        if self.operator_of(leg).is_none() {
            return Err(403);
        }
        let refer = Refer::of(request)?;
        // Who is to talk to whom is then not one's to say: see `conference`.
        if self.is_conference() {
            return Err(603);
        }
        match &self.state {
            State::Talking { leg: with } if *with == leg || self.first == leg => Ok(refer),
            // One at a time (RFC 3515 leaves the choice of status to us).
            State::Referred
            | State::Reaching {
                purpose: Purpose::Transfer,
                ..
            } => Err(491),
            State::Opening
            | State::Answering
            | State::Saying { .. }
            | State::Asking(_)
            | State::Waiting(_)
            | State::Leaving(_)
            | State::Queued { .. }
            | State::Reaching { .. }
            | State::Talking { .. }
            | State::Ended => Err(603),
        }
    }

    /// Transfers without consultation.
    pub(crate) fn transfer_blind(
        &mut self,
        ctx: &mut Context,
        leg: LegId,
        tx: ServerTx,
        request: &Message,
        refer: &Refer,
    ) {
        let destination = match Destination::find(ctx, &refer.target) {
            Ok(destination) => destination,
            Err(status) => {
                ctx.refuse_known(tx, request, status);
                return;
            }
        };
        let asked = Asked {
            kind: TransferKind::Blind,
            target: destination.named(ctx),
            consultation: None,
        };
        self.begin_transfer(ctx, leg, (tx, request, refer), asked);
        if !self.refer_to_trunk(ctx, &destination) {
            self.carry_out(ctx, destination);
        }
    }

    /// Accepts the REFER: from now on its operator does not talk, and hears how it goes.
    pub(crate) fn begin_transfer(
        &mut self,
        ctx: &mut Context,
        leg: LegId,
        (tx, request, refer): (ServerTx, &Message, &Refer),
        asked: Asked,
    ) {
        let (Some(operator), State::Talking { leg: second }) =
            (self.operator_of(leg), self.state.clone())
        else {
            ctx.bug("a transfer by nobody, or of nobody", Some(self.id));
            return;
        };
        let event = self.accept_refer(ctx, leg, tx, request, refer);
        let by = ctx.operator_ref(operator);
        let line = by.as_ref().map_or("", |by| by.line.as_str());
        let host = Host::Ip(ctx.sip_address(&self.caller.dialog.flow).ip());
        let referred_by = refer
            .referred_by
            .clone()
            .unwrap_or_else(|| NameAddr::new(Uri::sip(Some(line), host, None)));
        self.transfer = Some(Transfer {
            number: self.transfers,
            by: leg,
            operator,
            event,
            referred_by: referred_by.to_string(),
        });
        self.record_transfer(ctx, operator, asked);
        self.notify(ctx, 100);
        self.end_segment(ctx, second, EndedBy::Operator);
        if self.first == leg {
            self.first = second;
        }
        self.state = State::Opening;
    }

    pub(super) fn record_transfer(&self, ctx: &mut Context, operator: OperatorId, asked: Asked) {
        if let Some(by) = ctx.operator_ref(operator) {
            ctx.record(Fact::TransferRequested {
                call: self.id,
                transfer: self.transfers,
                by,
                kind: asked.kind,
                target: asked.target,
                consultation: asked.consultation,
            });
        }
    }

    /// Answers 202. The value of Event for the news that is to follow, if any is wanted.
    pub(crate) fn accept_refer(
        &mut self,
        ctx: &mut Context,
        leg: LegId,
        tx: ServerTx,
        request: &Message,
        refer: &Refer,
    ) -> Option<String> {
        self.transfers = self.transfers.saturating_add(1);
        let parts = self.parts(leg)?;
        let mut response = request.respond(202, None);
        decorate(ctx, &parts.dialog.flow, parts.dialog.secure, &mut response);
        if !refer.wants_events {
            let name = HeaderName::Other("Refer-Sub".into());
            response.headers.set(name, "false");
        }
        ctx.respond(tx, response);
        // The first subscription of a dialog needs no id; later ones do (RFC 3515 §2.4.6).
        let event = match (self.transfers, request.cseq()) {
            (2.., Ok(cseq)) => format!("refer;id={}", cseq.number),
            _ => "refer".to_owned(),
        };
        refer.wants_events.then_some(event)
    }

    /// Takes the first party to its new destination.
    pub(crate) fn carry_out(&mut self, ctx: &mut Context, destination: Destination) {
        match destination {
            Destination::Operator(_) | Destination::Outer { .. } => {
                match self.reach(ctx, &destination, Purpose::Transfer) {
                    Ok(()) => self.play_music(ctx),
                    Err(failure) => self.transfer_failed(ctx, failure),
                }
            }
            Destination::Queue { name, priority } => self.transfer_to_queue(ctx, name, priority),
            Destination::Plan { plan, number } => {
                self.transfer_done(ctx);
                let run = ctx.run(plan, &self.caller_number, &number);
                self.prompts = Arc::clone(&ctx.prompts);
                self.course = Course::Plan(run);
                self.advance(ctx, Happened::Started);
            }
        }
    }

    /// A queue has the call at once: it is the caller who waits there, not the operator.
    fn transfer_to_queue(&mut self, ctx: &mut Context, name: String, priority: Option<u8>) {
        let known = ctx.settings.queues.iter().find(|queue| queue.name == name);
        let open = known
            .map(|queue| queue.id)
            .filter(|id| ctx.acd.refusal(*id).is_none() && ctx.acd.is_served(*id));
        let Some(queue) = open else {
            self.transfer_failed(
                ctx,
                Failure {
                    result: TransferResult::Rejected,
                    status: 480,
                    said: true,
                },
            );
            return;
        };
        let before = self.place.as_ref();
        let place = Place {
            queue,
            name,
            music: before
                .and_then(|place| place.music)
                .or(self.prompts.any_music()),
            priority: priority
                .or(before.map(|place| place.priority))
                .unwrap_or_default(),
            since: ctx.now,
            recorded: self.recorded,
            wait_recorded: before.is_some_and(|place| place.wait_recorded),
            skills: Vec::new(),
            owner: None,
            announce: before.and_then(|place| place.announce),
        };
        self.transfer_done(ctx);
        self.wait_at(ctx, place);
    }

    /// The target has the call: the operator is told and free.
    pub(super) fn transfer_done(&mut self, ctx: &mut Context) {
        self.notify(ctx, 200);
        if let Some(transfer) = self.over(ctx, TransferResult::Done, Some(200))
            && self.is_up(transfer.by)
        {
            self.hang_up_leg(ctx, transfer.by);
        }
    }

    /// The target cannot have the call, which goes back to where somebody is.
    pub(super) fn transfer_failed(&mut self, ctx: &mut Context, failure: Failure) {
        self.notify(ctx, failure.status);
        let status = failure.said.then_some(failure.status);
        let Some(transfer) = self.over(ctx, failure.result, status) else {
            ctx.bug("a transfer failed that was not under way", Some(self.id));
            return;
        };
        if self.is_up(transfer.by) {
            self.start_segment(ctx, transfer.by, None, self.recorded);
            self.returned = Some((transfer.by, ctx.now));
        } else {
            self.give_back(ctx, transfer.operator);
        }
    }

    /// The call ends while a transfer is under way.
    pub(super) fn transfer_dropped(&mut self, ctx: &mut Context, by: EndedBy) {
        if self.transfer.is_some() {
            self.notify(ctx, 487);
            let result = match by {
                EndedBy::Caller | EndedBy::Outer => TransferResult::CallerGone,
                EndedBy::Operator | EndedBy::Engine => TransferResult::Withdrawn,
            };
            self.over(ctx, result, None);
        }
    }

    fn over(
        &mut self,
        ctx: &mut Context,
        result: TransferResult,
        status: Option<u16>,
    ) -> Option<Transfer> {
        let transfer = self.transfer.take()?;
        tracing::info!(call = %self.id, transfer = transfer.number, ?result, "transfer over");
        ctx.record(Fact::TransferEnded {
            call: self.id,
            transfer: transfer.number,
            result,
            status,
        });
        Some(transfer)
    }

    /// Calls the operator who gave the call away and has hung up since.
    pub(super) fn give_back(&mut self, ctx: &mut Context, operator: OperatorId) {
        match self.reach_operator(ctx, operator, Purpose::Return) {
            Ok(()) => self.play_music(ctx),
            Err(_) => self.back_to_queue(ctx),
        }
    }

    /// Nobody has the call: it waits where it waited, as if it had never left.
    pub(super) fn back_to_queue(&mut self, ctx: &mut Context) {
        self.state = State::Opening;
        match self.place.clone() {
            Some(place) => self.wait_at(ctx, place),
            None => self.advance(ctx, Happened::TalkEnded),
        }
    }

    pub(super) fn play_music(&mut self, ctx: &mut Context) {
        let music = self.place.as_ref().and_then(|place| place.music);
        if let Some(music) = music.or(self.prompts.any_music()) {
            self.play(ctx, music, true);
        }
    }

    /// Who refers, for the INVITE to a target.
    pub(super) fn referred_by(&self) -> Option<String> {
        self.transfer
            .as_ref()
            .map(|transfer| transfer.referred_by.clone())
    }

    /// Tells the operator how the transfer goes.
    pub(super) fn notify(&mut self, ctx: &mut Context, status: u16) {
        if let Some(transfer) = &self.transfer {
            let (leg, event) = (transfer.by, transfer.event.clone());
            self.notify_of(ctx, leg, event.as_deref(), status);
        }
    }

    /// Tells how a transfer goes, on the dialog of the REFER. What the telephone says to it is of no
    /// interest: some know no NOTIFY.
    pub(crate) fn notify_of(
        &mut self,
        ctx: &mut Context,
        leg: LegId,
        event: Option<&str>,
        status: u16,
    ) {
        let up = self.is_up(leg);
        let (Some(event), Some(parts), true) = (event, self.parts(leg), up) else {
            return;
        };
        let mut notify = parts.dialog.request(Method::Notify);
        let (flow, secure) = (parts.dialog.next_flow(), parts.dialog.secure);
        let state = if status < 200 {
            format!("active;expires={EVENTS_EXPIRE}")
        } else {
            "terminated;reason=noresource".to_owned()
        };
        notify.headers.push(HeaderName::Event, event);
        notify.headers.push(HeaderName::SubscriptionState, state);
        decorate(ctx, &flow, secure, &mut notify);
        let body = refer::status_fragment(status);
        let notify = notify.with_body("message/sipfrag;version=2.0", body);
        if let Some(parts) = self.parts(leg) {
            ctx.request_within(None, (parts.dialog, None), notify);
        }
    }
}
