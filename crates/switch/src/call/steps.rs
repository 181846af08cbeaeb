//! Owns the walk through the plan: what each step does to the call, and what makes it go on.

use dialplan::{Happened, Step};
use vocab::media::MediaCommand;
use vocab::{EndedBy, Fact, Outcome, QueueOutcome};

use super::{Call, State};
use crate::context::Context;

impl Call {
    /// Goes on in the plan until a step has to wait for something.
    pub(super) fn advance(&mut self, ctx: &mut Context, happened: Happened) {
        let mut happened = happened;
        loop {
            match self.run.next(happened) {
                Step::Answer => {
                    if self.caller.is_answered() {
                        happened = Happened::Answered;
                        continue;
                    }
                    let answered = ctx.record(Fact::CallAnswered { call: self.id });
                    self.caller.accept(ctx, answered);
                    self.state = State::Answering;
                }
                Step::Say {
                    prompt,
                    language,
                    notice,
                } => {
                    if !self.say(ctx, prompt, &language, notice) {
                        happened = Happened::Said;
                        continue;
                    }
                }
                Step::Queue {
                    queue,
                    music,
                    priority,
                    recorded,
                } => {
                    if !self.enter_queue(ctx, &queue, music.as_deref(), priority, recorded) {
                        happened = Happened::QueueLeft(QueueOutcome::Closed);
                        continue;
                    }
                }
                // With an operator already.
                Step::Talk => {}
                Step::Hangup { outcome, status } => self.hang_up(ctx, outcome, status),
            }
            return;
        }
    }

    /// Plays a prompt; says whether there is one to wait for.
    fn say(&mut self, ctx: &mut Context, prompt: String, language: &str, notice: bool) -> bool {
        let language = if language.is_empty() {
            self.language.as_str()
        } else {
            language
        };
        let Some(id) = ctx.prompt(&prompt, language) else {
            tracing::error!(call = %self.id, prompt, language, "prompt is not loaded; skipped");
            return false;
        };
        self.caller.progress(ctx);
        let token = self.play(ctx, id, false);
        self.state = State::Saying {
            token,
            notice: notice.then_some(prompt),
        };
        true
    }

    fn play(&mut self, ctx: &mut Context, prompt: vocab::media::PromptId, repeat: bool) -> u32 {
        self.play_token = self.play_token.wrapping_add(1);
        let (call, leg, token) = (self.id, self.caller.id, self.play_token);
        ctx.media(MediaCommand::Play {
            call,
            leg,
            prompt,
            repeat,
            token,
        });
        token
    }

    pub(super) fn play_ended(&mut self, ctx: &mut Context, token: u32) {
        let State::Saying {
            token: awaited,
            notice,
        } = &self.state
        else {
            return;
        };
        if *awaited != token {
            return;
        }
        if let Some(prompt) = notice.clone() {
            ctx.record(Fact::NoticePlayed {
                call: self.id,
                prompt,
            });
        }
        self.advance(ctx, Happened::Said);
    }

    /// Puts the call into a queue; says whether there is such a queue.
    fn enter_queue(
        &mut self,
        ctx: &mut Context,
        queue: &str,
        music: Option<&str>,
        priority: u8,
        recorded: bool,
    ) -> bool {
        let Some(settings) = ctx.settings.queues.iter().find(|known| known.name == queue) else {
            ctx.bug(
                "a plan names a queue that is not in the settings",
                Some(self.id),
            );
            return false;
        };
        let id = settings.id;
        self.caller.progress(ctx);
        ctx.record(Fact::QueueEntered {
            call: self.id,
            queue: queue.to_owned(),
            priority,
        });
        self.state = State::Queued {
            queue: id,
            name: queue.to_owned(),
            recorded,
        };
        if let Some(prompt) = music.and_then(|name| ctx.prompt(name, &self.language)) {
            self.play(ctx, prompt, true);
        }
        ctx.acd.handle(
            ctx.now,
            acd::Input::Queued {
                call: self.id,
                queue: id,
                priority,
            },
        );
        true
    }

    /// The ACD let the call go without an operator.
    pub(crate) fn queue_over(&mut self, ctx: &mut Context, outcome: QueueOutcome) {
        let State::Queued { name, .. } = &self.state else {
            return;
        };
        let queue = name.clone();
        ctx.record(Fact::QueueLeft {
            call: self.id,
            queue,
            outcome,
        });
        ctx.media(MediaCommand::Stop {
            call: self.id,
            leg: self.caller.id,
        });
        self.state = State::Opening;
        self.advance(ctx, Happened::QueueLeft(outcome));
    }

    /// The plan ends the call.
    fn hang_up(&mut self, ctx: &mut Context, outcome: Option<Outcome>, status: u16) {
        let by = self.segment_ended_by.take().unwrap_or(EndedBy::Engine);
        let outcome = match outcome {
            _ if self.segments > 0 => Outcome::Answered,
            Some(outcome) => outcome,
            None => Outcome::Served,
        };
        self.end(ctx, outcome, by, status, "");
    }
}
