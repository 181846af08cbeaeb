//! Owns what is done for each leg about once a second, packets or not: reports to its peer, and a
//! look whether the peer is silent that ought to speak. All legs come round in ten parts, so that no
//! turn has many of them.

use core::net::SocketAddr;
use core::time::Duration;

use udp_io::{Packet, SocketId, Udp};
use vocab::Time;
use vocab::media::MediaEvent;

use super::{Leg, Worker, leg_at};
use crate::relay::{self, Towards};
use crate::reports::NtpClock;
use crate::rtcp::REPORT_BYTES_MAX;
use crate::silence::OneWay;
use crate::srtp::GROWTH_MAX;

/// Every leg is looked after once in so many parts of [`ROUND`].
const PARTS: usize = 10;
const ROUND: Duration = Duration::from_secs(1);

/// Whose turn it is.
#[derive(Debug, Default)]
pub(super) struct Round {
    part: usize,
    due: Time,
}

impl<U: Udp, R: Fn(MediaEvent)> Worker<U, R> {
    /// When legs are to be looked after; never if there are none.
    pub(super) fn watch_due(&self) -> Option<Time> {
        (!self.by_id.is_empty()).then_some(self.round.due)
    }

    /// Looks after the legs whose turn it is.
    pub(super) fn watch(&mut self, now: Time) {
        if self.watch_due().is_none_or(|due| due > now) {
            return;
        }
        self.round.due = now + ROUND / PARTS as u32;
        self.round.part = (self.round.part + 1) % PARTS;
        for index in (self.round.part..self.legs.len()).step_by(PARTS) {
            let socket = |leg: &Option<Box<Leg>>| leg.as_ref().map(|leg| leg.sockets.rtp);
            let socket = self.legs.get(index).and_then(socket);
            let other_speaks = socket.is_some_and(|socket| self.others_speak(now, socket));
            self.attend_browser(now, index);
            let Some(Some(leg)) = self.legs.get_mut(index) else {
                continue;
            };
            report(&mut self.udp, leg, (now, self.rules.ntp), false);
            super::alone::tell(&self.report, now, leg);
            if let Some(one_way) = leg.party.silence().one_way(now, other_speaks) {
                tell_one_way(&self.report, leg, one_way);
            }
            let limit = self.rules.silence;
            let silent = limit.and_then(|limit| leg.party.silence().timed_out(now, limit));
            if let Some(silent) = silent {
                (self.report)(MediaEvent::Silent {
                    call: leg.call,
                    leg: leg.id,
                    ms: u64::try_from(silent.as_millis()).unwrap_or(u64::MAX),
                });
            }
        }
    }

    /// A packet came to the RTCP socket of a leg.
    pub(super) fn hear_control(&mut self, now: Time, mut packet: Packet<'_>) {
        let socket = self.control.get(packet.socket.index()).copied().flatten();
        let ntp = self.rules.ntp;
        let Some(leg) = leg_at(&mut self.legs, socket) else {
            return;
        };
        // What is not under the peer's key is nobody's (SRTCP, RFC 3711 §3.4).
        if let Some(srtp) = &mut leg.srtp {
            let Some(length) = srtp.open_control(packet.bytes_mut()) else {
                leg.party.refuse();
                return;
            };
            packet.resize(length);
        }
        let from = (packet.from, false);
        relay::hear_control(&mut leg.party, (now, ntp), from, packet.bytes());
    }

    /// Notes whose the packets of a leg's RTCP socket are.
    pub(super) fn note_control(&mut self, control: Option<SocketId>, leg: Option<SocketId>) {
        let Some(control) = control else { return };
        while self.control.len() <= control.index() {
            self.control.push(None);
        }
        if let Some(place) = self.control.get_mut(control.index()) {
            *place = leg;
        }
    }

    /// Whoever was told of as not heard is in no bridge any more.
    pub(super) fn watch_no_bridge(&mut self, socket: SocketId) {
        if let Some(leg) = leg_at(&mut self.legs, Some(socket))
            && let Some(ended) = leg.party.silence().unbridge()
        {
            tell_one_way(&self.report, leg, ended);
        }
    }

    /// Legs of a bridge or mix are watched from now on.
    pub(super) fn watch_bridge(&mut self, now: Time, sockets: &[SocketId]) {
        for socket in sockets {
            self.watch_no_bridge(*socket);
            if let Some(leg) = leg_at(&mut self.legs, Some(*socket)) {
                leg.party.silence().bridge(now);
            }
        }
    }
}

fn tell_one_way(tell: &impl Fn(MediaEvent), leg: &Leg, one_way: OneWay) {
    let (call, leg) = (leg.call, leg.id);
    tell(match one_way {
        OneWay::Began => MediaEvent::OneWayBegan { call, leg },
        OneWay::Ended => MediaEvent::OneWayEnded { call, leg },
    });
}

/// Sends the report of a leg that is due, or its last one. One that the system does not take is
/// lost, as on the network.
pub(super) fn report(udp: &mut impl Udp, leg: &mut Leg, at: (Time, NtpClock), closes: bool) {
    let mut place = [0; REPORT_BYTES_MAX];
    let Some((length, towards)) = relay::report(&mut leg.party, at, closes, &mut place) else {
        return;
    };
    let mut room = [0; REPORT_BYTES_MAX + GROWTH_MAX];
    for (to, octet) in room.iter_mut().zip(place) {
        *to = octet;
    }
    let length = match &mut leg.srtp {
        None => length,
        // One that cannot be protected does not go out at all.
        Some(srtp) => match srtp.seal_control(&mut room, length) {
            Some(length) => length,
            None => return,
        },
    };
    let bytes = room.get(..length).unwrap_or_default();
    let (socket, to): (_, Option<SocketAddr>) = match towards {
        Towards::Rtp if leg.connected => (Some(leg.sockets.rtp), None),
        Towards::Rtp => (Some(leg.outlet()), leg.party.target()),
        Towards::Apart(to) => (leg.sockets.rtcp, Some(to)),
    };
    if let Some(socket) = socket {
        let _ = udp.send(socket, to, bytes);
    }
}
