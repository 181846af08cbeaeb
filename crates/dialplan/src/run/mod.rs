//! Owns one call's way through its plan.
//!
//! ```text
//! state \ happened  fitting                                       what follows
//! New               Started                                       first step
//! Ringing           Waited                                        Answer
//! Answering         Answered                                      next step
//! Saying            Said                                          next step
//! Asking            Keyed: an answer / again / vain / the last    its flow, Set, Rate / Ask / Say, Ask / next step
//! Scolding          Said                                          Ask
//! Noting            Noted                                         next step
//! Queueing          QueueLeft: answered, overflowed / nobody / caller gone; NotServed; TalkEnded
//!                                                                 Talk / next step / Hangup; the cause's flow, or
//!                                                                 next step; `after`, or Hangup
//! Calling           NotReached / TalkEnded                        next target, next step / `after`, or Hangup
//! Transferring      NotReached / TalkEnded, QueueLeft             Hangup
//! Fetching          Fetched: useful / not                         next step / its flow
//! CallingBack       Noted                                         Hangup
//! Talking           TalkEnded                                     `after`, or Hangup
//! Ended             anything                                      Hangup
//! ```
//! What is not in the row is a broken promise of the caller of `next`; it ends the call cleanly as failed.
//! Steps that need nobody (`if`, `flow`) are gone through at once. A run ends after
//! [`limits::RUN_STEPS`] steps whatever its plan says.

mod ask;
mod fork;
mod step;

use std::collections::BTreeMap;
use std::sync::Arc;

use vocab::{Outcome, QueueOutcome};

use crate::fields::{at_path, bounded, fill, percent, plain};
use crate::plan::{Emergency, Plan, limits};
use crate::step::{FlowId, Hangup, Http, PlanStep, Ring, Whom};
pub use step::{Ask, Chosen, Happened, QueueState, Sights, Step, Target, Unserved, VoiceMessage};

/// A step of a plan by its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Here {
    flow: FlowId,
    step: usize,
}

impl Here {
    fn step(self, plan: &Plan) -> Option<&PlanStep> {
        plan.flow(self.flow)?.steps.get(self.step)
    }
}

/// A flow that is gone through, and its next step.
#[derive(Debug, Clone, Copy)]
struct Frame {
    flow: FlowId,
    next: usize,
}

/// Where a run stands.
#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    New,
    Ringing,
    Answering,
    Saying,
    Asking {
        here: Here,
        vain: u8,
    },
    Scolding {
        here: Here,
        vain: u8,
    },
    Noting,
    Queueing {
        here: Here,
        after: Option<FlowId>,
    },
    Calling {
        here: Here,
        /// Which of those to be called is called now.
        target: usize,
        after: Option<FlowId>,
    },
    Transferring,
    Fetching {
        here: Here,
    },
    CallingBack,
    Talking {
        after: Option<FlowId>,
    },
    Ended(Step),
}

/// A call on its way through a plan.
#[derive(Debug, Clone)]
pub struct Run {
    plan: Arc<Plan>,
    language: String,
    fields: BTreeMap<String, String>,
    state: State,
    /// How a person set the emergency switch, in place of the plan.
    switched: Option<bool>,
    /// Flows that wait for the end of the one above.
    stack: Vec<Frame>,
    /// How the last queue or call let go of a caller whom nobody answered.
    unserved: Option<Outcome>,
    steps: u32,
    notes: Vec<String>,
    choices: Vec<Chosen>,
}

impl Run {
    /// A call that has just arrived. It keeps its plan, whatever is reloaded meanwhile.
    #[must_use]
    pub fn new(plan: Arc<Plan>, caller: &str, number: &str) -> Self {
        let language = plan.first_language().to_owned();
        let fields = [
            ("caller", caller),
            ("number", number),
            ("language", language.as_str()),
        ];
        Self {
            fields: fields
                .map(|(name, value)| (name.to_owned(), bounded(value)))
                .into(),
            plan,
            language,
            state: State::New,
            switched: None,
            stack: Vec::new(),
            unserved: None,
            steps: 0,
            notes: Vec::new(),
            choices: Vec::new(),
        }
    }

