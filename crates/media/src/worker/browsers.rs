//! Owns the port that the browsers of a media thread share, and which leg each of its packets is for: by
//! the name in a check (RFC 8445 §7.3), else by the address that a check has proven. What ICE and DTLS make
//! of it is `browser`'s; audio goes the way of all audio.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use browser::stun::Request;
use browser::{Identity, Kind, Output, Session};
use udp_io::{Packet, SocketId, Udp};
use vocab::Time;
use vocab::browser::{BrowserPeer, IceCredentials};
use vocab::media::MediaEvent;

use super::{Worker, leg_at, protect};
use crate::relay::Party;

/// The browsers of a thread.
pub(super) struct Browsers {
    socket: SocketId,
    port: u16,
    identity: Identity,
    /// The instant of [`Time::ZERO`].
    epoch: Instant,
    /// Legs by the name that we go by there.
    by_name: HashMap<[u8; IceCredentials::UFRAG], SocketId>,
    /// Legs by the addresses of their browsers; as many for each as a session keeps.
    by_address: HashMap<SocketAddr, SocketId>,
}

/// A leg's peer that is a browser.
pub(super) struct Browser {
    /// The port of all of them.
    pub(super) socket: SocketId,
    session: Session,
}

impl Browsers {
    /// Where browsers send to.
    pub(super) const fn port(&self) -> u16 {
        self.port
    }

    /// No leg is a browser's.
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.by_name.is_empty() && self.by_address.is_empty()
    }

    /// An address is a leg's no more, unless it is another's by now.
    fn forget(&mut self, address: SocketAddr, leg: SocketId) {
        if self.by_address.get(&address) == Some(&leg) {
            self.by_address.remove(&address);
        }
    }
}

impl Browser {
    /// Whether what came counts as the browser's: it does if it was under its keys, and nothing does
    /// before there are keys. May tell where the browser is now.
    pub(super) fn proves(&mut self, party: &mut Party, from: SocketAddr, keyed: bool) -> bool {
        if !keyed {
            party.refuse();
        } else if self.session.authentic(from) {
            party.prove(from);
        }
        keyed
    }
}

impl<U: Udp, R: Fn(MediaEvent)> Worker<U, R> {
    /// From now on legs may be browsers'.
    ///
    /// # Errors
    /// The system's: the port is taken.
    pub(crate) fn listen_to_browsers(
        &mut self,
        (address, port): (IpAddr, u16),
        identity: Identity,
        epoch: Instant,
    ) -> io::Result<()> {
        let socket = self.udp.bind_shared(SocketAddr::new(address, port))?;
        self.browsers = Some(Browsers {
            socket,
            port: self.udp.local(socket).map_or(port, |local| local.port()),
            identity,
            epoch,
            by_name: HashMap::new(),
            by_address: HashMap::new(),
        });
        Ok(())
    }

    pub(super) fn is_of_browsers(&self, socket: SocketId) -> bool {
        matches!(&self.browsers, Some(browsers) if browsers.socket == socket)
    }

    /// Takes a packet of the shared port. Audio is left to the caller: the leg that it is for.
    pub(super) fn browser_sent(&mut self, now: Time, packet: &Packet<'_>) -> Option<SocketId> {
        let browsers = self.browsers.as_ref()?;
        let (from, bytes) = (packet.from, packet.bytes());
        let known = browsers.by_address.get(&from).copied();
        match Kind::of(bytes)? {
            Kind::Audio => known,
            Kind::Check => {
                let request = Request::read(bytes)?;
                let name = request.addressee()?.try_into().ok()?;
                let leg = browsers.by_name.get::<[u8; _]>(name).copied()?;
                self.tell_session(leg, |session| session.check(now, from, &request));
                None
            }
            Kind::Handshake => {
                self.tell_session(known?, |session| session.handshake(now, from, bytes));
                None
            }
        }
    }

    /// The negotiation says that a leg's peer is this browser, or none.
    pub(super) fn set_browser(
        &mut self,
        now: Time,
        socket: Option<SocketId>,
        peer: Option<BrowserPeer>,
    ) {
        let (Some(socket), Some(browsers)) = (socket, &mut self.browsers) else {
            return;
        };
        let Some(leg) = leg_at(&mut self.legs, Some(socket)) else {
            return;
        };
        if let Some(browser) = &leg.browser {
            browsers
                .by_name
                .remove(browser.session.ours().ufrag_octets());
        }
        let Some(peer) = peer else {
            self.forget_browser(now, socket);
            return;
        };
        browsers.by_name.insert(*peer.ours.ufrag_octets(), socket);
        match &mut leg.browser {
            Some(browser) => browser.session.renew(now, peer),
            None => {
                // What it was sent before, if it was a telephone, nobody is sent any more.
                leg.party.deafen();
                leg.srtp = None;
                if core::mem::take(&mut leg.connected) {
                    // Its own socket is asked for nothing any more; one that stays as it was does no harm.
                    let _ = self.udp.disconnect(leg.sockets.rtp);
                }
                let session = Session::new(now, peer, &browsers.identity, browsers.epoch);
                leg.browser = Some(Box::new(Browser {
                    socket: browsers.socket,
                    session,
                }));
            }
        }
    }

    /// About a second has passed for the browser of the leg at a place.
    pub(super) fn attend_browser(&mut self, now: Time, index: usize) {
        let Some(Some(leg)) = self.legs.get(index) else {
            return;
        };
        if leg.browser.is_some() {
            let socket = leg.sockets.rtp;
            self.tell_session(socket, |session| session.due(now));
        }
    }

    fn forget_browser(&mut self, now: Time, socket: SocketId) {
        self.tell_session(socket, |session| session.close(now));
        let leg = leg_at(&mut self.legs, Some(socket));
        let Some((leg, browsers)) = leg.zip(self.browsers.as_mut()) else {
            return;
        };
        let Some(browser) = leg.browser.take() else {
            return;
        };
        for address in browser.session.addresses() {
            browsers.forget(address, socket);
        }
        leg.party.deafen();
        leg.srtp = None;
    }

    /// Tells a leg's session something and does what it wants then.
    fn tell_session(&mut self, socket: SocketId, tell: impl FnOnce(&mut Session)) {
        let leg = leg_at(&mut self.legs, Some(socket));
        let Some((leg, browsers)) = leg.zip(self.browsers.as_mut()) else {
            return;
        };
        let Some(browser) = &mut leg.browser else {
            return;
        };
        tell(&mut browser.session);
        while let Some(output) = leg.browser.as_mut().and_then(|one| one.session.poll()) {
            match output {
                Output::Send { to, datagram } => {
                    // Lost if the system does not take it, as on the network: both sides repeat.
                    let _ = self.udp.send(browsers.socket, Some(to), &datagram);
                }
                Output::Found(address) => {
                    browsers.by_address.insert(address, socket);
                }
                Output::Forgotten(address) => browsers.forget(address, socket),
                Output::Keys(crypto) => protect(leg, Some(crypto)),
                Output::Target(address) => leg.party.prove(address),
                Output::Gone(reason) => {
                    tracing::info!(call = %leg.call, leg = %leg.id, reason, "browser gone");
                    (self.report)(MediaEvent::Gone {
                        call: leg.call,
                        leg: leg.id,
                        reason: reason.to_owned(),
                    });
                }
            }
        }
    }
}
