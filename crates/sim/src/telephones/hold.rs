//! Owns the hold of a talk that is up: an operator puts the caller on hold by a re-INVITE, and comes
//! back by another, or hangs up meanwhile.

use core::time::Duration;

use sip::{ClientTx, HeaderName, Message, Method};

use super::{Leg, State, Telephone};
use crate::endpoint::name_addr;
use crate::room::{Alarm, Room};
use crate::scenario::Fault;

/// Whether a talk is on hold, and the re-INVITE that is to change it.
#[derive(Default)]
pub(super) struct Hold {
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

impl Telephone {
    /// Asks for hold, or for the talk to go on.
    pub(super) fn change_hold(&mut self, room: &mut Room, number: u64) {
        let leg = self.legs.iter_mut().find(|leg| leg.number == number);
        let Some(State::Up { dialog, hold }) = leg.map(|leg| &mut leg.state) else {
            return;
        };
        if hold.asking.is_some() {
            return;
        }
        hold.changes += 1;
        let offer = self.endpoint.changed(number, 1 + hold.changes, !hold.held);
        let mut invite = dialog.request(Method::Invite);
        let contact = name_addr(self.endpoint.contact(&self.login)).to_string();
        invite.headers.push(HeaderName::Contact, contact);
        let invite = invite.with_body("application/sdp", offer.into_bytes());
        hold.asking = Some(self.endpoint.request(room.now, invite));
        room.count(Fault::Holds);
    }

    pub(super) fn is_of_hold(&self, tx: ClientTx) -> bool {
        self.legs.iter().any(|leg| leg.asks(tx))
    }

    /// The engine agrees, or is changing the session itself and says so by 491.
    pub(super) fn hold_answered(&mut self, room: &mut Room, tx: ClientTx, response: &Message) {
        let status = response.status().unwrap_or(0);
        let Some(leg) = self.legs.iter_mut().find(|leg| leg.asks(tx)) else {
            return;
        };
        let number = leg.number;
        let State::Up { dialog, hold } = &mut leg.state else {
            return;
        };
        match (status, response.cseq()) {
            (..=199, _) => return,
            (200..=299, Ok(cseq)) => {
                self.endpoint.ack(room.now, tx, dialog.ack(cseq.number));
                hold.held = !hold.held;
            }
            _ => {}
        }
        hold.asking = None;
        // RFC 3261 §14.1: after glare not at once. An operator who holds comes back some time.
        if hold.held || status == 491 {
            let later = self
                .random
                .between(Duration::from_secs(2), Duration::from_secs(20));
            room.alarm(later, Alarm::Hold(self.index, number));
        }
    }

    /// Nobody answered: the talk stays as it was.
    pub(super) fn hold_unanswered(&mut self, tx: ClientTx) {
        for leg in &mut self.legs {
            if let State::Up { hold, .. } = &mut leg.state {
                hold.asking.take_if(|asked| *asked == tx);
            }
        }
    }
}
