//! Owns the steps of a plan that wait for a time, for somebody certain, or for a web service.

use core::time::Duration;
use std::sync::Arc;

use dialplan::{Chosen, Happened, Target};
use vocab::media::MediaCommand;
use vocab::{EventId, LegId, MessageEnd};

use super::reach::Purpose;
use super::steps::Asked;
use super::{Call, Course, State};
use crate::context::Context;
use crate::destination::Destination;
use crate::output::Output;

/// Plans through which one call may be handed on: more are a circle of transfers.
const PLANS_MAX: u8 = 8;

/// What a step waits for until its time is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Waited {
    /// The ringing before the answer.
    Ringing,
    /// Music.
    Music,
    /// The reply of a web service to this question.
    Reply(u32),
}

/// How a plan calls somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Planned {
    /// How long it may ring.
    pub(super) time: Duration,
    /// Whether the talk is recorded.
    pub(super) recorded: bool,
    /// Whether the caller hears music meanwhile, and not the party's own tones.
    pub(super) music: bool,
}

impl Call {
    /// Lets it ring before the answer; says whether there is anything to wait for.
    pub(super) fn ring_first(&mut self, ctx: &mut Context, time: Duration) -> bool {
        if self.caller.is_answered() {
            return false;
        }
        self.caller.ring(ctx);
        self.wait_for(ctx, Waited::Ringing, time);
        true
    }

    /// Plays music for a while; says whether there is any.
    pub(super) fn play_for(&mut self, ctx: &mut Context, music: &str, time: Duration) -> bool {
        let Some(prompt) = self.prompts.find(music, "") else {
            tracing::error!(call = %self.id, music, "music is not loaded; skipped");
            return false;
        };
        self.play(ctx, prompt, true);
        self.wait_for(ctx, Waited::Music, time);
        true
    }

    fn wait_for(&mut self, ctx: &mut Context, what: Waited, time: Duration) {
        self.state = State::Waiting(what);
        self.set_step_timer(ctx, time);
    }

    /// The time of a step is over.
    pub(super) fn step_due(&mut self, ctx: &mut Context) {
        self.step_timer = None;
        let happened = match self.state {
            State::Asking(_) => {
                self.keyed(ctx);
                return;
            }
            State::Leaving(_) => {
                self.message_over(ctx, MessageEnd::Longest);
                return;
            }
            State::Waiting(Waited::Ringing) => Happened::Waited,
            State::Waiting(Waited::Music) => {
                let (call, leg) = (self.id, self.first);
                ctx.media(MediaCommand::Stop { call, leg });
                Happened::Said
            }
            State::Waiting(Waited::Reply(_)) => {
                tracing::warn!(call = %self.id, "a web service did not reply in time");
                Happened::Fetched(None)
            }
            // The step ended in this very moment.
            State::Opening
            | State::Answering
            | State::Saying { .. }
            | State::Queued { .. }
            | State::Reaching { .. }
            | State::Referred
            | State::Talking { .. }
            | State::Ended => return,
        };
        self.state = State::Opening;
        self.advance(ctx, happened);
    }

    /// Asks a web service.
    pub(super) fn fetch(
        &mut self,
        ctx: &mut Context,
        url: String,
        body: Option<String>,
        timeout: Duration,
    ) {
        self.play_token = self.play_token.wrapping_add(1);
        let question = self.play_token;
        let call = self.id;
        ctx.output(Output::Fetch {
            call,
            question,
            url,
            body,
            timeout,
        });
        self.wait_for(ctx, Waited::Reply(question), timeout);
    }

    /// A web service replied, or could not be asked. Too late is never.
    pub(crate) fn fetched(&mut self, ctx: &mut Context, question: u32, reply: Option<String>) {
        if self.state == State::Waiting(Waited::Reply(question)) {
            self.drop_step_timer(ctx);
            self.state = State::Opening;
            self.advance(ctx, Happened::Fetched(reply));
        }
    }

    /// Calls somebody certain; says whether it was begun.
    pub(super) fn ring_somebody(
        &mut self,
        ctx: &mut Context,
        target: &Target,
        planned: Planned,
        music: Option<&str>,
    ) -> bool {
        let found = match target {
            Target::Operators(group) => return self.ring_group(ctx, group, planned, music),
            Target::Operator(name) => Destination::operator(ctx, name),
            Target::Number(number) => Destination::outer(ctx, number).ok(),
        };
        let Some(destination) = found else {
            tracing::warn!(call = %self.id, plan = self.course.plan().0,
                "a plan rings somebody whom nobody knows");
            return false;
        };
        self.reach_planned(ctx, &destination, planned, music)
    }

