//! Owns requests within a dialog: BYE, re-INVITE, UPDATE, PRACK, OPTIONS, INFO (RFC 3261 §12.2.2).

use sip::{Dialog, Flow, HeaderName, Keys, Message, Method, Refusal, ServerTx, Task};
use vocab::LegId;
use vocab::media::{MediaCommand, Remote};

use super::caller::Refused;
use super::leg::{Description, MediaState, decorate};
use super::session::LegSession;
use super::{Call, State, caller};
use crate::context::{Context, Owner};

/// The parts of either kind of leg that a request within its dialog touches.
pub(super) struct Parts<'a> {
    pub(super) dialog: &'a mut Dialog,
    pub(super) description: Option<&'a mut Description>,
    pub(super) session: &'a mut LegSession,
}

/// A request of a peer and what is needed to answer it.
pub(super) struct Asked<'a> {
    pub(super) leg: LegId,
    pub(super) tx: ServerTx,
    pub(super) flow: Flow,
    /// The secure flag of its dialog.
    pub(super) secure: bool,
    pub(super) request: &'a Message,
}

impl Call {
    pub(super) fn parts(&mut self, leg: LegId) -> Option<Parts<'_>> {
        if leg == self.caller.id {
            return Some(Parts {
                dialog: &mut self.caller.dialog,
                description: self.caller.description.as_mut(),
                session: &mut self.caller.session,
            });
        }
        let leg = self.legs.get_mut(&leg)?;
        Some(Parts {
            dialog: leg.dialog.as_mut()?,
            description: leg.description.as_mut(),
            session: &mut leg.session,
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

    /// Whether the audio of a leg is closed, or was never open.
    pub(super) fn is_silenced(&self, leg: LegId) -> bool {
        let media = if leg == self.caller.id {
            Some(self.caller.media)
        } else {
            self.legs.get(&leg).map(|leg| leg.media)
        };
        matches!(media, Some(MediaState::Closing | MediaState::Closed))
    }

    pub(super) fn session(&mut self, leg: LegId) -> Option<&mut LegSession> {
        if leg == self.caller.id {
            return Some(&mut self.caller.session);
        }
        Some(&mut self.legs.get_mut(&leg)?.session)
    }

    /// A request of a peer within a dialog of this call.
    pub(crate) fn on_request(
        &mut self,
        ctx: &mut Context,
        leg: LegId,
        tx: ServerTx,
        flow: Flow,
        request: &Message,
    ) {
        // With our BYE the session is over at once (RFC 3261 §15.1.1), and so is what we say of it.
        let over = self.state == State::Ended || self.is_silenced(leg);
        let over = over && request.method() != Some(&Method::Bye);
        let Some(parts) = self.parts(leg).filter(|_| !over) else {
            ctx.refuse_known(tx, request, 481);
            return;
        };
        if let Err(status) = parts.dialog.accept(request) {
            ctx.refuse_known(tx, request, status);
            return;
        }
        if let Some(tags) = sip::session::unsupported(request) {
            ctx.refuse_unsupported(tx, request, tags);
            return;
        }
        parts.session.note(request);
        let asked = Asked {
            leg,
            tx,
            flow,
            secure: parts.dialog.secure,
            request,
        };
        match request.method() {
            Some(Method::Bye) => self.on_bye(ctx, leg, tx, request),
            Some(Method::Invite | Method::Update) => self.on_modify(ctx, &asked),
            Some(Method::Prack) => self.on_prack(ctx, &asked),
            Some(Method::Info) => self.on_info(ctx, &asked),
            Some(Method::Options) => on_options(ctx, &asked),
            Some(
                Method::Ack
                | Method::Cancel
                | Method::Register
                | Method::Refer
                | Method::Notify
                | Method::Message
                | Method::Publish,
            ) => ctx.refuse_known(tx, request, 405),
            // A subscription has a dialog of its own (RFC 6665 §4.5.2).
            Some(Method::Subscribe) => ctx.refuse_known(tx, request, 403),
            Some(Method::Other(_)) | None => ctx.refuse_known(tx, request, 501),
        }
        self.arm(ctx, leg);
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

    /// INVITE or UPDATE in mid-call: hold, a new address, another codec (RFC 3264 §8), or only a
    /// sign of life (RFC 4028).
    fn on_modify(&mut self, ctx: &mut Context, asked: &Asked<'_>) {
        let Asked { tx, request, .. } = *asked;
        let Some(parts) = self.parts(asked.leg) else {
            return;
        };
        if let Err(least) = parts.session.timer.check(request) {
            refuse_short_session(ctx, tx, request, least);
            return;
        }
        let offers = &mut parts.session.offers;
        let with_offer = !request.body.is_empty();
        let invite = request.method() == Some(&Method::Invite);
        let task = if invite {
            offers.invite_came(with_offer)
        } else {
            offers.update_came(with_offer)
        };
        let task = match task {
            Ok(task) => task,
            Err(refusal) => {
                refuse_now(ctx, tx, request, refusal);
                return;
            }
        };
        match self.describe(task, asked.leg, &request.body) {
            Ok((body, remote)) => self.modified(ctx, asked, body, remote),
            Err(refusal) => {
                tracing::info!(call = %self.id, %refusal, "modification refused");
                if let Some(session) = self.session(asked.leg) {
                    // What was refused never was (RFC 3264 §8, RFC 3261 §14.2).
                    session.offers.invite_refused();
                    session.offers.answered();
                }
                refuse_description(ctx, tx, request, refusal);
            }
        }
    }

    /// Our description for a request of the peer, where one is due, and where the peer is then.
    fn describe(
        &mut self,
        task: Task,
        leg: LegId,
        body: &[u8],
    ) -> Result<(Vec<u8>, Option<Remote>), sdp::Refusal> {
        let description = self.parts(leg).and_then(|parts| parts.description);
        match (task, description) {
            (Task::Nothing | Task::Take, _) => Ok((Vec::new(), None)),
            (Task::Answer, Some(description)) => description
                .answer(body)
                .map(|(body, remote)| (body, Some(remote))),
            (Task::Offer, Some(description)) => Ok((description.offer(), None)),
            (Task::Answer | Task::Offer, None) => Err(sdp::Refusal::NothingInCommon(
                "the socket for audio is not open yet".to_owned(),
            )),
        }
    }

    fn modified(
        &mut self,
        ctx: &mut Context,
        asked: &Asked<'_>,
        body: Vec<u8>,
        remote: Option<Remote>,
    ) {
        let Asked {
            leg,
            tx,
            flow,
            request,
            ..
        } = *asked;
        let call = self.id;
        let now = ctx.now;
        let Some(parts) = self.parts(leg) else { return };
        parts.dialog.refresh_target(request);
        // A peer that has moved is seen elsewhere.
        parts.dialog.flow = flow;
        let mut response = request.respond(200, None);
        decorate(ctx, &flow, parts.dialog.secure, &mut response);
        parts.session.timer.accept(now, request, &mut response);
        let described = !body.is_empty();
        if described {
            response = response.with_body("application/sdp", body);
        }
        if request.method() == Some(&Method::Invite) {
            parts.session.offers.success_sent(described);
            ctx.own_server(tx, Owner { call, leg });
        } else {
            parts.session.offers.answered();
        }
        if let Some(remote) = remote {
            self.set_remote(ctx, leg, remote);
        }
        ctx.respond(tx, response);
    }

    /// PRACK of a reliable response of ours (RFC 3262 §3); the answer to our offer may be in it.
    fn on_prack(&mut self, ctx: &mut Context, asked: &Asked<'_>) {
        let Asked {
            leg, tx, request, ..
        } = *asked;
        if leg != self.caller.id {
            // Only a caller has provisional responses of ours.
            ctx.refuse_known(tx, request, 481);
            return;
        }
        let Ok(next) = self.caller.reliable.prack(ctx.now, request) else {
            ctx.refuse_known(tx, request, 481);
            return;
        };
        let with_description = !request.body.is_empty();
        let task = self.caller.session.offers.prack_came(with_description);
        let (response, remote) = match task {
            Ok(Task::Take) => {
                let accepted = self.accept_answer(leg, &request.body);
                (Ok(Vec::new()), accepted.ok())
            }
            Ok(task) => match self.describe(task, leg, &request.body) {
                Ok((body, remote)) => (Ok(body), remote),
                Err(refusal) => (Err(refusal), None),
            },
            Err(refusal) => {
                refuse_now(ctx, tx, request, refusal);
                self.fail(ctx, 488, "the PRACK holds no answer to our offer");
                return;
            }
        };
        self.caller.session.offers.answered();
        match response {
            Ok(body) => {
                let mut response = request.respond(200, None);
                if !body.is_empty() {
                    response = response.with_body("application/sdp", body);
                }
                ctx.respond(tx, response);
            }
            Err(refusal) => refuse_description(ctx, tx, request, refusal),
        }
        if let Some(remote) = remote {
            self.set_remote(ctx, leg, remote);
        } else if task == Ok(Task::Take) {
            self.fail(ctx, 488, "the answer in the PRACK has no audio that fits");
            return;
        }
        self.caller_acknowledged_early(ctx, next);
    }

    /// INFO: keys of telephones that send them so (RFC 6086 has no package for it).
    pub(super) fn on_info(&mut self, ctx: &mut Context, asked: &Asked<'_>) {
        let Asked {
            leg, tx, request, ..
        } = *asked;
        let record = request.headers.first(&HeaderName::parse("Record"));
        if let Some(record) = record.map(str::to_owned)
            && self.record_header(ctx, leg, &record)
        {
            ctx.respond(tx, request.respond(200, None));
            return;
        }
        match sip::session::keys_of_info(request) {
            Keys::Key(digit) => {
                ctx.respond(tx, request.respond(200, None));
                // The media plane knows whether the audio told of it already, and who else is to hear.
                let call = self.id;
                ctx.media(MediaCommand::Key { call, leg, digit });
            }
            Keys::NoKey | Keys::Empty => ctx.respond(tx, request.respond(200, None)),
            Keys::Package => ctx.refuse_known(tx, request, 469),
            Keys::Unknown => {
                let mut response = request.respond(415, None);
                let known = "application/dtmf-relay, application/dtmf";
                response.headers.set(HeaderName::Accept, known);
                ctx.respond(tx, response);
            }
        }
    }

    fn accept_answer(&mut self, leg: LegId, body: &[u8]) -> Result<Remote, sdp::Refusal> {
        match self.parts(leg).and_then(|parts| parts.description) {
            Some(description) => description.accept(body),
            None => Err(sdp::Refusal::NothingInCommon(
                "nothing was offered".to_owned(),
            )),
        }
    }

    /// The peer of a leg said where its audio goes, and whether it wants any.
    pub(super) fn set_remote(&mut self, ctx: &mut Context, leg: LegId, remote: Remote) {
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
        self.note_hold(ctx, leg, &remote);
    }

    /// The ACK of a 200 to an INVITE or re-INVITE: the answer to our offer may be in it.
    pub(crate) fn acknowledged(&mut self, ctx: &mut Context, leg: LegId, ack: &Message) {
        let Some(session) = self.session(leg) else {
            return;
        };
        let task = session.offers.ack_came(!ack.body.is_empty());
        // Without an answer the session stays as it was.
        if task == Task::Take {
            match self.accept_answer(leg, &ack.body) {
                Ok(remote) => self.set_remote(ctx, leg, remote),
                Err(refusal) => {
                    tracing::warn!(call = %self.id, %refusal, "an ACK's answer does not fit");
                    self.fail(ctx, 488, &format!("the answer in the ACK: {refusal}"));
                }
            }
        }
    }

    /// No ACK came to a 200: what it offered was not answered.
    pub(crate) fn offer_lost(&mut self, leg: LegId) {
        if let Some(session) = self.session(leg) {
            session.offers.ack_missing();
        }
    }
}

/// OPTIONS within a dialog: what we take (RFC 3261 §11.2).
pub(super) fn on_options(ctx: &mut Context, asked: &Asked<'_>) {
    let mut response = asked.request.respond(200, None);
    decorate(ctx, &asked.flow, asked.secure, &mut response);
    response.headers.set(HeaderName::Accept, "application/sdp");
    ctx.respond(asked.tx, response);
}

/// 491, or 500 with the time to wait (RFC 3261 §14.2, RFC 3311 §5.2).
pub(super) fn refuse_now(ctx: &mut Context, tx: ServerTx, request: &Message, refusal: Refusal) {
    let mut response = request.respond(refusal.status(), None);
    if refusal == Refusal::Overlap {
        let most = sip::session::UPDATE_RETRY_AFTER_MAX_S + 1;
        let seconds = ctx.entropy.number() % most;
        response
            .headers
            .set(HeaderName::RetryAfter, seconds.to_string());
    }
    ctx.respond(tx, response);
}

/// 488 or 400, with what was wrong in the words of RFC 3261 §20.43.
pub(super) fn refuse_description(
    ctx: &mut Context,
    tx: ServerTx,
    request: &Message,
    refusal: sdp::Refusal,
) {
    let warning = refusal.warning_code();
    let Refused { status, reason } = Refused::from(refusal);
    let mut response = request.respond(status, None);
    if let Some(code) = warning {
        let text = format!("{code} hotline \"{reason}\"");
        response.headers.set(HeaderName::Warning, text);
    }
    ctx.respond(tx, response);
}

/// 422 (RFC 4028 §6).
pub(super) fn refuse_short_session(
    ctx: &mut Context,
    tx: ServerTx,
    request: &Message,
    least_s: u32,
) {
    let mut response = request.respond(422, None);
    response.headers.set(HeaderName::MinSe, least_s.to_string());
    ctx.respond(tx, response);
}
