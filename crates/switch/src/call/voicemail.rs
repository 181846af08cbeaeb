//! Owns the leaving of a message: greeting, tone, recording, and what ends it.
//!
//! | stage     | prompt ended      | key that ends it | enough was said | silence, time is over | first party hangs up |
//! |-----------|-------------------|------------------|-----------------|-----------------------|----------------------|
//! | Greeting  | Tone              | -                | -               | -                     | Ended                |
//! | Tone      | Recording         | -                | -               | -                     | Ended                |
//! | Recording | -                 | next step        | it counts       | next step             | Ended, and it counts or not |

use core::time::Duration;

use dialplan::{Happened, VOICEMAIL_TONE, VoiceMessage};
use vocab::media::{MediaCommand, RecordingKey};
use vocab::{EndedBy, Fact, LegId, MessageEnd, Outcome};

use super::{Call, State};
use crate::context::Context;
use crate::destination::operator_at;

/// A message that is being left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Leaving {
    asked: VoiceMessage,
    stage: Stage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The greeting plays, by its token.
    Greeting { token: u32 },
    /// The tone plays.
    Tone { token: u32 },
    /// The caller speaks.
    Recording {
        /// Number of the recording.
        segment: u16,
        /// So much was said that it counts.
        enough: bool,
    },
}

impl Call {
    /// Begins with the greeting.
    pub(super) fn leave_message(&mut self, ctx: &mut Context, asked: VoiceMessage) {
        let greeting = self.prompts.find(&asked.prompt, &asked.language);
        if greeting.is_none() {
            tracing::error!(call = %self.id, prompt = asked.prompt, "prompt is not loaded; skipped");
        }
        let token = greeting.map(|greeting| self.play(ctx, greeting, false));
        let stage = Stage::Greeting {
            token: token.unwrap_or_default(),
        };
        self.state = State::Leaving(Box::new(Leaving { asked, stage }));
        if token.is_none() {
            self.sound_tone(ctx);
        }
    }

    /// A prompt was played to its end; says whether it was one before a message.
    pub(super) fn message_prompt_ended(&mut self, ctx: &mut Context, token: u32) -> bool {
        let State::Leaving(leaving) = &self.state else {
            return false;
        };
        match leaving.stage {
            Stage::Greeting { token: awaited } if awaited == token => {
                // It says that a message is recorded, as everybody knows of an answering machine.
                let (call, prompt) = (self.id, leaving.asked.prompt.clone());
                ctx.record(Fact::NoticePlayed { call, prompt });
                self.sound_tone(ctx);
            }
            Stage::Tone { token: awaited } if awaited == token => self.record_message(ctx),
            // Of a prompt before it.
            Stage::Greeting { .. } | Stage::Tone { .. } | Stage::Recording { .. } => {}
        }
        true
    }

    fn sound_tone(&mut self, ctx: &mut Context) {
        let Some(tone) = self.prompts.find(VOICEMAIL_TONE, "") else {
            self.record_message(ctx);
            return;
        };
        let token = self.play(ctx, tone, false);
        if let State::Leaving(leaving) = &mut self.state {
            leaving.stage = Stage::Tone { token };
        }
    }

    fn record_message(&mut self, ctx: &mut Context) {
        let State::Leaving(leaving) = &mut self.state else {
            return;
        };
        self.segments = self.segments.saturating_add(1);
        let (call, leg, segment) = (self.id, self.first, self.segments);
        leaving.stage = Stage::Recording {
            segment,
            enough: leaving.asked.shortest.is_zero(),
        };
        let asked = &leaving.asked;
        let lines = asked.lines.iter();
        let waits_for = lines.filter_map(|line| {
            let operator = operator_at(ctx, line).and_then(|id| ctx.operators.get(&id));
            if operator.is_none() {
                tracing::warn!(%call, line, "a message is to wait for a line that nobody has");
            }
            operator.map(|operator| operator.login.clone())
        });
        let started = Fact::MessageStarted {
            call,
            segment,
            mailbox: asked.mailbox.clone(),
            waits_for: waits_for.collect(),
        };
        let (longest, least, silence) = (asked.longest, asked.shortest, asked.silence);
        tracing::info!(%call, segment, "a message is left");
        ctx.record(started);
        ctx.media(MediaCommand::Record {
            call,
            leg,
            record: RecordingKey { call, segment },
            least: least.max(Duration::from_millis(1)),
            silence,
        });
        self.set_step_timer(ctx, longest);
    }

