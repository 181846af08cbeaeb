//! Owns the legs other than the caller's: whom we called (the UAC side, RFC 3261 §13.2), and who
//! took another's place; how each is left. What the called say is `called`'s to read.

use std::collections::VecDeque;

use sip::{ClientTx, Dialog, Message, Method, Offers, ServerTx};
use vocab::media::{MediaCommand, Remote};
use vocab::{EndedBy, LegId, OfferResult, OperatorId};

use super::Call;
use super::leg::{Description, MediaState};
use super::sent::Sent;
use super::session::LegSession;
use super::who::{Engagement, Who};
use crate::context::{Context, Owner};
use crate::trunk::Seat;
use crate::way::{Group, Way};

/// The SIP side of the leg.
///
/// | state      | 1xx       | first 2xx      | last other final    | time-out  | ACK / none | we hang up  | BYE    |
/// |------------|-----------|----------------|---------------------|-----------|------------|-------------|--------|
/// | Preparing  | -         | -              | -                   | -         | -          | Closed      | -      |
/// | Inviting   | Inviting  | Confirmed, ACK | Inviting (next ways) | the same | -          | Cancelling  | -      |
/// |            |           |                | or Closed           |           |            |             |        |
/// | Cancelling | -         | ACK and BYE    | Closed              | Closed    | -          | -           | -      |
/// | Accepted   | -         | -              | -                   | -         | Confirmed  | Leaving     | Closed |
/// | Leaving    | -         | -              | -                   | -         | Closing    | -           | Closed |
/// | Confirmed  | -         | ACK and BYE    | -                   | -         | -          | Closing     | Closed |
/// | Closing    | -         | Closed (BYE's) | Closed              | Closed    | -          | -           | Closed |
/// | Closed     | -         | ACK and BYE    | -                   | -         | -          | -           | -      |
///
/// Accepted and Leaving are of legs that called us: those who took another's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sip {
    /// The media plane was asked for a socket; no INVITE is out.
    Preparing,
    /// INVITEs are out, one for each way of a group; `sent` has where each stands.
    Inviting,
    /// Nobody waits any more; the INVITEs' final answers are awaited.
    Cancelling,
    /// Our 200 is out, its ACK did not come yet.
    Accepted { tx: ServerTx },
    /// As `Accepted`, and to be hung up after the ACK (RFC 3261 §15).
    Leaving { tx: ServerTx },
    /// In a dialog.
    Confirmed,
    /// Our BYE is out.
    Closing { tx: ClientTx },
    /// Over.
    Closed,
}

/// What a leg's audio stands at.
pub(super) struct Audio {
    pub(super) media: MediaState,
    pub(super) description: Option<Description>,
    pub(super) session: LegSession,
    pub(super) remote: Option<Remote>,
}

pub(crate) struct PartyLeg {
    pub(super) who: Who,
    pub(super) sip: Sip,
    pub(super) media: MediaState,
    pub(super) dialog: Option<Dialog>,
    pub(super) description: Option<Description>,
    pub(super) session: LegSession,
    /// What the peer takes, once it was read.
    pub(super) remote: Option<Remote>,
    pub(super) engagement: Option<Engagement>,
    /// The INVITEs that went out, the newest last: one for each way that was tried, and one more
    /// for each challenge.
    pub(super) invites: Vec<Sent>,
    /// The way on which it was answered.
    pub(super) way: Option<Way>,
    /// The ways that are left, the next ones first.
    pub(super) ways: VecDeque<Group>,
    /// The strongest word of those who are called at once.
    pub(super) failure: Option<(OfferResult, Option<u16>)>,
    /// Its place among the calls of its trunk.
    pub(super) seat: Option<Seat>,
    /// The peer's audio is let through before the answer.
    pub(super) early: bool,
    /// Another telephone has answered, here or elsewhere: who still rings is told so.
    pub(super) answered_elsewhere: bool,
}

impl PartyLeg {
    /// A leg that is to be called by these ways. Its socket is asked for.
    pub(super) fn to(ctx: &mut Context, owner: Owner, who: Who, ways: Vec<Group>) -> Self {
        let Owner { call, leg } = owner;
        ctx.media(MediaCommand::Open { call, leg });
        let session = LegSession::new(ctx, Offers::inviting(true));
        Self {
            who,
            sip: Sip::Preparing,
            media: MediaState::Opening,
            dialog: None,
            description: None,
            session,
            remote: None,
            engagement: None,
            invites: Vec::new(),
            way: None,
            ways: ways.into(),
            failure: None,
            seat: None,
            early: false,
            answered_elsewhere: false,
        }
    }

