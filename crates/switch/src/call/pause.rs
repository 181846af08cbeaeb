//! Owns the codes that an operator types in a talk, and with them pausing its recording: by keys, by the
//! record key of the operator's telephone, and going on by itself. Refuses to pause for a caller.
//!
//! State × what happens → state; a talk that is not recorded has none of these.
//!
//! | state     | keys or key to pause | keys or key to go on | time is over      | the talk ends |
//! |-----------|----------------------|----------------------|-------------------|---------------|
//! | recording | paused               | -                    | -                 | over          |
//! | paused    | - (the time counts)  | recording            | recording, by itself | over       |

use core::time::Duration;

use vocab::media::MediaCommand;
use vocab::{Fact, LegId, PauseReason, Time};

use super::{Call, State};
use crate::context::{Context, Timer, TimerKey};

/// Keys further apart belong to nothing; people look for the next one.
const BETWEEN_KEYS: Duration = Duration::from_secs(4);
/// Longest code that is looked for.
pub(crate) const CODE_MAX: usize = 8;

/// How an operator stops and starts the recording of a talk.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RecordingKeys {
    /// Keys before data of a payment card; empty for none.
    pub card: String,
    /// Keys before medical data; empty for none.
    pub medical: String,
    /// Keys to go on; empty for none.
    pub resume: String,
    /// Longest pause: then it goes on by itself. Zero: no pausing at all.
    pub longest: Duration,
}

/// The pausing of one talk.
#[derive(Debug, Default)]
pub(crate) struct Pausing {
    /// When it goes on by itself; set while it is paused.
    paused: Option<TimerKey>,
    /// The operator's last keys, and when the last of them was pressed.
    typed: String,
    typed_at: Time,
}

/// What keys ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Pause(PauseReason),
    Resume,
}

impl RecordingKeys {
    fn wanted(&self, typed: &str) -> Option<Wanted> {
        let codes = [
            (&self.card, Wanted::Pause(PauseReason::Card)),
            (&self.medical, Wanted::Pause(PauseReason::Medical)),
            (&self.resume, Wanted::Resume),
        ];
        codes
            .into_iter()
            .find(|(code, _)| !code.is_empty() && typed.ends_with(code.as_str()))
            .map(|(_, wanted)| wanted)
    }
}

impl Call {
    /// A key in a talk: of an operator it may be the last of a code.
    pub(super) fn recording_key(&mut self, ctx: &mut Context, leg: LegId, key: char) {
        if self.operator_of(leg).is_none() || !self.takes_part(leg) {
            return;
        }
        let pausing = &mut self.pausing;
        if ctx.now.since(pausing.typed_at) > BETWEEN_KEYS {
            pausing.typed.clear();
        }
        pausing.typed_at = ctx.now;
        pausing.typed.push(key);
        if pausing.typed.len() > CODE_MAX {
            pausing.typed.remove(0);
        }
        let conference = &ctx.settings.conference_keys;
        if !conference.is_empty() && pausing.typed.ends_with(conference.as_str()) {
            self.pausing.typed.clear();
            ctx.conferences.push(self.owner(leg));
            return;
        }
        match ctx.settings.recording_keys.wanted(&pausing.typed) {
            Some(Wanted::Pause(reason)) => self.pause_recording(ctx, leg, reason),
            Some(Wanted::Resume) => self.resume_recording(ctx, leg, false),
            None => return,
        }
        self.pausing.typed.clear();
    }

    /// The record key of a telephone: INFO with `Record: off` or `on`, as Snom's telephones and
    /// others after them send it. False: the header says something else.
    pub(super) fn record_header(&mut self, ctx: &mut Context, leg: LegId, value: &str) -> bool {
        let on = match value.trim() {
            on if on.eq_ignore_ascii_case("on") => true,
            off if off.eq_ignore_ascii_case("off") => false,
            _ => return false,
        };
        if self.operator_of(leg).is_some() && self.takes_part(leg) {
            self.cut_whisper(ctx);
            if on {
                self.resume_recording(ctx, leg, false);
            } else {
                self.pause_recording(ctx, leg, PauseReason::Other);
            }
        }
        true
    }

    fn pause_recording(&mut self, ctx: &mut Context, leg: LegId, reason: PauseReason) {
        let longest = ctx.settings.recording_keys.longest;
        if !self.recorded || self.pausing.paused.is_some() || longest.is_zero() {
            return;
        }
        let (call, segment) = (self.id, self.segments);
        let timer = ctx.set_timer(call, longest, Timer::Pause);
        self.timers.push(timer);
        self.pausing.paused = Some(timer);
        tracing::info!(%call, segment, ?reason, "recording paused");
        ctx.record(Fact::RecordingPaused {
            call,
            segment,
            reason,
        });
        ctx.media(MediaCommand::PauseRecording { call, leg, reason });
    }

    fn resume_recording(&mut self, ctx: &mut Context, leg: LegId, automatic: bool) {
        if self.pausing.paused.is_none() {
            return;
        }
        self.drop_pause(ctx);
        let (call, segment) = (self.id, self.segments);
        tracing::info!(%call, segment, automatic, "recording goes on");
        ctx.record(Fact::RecordingResumed {
            call,
            segment,
            automatic,
        });
        ctx.media(MediaCommand::ResumeRecording { call, leg });
    }

    /// The longest pause is over.
    pub(super) fn pause_over(&mut self, ctx: &mut Context) {
        if let State::Talking { leg } = self.state {
            self.resume_recording(ctx, leg, true);
        }
    }

    /// The talk ends, and with it what was typed and paused in it.
    pub(super) fn drop_pause(&mut self, ctx: &mut Context) {
        if let Some(timer) = self.pausing.paused.take() {
            ctx.clear_timers(&[timer]);
            self.timers.retain(|one| *one != timer);
        }
        self.pausing.typed.clear();
    }
}
