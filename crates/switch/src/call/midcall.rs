//! Owns requests within a dialog: BYE, re-INVITE, UPDATE, OPTIONS, INFO (RFC 3261 §12.2.2).

use sip::{Dialog, Flow, HeaderName, Message, Method, ServerTx};
use vocab::LegId;
use vocab::media::{MediaCommand, Remote};

use super::caller::Refused;
use super::leg::{Description, decorate};
use super::{Call, State, caller};
use crate::context::{Context, Owner};

/// The parts of either kind of leg that a request within its dialog touches.
pub(super) struct Parts<'a> {
    pub(super) dialog: &'a mut Dialog,
    description: Option<&'a mut Description>,
    late_answer: &'a mut bool,
}

impl Call {
    pub(super) fn parts(&mut self, leg: LegId) -> Option<Parts<'_>> {
        if leg == self.caller.id {
            return Some(Parts {
                dialog: &mut self.caller.dialog,
                description: self.caller.description.as_mut(),
                late_answer: &mut self.caller.late_answer,
            });
        }
        let leg = self.legs.get_mut(&leg)?;
        Some(Parts {
            dialog: leg.dialog.as_mut()?,
            description: leg.description.as_mut(),
            late_answer: &mut leg.late_answer,
        })
    }

    /// A connection is gone; the dialogs on it look for another way.
    pub(crate) fn flow_lost(&mut self, flow: Flow) {
        self.caller.dialog.flow_lost(flow);
        for leg in self.legs.values_mut() {
            if let Some(dialog) = &mut leg.dialog {
                dialog.flow_lost(flow);
            }
        }
    }

    /// A peer sends within a dialog of this call, perhaps on a new connection.
    pub(crate) fn follow(&mut self, leg: LegId, flow: Flow) {
        if let Some(parts) = self.parts(leg) {
            parts.dialog.follow(flow);
        }
    }

    /// A request of a peer within a dialog of this call.
    pub(crate) fn on_request(
        &mut self,
        ctx: &mut Context,
        leg: LegId,
        tx: ServerTx,
        request: &Message,
    ) {
        let over = self.state == State::Ended && request.method() != Some(&Method::Bye);
        let Some(parts) = self.parts(leg).filter(|_| !over) else {
            ctx.refuse_known(tx, request, 481);
            return;
        };
        if let Err(status) = parts.dialog.accept(request) {
            ctx.refuse_known(tx, request, status);
            return;
        }
        if request
            .headers
            .all(&HeaderName::Require)
            .any(|value| !value.is_empty())
        {
            ctx.refuse_known(tx, request, 420);
            return;
        }
        match request.method() {
            Some(Method::Bye) => self.on_bye(ctx, leg, tx, request),
            Some(Method::Invite) => self.on_modify(ctx, leg, tx, request),
            // RFC 3311 §5.2; without a body it only shows that the peer lives (RFC 4028).
            Some(Method::Update) if !request.body.is_empty() => {
                self.on_modify(ctx, leg, tx, request);
            }
            Some(Method::Update | Method::Options | Method::Info) => {
                self.acknowledge_request(ctx, leg, tx, request);
            }
            _ => ctx.refuse_known(tx, request, 405),
        }
    }

    fn on_bye(&mut self, ctx: &mut Context, leg: LegId, tx: ServerTx, request: &Message) {
        let response = request.respond(200, None);
        if leg == self.caller.id {
            let by = self.ended_by(leg);
            if let caller::Sip::Invited { .. } = self.caller.sip {
                // An early dialog's BYE (RFC 3261 §15): the INVITE must be answered, too.
                self.caller.close(ctx, self.id, 487);
            }
            self.caller.forget(ctx);
            self.caller.sip = caller::Sip::Closed;
            // The end of the call frees its first party: before that the queue would offer it its own.
            if leg != self.first {
                self.release_caller(ctx);
            }
            self.party_left(ctx, leg, by);
            self.caller.close_media(ctx, self.id);
        } else {
            self.leg_hung_up(ctx, leg);
        }
        // The answer waits until the end of the talk is on disk.
        ctx.respond_after(ctx.last_event(), tx, response);
    }

    fn acknowledge_request(
        &mut self,
        ctx: &mut Context,
        leg: LegId,
        tx: ServerTx,
        request: &Message,
    ) {
        let Some(parts) = self.parts(leg) else { return };
        parts.dialog.refresh_target(request);
        let flow = parts.dialog.flow;
        let mut response = request.respond(200, None);
        decorate(ctx, &flow, &mut response);
        if request.method() == Some(&Method::Options) {
            response.headers.set(HeaderName::Accept, "application/sdp");
        }
        ctx.respond(tx, response);
    }

    /// A new description in mid-call: hold, a new address, another codec (RFC 3264 §8).
    fn on_modify(&mut self, ctx: &mut Context, leg: LegId, tx: ServerTx, request: &Message) {
        let call = self.id;
        let Some(Parts {
            dialog,
            description: Some(description),
            late_answer,
        }) = self.parts(leg)
        else {
            ctx.refuse_known(tx, request, 488);
            return;
        };
        if *late_answer {
            // An offer of ours has no answer yet (RFC 3261 §14.2, RFC 3311 §5.2).
            ctx.refuse_known(tx, request, if request.body.is_empty() { 500 } else { 491 });
            return;
        }
        let mut next = description.clone();
        let answered = if request.body.is_empty() {
            Ok((sdp::offer(&next.next_version()), None))
        } else {
            sdp::answer(&request.body, &next.next_version())
                .map(|(body, remote)| (body, Some(remote)))
        };
        let (body, remote) = match answered {
            Ok(answered) => answered,
            Err(refusal) => {
                tracing::info!(call = %call, %refusal, "modification refused");
                ctx.refuse_known(tx, request, Refused::from(refusal).status);
                return;
            }
        };
        // A refused offer leaves the session, and its version, as they were (RFC 3264 §8).
        *description = next;
        *late_answer = remote.is_none();
        dialog.refresh_target(request);
        let flow = dialog.flow;
        let mut response = request.respond(200, None);
        decorate(ctx, &flow, &mut response);
        let response = response.with_body("application/sdp", body.into_bytes());
        if let Some(remote) = remote {
            self.set_remote(ctx, leg, remote);
        }
        if request.method() == Some(&Method::Invite) {
            ctx.own_server(tx, Owner { call, leg });
        }
        ctx.respond(tx, response);
    }

    /// The answer to an offer of ours in a 200, in its ACK.
    pub(super) fn late_answer_came(&mut self, ctx: &mut Context, leg: LegId, body: &[u8]) {
        let Some(Parts {
            description: Some(description),
            ..
        }) = self.parts(leg)
        else {
            return;
        };
        match sdp::accept(body, &description.local()) {
            Ok(remote) => self.set_remote(ctx, leg, remote),
            Err(refusal) => {
                tracing::warn!(call = %self.id, %refusal, "an ACK's answer has no audio that fits");
                self.fail(ctx, 488, &format!("the answer in the ACK: {refusal}"));
            }
        }
    }

    fn set_remote(&mut self, ctx: &mut Context, leg: LegId, remote: Remote) {
        if leg == self.caller.id {
            self.caller.set_remote(ctx, self.id, remote);
        } else {
            if let Some(leg) = self.legs.get_mut(&leg) {
                leg.remote = Some(remote);
            }
            ctx.media(MediaCommand::SetRemote {
                call: self.id,
                leg,
                remote,
            });
        }
    }

    /// The ACK of a 200 to an INVITE or re-INVITE: the answer to our offer may be in it.
    pub(crate) fn acknowledged(&mut self, ctx: &mut Context, leg: LegId, ack: &Message) {
        let Some(parts) = self.parts(leg) else { return };
        // Without an answer the session stays as it was.
        if core::mem::take(parts.late_answer) && !ack.body.is_empty() {
            self.late_answer_came(ctx, leg, &ack.body);
        }
    }

    /// No ACK came to a 200: what it offered was not answered.
    pub(crate) fn offer_lost(&mut self, leg: LegId) {
        if let Some(parts) = self.parts(leg) {
            *parts.late_answer = false;
        }
    }
}