    /// A leg that called us and is up.
    pub(super) fn that_came(who: Who, sip: Sip, audio: Audio, dialog: Dialog) -> Self {
        Self {
            who,
            sip,
            media: audio.media,
            dialog: Some(dialog),
            description: audio.description,
            session: audio.session,
            remote: audio.remote,
            engagement: None,
            invites: Vec::new(),
            way: None,
            ways: VecDeque::new(),
            failure: None,
            seat: None,
            early: false,
            answered_elsewhere: false,
        }
    }

    /// Forgets what the engine remembers for the leg.
    pub(super) fn forget(&mut self, ctx: &mut Context) {
        self.leave_trunk(ctx);
        self.session.forget(ctx);
        self.forget_invites(ctx);
        if let Sip::Accepted { tx } | Sip::Leaving { tx } = self.sip {
            ctx.forget_server(tx);
        }
        if let Some(dialog) = &self.dialog {
            ctx.dialogs.remove(&dialog.id());
        }
    }

    pub(super) fn is_gone(&self) -> bool {
        self.sip == Sip::Closed && self.media == MediaState::Closed && !self.is_any_open()
    }

    /// Whether the peer has answered and nobody has hung up.
    pub(super) const fn is_up(&self) -> bool {
        matches!(self.sip, Sip::Confirmed | Sip::Accepted { .. })
    }

    /// Whether it is being called.
    pub(super) const fn is_awaited(&self) -> bool {
        matches!(self.sip, Sip::Preparing | Sip::Inviting)
    }

    pub(super) fn close_media(&mut self, ctx: &mut Context, owner: Owner) {
        if matches!(self.media, MediaState::Opening | MediaState::Open(_)) {
            let Owner { call, leg } = owner;
            ctx.media(MediaCommand::Close { call, leg });
            self.media = MediaState::Closing;
        }
    }

    /// Hangs up, by whatever the state of the leg asks for, and gives its operator back.
    pub(super) fn hang_up(&mut self, ctx: &mut Context, owner: Owner) {
        match self.sip {
            Sip::Preparing => self.sip = Sip::Closed,
            Sip::Inviting => self.give_up(ctx),
            Sip::Accepted { tx } => self.sip = Sip::Leaving { tx },
            Sip::Confirmed => self.bye(ctx, owner),
            // On its way out already.
            Sip::Cancelling | Sip::Leaving { .. } | Sip::Closing { .. } | Sip::Closed => {}
        }
        self.close_media(ctx, owner);
        self.release(ctx);
    }

    /// It is another call's from now on: its ringing belongs to the one that it came from.
    pub(super) fn came(&mut self) {
        if let Who::Called { operator, .. } | Who::Offered { operator, .. } = self.who {
            self.who = Who::Came { operator };
        }
    }

    /// Gives its place on the trunk back.
    pub(super) fn leave_trunk(&mut self, ctx: &mut Context) {
        if let Some(seat) = self.seat.take() {
            ctx.trunks.leave(seat);
        }
    }

    /// Gives the operator back to the ACD.
    pub(super) fn release(&mut self, ctx: &mut Context) {
        if let (Some(engagement), Some(operator)) = (self.engagement.take(), self.who.operator()) {
            engagement.end(ctx, operator);
        }
    }

    pub(super) fn bye(&mut self, ctx: &mut Context, owner: Owner) {
        self.send_bye(ctx, owner, false);
    }

    fn send_bye(&mut self, ctx: &mut Context, owner: Owner, again: bool) {
        let Some(dialog) = &mut self.dialog else {
            self.sip = Sip::Closed;
            return;
        };
        let bye = dialog.request(Method::Bye);
        let tx = self.session.send(ctx, Some(owner), dialog, (bye, again));
        self.sip = Sip::Closing { tx };
    }

    /// The final answer to our BYE. Refused or not, the leg is over (RFC 3261 §15.1.1), but for a
    /// challenge that our account meets.
    pub(super) fn bye_answered(
        &mut self,
        ctx: &mut Context,
        owner: Owner,
        tx: ClientTx,
        response: &Message,
    ) {
        let again = self
            .dialog
            .as_ref()
            .is_some_and(|dialog| self.session.is_challenged(ctx, tx, dialog, response));
        if again {
            ctx.forget_client(tx);
            self.send_bye(ctx, owner, true);
        } else {
            self.closed(ctx);
        }
    }

    /// The SIP side is over: forget its dialog.
    pub(super) fn closed(&mut self, ctx: &mut Context) {
        match self.sip {
            Sip::Closing { tx } => ctx.forget_client(tx),
            Sip::Accepted { tx } | Sip::Leaving { tx } => ctx.forget_server(tx),
            Sip::Preparing | Sip::Inviting | Sip::Cancelling | Sip::Confirmed | Sip::Closed => {}
        }
        if let Some(dialog) = &self.dialog {
            ctx.dialogs.remove(&dialog.id());
        }
        self.leave_trunk(ctx);
        self.sip = Sip::Closed;
    }
}

