//! Owns the walk through the plan: what each step does to the call, and what makes it go on.

use std::collections::BTreeMap;

use acd::{Limits, Need, SkillNeed};
use dialplan::{Announce, Happened, QueueState, Run, Sights, Step, Unserved};
use vocab::media::{MediaCommand, PromptId};
use vocab::{EndedBy, Fact, LegId, OperatorId, Outcome, QueueId, QueueOutcome, Time, WallTime};

use super::caller::Early;
use super::planned::Planned;
use super::{Call, State};
use crate::context::Context;
use crate::destination::{Destination, operator_at};

/// What a call is to do.
pub(crate) enum Course {
    /// To go through a plan.
    Plan(Box<Run>),
    /// To wait in a queue that an operator dialled.
    Queue {
        /// Its name.
        name: String,
        /// Higher is served first.
        priority: u8,
    },
    /// To hear one prompt, and then be hung up on.
    Told {
        /// The prompt.
        prompt: String,
        /// Its language.
        language: String,
    },
    /// To reach the one whom an operator dialled; empty once that was begun.
    Party(Option<Destination>),
}

/// What a course does next.
enum Next {
    Step(Step),
    Reach(Destination),
}

impl Course {
    /// Name of the plan, and the language spoken in it; both empty if there is none.
    pub(super) fn plan(&self) -> (String, String) {
        match self {
            Self::Plan(run) => (run.plan().name.clone(), run.language().to_owned()),
            Self::Told { language, .. } => (String::new(), language.clone()),
            Self::Queue { .. } | Self::Party(_) => Default::default(),
        }
    }

    /// To hear one prompt.
    pub(crate) fn told(prompt: &str, language: &str) -> Self {
        Self::Told {
            prompt: prompt.to_owned(),
            language: language.to_owned(),
        }
    }

    /// How a call left its queue, and what its course is told of that. A plan that sends it elsewhere
    /// for this cause makes it one that overflowed.
    fn after_queue(&self, outcome: QueueOutcome, cause: acd::Cause) -> (QueueOutcome, Happened) {
        let (Self::Plan(run), true) = (self, is_plans(outcome)) else {
            return (outcome, Happened::QueueLeft(outcome));
        };
        let cause = unserved(cause);
        let outcome = match run.overflows(cause) {
            true => QueueOutcome::Overflowed,
            false => outcome,
        };
        (outcome, Happened::NotServed(cause))
    }

    fn next(&mut self, ctx: &Context, happened: Happened) -> Next {
        match self {
            Self::Plan(run) => {
                let step = run.next(happened, &Scene(ctx));
                for note in run.notes() {
                    tracing::debug!(plan = run.plan().name, note, "the plan decided");
                }
                Next::Step(step)
            }
            Self::Queue { name, priority } => Next::Step(match happened {
                Happened::Started => Step::Answer,
                Happened::Answered => Step::Queue {
                    queue: name.clone(),
                    music: None,
                    priority: *priority,
                    recorded: true,
                    wait_recorded: false,
                    skills: BTreeMap::new(),
                    owner: None,
                    announce: None,
                },
                Happened::QueueLeft(outcome) => hangup(Some(match outcome {
                    QueueOutcome::TimedOut => Outcome::TimedOut,
                    QueueOutcome::RefusedFull => Outcome::RefusedFull,
                    QueueOutcome::Answered
                    | QueueOutcome::Abandoned
                    | QueueOutcome::Overflowed
                    | QueueOutcome::Closed
                    | QueueOutcome::CallbackTaken => Outcome::Closed,
                })),
                Happened::Waited
                | Happened::Said
                | Happened::Keyed(_)
                | Happened::Noted
                | Happened::NotReached
                | Happened::NotServed(_)
                | Happened::Fetched(_)
                | Happened::TalkEnded => hangup(None),
            }),
            Self::Told { prompt, language } => Next::Step(match happened {
                Happened::Started => Step::Answer,
                Happened::Answered | Happened::QueueLeft(_) => Step::Say {
                    prompt: prompt.clone(),
                    language: language.clone(),
                    notice: false,
                },
                Happened::Waited
                | Happened::Said
                | Happened::Keyed(_)
                | Happened::Noted
                | Happened::NotReached
                | Happened::NotServed(_)
                | Happened::Fetched(_)
                | Happened::TalkEnded => hangup(None),
            }),
            Self::Party(destination) => match (destination.take(), happened) {
                (Some(destination), Happened::Started) => Next::Reach(destination),
                // It was transferred to a queue that let it go.
                (_, Happened::QueueLeft(QueueOutcome::TimedOut)) => {
                    Next::Step(hangup(Some(Outcome::TimedOut)))
                }
                (_, _) => Next::Step(hangup(None)),
            },
        }
    }
}

