//! Owns what a browser's leg needs before audio flows, and while it does: ICE, of which we are the
//! lite side (RFC 8445 §2.5), and the keys (RFC 5764). Datagrams and time in, datagrams and news out.
//!
//! | state     | check under our password      | handshake over            | nothing checked for so long |
//! |-----------|-------------------------------|---------------------------|------------------------|
//! | Unproven  | address is proven             | cannot be: it is not heard | [`ARRIVAL`]: `Gone`   |
//! | Proven    | one that nominates says where | its certificate is the one → Keyed; another → Over, `Gone` | [`PRESENCE`]: → Over, `Gone` |
//! | Keyed     | as before                     | cannot be: there is one   | [`PRESENCE`]: → Over, `Gone` |
//! | Over      | ignored                       | ignored                   | ignored                |
//!
//! The lite side asks nobody anything: it answers. So a check proves that its sender knows the
//! password and is where it seems to be, or has a copy of somebody's check. Hence no address is sent
//! audio for a check alone: the first is one with which the handshake was made, the next one of those
//! that are nominated, once something came from it under the keys of the session ([`Session::authentic`]).
//! The consent that RFC 7675 asks for is that the browser goes on to ask.

use core::net::SocketAddr;
use core::time::Duration;
use std::collections::VecDeque;
use std::time::Instant;

use ring::hmac;
use vocab::Time;
use vocab::browser::{BrowserPeer, IceCredentials};
use vocab::srtp::Crypto;

use crate::dtls::{Handshake, Heard, Identity, Outcome};
use crate::stun::{self, Reply, Request};

/// A browser that has asked nothing for so long is gone: three of the pauses between checks of consent
/// (RFC 7675 §5.1).
pub const PRESENCE: Duration = Duration::from_secs(15);
/// One that was named and has never asked is told of as gone after so long, and again: it may have heard of
/// us only when its call was answered, so whoever is told knows whether it is late.
pub const ARRIVAL: Duration = Duration::from_secs(30);
/// Addresses of a browser that are known at once: pairs of its networks and ours. Further ones take
/// the place of those that are not in use.
const ADDRESSES_MAX: usize = 8;

/// What is to be done or known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Send this.
    Send {
        /// To whom.
        to: SocketAddr,
        /// What.
        datagram: Vec<u8>,
    },
    /// What comes from there is this browser's from now on.
    Found(SocketAddr),
    /// And not any more.
    Forgotten(SocketAddr),
    /// Audio is protected by these keys from now on; before there is none.
    Keys(Crypto),
    /// Audio goes there from now on.
    Target(SocketAddr),
    /// The browser is not there any more, or is not the one it should be.
    Gone(&'static str),
}

/// The way to one browser.
pub struct Session {
    peer: BrowserPeer,
    password: hmac::Key,
    identity: Identity,
    /// The instant of [`Time::ZERO`]: the handshake has another notion of time.
    epoch: Instant,
    handshake: Handshake,
    keyed: bool,
    over: bool,
    addresses: [Option<SocketAddr>; ADDRESSES_MAX],
    nominated: Option<SocketAddr>,
    target: Option<SocketAddr>,
    checked_at: Time,
    outputs: VecDeque<Output>,
}

impl Session {
    /// A browser that was named in a session description.
    #[must_use]
    pub fn new(now: Time, peer: BrowserPeer, identity: &Identity, epoch: Instant) -> Self {
        Self {
            password: stun::key(peer.ours.password_octets()),
            peer,
            handshake: Handshake::new(identity),
            identity: identity.clone(),
            epoch,
            keyed: false,
            over: false,
            addresses: [None; ADDRESSES_MAX],
            nominated: None,
            target: None,
            checked_at: now,
            outputs: VecDeque::new(),
        }
    }

    /// By what packets of before an address is known find it.
    #[must_use]
    pub const fn ours(&self) -> &IceCredentials {
        &self.peer.ours
    }

    /// Addresses of the browser.
    pub fn addresses(&self) -> impl Iterator<Item = SocketAddr> {
        self.addresses.iter().flatten().copied()
    }

    /// The negotiation says again who the browser is. Another name and password: ICE begins anew, and
    /// audio goes on meanwhile (RFC 8445 §9). Another certificate: so does the handshake (RFC 8842 §4).
    pub fn renew(&mut self, now: Time, peer: BrowserPeer) {
        if self.peer.ours != peer.ours {
            self.password = stun::key(peer.ours.password_octets());
            self.checked_at = now;
        }
        if self.peer.certificate != peer.certificate {
            self.handshake = Handshake::new(&self.identity);
            self.keyed = false;
        }
        self.peer = peer;
    }

