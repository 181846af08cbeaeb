//! Owns the caller's leg: the UAS side of the trunk's INVITE (RFC 3261 §13.3).

use dialplan::Happened;
use sip::{ClientTx, Dialog, Flow, Message, Method, Offers, Reliable, ReliableDue, ServerTx, Side};
use vocab::media::{Codec, MediaCommand, Remote};
use vocab::{CallId, EventId, LegId};

use super::leg::{Description, MediaState, Ports, Speech, decorate};
use super::party::{self, PartyLeg};
use super::session::LegSession;
use super::who::Who;
use super::{Call, State};
use crate::context::{Context, Owner};
use crate::trunk::KeysBy;
use crate::trunk::Seat;

/// The SIP side of the leg.
///
/// | state    | ACK        | no ACK    | CANCEL      | BYE    | we hang up        | BYE answered |
/// |----------|------------|-----------|-------------|--------|-------------------|--------------|
/// | Invited  | -          | -         | Closed, 487 | -      | Closed, status    | -            |
/// | Accepted | Confirmed  | Closing   | -           | Closed | Leaving           | -            |
/// | Leaving  | Closing    | Closing   | -           | Closed | -                 | -            |
/// | Confirmed| -          | -         | -           | Closed | Closing, BYE goes | -            |
/// | Closing  | -          | -         | -           | Closed | -                 | Closed       |
/// | Closed   | -          | -         | -           | -      | -                 | -            |
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sip {
    /// The INVITE has no final answer.
    Invited { tx: ServerTx },
    /// 200 went out, its ACK did not come yet.
    Accepted { tx: ServerTx },
    /// As `Accepted`, and to be hung up as soon as RFC 3261 §15 allows: after the ACK.
    Leaving { tx: ServerTx },
    /// In a dialog.
    Confirmed,
    /// Our BYE is out.
    Closing { tx: ClientTx },
    /// Over.
    Closed,
}

pub(crate) struct CallerLeg {
    pub(crate) id: LegId,
    pub(crate) dialog: Dialog,
    pub(crate) media: MediaState,
    pub(super) sip: Sip,
    pub(super) description: Option<Description>,
    /// What the peer takes; none until an offer or answer of it was read.
    pub(super) remote: Option<Remote>,
    pub(super) session: LegSession,
    /// Our provisional responses that want a PRACK (RFC 3262).
    pub(super) reliable: Reliable,
    progress: Progress,
    /// Why we hang up, if the plan says it.
    pub(super) cause: Option<u8>,
    /// A 200 that waits for a PRACK, and what must be on disk before it.
    accept_after: Option<EventId>,
    flow: Flow,
    pub(super) invite: Message,
    tag: String,
    /// Its place among the calls of the trunk that brought it, until the leg is over.
    pub(super) seat: Option<Seat>,
}

/// What the caller was told before the final answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    /// Nothing but 100.
    None,
    /// That it rings.
    Ringing,
    /// Where our audio comes from.
    Described,
}

/// What can be heard before the call is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Early {
    /// The caller hears what we play from now on.
    Open,
    /// Our offer is out; the PRACK brings the answer.
    Awaited,
    /// An INVITE without offer of a caller without PRACK: no audio before the 200.
    Impossible,
}

impl CallerLeg {
    pub(super) fn new(
        ctx: &mut Context,
        id: LegId,
        dialog: Dialog,
        tx: ServerTx,
        invite: Message,
    ) -> Self {
        Self {
            media: MediaState::Opening,
            sip: Sip::Invited { tx },
            ..Self::absent(ctx, id, dialog, invite)
        }
    }