const fn hangup(outcome: Option<Outcome>) -> Step {
    Step::Hangup {
        outcome,
        status: 480,
        cause: None,
    }
}

/// Whether a plan says what becomes of a call that left its queue so.
const fn is_plans(outcome: QueueOutcome) -> bool {
    match outcome {
        QueueOutcome::TimedOut | QueueOutcome::Closed | QueueOutcome::RefusedFull => true,
        QueueOutcome::Answered
        | QueueOutcome::Abandoned
        | QueueOutcome::Overflowed
        | QueueOutcome::CallbackTaken => false,
    }
}

/// Why a queue does not serve a call, as plans tell causes apart.
const fn unserved(cause: acd::Cause) -> Unserved {
    match cause {
        acd::Cause::Full => Unserved::Full,
        acd::Cause::WaitedTooLong => Unserved::WaitedTooLong,
        // Commands move calls to other queues; one that left for none was let go by a person.
        acd::Cause::Closed | acd::Cause::Commanded => Unserved::Closed,
        acd::Cause::Unstaffed(acd::Unstaffed::AllOnBreak) => Unserved::OnBreak,
        acd::Cause::Unstaffed(acd::Unstaffed::NobodySignedIn | acd::Unstaffed::NobodyReachable) => {
            Unserved::Nobody
        }
    }
}

/// What a plan sees when it comes to a fork.
struct Scene<'c>(&'c Context);

impl Sights for Scene<'_> {
    fn now(&self) -> WallTime {
        self.0.wall_at(self.0.now)
    }

    fn queue(&self, name: &str) -> QueueState {
        let Scene(ctx) = self;
        let known = ctx.settings.queues.iter().find(|queue| queue.name == name);
        let Some(queue) = known else {
            return QueueState::default();
        };
        QueueState {
            waiting: u32::try_from(ctx.acd.waiting_in(queue.id)).unwrap_or(u32::MAX),
            served: ctx.acd.is_served(queue.id),
            free: ctx.acd.has_free(queue.id),
        }
    }
}

/// Whether a step is nothing without a caller who hears it.
const fn is_for_ears(step: &Step) -> bool {
    match step {
        Step::Say { .. } | Step::Music { .. } | Step::Ask(_) | Step::Voicemail(_) => true,
        Step::Queue {
            music, announce, ..
        } => music.is_some() || announce.is_some(),
        Step::Ring { music, .. } => music.is_some(),
        Step::Wait { .. }
        | Step::Answer
        | Step::Set { .. }
        | Step::Rate { .. }
        | Step::Transfer { .. }
        | Step::Fetch { .. }
        | Step::CallBack { .. }
        | Step::Talk
        | Step::Hangup { .. } => false,
    }
}

/// How a plan puts a call into a queue.
pub(super) struct Asked<'a> {
    pub(super) music: Option<&'a str>,
    pub(super) priority: u8,
    pub(super) recorded: bool,
    pub(super) wait_recorded: bool,
    pub(super) skills: Vec<SkillNeed>,
    /// Who gets the call first, by line or login.
    pub(super) owner: Option<&'a str>,
    pub(super) announce: Option<Announce>,
}

/// What a plan asks of an operator, as the ACD takes it.
fn needs(skills: &BTreeMap<String, u8>) -> Vec<SkillNeed> {
    let within = |(skill, least): (&String, &u8)| {
        let limits = Limits {
            min: *least,
            ..Limits::ANY
        };
        SkillNeed::within(skill, limits)
    };
    skills.iter().map(within).collect()
}

