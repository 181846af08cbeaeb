//! Owns the form of a block in a spool file: what one recording got in one sync interval, enough by
//! itself to be finalised after a crash. Refuses to touch files.
//!
//! Header, little-endian, 96 bytes:
//!
//! | bytes | field |
//! |---|---|
//! | 0..8 | `hotlineR` |
//! | 8..10 | version: 3 where payload types were told, else 2 (1 had no marks, and is read as well) |
//! | 10..12 | flags: 1 = the recording was stopped, at `last`; 2 = a side sent wideband, up to now; 4 = nothing of it is to be kept |
//! | 12..16 | length of the payload |
//! | 16..24 | call |
//! | 24..26 | segment |
//! | 26..28 | zero |
//! | 28..32 | number of the block in its recording, from 0 |
//! | 32..40 | wall-clock time of `Time::ZERO`, ms since 1970 |
//! | 40..48 | start of the recording, µs |
//! | 48..56 | first arrival in the block, µs: base of the packets' times |
//! | 56..64 | last arrival (or the stop), µs |
//! | 64..72 | audio packets so far |
//! | 72..80 | dropped so far: caller, operator |
//! | 80..88 | payload types that were told: caller, operator; each twice type, number of the codec |
//! | 88..92 | CRC-32 of the payload |
//! | 92..96 | CRC-32 of bytes 0..92 |
//!
//! Payload: packets and marks in order of time, each with 8 bytes before it: µs after the first
//! arrival (4), side (1: 0 caller, 1 operator), 0 for a packet and 1 for a mark (1), length (2).
//! A mark begins with its kind: 1 the recording is paused (reason, 1), 2 it goes on, 3 packets of
//! the side could not be kept (how many, 4; µs of the first, 8).

use vocab::media::{RecordingKey, Side};
use vocab::{CallId, PauseReason, Time, WallTime};

use crate::codec::Payloads;
use crate::ring::{Dropped, reason_code, reason_of};

/// Length of a block's header.
pub(crate) const HEADER: usize = 96;
/// A longer payload is split, which bounds the finaliser's memory.
pub(crate) const PAYLOAD_MAX: usize = 256 << 10;
/// How every block begins.
pub(crate) const MAGIC: [u8; 8] = *b"hotlineR";
/// Before each packet in the payload.
pub(crate) const PACKET_HEADER: usize = 8;
/// Room for any mark, with what stands before it.
pub(crate) const MARK_MAX: usize = 32;
const VERSION: u16 = 3;
/// Of blocks in which all payload types are static.
const VERSION_STATIC: u16 = 2;
const STOPPED: u16 = 1;
const WIDEBAND: u16 = 2;
const DISCARDED: u16 = 4;

/// What a block says about its recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) key: RecordingKey,
    pub(crate) wall: WallTime,
    pub(crate) start: Time,
    pub(crate) sequence: u32,
    pub(crate) first: Time,
    pub(crate) last: Time,
    pub(crate) stopped: bool,
    pub(crate) discarded: bool,
    pub(crate) audio: u64,
    pub(crate) dropped: [u32; 2],
    pub(crate) payloads: [Payloads; 2],
    pub(crate) wideband: bool,
}

impl Header {
    /// Appends the block to `out`.
    pub(crate) fn write(&self, payload: &[u8], out: &mut Vec<u8>) {
        let begin = out.len();
        out.extend(MAGIC);
        let version = if self.payloads == [Payloads::STATIC; 2] {
            VERSION_STATIC
        } else {
            VERSION
        };
        out.extend(version.to_le_bytes());
        let flag = |set: bool, flag: u16| if set { flag } else { 0 };
        let flags = flag(self.stopped, STOPPED)
            | flag(self.wideband, WIDEBAND)
            | flag(self.discarded, DISCARDED);
        out.extend(flags.to_le_bytes());
        out.extend((payload.len() as u32).to_le_bytes());
        out.extend(self.key.call.as_u64().to_le_bytes());
        out.extend(self.key.segment.to_le_bytes());
        out.extend([0; 2]);
        out.extend(self.sequence.to_le_bytes());
        out.extend(self.wall.as_unix_millis().to_le_bytes());
        for time in [self.start, self.first, self.last] {
            out.extend(time.as_micros().to_le_bytes());
        }
        out.extend(self.audio.to_le_bytes());
        self.dropped
            .iter()
            .for_each(|count| out.extend(count.to_le_bytes()));
        self.payloads
            .iter()
            .for_each(|payloads| out.extend(payloads.to_bytes()));
        out.extend(crc32fast::hash(payload).to_le_bytes());
        let crc = crc32fast::hash(out.get(begin..).unwrap_or_default());
        out.extend(crc.to_le_bytes());
        out.extend_from_slice(payload);
    }

