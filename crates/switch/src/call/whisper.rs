//! Owns the queue's whisper, which an operator hears on answering, before the caller: which queue, and how
//! long the caller has waited.
//!
//! The operator has answered by then, and whoever hangs up ends a talk. It begins for the journal when the
//! audio of the two is joined, so that a recording has all of it; until then the caller hears music. A key
//! of the operator's cuts it short, and so does whatever else happens in a talk. A supervisor does not: who
//! comes meanwhile hears the two when they are joined. What a supervisor whispers is `supervision`'s.

use std::collections::VecDeque;

use dialplan::staff::{whisper_after, whisper_of};
use vocab::media::PromptId;
use vocab::{Fact, LegId};

use super::Call;
use crate::context::Context;

/// What is whispered, and is to be.
#[derive(Debug, Default)]
pub(super) struct Whisper {
    /// Who hears it, and what plays by its token.
    playing: Option<(LegId, u32)>,
    /// What comes after it.
    rest: VecDeque<PromptId>,
    /// What the journal is told when the two are joined.
    started: Option<Fact>,
}

impl Call {
    /// Prepares what the operator hears whose talk is about to begin, where the queue wants that.
    pub(super) fn prepare_whisper(&mut self, ctx: &Context) {
        self.whisper.rest = self.whispered(ctx);
    }

    /// What is to be said of this caller.
    pub(super) fn whispered(&self, ctx: &Context) -> VecDeque<PromptId> {
        let Some(place) = &self.place else {
            return VecDeque::new();
        };
        if !ctx.settings.whispers.contains(&place.queue) {
            return VecDeque::new();
        }
        let waited = ctx.now.since(place.since);
        let names = [whisper_of(&place.name), whisper_after(waited)];
        let language = &ctx.settings.staff_language;
        let found = names
            .iter()
            .filter_map(|name| self.prompts.find(name, language));
        found.collect()
    }

    /// Joins the audio of a talk that begins, after what the operator is to hear first.
    pub(super) fn join_after_whisper(&mut self, ctx: &mut Context, leg: LegId, started: Fact) {
        self.whisper.started = Some(started);
        if !self.whisper_next(ctx, leg) {
            self.join_audio(ctx, leg);
            return;
        }
        // A caller in the middle of an announcement is not to hear silence after it.
        if self.is_announcing()
            && let Some(music) = self.place.as_ref().and_then(|place| place.music)
        {
            self.play(ctx, music, true);
        }
    }

    fn whisper_next(&mut self, ctx: &mut Context, leg: LegId) -> bool {
        let next = self.whisper.rest.pop_front();
        self.whisper.playing = next.map(|prompt| (leg, self.play_to(ctx, leg, prompt, false)));
        self.whisper.playing.is_some()
    }

    /// A prompt was played to its end; says whether it was whispered.
    pub(super) fn whisper_ended(&mut self, ctx: &mut Context, token: u32) -> bool {
        let Some((leg, playing)) = self.whisper.playing else {
            return false;
        };
        if playing != token {
            return false;
        }
        if !self.whisper_next(ctx, leg) {
            self.join_audio(ctx, leg);
        }
        true
    }

    /// The operator wants to hear no more, or the talk ends: the audio is joined if it was not. So a
    /// talk that was to be recorded is accounted for, however short.
    pub(super) fn cut_whisper(&mut self, ctx: &mut Context) {
        self.whisper.rest.clear();
        if let Some((leg, _)) = self.whisper.playing.take() {
            self.join_audio(ctx, leg);
        }
    }

    /// Whether the two are not joined yet.
    pub(super) const fn is_whispering(&self) -> bool {
        self.whisper.playing.is_some()
    }

    /// Who is being whispered to.
    pub(super) fn is_whispered_to(&self, leg: LegId) -> bool {
        self.whisper.playing.is_some_and(|(to, _)| to == leg)
    }

    /// Lets the first party and the one at this leg hear each other.
    fn join_audio(&mut self, ctx: &mut Context, leg: LegId) {
        if let Some(started) = self.whisper.started.take() {
            ctx.record(started);
        }
        self.tell_talk_with(ctx, leg);
    }
}
