//! Owns the session of a leg beyond its dialog: offers and answers, session timer, hold, and the
//! modifications of our own (RFC 3264, RFC 4028). The rules are in [`sip::session`]; here they meet the
//! leg. Refuses to decide what a call does about it.

use sip::{ClientTx, Dialog, Message, Method, Offers, SessionDue, SessionTimer};
use vocab::media::{Codec, Remote, Side};
use vocab::{EndedBy, LegId, Time};

use super::account::LegAccount;
use super::leg::{Settled, decorate};
use super::midcall::Parts;
use super::signalled::Signalled;
use super::{Call, State, caller, party};
use crate::context::{Context, Owner, Timer, TimerKey};

/// Why the end of a call is the end of its first party's session.
const NO_ANSWER: &str = "the first party's telephone did not answer any more";
/// How long a refresh waits for a modification that is under way.
const BUSY: core::time::Duration = core::time::Duration::from_secs(1);

/// The session of a leg.
pub(crate) struct LegSession {
    pub(super) offers: Offers,
    pub(super) timer: SessionTimer,
    /// The peer wants no audio: it has put us on hold.
    pub(super) held: bool,
    /// The peer is not heard in a talk in which the other speaks; its side of it.
    pub(super) unheard: Option<Side>,
    /// Since when the leg is answered.
    pub(super) up_since: Option<Time>,
    /// Whether the peer takes UPDATE; not known until it says.
    pub(super) updates: Option<bool>,
    /// Whether it takes INFO.
    pub(super) informs: Option<bool>,
    /// Keys that the peer is told of by INFO.
    pub(super) signalled: Signalled,
    /// Our account with the trunk at the other end, if one is there.
    pub(super) account: Option<LegAccount>,
    /// Our UPDATE or re-INVITE that has no final answer.
    pub(super) modifying: Option<Modifying>,
    /// The next modification answers the challenge of the last one.
    pub(super) challenged: bool,
    /// When to try again to refresh.
    retry_at: Option<Time>,
    armed: Option<TimerKey>,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Modifying {
    tx: ClientTx,
    kind: Refresh,
}

/// How a session is refreshed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refresh {
    /// By UPDATE without a description: it touches nothing (RFC 4028 §7.4).
    Update,
    /// By re-INVITE with the description as it stands.
    Invite,
    /// By re-INVITE with this codec before the others: see `rechoice`.
    Codec(Codec),
}

impl LegSession {
    pub(super) fn new(ctx: &Context, offers: Offers) -> Self {
        Self {
            offers,
            timer: SessionTimer::new(ctx.settings.session_timer),
            held: false,
            unheard: None,
            up_since: None,
            updates: None,
            informs: None,
            signalled: Signalled::default(),
            account: None,
            modifying: None,
            challenged: false,
            retry_at: None,
            armed: None,
        }
    }

    /// Takes note of what a message of the peer tells about it.
    pub(super) fn note(&mut self, message: &Message) {
        self.updates = sip::session::allows(message, &Method::Update).or(self.updates);
        self.informs = sip::session::allows(message, &Method::Info).or(self.informs);
    }

    /// A 2xx to an INVITE of ours came, and its description fits.
    pub(super) fn confirmed(&mut self, now: Time, response: &Message, remote: &Remote) {
        self.note(response);
        self.up_since = Some(now);
        self.timer.accepted(now, response);
        self.offers.success_came(true);
        self.held = super::hold::holds(remote);
    }

    /// Takes the timer back: the leg goes over to another call, which arms it anew.
    pub(super) fn disarm(&mut self, ctx: &mut Context) {
        ctx.clear_timers(self.armed.take().as_slice());
    }

    /// Sends a request within the dialog, with what the trunk is to be shown. `again`: its challenge was
    /// answered just now.
    pub(super) fn send(
        &mut self,
        ctx: &mut Context,
        owner: Option<Owner>,
        dialog: &Dialog,
        (mut request, again): (Message, bool),
    ) -> ClientTx {
        match &mut self.account {
            Some(account) if again => account.show_again(ctx, dialog, &mut request),
            Some(account) => account.show(ctx, dialog, &mut request),
            None => {}
        }
        let home = self.account.as_ref().map(LegAccount::home);
        ctx.request_within(owner, (dialog, home), request)
    }

