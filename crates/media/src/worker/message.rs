//! Owns the recording of one leg alone: a message. What is said in it goes to the tap as the caller's
//! side; whether enough is said, and when nothing more is, is told.

use core::time::Duration;

use udp_io::{SocketId, Udp};
use vocab::media::{Codec, MediaEvent, RecordingKey, Side};
use vocab::{LegId, Time};

use super::{Leg, Worker, leg_at};
use crate::ear::Ear;
use crate::speech::Speech;
use crate::tap::Tap;

/// A message that is being left.
pub(super) struct Message {
    pub(super) key: RecordingKey,
    speech: Speech,
    ear: Ear,
    least: Duration,
    silence: Duration,
    told_spoken: bool,
    told_quiet: bool,
}

/// What a message is to be.
pub(super) struct Wanted {
    pub(super) key: RecordingKey,
    pub(super) least: Duration,
    pub(super) silence: Duration,
}

impl Message {
    /// A packet of the one who speaks; what is to be told of it.
    pub(super) fn hear(
        &mut self,
        tap: &mut dyn Tap,
        now: Time,
        (codec, payload): (Codec, &[u8]),
        packet: &[u8],
    ) {
        tap.packet(self.key, Side::Caller, now, packet);
        if !self.ear.knows(codec) {
            self.ear = Ear::new(codec);
        }
        self.speech.hear(now, self.ear.hear(codec, payload));
    }
}

/// Says what a leg's message has come to, each thing once.
pub(super) fn tell(report: &impl Fn(MediaEvent), now: Time, leg: &mut Leg) {
    let (call, id) = (leg.call, leg.id);
    let Some(message) = &mut leg.message else {
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
        self.unbridge(now, socket);
        self.end_message(now, socket, true);
        self.start_recording(now, Some(wanted.key));
        self.tell_codecs(now, Some(wanted.key), socket, Side::Caller);
        let Some(leg) = leg_at(&mut self.legs, socket) else {
            // The peer is gone already. Its message, empty, is accounted for all the same.
            self.stop_recording(now, Some(wanted.key));
            return;
        };
        leg.message = Some(Box::new(Message {
            key: wanted.key,
            speech: Speech::new(now),
            ear: Ear::new(
                leg.party
                    .remote()
                    .map_or(Codec::Pcma, |remote| remote.codec),
            ),
            least: wanted.least,
            silence: wanted.silence,
            told_spoken: false,
            told_quiet: false,
        }));
    }

    pub(super) fn end_message(&mut self, now: Time, socket: Option<SocketId>, keep: bool) {
        let leg = leg_at(&mut self.legs, socket);
        let Some(message) = leg.and_then(|leg| leg.message.take()) else {
            return;
        };
        match keep {
            true => self.tap.stop(message.key, now),
            false => self.tap.discard(message.key, now),
        }
    }
}