    /// The same, with the emergency switch as a person set it; none: as the plan says.
    #[must_use]
    pub fn switched(self, switched: Option<bool>) -> Self {
        Self { switched, ..self }
    }

    /// The plan of the call.
    #[must_use]
    pub const fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }

    /// How the last queue let go of a caller whom nobody answered, if one did.
    #[must_use]
    pub const fn unserved(&self) -> Option<Outcome> {
        self.unserved
    }

    /// The language spoken to the caller.
    #[must_use]
    pub fn language(&self) -> &str {
        &self.language
    }

    /// The value of a field; empty if it has none.
    #[must_use]
    pub fn field(&self, name: &str) -> &str {
        self.fields.get(name).map_or("", String::as_str)
    }

    /// What was decided without a step since this was asked last, in words.
    pub fn notes(&mut self) -> Vec<String> {
        core::mem::take(&mut self.notes)
    }

    /// What was chosen at menus since this was asked last.
    pub fn choices(&mut self) -> Vec<Chosen> {
        core::mem::take(&mut self.choices)
    }

    /// The next step.
    pub fn next(&mut self, happened: Happened, sights: &dyn Sights) -> Step {
        let step = self.react(happened);
        self.arrive(step, sights)
    }

    /// What follows from what happened; `None`: the next step of the plan.
    fn react(&mut self, happened: Happened) -> Option<Step> {
        match (self.state.clone(), happened) {
            (State::New, Happened::Started) => {
                let emergency = self.plan.emergency;
                let on = |one: &Emergency| self.switched.unwrap_or(one.on);
                let emergency = emergency.filter(on);
                if emergency.is_some() {
                    self.note("the emergency switch is on".to_owned());
                }
                let flow = emergency.map_or(FlowId(0), |emergency| emergency.flow);
                self.stack.push(Frame { flow, next: 0 });
                None
            }
            (State::Ringing, Happened::Waited) => {
                self.state = State::Answering;
                Some(Step::Answer)
            }
            (State::Answering, Happened::Answered)
            | (State::Saying, Happened::Said)
            | (State::Noting, Happened::Noted) => None,
            (State::Asking { here, vain }, Happened::Keyed(keys)) => self.keyed(here, vain, &keys),
            (State::Scolding { here, vain }, Happened::Said) => self.ask(here, vain),
            (State::Queueing { here, after }, Happened::QueueLeft(outcome)) => {
                self.queue_left(Some(here), after, outcome)
            }
            (State::Queueing { here, .. }, Happened::NotServed(cause)) => {
                self.not_served(Some(here), cause)
            }
            (State::Calling { here, target, .. }, Happened::NotReached) => {
                self.unserved = Some(Outcome::Unreached);
                self.call(here, target + 1)
            }
            (State::Fetching { here }, Happened::Fetched(reply)) => self.fetched(here, reply),
            (State::CallingBack, Happened::Noted) => Some(self.end(None, Hangup::DEFAULT)),
            (State::Transferring, Happened::NotReached) => {
                let outcome = self.unserved.unwrap_or(Outcome::Unreached);
                Some(self.end(Some(outcome), Hangup::DEFAULT))
            }
            (State::Transferring, Happened::QueueLeft(outcome)) => {
                self.queue_left(None, None, outcome)
            }
            (State::Transferring, Happened::NotServed(cause)) => self.not_served(None, cause),
            (
                State::Queueing { after, .. }
                | State::Calling { after, .. }
                | State::Talking { after },
                Happened::TalkEnded,
            ) => self.talk_ended(after),
            (State::Transferring, Happened::TalkEnded) => self.talk_ended(None),
            (State::Ended(hangup), _) => Some(hangup),
            (_, _) => Some(self.broken()),
        }
    }

    /// Goes on from step to step of the plan until one needs somebody.
    fn arrive(&mut self, step: Option<Step>, sights: &dyn Sights) -> Step {
        if let Some(step) = step {
            return step;
        }
        loop {
            self.steps += 1;
            if self.steps > limits::RUN_STEPS {
                self.note(format!(
                    "more than {} steps: the call ends",
                    limits::RUN_STEPS
                ));
                return self.end_of_plan(Hangup::DEFAULT);
            }
            let Some(here) = self.follow() else {
                return self.end_of_plan(Hangup::DEFAULT);
            };
            if let Some(step) = self.begin(here, sights) {
                return step;
            }
        }
    }

    /// The next step of the plan, of whichever flow has one.
    fn follow(&mut self) -> Option<Here> {
        loop {
            let frame = self.stack.last_mut()?;
            let here = Here {
                flow: frame.flow,
                step: frame.next,
            };
            frame.next += 1;
            if here.step(&self.plan).is_some() {
                return Some(here);
            }
            self.stack.pop();
        }
    }

    /// Goes on in a flow, or with the next step if there is none.
    fn enter(&mut self, flow: Option<FlowId>) {
        let Some(flow) = flow else { return };
        // A flow whose last step this was has nothing to come back for: a menu that leads back to
        // itself does not pile up.
        while let Some(frame) = self.stack.last() {
            let steps = self
                .plan
                .flow(frame.flow)
                .map_or(0, |flow| flow.steps.len());
            if frame.next < steps {
                break;
            }
            self.stack.pop();
        }
        if self.stack.len() >= limits::DEPTH {
            self.note("too many flows wait for each other: the oldest is forgotten".to_owned());
            self.stack.remove(0);
        }
        let name = self.plan.flow(flow).map(|flow| flow.name.clone());
        self.note(format!("flow {}", name.unwrap_or_default()));
        self.stack.push(Frame { flow, next: 0 });
    }

    /// Begins a step of the plan; `None` if it needs nobody and is over.
    fn begin(&mut self, here: Here, sights: &dyn Sights) -> Option<Step> {
        let plan = Arc::clone(&self.plan);
        match here.step(&plan)? {
            PlanStep::Answer(answer) if answer.after.is_zero() => {
                self.state = State::Answering;
                Some(Step::Answer)
            }
            PlanStep::Answer(answer) => {
                self.state = State::Ringing;
                Some(Step::Wait { time: answer.after })
            }
            PlanStep::Say(say) => {
                self.state = State::Saying;
                Some(Step::Say {
                    prompt: say.prompt.name.clone(),
                    language: self.language.clone(),
                    notice: say.notice,
                })
            }
            PlanStep::Music(music) => {
                self.state = State::Saying;
                Some(Step::Music {
                    music: music.file.clone(),
                    time: music.time,
                })
            }
            PlanStep::Menu(_)
            | PlanStep::Collect(_)
            | PlanStep::Survey(_)
            | PlanStep::Callback(_) => self.ask(here, 0),
            PlanStep::Queue(queue) => {
                let after = queue.after;
                self.state = State::Queueing { here, after };
                Some(Step::Queue {
                    queue: queue.name.clone(),
                    music: queue.music.clone(),
                    priority: queue.priority,
                    recorded: queue.recorded,
                    wait_recorded: queue.wait_recorded,
                    skills: queue.skills.clone(),
                    owner: queue
                        .owner
                        .as_ref()
                        .map(|owner| fill(owner, &self.fields, plain))
                        .filter(|owner| !owner.is_empty()),
                    announce: queue.announce,
                })
            }
            PlanStep::Ring(_) => self.call(here, 0),
            PlanStep::Transfer(transfer) => {
                self.state = State::Transferring;
                Some(Step::Transfer {
                    to: fill(&transfer.to, &self.fields, plain),
                })
            }
            PlanStep::Voicemail(voicemail) => {
                self.state = State::Saying;
                Some(Step::Voicemail(Box::new(VoiceMessage {
                    prompt: voicemail.prompt.name.clone(),
                    language: self.language.clone(),
                    mailbox: voicemail.mailbox.as_ref().unwrap_or(&plan.name).clone(),
                    lines: voicemail.lines.clone(),
                    longest: voicemail.longest,
                    shortest: voicemail.shortest,
                    silence: voicemail.silence,
                    end: voicemail.end,
                })))
            }
            PlanStep::Http(http) => Some(self.fetch(here, http)),
            PlanStep::Set(set) => {
                let value = fill(&set.value, &self.fields, plain);
                let personal = plan.is_personal(&set.field);
                Some(self.set(set.field.clone(), &value, personal))
            }
            PlanStep::If(fork) => {
                let (holds, why) = self.holds(&fork.condition, sights);
                self.note(format!("if {why}: {}", if holds { "yes" } else { "no" }));
                self.enter(if holds { fork.then } else { fork.otherwise });
                None
            }
            PlanStep::Flow(flow) => {
                self.enter(Some(*flow));
                None
            }
            PlanStep::Hangup(hangup) => Some(self.end_of_plan(*hangup)),
        }
    }

    fn note(&mut self, note: String) {
        // Whoever does not ask for them is not to pay for them.
        if self.notes.len() < 100 {
            self.notes.push(note);
        }
    }

    fn speak(&mut self, language: &str) {
        language.clone_into(&mut self.language);
        self.note(format!("language {language}"));
        self.fields
            .insert("language".to_owned(), language.to_owned());
    }

    fn set(&mut self, field: String, value: &str, personal: bool) -> Step {
        let value = bounded(value);
        self.fields.insert(field.clone(), value.clone());
        self.state = State::Noting;
        Step::Set {
            field,
            value: (!personal).then_some(value),
        }
    }

    /// Calls the one whose turn it is; the plan goes on when all were called in vain.
    fn call(&mut self, here: Here, target: usize) -> Option<Step> {
        let plan = Arc::clone(&self.plan);
        let PlanStep::Ring(ring) = here.step(&plan)? else {
            return None;
        };
        let Ring {
            whom,
            at_once,
            time,
            music,
            recorded,
            after,
        } = ring.as_ref();
        if *at_once && target == 0 {
            return self.call_at_once(here, ring);
        }
        let named = fill(whom.targets().get(target)?, &self.fields, plain);
        if named.is_empty() {
            // The field has no value: there is nobody to call.
            self.note("nobody to call".to_owned());
            self.unserved = Some(Outcome::Unreached);
            return self.call(here, target + 1);
        }
        self.state = State::Calling {
            here,
            target,
            after: *after,
        };
        Some(Step::Ring {
            target: match whom {
                Whom::Operators(_) => Target::Operator(named),
                Whom::Number(_) => Target::Number(named),
            },
            time: *time,
            music: music.clone(),
            recorded: *recorded,
        })
    }

    /// Calls all of a group; after the last was called in vain the plan goes on.
    fn call_at_once(&mut self, here: Here, ring: &Ring) -> Option<Step> {
        let targets = ring.whom.targets();
        let named = targets.iter().map(|one| fill(one, &self.fields, plain));
        let named: Vec<String> = named.filter(|one| !one.is_empty()).collect();
        if named.is_empty() {
            self.note("nobody to call".to_owned());
            self.unserved = Some(Outcome::Unreached);
            return None;
        }
        self.state = State::Calling {
            here,
            target: targets.len(),
            after: ring.after,
        };
        Some(Step::Ring {
            target: Target::Operators(named),
            time: ring.time,
            music: ring.music.clone(),
            recorded: ring.recorded,
        })
    }

    fn fetch(&mut self, here: Here, http: &Http) -> Step {
        let body: serde_json::Map<String, serde_json::Value> = http
            .send
            .iter()
            .map(|(name, value)| (name.clone(), fill(value, &self.fields, plain).into()))
            .collect();
        self.state = State::Fetching { here };
        Step::Fetch {
            url: fill(&http.url, &self.fields, percent),
            body: (!body.is_empty()).then(|| serde_json::Value::Object(body).to_string()),
            timeout: http.timeout,
        }
    }

    /// A reply is useful if it has everything that is to be saved.
    fn fetched(&mut self, here: Here, reply: Option<String>) -> Option<Step> {
        let plan = Arc::clone(&self.plan);
        let PlanStep::Http(http) = here.step(&plan)? else {
            return None;
        };
        let json = reply.and_then(|reply| {
            if http.save.is_empty() {
                return Some(serde_json::Value::Null);
            }
            serde_json::from_str::<serde_json::Value>(&reply).ok()
        });
        let saved: Option<Vec<(String, String)>> = json.and_then(|json| {
            let saved = http.save.iter();
            saved
                .map(|(field, path)| Some((field.clone(), at_path(&json, path)?)))
                .collect()
        });
        match saved {
            Some(saved) => {
                self.fields.extend(saved);
                self.note("a useful reply".to_owned());
            }
            None => {
                self.note("no useful reply".to_owned());
                self.enter(http.otherwise);
            }
        }
        None
    }

    /// Goes on in a flow, or with the next step.
    fn go(&mut self, flow: Option<FlowId>) -> Option<Step> {
        self.enter(flow);
        None
    }

    /// Whether the plan sends a call that its queue does not serve for this cause elsewhere.
    #[must_use]
    pub fn overflows(&self, cause: Unserved) -> bool {
        let State::Queueing { here, .. } = self.state else {
            return false;
        };
        self.overflow(here, cause).is_some()
    }

    fn overflow(&self, here: Here, cause: Unserved) -> Option<FlowId> {
        match here.step(&self.plan)? {
            PlanStep::Queue(queue) => queue.overflow(cause),
            _ => None,
        }
    }

    fn not_served(&mut self, here: Option<Here>, cause: Unserved) -> Option<Step> {
        self.unserved = Some(cause.outcome());
        self.go(here.and_then(|here| self.overflow(here, cause)))
    }

    fn queue_left(
        &mut self,
        here: Option<Here>,
        after: Option<FlowId>,
        outcome: QueueOutcome,
    ) -> Option<Step> {
        let cause = match outcome {
            QueueOutcome::Answered | QueueOutcome::Overflowed => {
                self.state = State::Talking { after };
                return Some(Step::Talk);
            }
            QueueOutcome::Abandoned => {
                return Some(self.end(Some(Outcome::Abandoned), Hangup::DEFAULT));
            }
            // The callback makes its own call; this one has no outcome of the plan's.
            QueueOutcome::CallbackTaken => return Some(self.end(None, Hangup::DEFAULT)),
            QueueOutcome::TimedOut => Unserved::WaitedTooLong,
            QueueOutcome::Closed => Unserved::Closed,
            QueueOutcome::RefusedFull => Unserved::Full,
        };
        self.not_served(here, cause)
    }

    /// What follows a talk is the end, but for a flow that was asked for.
    fn talk_ended(&mut self, after: Option<FlowId>) -> Option<Step> {
        self.unserved = Some(Outcome::Answered);
        match after {
            Some(flow) => {
                self.stack.clear();
                self.enter(Some(flow));
                None
            }
            None => Some(self.end(Some(Outcome::Answered), Hangup::DEFAULT)),
        }
    }

    fn end_of_plan(&mut self, hangup: Hangup) -> Step {
        self.end(Some(self.unserved.unwrap_or(Outcome::Served)), hangup)
    }

    fn broken(&mut self) -> Step {
        // RFC 3261 §21.5.1: 500 for a fault of ours.
        let hangup = Hangup {
            status: 500,
            cause: None,
        };
        self.end(Some(Outcome::Failed), hangup)
    }

    fn end(&mut self, outcome: Option<Outcome>, Hangup { status, cause }: Hangup) -> Step {
        let hangup = Step::Hangup {
            outcome,
            status,
            cause,
        };
        self.state = State::Ended(hangup.clone());
        hangup
    }
}

#[cfg(test)]
mod tests;