    /// A leg that is over: of a call that nobody made.
    pub(super) fn absent(ctx: &mut Context, id: LegId, dialog: Dialog, invite: Message) -> Self {
        let mut session = LegSession::new(ctx, Offers::invited(!invite.body.is_empty()));
        session.note(&invite);
        let cseq = dialog.remote_cseq.unwrap_or_default();
        // RFC 3262 §3: "chosen uniformly between 1 and 2**31 - 1"; 2^20 leaves room to count on.
        let first = u32::try_from(ctx.entropy.number() >> 44).unwrap_or(1);
        Self {
            id,
            media: MediaState::Closed,
            sip: Sip::Closed,
            description: None,
            remote: None,
            session,
            reliable: Reliable::new(ctx.settings.timers, cseq, first),
            progress: Progress::None,
            cause: None,
            accept_after: None,
            flow: dialog.flow,
            tag: dialog.local_tag.clone(),
            dialog,
            invite,
            seat: None,
        }
    }

    pub(super) fn is_gone(&self) -> bool {
        self.sip == Sip::Closed && self.media == MediaState::Closed
    }

    pub(super) fn abandon(&mut self) {
        self.sip = Sip::Closed;
        self.media = MediaState::Closed;
    }

    pub(super) fn forget(&mut self, ctx: &mut Context) {
        self.leave_trunk(ctx);
        self.session.forget(ctx);
        match self.sip {
            Sip::Invited { tx } | Sip::Accepted { tx } | Sip::Leaving { tx } => {
                ctx.forget_server(tx);
            }
            Sip::Closing { tx } => ctx.forget_client(tx),
            Sip::Confirmed | Sip::Closed => {}
        }
    }

    /// Gives its place on the trunk back.
    fn leave_trunk(&mut self, ctx: &mut Context) {
        if let Some(seat) = self.seat.take() {
            ctx.trunks.leave(seat);
        }
    }

    /// The SIP side is over.
    fn closed(&mut self, ctx: &mut Context) {
        self.leave_trunk(ctx);
        self.sip = Sip::Closed;
    }

    /// Whether the caller has our final answer 200.
    pub(super) fn is_answered(&self) -> bool {
        !matches!(self.sip, Sip::Invited { .. })
    }

    /// Whether the caller was told that it rings, or hears us already.
    pub(super) fn rings(&self) -> bool {
        self.progress != Progress::None
    }

    /// Whether the caller has our answer and nobody has hung up.
    pub(super) const fn is_up(&self) -> bool {
        matches!(self.sip, Sip::Accepted { .. } | Sip::Confirmed)
    }

    /// The codec the caller speaks, once known.
    pub(super) fn codec(&self) -> Option<Codec> {
        self.remote.map(|remote| remote.codec)
    }

    /// Reads the offer and writes our answer, or writes our offer where there was none
    /// (RFC 3264 §6, RFC 3261 §13.2.1).
    pub(super) fn negotiate(
        &mut self,
        ctx: &mut Context,
        call: CallId,
        ports: Ports,
    ) -> Result<(), Refused> {
        // Who has no seat on a trunk is an operator.
        let trunk = self.seat.as_ref();
        let trunk = trunk.and_then(|seat| ctx.trunks.by_id(seat.trunk));
        let of_trunk = trunk
            .map(|trunk| &trunk.codecs)
            .filter(|codecs| !codecs.is_empty());
        let speech = Speech {
            codecs: of_trunk.unwrap_or(&ctx.settings.codecs).clone(),
            keys: trunk.map_or(KeysBy::default(), |trunk| trunk.keys),
            protection: trunk.map_or(ctx.settings.protection, |trunk| trunk.protection),
        };
        let mut description = Description::new(ctx, ports, speech).at(ctx, &self.flow);
        if self.invite.body.is_empty() {
            description.offer();
        } else {
            let (_, remote) = description
                .answer(&self.invite.body)
                .map_err(Refused::from)?;
            self.set_remote(ctx, call, remote);
            self.session.held = super::hold::holds(&remote);
        }
        self.description = Some(description);
        Ok(())
    }