/// Skills as the journal has them: name and least level, 0 where none is needed.
pub(super) fn told(skills: &[SkillNeed]) -> Vec<(String, u8)> {
    let least = |need: &Need| match need {
        Need::Required(limits) => limits.min,
        Need::Preferred => 0,
    };
    let skill = |skill: &SkillNeed| (skill.skill.clone(), least(&skill.need));
    skills.iter().map(skill).collect()
}

/// A call's place in a queue: what it comes back to.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) queue: QueueId,
    pub(super) name: String,
    pub(super) music: Option<PromptId>,
    pub(super) priority: u8,
    /// Since when it waited first.
    pub(super) since: Time,
    pub(super) recorded: bool,
    /// What the caller says and hears while waiting is recorded.
    pub(super) wait_recorded: bool,
    /// What it asks for besides what the queue asks for.
    pub(super) skills: Vec<SkillNeed>,
    /// Who gets the call first.
    pub(super) owner: Option<OperatorId>,
    /// When the caller is told how the place is.
    pub(super) announce: Option<Announce>,
}

impl Call {
    /// Goes on in the plan until a step has to wait for something.
    pub(super) fn advance(&mut self, ctx: &mut Context, happened: Happened) {
        let next = self.next_of_course(ctx, happened);
        self.follow_course(ctx, next);
    }

    fn follow_course(&mut self, ctx: &mut Context, next: Next) {
        let mut next = next;
        loop {
            let happened = match next {
                Next::Reach(destination) => {
                    self.dial(ctx, &destination);
                    return;
                }
                Next::Step(step) => self.begin(ctx, step),
            };
            let Some(happened) = happened else { return };
            next = self.next_of_course(ctx, happened);
        }
    }

    fn next_of_course(&mut self, ctx: &mut Context, happened: Happened) -> Next {
        let next = self.course.next(ctx, happened);
        self.note_choices(ctx);
        if let Course::Plan(run) = &self.course
            && self.language != run.language()
        {
            // The caller chose another one: the operator is to speak it too.
            run.language().clone_into(&mut self.language);
        }
        next
    }

    /// Begins a step; says what happened if it is over at once.
    fn begin(&mut self, ctx: &mut Context, step: Step) -> Option<Happened> {
        if is_for_ears(&step) && !self.is_heard(ctx) {
            self.defer(ctx, step);
            return None;
        }
        match step {
            Step::Wait { time } => (!self.ring_first(ctx, time)).then_some(Happened::Waited),
            Step::Answer if self.caller.is_answered() => Some(Happened::Answered),
            Step::Answer => {
                self.answer(ctx);
                None
            }
            Step::Say {
                prompt,
                language,
                notice,
            } => (!self.say(ctx, prompt, &language, notice)).then_some(Happened::Said),
            Step::Music { music, time } => {
                (!self.play_for(ctx, &music, time)).then_some(Happened::Said)
            }
            Step::Ask(ask) => {
                self.ask(ctx, ask);
                None
            }
            Step::Set { field, value } => {
                self.note_field(ctx, field, value);
                Some(Happened::Noted)
            }
            Step::Rate { mark } => {
                let call = self.id;
                ctx.record(Fact::CallRated { call, mark });
                Some(Happened::Noted)
            }
            Step::Queue {
                queue,
                music,
                priority,
                recorded,
                wait_recorded,
                skills,
                owner,
                announce,
            } => {
                let asked = Asked {
                    music: music.as_deref(),
                    priority,
                    recorded,
                    wait_recorded,
                    skills: needs(&skills),
                    owner: owner.as_deref(),
                    announce,
                };
                let waits = self.enter_queue(ctx, &queue, asked);
                (!waits).then_some(Happened::QueueLeft(QueueOutcome::Closed))
            }
            Step::Ring {
                target,
                time,
                music,
                recorded,
            } => {
                let planned = Planned {
                    time,
                    recorded,
                    music: false,
                };
                let rings = self.ring_somebody(ctx, &target, planned, music.as_deref());
                (!rings).then_some(Happened::NotReached)
            }
            Step::Transfer { to } => self.hand_on(ctx, &to),
            Step::Fetch { url, body, timeout } => {
                self.fetch(ctx, url, body, timeout);
                None
            }
            Step::Voicemail(asked) => {
                self.leave_message(ctx, *asked);
                None
            }
            Step::CallBack { queue } => {
                self.callback_chosen(ctx, &queue);
                Some(Happened::Noted)
            }
            // With an operator already.
            Step::Talk => None,
            Step::Hangup {
                outcome,
                status,
                cause,
            } => {
                self.caller.cause = cause;
                self.hang_up(ctx, outcome, status);
                None
            }
        }
    }

