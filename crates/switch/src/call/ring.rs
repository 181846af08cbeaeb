//! Owns the INVITEs of a leg: by which way, with what, again with credentials, and what becomes of an
//! answer that nobody waits for any more. Refuses to decide what a failure means: `party` does.

use core::time::Duration;

use sip::{ClientTx, Dialog, Flow, Forks, HeaderName, Heard, Message, Method};
use vocab::{Fact, LegId, OfferResult, Time};

use super::Call;
use super::leg::{Description, MediaState, next_hop};
use super::party::{PartyLeg, Sip};
use crate::context::{Context, Timer};
use crate::trunk::Direction;
use crate::way::{Next, Way};

/// An INVITE of ours.
pub(super) struct Sent {
    pub(super) tx: ClientTx,
    at: Time,
    /// The flow of a telephone; a trunk's is known when it has answered.
    flow: Option<Flow>,
    /// Without Via, and without what depends on the flow.
    head: Message,
    /// What its credentials were made of, if it carried any.
    credentials: Option<Credentials>,
    /// What its branches have said; there is more than one behind a forking proxy.
    forks: Option<Forks>,
}

/// The challenge that an INVITE of ours has answered.
#[derive(Clone)]
struct Credentials {
    challenge: Box<Message>,
    /// Requests that were sent with its nonce, this one included: `nc` (RFC 7616 §3.4.5).
    uses: u32,
    /// Challenges of this call that were answered.
    answers: u8,
}

/// Challenges that are answered for one INVITE: the first, and one that says that the nonce alone
/// was too old.
const ANSWERS_MAX: u8 = 2;

impl Sent {
    /// The branches, once it is known where the INVITE went.
    pub(super) fn forks(&mut self, ctx: &Context) -> Option<&mut Forks> {
        if self.forks.is_none() {
            let flow = ctx.flow_of(self.tx).or(self.flow)?;
            self.forks = Some(Forks::new(self.head.clone(), flow));
        }
        self.forks.as_mut()
    }
}

/// What an INVITE is made of besides its head: it depends on the flow.
#[derive(Clone)]
struct Dress {
    contact_user: Option<String>,
    description: Description,
}

impl Dress {
    fn put_on(&self, ctx: &Context, flow: &Flow, head: &Message) -> Message {
        let mut invite = head.clone();
        let contact = ctx.contact_uri(flow, self.contact_user.as_deref());
        let contact = format!("<{contact}>");
        invite.headers.set(HeaderName::Contact, contact);
        let body = self.description.at(ctx.media_address(flow)).offer();
        invite.with_body("application/sdp", body)
    }
}

impl PartyLeg {
    /// The dialog that a 2xx to an INVITE of ours makes.
    pub(super) fn dialog_of(
        &mut self,
        ctx: &Context,
        tx: ClientTx,
        response: &Message,
    ) -> Option<Dialog> {
        let sent = self.invites.iter_mut().find(|sent| sent.tx == tx)?;
        sent.forks(ctx)?.confirm(response)
    }

    /// What a 2xx describes, itself or by what was said before it (RFC 6337 §3.1.1).
    pub(super) fn described(&mut self, ctx: &Context, tx: ClientTx, response: &Message) -> Vec<u8> {
        let sent = self.invites.iter_mut().find(|sent| sent.tx == tx);
        let forks = sent.and_then(|sent| sent.forks(ctx));
        forks.map_or_else(Vec::new, |forks| forks.description(response).to_vec())
    }

    /// A provisional answer: a reliable one is acknowledged, in the early dialog of its branch (RFC
    /// 3262 §4). What the PRACK is answered is of no interest: the INVITE's final answer decides.
    pub(super) fn progressed(&mut self, ctx: &mut Context, tx: ClientTx, response: &Message) {
        let sent = self.invites.iter_mut().find(|sent| sent.tx == tx);
        let Some(forks) = sent.and_then(|sent| sent.forks(ctx)) else {
            return;
        };
        if let Heard::Progress {
            tag,
            prack: Some(prack),
        } = forks.provisional(response)
            && let Some(early) = forks.early(&tag)
        {
            ctx.request_unowned(next_hop(&early.dialog), *prack);
        }
    }

