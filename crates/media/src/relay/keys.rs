//! Owns the packets of a key that we press towards a peer.

use vocab::Time;
use vocab::media::Law;

use super::{FRAME_BYTES, Party};
use crate::audio::FRAME_SAMPLES;
use crate::dtmf;
use crate::presses::Way;
use crate::rtp::HEADER_BYTES;

/// Frames of 20 ms in which a key sounds, and with those of the pause after it. Receivers need 40 ms of
/// each (ITU-T Q.24).
const SOUND_FRAMES: usize = 5;
pub(crate) const KEY_FRAMES: usize = SOUND_FRAMES + 3;
/// The end is told three times (RFC 4733 §2.5.1.4).
const ENDS: usize = 3;
/// The level of the tone, -dBm0.
const VOLUME: u8 = 10;

impl Party {
    /// The peer presses a key; true if no other way told it already.
    pub(crate) fn press(&mut self, now: Time, digit: char, way: Way) -> bool {
        self.presses.note(now, digit, way)
    }

    /// Whether the peer takes telephone-events.
    pub(crate) fn takes_events(&self) -> bool {
        self.remote.is_some_and(|remote| remote.dtmf_send.is_some())
    }
}

/// One frame of a key, made in `room`; `None` where nothing is to be sent: the peer is not known or on
/// hold, or the frame is of the pause between two events.
pub(crate) fn key<'room>(
    to: &mut Party,
    now: Time,
    (key, frame): (char, usize),
    room: &'room mut [u8; FRAME_BYTES],
) -> Option<&'room [u8]> {
    let Some(remote) = to.remote.filter(|remote| remote.send) else {
        to.outgoing.interrupt();
        return None;
    };
    match remote.dtmf_send {
        Some(payload_type) => {
            let event_type = (payload_type, remote.dtmf_clock);
            event(to, now, event_type, (key, frame), room)
        }
        // Of another codec the sound is a speaker's.
        None => Some(tone(to, now, remote.codec.law()?, (key, frame), room)),
    }
}

fn event<'room>(
    to: &mut Party,
    now: Time,
    (payload_type, clock): (u8, u32),
    (key, frame): (char, usize),
    room: &'room mut [u8; FRAME_BYTES],
) -> Option<&'room [u8]> {
    let last = SOUND_FRAMES - 1;
    if frame >= last + ENDS {
        return None;
    }
    let header = to.outgoing.own_event(now, payload_type, frame == 0);
    let samples = ((frame.min(last) + 1) * FRAME_SAMPLES) as u32;
    let duration = (samples * (clock / g711::RATE)) as u16;
    let end = if frame >= last { 0x80 } else { 0 };
    let [high, low] = duration.to_be_bytes();
    let payload = [dtmf::event(key)?, end | VOLUME, high, low];
    let octets = header.to_bytes().into_iter().chain(payload);
    for (place, octet) in room.iter_mut().zip(octets) {
        *place = octet;
    }
    room.get(..HEADER_BYTES + payload.len())
}

fn tone<'room>(
    to: &mut Party,
    now: Time,
    law: Law,
    (key, frame): (char, usize),
    room: &'room mut [u8; FRAME_BYTES],
) -> &'room [u8] {
    let codes = room.get_mut(HEADER_BYTES..).unwrap_or_default();
    for (code, sample) in codes.iter_mut().zip(key_sound(key, frame)) {
        *code = g711::encode(law, sample);
    }
    super::prompt(to, now, law, room);
    room
}

/// How a frame of a key sounds, at 8 kHz.
pub(crate) fn key_sound(key: char, frame: usize) -> [i16; FRAME_SAMPLES] {
    let mut samples = [0; FRAME_SAMPLES];
    if frame < SOUND_FRAMES {
        dtmf::fill(key, frame * FRAME_SAMPLES, &mut samples);
    }
    samples
}

/// The duration of an event (RFC 4733 §2.3) in units of another clock; the longest that can be
/// written, if it is longer.
pub(super) fn scale(payload: &mut [u8], from: u32, to: u32) {
    if let Some([high, low]) = payload.get_mut(2..4) {
        let units = u64::from(u16::from_be_bytes([*high, *low]));
        let scaled = units * u64::from(to) / u64::from(from.max(1));
        [*high, *low] = u16::try_from(scaled).unwrap_or(u16::MAX).to_be_bytes();
    }
}