    /// Reads a header; also the payload's length and CRC. `None`: this is not one.
    pub(crate) fn parse(bytes: &[u8; HEADER]) -> Option<(Self, usize, u32)> {
        let (checked, crc) = bytes.split_last_chunk::<4>()?;
        if !checked.starts_with(&MAGIC) || crc32fast::hash(checked) != u32::from_le_bytes(*crc) {
            return None;
        }
        let length = u32::from_le_bytes(field(bytes, 12)) as usize;
        let version = u16::from_le_bytes(field(bytes, 8));
        if !(1..=VERSION).contains(&version) || length > PAYLOAD_MAX {
            return None;
        }
        let flags = u16::from_le_bytes(field(bytes, 10));
        let time = |at| Time::from_micros(u64::from_le_bytes(field(bytes, at)));
        let header = Self {
            key: RecordingKey {
                call: CallId::from_i64(i64::from_le_bytes(field(bytes, 16))),
                segment: u16::from_le_bytes(field(bytes, 24)),
            },
            wall: WallTime::from_unix_millis(i64::from_le_bytes(field(bytes, 32))),
            start: time(40),
            sequence: u32::from_le_bytes(field(bytes, 28)),
            first: time(48),
            last: time(56),
            stopped: flags & STOPPED != 0,
            wideband: flags & WIDEBAND != 0,
            payloads: [80, 84].map(|at| Payloads::from_bytes(field(bytes, at))),
            discarded: flags & DISCARDED != 0,
            audio: u64::from_le_bytes(field(bytes, 64)),
            dropped: [72, 76].map(|at| u32::from_le_bytes(field(bytes, at))),
        };
        Some((header, length, u32::from_le_bytes(field(bytes, 88))))
    }
}

/// The bytes of a field; the table above keeps `at` within the header.
fn field<const N: usize>(bytes: &[u8; HEADER], at: usize) -> [u8; N] {
    bytes
        .get(at..)
        .and_then(|rest| rest.first_chunk())
        .copied()
        .unwrap_or([0; N])
}

/// Appends a packet to a payload whose first arrival is `first`. False: too far from it for one
/// block (71 minutes).
pub(crate) fn push_packet(
    payload: &mut Vec<u8>,
    first: Time,
    arrived: Time,
    side: Side,
    rtp: &[u8],
) -> bool {
    let Ok(after) = u32::try_from(arrived.since(first).as_micros()) else {
        return false;
    };
    payload.extend(after.to_le_bytes());
    payload.extend([side as u8, PACKET]);
    payload.extend((rtp.len() as u16).to_le_bytes());
    payload.extend_from_slice(rtp);
    true
}

const PACKET: u8 = 0;
const MARK: u8 = 1;
const PAUSE: u8 = 1;
const RESUME: u8 = 2;
const DROPPED: u8 = 3;

/// What stands between the packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mark {
    /// The recording is paused.
    Pause(PauseReason),
    /// It goes on.
    Resume,
    /// Packets could not be kept, from then until now.
    Dropped(Dropped),
}

/// Appends a mark, as [`push_packet`] does a packet. One that is too far from the first arrival is
/// put where the block can still say it.
pub(crate) fn push_mark(payload: &mut Vec<u8>, first: Time, at: Time, mark: Mark) {
    let after = u32::try_from(at.since(first).as_micros()).unwrap_or(u32::MAX);
    let mut body = Vec::with_capacity(16);
    let side = match mark {
        Mark::Pause(reason) => {
            body.extend([PAUSE, reason_code(reason)]);
            Side::Caller
        }
        Mark::Resume => {
            body.push(RESUME);
            Side::Caller
        }
        Mark::Dropped(Dropped { side, count, since }) => {
            body.push(DROPPED);
            body.extend(count.to_le_bytes());
            body.extend(since.as_micros().to_le_bytes());
            side
        }
    };
    payload.extend(after.to_le_bytes());
    payload.extend([side as u8, MARK]);
    payload.extend((body.len() as u16).to_le_bytes());
    payload.extend_from_slice(&body);
}

