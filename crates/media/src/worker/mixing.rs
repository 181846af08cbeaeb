//! Owns the mixes of one thread: who comes and goes, what a packet of one of them is, and the beat on
//! which each is sent what it hears. What is heard of whom is `crate::mix`'s to say.
//!
//! | the legs were in        | `Mix`                                     | `Bridge` of two of them              |
//! |-------------------------|-------------------------------------------|--------------------------------------|
//! | nothing                 | what they are played stops; a mix begins  | what they are played stops; a relay  |
//! | a bridge                | it becomes the mix, what is played goes on | see `bridge`                        |
//! | this mix                | who comes and goes, and the roles, change | what waits is sent; it becomes a relay |
//! | another bridge or mix   | they leave it                             | they leave it                        |

use std::hash::{BuildHasher, Hasher};

use udp_io::{Packet, SocketId, Udp};
use vocab::Time;
use vocab::media::{
    MIX_PARTIES_MAX, MediaEvent, MixParty, MixRole, PayloadTypes, RecordingKey, Side,
};

use super::{Worker, leg_at, send, translate};
use crate::metronome::{MixId, Player};
use crate::mix::{self, Mix, RECORDED_BYTES};
use crate::relay::{self, Arrival, FRAME_BYTES, Kind};
use crate::rtp::HEADER_BYTES;

/// Frames that may wait when a mix becomes a relay again: a buffer is rarely deeper.
const LAST_FRAMES: usize = 4;

impl<U: Udp, R: Fn(MediaEvent)> Worker<U, R> {
    /// These legs are a mix from now on.
    pub(super) fn mix(&mut self, now: Time, parties: &[MixParty], record: Option<RecordingKey>) {
        let known = |party: &MixParty| Some((self.socket_of(party.leg)?, party.role));
        let mut wanted: Vec<(SocketId, MixRole)> = parties.iter().filter_map(known).collect();
        if wanted.len() > MIX_PARTIES_MAX {
            // The switch never asks for more.
            tracing::error!(parties = wanted.len(), "more parties than a mix can have");
            wanted.truncate(MIX_PARTIES_MAX);
        }
        if wanted.is_empty() {
            // All are gone already. The recording, empty, is accounted for all the same.
            self.start_recording(now, record);
            self.stop_recording(now, record);
            return;
        }
        let id = wanted.iter().find_map(|(socket, _)| self.mix_of(*socket));
        // That of another mix would have to end there first.
        let goes_on = record.is_some()
            && wanted.iter().any(|(socket, _)| {
                let mix = self.mix_of(*socket);
                (mix.is_none() || mix == id) && self.recording_at(*socket) == record
            });
        self.bring_together(now, id, &wanted, record);
        let id = id.unwrap_or_else(|| self.new_mix(now));
        let before = self.mix_at(id).and_then(|mix| mix.record.take());
        self.stop_recording(now, before.filter(|key| !goes_on || Some(*key) != record));
        if !goes_on {
            self.start_recording(now, record);
        }
        self.seat(now, id, &wanted);
        if let Some(mix) = self.mix_at(id) {
            mix.record = record;
        }
        if let Some(key) = record {
            // What a mix records is A-law, whatever the parties speak.
            for side in [Side::Caller, Side::Operator] {
                self.tap.codecs(key, side, now, PayloadTypes::STATIC);
            }
        }
        self.note_recording(id);
    }

    /// Whoever is to be in the mix is in nothing else any more.
    fn bring_together(
        &mut self,
        now: Time,
        id: Option<MixId>,
        wanted: &[(SocketId, MixRole)],
        record: Option<RecordingKey>,
    ) {
        let idle = |socket: &SocketId| {
            let leg = leg_at(&mut self.legs, Some(*socket));
            leg.is_some_and(|leg| leg.bridge.is_none() && leg.mix.is_none())
        };
        let sockets = wanted.iter().map(|(socket, _)| *socket);
        let idle: Vec<SocketId> = sockets.clone().filter(idle).collect();
        for socket in idle {
            self.stop_playing(Some(socket));
            self.stop_keying(Some(socket));
            self.end_alone(now, Some(socket), true);
        }
        for socket in sockets {
            match self.mix_of(socket) {
                Some(other) if Some(other) != id => self.leave_mix(now, Some(socket)),
                Some(_) => {}
                None => self.part(now, Some(socket), record),
            }
        }
    }

