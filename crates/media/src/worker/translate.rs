//! Owns the talk of two legs whose codecs differ: what one party says is decoded, and said to the other
//! in its codec, a frame each 20 ms. Between the two laws no translation is needed.
//!
//! A translation is made with the first packet that needs it and then allocates nothing. A peer who
//! changes its codec gets a new one at once, and then no more than one in [`ANEW_EVERY`]: what comes
//! too soon is left out.

use core::time::Duration;

use udp_io::{Packet, SocketId, Udp};
use vocab::Time;
use vocab::media::{Codec, MediaEvent, Remote};

use super::{Leg, Worker, leg_at, send, way};
use crate::codec::{PAYLOAD_MAX, Unavailable, rate_of, samples_in};
use crate::listener::{FRAME_MS, Listener};
use crate::metronome::{Player, SlotId};
use crate::relay::{self, Arrival, Kind};
use crate::rtp::HEADER_BYTES;
use crate::speaker::Speaker;

/// No more than one translation of a leg is made in this time.
const ANEW_EVERY: Duration = Duration::from_millis(500);
/// The rate of Opus where the other side would take any.
const ANY_RATE: u32 = 16_000;
/// Samples of a frame at most: of 16 kHz.
const FRAME_MAX: usize = 320;

/// What one party says, made for the other.
pub(super) struct Translation {
    listener: Listener,
    speaker: Speaker,
    slot: SlotId,
    began: Time,
}

impl Translation {
    fn new(from: Codec, to: &Remote, slot: SlotId, now: Time) -> Result<Self, Unavailable> {
        // Opus takes the rate of the other; of two others each has its own.
        let listener = Listener::new(from, rate_of(to.codec, ANY_RATE))?;
        let speaker = Speaker::new(to, listener.rate())?;
        Ok(Self {
            listener,
            speaker,
            slot,
            began: now,
        })
    }

    fn fits(&self, from: Codec, to: &Remote) -> bool {
        self.listener.codec() == from && self.speaker.fits(to)
    }
}

impl<U: Udp, R: Fn(MediaEvent)> Worker<U, R> {
    /// Takes a packet for a leg whose peer has another codec; false if it can be passed on as it is.
    pub(super) fn translates(
        &mut self,
        now: Time,
        to: SocketId,
        arrival: &Arrival,
        packet: &Packet<'_>,
    ) -> bool {
        let Some(leg) = leg_at(&mut self.legs, Some(to)) else {
            return false;
        };
        let payload = match (arrival.kind, leg.party.remote().copied()) {
            (Kind::Audio(from), Some(remote)) => {
                if !from.is_translated_to(remote.codec) {
                    self.stop_translating(Some(to));
                    return false;
                }
                if !self.prepare_translation(now, to, from, &remote) {
                    return true;
                }
                packet.bytes().get(arrival.header.payload())
            }
            (Kind::Audio(_), None) => return false,
            // It has a number among those of the audio.
            (Kind::Event | Kind::ComfortNoise | Kind::Empty, _) => None,
        };
        let Some(leg) = leg_at(&mut self.legs, Some(to)) else {
            return false;
        };
        // Nobody is sent what they sent: both legs have been guessed to be at one stranger.
        let is_own = way(leg) == Some(Some(packet.from));
        let Some(translation) = &mut leg.translation else {
            return false;
        };
        if !arrival.is_double && !is_own {
            translation.listener.put(now, &arrival.header, payload);
        }
        true
    }

    /// True if there is a translation from this codec.
    fn prepare_translation(
        &mut self,
        now: Time,
        to: SocketId,
        from: Codec,
        remote: &Remote,
    ) -> bool {
        let Some(leg) = leg_at(&mut self.legs, Some(to)) else {
            return false;
        };
        if let Some(translation) = &leg.translation {
            if translation.fits(from, remote) {
                return true;
            }
            if now.since(translation.began) < ANEW_EVERY {
                return false;
            }
            self.stop_translating(Some(to));
        }
        let slot = self.metronome.add(now, Player::Translation(to));
        let made = Translation::new(from, remote, slot, now);
        let Some(leg) = leg_at(&mut self.legs, Some(to)) else {
            return false;
        };
        match made {
            Ok(translation) => {
                tracing::debug!(
                    call = %leg.call, leg = %leg.id, from = from.name(), to = remote.codec.name(),
                    "translating between codecs"
                );
                leg.translation = Some(Box::new(translation));
                true
            }
            Err(problem) => {
                // Cannot be: every codec has a rate that the others can be brought to.
                tracing::error!(call = %leg.call, leg = %leg.id, %problem, "no translation");
                self.metronome.remove(slot, Player::Translation(to));
                false
            }
        }
    }

    pub(super) fn stop_translating(&mut self, socket: Option<SocketId>) {
        if let Some(leg) = leg_at(&mut self.legs, socket)
            && let Some(translation) = leg.translation.take()
        {
            let counts = translation.listener.counts();
            tracing::debug!(call = %leg.call, leg = %leg.id, ?counts, "translation ended");
            leg.party.interrupt();
            let player = Player::Translation(leg.sockets.rtp);
            self.metronome.remove(translation.slot, player);
        }
    }

    /// Sends what the other party said 20 ms ago and more.
    pub(super) fn translate_frame(&mut self, now: Time, socket: SocketId) {
        let Some(leg) = leg_at(&mut self.legs, Some(socket)) else {
            return;
        };
        let Some(mut translation) = leg.translation.take() else {
            return;
        };
        let mut room = [0; FRAME_MAX];
        let length = samples_in(translation.listener.rate(), FRAME_MS);
        let frame = room.get_mut(..length).unwrap_or_default();
        let is_heard = translation.listener.fill(now, frame);
        let remote = relay::spoken_to(&leg.party);
        let fits = remote.is_some_and(|remote| translation.speaker.fits(&remote));
        // Who is played to hears that, as on hold, and so does for whom keys are pressed.
        if is_heard && fits && leg.playing.is_none() && leg.keying.is_none() {
            say(&mut self.udp, leg, now, &mut translation.speaker, frame);
        }
        leg.translation = Some(translation);
    }
}

/// Says a frame to a leg's peer.
pub(super) fn say(
    udp: &mut impl Udp,
    leg: &mut Leg,
    now: Time,
    speaker: &mut Speaker,
    samples: &[i16],
) {
    speaker.say(samples);
    let mut packet = [0; HEADER_BYTES + PAYLOAD_MAX];
    while let Some(room) = packet.get_mut(HEADER_BYTES..)
        && let Some(spoken) = speaker.payload(room)
    {
        let length = relay::speak(&mut leg.party, now, spoken, &mut packet);
        if let Some(bytes) = length.and_then(|length| packet.get(..length)) {
            send(udp, leg, bytes);
        }
    }
}