    /// Whether a request that was refused is to be sent once more, as the refusal is a challenge that
    /// our account meets (RFC 3261 §22.2).
    pub(super) fn is_challenged(
        &mut self,
        ctx: &Context,
        tx: ClientTx,
        dialog: &Dialog,
        refusal: &Message,
    ) -> bool {
        let place = ctx.flow_of(tx).unwrap_or_else(|| dialog.next_flow());
        matches!(refusal.status(), Some(401 | 407))
            && self
                .account
                .as_mut()
                .is_some_and(|account| account.challenged(ctx, (place, dialog), refusal))
    }

    fn next_deadline(&self) -> Option<Time> {
        [self.timer.next_deadline(), self.retry_at]
            .into_iter()
            .flatten()
            .min()
    }

    pub(super) fn forget(&self, ctx: &mut Context) {
        if let Some(modifying) = self.modifying {
            ctx.forget_client(modifying.tx);
        }
        self.signalled.forget(ctx);
        ctx.clear_timers(self.armed.as_slice());
    }
}

/// What a final answer to a refresh means for the leg.
pub(super) enum Refreshed {
    /// The session goes on.
    Alive,
    /// The peer knows nothing of it any more, or is not there.
    Gone,
}

impl Call {
    /// Whether the leg's peer talks to us in a confirmed dialog.
    pub(super) fn is_confirmed(&self, leg: LegId) -> bool {
        if leg == self.caller.id {
            return self.caller.sip == caller::Sip::Confirmed;
        }
        self.legs
            .get(&leg)
            .is_some_and(|leg| leg.sip == party::Sip::Confirmed)
    }

    /// Sets the timer of a leg's session to what it waits for now.
    pub(crate) fn arm(&mut self, ctx: &mut Context, leg: LegId) {
        let over = self.state == State::Ended;
        let call = self.id;
        let early = (leg == self.caller.id).then(|| self.caller.reliable.next_deadline());
        let Some(session) = self.session(leg) else {
            return;
        };
        let due = [session.next_deadline(), early.flatten()]
            .into_iter()
            .flatten()
            .min()
            .filter(|_| !over);
        if due == session.armed.map(|(at, _, _)| at) {
            return;
        }
        ctx.clear_timers(session.armed.take().as_slice());
        let key = due.map(|at| ctx.set_timer_at(call, at, Timer::Session(leg)));
        session.armed = key;
        // The call clears them all at its end.
        self.timers
            .retain(|(_, _, timer)| *timer != Timer::Session(leg));
        self.timers.extend(key);
    }

    /// The time has come that a leg's session waited for.
    pub(super) fn session_due(&mut self, ctx: &mut Context, leg: LegId) {
        let now = ctx.now;
        let Some(session) = self.session(leg) else {
            return;
        };
        session.armed = None;
        if leg == self.caller.id {
            self.reliable_due(ctx);
        }
        let Some(session) = self.session(leg) else {
            return;
        };
        let retry = session.retry_at.take_if(|at| *at <= now).is_some();
        match session.timer.due(now) {
            Some(SessionDue::Expired) => {
                tracing::warn!(call = %self.id, leg = %leg, "the session was not refreshed");
                self.leg_lost(ctx, leg, NO_ANSWER);
            }
            Some(SessionDue::Refresh) => self.refresh(ctx, leg),
            None if retry => self.refresh(ctx, leg),
            None => {}
        }
        self.arm(ctx, leg);
    }

