//! Owns the form of a record in the ring between a media thread and the writer: a 16-byte header
//! and a body. Refuses to know what a packet holds.
//!
//! | bytes | field |
//! |---|---|
//! | 0..4 | handle: the tap's number for the recording |
//! | 4..10 | time, microseconds (48 bits: nine years) |
//! | 10..12 | length of the body |
//! | 12 | kind |
//! | 13..16 | zero |

use vocab::media::{RecordingKey, Side};
use vocab::{CallId, PauseReason, Time};

use crate::codec::Payloads;

/// Length of a record's header.
pub(crate) const HEADER: usize = 16;

const AUDIO_CALLER: u8 = 0;
const AUDIO_OPERATOR: u8 = 1;
const START: u8 = 2;
const STOP: u8 = 3;
const DROPPED_CALLER: u8 = 4;
const DROPPED_OPERATOR: u8 = 5;
const REFUSED: u8 = 6;
const PAUSE: u8 = 7;
const RESUME: u8 = 8;
const CODECS_CALLER: u8 = 9;
const CODECS_OPERATOR: u8 = 10;
const DISCARD: u8 = 11;

/// A record as the writer sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Record<'a> {
    Packet {
        handle: u32,
        side: Side,
        at: Time,
        rtp: &'a [u8],
    },
    Control {
        handle: u32,
        at: Time,
        what: Control,
    },
}

/// What is not audio; small and never dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Control {
    /// A recording begins; the handle stands for this key from now on.
    Start(RecordingKey),
    /// It ends.
    Stop,
    /// It ends, and nothing of it is kept.
    Discard,
    /// Packets of a side did not fit.
    Dropped(Dropped),
    /// From now on nothing is to be kept, until it is resumed.
    Pause(PauseReason),
    /// It goes on.
    Resume,
    /// From now on payload types of a side mean this.
    Codecs(Side, Payloads),
    /// A recording that cannot be made: too many at once.
    Refused(RecordingKey),
}

/// Packets of a side that did not fit since the last record of this kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Dropped {
    pub(crate) side: Side,
    pub(crate) count: u32,
    /// When the first of them arrived.
    pub(crate) since: Time,
}

/// Header of a packet's record.
pub(crate) fn packet_header(handle: u32, side: Side, at: Time, length: u16) -> [u8; HEADER] {
    let kind = match side {
        Side::Caller => AUDIO_CALLER,
        Side::Operator => AUDIO_OPERATOR,
    };
    header(handle, at, length, kind)
}

/// The 48 bits of a time.
const TIME: u64 = 0xffff_ffff_ffff;

fn header(handle: u32, at: Time, length: u16, kind: u8) -> [u8; HEADER] {
    let time = u128::from(at.as_micros() & TIME);
    let fields =
        u128::from(handle) | time << 32 | u128::from(length) << 80 | u128::from(kind) << 96;
    fields.to_le_bytes()
}

/// Room for any control record.
pub(crate) const CONTROL: usize = HEADER + 10;

/// A control record, whole: bytes and how many of them count.
pub(crate) fn control(handle: u32, at: Time, what: Control) -> ([u8; CONTROL], usize) {
    let mut body = [0u8; 10];
    let (kind, length) = match what {
        Control::Start(key) | Control::Refused(key) => {
            let number = u128::from(key.call.as_u64()) | u128::from(key.segment) << 64;
            body = first(number.to_le_bytes());
            (
                if matches!(what, Control::Start(_)) {
                    START
                } else {
                    REFUSED
                },
                10,
            )
        }
        Control::Stop => (STOP, 0),
        Control::Discard => (DISCARD, 0),
        Control::Dropped(Dropped { side, count, since }) => {
            let since = u128::from(since.as_micros() & TIME);
            body = first((u128::from(count) | since << 32).to_le_bytes());
            (
                if side == Side::Caller {
                    DROPPED_CALLER
                } else {
                    DROPPED_OPERATOR
                },
                10,
            )
        }
        Control::Pause(reason) => {
            body = first(u128::from(reason_code(reason)).to_le_bytes());
            (PAUSE, 1)
        }
        Control::Resume => (RESUME, 0),
        Control::Codecs(side, payloads) => {
            let told = u128::from(u32::from_le_bytes(payloads.to_bytes()));
            body = first(told.to_le_bytes());
            let kind = match side {
                Side::Caller => CODECS_CALLER,
                Side::Operator => CODECS_OPERATOR,
            };
            (kind, 4)
        }
    };
    let mut bytes = [0u8; CONTROL];
    let (head, tail) = bytes.split_at_mut(HEADER);
    head.copy_from_slice(&header(handle, at, length, kind));
    tail.copy_from_slice(&body);
    (bytes, HEADER + usize::from(length))
}

