//! Owns a session of two legs that octets write: what libFuzzer and the tests try the relay with. Made for
//! them only; nothing of the engine calls it.
//!
//! The octets are orders, each of a letter and what it needs: packets of RTP, of RTCP and of anything,
//! to either leg, from its peer or a stranger; descriptions that change; prompts, keys, reports; time.

use core::net::SocketAddr;

use vocab::Time;
use vocab::media::{Codec, EventTypes, Events, Remote, Rtcp};

use crate::latch::Latching;
use crate::relay::{self, FRAME_BYTES, KEY_FRAMES, Party};
use crate::reports::NtpClock;
use crate::rtcp::REPORT_BYTES_MAX;
use crate::rtp::{HEADER_BYTES, Header};

/// Octets of one packet at most.
const PACKET_MAX: usize = 400;
/// Of the numbers a peer was sent so many are remembered.
const NUMBERS: usize = 1 << 16;

/// Runs a session.
///
/// # Panics
/// If something does not hold that must hold whatever comes: what a peer is sent is RTP of one source,
/// no number is used twice within half of their circle, and every packet is counted once.
pub fn run(octets: &[u8]) {
    let mut session = Session::new();
    let mut octets = Octets(octets);
    while let Some(order) = octets.next() {
        session.obey(order, &mut octets);
    }
}

/// The rest of what was written.
struct Octets<'a>(&'a [u8]);

