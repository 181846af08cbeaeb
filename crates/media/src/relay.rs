//! Owns what becomes of one packet: a pure function of the legs' states, the bytes and the time.
//! No socket, no clock, no allocation; any bytes are handled without a panic.
//!
//! [`receive`] judges a packet of a leg's peer; [`forward`] turns it, in place, into the packet
//! for the other leg's peer, and says which part of it that is; [`prompt`] makes a packet of our own,
//! [`key`] one of a key; [`control`] has RTCP.

mod control;
mod keys;

use core::net::SocketAddr;
use core::ops::Range;

use vocab::media::{Codec, Law, Remote};
use vocab::{LegCounts, Time};

use crate::audio::FRAME_SAMPLES;
use crate::codec::Decoder;
use crate::digits::Digits;
use crate::incoming::{Incoming, Seen};
use crate::latch::{Admission, Latch, Latching};
use crate::outgoing::{Content, Outgoing};
use crate::presses::{Presses, Way};
use crate::reports::Reports;
use crate::rtp::{HEADER_BYTES, Header};
use crate::silence::Silence;
use crate::speaker::Spoken;

/// The static payload type of comfort noise at 8 kHz (RFC 3389 §4).
const COMFORT_NOISE: u8 = 13;
/// Octets of a packet that we make.
pub(crate) const FRAME_BYTES: usize = HEADER_BYTES + FRAME_SAMPLES;

pub(crate) use control::{Towards, hear_control, report};
use keys::KeysInAudio;
pub(crate) use keys::{KEY_FRAMES, key, key_sound};

/// One leg as far as packets can change it.
#[derive(Debug)]
pub(crate) struct Party {
    remote: Option<Remote>,
    latch: Latch,
    incoming: Incoming,
    digits: Digits,
    keys_in_audio: KeysInAudio,
    presses: Presses,
    /// The press under way was told by another way before.
    press_is_known: bool,
    outgoing: Outgoing,
    reports: Reports,
    silence: Silence,
    /// Where the peer's RTCP comes from, if it has one of its own.
    rtcp_source: Option<SocketAddr>,
    heard: bool,
    sent: u64,
    sent_octets: u64,
    received: u64,
    refused: u64,
}

/// A packet of the peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Arrival {
    /// Its header.
    pub(crate) header: Header,
    /// What it holds.
    pub(crate) kind: Kind,
    /// Whether it is the first the peer ever sent.
    pub(crate) first: bool,
    /// Where the peer is, if this packet settled it for good.
    pub(crate) locked: Option<SocketAddr>,
    /// The key whose press begins with it, unless another way told of it already.
    pub(crate) digit: Option<char>,
    /// It came before.
    pub(crate) is_double: bool,
    /// It is of a press that another way told of, and which was passed on then.
    pub(crate) is_known: bool,
    /// Units of an event's duration in a second.
    event_clock: u32,
}

/// What a packet of the peer holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Audio of this codec.
    Audio(Codec),
    /// A telephone-event.
    Event,
    /// The peer is silent and says how that sounds (RFC 3389).
    ComfortNoise,
    /// Nothing to pass on: empty (keep-alive, RFC 6263 §4.3).
    Empty,
}

impl Party {
    /// A leg whose peer is not known yet; `random` begins its outgoing stream and names it.
    pub(crate) fn new(random: [u64; 3]) -> Self {
        let [stream, name @ ..] = random;
        Self {
            remote: None,
            latch: Latch::default(),
            incoming: Incoming::default(),
            digits: Digits::default(),
            keys_in_audio: KeysInAudio::default(),
            presses: Presses::default(),
            press_is_known: false,
            // In the lower half of its round, so that a peer who missed the first packets of an SRTP
            // stream does not miss that a round has ended (RFC 3711 §3.3.1).
            outgoing: Outgoing::new(stream & !(0x8000 << 32)),
            reports: Reports::new(name),
            silence: Silence::default(),
            rtcp_source: None,
            heard: false,
            sent: 0,
            sent_octets: 0,
            received: 0,
            refused: 0,
        }
    }

    /// The negotiation says where and how. True if the peer is to be looked for anew.
    pub(crate) fn set_remote(&mut self, now: Time, remote: Remote) -> bool {
        self.remote = Some(remote);
        self.outgoing.set_rate(now, remote.codec.clock_rate());
        self.keys_in_audio.agree(now, &remote);
        self.reports.begin(now);
        self.silence.owe(now, remote.receive);
        let anew = self.latch.aim(now, remote.address);
        if anew {
            self.rtcp_source = None;
        }
        anew
    }

