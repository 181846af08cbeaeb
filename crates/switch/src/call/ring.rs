//! Owns the sending of a leg's INVITEs: by which ways, with what, again with credentials, and what
//! becomes of an answer that nobody waits for any more. Refuses to decide what a failure means:
//! `called` does.
//!
//! The ways to a party are tried group by group, those of one group at once (RFC 3261 §16.6): the
//! telephones of an operator with one q are such a group, each way of a trunk is one by itself.

use sip::{ClientTx, Flow, HeaderName, Message, Method};
use vocab::{Fact, LegId, OfferResult};

use super::Call;
use super::account::{ANSWERS_MAX, Credentials};
use super::leg::{Description, MediaState, Ports, Speech};
use super::party::{PartyLeg, Sip};
use super::sent::Sent;
use crate::context::{Context, Timer};
use crate::trunk::Direction;
use crate::trunk::KeysBy;
use crate::turns;
use crate::way::{Group, Next, Way};

/// What an INVITE is made of besides its head: it depends on the flow.
#[derive(Clone)]
struct Dress {
    contact_user: Option<String>,
    description: Description,
}

impl Dress {
    fn put_on(&self, ctx: &Context, flow: &Flow, head: &Message) -> Message {
        let mut invite = head.clone();
        let user = self.contact_user.as_deref();
        let contact = if sip::is_secured(head) {
            ctx.contact_secured(flow, user)
        } else {
            format!("<{}>", ctx.contact_uri(flow, user))
        };
        invite.headers.set(HeaderName::Contact, contact);
        let body = self.description.at(ctx, flow).offer();
        invite.with_body("application/sdp", body)
    }
}

impl PartyLeg {
    /// The next ways that have room.
    fn next_group(&mut self, ctx: &mut Context) -> Option<Group> {
        self.leave_trunk(ctx);
        while let Some(group) = self.ways.pop_front() {
            // A way of a trunk is a group by itself.
            let Some(trunk) = group.first().and_then(Way::trunk) else {
                return Some(group);
            };
            match ctx.trunks.enter(ctx.now, trunk.trunk, Direction::Out) {
                Ok(seat) => {
                    self.seat = Some(seat);
                    return Some(group);
                }
                Err(full) => tracing::warn!(trunk = trunk.name, ?full, "a trunk is full"),
            }
        }
        None
    }
}

impl Call {
    pub(super) fn leg_media_opened(&mut self, ctx: &mut Context, id: LegId, ports: Ports) {
        let Some(leg) = self.legs.get_mut(&id) else {
            return;
        };
        if leg.media != MediaState::Opening || leg.sip != Sip::Preparing {
            return;
        }
        leg.media = MediaState::Open(ports);
        if !self.ring_next(ctx, id) {
            if let Some(leg) = self.legs.get_mut(&id) {
                leg.closed(ctx);
            }
            self.leg_failed(ctx, id, OfferResult::Unreachable, None);
        }
    }

    /// Tries the next ways to the party, if there are any. What was sent on the last ones is over.
    pub(super) fn ring_next(&mut self, ctx: &mut Context, id: LegId) -> bool {
        // The other party's codec first: then nothing has to be translated.
        let spoken = self.first_codec();
        let Some(leg) = self.legs.get_mut(&id) else {
            return false;
        };
        let MediaState::Open(ports) = leg.media else {
            return false;
        };
        let Some(group) = leg.next_group(ctx) else {
            return false;
        };
        let trunk = group.first().and_then(Way::trunk);
        let of_trunk = trunk
            .map(|trunk| &trunk.codecs)
            .filter(|codecs| !codecs.is_empty());
        let mut codecs = of_trunk.unwrap_or(&ctx.settings.codecs).clone();
        codecs.sort_by_key(|codec| Some(*codec) != spoken);
        let keys = trunk.map_or(KeysBy::default(), |trunk| trunk.keys);
        let protection = trunk.map_or(ctx.settings.protection, |trunk| trunk.protection);
        let speech = Speech {
            codecs,
            protection,
            keys,
        };
        // All of a group are offered one session, and one of them will have it.
        leg.description = Some(Description::new(ctx, ports, speech));
        leg.failure = None;
        leg.sip = Sip::Inviting;
        for way in group {
            self.invite(ctx, id, way);
        }
        let silence = ctx.settings.unreachable_after;
        self.timers
            .push(ctx.set_timer(self.id, silence, Timer::Unreachable(id)));
        true
    }

    /// Sends the INVITE of one way.
    fn invite(&mut self, ctx: &mut Context, id: LegId, way: Way) {
        let referred_by = self.referred_by();
        let forwards_left = self.forwards_left();
        let owner = self.owner(id);
        let session = self.session.clone();
        let Some(leg) = self.legs.get_mut(&id) else {
            return;
        };
        let Some(description) = leg.description.clone() else {
            return;
        };
        let dress = Dress {
            contact_user: way.contact_user().map(str::to_owned),
            description,
        };
        let mut head = way.invite(ctx);
        // Who transfers is no business of the outer network's.
        if let (Some(referrer), None) = (referred_by, way.trunk()) {
            head.headers.push(HeaderName::ReferredBy, referrer);
        }
        head.headers
            .set(HeaderName::MaxForwards, forwards_left.to_string());
        head.headers.push(HeaderName::Supported, "100rel");
        turns::tell(&session, &mut head);
        leg.session.timer.propose(&mut head);
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
        let sent = Sent::new(tx, ctx.now, (way, flow), head, None);
        // Mostly there is one.
        leg.invites.reserve_exact(1);
        leg.invites.push(sent);
    }