impl Octets<'_> {
    fn next(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn byte(&mut self) -> u8 {
        self.next().unwrap_or_default()
    }

    fn word(&mut self) -> u16 {
        u16::from_be_bytes([self.byte(), self.byte()])
    }

    fn take(&mut self, count: usize) -> Vec<u8> {
        let (taken, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        taken.to_vec()
    }
}

/// What a peer was sent.
struct Got {
    ssrc: Option<u32>,
    newest: u16,
    /// When each number was last sent, in packets.
    sent: Vec<u32>,
    count: u32,
}

struct Session {
    legs: [Party; 2],
    got: [Got; 2],
    packets: [u64; 2],
    now: Time,
}

const NTP: NtpClock = NtpClock(3_900_000_000_000_000);

impl Session {
    fn new() -> Self {
        let got = || Got {
            ssrc: None,
            newest: 0,
            sent: vec![0; NUMBERS],
            count: 0,
        };
        Self {
            legs: [Party::new([1, 2, 3]), Party::new([4, 5, 6])],
            got: [got(), got()],
            packets: [0; 2],
            now: Time::from_millis(1),
        }
    }

    fn obey(&mut self, order: u8, octets: &mut Octets<'_>) {
        let side = usize::from(order & 1);
        let (at, other) = (peer(side, octets.byte()), 1 - side);
        match order >> 1 & 7 {
            0 => {
                let count = usize::from(octets.word()) % PACKET_MAX;
                let bytes = octets.take(count);
                self.rtp(side, at, bytes);
            }
            1 | 2 => {
                let bytes = packet(octets);
                self.rtp(side, at, bytes);
            }
            3 => {
                let count = usize::from(octets.byte());
                let bytes = octets.take(count);
                self.control(side, at, &bytes);
            }
            4 => {
                let remote = remote(side, octets);
                if let Some(leg) = self.legs.get_mut(side) {
                    leg.set_remote(self.now, remote);
                }
            }
            5 => self.prompt(other),
            6 => self.key(other, octets.byte()),
            _ => {
                let ms = u64::from(octets.word());
                self.now = Time::from_millis(self.now.as_millis() + ms);
                self.report(side);
            }
        }
    }

    fn rtp(&mut self, side: usize, from: SocketAddr, mut bytes: Vec<u8>) {
        let now = self.now;
        let [first, second] = &mut self.legs;
        let (leg, other) = if side == 0 {
            (first, second)
        } else {
            (second, first)
        };
        let before = leg.counts();
        let arrival = relay::receive(leg, now, from, &bytes, Latching::FirstSource);
        let counts = leg.counts();
        assert_eq!(
            counts.received + counts.refused,
            before.received + before.refused + 1
        );
        assert_eq!(counts.received > before.received, arrival.is_some());
        if let Some(packets) = self.packets.get_mut(side) {
            *packets += 1;
        }
        let sent = arrival.and_then(|arrival| relay::forward(other, now, &arrival, &mut bytes));
        if let Some(part) = sent {
            other.note_sent(part.len());
            let out = bytes.get(part).unwrap_or_default().to_vec();
            self.check(1 - side, &out);
        }
    }

    fn control(&mut self, side: usize, from: SocketAddr, bytes: &[u8]) {
        let now = (self.now, NTP);
        if let Some(leg) = self.legs.get_mut(side) {
            relay::hear_control(leg, now, (from, side == 0), bytes);
        }
    }

    fn prompt(&mut self, side: usize) {
        let (now, mut frame) = (self.now, [0x55; FRAME_BYTES]);
        let Some(leg) = self.legs.get_mut(side) else {
            return;
        };
        let Some(law) = relay::prompt_law(leg) else {
            return;
        };
        relay::prompt(leg, now, law, &mut frame);
        leg.note_sent(frame.len());
        self.check(side, &frame);
    }

    fn key(&mut self, side: usize, octet: u8) {
        let keys = b"0123456789*#ABCD";
        let digit = keys
            .get(usize::from(octet & 15))
            .map_or('0', |key| char::from(*key));
        for frame in 0..KEY_FRAMES {
            let (now, mut room) = (self.now, [0; FRAME_BYTES]);
            let Some(leg) = self.legs.get_mut(side) else {
                return;
            };
            let out = relay::key(leg, now, (digit, frame), &mut room).map(<[u8]>::to_vec);
            if let Some(out) = out {
                self.check(side, &out);
            }
            self.now = Time::from_millis(self.now.as_millis() + 20);
        }
    }

    fn report(&mut self, side: usize) {
        let (now, mut place) = ((self.now, NTP), [0; REPORT_BYTES_MAX]);
        let Some(leg) = self.legs.get_mut(side) else {
            return;
        };
        if let Some((length, _)) = relay::report(leg, now, false, &mut place) {
            assert!((8..=REPORT_BYTES_MAX).contains(&length) && length.is_multiple_of(4));
        }
        let quality = leg.quality();
        let paths = [quality.from_peer, quality.to_peer];
        for path in paths.into_iter().flatten() {
            assert!(path.lost <= path.expected && (100..=450).contains(&path.mos));
        }
    }

    /// What a peer is sent must go on from what it was sent before.
    fn check(&mut self, side: usize, bytes: &[u8]) {
        let header = Header::parse(bytes);
        let got = self.got.get_mut(side);
        let (Some(header), Some(got)) = (header, got) else {
            assert!(header.is_some(), "what is sent is RTP");
            return;
        };
        assert!(bytes.len() > HEADER_BYTES);
        assert_eq!(*got.ssrc.get_or_insert(header.ssrc), header.ssrc);
        got.count += 1;
        let number = usize::from(header.sequence);
        let before = got.sent.get(number).copied().unwrap_or_default();
        // The circle may have gone round by jumps: then the number lies far ahead.
        let ahead = header.sequence.wrapping_sub(got.newest);
        let is_new = got.count == 1 || (1..0x8000).contains(&ahead);
        assert!(before == 0 || is_new, "number {number} twice");
        if is_new {
            // What is half of the circle behind may be used again.
            for passed in 1..=ahead & 0x7fff {
                let behind = got.newest.wrapping_add(passed).wrapping_add(0x8000);
                if let Some(place) = got.sent.get_mut(usize::from(behind)) {
                    *place = 0;
                }
            }
            got.newest = header.sequence;
        }
        if let Some(place) = got.sent.get_mut(number) {
            *place = got.count;
        }
    }
}

/// The peer of a side, or another place.
fn peer(side: usize, octet: u8) -> SocketAddr {
    let host = if octet & 0xc0 == 0xc0 {
        9
    } else {
        1 + side as u8
    };
    SocketAddr::from(([10, 0, 0, host], 4_000 + u16::from(octet & 1)))
}

fn remote(side: usize, octets: &mut Octets<'_>) -> Remote {
    let flags = octets.byte();
    let wide = octets.byte();
    let address = peer(side, wide);
    let codec = match (flags & 1, wide & 2) {
        (0, 0) => Codec::Pcma,
        (_, 0) => Codec::Pcmu,
        (0, _) => Codec::G722,
        _ => Codec::Opus,
    };
    let plain = Remote::new(address, codec);
    Remote {
        rtcp: if flags & 2 == 0 {
            plain.rtcp
        } else {
            Rtcp::Muxed
        },
        agreed: match wide & 0x30 {
            0x30 => plain.agreed.with(Codec::Pcma).with(Codec::Opus),
            _ => plain.agreed,
        },
        dtmf_send: events(flags & 4 == 0, wide, [101, 110]),
        dtmf_receive: events(flags & 8 == 0, wide, [97, 98]),
        send: flags & 0x30 != 0x30,
        receive: flags & 0xc0 != 0xc0,
        ..plain
    }
}

/// Telephone-events of one clock or of both.
fn events(any: bool, which: u8, [narrow, wide]: [u8; 2]) -> EventTypes {
    let wide = Events {
        payload_type: wide,
        clock: 48_000,
    };
    match (any, which & 0x0c) {
        (false, _) => EventTypes::NONE,
        (true, 0) => EventTypes::narrow(narrow),
        (true, 4) => EventTypes::NONE.with(wide),
        (true, _) => EventTypes::narrow(narrow).with(wide),
    }
}

/// A packet that is RTP, mostly of what was agreed on.
fn packet(octets: &mut Octets<'_>) -> Vec<u8> {
    let kind = octets.byte();
    const TYPES: [u8; 16] = [8, 0, 97, 101, 13, 9, 111, 18, 98, 110, 8, 0, 111, 9, 97, 98];
    let payload_type = TYPES
        .get(usize::from(kind & 15))
        .copied()
        .unwrap_or_default();
    let (sequence, timestamp) = (octets.word(), u32::from(octets.word()) * 16);
    let mut header = Header::new(payload_type, sequence, timestamp, u32::from(kind >> 6));
    header.marker = kind & 0x20 != 0;
    let count = usize::from(octets.byte());
    let payload = octets.take(count);
    [header.to_bytes().as_slice(), &payload].concat()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Seeds: both legs are described, then both speak, with a prompt, a key and a report between.
    fn talk() -> Vec<u8> {
        let mut octets = Vec::new();
        for side in [0_u8, 1] {
            octets.extend([8 | side, 0, 0, 0]);
        }
        for number in 0..20_u8 {
            for side in [0_u8, 1] {
                octets.extend([2 | side, 0, 0x40, 0, number, 0, number.wrapping_mul(10), 8]);
                octets.extend([number; 8]);
            }
            match number {
                5 => octets.extend([10, 0]),
                7 => octets.extend([12, 0, 5]),
                9 => octets.extend([14, 0, 0x1f, 0xff]),
                _ => {}
            }
        }
        octets
    }

    #[test]
    fn a_talk_as_a_script_reaches_the_other_side() {
        let mut session = Session::new();
        let written = talk();
        let mut octets = Octets(&written);
        while let Some(order) = octets.next() {
            session.obey(order, &mut octets);
        }
        assert!(
            session.got.iter().all(|got| got.count >= 19),
            "the seed means something"
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

        #[test]
        fn whatever_is_written_holds(octets in prop::collection::vec(any::<u8>(), 0..600)) {
            run(&octets);
        }

        #[test]
        fn a_talk_that_is_changed_holds(
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0_u8..3), 1..30),
        ) {
            let mut octets = talk();
            for (at, octet, how) in changes {
                let at = at.index(octets.len());
                match how {
                    0 => octets[at] = octet,
                    1 => octets.insert(at, octet),
                    _ => { octets.remove(at); }
                }
            }
            run(&octets);
        }
    }
}