    pub(super) fn set_remote(&mut self, ctx: &mut Context, call: CallId, remote: Remote) {
        self.remote = Some(remote);
        ctx.media(MediaCommand::SetRemote {
            call,
            leg: self.id,
            remote,
        });
    }

    /// Lets the caller hear us before the call is answered, if that can be: a provisional answer with our
    /// description (RFC 3261 §13.2.1), a reliable one for a caller who requires it or, by the
    /// settings, supports it (RFC 3262 §3). An offer of ours can only go in a reliable one.
    pub(super) fn open_early(&mut self, ctx: &mut Context) -> Early {
        // Who was told that it rings has heard of no audio yet.
        if self.progress != Progress::Described {
            if self.is_reliable(ctx) || !self.invite.body.is_empty() {
                self.progress = Progress::Described;
                self.provide(ctx, 183, true);
            } else {
                self.ring(ctx);
            }
        }
        match (self.remote, self.progress) {
            (Some(_), _) => Early::Open,
            (None, Progress::Described) => Early::Awaited,
            (None, Progress::None | Progress::Ringing) => Early::Impossible,
        }
    }

    /// The leg goes over to another call as that of a party that has answered.
    pub(super) fn detach(&mut self, ctx: &mut Context, who: Who) -> PartyLeg {
        let sip = match self.sip {
            Sip::Accepted { tx } => party::Sip::Accepted { tx },
            Sip::Leaving { tx } => party::Sip::Leaving { tx },
            Sip::Closing { tx } => party::Sip::Closing { tx },
            Sip::Confirmed => party::Sip::Confirmed,
            Sip::Invited { .. } | Sip::Closed => party::Sip::Closed,
        };
        let fresh = LegSession::new(ctx, Offers::invited(true));
        let mut leg = PartyLeg::that_came(
            who,
            sip,
            party::Audio {
                media: self.media,
                description: self.description.take(),
                session: core::mem::replace(&mut self.session, fresh),
                remote: self.remote,
            },
            self.dialog.clone(),
        );
        leg.seat = self.seat.take();
        self.abandon();
        leg
    }

    /// Says that it rings (RFC 3261 §21.1.2): the caller's side makes the tone.
    pub(super) fn ring(&mut self, ctx: &mut Context) {
        if self.progress == Progress::None {
            self.progress = Progress::Ringing;
            self.provide(ctx, 180, false);
        }
    }

    fn is_reliable(&self, ctx: &Context) -> bool {
        let required = self
            .invite
            .headers
            .lists(&sip::HeaderName::Require, "100rel");
        required || (ctx.settings.reliable && sip::session::supports(&self.invite, "100rel"))
    }

    fn provide(&mut self, ctx: &mut Context, status: u16, described: bool) {
        let Sip::Invited { tx } = self.sip else {
            return;
        };
        let response = self.response(ctx, status, described);
        if !self.is_reliable(ctx) {
            ctx.respond(tx, response);
            return;
        }
        if let Some(response) = self.reliable.send(ctx.now, response) {
            self.reliable_out(ctx, tx, response);
        }
    }

    fn reliable_out(&mut self, ctx: &mut Context, tx: ServerTx, response: Message) {
        self.session.offers.reliable_sent(!response.body.is_empty());
        ctx.respond(tx, response);
    }

    /// Accepts the INVITE once the journal has it; while a description in a reliable response is not
    /// acknowledged it has to wait (RFC 3262 §3).
    pub(super) fn accept(&mut self, ctx: &mut Context, after: EventId) {
        let Sip::Invited { tx } = self.sip else {
            return;
        };
        if self.reliable.holds_back_success() {
            self.accept_after = Some(after);
            return;
        }
        self.reliable.stop();
        // What was said reliably is not said again (RFC 6337 §3.1.1).
        let offer = self.session.offers.open_offer();
        let described = match offer {
            Some((Side::Theirs, _)) => true,
            Some((Side::Ours, _)) => false,
            None => self.remote.is_none(),
        };
        let mut response = self.response(ctx, 200, described);
        self.session
            .timer
            .accept(ctx.now, &self.invite, &mut response);
        self.session.offers.success_sent(described);
        self.session.up_since = Some(ctx.now);
        ctx.respond_after(after, tx, response);
        self.sip = Sip::Accepted { tx };
    }

