//! Owns the hold of a talk that is up: an operator puts the caller on hold by a re-INVITE, and comes
//! back by another, or hangs up meanwhile.

use sip::{ClientTx, Message, Method};
use vocab::Time;

use super::{Leg, Legs, State};
use crate::endpoint::Endpoint;

/// Whether a talk is on hold, and the re-INVITE that is to change it.
#[derive(Default)]
pub(crate) struct Hold {
    held: bool,
    changes: u64,
    asking: Option<ClientTx>,
}

impl Leg {
    /// Whether a re-INVITE of ours is under way.
    pub(super) const fn is_changing(&self) -> bool {
        matches!(&self.state, State::Up { hold, .. } if hold.asking.is_some())
    }

    fn asks(&self, tx: ClientTx) -> bool {
        matches!(&self.state, State::Up { hold, .. } if hold.asking == Some(tx))
    }
}

impl Legs {
    /// Asks for hold, or for the talk to go on; says whether it was asked.
    pub(crate) fn change_hold(&mut self, endpoint: &mut Endpoint, now: Time, number: u64) -> bool {
        if self.leg(number).is_none_or(|leg| leg.is_changing()) {
            return false;
        }
        let Some(invite) = self.request(endpoint, number, Method::Invite) else {
            return false;
        };
        let Some(State::Up { hold, .. }) = self.leg(number).map(|leg| &mut leg.state) else {
            return false;
        };
        hold.changes += 1;
        let offer = endpoint.changed(number, 1 + hold.changes, !hold.held);
        let invite = invite.with_body("application/sdp", offer.into_bytes());
        hold.asking = Some(endpoint.request(now, invite));
        true
    }

    pub(crate) fn is_of_hold(&self, tx: ClientTx) -> bool {
        self.all.iter().any(|leg| leg.asks(tx))
    }

    /// The engine agrees, or is changing the session itself and says so by 491. The leg that is to be
    /// changed again.
    pub(crate) fn hold_answered(
        &mut self,
        endpoint: &mut Endpoint,
        now: Time,
        tx: ClientTx,
        response: &Message,
    ) -> Option<u64> {
        let status = response.status().unwrap_or(0);
        let leg = self.all.iter_mut().find(|leg| leg.asks(tx))?;
        let number = leg.number;
        let State::Up { dialog, hold } = &mut leg.state else {
            return None;
        };
        match (status, response.cseq()) {
            (..=199, _) => return None,
            (200..=299, Ok(cseq)) => {
                endpoint.ack(now, tx, dialog.ack(cseq.number));
                hold.held = !hold.held;
            }
            _ => {}
        }
        hold.asking = None;
        // RFC 3261 §14.1: after glare not at once. An operator who holds comes back some time.
        (hold.held || status == 491).then_some(number)
    }

    /// Nobody answered: the talk stays as it was.
    pub(super) fn hold_unanswered(&mut self, tx: ClientTx) {
        for leg in &mut self.all {
            if let State::Up { hold, .. } = &mut leg.state {
                hold.asking.take_if(|asked| *asked == tx);
            }
        }
    }
}
