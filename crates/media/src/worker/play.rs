//! Owns the playing of prompts on one thread: all of them in one pass per beat.

use udp_io::{SocketId, Udp};
use vocab::media::{MediaEvent, PromptId};
use vocab::{LegId, Time};

use super::{Worker, leg_at, send};
use crate::audio::Audio;
use crate::metronome::SlotId;
use crate::relay::{self, FRAME_BYTES};
use crate::rtp::HEADER_BYTES;

/// What a leg's peer hears.
pub(super) struct Playing {
    audio: Audio,
    /// The sample that comes next.
    at: usize,
    repeat: bool,
    token: u32,
    slot: SlotId,
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
        let slot = self.metronome.add(now, socket);
        leg.playing = Some(Playing {
            audio,
            at: 0,
            repeat,
            token,
            slot,
        });
    }

    pub(super) fn stop_playing(&mut self, socket: Option<SocketId>) {
        if let Some(leg) = leg_at(&mut self.legs, socket)
            && let Some(playing) = leg.playing.take()
        {
            leg.party.interrupt();
            self.metronome.remove(playing.slot, leg.sockets.rtp);
        }
    }

    /// Sends the frames that are due.
    pub(super) fn play_due(&mut self, now: Time) {
        while let Some(slot) = self.metronome.strike(now) {
            // Backwards, as those that have ended leave the slot.
            for index in (0..self.metronome.len(slot)).rev() {
                if let Some(socket) = self.metronome.player(slot, index) {
                    self.play_frame(now, socket);
                    self.key_frame(now, socket);
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
        let law = relay::prompt_law(&leg.party);
        let mut frame = [0; FRAME_BYTES];
        let samples = frame.get_mut(HEADER_BYTES..).unwrap_or_default();
        // On hold the prompt goes on unheard; both laws are equally long.
        let any = law.unwrap_or(vocab::media::Law::Pcma);
        playing.at = playing.audio.fill(any, playing.at, playing.repeat, samples);
        match law {
            Some(law) => {
                relay::prompt(&mut leg.party, now, law, &mut frame);
                send(&mut self.udp, leg, &frame);
            }
            None => leg.party.interrupt(),
        }
    }
}