    /// A binding request that names us came.
    pub fn check(&mut self, now: Time, from: SocketAddr, request: &Request<'_>) {
        let for_us = request.addressee() == Some(self.peer.ours.ufrag_octets());
        // Who does not know the password is told nothing, not even that it is wrong.
        if self.over || !for_us || !request.is_under(&self.password) {
            return;
        }
        let reply = if request.has_unknown() {
            Reply::Unknown
        } else if !request.controls {
            Reply::RoleConflict
        } else {
            Reply::Seen(from)
        };
        let answer = request.answer(reply, &self.password);
        self.send(from, answer.octets().to_vec());
        if reply != Reply::Seen(from) {
            return;
        }
        self.checked_at = now;
        self.find(from);
        if request.nominates {
            self.nominated = Some(from);
        }
    }

    /// A datagram of the handshake came from an address of the browser.
    pub fn handshake(&mut self, now: Time, from: SocketAddr, datagram: &[u8]) {
        if self.over || !self.addresses().any(|known| known == from) {
            return;
        }
        let heard = self.handshake.hear(self.epoch + since_start(now), datagram);
        self.send_handshake(from);
        match heard {
            Heard::Nothing => {}
            Heard::Done(outcome) => self.handshaken(from, &outcome),
            // Before there are keys anybody may have said so.
            Heard::Closed if self.keyed => self.gone("the browser has closed the connection"),
            Heard::Closed => {}
        }
    }

    /// Something came from there under the keys of the session: true if audio goes there from now on.
    pub fn authentic(&mut self, from: SocketAddr) -> bool {
        let moves = self.target != Some(from) && self.nominated == Some(from) && self.keyed;
        if moves {
            self.target = Some(from);
        }
        moves
    }

    /// Where audio goes.
    #[must_use]
    pub const fn target(&self) -> Option<SocketAddr> {
        self.target
    }

    /// About a second has passed.
    pub fn due(&mut self, now: Time) {
        if self.over {
            return;
        }
        let silent = now.since(self.checked_at);
        if self.addresses().next().is_none() {
            if silent >= ARRIVAL {
                self.checked_at = now;
                let reason = "the browser has never asked for us";
                self.outputs.push_back(Output::Gone(reason));
            }
            return;
        }
        if silent >= PRESENCE {
            self.gone("the browser does not ask for us any more");
            return;
        }
        self.handshake.due(self.epoch + since_start(now));
        if let Some(to) = self.nominated.or_else(|| self.addresses().next()) {
            self.send_handshake(to);
        }
    }

    /// The leg is over: the browser is told.
    pub fn close(&mut self, now: Time) {
        if let (Some(to), false) = (self.target, self.over) {
            self.handshake.close(self.epoch + since_start(now));
            self.send_handshake(to);
        }
        self.over = true;
    }

    /// The next thing to be done; `None`: that was all.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    fn handshaken(&mut self, from: SocketAddr, outcome: &Outcome) {
        if outcome.certificate != Some(self.peer.certificate) {
            self.gone("the browser's certificate is not the one of its session description");
            return;
        }
        let Some(keys) = outcome.keys else {
            self.gone("the browser knows no profile of SRTP that we know");
            return;
        };
        self.keyed = true;
        self.outputs.push_back(Output::Keys(keys));
        self.aim(self.nominated.unwrap_or(from));
    }

    fn aim(&mut self, to: SocketAddr) {
        self.target = Some(to);
        self.outputs.push_back(Output::Target(to));
    }

    fn find(&mut self, from: SocketAddr) {
        if self.addresses().any(|known| known == from) {
            return;
        }
        let in_use = [self.target, self.nominated];
        let free = self
            .addresses
            .iter_mut()
            .filter(|place| place.is_none() || !in_use.contains(place))
            .min_by_key(|place| place.is_some());
        if let Some(place) = free {
            let former = place.replace(from);
            self.outputs.extend(former.map(Output::Forgotten));
            self.outputs.push_back(Output::Found(from));
        }
    }

    fn gone(&mut self, reason: &'static str) {
        self.over = true;
        self.outputs.push_back(Output::Gone(reason));
    }

    fn send(&mut self, to: SocketAddr, datagram: Vec<u8>) {
        self.outputs.push_back(Output::Send { to, datagram });
    }

    fn send_handshake(&mut self, to: SocketAddr) {
        while let Some(datagram) = self.handshake.next_datagram() {
            self.send(to, datagram);
        }
    }
}

const fn since_start(now: Time) -> Duration {
    now.since(Time::ZERO)
}

#[cfg(test)]
mod tests;
