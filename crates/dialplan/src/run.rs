//! Owns one call's way through its plan.
//!
//! ```text
//! state \ happened  Started     Answered   Said       QueueLeft                      TalkEnded
//! New               first step  bug        bug        bug                            bug
//! Answering         bug         next step  bug        bug                            bug
//! Saying            bug         bug        next step  bug                            bug
//! Queueing          bug         bug        bug        answered, overflowed → Talk    Hangup
//!                                                     nobody answered → next step
//!                                                     caller gone → Hangup
//! Talking           bug         bug        bug        bug                            Hangup
//! Ended             Hangup      Hangup     Hangup     Hangup                         Hangup
//! ```
//! "bug" is a broken promise of the caller of `next`; it ends the call cleanly as failed. Each call
//! of `next` moves on by one step of the plan, so a run ends after as many as the plan has.

use std::sync::Arc;

use vocab::{Outcome, QueueOutcome};

use crate::plan::{Hangup, Plan, PlanStep, Queue};

/// What became of the last step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Happened {
    /// The call arrived.
    Started,
    /// The call is answered: the answer to [`Step::Answer`].
    Answered,
    /// The prompt was played to its end, or could not be played: the answer to [`Step::Say`].
    Said,
    /// The call left the queue: the answer to [`Step::Queue`].
    QueueLeft(QueueOutcome),
    /// The talk is over and the caller is still there. Follows [`Step::Talk`]; may also be said in
    /// place of `QueueLeft(Answered)`.
    TalkEnded,
}

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Answer the call, then say [`Happened::Answered`].
    Answer,
    /// Play a prompt to its end, then say [`Happened::Said`].
    Say {
        /// As in [`crate::PromptRef`].
        prompt: String,
        /// As in [`crate::PromptRef`].
        language: String,
        /// It tells the caller that the call is recorded.
        notice: bool,
    },
    /// Put the call in a queue, then say [`Happened::QueueLeft`].
    Queue {
        /// The queue's name in the settings.
        queue: String,
        /// Played again and again while the call waits; as in [`crate::PromptRef`], no language.
        music: Option<String>,
        /// Higher is served first.
        priority: u8,
        /// Whether the talk is recorded.
        recorded: bool,
    },
    /// Nothing: the call is with an operator. Say [`Happened::TalkEnded`] when that is over.
    Talk,
    /// End the call.
    Hangup {
        /// The call's outcome as far as the plan knows it.
        outcome: Option<Outcome>,
        /// The SIP status for a call that was never answered.
        status: u16,
    },
}

/// Where a run stands; the index is that of the step under way.
#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    New,
    Answering(usize),
    Saying(usize),
    Queueing(usize),
    Talking,
    Ended(Step),
}

/// A call on its way through a plan.
#[derive(Debug, Clone)]
pub struct Run {
    plan: Arc<Plan>,
    language: String,
    state: State,
    /// How the last queue let go of a caller whom nobody answered.
    unserved: Option<Outcome>,
}