    fn answer(&mut self, ctx: &mut Context) {
        let answered = ctx.record(Fact::CallAnswered { call: self.id });
        self.caller.accept(ctx, answered);
        self.state = State::Answering;
    }

    /// Whether the caller hears what is played now.
    fn is_heard(&mut self, ctx: &mut Context) -> bool {
        self.caller.is_answered() || self.caller.open_early(ctx) == Early::Open
    }

    /// Keeps a step that the caller is to hear until that can be: after the answer to our early
    /// offer, or else after the call was answered. To go on unheard would play the notice to nobody.
    fn defer(&mut self, ctx: &mut Context, step: Step) {
        self.deferred = Some(step);
        if self.caller.open_early(ctx) == Early::Impossible {
            self.answer(ctx);
        }
    }

    /// Does the step that waited until the caller could hear it.
    pub(super) fn perform_deferred(&mut self, ctx: &mut Context) {
        if let Some(step) = self.deferred.take() {
            self.follow_course(ctx, Next::Step(step));
        }
    }

    /// The caller has our answer.
    pub(super) fn answered(&mut self, ctx: &mut Context) {
        match self.deferred.take() {
            Some(step) => self.follow_course(ctx, Next::Step(step)),
            None => self.advance(ctx, Happened::Answered),
        }
    }

    /// Plays a prompt; says whether there is one to wait for.
    fn say(&mut self, ctx: &mut Context, prompt: String, language: &str, notice: bool) -> bool {
        let language = if language.is_empty() {
            self.language.as_str()
        } else {
            language
        };
        let Some(id) = self.prompts.find(&prompt, language) else {
            tracing::error!(call = %self.id, prompt, language, "prompt is not loaded; skipped");
            return false;
        };
        let token = self.play(ctx, id, false);
        self.state = State::Saying {
            token,
            notice: notice.then_some(prompt),
        };
        true
    }

    pub(super) fn play(&mut self, ctx: &mut Context, prompt: PromptId, repeat: bool) -> u32 {
        self.play_to(ctx, self.first, prompt, repeat)
    }