    /// Refreshes a session: by UPDATE where the peer takes it, since a re-INVITE that changes nothing
    /// breaks some (JsSIP, when it refuses one).
    fn refresh(&mut self, ctx: &mut Context, leg: LegId) {
        if !self.is_confirmed(leg) {
            return;
        }
        let Some(session) = self.session(leg) else {
            return;
        };
        if session.modifying.is_some() || !session.offers.is_at_rest() {
            session.retry_at = Some(ctx.now + BUSY);
            return;
        }
        let kind = if session.updates == Some(true) {
            Refresh::Update
        } else {
            Refresh::Invite
        };
        self.modify(ctx, leg, kind);
    }

    /// Sends a modification of ours; nothing else may be under way.
    pub(super) fn modify(&mut self, ctx: &mut Context, leg: LegId, kind: Refresh) {
        let owner = self.owner(leg);
        let Some(Parts {
            session,
            dialog,
            description,
        }) = self.parts(leg)
        else {
            return;
        };
        let (method, body) = match (kind, description) {
            (Refresh::Update, _) => (Method::Update, None),
            // RFC 4028 §7.4: the same version says that nothing changes.
            (Refresh::Invite, Some(as_it_is)) => (Method::Invite, Some(as_it_is.said().to_vec())),
            (Refresh::Codec(codec), Some(description)) => {
                (Method::Invite, Some(description.offer_first(codec)))
            }
            (Refresh::Invite | Refresh::Codec(_), None) => return,
        };
        let mut request = dialog.request(method);
        decorate(ctx, &dialog.flow, dialog.secure, &mut request);
        session.timer.propose(&mut request);
        if let Some(body) = body {
            request = request.with_body("application/sdp", body);
            session.offers.invite_sent(true);
        } else {
            session.offers.update_sent(false);
        }
        let challenged = core::mem::take(&mut session.challenged);
        let tx = session.send(ctx, Some(owner), dialog, (request, challenged));
        session.modifying = Some(Modifying { tx, kind });
    }

    /// An answer to a modification of ours; says whether it was one.
    pub(crate) fn modification_answered(
        &mut self,
        ctx: &mut Context,
        leg: LegId,
        tx: ClientTx,
        response: &Message,
    ) -> bool {
        let Some(Modifying { kind, .. }) = self.modifying(leg, tx) else {
            return false;
        };
        let status = response.status().unwrap_or_default();
        if status < 200 {
            return true;
        }
        if status < 300 {
            self.refreshed(ctx, leg, tx, kind, response);
        } else {
            let refused = match kind {
                Refresh::Update | Refresh::Invite => {
                    self.refresh_refused(ctx, leg, (tx, kind), response)
                }
                Refresh::Codec(_) => self.codec_refused(ctx, leg, tx, Some(response)),
            };
            ctx.forget_client(tx);
            if let Refreshed::Gone = refused {
                self.leg_lost(ctx, leg, NO_ANSWER);
            }
        }
        self.arm(ctx, leg);
        true
    }

    /// No answer came to a modification of ours; says whether it was one.
    pub(crate) fn modification_timed_out(
        &mut self,
        ctx: &mut Context,
        leg: LegId,
        tx: ClientTx,
    ) -> bool {
        let Some(Modifying { kind, .. }) = self.modifying(leg, tx) else {
            return false;
        };
        ctx.forget_client(tx);
        if let Refresh::Codec(_) = kind {
            // Nobody needs it: whether the peer is there the next refresh tells.
            self.codec_refused(ctx, leg, tx, None);
            self.arm(ctx, leg);
            return true;
        }
        if let Some(session) = self.session(leg) {
            session.modifying = None;
            session.offers.refusal_came();
        }
        // RFC 3261 §12.2.1.2: a request within a dialog that times out ends the dialog.
        self.leg_lost(ctx, leg, NO_ANSWER);
        self.arm(ctx, leg);
        true
    }

    fn modifying(&mut self, leg: LegId, tx: ClientTx) -> Option<Modifying> {
        self.session(leg)?
            .modifying
            .filter(|modifying| modifying.tx == tx)
    }