fn read_mark(side: Side, body: &[u8]) -> Option<Mark> {
    let (kind, rest) = body.split_first()?;
    match *kind {
        PAUSE => Some(Mark::Pause(reason_of(rest.first().copied()))),
        RESUME => Some(Mark::Resume),
        DROPPED => {
            let (count, rest) = rest.split_first_chunk::<4>()?;
            Some(Mark::Dropped(Dropped {
                side,
                count: u32::from_le_bytes(*count),
                since: Time::from_micros(u64::from_le_bytes(*rest.first_chunk()?)),
            }))
        }
        // Of a later version; its blocks are refused as a whole.
        _ => None,
    }
}

/// One thing of a payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Piece<'a> {
    Packet(Side, &'a [u8]),
    Mark(Mark),
}

/// The packets and marks of a payload, in order of time.
pub(crate) struct Pieces<'a> {
    pub(crate) first: Time,
    pub(crate) rest: &'a [u8],
}

impl<'a> Iterator for Pieces<'a> {
    type Item = (Time, Piece<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let (head, rest) = self.rest.split_first_chunk::<PACKET_HEADER>()?;
        let [a, b, c, d, side, kind, low, high] = *head;
        let after = std::time::Duration::from_micros(u32::from_le_bytes([a, b, c, d]).into());
        let length = usize::from(u16::from_le_bytes([low, high]));
        let (rtp, rest) = rest.split_at_checked(length)?; // or the body of a mark
        self.rest = rest;
        let side = if side == Side::Caller as u8 {
            Side::Caller
        } else {
            Side::Operator
        };
        let piece = match kind {
            MARK => Piece::Mark(read_mark(side, rtp)?),
            _ => Piece::Packet(side, rtp),
        };
        Some((self.first + after, piece))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::AudioCodec;

    fn header() -> Header {
        Header {
            key: RecordingKey {
                call: CallId::new(7, u32::MAX),
                segment: 0xabcd,
            },
            wall: WallTime::from_unix_millis(-5),
            start: Time::from_micros(1),
            sequence: 3,
            first: Time::from_micros(1 << 40),
            last: Time::from_micros((1 << 40) + 9),
            stopped: true,
            discarded: true,
            audio: 12,
            dropped: [4, 5],
            payloads: [Payloads::STATIC, Payloads::of(&[(111, AudioCodec::Opus)])],
            wideband: true,
        }
    }

    #[test]
    fn a_block_comes_back_as_it_was_written() {
        let header = header();
        let mut payload = Vec::new();
        let later = header.first + std::time::Duration::from_micros(9);
        assert!(push_packet(
            &mut payload,
            header.first,
            header.first,
            Side::Operator,
            &[1; 172]
        ));
        assert!(push_packet(
            &mut payload,
            header.first,
            later,
            Side::Caller,
            &[]
        ));
        let marks = [
            Mark::Pause(PauseReason::Medical),
            Mark::Dropped(Dropped {
                side: Side::Operator,
                count: 70_000,
                since: Time::from_micros(1 << 41),
            }),
            Mark::Resume,
        ];
        marks
            .iter()
            .for_each(|mark| push_mark(&mut payload, header.first, later, *mark));
        let mut out = vec![9; 5];
        header.write(&payload, &mut out);
        let bytes = out[5..].first_chunk::<HEADER>().unwrap();
        let (read, length, crc) = Header::parse(bytes).unwrap();
        assert_eq!((read, length), (header, payload.len()));
        let rest = &out[5 + HEADER..];
        assert_eq!((rest, crc32fast::hash(rest)), (&payload[..], crc));
        let packets: Vec<_> = Pieces {
            first: header.first,
            rest,
        }
        .collect();
        let expected: Vec<_> = [
            (header.first, Piece::Packet(Side::Operator, &[1; 172])),
            (later, Piece::Packet(Side::Caller, &[])),
        ]
        .into_iter()
        .chain(marks.map(|mark| (later, Piece::Mark(mark))))
        .collect();
        assert_eq!(packets, expected);
    }

    #[test]
    fn one_flipped_bit_anywhere_in_the_header_is_noticed() {
        let mut out = Vec::new();
        header().write(&[], &mut out);
        for bit in 0..HEADER * 8 {
            let mut bytes = *out.first_chunk::<HEADER>().unwrap();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Header::parse(&bytes), None, "bit {bit}");
        }
    }

    #[test]
    fn a_packet_an_hour_and_a_half_after_the_first_needs_a_new_block() {
        let late = Time::ZERO + std::time::Duration::from_secs(5_400);
        assert!(!push_packet(
            &mut Vec::new(),
            Time::ZERO,
            late,
            Side::Caller,
            &[]
        ));
    }
}
