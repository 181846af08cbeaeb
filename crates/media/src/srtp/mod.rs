//! Owns the protection of one leg's packets: SRTP and SRTCP (RFC 3711) under keys that the SDP has
//! brought (RFC 4568). What is not from the peer is thrown away here, before anything else looks
//! at it. Per packet no allocation; works where the packet lies.
//!
//! Each direction has its keys for as long as the negotiation names the same master key, with it
//! the roll-over counter of long calls and the memory of packets that came already.

mod keys;
mod replay;

use vocab::srtp::{Crypto, MasterKey, Suite};

use crate::rtp;
use keys::{Keys, Kind, Place, TAG_MAX};
use replay::{Replay, guess};

/// Sources of one peer that are told apart at once. A telephone has one, and another after a
/// restart.
const STREAMS: usize = 4;
/// SRTCP's word after the packet: the flag for "encrypted", 31 bits of index.
const CONTROL_WORD: usize = 4;
const ENCRYPTED: u32 = 0x8000_0000;
/// Octets of an RTCP packet that stay readable: the first header and the sender's SSRC.
const CONTROL_CLEAR: usize = 8;

/// Octets by which a packet may grow under any suite.
pub const GROWTH_MAX: usize = TAG_MAX + CONTROL_WORD;

/// Protection of a leg, both ways.
pub struct Srtp {
    crypto: Crypto,
    ours: Outbound,
    theirs: Inbound,
}

struct Outbound {
    audio: Keys,
    control: Keys,
    /// The newest packet sent: roll-over counter and sequence number.
    newest: Option<u64>,
    /// Index of the next RTCP packet (RFC 3711 §3.4).
    next_control: u32,
}

struct Inbound {
    audio: Keys,
    control: Keys,
    streams: [Option<Stream>; STREAMS],
    /// Counts packets, to know which stream was silent longest.
    clock: u64,
}

/// One source of the peer.
struct Stream {
    ssrc: u32,
    audio: Option<Replay>,
    control: Option<Replay>,
    used: u64,
}

impl Srtp {
    /// `None`: a key does not fit the suite.
    pub fn new(crypto: Crypto) -> Option<Self> {
        Some(Self {
            crypto,
            ours: Outbound::new(crypto.suite, &crypto.ours)?,
            theirs: Inbound::new(crypto.suite, &crypto.theirs)?,
        })
    }

    /// The negotiation says again what holds: a direction whose key is the same goes on.
    pub(crate) fn renew(&mut self, crypto: Crypto) -> Option<()> {
        let same_suite = self.crypto.suite == crypto.suite;
        if !same_suite || self.crypto.ours != crypto.ours {
            self.ours = Outbound::new(crypto.suite, &crypto.ours)?;
        }
        if !same_suite || self.crypto.theirs != crypto.theirs {
            self.theirs = Inbound::new(crypto.suite, &crypto.theirs)?;
        }
        self.crypto = crypto;
        Some(())
    }

    /// Checks and decrypts an RTP packet of the peer; how many octets of it are left. `None`: it is
    /// not the peer's, or came before.
    pub fn open(&mut self, packet: &mut [u8]) -> Option<usize> {
        self.theirs.open(packet)
    }

    /// Encrypts the RTP packet at the beginning of `room`; how long it is then. `None`: no room.
    pub fn seal(&mut self, room: &mut [u8], length: usize) -> Option<usize> {
        self.ours.seal(room, length)
    }

    /// As [`Self::open`], for RTCP.
    pub(crate) fn open_control(&mut self, packet: &mut [u8]) -> Option<usize> {
        self.theirs.open_control(packet)
    }

    /// As [`Self::seal`], for RTCP.
    pub(crate) fn seal_control(&mut self, room: &mut [u8], length: usize) -> Option<usize> {
        self.ours.seal_control(room, length)
    }
}

impl Outbound {
    fn new(suite: Suite, master: &MasterKey) -> Option<Self> {
        Some(Self {
            audio: Keys::new(suite, master, Kind::Audio)?,
            control: Keys::new(suite, master, Kind::Control)?,
            newest: None,
            next_control: 0,
        })
    }

    fn seal(&mut self, room: &mut [u8], length: usize) -> Option<usize> {
        let (packet, rest) = room.split_at_mut_checked(length)?;
        let tag_place = rest.get_mut(..self.audio.tag_bytes())?;
        let head = rtp::Clear::of(packet)?;
        let index = guess(self.newest, head.sequence)?;
        let place = Place {
            ssrc: head.ssrc,
            index,
            clear: head.octets,
        };
        let tag = self.audio.seal(place, packet, roll_over(index))?;
        self.newest = self.newest.max(Some(index));
        let tag = tag.get(..tag_place.len())?;
        tag_place.copy_from_slice(tag);
        Some(length + tag.len())
    }