    /// The same, to anybody in the call.
    pub(super) fn play_to(
        &mut self,
        ctx: &mut Context,
        leg: LegId,
        prompt: PromptId,
        repeat: bool,
    ) -> u32 {
        self.play_token = self.play_token.wrapping_add(1);
        let (call, token) = (self.id, self.play_token);
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
        if self.question_ended(ctx, token)
            || self.whisper_ended(ctx, token)
            || self.announced(ctx, token)
            || self.message_prompt_ended(ctx, token)
        {
            return;
        }
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

    /// The call is for nothing but this prompt.
    pub(crate) fn tell_only(&mut self, prompt: &str) {
        self.course = Course::told(prompt, &self.language);
    }

    /// Puts the call into a queue; says whether there is such a queue.
    pub(super) fn enter_queue(&mut self, ctx: &mut Context, queue: &str, asked: Asked<'_>) -> bool {
        let Some(settings) = ctx.settings.queues.iter().find(|known| known.name == queue) else {
            ctx.bug(
                "a plan names a queue that is not in the settings",
                Some(self.id),
            );
            return false;
        };
        let queue = settings.id;
        let place = Place {
            queue,
            name: settings.name.clone(),
            music: asked
                .music
                .and_then(|name| self.prompts.find(name, &self.language)),
            priority: asked.priority,
            since: ctx.now,
            recorded: asked.recorded,
            wait_recorded: asked.wait_recorded,
            skills: asked.skills,
            owner: asked.owner.and_then(|name| self.owner_named(ctx, name)),
            announce: asked.announce,
        };
        if place.music.is_none() && !self.caller.is_answered() {
            self.caller.ring(ctx);
        }
        self.wait_at(ctx, place);
        true
    }

    /// Waits at a place in a queue, be it a new one or the old one.
    pub(super) fn wait_at(&mut self, ctx: &mut Context, place: Place) {
        // What the plan asks for comes first: of too many the last are left out.
        let mut skills = place.skills.clone();
        skills.extend(self.language_wanted(ctx, place.queue));
        self.entered_queue(ctx, &place, &skills);
        self.state = State::Queued {
            queue: place.queue,
            name: place.name.clone(),
            recorded: place.recorded,
        };
        if let Some(music) = place.music {
            self.play(ctx, music, true);
        }
        self.announce_later(ctx, place.announce.map(|announce| announce.after));
        ctx.acd.handle(
            ctx.now,
            acd::Input::Queued(acd::Arrival {
                priority: place.priority,
                since: place.since,
                caller: self.caller_number.clone(),
                skills,
                owner: place.owner,
                ..acd::Arrival::new(self.id, place.queue, ctx.now)
            }),
        );
        self.place = Some(place);
    }

    /// The operator whom a plan names as the caller's. What a service says may be long out of date.
    fn owner_named(&self, ctx: &Context, name: &str) -> Option<OperatorId> {
        let owner = operator_at(ctx, name);
        if owner.is_none() {
            tracing::warn!(call = %self.id, plan = self.course.plan().0,
                "a plan names an owner whom nobody knows: the call goes to anybody");
        }
        owner
    }

    /// The language of the call as a skill, where its queue has it so.
    fn language_wanted(&self, ctx: &Context, queue: QueueId) -> Vec<SkillNeed> {
        let need = ctx.settings.languages.get(&queue);
        need.map(|need| SkillNeed {
            skill: self.language.clone(),
            need: *need,
        })
        .into_iter()
        .collect()
    }

    /// A supervisor gave it another priority, which it keeps wherever it waits.
    pub(crate) const fn set_priority(&mut self, priority: u8) {
        if let Some(place) = &mut self.place {
            place.priority = priority;
        }
    }

    /// The ACD let the call overflow into another queue, where it waits on.
    pub(crate) fn queue_moved(&mut self, ctx: &mut Context, to: QueueId) {
        let settings = ctx.settings.queues.iter().find(|known| known.id == to);
        let into = settings.map(|known| known.name.clone());
        let (State::Queued { name, .. }, Some(into)) = (&self.state, into) else {
            ctx.bug("a call was moved that waits nowhere", Some(self.id));
            return;
        };
        self.left_queue(ctx, name.clone(), QueueOutcome::Overflowed);
        let Some(place) = &mut self.place else { return };
        (place.queue, place.name) = (to, into);
        let place = place.clone();
        self.state = State::Queued {
            queue: to,
            name: place.name.clone(),
            recorded: place.recorded,
        };
        self.entered_queue(ctx, &place, &place.skills);
    }

    /// The ACD let the call go without an operator.
    pub(crate) fn queue_over(
        &mut self,
        ctx: &mut Context,
        outcome: QueueOutcome,
        cause: acd::Cause,
    ) {
        let State::Queued { name, .. } = &self.state else {
            return;
        };
        let queue = name.clone();
        let (outcome, happened) = self.course.after_queue(outcome, cause);
        self.left_queue(ctx, queue, outcome);
        ctx.media(MediaCommand::Stop {
            call: self.id,
            leg: self.first,
        });
        self.state = State::Opening;
        self.advance(ctx, happened);
    }

    /// The plan ends the call.
    fn hang_up(&mut self, ctx: &mut Context, outcome: Option<Outcome>, status: u16) {
        let by = self.segment_ended_by.take().unwrap_or(EndedBy::Engine);
        let outcome = match outcome {
            _ if self.talked => Outcome::Answered,
            Some(outcome) => outcome,
            None => Outcome::Served,
        };
        self.end(ctx, outcome, by, status, "");
    }
}