    fn refreshed(
        &mut self,
        ctx: &mut Context,
        leg: LegId,
        tx: ClientTx,
        kind: Refresh,
        response: &Message,
    ) {
        let Some(parts) = self.parts(leg) else { return };
        parts.session.note(response);
        parts.session.timer.accepted(ctx.now, response);
        parts.session.modifying = None;
        parts.dialog.refresh_target(response);
        ctx.forget_client(tx);
        if kind == Refresh::Update {
            parts.session.offers.response_came();
            return;
        }
        let task = parts.session.offers.success_came(!response.body.is_empty());
        let number = response.cseq().map_or(1, |cseq| cseq.number);
        let flow = ctx.flow_for_ack(parts.dialog);
        let mut ack = parts.dialog.ack(number);
        if let Some(account) = &parts.session.account {
            account.show_in_ack(ctx, &flow, &mut ack);
        }
        ctx.ack(tx, flow, ack);
        let mut description = parts.description;
        let remote = match (task, &description) {
            (sip::Task::Take, Some(description)) => description.accept(&response.body).ok(),
            _ => None,
        };
        if let Some(description) = &mut description {
            let codec = remote.map(|remote| remote.codec);
            description.settle(codec.map_or(Settled::Crossed, Settled::Answered));
        }
        // It crossed our BYE.
        if self.is_silenced(leg) {
            return;
        }
        if let Some(remote) = remote {
            self.set_remote(ctx, leg, remote);
        }
    }

    fn refresh_refused(
        &mut self,
        ctx: &mut Context,
        leg: LegId,
        (tx, kind): (ClientTx, Refresh),
        response: &Message,
    ) -> Refreshed {
        let own_call_id = leg != self.caller.id;
        let random = ctx.entropy.number();
        let Some(Parts {
            session, dialog, ..
        }) = self.parts(leg)
        else {
            return Refreshed::Alive;
        };
        session.modifying = None;
        match kind {
            Refresh::Update => session.offers.response_came(),
            Refresh::Invite | Refresh::Codec(_) => session.offers.refusal_came(),
        }
        match response.status().unwrap_or_default() {
            408 | 481 => return Refreshed::Gone,
            // RFC 3261 §14.1: it met a modification of the peer's.
            491 => {
                session.retry_at =
                    Some(ctx.now + sip::session::retry_interval(own_call_id, random));
            }
            401 | 407 if session.is_challenged(ctx, tx, dialog, response) => {
                session.challenged = true;
                session.retry_at = Some(ctx.now);
            }
            422 if session.timer.too_small(response) => session.retry_at = Some(ctx.now),
            405 | 501 if kind == Refresh::Update => {
                session.updates = Some(false);
                session.retry_at = Some(ctx.now);
            }
            // It lives, and does not want to be refreshed so.
            _ => session.timer.refused(ctx.now),
        }
        Refreshed::Alive
    }
}

impl Call {
    /// The peer of a leg is not there any more, or has forgotten the session, for this reason: BYE goes
    /// out all the same (RFC 3261 §12.2.1.2, RFC 4028 §10).
    pub(super) fn leg_lost(&mut self, ctx: &mut Context, leg: LegId, reason: &str) {
        if !self.is_up(leg) {
            // On its way out already.
            return;
        }
        if leg == self.first {
            let outcome = self.outcome_when_first_leaves();
            self.end(ctx, outcome, EndedBy::Engine, 408, reason);
            return;
        }
        let by = self.ended_by(leg);
        let owner = self.owner(leg);
        let Some(lost) = self.legs.get_mut(&leg) else {
            return;
        };
        lost.bye(ctx, owner);
        lost.release(ctx);
        self.party_left(ctx, leg, by);
        // The recording of the segment ended with its bridge.
        self.hang_up_leg(ctx, leg);
    }

    /// What a copy of the caller's INVITE may still be forwarded (RFC 3261 §16.6 step 3).
    pub(super) fn forwards_left(&self) -> u8 {
        self.caller
            .invite
            .max_forwards()
            .unwrap_or(70)
            .saturating_sub(1)
    }
}