impl Call {
    pub(super) fn owner(&self, leg: LegId) -> Owner {
        Owner { call: self.id, leg }
    }

    pub(super) fn leg_media_failed(&mut self, ctx: &mut Context, id: LegId) {
        let Some(leg) = self.legs.get_mut(&id) else {
            return;
        };
        leg.media = MediaState::Closed;
        if leg.sip == Sip::Preparing {
            leg.sip = Sip::Closed;
            // Our want of a port is not the operator's silence.
            self.leg_failed(ctx, id, OfferResult::Withdrawn, None);
        }
        self.sweep(ctx, id);
    }

    pub(super) fn leg_media_closed(&mut self, ctx: &mut Context, id: LegId) {
        let Some(leg) = self.legs.get_mut(&id) else {
            return;
        };
        if leg.media != MediaState::Closing {
            ctx.bug("the media plane closed a leg unasked", Some(self.id));
        }
        leg.media = MediaState::Closed;
        self.sweep(ctx, id);
    }

    /// The ACK of our 200 came, or no ACK came in 64*T1: then a BYE is allowed all the same
    /// (RFC 3261 §13.3.1.4), and a talk that goes on is not cut.
    pub(crate) fn leg_acknowledged(&mut self, ctx: &mut Context, id: LegId) {
        let owner = self.owner(id);
        let Some(leg) = self.legs.get_mut(&id) else {
            return;
        };
        match leg.sip {
            Sip::Accepted { tx } => {
                ctx.forget_server(tx);
                leg.sip = Sip::Confirmed;
            }
            Sip::Leaving { tx } => {
                ctx.forget_server(tx);
                leg.bye(ctx, owner);
            }
            // The ACK of a re-INVITE.
            Sip::Preparing
            | Sip::Inviting
            | Sip::Cancelling
            | Sip::Confirmed
            | Sip::Closing { .. }
            | Sip::Closed => {}
        }
        self.sweep(ctx, id);
    }

    /// Hangs up a leg, the caller's or another, and gives its operator back.
    pub(super) fn hang_up_leg(&mut self, ctx: &mut Context, id: LegId) {
        if id == self.caller.id {
            self.caller.close(ctx, self.id, 480);
            self.release_caller(ctx);
            return;
        }
        let owner = self.owner(id);
        if let Some(leg) = self.legs.get_mut(&id) {
            leg.hang_up(ctx, owner);
        }
        self.sweep(ctx, id);
    }

    /// Hangs up on everybody but the caller.
    pub(super) fn hang_up_all(&mut self, ctx: &mut Context) {
        let ids: Vec<LegId> = self.legs.keys().copied().collect();
        for id in ids {
            self.hang_up_leg(ctx, id);
        }
    }

    /// Removes a leg of which nothing is left.
    pub(super) fn sweep(&mut self, ctx: &mut Context, id: LegId) {
        if self.legs.get(&id).is_some_and(|leg| leg.is_gone())
            && let Some(mut leg) = self.legs.remove(&id)
        {
            leg.forget(ctx);
        }
    }

    /// BYE of a leg that is not the caller's.
    pub(super) fn leg_hung_up(&mut self, ctx: &mut Context, id: LegId) {
        let owner = self.owner(id);
        let by = self.ended_by(id);
        let Some(leg) = self.legs.get_mut(&id) else {
            return;
        };
        leg.closed(ctx);
        // The end of the call frees its first party: before that the queue would offer it its own.
        if id != self.first {
            leg.release(ctx);
        }
        self.party_left(ctx, id, by);
        if let Some(leg) = self.legs.get_mut(&id) {
            leg.close_media(ctx, owner);
        }
        self.sweep(ctx, id);
    }

    /// As whom the party of a leg ends something.
    pub(super) fn ended_by(&self, id: LegId) -> EndedBy {
        if self.operator_of(id).is_some() {
            EndedBy::Operator
        } else if id == self.caller.id {
            EndedBy::Caller
        } else {
            EndedBy::Outer
        }
    }

    /// The operator at a leg, if it is one's.
    pub(crate) fn operator_of(&self, id: LegId) -> Option<OperatorId> {
        if id == self.caller.id {
            return self.caller_operator;
        }
        self.legs.get(&id)?.who.operator()
    }

    /// Whether the party of a leg has answered and nobody has hung up on it.
    pub(super) fn is_up(&self, id: LegId) -> bool {
        if id == self.caller.id {
            return self.caller.is_up();
        }
        self.legs.get(&id).is_some_and(|leg| leg.is_up())
    }
}
