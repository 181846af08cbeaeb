//! Owns the packets of a key that we press towards a peer, and the hearing of keys in what a peer says.

use core::time::Duration;

use vocab::Time;
use vocab::media::{Codec, EventTypes, Events, Law, Remote};

use super::{FRAME_BYTES, Party};
use crate::audio::FRAME_SAMPLES;
use crate::dtmf;
use crate::ear::Ear;
use crate::inband::Inband;
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
/// A peer that changes its codec is not listened to anew more often.
const ANEW_EVERY: Duration = Duration::from_millis(500);

/// Listens for keys in the audio of a peer, where it has no telephone-events for the codec that it
/// sends.
#[derive(Debug, Default)]
pub(super) struct KeysInAudio {
    events: EventTypes,
    inband: Option<Inband>,
    /// For what is not G.711, and when it was made.
    ear: Option<(Box<Ear>, Time)>,
}

impl KeysInAudio {
    /// What was agreed on holds from now on.
    pub(super) fn agree(&mut self, now: Time, remote: &Remote) {
        self.events = remote.dtmf_receive;
        let by_ear = Codec::ALL
            .into_iter()
            .any(|codec| remote.agreed.contains(codec) && self.is_heard(codec));
        if !by_ear {
            *self = Self {
                events: self.events,
                ..Self::default()
            };
            return;
        }
        self.inband.get_or_insert_default();
        if remote.codec.is_wideband() && self.is_heard(remote.codec) && !self.knows(remote.codec) {
            self.ear = Some((Box::new(Ear::new(remote.codec, g711::RATE)), now));
        }
    }

    /// The key whose press is noticed in a payload for the first time.
    pub(super) fn hear(&mut self, now: Time, codec: Codec, payload: &[u8]) -> Option<char> {
        if !self.is_heard(codec) {
            return None;
        }
        let is_known = codec.law().is_some() || self.knows(codec);
        let inband = self.inband.as_mut()?;
        if let Some(law) = codec.law() {
            return inband.hear(payload.iter().map(|code| g711::decode(law, *code)));
        }
        let made = self.ear.as_ref().map(|(_, made)| *made);
        if !is_known && made.is_none_or(|made| now.since(made) >= ANEW_EVERY) {
            self.ear = Some((Box::new(Ear::new(codec, g711::RATE)), now));
        }
        let (ear, _) = self.ear.as_mut()?;
        inband.hear(ear.hear(codec, payload).iter().copied())
    }

    fn knows(&self, codec: Codec) -> bool {
        self.ear.as_ref().is_some_and(|(ear, _)| ear.knows(codec))
    }

    fn is_heard(&self, codec: Codec) -> bool {
        self.events.with_codec(codec).is_none()
    }
}

impl Party {
    /// The peer presses a key; true if no other way told it already.
    pub(crate) fn press(&mut self, now: Time, digit: char, way: Way) -> bool {
        self.presses.note(now, digit, way)
    }

    /// Whether the peer takes telephone-events.
    pub(crate) fn takes_events(&self) -> bool {
        self.remote.is_some_and(|remote| remote.events().is_some())
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
    match remote.events() {
        Some(events) => event(to, now, events, (key, frame), room),
        // Of another codec the sound is a speaker's.
        None => Some(tone(to, now, remote.codec.law()?, (key, frame), room)),
    }
}

fn event<'room>(
    to: &mut Party,
    now: Time,
    events: Events,
    (key, frame): (char, usize),
    room: &'room mut [u8; FRAME_BYTES],
) -> Option<&'room [u8]> {
    let last = SOUND_FRAMES - 1;
    if frame >= last + ENDS {
        return None;
    }
    let header = to.outgoing.own_event(now, events.payload_type, frame == 0);
    let samples = ((frame.min(last) + 1) * FRAME_SAMPLES) as u32;
    let duration = (samples * (events.clock / g711::RATE)) as u16;
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
    if from != to
        && let Some([high, low]) = payload.get_mut(2..4)
    {
        let units = u64::from(u16::from_be_bytes([*high, *low]));
        let scaled = units * u64::from(to) / u64::from(from.max(1));
        [*high, *low] = u16::try_from(scaled).unwrap_or(u16::MAX).to_be_bytes();
    }
}