    /// Calls all of a group at once who can be called; says whether there was anybody.
    fn ring_group(
        &mut self,
        ctx: &mut Context,
        group: &[String],
        planned: Planned,
        music: Option<&str>,
    ) -> bool {
        let mut ringing: Vec<LegId> = Vec::new();
        for name in group {
            let Some(destination) = Destination::operator(ctx, name) else {
                tracing::warn!(call = %self.id, name, "a plan rings somebody whom nobody knows");
                continue;
            };
            let music = music.filter(|_| ringing.is_empty());
            let rings = match ringing.is_empty() {
                true => self.reach_planned(ctx, &destination, planned, music),
                false => self.reach(ctx, &destination, Purpose::Plan).is_ok(),
            };
            if let (true, State::Reaching { leg, .. }) = (rings, &self.state) {
                ringing.push(*leg);
            }
        }
        // The last one stands in the state.
        let any = ringing.pop().is_some();
        self.together = ringing;
        any
    }

    fn reach_planned(
        &mut self,
        ctx: &mut Context,
        destination: &Destination,
        planned: Planned,
        music: Option<&str>,
    ) -> bool {
        let music = music.and_then(|music| self.prompts.find(music, ""));
        self.planned = Some(Planned {
            music: music.is_some(),
            ..planned
        });
        if self.reach(ctx, destination, Purpose::Plan).is_err() {
            self.planned = None;
            return false;
        }
        if let Some(music) = music {
            self.play(ctx, music, true);
        } else if !self.caller.is_answered() {
            self.caller.ring(ctx);
        }
        true
    }

    /// Nobody answered whom the plan called.
    pub(super) fn planned_failed(&mut self, ctx: &mut Context) {
        if self.planned.take().is_some_and(|planned| planned.music) {
            let (call, leg) = (self.id, self.first);
            ctx.media(MediaCommand::Stop { call, leg });
        }
        self.state = State::Opening;
        self.advance(ctx, Happened::NotReached);
    }

    /// Hands the call over to another plan, a queue or somebody certain. `None`: it was begun, and
    /// the call waits.
    pub(super) fn hand_on(&mut self, ctx: &mut Context, to: &str) -> Option<Happened> {
        let destination = match Destination::named_by(ctx, to) {
            Ok(destination) => destination,
            Err(status) => {
                tracing::warn!(call = %self.id, status, "a plan transfers to what nobody knows");
                return Some(Happened::NotReached);
            }
        };
        match destination {
            Destination::Plan { plan, number } => {
                self.plans = self.plans.saturating_add(1);
                if self.plans > PLANS_MAX {
                    tracing::warn!(call = %self.id, "plans transfer a call in a circle");
                    return Some(Happened::NotReached);
                }
                let run = ctx.run(plan, &self.caller_number, &number);
                self.prompts = Arc::clone(&ctx.prompts);
                self.language = run.language().to_owned();
                self.course = Course::Plan(run);
                Some(Happened::Started)
            }
            // Nobody has told the caller of a recording there.
            Destination::Queue { name, priority } => {
                let priority = priority.unwrap_or_default();
                let asked = Asked {
                    music: None,
                    priority,
                    recorded: false,
                    wait_recorded: false,
                    skills: Vec::new(),
                    owner: None,
                    announce: None,
                };
                let waits = self.enter_queue(ctx, &name, asked);
                (!waits).then_some(Happened::NotReached)
            }
            Destination::Operator(_) | Destination::Outer { .. } => {
                let planned = Planned {
                    time: ctx.settings.operator_calls.ring_time,
                    recorded: false,
                    music: false,
                };
                let begun = self.reach_planned(ctx, &destination, planned, None);
                (!begun).then_some(Happened::NotReached)
            }
        }
    }

    /// Writes down what the caller chose at menus.
    pub(super) fn note_choices(&mut self, ctx: &mut Context) {
        let Course::Plan(run) = &mut self.course else {
            return;
        };
        for Chosen { menu, key, flow } in run.choices() {
            let call = self.id;
            ctx.record(vocab::Fact::MenuChosen {
                call,
                menu,
                key,
                flow,
            });
        }
    }

    /// Writes down the value of a field.
    pub(super) fn note_field(
        &self,
        ctx: &mut Context,
        name: String,
        value: Option<String>,
    ) -> EventId {
        ctx.record(vocab::Fact::FieldSet {
            call: self.id,
            field: name,
            value,
        })
    }
}