    /// Whether this is a 2xx that nobody waits for: of another telephone behind the same address
    /// (RFC 3261 §13.2.2.4), or of one that was given up.
    pub(super) fn is_stray(&self, status: u16, tx: ClientTx, response: &Message) -> bool {
        let invited = response
            .cseq()
            .is_ok_and(|cseq| cseq.method == Method::Invite);
        let awaited = match self.sip {
            Sip::Inviting { tx: awaited } | Sip::Cancelling { tx: awaited } => awaited == tx,
            Sip::Preparing
            | Sip::Accepted { .. }
            | Sip::Leaving { .. }
            | Sip::Confirmed
            | Sip::Closing { .. }
            | Sip::Closed => false,
        };
        // A 2xx to a re-INVITE of ours is of no INVITE here.
        let ours = self.invites.iter().any(|sent| sent.tx == tx);
        (200..300).contains(&status) && invited && ours && !awaited
    }

    /// Whether an INVITE of ours has this Call-ID and one of these tags.
    pub(super) fn has_invited(&self, call_id: &str, tags: [&str; 2]) -> bool {
        self.invites.iter().any(|sent| {
            let tag = sent.head.from().ok();
            let tag = tag.as_ref().and_then(|from| from.tag());
            sent.head.call_id() == Ok(call_id) && tag.is_some_and(|tag| tags.contains(&tag))
        })
    }

    /// A telephone that is silent, or never answers, is not registered any more: the state shown
    /// is the state there is, and its next REGISTER brings it back.
    pub(super) fn unregister(&self, ctx: &mut Context) {
        let Some(way) = &self.way else { return };
        if let Some(trunk) = way.trunk() {
            ctx.trunks.silent(ctx.now, trunk);
        }
        let operator = self.who.operator().and_then(|id| ctx.operators.get(&id));
        if let Some(operator) = operator {
            if let Next::Telephone(flow) = &way.next {
                ctx.registrar
                    .forget_contact(&operator.login, &way.target, flow);
            }
            ctx.lines.silent(operator.id, &way.target);
        }
    }

    /// The next way that has room.
    fn next_way(&mut self, ctx: &mut Context) -> Option<Way> {
        self.leave_trunk(ctx);
        while let Some(way) = self.ways.pop_front() {
            let Some(trunk) = way.trunk() else {
                return Some(way);
            };
            match ctx.trunks.enter(ctx.now, trunk.trunk, Direction::Out) {
                Ok(seat) => {
                    self.seat = Some(seat);
                    return Some(way);
                }
                Err(full) => tracing::warn!(trunk = trunk.name, ?full, "a trunk is full"),
            }
        }
        None
    }

    /// Tells the trunk that it refused a call, for the time it wants to be left alone.
    pub(super) fn note_refusal(&self, ctx: &mut Context, response: &Message) {
        let trunk = self.way.as_ref().and_then(Way::trunk);
        if let (Some(trunk), Some(status)) = (trunk, response.status()) {
            let after = response.headers.first(&HeaderName::RetryAfter);
            let after = after.and_then(|value| {
                let seconds = value.split(['(', ';', ' ']).next().unwrap_or_default();
                seconds.trim().parse().ok()
            });
            let after = after.map(Duration::from_secs);
            ctx.trunks.refused(ctx.now, trunk, status, after);
        }
    }
}

impl Call {
    pub(super) fn leg_media_opened(&mut self, ctx: &mut Context, id: LegId, port: u16) {
        let Some(leg) = self.legs.get_mut(&id) else {
            return;
        };
        if leg.media != MediaState::Opening || leg.sip != Sip::Preparing {
            return;
        }
        leg.media = MediaState::Open(port);
        if !self.ring_next(ctx, id) {
            if let Some(leg) = self.legs.get_mut(&id) {
                leg.closed(ctx);
            }
            self.leg_failed(ctx, id, OfferResult::Unreachable, None);
        }
    }

