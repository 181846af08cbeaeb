//! Owns the gathering of keys from the caller, for menus and numbers: when a key counts, when the
//! entry is over.

use core::time::Duration;

use dialplan::{Ask, Happened};
use vocab::LegId;
use vocab::media::MediaCommand;

use super::{Call, State};
use crate::context::Context;

/// A question to the caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asking {
    ask: Ask,
    keys: String,
    /// The prompt that plays, until it has ended.
    playing: Option<u32>,
}

impl Call {
    /// Plays the prompt, then waits for keys.
    pub(super) fn ask(&mut self, ctx: &mut Context, ask: Ask) {
        let prompt = self.prompts.find(&ask.prompt, &ask.language);
        if prompt.is_none() {
            tracing::error!(call = %self.id, prompt = ask.prompt, "prompt is not loaded; skipped");
        }
        let playing = prompt.map(|prompt| self.play(ctx, prompt, false));
        let wait = ask.wait;
        self.state = State::Asking(Box::new(Asking {
            ask,
            keys: String::new(),
            playing,
        }));
        if playing.is_none() {
            self.set_step_timer(ctx, wait);
        }
    }

    /// A prompt was played to its end; says whether it was that of a question.
    pub(super) fn question_ended(&mut self, ctx: &mut Context, token: u32) -> bool {
        let State::Asking(asking) = &mut self.state else {
            return false;
        };
        if asking.playing == Some(token) {
            asking.playing = None;
            let wait = asking.ask.wait;
            self.set_step_timer(ctx, wait);
        }
        true
    }

    /// A key of a party, by whichever way.
    pub(super) fn key_pressed(&mut self, ctx: &mut Context, leg: LegId, key: char) {
        if self.message_key(ctx, leg, key) {
            return;
        }
        if self.is_whispered_to(leg) {
            self.cut_whisper(ctx);
            return;
        }
        let (call, first) = (self.id, self.first);
        let State::Asking(asking) = &mut self.state else {
            // To a person or to nobody: it is heard, and means nothing to the plan.
            tracing::debug!(%call, %leg, "key pressed that nobody asked for");
            self.recording_key(ctx, leg, key);
            return;
        };
        if leg != first {
            return;
        }
        if asking.playing.is_some() {
            if !asking.ask.barge_in {
                return;
            }
            asking.playing = None;
            ctx.media(MediaCommand::Stop { call, leg });
        }
        let shown = if asking.ask.personal { '•' } else { key };
        tracing::debug!(%call, %leg, key = %shown, "key pressed");
        let ended = asking.ask.end == Some(key);
        if !ended {
            asking.keys.push(key);
        }
        let whole = asking.keys.chars().count() >= usize::from(asking.ask.digits_max);
        let wait = asking.ask.wait;
        if ended || whole {
            self.keyed(ctx);
        } else {
            self.set_step_timer(ctx, wait);
        }
    }

    /// The entry is over, by its last key or for want of more.
    pub(super) fn keyed(&mut self, ctx: &mut Context) {
        let State::Asking(asking) = &mut self.state else {
            return;
        };
        let keys = core::mem::take(&mut asking.keys);
        self.drop_step_timer(ctx);
        self.state = State::Opening;
        self.advance(ctx, Happened::Keyed(keys));
    }

    /// Comes back to the step that is under way, in place of any earlier time.
    pub(super) fn set_step_timer(&mut self, ctx: &mut Context, time: Duration) {
        self.drop_step_timer(ctx);
        let timer = ctx.set_timer(self.id, time, crate::context::Timer::Step);
        self.timers.push(timer);
        self.step_timer = Some(timer);
    }

    pub(super) fn drop_step_timer(&mut self, ctx: &mut Context) {
        if let Some(timer) = self.step_timer.take() {
            ctx.clear_timers(&[timer]);
            self.timers.retain(|one| *one != timer);
        }
    }
}