impl Run {
    /// A call that has just arrived. It keeps its plan, whatever is reloaded meanwhile.
    #[must_use]
    pub fn new(plan: Arc<Plan>) -> Self {
        let language = plan.first_language().to_owned();
        Self {
            plan,
            language,
            state: State::New,
            unserved: None,
        }
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

    /// The next step.
    pub fn next(&mut self, happened: Happened) -> Step {
        match self.state.clone() {
            State::New => match happened {
                Happened::Started => self.enter(0),
                Happened::Answered
                | Happened::Said
                | Happened::QueueLeft(_)
                | Happened::TalkEnded => self.broken(),
            },
            State::Answering(index) => match happened {
                Happened::Answered => self.enter(index + 1),
                Happened::Started
                | Happened::Said
                | Happened::QueueLeft(_)
                | Happened::TalkEnded => self.broken(),
            },
            State::Saying(index) => match happened {
                Happened::Said => self.enter(index + 1),
                Happened::Started
                | Happened::Answered
                | Happened::QueueLeft(_)
                | Happened::TalkEnded => self.broken(),
            },
            State::Queueing(index) => match happened {
                Happened::QueueLeft(outcome) => self.queue_left(index, outcome),
                Happened::TalkEnded => self.end(Some(Outcome::Answered), Hangup::DEFAULT),
                Happened::Started | Happened::Answered | Happened::Said => self.broken(),
            },
            State::Talking => match happened {
                Happened::TalkEnded => self.end(Some(Outcome::Answered), Hangup::DEFAULT),
                Happened::Started
                | Happened::Answered
                | Happened::Said
                | Happened::QueueLeft(_) => self.broken(),
            },
            State::Ended(hangup) => hangup,
        }
    }

    fn queue_left(&mut self, index: usize, outcome: QueueOutcome) -> Step {
        let unserved = match outcome {
            QueueOutcome::Answered | QueueOutcome::Overflowed => {
                self.state = State::Talking;
                return Step::Talk;
            }
            QueueOutcome::Abandoned => return self.end(Some(Outcome::Abandoned), Hangup::DEFAULT),
            // The callback makes its own call; this one has no outcome of the plan's.
            QueueOutcome::CallbackTaken => return self.end(None, Hangup::DEFAULT),
            QueueOutcome::TimedOut => Outcome::TimedOut,
            QueueOutcome::Closed => Outcome::Closed,
            QueueOutcome::RefusedFull => Outcome::RefusedFull,
        };
        self.unserved = Some(unserved);
        self.enter(index + 1)
    }

    fn enter(&mut self, index: usize) -> Step {
        let Some(step) = self.plan.steps.get(index) else {
            return self.end_of_plan(Hangup::DEFAULT);
        };
        match step {
            PlanStep::Answer => {
                self.state = State::Answering(index);
                Step::Answer
            }
            PlanStep::Say(say) => {
                self.state = State::Saying(index);
                let (prompt, language) = (say.name.clone(), self.language.clone());
                Step::Say {
                    prompt,
                    language,
                    notice: say.notice,
                }
            }
            PlanStep::Queue(Queue {
                name,
                music,
                priority,
                recorded,
            }) => {
                self.state = State::Queueing(index);
                let (queue, music) = (name.clone(), music.clone());
                Step::Queue {
                    queue,
                    music,
                    priority: *priority,
                    recorded: *recorded,
                }
            }
            PlanStep::Hangup(hangup) => self.end_of_plan(*hangup),
        }
    }

    fn end_of_plan(&mut self, hangup: Hangup) -> Step {
        self.end(Some(self.unserved.unwrap_or(Outcome::Served)), hangup)
    }

    fn broken(&mut self) -> Step {
        // RFC 3261 §21.5.1: 500 for a fault of ours.
        self.end(Some(Outcome::Failed), Hangup { status: 500 })
    }

    fn end(&mut self, outcome: Option<Outcome>, Hangup { status }: Hangup) -> Step {
        let hangup = Step::Hangup { outcome, status };
        self.state = State::Ended(hangup.clone());
        hangup
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"
        name = "a"
        numbers = ["1"]
        languages = ["ru", "en"]
        [[step]]
        answer = {}
        [[step]]
        say = { name = "hello", notice = true, text = { ru = "да", en = "yes" } }
        [[step]]
        queue = { name = "first", music = "music/a.wav", priority = 7 }
        [[step]]
        queue = { name = "second", recorded = false }
        [[step]]
        say = { name = "sorry", file = "sorry.wav" }
    "#;

    fn run(text: &str) -> Run {
        Run::new(Arc::new(crate::parse("a.toml", text).unwrap()))
    }

    /// A run that waits in its first queue.
    fn queued() -> Run {
        let mut run = run(TEXT);
        for happened in [Happened::Started, Happened::Answered, Happened::Said] {
            run.next(happened);
        }
        assert_eq!(run.state, State::Queueing(2));
        run
    }

    fn hangup(outcome: Option<Outcome>) -> Step {
        Step::Hangup {
            outcome,
            status: 480,
        }
    }

    #[test]
    fn steps_follow_one_another_with_what_the_plan_says() {
        let mut run = run(TEXT);
        assert_eq!(run.next(Happened::Started), Step::Answer);
        assert_eq!(
            run.next(Happened::Answered),
            Step::Say {
                prompt: "hello".to_owned(),
                language: "ru".to_owned(),
                notice: true
            }
        );
        assert_eq!(
            run.next(Happened::Said),
            Step::Queue {
                queue: "first".to_owned(),
                music: Some("music/a.wav".to_owned()),
                priority: 7,
                recorded: true,
            }
        );
        assert_eq!(
            run.next(Happened::QueueLeft(QueueOutcome::TimedOut)),
            Step::Queue {
                queue: "second".to_owned(),
                music: None,
                priority: 0,
                recorded: false
            }
        );
        assert_eq!(
            run.next(Happened::QueueLeft(QueueOutcome::RefusedFull)),
            Step::Say {
                prompt: "sorry".to_owned(),
                language: "ru".to_owned(),
                notice: false
            }
        );
        assert_eq!(run.next(Happened::Said), hangup(Some(Outcome::RefusedFull)));
    }

    #[test]
    fn an_answered_call_ends_answered_when_the_talk_is_over() {
        let mut run = queued();
        assert_eq!(
            run.next(Happened::QueueLeft(QueueOutcome::Answered)),
            Step::Talk
        );
        assert_eq!(
            run.next(Happened::TalkEnded),
            hangup(Some(Outcome::Answered))
        );
    }

    #[test]
    fn the_end_of_the_talk_alone_also_says_that_it_was_answered() {
        assert_eq!(
            queued().next(Happened::TalkEnded),
            hangup(Some(Outcome::Answered))
        );
    }

    #[test]
    fn a_caller_who_left_the_queue_gets_no_more_steps() {
        let ends = [
            (QueueOutcome::Abandoned, Some(Outcome::Abandoned)),
            (QueueOutcome::CallbackTaken, None),
        ];
        for (left, outcome) in ends {
            assert_eq!(queued().next(Happened::QueueLeft(left)), hangup(outcome));
        }
    }

    #[test]
    fn a_plan_without_a_queue_serves_the_call_itself() {
        let text = "name = \"a\"\nnumbers = [\"1\"]\nlanguages = [\"en\"]\n[[step]]\nanswer = {}\n";
        let mut run = run(text);
        run.next(Happened::Started);
        assert_eq!(run.next(Happened::Answered), hangup(Some(Outcome::Served)));
    }

    #[test]
    fn a_plan_may_refuse_a_call_with_a_status_of_its_own() {
        let text = "name = \"a\"\nnumbers = [\"1\"]\nlanguages = [\"en\"]\n\
                    [[step]]\nhangup = { status = 603 }\n";
        let step = run(text).next(Happened::Started);
        assert_eq!(
            step,
            Step::Hangup {
                outcome: Some(Outcome::Served),
                status: 603
            }
        );
    }

    #[test]
    fn what_does_not_fit_ends_the_call_as_failed_and_an_end_stays() {
        let all = [
            Happened::Started,
            Happened::Answered,
            Happened::Said,
            Happened::QueueLeft(QueueOutcome::TimedOut),
            Happened::TalkEnded,
        ];
        let failed = Step::Hangup {
            outcome: Some(Outcome::Failed),
            status: 500,
        };
        let ways: [(&[Happened], &[Happened]); 5] = [
            (&[], &all[..1]),
            (&all[..1], &all[1..2]),
            (&all[..2], &all[2..3]),
            (&all[..3], &all[3..]),
            (
                &[
                    Happened::Started,
                    Happened::Answered,
                    Happened::Said,
                    Happened::QueueLeft(QueueOutcome::Answered),
                ],
                &all[4..],
            ),
        ];
        for (way, fitting) in ways {
            for happened in all.iter().filter(|happened| !fitting.contains(happened)) {
                let mut run = run(TEXT);
                for before in way {
                    run.next(*before);
                }
                assert_eq!(run.next(*happened), failed, "{way:?} then {happened:?}");
                for later in all {
                    assert_eq!(run.next(later), failed, "an end stays an end");
                }
            }
        }
    }
}
