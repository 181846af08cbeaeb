//! Owns keys that we press towards a leg's peer: those that came another way than the peer takes them.
//! As telephone-events if the peer has them (RFC 4733), by signalling if it is to be told of them so, else
//! as tones.

use udp_io::{SocketId, Udp};
use vocab::media::MediaEvent;
use vocab::{LegId, Time};

use super::{Worker, leg_at, send};
use crate::metronome::{Player, SlotId};
use crate::presses::Way;
use crate::relay::{self, FRAME_BYTES, KEY_FRAMES, Party};
use crate::speaker::Speaker;

/// Keys that wait to be pressed towards one peer; further ones are left out. Nobody presses sixteen
/// keys in the 2.6 s that they take.
const KEYS_MAX: usize = 16;

/// What is pressed towards a peer.
pub(super) struct Keying {
    /// The key under way and those after it.
    keys: [char; KEYS_MAX],
    count: usize,
    /// The frame of the first that comes next.
    frame: usize,
    slot: SlotId,
    /// Of the tones for a peer who has neither events nor G.711.
    speaker: Option<Box<Speaker>>,
}

impl<U: Udp, R: Fn(MediaEvent)> Worker<U, R> {
    /// The peer of a leg pressed a key, by signalling.
    pub(super) fn key(&mut self, now: Time, leg: LegId, digit: char) {
        let socket = self.socket_of(leg);
        let Some(leg) = leg_at(&mut self.legs, socket) else {
            return;
        };
        if !leg.party.press(now, digit, Way::Signalling) {
            return;
        }
        (self.report)(MediaEvent::Digit {
            call: leg.call,
            leg: leg.id,
            digit,
        });
        if let Some(socket) = socket {
            self.press_to_others(now, socket, digit);
        }
    }

    /// Presses a key towards the peer of a leg, after those that wait. Who is played to, as on hold,
    /// gets none.
    pub(super) fn press(&mut self, now: Time, socket: Option<SocketId>, digit: char) {
        let Some(leg) = leg_at(&mut self.legs, socket) else {
            return;
        };
        let remote = leg.party.remote();
        let is_told = remote.is_some_and(|remote| remote.keys_by_signalling && remote.send);
        if !is_told || leg.party.takes_events() {
            self.press_in_audio(now, socket, digit);
        } else if leg.playing.is_none() {
            (self.report)(MediaEvent::Press {
                call: leg.call,
                leg: leg.id,
                digit,
            });
        }
    }

    /// Presses a key in what the peer of a leg hears.
    pub(super) fn press_in_audio(&mut self, now: Time, socket: Option<SocketId>, digit: char) {
        let Some(leg) = leg_at(&mut self.legs, socket) else {
            return;
        };
        if leg.playing.is_some() {
            return;
        }
        let keying = leg.keying.get_or_insert_with(|| Keying {
            keys: ['\0'; KEYS_MAX],
            count: 0,
            frame: 0,
            slot: self.metronome.add(now, Player::Leg(leg.sockets.rtp)),
            speaker: speaker_of_tones(&leg.party),
        });
        match keying.keys.get_mut(keying.count) {
            Some(place) => {
                *place = digit;
                keying.count += 1;
            }
            None => tracing::warn!(call = %leg.call, leg = %leg.id, "too many keys at once"),
        }
    }

    pub(super) fn stop_keying(&mut self, socket: Option<SocketId>) {
        if let Some(leg) = leg_at(&mut self.legs, socket)
            && let Some(keying) = leg.keying.take()
        {
            leg.party.interrupt();
            let player = Player::Leg(leg.sockets.rtp);
            self.metronome.remove(keying.slot, player);
        }
    }

    /// Sends the next frame of a leg's keys; after the last the other party is heard again.
    pub(super) fn key_frame(&mut self, now: Time, socket: SocketId) {
        let Some(leg) = leg_at(&mut self.legs, Some(socket)) else {
            return;
        };
        let Some(keying) = &mut leg.keying else {
            return;
        };
        if keying.count == 0 {
            self.stop_keying(Some(socket));
            return;
        }
        let [key, ..] = keying.keys;
        let mut room = [0; FRAME_BYTES];
        let frame = keying.frame;
        keying.frame += 1;
        if keying.frame == KEY_FRAMES {
            keying.frame = 0;
            keying.keys.rotate_left(1);
            keying.count -= 1;
        }
        if let Some(mut speaker) = keying.speaker.take() {
            super::translate::say(
                &mut self.udp,
                leg,
                now,
                &mut speaker,
                &relay::key_sound(key, frame),
            );
            if let Some(keying) = &mut leg.keying {
                keying.speaker = Some(speaker);
            }
            return;
        }
        if let Some(bytes) = relay::key(&mut leg.party, now, (key, frame), &mut room) {
            send(&mut self.udp, leg, bytes);
        }
    }
}

/// Who sounds the keys to a peer that takes no events, if its codec is not G.711.
fn speaker_of_tones(party: &Party) -> Option<Box<Speaker>> {
    let remote = party.remote()?;
    let by_tone = remote.codec.is_wideband() && remote.events().is_none();
    Speaker::new(remote, g711::RATE)
        .ok()
        .filter(|_| by_tone)
        .map(Box::new)
}
