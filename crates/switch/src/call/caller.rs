//! Owns the caller's leg: the UAS side of the trunk's INVITE (RFC 3261 §13.3).

use dialplan::Happened;
use sip::{ClientTx, Dialog, Flow, Message, Method, ServerTx};
use vocab::media::{Codec, MediaCommand, Remote};
use vocab::{CallId, EventId, LegId};

use super::leg::{Description, MediaState, decorate, next_hop};
use super::party::{self, PartyLeg, Who};
use super::{Call, State};
use crate::context::{Context, Owner};

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
    /// A re-INVITE of the peer that our 200 carried an offer for: its ACK has the answer.
    pub(super) late_answer: bool,
    flow: Flow,
    invite: Message,
    tag: String,
    /// Our description as sent in 183 or 200.
    body: Vec<u8>,
}

impl CallerLeg {
    pub(super) fn new(id: LegId, dialog: Dialog, tx: ServerTx, invite: Message) -> Self {
        Self {
            id,
            media: MediaState::Opening,
            sip: Sip::Invited { tx },
            description: None,
            remote: None,
            late_answer: invite.body.is_empty(),
            flow: dialog.flow,
            tag: dialog.local_tag.clone(),
            dialog,
            invite,
            body: Vec::new(),
        }
    }

    pub(super) fn is_gone(&self) -> bool {
        self.sip == Sip::Closed && self.media == MediaState::Closed
    }

    pub(super) fn abandon(&mut self) {
        self.sip = Sip::Closed;
        self.media = MediaState::Closed;
    }

    pub(super) fn forget(&self, ctx: &mut Context) {
        match self.sip {
            Sip::Invited { tx } | Sip::Accepted { tx } | Sip::Leaving { tx } => {
                ctx.forget_server(tx);
            }
            Sip::Closing { tx } => ctx.forget_client(tx),
            Sip::Confirmed | Sip::Closed => {}
        }
    }

    /// Whether the caller has our final answer 200.
    pub(super) fn is_answered(&self) -> bool {
        !matches!(self.sip, Sip::Invited { .. })
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
        port: u16,
    ) -> Result<(), Refused> {
        let address = ctx.media_address(&self.flow);
        let codecs = ctx.settings.codecs.clone();
        let description = Description::new(ctx, address, port, codecs);
        if self.invite.body.is_empty() {
            self.body = sdp::offer(&description.local()).into_bytes();
        } else {
            let (body, remote) =
                sdp::answer(&self.invite.body, &description.local()).map_err(Refused::from)?;
            self.body = body.into_bytes();
            self.set_remote(ctx, call, remote);
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

    /// A provisional answer with our description: early media (RFC 3261 §13.2.1).
    pub(super) fn progress(&self, ctx: &mut Context) {
        if let Sip::Invited { tx } = self.sip {
            ctx.respond(tx, self.session_response(ctx, 183));
        }
    }

    /// The leg goes over to another call as that of a party that has answered.
    pub(super) fn detach(&mut self, who: Who) -> PartyLeg {
        let sip = match self.sip {
            Sip::Accepted { tx } => party::Sip::Accepted { tx },
            Sip::Leaving { tx } => party::Sip::Leaving { tx },
            Sip::Closing { tx } => party::Sip::Closing { tx },
            Sip::Confirmed => party::Sip::Confirmed,
            Sip::Invited { .. } | Sip::Closed => party::Sip::Closed,
        };
        let leg = PartyLeg::that_came(
            who,
            sip,
            party::Audio {
                media: self.media,
                description: self.description.take(),
                late_answer: self.late_answer,
                remote: self.remote,
            },
            self.dialog.clone(),
        );
        self.abandon();
        leg
    }

    /// The called party rings (RFC 3261 §21.1.2).
    pub(super) fn ring(&self, ctx: &mut Context) {
        if let Sip::Invited { tx } = self.sip {
            let mut response = self.invite.respond(180, Some(&self.tag));
            decorate(ctx, &self.flow, &mut response);
            ctx.respond(tx, response);
        }
    }

    /// Accepts the INVITE once the journal has it.
    pub(super) fn accept(&mut self, ctx: &mut Context, after: EventId) {
        if let Sip::Invited { tx } = self.sip {
            let response = self.session_response(ctx, 200);
            ctx.respond_after(after, tx, response);
            self.sip = Sip::Accepted { tx };
        }
    }

    fn session_response(&self, ctx: &Context, status: u16) -> Message {
        let mut response = self.invite.respond(status, Some(&self.tag));
        decorate(ctx, &self.flow, &mut response);
        response.with_body("application/sdp", self.body.clone())
    }

    /// Hangs up, by whatever the state of the leg asks for.
    pub(super) fn close(&mut self, ctx: &mut Context, call: CallId, status: u16) {
        match self.sip {
            Sip::Invited { tx } => {
                let mut response = self.invite.respond(status, Some(&self.tag));
                if status == 503 {
                    response
                        .headers
                        .set(sip::HeaderName::RetryAfter, ctx.retry_after());
                }
                ctx.forget_server(tx);
                ctx.respond(tx, response);
                self.sip = Sip::Closed;
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

    fn bye(&mut self, ctx: &mut Context, call: CallId) {
        let bye = self.dialog.request(Method::Bye);
        let flow = next_hop(&self.dialog);
        let tx = ctx.request(Owner { call, leg: self.id }, flow, bye);
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
    pub(super) fn caller_media_opened(&mut self, ctx: &mut Context, port: u16) {
        if self.caller.media != MediaState::Opening {
            // The call ended while the socket was being opened; its Close is on the way.
            return;
        }
        self.caller.media = MediaState::Open(port);
        match self.caller.negotiate(ctx, self.id, port) {
            Ok(()) => self.advance(ctx, Happened::Started),
            Err(refused) => self.fail(ctx, refused.status, &refused.reason),
        }
    }

    /// The ACK of our 200 to the INVITE or to a re-INVITE of the caller.
    pub(crate) fn caller_acknowledged(&mut self, ctx: &mut Context) {
        match self.caller.sip {
            Sip::Accepted { tx } => {
                ctx.forget_server(tx);
                self.caller.sip = Sip::Confirmed;
                if self.state == State::Answering {
                    self.advance(ctx, Happened::Answered);
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

    pub(crate) fn caller_bye_answered(&mut self, ctx: &mut Context) {
        if let Sip::Closing { tx } = self.caller.sip {
            ctx.forget_client(tx);
            self.caller.sip = Sip::Closed;
        }
    }
}