fn first(bytes: [u8; 16]) -> [u8; 10] {
    let mut out = [0; 10];
    out.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
    out
}

/// A reason as a number, here and in the spool.
pub(crate) const fn reason_code(reason: PauseReason) -> u8 {
    match reason {
        PauseReason::Other => 0,
        PauseReason::Card => 1,
        PauseReason::Medical => 2,
    }
}

/// The reason of a number.
pub(crate) const fn reason_of(code: Option<u8>) -> PauseReason {
    match code {
        Some(1) => PauseReason::Card,
        Some(2) => PauseReason::Medical,
        _ => PauseReason::Other,
    }
}

/// The first record of `bytes` and how long it is; `None` when it is not all there yet.
pub(crate) fn parse(bytes: &[u8]) -> Option<(Record<'_>, usize)> {
    let (head, rest) = bytes.split_first_chunk::<HEADER>()?;
    let fields = u128::from_le_bytes(*head);
    let handle = fields as u32;
    let at = Time::from_micros((fields >> 32) as u64 & TIME);
    let length = usize::from((fields >> 80) as u16);
    let body = rest.get(..length)?;
    let key = || {
        let call = body
            .first_chunk::<8>()
            .map_or(0, |raw| u64::from_le_bytes(*raw));
        let segment = body
            .last_chunk::<2>()
            .map_or(0, |raw| u16::from_le_bytes(*raw));
        RecordingKey {
            call: CallId::from_i64(call as i64),
            segment,
        }
    };
    let dropped = |side| {
        let [a, b, c, d, since @ ..] = body.first_chunk::<10>().copied().unwrap_or_default();
        let since = since
            .iter()
            .rev()
            .fold(0, |all, byte| all << 8 | u64::from(*byte));
        Control::Dropped(Dropped {
            side,
            count: u32::from_le_bytes([a, b, c, d]),
            since: Time::from_micros(since),
        })
    };
    let codecs = |side| {
        let told = body.first_chunk::<4>().copied().unwrap_or_default();
        Control::Codecs(side, Payloads::from_bytes(told))
    };
    let control = |what| Record::Control { handle, at, what };
    let record = match (fields >> 96) as u8 {
        AUDIO_CALLER => Record::Packet {
            handle,
            side: Side::Caller,
            at,
            rtp: body,
        },
        AUDIO_OPERATOR => Record::Packet {
            handle,
            side: Side::Operator,
            at,
            rtp: body,
        },
        START => control(Control::Start(key())),
        DROPPED_CALLER => control(dropped(Side::Caller)),
        DROPPED_OPERATOR => control(dropped(Side::Operator)),
        PAUSE => control(Control::Pause(reason_of(body.first().copied()))),
        RESUME => control(Control::Resume),
        CODECS_CALLER => control(codecs(Side::Caller)),
        CODECS_OPERATOR => control(codecs(Side::Operator)),
        DISCARD => control(Control::Discard),
        REFUSED => control(Control::Refused(key())),
        // Only these kinds are ever written, by this file, in this process.
        _ => control(Control::Stop),
    };
    Some((record, HEADER + length))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::AudioCodec;

    #[test]
    fn records_come_back_as_they_were_written() {
        let key = RecordingKey {
            call: CallId::new(0x7abc_def0, 0xffff_fffe),
            segment: 0xfedc,
        };
        let at = Time::from_micros(0xabcd_ef01_2345);
        for what in [
            Control::Start(key),
            Control::Refused(key),
            Control::Stop,
            Control::Discard,
            Control::Dropped(Dropped {
                side: Side::Caller,
                count: 7,
                since: Time::ZERO,
            }),
            Control::Dropped(Dropped {
                side: Side::Operator,
                count: u32::MAX,
                since: Time::from_micros(TIME),
            }),
            Control::Pause(PauseReason::Card),
            Control::Pause(PauseReason::Medical),
            Control::Pause(PauseReason::Other),
            Control::Resume,
            Control::Codecs(Side::Caller, Payloads::of(&[(111, AudioCodec::Opus)])),
            Control::Codecs(Side::Operator, Payloads::STATIC),
        ] {
            let (bytes, length) = control(9, at, what);
            let expected = (
                Record::Control {
                    handle: 9,
                    at,
                    what,
                },
                length,
            );
            assert_eq!(parse(&bytes[..length]), Some(expected));
            assert_eq!(parse(&bytes[..length - 1]), None);
        }
        for side in [Side::Caller, Side::Operator] {
            let mut bytes = packet_header(u32::MAX, side, at, 3).to_vec();
            bytes.extend([1, 2, 3, 4]);
            let packet = Record::Packet {
                handle: u32::MAX,
                side,
                at,
                rtp: &[1, 2, 3],
            };
            assert_eq!(parse(&bytes), Some((packet, 19)));
        }
    }
}
