//! Owns the expected trace: what a plan does, step by step, as text that people can review.
//!
//! The trace is made by running the plan, once per way in which its queues may end.

use core::fmt::Write as _;
use std::sync::Arc;

use vocab::{Outcome, QueueOutcome};

use crate::plan::{Plan, PlanStep};
use crate::run::{Happened, Run, Step};

/// Ways in which a queue lets go of a caller whom nobody answered.
const UNSERVED: [QueueOutcome; 3] = [
    QueueOutcome::TimedOut,
    QueueOutcome::RefusedFull,
    QueueOutcome::Closed,
];

impl Plan {
    /// What the plan does with a call: once as if each of its queues answered (the earlier ones
    /// having timed out), and once for each way in which none does.
    #[must_use]
    pub fn trace(&self) -> String {
        let plan = Arc::new(self.clone());
        let mut text = format!("plan {}\n", self.name);
        let _ = writeln!(text, "numbers {}", self.numbers.join(", "));
        let _ = writeln!(text, "languages {}", self.languages.join(", "));
        let queues: Vec<&str> = self.queues().collect();
        if queues.is_empty() {
            self.way(&plan, &mut text, "the call", &[]);
        }
        for (place, queue) in queues.iter().enumerate() {
            let mut outcomes = vec![QueueOutcome::TimedOut; place];
            outcomes.push(QueueOutcome::Answered);
            self.way(
                &plan,
                &mut text,
                &format!("an operator of {queue} answers"),
                &outcomes,
            );
        }
        if !queues.is_empty() {
            for outcome in UNSERVED {
                let title = format!("nobody answers: {}", word(outcome));
                self.way(&plan, &mut text, &title, &vec![outcome; queues.len()]);
            }
        }
        text
    }

    fn way(&self, plan: &Arc<Plan>, text: &mut String, title: &str, outcomes: &[QueueOutcome]) {
        let _ = writeln!(text, "\n== {title}");
        let mut outcomes = outcomes.iter();
        let mut run = Run::new(Arc::clone(plan));
        let mut happened = Happened::Started;
        // Every step of the plan, the talk and the end: more would be a loop.
        for number in 1..=self.steps.len() + 2 {
            let step = run.next(happened);
            let _ = writeln!(text, "{number}. {}", self.describe(&step));
            happened = match step {
                Step::Answer => Happened::Answered,
                Step::Say { .. } => Happened::Said,
                Step::Queue { .. } => {
                    let outcome = outcomes.next().copied().unwrap_or(QueueOutcome::TimedOut);
                    let _ = writeln!(text, "   -> {}", word(outcome));
                    Happened::QueueLeft(outcome)
                }
                Step::Talk => Happened::TalkEnded,
                Step::Hangup { .. } => return,
            };
        }
    }

    fn describe(&self, step: &Step) -> String {
        match step {
            Step::Answer => "answer".to_owned(),
            Step::Say {
                prompt,
                language,
                notice,
            } => {
                let notice = if *notice { ", notice of recording" } else { "" };
                format!(
                    "say {prompt} ({language}{notice}): {}",
                    self.heard(prompt, language)
                )
            }
            Step::Queue {
                queue,
                music,
                priority,
                recorded,
            } => {
                let music = music.as_deref().unwrap_or("none");
                let recorded = if *recorded {
                    "recorded"
                } else {
                    "not recorded"
                };
                format!("queue {queue}: priority {priority}, music {music}, {recorded}")
            }
            Step::Talk => "talk".to_owned(),
            Step::Hangup { outcome, status } => {
                let outcome = outcome.map_or("none", outcome_word);
                let answered = self.steps.contains(&PlanStep::Answer);
                if answered {
                    format!("hang up: outcome {outcome}")
                } else {
                    format!("refuse with {status}: outcome {outcome}")
                }
            }
        }
    }

    fn heard(&self, prompt: &str, language: &str) -> String {
        let voice = self.voices(prompt).and_then(|voices| voices.get(language));
        let Some(voice) = voice else {
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
        Outcome::UnknownNumber => "unknown number",
        Outcome::Unreached => "unreached",
        Outcome::Failed => "failed",
        Outcome::Interrupted => "interrupted",
    }
}
