//! Owns the playing of prompts on one thread: all of them in one pass per beat, with the mixes.

use udp_io::{SocketId, Udp};
use vocab::media::{Law, MediaEvent, PromptId, Remote};
use vocab::{LegId, Time};

use super::{Worker, leg_at, send, translate};
use crate::audio::{Audio, FRAME_SAMPLES};
use crate::metronome::{Player, SlotId};
use crate::relay::{self, FRAME_BYTES};
use crate::rtp::HEADER_BYTES;
use crate::speaker::Speaker;

/// What a leg's peer hears.
pub(super) struct Playing {
    audio: Audio,
    /// The sample that comes next.
    at: usize,
    repeat: bool,
    token: u32,
    slot: SlotId,
    /// For a peer whose codec is not G.711; made when the prompt begins.
    speaker: Option<Box<Speaker>>,
}

impl<U: Udp, R: Fn(MediaEvent)> Worker<U, R> {
    pub(super) fn play(
        &mut self,
        now: Time,
        id: LegId,
        prompt: PromptId,
        repeat: bool,
        token: u32,
    ) {
        let socket = self.socket_of(id);
        // Not known any more.
        let Some(socket) = socket else {
            return;
        };
        self.stop_playing(Some(socket));
        self.stop_keying(Some(socket));
        let audio = self
            .prompts
            .get(&prompt)
            .filter(|audio| !audio.is_empty())
            .cloned();
        let Some(leg) = leg_at(&mut self.legs, Some(socket)) else {
            return;
        };
        let Some(audio) = audio else {
            // Nothing to hear is heard to its end at once, so that the plan goes on.
            tracing::error!(call = %leg.call, leg = %id, ?prompt, "no audio for a prompt");
            if !repeat {
                (self.report)(MediaEvent::PlayEnded {
                    call: leg.call,
                    leg: id,
                    token,
                });
            }
            return;
        };
        let slot = self.metronome.add(now, Player::Leg(socket));
        let speaker = leg.party.remote().and_then(speaker_for);
        leg.playing = Some(Playing {
            audio,
            at: 0,
            repeat,
            token,
            slot,
            speaker,
        });
    }

    pub(super) fn stop_playing(&mut self, socket: Option<SocketId>) {
        if let Some(leg) = leg_at(&mut self.legs, socket)
            && let Some(playing) = leg.playing.take()
        {
            leg.party.interrupt();
            let player = Player::Leg(leg.sockets.rtp);
            self.metronome.remove(playing.slot, player);
        }
    }

    /// Sends the frames that are due.
    pub(super) fn play_due(&mut self, now: Time) {
        while let Some(slot) = self.metronome.strike(now) {
            // Backwards, as those that have ended leave the slot.
            for index in (0..self.metronome.len(slot)).rev() {
                match self.metronome.player(slot, index) {
                    Some(Player::Leg(socket)) => {
                        self.play_frame(now, socket);
                        self.key_frame(now, socket);
                    }
                    Some(Player::Translation(socket)) => self.translate_frame(now, socket),
                    Some(Player::Mix(mix)) => self.beat(now, mix),
                    None => {}
                }
            }
        }
    }

    /// Sends one frame; once the last has had its 20 ms, says that the prompt has ended.
    fn play_frame(&mut self, now: Time, socket: SocketId) {
        let Some(leg) = leg_at(&mut self.legs, Some(socket)) else {
            return;
        };
        let Some(playing) = &mut leg.playing else {
            return;
        };
        if !playing.repeat && playing.at >= playing.audio.len() {
            let (call, id, token) = (leg.call, leg.id, playing.token);
            self.stop_playing(Some(socket));
            (self.report)(MediaEvent::PlayEnded {
                call,
                leg: id,
                token,
            });
            return;
        }
        let remote = relay::spoken_to(&leg.party);
        // On hold the prompt goes on unheard; both laws are equally long.
        let law = remote.and_then(|remote| remote.codec.law());
        let mut frame = [0; FRAME_BYTES];
        let codes = frame.get_mut(HEADER_BYTES..).unwrap_or_default();
        let any = law.unwrap_or(Law::Pcma);
        playing.at = playing.audio.fill(any, playing.at, playing.repeat, codes);
        if let (Some(alone), Some(_)) = (&mut leg.alone, remote) {
            alone.play(self.tap.as_mut(), now, any, codes);
        }
        match (remote, law) {
            (None, _) => leg.party.interrupt(),
            (Some(_), Some(law)) => {
                relay::prompt(&mut leg.party, now, law, &mut frame);
                send(&mut self.udp, leg, &frame);
            }
            (Some(remote), None) => {
                let mut samples = [0; FRAME_SAMPLES];
                for (sample, code) in samples.iter_mut().zip(codes) {
                    *sample = g711::decode(any, *code);
                }
                self.play_encoded(now, socket, &remote, &samples);
            }
        }
    }

    /// Sends a frame to a peer whose codec is not G.711.
    fn play_encoded(&mut self, now: Time, socket: SocketId, remote: &Remote, samples: &[i16]) {
        let Some(leg) = leg_at(&mut self.legs, Some(socket)) else {
            return;
        };
        let former = leg
            .playing
            .as_mut()
            .and_then(|playing| playing.speaker.take());
        // The codec may have changed since the prompt began.
        let fitting = former.filter(|speaker| speaker.fits(remote));
        let Some(mut speaker) = fitting.or_else(|| speaker_for(remote)) else {
            return;
        };
        translate::say(&mut self.udp, leg, now, &mut speaker, samples);
        if let Some(playing) = &mut leg.playing {
            playing.speaker = Some(speaker);
        }
    }
}

/// Who speaks prompts to a peer, if its codec is not G.711.
fn speaker_for(remote: &Remote) -> Option<Box<Speaker>> {
    if !remote.codec.is_wideband() {
        return None;
    }
    let speaker = Speaker::new(remote, g711::RATE);
    if let Err(problem) = &speaker {
        tracing::error!(%problem, "a prompt cannot be spoken");
    }
    speaker.ok().map(Box::new)
}