    fn new_mix(&mut self, now: Time) -> MixId {
        let free = self.mixes.iter().position(Option::is_none);
        let id = MixId(free.unwrap_or(self.mixes.len()));
        if free.is_none() {
            self.mixes.push(None);
        }
        let slot = self.metronome.add_late(now, Player::Mix(id));
        let mut hasher = self.random.build_hasher();
        hasher.write_u64(now.as_micros());
        hasher.write_usize(id.0);
        if let Some(place) = self.mixes.get_mut(id.0) {
            *place = Some(Box::new(Mix::new(slot, hasher.finish() as u32)));
        }
        id
    }

    /// Gives the parties their places; whoever is not among them goes.
    fn seat(&mut self, now: Time, id: MixId, wanted: &[(SocketId, MixRole)]) {
        for number in (0..MIX_PARTIES_MAX).rev() {
            if let Some((socket, _)) = self.party_of(id, number)
                && wanted.iter().all(|(other, _)| *other != socket)
            {
                self.leave_mix(now, Some(socket));
            }
        }
        for (socket, role) in wanted {
            if !self.mix_at(id).is_some_and(|mix| mix.seat(*socket, *role)) {
                continue;
            }
            let is_new = leg_at(&mut self.legs, Some(*socket))
                .is_some_and(|leg| leg.mix.replace(id).is_none());
            // Who oversees a talk owes it no audio.
            if role.is_supervisor() {
                self.watch_no_bridge(*socket);
            } else if is_new {
                self.watch_bridge(now, &[*socket]);
            }
        }
    }

    /// A leg goes; the others stay.
    pub(super) fn leave_mix(&mut self, now: Time, socket: Option<SocketId>) {
        let Some(leg) = leg_at(&mut self.legs, socket) else {
            return;
        };
        let Some(id) = leg.mix.take() else {
            return;
        };
        leg.party.interrupt();
        self.stop_keying(socket);
        if let Some(socket) = socket {
            self.watch_no_bridge(socket);
            if let Some(mix) = self.mix_at(id) {
                mix.unseat(socket);
            }
        }
        if self.party_of(id, 0).is_none() {
            self.end_mix(now, id, None);
        } else {
            self.note_recording(id);
        }
    }

    /// The mix is over; its recording too, unless it is the one that is kept.
    pub(super) fn end_mix(&mut self, now: Time, id: MixId, kept: Option<RecordingKey>) {
        let Some(mix) = self.mixes.get_mut(id.0).and_then(Option::take) else {
            return;
        };
        self.metronome.remove(mix.slot, Player::Mix(id));
        for (socket, _) in (0..mix.len()).filter_map(|number| mix.party(number)) {
            if let Some(leg) = leg_at(&mut self.legs, Some(socket)) {
                leg.mix = None;
                leg.party.interrupt();
            }
            self.watch_no_bridge(socket);
            self.stop_keying(Some(socket));
        }
        self.stop_recording(now, mix.record.filter(|key| Some(*key) != kept));
    }

    /// A mix of which two legs are to be a relay, with the recording given: says all that waits and
    /// ends. `None`: they are in none together.
    pub(super) fn relay_again(
        &mut self,
        now: Time,
        legs: [SocketId; 2],
        record: Option<RecordingKey>,
    ) -> Option<bool> {
        let [one, two] = legs.map(|socket| self.mix_of(socket));
        let id = one.filter(|_| one == two)?;
        let goes_on = record.is_some() && self.mix_at(id)?.record == record;
        for number in (0..MIX_PARTIES_MAX).rev() {
            if let Some((socket, _)) = self.party_of(id, number)
                && !legs.contains(&socket)
            {
                self.leave_mix(now, Some(socket));
            }
        }
        for _ in 0..LAST_FRAMES {
            if self.mix_at(id).is_some_and(|mix| mix.is_ready()) {
                self.beat(now, id);
            }
        }
        self.end_mix(now, id, record);
        Some(goes_on)
    }

    /// A packet of a party of a mix.
    pub(super) fn hear_in_mix(
        &mut self,
        now: Time,
        id: MixId,
        arrival: &Arrival,
        packet: &Packet<'_>,
    ) {
        if arrival.is_double {
            return;
        }
        match arrival.kind {
            Kind::Audio(codec) => {
                let codes = packet.bytes().get(arrival.header.payload());
                if let Some(mix) = self.mix_at(id) {
                    mix.say(
                        packet.socket,
                        &arrival.header,
                        codec,
                        codes.unwrap_or_default(),
                    );
                }
            }
            Kind::Event => {
                if let Some(digit) = arrival.digit {
                    self.press_to_others(now, packet.socket, digit);
                }
            }
            Kind::ComfortNoise | Kind::Empty => {}
        }
    }