    fn response(&self, ctx: &Context, status: u16, described: bool) -> Message {
        let mut response = self.invite.respond(status, Some(&self.tag));
        decorate(ctx, &self.flow, self.dialog.secure, &mut response);
        match &self.description {
            Some(description) if described => {
                response.with_body("application/sdp", description.said().to_vec())
            }
            Some(_) | None => response,
        }
    }

    /// Hangs up, by whatever the state of the leg asks for.
    pub(super) fn close(&mut self, ctx: &mut Context, call: CallId, status: u16) {
        match self.sip {
            Sip::Invited { tx } => {
                let mut response = self.invite.respond(status, Some(&self.tag));
                self.tell_cause(&mut response);
                if status == 503 {
                    response
                        .headers
                        .set(sip::HeaderName::RetryAfter, ctx.retry_after());
                }
                ctx.forget_server(tx);
                ctx.respond(tx, response);
                self.reliable.stop();
                self.closed(ctx);
            }
            Sip::Accepted { tx } => self.sip = Sip::Leaving { tx },
            Sip::Confirmed => self.bye(ctx, call),
            // On its way out already.
            Sip::Leaving { .. } | Sip::Closing { .. } | Sip::Closed => {}
        }
        self.close_media(ctx, call);
    }

    pub(super) fn close_media(&mut self, ctx: &mut Context, call: CallId) {
        if matches!(self.media, MediaState::Opening | MediaState::Open(_)) {
            ctx.media(MediaCommand::Close { call, leg: self.id });
            self.media = MediaState::Closing;
        }
    }

    /// Why we hang up, as ITU-T Q.850 numbers it (RFC 3326 §2).
    fn tell_cause(&self, message: &mut Message) {
        if let Some(cause) = self.cause {
            let reason = format!("Q.850;cause={cause}");
            message.headers.set(sip::HeaderName::Reason, reason);
        }
    }

    fn bye(&mut self, ctx: &mut Context, call: CallId) {
        self.send_bye(ctx, call, false);
    }

    fn send_bye(&mut self, ctx: &mut Context, call: CallId, again: bool) {
        let mut bye = self.dialog.request(Method::Bye);
        self.tell_cause(&mut bye);
        let owner = Owner { call, leg: self.id };
        let tx = self
            .session
            .send(ctx, Some(owner), &self.dialog, (bye, again));
        self.sip = Sip::Closing { tx };
    }
}

/// Why a description was refused, as SIP says it.
pub(super) struct Refused {
    pub(super) status: u16,
    pub(super) reason: String,
}

impl From<sdp::Refusal> for Refused {
    fn from(refusal: sdp::Refusal) -> Self {
        let reason = refusal.to_string();
        let status = match refusal {
            sdp::Refusal::Malformed(_) => 400,
            sdp::Refusal::NothingInCommon(_) => 488,
        };
        Self { status, reason }
    }
}

impl Call {
    pub(super) fn caller_media_opened(&mut self, ctx: &mut Context, ports: Ports) {
        if self.caller.media != MediaState::Opening {
            // The call ended while the socket was being opened; its Close is on the way.
            return;
        }
        self.caller.media = MediaState::Open(ports);
        match self.caller.negotiate(ctx, self.id, ports) {
            Ok(()) => self.advance(ctx, Happened::Started),
            Err(refused) => self.fail(ctx, refused.status, &refused.reason),
        }
        self.arm(ctx, self.caller.id);
    }

