//! Owns trials: what a plan would do with a call, step by step, as text that people can review.
//! Nothing is played and nobody is called; who tries says what the caller presses and who answers.

use core::fmt::Write as _;
use std::sync::Arc;

use vocab::{Outcome, QueueOutcome, WallTime};

use crate::plan::Plan;
use crate::read::written;
use crate::run::{Ask, Happened, QueueState, Run, Sights, Step, Target};
use crate::step::Announce;

/// Steps that are told; a plan that goes on for longer goes round.
const TOLD: usize = 200;

/// A call to be tried.
#[derive(Debug, Clone)]
pub struct Trial {
    /// The plan.
    pub plan: Arc<Plan>,
    /// The number that is dialled.
    pub number: String,
    /// The caller's number.
    pub caller: String,
    /// When.
    pub at: WallTime,
    /// What the caller presses at each question, in order; nothing where it is empty, and after
    /// the last.
    pub keys: Vec<String>,
    /// How queues and calls end, in order; the last one again and again.
    pub ends: Vec<QueueOutcome>,
    /// How queues look to an `if`.
    pub queues: QueueState,
    /// What web services reply.
    pub reply: Option<String>,
}

impl Sights for Trial {
    fn now(&self) -> WallTime {
        self.at
    }

    fn queue(&self, _: &str) -> QueueState {
        self.queues
    }
}

impl Trial {
    /// A call whose caller presses nothing and whom the first operator answers.
    #[must_use]
    pub fn new(plan: Arc<Plan>, number: &str, caller: &str, at: WallTime) -> Self {
        Self {
            plan,
            number: number.to_owned(),
            caller: caller.to_owned(),
            at,
            keys: Vec::new(),
            ends: vec![QueueOutcome::Answered],
            queues: QueueState {
                waiting: 0,
                served: true,
                free: true,
            },
            reply: None,
        }
    }

    /// What would happen, one line for each step.
    #[must_use]
    pub fn trace(&self) -> String {
        let mut text = self.headline();
        let mut run = Run::new(Arc::clone(&self.plan), &self.caller, &self.number);
        let mut keys = self.keys.iter();
        let mut ends = self.ends.iter();
        let mut end = QueueOutcome::Answered;
        let mut happened = Happened::Started;
        let mut answered = false;
        for number in 1..=TOLD {
            let step = run.next(happened, self);
            for note in run.notes() {
                let _ = writeln!(text, "   {note}");
            }
            let _ = writeln!(text, "{number}. {}", self.describe(&step, answered));
            let result = match &step {
                Step::Queue { .. } | Step::Ring { .. } | Step::Transfer { .. } => {
                    end = ends.next().copied().unwrap_or(end);
                    answered |= end == QueueOutcome::Answered;
                    Some(word(end).to_owned())
                }
                Step::Ask(ask) => Some(self.pressed(ask, keys.clone().next())),
                Step::Fetch { .. } => Some(match &self.reply {
                    Some(reply) => format!("reply {reply}"),
                    None => "no reply".to_owned(),
                }),
                _ => None,
            };
            if let Some(result) = result {
                let _ = writeln!(text, "   -> {result}");
            }
            happened = match step {
                Step::Wait { .. } => Happened::Waited,
                Step::Answer => {
                    answered = true;
                    Happened::Answered
                }
                Step::Say { .. } | Step::Music { .. } | Step::Voicemail(_) => Happened::Said,
                Step::Ask(_) => Happened::Keyed(keys.next().cloned().unwrap_or_default()),
                Step::Set { .. } | Step::Rate { .. } | Step::CallBack { .. } => Happened::Noted,
                Step::Queue { .. } => Happened::QueueLeft(end),
                Step::Ring { .. } | Step::Transfer { .. } if end == QueueOutcome::Answered => {
                    let _ = writeln!(text, "   talk");
                    Happened::TalkEnded
                }
                Step::Ring { .. } | Step::Transfer { .. } => Happened::NotReached,
                Step::Fetch { .. } => Happened::Fetched(self.reply.clone()),
                Step::Talk => Happened::TalkEnded,
                Step::Hangup { .. } => return text,
            };
        }
        let _ = writeln!(text, "… and so on: more than {TOLD} steps");
        text
    }

    fn headline(&self) -> String {
        let caller = match self.caller.as_str() {
            "" => "withheld",
            caller => caller,
        };
        let clockwork = self.plan.clockwork.as_ref();
        let at = clockwork.and_then(|clockwork| {
            let local = clockwork.zone.local(self.at)?;
            Some(format!(", {local} {}", clockwork.zone.name))
        });
        let (plan, number) = (&self.plan.name, &self.number);
        let at = at.unwrap_or_default();
        format!("plan {plan}: {caller} calls {number}{at}\n")
    }

    fn pressed(&self, ask: &Ask, keys: Option<&String>) -> String {
        match keys.map_or("", String::as_str) {
            "" => "no key".to_owned(),
            keys if ask.personal => format!("{} personal keys", keys.chars().count()),
            keys => format!("keys {keys}"),
        }
    }