    /// Presses a key towards those who hear the one at a leg. The keys of a supervisor are for us.
    pub(super) fn press_to_others(&mut self, now: Time, socket: SocketId, digit: char) {
        let Some(leg) = leg_at(&mut self.legs, Some(socket)) else {
            return;
        };
        let (bridge, mix) = (leg.bridge, leg.mix);
        if let Some(bridge) = bridge {
            self.press(now, Some(bridge.other), digit);
        }
        let Some(id) = mix else {
            return;
        };
        let parties = 0..MIX_PARTIES_MAX;
        let mut parties = parties.filter_map(|number| self.party_of(id, number));
        if parties.any(|(one, role)| one == socket && role.is_supervisor()) {
            return;
        }
        for number in 0..MIX_PARTIES_MAX {
            if let Some((other, role)) = self.party_of(id, number)
                && other != socket
                && !role.is_supervisor()
            {
                self.press(now, Some(other), digit);
            }
        }
    }

    /// 20 ms of a mix: everybody is sent what they hear. Who is played to hears that, as on hold, and
    /// so does for whom keys are pressed.
    pub(super) fn beat(&mut self, now: Time, id: MixId) {
        let Some(Some(mix)) = self.mixes.get_mut(id.0) else {
            return;
        };
        mix.beat();
        for number in 0..mix.len() {
            let party = mix.party(number);
            let leg = leg_at(&mut self.legs, party.map(|(socket, _)| socket));
            let Some(leg) = leg.filter(|leg| leg.playing.is_none() && leg.keying.is_none()) else {
                continue;
            };
            let Some(remote) = relay::spoken_to(&leg.party) else {
                leg.party.interrupt();
                continue;
            };
            let Some(law) = remote.codec.law() else {
                let heard = mix.hear_wide(number);
                if let Some(speaker) = mix.speaker(number, &remote) {
                    translate::say(&mut self.udp, leg, now, speaker, &heard);
                }
                continue;
            };
            let heard = mix.hear(number);
            let mut frame = [0; FRAME_BYTES];
            let codes = frame.get_mut(HEADER_BYTES..).unwrap_or_default();
            mix::encode(law, &heard, codes);
            relay::prompt(&mut leg.party, now, law, &mut frame);
            send(&mut self.udp, leg, &frame);
        }
        let Some(key) = mix.record else {
            return;
        };
        for side in [Side::Caller, Side::Operator] {
            let mut room = [0; RECORDED_BYTES];
            if let Some(packet) = mix.recorded(side, &mut room) {
                self.tap.packet(key, side, now, packet);
            }
        }
    }

    /// Whether anybody else in the talk of a leg speaks.
    pub(super) fn others_speak(&mut self, now: Time, socket: SocketId) -> bool {
        let Some(leg) = leg_at(&mut self.legs, Some(socket)) else {
            return false;
        };
        let (bridge, mix) = (leg.bridge, leg.mix);
        let bridged = bridge.map(|bridge| bridge.other);
        let mixed = |number| {
            let (other, role) = self.party_of(mix?, number)?;
            (other != socket && !role.is_supervisor()).then_some(other)
        };
        let mut others = [None; MIX_PARTIES_MAX];
        for (number, place) in others.iter_mut().enumerate() {
            *place = mixed(number);
        }
        others.into_iter().chain([bridged]).flatten().any(|other| {
            leg_at(&mut self.legs, Some(other))
                .is_some_and(|other| other.party.silence().speaks(now))
        })
    }

    /// By which leg the recording of a mix is found.
    fn note_recording(&mut self, id: MixId) {
        let record = self.mix_at(id).and_then(|mix| mix.record);
        if let (Some(key), Some((socket, _))) = (record, self.party_of(id, 0)) {
            self.recordings.insert(key, socket);
        }
    }

    /// What is recorded of the talk of a leg.
    pub(super) fn recording_at(&self, socket: SocketId) -> Option<RecordingKey> {
        let leg = self.legs.get(socket.index())?.as_ref()?;
        match leg.mix {
            Some(id) => self.mixes.get(id.0)?.as_ref()?.record,
            None => leg.bridge?.record,
        }
    }

    fn mix_of(&self, socket: SocketId) -> Option<MixId> {
        self.legs.get(socket.index())?.as_ref()?.mix
    }

    fn mix_at(&mut self, id: MixId) -> Option<&mut Mix> {
        self.mixes.get_mut(id.0)?.as_deref_mut()
    }

    fn party_of(&self, id: MixId, number: usize) -> Option<(SocketId, MixRole)> {
        self.mixes.get(id.0)?.as_ref()?.party(number)
    }
}
