//! Owns the change to a codec that both have who talk: a caller is answered before anybody knows who will
//! take the call, so perhaps with a codec that the operator's telephone has not. If either of the two has shown
//! that it has the codec of the other, it is offered that one before the others, by one re-INVITE.
//! Answered with it, nothing is translated any more. Until then, and if it is refused, crosses an offer of
//! the peer's or is not answered, the translation goes on, and these two are not asked again.
//!
//! Nobody is asked who is on hold, who talks in a mix (everybody is decoded there), or while another
//! modification is under way: then after it.

use sip::{ClientTx, Message};
use vocab::LegId;
use vocab::media::{Codec, Remote};

use super::leg::{Description, Settled};
use super::midcall::Parts;
use super::session::{Refresh, Refreshed};
use super::{Call, State};
use crate::context::Context;

impl Call {
    /// Something changed that may let the two who talk have one codec.
    pub(crate) fn choose_codec_anew(&mut self, ctx: &mut Context) {
        let State::Talking { leg } = self.state else {
            return;
        };
        let pair = (self.first, leg);
        if self.rechosen == Some(pair) || self.is_conference() || self.is_supervised() {
            return;
        }
        let Some((asked, codec)) = self.codec_for_both(pair) else {
            return;
        };
        if self.is_confirmed(asked) && self.is_at_rest(asked) {
            tracing::info!(call = %self.id, leg = %asked, codec = codec.name(),
                "a party is offered the codec of the other");
            self.rechosen = Some(pair);
            self.expect(ctx, asked);
            self.modify(ctx, asked, Refresh::Codec(codec));
            self.arm(ctx, asked);
        }
    }

    /// Which of two is to change to the codec of the other, the better one where either could.
    fn codec_for_both(&self, (first, second): (LegId, LegId)) -> Option<(LegId, Codec)> {
        let sides = [(first, second), (second, first)];
        let possible = sides.into_iter().filter_map(|(asked, other)| {
            let ((description, has), (_, wanted)) = (self.speech(asked)?, self.speech(other)?);
            let talk = [has, wanted]
                .iter()
                .all(|remote| remote.send && remote.receive);
            let codec = wanted.codec;
            let helps = has.codec.is_translated_to(codec) && description.may_offer(codec, has);
            (talk && helps).then_some((asked, codec))
        });
        // The first of equals.
        possible.min_by_key(|(_, codec)| !codec.is_wideband())
    }

    /// What we say at a leg, and what its peer said.
    fn speech(&self, leg: LegId) -> Option<(&Description, &Remote)> {
        if leg == self.caller.id {
            return self
                .caller
                .description
                .as_ref()
                .zip(self.caller.remote.as_ref());
        }
        let leg = self.legs.get(&leg)?;
        leg.description.as_ref().zip(leg.remote.as_ref())
    }

    fn is_at_rest(&mut self, leg: LegId) -> bool {
        self.session(leg)
            .is_some_and(|session| session.modifying.is_none() && session.offers.is_at_rest())
    }

    /// What the peer sends by its answer may be here before that.
    fn expect(&mut self, ctx: &mut Context, leg: LegId) {
        let Some((description, remote)) = self.speech(leg) else {
            return;
        };
        let awaited = description.awaiting(*remote);
        if awaited != *remote {
            self.set_remote(ctx, leg, awaited);
        }
    }

    /// The offer was refused, or no answer came: the session is what it was.
    pub(super) fn codec_refused(
        &mut self,
        ctx: &Context,
        leg: LegId,
        tx: ClientTx,
        response: Option<&Message>,
    ) -> Refreshed {
        let Some(Parts {
            session,
            dialog,
            description,
        }) = self.parts(leg)
        else {
            return Refreshed::Alive;
        };
        session.modifying = None;
        session.offers.refusal_came();
        let status = response.and_then(Message::status);
        // The same offer is to come in another form.
        let again = response.is_some_and(|refusal| match refusal.status() {
            Some(401 | 407) => {
                session.challenged = session.is_challenged(ctx, tx, dialog, refusal);
                session.challenged
            }
            Some(422) => session.timer.too_small(refusal),
            _ => false,
        });
        let settled = match status {
            // RFC 3261 §14.2: it met a modification of the peer's.
            Some(491 | 500) => Settled::Crossed,
            _ if again => Settled::Crossed,
            _ => Settled::Refused,
        };
        if let Some(description) = description {
            description.settle(settled);
        }
        if again {
            self.rechosen = None;
        }
        tracing::info!(call = %self.id, %leg, status, ?settled, "a party keeps its codec");
        match status {
            Some(481) => Refreshed::Gone,
            _ => Refreshed::Alive,
        }
    }
}