    /// A reliable provisional response was acknowledged: the next one, the answer or the step that
    /// waited for it.
    pub(super) fn caller_acknowledged_early(&mut self, ctx: &mut Context, next: Option<Message>) {
        if let (Some(response), Sip::Invited { tx }) = (next, self.caller.sip) {
            self.caller.reliable_out(ctx, tx, response);
        }
        if let Some(after) = self.caller.accept_after
            && !self.caller.reliable.holds_back_success()
        {
            self.caller.accept_after = None;
            self.caller.accept(ctx, after);
        }
        if self.caller.remote.is_some() && self.state == State::Opening {
            self.perform_deferred(ctx);
        }
    }

    /// Repeats a reliable provisional response, or gives the call up: the caller never acknowledged
    /// it (RFC 3262 §3).
    pub(super) fn reliable_due(&mut self, ctx: &mut Context) {
        match (self.caller.reliable.due(ctx.now), self.caller.sip) {
            (Some(ReliableDue::Again(response)), Sip::Invited { tx }) => {
                ctx.respond(tx, *response);
            }
            (Some(ReliableDue::Expired), Sip::Invited { .. }) => {
                self.fail(
                    ctx,
                    504,
                    "the caller never acknowledged a provisional answer",
                );
            }
            (Some(_) | None, _) => {}
        }
    }

    /// The ACK of our 200 to the INVITE or to a re-INVITE of the caller.
    pub(crate) fn caller_acknowledged(&mut self, ctx: &mut Context) {
        match self.caller.sip {
            Sip::Accepted { tx } => {
                ctx.forget_server(tx);
                self.caller.sip = Sip::Confirmed;
                if self.state == State::Answering {
                    self.answered(ctx);
                }
            }
            Sip::Leaving { tx } => {
                ctx.forget_server(tx);
                self.caller.bye(ctx, self.id);
            }
            // The ACK of a re-INVITE, or a late one.
            Sip::Invited { .. } | Sip::Confirmed | Sip::Closing { .. } | Sip::Closed => {}
        }
    }

    /// RFC 3261 §13.3.1.4: no ACK came in 64*T1: the session is to be ended with a BYE.
    pub(crate) fn caller_ack_missing(&mut self, ctx: &mut Context) {
        match self.caller.sip {
            Sip::Accepted { tx } => {
                ctx.forget_server(tx);
                self.caller.sip = Sip::Confirmed;
                // Audio may have shown that the caller is there: then the call goes on.
                if self.state == State::Answering {
                    self.fail(ctx, 408, "the caller never acknowledged the answer");
                }
            }
            Sip::Leaving { tx } => {
                ctx.forget_server(tx);
                self.caller.bye(ctx, self.id);
            }
            Sip::Invited { .. } | Sip::Confirmed | Sip::Closing { .. } | Sip::Closed => {}
        }
    }

    /// CANCEL before the final answer (RFC 3261 §9.2).
    pub(crate) fn cancelled(&mut self, ctx: &mut Context, leg: LegId) {
        if leg == self.caller.id {
            let outcome = self.outcome_when_first_leaves();
            self.end(ctx, outcome, self.ended_by(leg), 487, "");
        } else if self.is_newcomer(leg) {
            self.newcomer_goes(ctx, 487);
        }
    }

    /// The final answer to our BYE, or none in time. Refused or not, the leg is over (RFC 3261
    /// §15.1.1), but for a challenge that our account meets.
    pub(crate) fn caller_bye_answered(&mut self, ctx: &mut Context, response: Option<&Message>) {
        let call = self.id;
        let caller = &mut self.caller;
        if let Sip::Closing { tx } = caller.sip {
            let again = response.is_some_and(|response| {
                let dialog = &caller.dialog;
                caller.session.is_challenged(ctx, tx, dialog, response)
            });
            ctx.forget_client(tx);
            if again {
                caller.send_bye(ctx, call, true);
            } else {
                caller.closed(ctx);
            }
        }
    }
}