    /// The peer is there, as ICE and DTLS say.
    pub(crate) const fn prove(&mut self, peer: SocketAddr) {
        self.latch.prove(peer);
    }

    /// Nobody is the peer until another word.
    pub(crate) const fn deafen(&mut self) {
        self.latch.deafen();
    }

    /// How long the peer has been silent.
    pub(crate) const fn silence(&mut self) -> &mut Silence {
        &mut self.silence
    }

    /// Where to send.
    pub(crate) const fn target(&self) -> Option<SocketAddr> {
        self.latch.target()
    }

    /// What is sent to the peer stops; the next source begins with a marker.
    pub(crate) const fn interrupt(&mut self) {
        self.outgoing.interrupt();
    }

    /// A packet came that is not the peer's.
    pub(crate) const fn refuse(&mut self) {
        self.refused += 1;
    }

    /// A packet of so many octets left for the peer.
    pub(crate) const fn note_sent(&mut self, octets: usize) {
        self.sent += 1;
        self.sent_octets += octets.saturating_sub(HEADER_BYTES) as u64;
    }

    /// What came and went so far.
    pub(crate) fn counts(&self) -> LegCounts {
        let totals = self.incoming.totals();
        LegCounts {
            received: self.received,
            sent: self.sent,
            lost: totals.lost(),
            reordered: totals.reordered,
            duplicates: totals.duplicates,
            refused: self.refused,
        }
    }

    /// The payload types on which the peer sends audio.
    pub(crate) const fn remote(&self) -> Option<&Remote> {
        self.remote.as_ref()
    }

    /// What a payload type means on this leg: all that we said we take, as a peer may change between
    /// them (RFC 3264 §5.1), and what has a static type.
    fn kind(remote: &Remote, payload_type: u8) -> Option<Kind> {
        if let Some(codec) = remote.takes.codec(payload_type) {
            return Some(Kind::Audio(codec));
        }
        match payload_type {
            // Some send it unasked. A telephone-event may not have a static type, so it is no other.
            COMFORT_NOISE => Some(Kind::ComfortNoise),
            other => remote.events_of(other).map(|_| Kind::Event),
        }
    }

    fn arrive(
        &mut self,
        now: Time,
        from: SocketAddr,
        packet: &[u8],
        latching: Latching,
    ) -> Option<Arrival> {
        let remote = self.remote?;
        let header = Header::parse(packet)?;
        let kind = Self::kind(&remote, header.payload_type)?;
        let fits = match kind {
            Kind::Audio(codec) => remote.agreed.contains(codec),
            Kind::Event | Kind::ComfortNoise | Kind::Empty => true,
        };
        let locked = match self.latch.admit(now, from, &header, fits, latching) {
            Admission::Refused => return None,
            Admission::Accepted => None,
            Admission::Locked => Some(from),
        };
        let payload = packet.get(header.payload()).unwrap_or_default();
        self.received += 1;
        let timed = match kind {
            Kind::Audio(codec) => Some(codec.clock_rate()),
            Kind::Event | Kind::ComfortNoise | Kind::Empty => None,
        };
        let is_double = self.incoming.note(now, &header, timed) == Seen::Again;
        let digit = match is_double {
            true => None,
            false => self.pressed(now, &header, kind, payload),
        };
        self.silence.heard(now, kind == Kind::ComfortNoise);
        let first = !core::mem::replace(&mut self.heard, true);
        let kind = if payload.is_empty() {
            Kind::Empty
        } else {
            kind
        };
        Some(Arrival {
            header,
            kind,
            first,
            locked,
            digit,
            is_double,
            is_known: kind == Kind::Event && self.press_is_known,
            event_clock: remote
                .events_of(header.payload_type)
                .map_or(g711::RATE, |events| events.clock),
        })
    }

    /// The key whose press is noticed in a packet for the first time.
    fn pressed(&mut self, now: Time, header: &Header, kind: Kind, payload: &[u8]) -> Option<char> {
        match kind {
            Kind::Event => {
                let Some(digit) = self.digits.note(now, header, payload) else {
                    self.presses.goes_on(now);
                    return None;
                };
                self.press_is_known = !self.press(now, digit, Way::Event);
                (!self.press_is_known).then_some(digit)
            }
            Kind::Audio(codec) => {
                let digit = self.keys_in_audio.hear(now, codec, payload)?;
                self.press(now, digit, Way::Inband).then_some(digit)
            }
            Kind::ComfortNoise | Kind::Empty => None,
        }
    }
}