    /// Tries the next way to the party, if there is one. What was sent on the last one is over.
    pub(super) fn ring_next(&mut self, ctx: &mut Context, id: LegId) -> bool {
        // The other party's codec first: then nothing has to be translated.
        let spoken = self.first_codec();
        let referred_by = self.referred_by();
        let forwards_left = self.forwards_left();
        let owner = self.owner(id);
        let Some(leg) = self.legs.get_mut(&id) else {
            return false;
        };
        let MediaState::Open(port) = leg.media else {
            return false;
        };
        let Some(way) = leg.next_way(ctx) else {
            return false;
        };
        let mut codecs = ctx.settings.codecs.clone();
        codecs.sort_by_key(|codec| Some(*codec) != spoken);
        let unknown = core::net::IpAddr::V4(core::net::Ipv4Addr::UNSPECIFIED);
        let dress = Dress {
            contact_user: way.contact_user().map(str::to_owned),
            description: Description::new(ctx, unknown, port, codecs),
        };
        let mut head = way.invite(ctx);
        // Who transfers is no business of the outer network's.
        if let (Some(referrer), None) = (referred_by, way.trunk()) {
            head.headers.push(HeaderName::ReferredBy, referrer);
        }
        head.headers
            .set(HeaderName::MaxForwards, forwards_left.to_string());
        head.headers.push(HeaderName::Supported, "100rel");
        leg.session.timer.propose(&mut head);
        leg.description = Some(dress.description.clone());
        let party = leg.who.party(ctx, Some(&way));
        if let (Some(party), Ok(sip_call_id)) = (party, head.call_id()) {
            ctx.record(Fact::LegStarted {
                call: owner.call,
                leg: id,
                party,
                sip_call_id: sip_call_id.to_owned(),
            });
        }
        let (tx, flow) = match &way.next {
            Next::Telephone(flow) => {
                let invite = dress.put_on(ctx, flow, &head);
                (ctx.request(owner, *flow, invite), Some(*flow))
            }
            Next::Trunk(trunk) => {
                let (hop, head) = (trunk.next_hop.clone(), head.clone());
                let build = move |ctx: &Context, flow: &Flow| dress.put_on(ctx, flow, &head);
                let tx = ctx.request_to(Some(owner), hop, Box::new(build));
                (tx, None)
            }
        };
        leg.way = Some(way);
        let at = ctx.now;
        leg.invites.push(Sent {
            tx,
            at,
            flow,
            head,
            credentials: None,
            forks: None,
        });
        leg.sip = Sip::Inviting { tx };
        let silence = ctx.settings.unreachable_after;
        self.timers
            .push(ctx.set_timer(self.id, silence, Timer::Unreachable(id)));
        true
    }

    /// Sends the INVITE again with credentials (RFC 3261 §22.2). False if the challenge is a
    /// refusal: there is no account, it is another realm's, or it refused our credentials.
    pub(super) fn answer_challenge(
        &mut self,
        ctx: &mut Context,
        id: LegId,
        challenge: &Message,
    ) -> bool {
        let sent = self.legs.get(&id).and_then(|leg| leg.invites.last());
        let Some(sent) = sent else {
            return false;
        };
        let answers = sent.credentials.as_ref().map_or(0, |past| past.answers);
        // RFC 7616 §3.3: credentials that were good but for the age of the nonce.
        let fresh = answers == 0 || sip::auth::is_stale(challenge);
        if !fresh || answers >= ANSWERS_MAX {
            return false;
        }
        let head = sent.head.clone();
        let credentials = Credentials {
            challenge: Box::new(challenge.clone()),
            uses: 0,
            answers: answers + 1,
        };
        self.ring_again(ctx, id, head, Some(credentials))
    }