    fn seal_control(&mut self, room: &mut [u8], length: usize) -> Option<usize> {
        // The keys are at their end (RFC 3711 §9.2); nothing but a new negotiation helps.
        let index = Some(self.next_control).filter(|index| index & ENCRYPTED == 0)?;
        let (packet, rest) = room.split_at_mut_checked(length)?;
        let place = Place {
            ssrc: u32::from_be_bytes(packet.get(4..8)?.try_into().ok()?),
            index: u64::from(index),
            clear: CONTROL_CLEAR,
        };
        let word = (index | ENCRYPTED).to_be_bytes();
        let tag_bytes = self.control.tag_bytes();
        let end = rest.get_mut(..tag_bytes + CONTROL_WORD)?;
        let tag = self.control.seal(place, packet, word)?;
        let tag = tag.get(..tag_bytes)?;
        // RFC 3711 §3.4 has the tag behind the word, RFC 7714 §9.3 before it.
        let (first, second): (&[u8], &[u8]) = match self.control.is_gcm() {
            true => (tag, &word),
            false => (&word, tag),
        };
        let (at_first, at_second) = end.split_at_mut_checked(first.len())?;
        at_first.copy_from_slice(first);
        at_second.copy_from_slice(second);
        self.next_control += 1;
        Some(length + tag_bytes + CONTROL_WORD)
    }
}

impl Inbound {
    fn new(suite: Suite, master: &MasterKey) -> Option<Self> {
        Some(Self {
            audio: Keys::new(suite, master, Kind::Audio)?,
            control: Keys::new(suite, master, Kind::Control)?,
            streams: [const { None }; STREAMS],
            clock: 0,
        })
    }

    fn open(&mut self, packet: &mut [u8]) -> Option<usize> {
        let length = packet.len().checked_sub(self.audio.tag_bytes())?;
        let (packet, tag) = packet.split_at_mut_checked(length)?;
        let head = rtp::Clear::of(packet)?;
        let before = self.stream(head.ssrc).and_then(|stream| stream.audio);
        let index = guess(before.map(Replay::newest), head.sequence)?;
        // Before the work of checking (RFC 3711 §3.3); noted after it, as anybody can send this.
        if before.is_some_and(|before| !before.is_new(index)) {
            return None;
        }
        let place = Place {
            ssrc: head.ssrc,
            index,
            clear: head.octets,
        };
        self.audio.open(place, packet, roll_over(index), tag)?;
        let stream = self.stream_or_new(head.ssrc)?;
        stream.audio = Some(Replay::noted(stream.audio, index));
        Some(length)
    }

    fn open_control(&mut self, packet: &mut [u8]) -> Option<usize> {
        let tag_bytes = self.control.tag_bytes();
        let length = packet.len().checked_sub(tag_bytes + CONTROL_WORD)?;
        let (packet, end) = packet.split_at_mut_checked(length)?;
        let (word, tag) = match self.control.is_gcm() {
            true => end
                .split_at_checked(tag_bytes)
                .map(|(tag, word)| (word, tag))?,
            false => end.split_at_checked(CONTROL_WORD)?,
        };
        let trailer: [u8; CONTROL_WORD] = word.try_into().ok()?;
        let word = u32::from_be_bytes(trailer);
        let encrypted = word & ENCRYPTED != 0;
        if length < CONTROL_CLEAR || (self.control.is_gcm() && !encrypted) {
            return None;
        }
        let ssrc = u32::from_be_bytes(packet.get(4..8)?.try_into().ok()?);
        let index = u64::from(word & !ENCRYPTED);
        let before = self.stream(ssrc).and_then(|stream| stream.control);
        if before.is_some_and(|before| !before.is_new(index)) {
            return None;
        }
        let place = Place {
            ssrc,
            index,
            clear: if encrypted { CONTROL_CLEAR } else { length },
        };
        self.control.open(place, packet, trailer, tag)?;
        let stream = self.stream_or_new(ssrc)?;
        stream.control = Some(Replay::noted(stream.control, index));
        Some(length)
    }

    fn stream(&self, ssrc: u32) -> Option<&Stream> {
        let mut streams = self.streams.iter().flatten();
        streams.find(|stream| stream.ssrc == ssrc)
    }

    /// The stream of a source that has proved itself; a new one takes a free place, or that of the
    /// stream that was silent longest.
    fn stream_or_new(&mut self, ssrc: u32) -> Option<&mut Stream> {
        self.clock += 1;
        let known = self
            .streams
            .iter()
            .position(|place| place.as_ref().is_some_and(|stream| stream.ssrc == ssrc));
        let index = known.or_else(|| {
            let age = |index: &usize| {
                let place = self.streams.get(*index).and_then(Option::as_ref);
                place.map_or(0, |stream| stream.used)
            };
            (0..STREAMS).min_by_key(age)
        })?;
        let place = self.streams.get_mut(index)?;
        if known.is_none() {
            *place = None;
        }
        let stream = place.get_or_insert(Stream {
            ssrc,
            audio: None,
            control: None,
            used: 0,
        });
        stream.used = self.clock;
        Some(stream)
    }
}

/// The upper 32 of the 48 bits of an index.
fn roll_over(index: u64) -> [u8; 4] {
    ((index >> 16) as u32).to_be_bytes()
}

#[cfg(test)]
mod tests;