    /// Sends the INVITE again with credentials (RFC 3261 §22.2). False if the challenge is a
    /// refusal: there is no account, it is another realm's, or it refused our credentials.
    pub(super) fn answer_challenge(
        &mut self,
        ctx: &mut Context,
        id: LegId,
        tx: ClientTx,
        challenge: &Message,
    ) -> bool {
        let leg = self.legs.get_mut(&id);
        let Some(sent) = leg.and_then(|leg| leg.sent(tx)) else {
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
        self.ring_again(ctx, id, tx, (head, Some(credentials)))
    }

    /// The peer wants longer sessions: the INVITE again, with what it asks for (RFC 4028 §7.3).
    pub(super) fn ring_with_longer_session(
        &mut self,
        ctx: &mut Context,
        id: LegId,
        tx: ClientTx,
        refusal: &Message,
    ) -> bool {
        let Some(leg) = self.legs.get_mut(&id) else {
            return false;
        };
        if !leg.session.timer.too_small(refusal) {
            return false;
        }
        let Some(sent) = leg.sent(tx) else {
            return false;
        };
        let (mut head, credentials) = (sent.head.clone(), sent.credentials.clone());
        leg.session.timer.propose(&mut head);
        self.ring_again(ctx, id, tx, (head, credentials))
    }

    /// Sends a refused INVITE once more, changed, to the place that refused it: another might not be
    /// whom the password is for. Credentials are made anew, with the next `nc` of their nonce: a
    /// server takes each once.
    fn ring_again(
        &mut self,
        ctx: &mut Context,
        id: LegId,
        refused: ClientTx,
        (mut head, mut credentials): (Message, Option<Credentials>),
    ) -> bool {
        let owner = self.owner(id);
        let cnonce = ctx.entropy.tag();
        let Some(leg) = self.legs.get_mut(&id) else {
            return false;
        };
        let description = leg.description.clone();
        let (Some(sent), Some(description)) = (leg.sent(refused), description) else {
            return false;
        };
        let Some(flow) = ctx.flow_of(refused).or(sent.flow) else {
            return false;
        };
        let way = sent.way.clone();
        if let Some(credentials) = &mut credentials {
            let account = way.trunk().and_then(|trunk| trunk.account.as_ref());
            let Some(account) = account else {
                return false;
            };
            if let Err(denied) = credentials.add_to(&mut head, account, &cnonce) {
                tracing::warn!(call = %owner.call, %denied, "a trunk's challenge is not answered");
                return false;
            }
        }
        let number = head.cseq().map_or(1, |cseq| cseq.number.saturating_add(1));
        head.headers
            .set(HeaderName::CSeq, format!("{number} INVITE"));
        let dress = Dress {
            contact_user: way.contact_user().map(str::to_owned),
            description,
        };
        let invite = dress.put_on(ctx, &flow, &head);
        let tx = ctx.request(owner, flow, invite);
        let sent = Sent::new(tx, ctx.now, (way, Some(flow)), head, credentials);
        // Mostly there is one.
        leg.invites.reserve_exact(1);
        leg.invites.push(sent);
        true
    }

    /// Peers that have not said a word, not even 100, are dead, and nobody is to wait for Timer B
    /// (32 s).
    pub(super) fn leg_silent(&mut self, ctx: &mut Context, id: LegId) {
        let Some(leg) = self.legs.get_mut(&id) else {
            return;
        };
        // The timer may be of a telephone that said no before those that ring now.
        let silence = ctx.settings.unreachable_after;
        let silent: Vec<ClientTx> = leg
            .invites
            .iter()
            .filter(|sent| sent.is_awaited() && ctx.now.since(sent.at) >= silence)
            .map(|sent| sent.tx)
            .filter(|tx| !ctx.is_heard(*tx))
            .collect();
        for tx in silent {
            if let Some(leg) = self.legs.get_mut(&id) {
                leg.unregister(ctx, tx);
                leg.withdraw(ctx, tx);
            }
            self.way_failed(ctx, id, OfferResult::Unreachable, None);
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
        let Some(leg) = self.legs.get_mut(&id) else {
            return;
        };
        if let Some(mut dialog) = leg.dialog_of(ctx, tx, response) {
            let number = response.cseq().map_or(1, |cseq| cseq.number);
            let flow = ctx.flow_for_ack(&dialog);
            ctx.ack(tx, flow, dialog.ack(number));
            let bye = dialog.request(Method::Bye);
            if let Some(sent) = leg.sent(tx) {
                sent.send(ctx, &dialog, bye);
            }
        }
    }
}