    /// The peer wants longer sessions: the INVITE again, with what it asks for (RFC 4028 §7.3).
    pub(super) fn ring_with_longer_session(
        &mut self,
        ctx: &mut Context,
        id: LegId,
        refusal: &Message,
    ) -> bool {
        let Some(leg) = self.legs.get_mut(&id) else {
            return false;
        };
        if !leg.session.timer.too_small(refusal) {
            return false;
        }
        let Some(sent) = leg.invites.last() else {
            return false;
        };
        let (mut head, credentials) = (sent.head.clone(), sent.credentials.clone());
        leg.session.timer.propose(&mut head);
        self.ring_again(ctx, id, head, credentials)
    }

    /// Sends a refused INVITE once more, changed, to the place that refused it: another might not be
    /// whom the password is for. Credentials are made anew, with the next `nc` of their nonce: a
    /// server takes each once.
    fn ring_again(
        &mut self,
        ctx: &mut Context,
        id: LegId,
        mut head: Message,
        mut credentials: Option<Credentials>,
    ) -> bool {
        let owner = self.owner(id);
        let cnonce = ctx.entropy.tag();
        let Some(leg) = self.legs.get_mut(&id) else {
            return false;
        };
        let trunk = leg.way.as_ref().and_then(Way::trunk);
        if let Some(credentials) = &mut credentials {
            let Some(account) = trunk.and_then(|trunk| trunk.account.as_ref()) else {
                return false;
            };
            credentials.uses = credentials.uses.saturating_add(1);
            let Credentials {
                challenge, uses, ..
            } = credentials;
            if let Err(denied) = account.authorize(&mut head, challenge, &cnonce, *uses) {
                tracing::warn!(call = %owner.call, %denied, "a trunk's challenge is not answered");
                return false;
            }
        }
        let (Some(sent), Some(description)) = (leg.invites.last(), leg.description.clone()) else {
            return false;
        };
        let Some(flow) = ctx.flow_of(sent.tx).or(sent.flow) else {
            return false;
        };
        let number = head.cseq().map_or(1, |cseq| cseq.number.saturating_add(1));
        head.headers
            .set(HeaderName::CSeq, format!("{number} INVITE"));
        let contact_user = leg.way.as_ref().and_then(Way::contact_user);
        let dress = Dress {
            contact_user: contact_user.map(str::to_owned),
            description,
        };
        let invite = dress.put_on(ctx, &flow, &head);
        let tx = ctx.request(owner, flow, invite);
        leg.invites.push(Sent {
            tx,
            at: ctx.now,
            flow: Some(flow),
            head,
            credentials,
            forks: None,
        });
        leg.sip = Sip::Inviting { tx };
        true
    }

    /// The peer has not said a word, not even 100: it is dead, and nobody is to wait for
    /// Timer B (32 s).
    pub(super) fn leg_silent(&mut self, ctx: &mut Context, id: LegId) {
        let Some(leg) = self.legs.get_mut(&id) else {
            return;
        };
        // The timer may be of a telephone that said no before the one that rings now.
        let newest = leg.invites.last().map_or(ctx.now, |sent| sent.at);
        if let Sip::Inviting { tx } = leg.sip
            && ctx.now.since(newest) >= ctx.settings.unreachable_after
            && !ctx.is_heard(tx)
        {
            leg.unregister(ctx);
            ctx.cancel(tx);
            if !self.ring_next(ctx, id)
                && let Some(leg) = self.legs.get_mut(&id)
            {
                leg.sip = Sip::Cancelling { tx };
                self.leg_failed(ctx, id, OfferResult::Unreachable, None);
            }
        }
    }

    /// A peer answered that is not to talk: it gets ACK and BYE, and what it says to the BYE is of no
    /// interest.
    pub(super) fn hang_up_stray(
        &mut self,
        ctx: &mut Context,
        id: LegId,
        tx: ClientTx,
        response: &Message,
    ) {
        let dialog = self
            .legs
            .get_mut(&id)
            .and_then(|leg| leg.dialog_of(ctx, tx, response));
        if let Some(mut dialog) = dialog {
            let number = response.cseq().map_or(1, |cseq| cseq.number);
            ctx.ack(tx, next_hop(&dialog), dialog.ack(number));
            let bye = dialog.request(Method::Bye);
            ctx.request_unowned(next_hop(&dialog), bye);
        }
    }
}