/// Judges a packet that reached a leg. `None`: it is a stranger's, or not what was agreed on.
pub(crate) fn receive(
    leg: &mut Party,
    now: Time,
    from: SocketAddr,
    packet: &[u8],
    latching: Latching,
) -> Option<Arrival> {
    let arrival = leg.arrive(now, from, packet, latching);
    if arrival.is_none() {
        leg.refused += 1;
    }
    arrival
}

/// Turns a packet of one party into one for the other, within the bytes of the first, and says
/// which part of them it is. `None` if nothing is to be sent.
pub(crate) fn forward(
    to: &mut Party,
    now: Time,
    arrival: &Arrival,
    packet: &mut [u8],
) -> Option<Range<usize>> {
    let remote = to.remote?;
    if !remote.send {
        to.outgoing.interrupt();
        return None;
    }
    // It has gone out already, or its place is closed up.
    if arrival.is_double {
        return None;
    }
    let range = arrival.header.payload();
    let (payload_type, content) = match arrival.kind {
        // That is for a translation.
        Kind::Audio(codec) if codec.is_translated_to(remote.codec) => return None,
        Kind::Audio(codec) => {
            let units = Decoder::units(codec, packet.get(range.clone())?).unwrap_or_default();
            (remote.payload_type, Content::Audio(units))
        }
        Kind::Event => match remote.events().filter(|_| !arrival.is_known) {
            Some(events) => (events.payload_type, Content::Event),
            None => {
                to.outgoing.leave_out(&arrival.header);
                return None;
            }
        },
        // It is agreed on with nobody: what is silent needs no packet.
        Kind::ComfortNoise | Kind::Empty => {
            to.outgoing.leave_out(&arrival.header);
            return None;
        }
    };
    let header = to
        .outgoing
        .map(now, &arrival.header, payload_type, content)?;
    // The new header goes right before the payload, wherever that is; padding is cut off.
    let start = range.start.checked_sub(HEADER_BYTES)?;
    let part = start..range.end;
    let packet = packet.get_mut(part.clone())?;
    let (place, payload) = packet.split_at_mut_checked(HEADER_BYTES)?;
    place.copy_from_slice(&header.to_bytes());
    match arrival.kind {
        Kind::Audio(codec) if codec != remote.codec => {
            if let Some(law) = codec.law() {
                g711::translate(law, payload);
            }
        }
        Kind::Event => {
            let clock = remote.events().map_or(g711::RATE, |events| events.clock);
            keys::scale(payload, arrival.event_clock, clock);
        }
        Kind::Audio(_) | Kind::ComfortNoise | Kind::Empty => {}
    }
    Some(part)
}

/// How a leg's peer is to be spoken to now; `None` if it must not be: it is not known or is on
/// hold.
pub(crate) fn spoken_to(to: &Party) -> Option<Remote> {
    to.remote.filter(|remote| remote.send)
}

/// The law in which a leg's peer is to be spoken to now; `None` if it must not be, or has none.
pub(crate) fn prompt_law(to: &Party) -> Option<Law> {
    spoken_to(to)?.codec.law()
}

/// Puts a header before a prompt's frame of 20 ms.
pub(crate) fn prompt(to: &mut Party, now: Time, law: Law, frame: &mut [u8; FRAME_BYTES]) {
    let agreed = to.remote.filter(|remote| remote.codec.law() == Some(law));
    let payload_type = agreed.map_or(law.payload_type(), |remote| remote.payload_type);
    let header = to.outgoing.own(now, payload_type, FRAME_SAMPLES as u32);
    for (place, octet) in frame.iter_mut().zip(header.to_bytes()) {
        *place = octet;
    }
}

/// Puts a header before a payload that was made for a leg's peer, and says how long the packet is;
/// `None` for a pause that is not sent.
pub(crate) fn speak(to: &mut Party, now: Time, spoken: Spoken, packet: &mut [u8]) -> Option<usize> {
    if spoken.octets == 0 {
        to.outgoing.pass(spoken.units);
        return None;
    }
    let payload_type = spoken_to(to)?.payload_type;
    let header = to.outgoing.own(now, payload_type, spoken.units);
    for (place, octet) in packet.iter_mut().zip(header.to_bytes()) {
        *place = octet;
    }
    Some(HEADER_BYTES + spoken.octets)
}

#[cfg(test)]
mod continuity;
#[cfg(test)]
mod tests;