    fn describe(&self, step: &Step, answered: bool) -> String {
        match step {
            Step::Wait { time } => format!("let it ring for {}", written(*time)),
            Step::Answer => "answer".to_owned(),
            Step::Say {
                prompt,
                language,
                notice,
            } => {
                let notice = if *notice { ", notice of recording" } else { "" };
                let heard = self.heard(prompt, language);
                format!("say {prompt} ({language}{notice}): {heard}")
            }
            Step::Music { music, time } => format!("play {music} for {}", written(*time)),
            Step::Ask(ask) => {
                let heard = self.heard(&ask.prompt, &ask.language);
                format!("ask {} ({}): {heard}", ask.prompt, ask.language)
            }
            Step::Set { field, value } => match value {
                Some(value) => format!("set {field} = \"{value}\""),
                None => format!("set {field}, which is personal"),
            },
            Step::Rate { mark } => format!("mark {mark} of 5"),
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
                let with = with(music.as_deref(), *recorded);
                let skills: String = skills
                    .iter()
                    .map(|(skill, level)| format!(", {skill} from {level}"))
                    .collect();
                let first = owner.as_ref().map(|owner| format!(", {owner} first"));
                let first = first.unwrap_or_default();
                let told = announce.map(|Announce { after, every }| {
                    let (after, every) = (written(after), written(every));
                    format!(", place and wait told after {after}, then every {every}")
                });
                let told = told.unwrap_or_default();
                let wait = if *wait_recorded {
                    ", the wait as well"
                } else {
                    ""
                };
                format!("queue {queue}: priority {priority}, {with}{wait}{skills}{first}{told}")
            }
            Step::Ring {
                target,
                time,
                music,
                recorded,
            } => {
                let whom = match target {
                    Target::Operator(operator) => format!("operator {operator}"),
                    Target::Operators(group) => format!("operators {} at once", group.join(", ")),
                    Target::Number(number) => format!("number {number}"),
                };
                let with = with(music.as_deref(), *recorded);
                format!("ring {whom} for {}: {with}", written(*time))
            }
            Step::Transfer { to } => format!("transfer to {to}"),
            Step::Fetch { url, body, timeout } => {
                let how = match body {
                    Some(body) => format!("POST {url} with {body}"),
                    None => format!("GET {url}"),
                };
                format!("{how}, at most {}", written(*timeout))
            }
            Step::Voicemail(message) => {
                let (prompt, language) = (&message.prompt, &message.language);
                let heard = self.heard(prompt, language);
                let (longest, mailbox) = (written(message.longest), &message.mailbox);
                format!(
                    "record a message of at most {longest} for {mailbox} after {prompt} \
                     ({language}): {heard}"
                )
            }
            Step::CallBack { queue } => format!("note that {queue} is to call back"),
            Step::Talk => "talk".to_owned(),
            Step::Hangup {
                outcome,
                status,
                cause,
            } => {
                let outcome = outcome.map_or("none", outcome_word);
                let cause = cause.map(|cause| format!(", cause {cause}"));
                let cause = cause.unwrap_or_default();
                if answered {
                    format!("hang up: outcome {outcome}{cause}")
                } else {
                    format!("refuse with {status}: outcome {outcome}{cause}")
                }
            }
        }
    }

    fn heard(&self, prompt: &str, language: &str) -> String {
        let voices = self.plan.voices(prompt);
        let Some(voice) = voices.and_then(|voices| voices.get(language)) else {
            return "nothing".to_owned();
        };
        match (&voice.text, &voice.file) {
            (Some(text), Some(file)) => format!("\"{text}\" or {file}"),
            (Some(text), None) => format!("\"{text}\""),
            (None, Some(file)) => file.clone(),
            (None, None) => "nothing".to_owned(),
        }
    }
}

fn with(music: Option<&str>, recorded: bool) -> String {
    let recorded = if recorded { "recorded" } else { "not recorded" };
    format!("music {}, {recorded}", music.unwrap_or("none"))
}

const fn word(outcome: QueueOutcome) -> &'static str {
    match outcome {
        QueueOutcome::Answered => "answered",
        QueueOutcome::Abandoned => "abandoned",
        QueueOutcome::Overflowed => "overflowed",
        QueueOutcome::TimedOut => "timed out",
        QueueOutcome::Closed => "closed",
        QueueOutcome::RefusedFull => "full",
        QueueOutcome::CallbackTaken => "callback taken",
    }
}

const fn outcome_word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Answered => "answered",
        Outcome::Abandoned => "abandoned",
        Outcome::AbandonedEarly => "abandoned early",
        Outcome::TimedOut => "timed out",
        Outcome::Closed => "closed",
        Outcome::RefusedFull => "refused, full",
        Outcome::Served => "served",
        Outcome::Message => "message",
        Outcome::UnknownNumber => "unknown number",
        Outcome::Unreached => "unreached",
        Outcome::Failed => "failed",
        Outcome::Interrupted => "interrupted",
    }
}