    /// So much was said that the message counts.
    pub(super) fn message_spoken(&mut self, leg: LegId) {
        if let State::Leaving(leaving) = &mut self.state
            && let Stage::Recording { enough, .. } = &mut leaving.stage
            && leg == self.first
        {
            *enough = true;
        }
    }

    /// Nothing more is said.
    pub(super) fn message_quiet(&mut self, ctx: &mut Context, leg: LegId) {
        if leg == self.first {
            self.message_over(ctx, MessageEnd::Silence);
        }
    }

    /// A key of the first party; says whether a message is being left.
    pub(super) fn message_key(&mut self, ctx: &mut Context, leg: LegId, key: char) -> bool {
        let State::Leaving(leaving) = &self.state else {
            return false;
        };
        if leg == self.first && leaving.asked.end == key {
            self.message_over(ctx, MessageEnd::Key);
        }
        true
    }

    /// The message is over and the plan goes on; before the tone there is none.
    pub(super) fn message_over(&mut self, ctx: &mut Context, by: MessageEnd) {
        if !self.is_recording_message() {
            return;
        }
        self.end_message(ctx, by);
        self.state = State::Opening;
        self.advance(ctx, Happened::Said);
    }

    fn is_recording_message(&self) -> bool {
        let State::Leaving(leaving) = &self.state else {
            return false;
        };
        matches!(leaving.stage, Stage::Recording { .. })
    }

    /// The message is over: journal and recording.
    fn end_message(&mut self, ctx: &mut Context, ended_by: MessageEnd) {
        let State::Leaving(leaving) = &self.state else {
            return;
        };
        let (call, leg) = (self.id, self.first);
        let Stage::Recording {
            segment,
            enough: kept,
        } = leaving.stage
        else {
            return;
        };
        self.drop_step_timer(ctx);
        self.message_left |= kept;
        tracing::info!(%call, segment, ?ended_by, kept, "the message is over");
        ctx.media(MediaCommand::EndRecord {
            call,
            leg,
            keep: kept,
        });
        ctx.record(Fact::MessageEnded {
            call,
            segment,
            ended_by,
            kept,
        });
    }

    /// The call ends while a message is left, or before the tone.
    pub(super) fn end_leaving(&mut self, ctx: &mut Context, leaving: Box<Leaving>, by: EndedBy) {
        self.state = State::Leaving(leaving);
        let ended_by = match by {
            EndedBy::Caller | EndedBy::Operator | EndedBy::Outer => MessageEnd::HungUp,
            EndedBy::Engine => MessageEnd::Engine,
        };
        self.end_message(ctx, ended_by);
        self.state = State::Ended;
    }

    /// What the call is, knowing whether a message was left: whom nobody talked to and who left one
    /// did not call in vain.
    pub(super) const fn with_message(&self, outcome: Outcome) -> Outcome {
        if !self.message_left {
            return outcome;
        }
        match outcome {
            Outcome::AbandonedEarly
            | Outcome::TimedOut
            | Outcome::Closed
            | Outcome::RefusedFull
            | Outcome::Served
            | Outcome::Unreached
            | Outcome::Message => Outcome::Message,
            Outcome::Answered
            | Outcome::Abandoned
            | Outcome::UnknownNumber
            | Outcome::Failed
            | Outcome::Interrupted => outcome,
        }
    }
}
