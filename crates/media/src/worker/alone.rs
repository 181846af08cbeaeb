//! Owns the recording of one leg alone: a message, or a wait. What is said goes to the tap as the caller's
//! side. Of a message it is told whether enough is said, and when nothing more is; of a wait what the peer
//! is played is the other side.

use core::time::Duration;

use udp_io::{SocketId, Udp};
use vocab::media::{Codec, Law, MediaEvent, RecordingKey, Side};
use vocab::{LegId, Time};

use super::{Leg, Worker, leg_at};
use crate::audio::FRAME_SAMPLES;
use crate::ear::Ear;
use crate::relay::FRAME_BYTES;
use crate::rtp::{HEADER_BYTES, Header};
use crate::speech::Speech;
use crate::tap::Tap;

/// The recording of one leg alone.
pub(super) struct Alone {
    key: RecordingKey,
    of: Of,
}

enum Of {
    Message(Listening),
    Wait(Played),
}

/// Who listens to a message that is being left.
struct Listening {
    speech: Speech,
    ear: Ear,
    least: Duration,
    silence: Duration,
    told_spoken: bool,
    told_quiet: bool,
}

/// What a peer is played while it waits: a stream of its own, G.711 whatever the peer takes.
struct Played {
    began: Time,
    sequence: u16,
    /// Of the frame that comes next, should it follow at once.
    timestamp: u32,
}

/// Of the stream of what is played, in the recording alone.
const SSRC: u32 = 1;

/// Frames that come so much earlier or later than those before them begin anew, samples.
const ANEW: u32 = 3 * FRAME_SAMPLES as u32;

/// What a message is to be.
pub(super) struct Wanted {
    pub(super) key: RecordingKey,
    pub(super) least: Duration,
    pub(super) silence: Duration,
}

impl Alone {
    /// A packet of the one who speaks.
    pub(super) fn hear(
        &mut self,
        tap: &mut dyn Tap,
        now: Time,
        (codec, payload): (Codec, &[u8]),
        packet: &[u8],
    ) {
        tap.packet(self.key, Side::Caller, now, packet);
        let Of::Message(message) = &mut self.of else {
            return;
        };
        if !message.ear.knows(codec) {
            message.ear = Ear::new(codec, g711::RATE);
        }
        message.speech.hear(now, message.ear.hear(codec, payload));
    }

    /// 20 ms that the peer is played.
    pub(super) fn play(&mut self, tap: &mut dyn Tap, now: Time, law: Law, codes: &[u8]) {
        let Of::Wait(played) = &mut self.of else {
            return;
        };
        let mut packet = [0; FRAME_BYTES];
        let (head, room) = packet.split_at_mut(HEADER_BYTES);
        for (place, octet) in head.iter_mut().zip(played.next(now, law).to_bytes()) {
            *place = octet;
        }
        for (place, code) in room.iter_mut().zip(codes) {
            *place = *code;
        }
        tap.packet(self.key, Side::Operator, now, &packet);
    }
}

impl Played {
    /// The header of the next frame. After a pause the time goes on where the clock is.
    fn next(&mut self, now: Time, law: Law) -> Header {
        let since = now.as_micros().saturating_sub(self.began.as_micros());
        // A wait of six days begins again from zero, as timestamps do.
        let clock = u32::try_from((since / 125) & u64::from(u32::MAX)).unwrap_or(0);
        let ahead = clock.wrapping_sub(self.timestamp).wrapping_add(ANEW);
        if ahead > 2 * ANEW {
            self.timestamp = clock;
        }
        let header = Header::new(law.payload_type(), self.sequence, self.timestamp, SSRC);
        self.sequence = self.sequence.wrapping_add(1);
        self.timestamp = self.timestamp.wrapping_add(FRAME_SAMPLES as u32);
        header
    }
}

/// Says what a leg's message has come to, each thing once.
pub(super) fn tell(report: &impl Fn(MediaEvent), now: Time, leg: &mut Leg) {
    let (call, id) = (leg.call, leg.id);
    let Some(Of::Message(message)) = leg.alone.as_mut().map(|alone| &mut alone.of) else {
        return;
    };
    if !message.told_spoken && message.speech.spoken() >= message.least {
        message.told_spoken = true;
        report(MediaEvent::Spoken { call, leg: id });
    }
    if !message.told_quiet && message.speech.silence(now) >= message.silence {
        message.told_quiet = true;
        report(MediaEvent::Quiet { call, leg: id });
    }
}

impl<U: Udp, R: Fn(MediaEvent)> Worker<U, R> {
    pub(super) fn begin_message(&mut self, now: Time, leg: LegId, wanted: &Wanted) {
        let socket = self.socket_of(leg);
        let remote = leg_at(&mut self.legs, socket).and_then(|leg| leg.party.remote());
        let codec = remote.map_or(Codec::Pcma, |remote| remote.codec);
        let of = Of::Message(Listening {
            speech: Speech::new(now),
            ear: Ear::new(codec, g711::RATE),
            least: wanted.least,
            silence: wanted.silence,
            told_spoken: false,
            told_quiet: false,
        });
        self.record_alone(now, leg, wanted.key, of);
    }

    pub(super) fn begin_wait(&mut self, now: Time, leg: LegId, key: RecordingKey) {
        let of = Of::Wait(Played {
            began: now,
            sequence: 0,
            timestamp: 0,
        });
        self.record_alone(now, leg, key, of);
    }

    fn record_alone(&mut self, now: Time, leg: LegId, key: RecordingKey, of: Of) {
        let socket = self.socket_of(leg);
        self.unbridge(now, socket);
        self.end_alone(now, socket, true);
        self.start_recording(now, Some(key));
        self.tell_codecs(now, Some(key), socket, Side::Caller);
        match leg_at(&mut self.legs, socket) {
            Some(leg) => leg.alone = Some(Box::new(Alone { key, of })),
            // The peer is gone already. Its recording, empty, is accounted for all the same.
            None => self.stop_recording(now, Some(key)),
        }
    }

    pub(super) fn end_alone(&mut self, now: Time, socket: Option<SocketId>, keep: bool) {
        let leg = leg_at(&mut self.legs, socket);
        let Some(alone) = leg.and_then(|leg| leg.alone.take()) else {
            return;
        };
        match keep {
            true => self.tap.stop(alone.key, now),
            false => self.tap.discard(alone.key, now),
        }
    }
}
