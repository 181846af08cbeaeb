//! Owns the questions to a caller: menus, digits, marks, offers. What keys mean, and when a vain
//! try is the last.

use super::step::{Ask, Chosen, Step};
use super::{Here, Run, State};
use crate::step::{Asking, PlanStep, Prompt};

/// What keys mean for a question.
enum Meant {
    /// They are an answer: go on with this.
    Answer(Then),
    /// Ask again; this was no vain try.
    Again,
    /// They mean nothing.
    Wrong,
    /// None came.
    Nothing,
}

/// What follows an answer.
enum Then {
    /// The flow, or the next step.
    Go(Option<crate::step::FlowId>),
    /// A field gets a value.
    Set { field: String, value: String },
    /// A mark.
    Rate(u8),
    /// The caller is to be called back.
    CallBack(String),
}

impl Run {
    /// Asks; `None` if the step is no question.
    pub(super) fn ask(&mut self, here: Here, vain: u8) -> Option<Step> {
        let plan = std::sync::Arc::clone(&self.plan);
        let step = here.step(&plan)?;
        let (prompt, asking) = question(step)?;
        let (digits_max, end, personal) = match step {
            PlanStep::Collect(collect) => (collect.digits_max, Some(collect.end), collect.personal),
            _ => (1, None, false),
        };
        self.state = State::Asking { here, vain };
        Some(Step::Ask(Ask {
            prompt: prompt.name.clone(),
            language: self.language.clone(),
            barge_in: asking.barge_in,
            wait: asking.wait,
            digits_max,
            end,
            personal,
        }))
    }

    /// Goes on after keys, or their absence.
    pub(super) fn keyed(&mut self, here: Here, vain: u8, keys: &str) -> Option<Step> {
        let plan = std::sync::Arc::clone(&self.plan);
        let step = here.step(&plan)?;
        let (_, asking) = question(step)?;
        let (scold, otherwise) = match self.meant(step, keys) {
            Meant::Answer(then) => {
                if let Then::Go(flow) = then {
                    self.chosen(here, keys, flow);
                }
                return self.answered_with(step, then);
            }
            Meant::Again => return self.ask(here, vain),
            Meant::Wrong => (asking.wrong.as_ref(), otherwise(step)),
            Meant::Nothing => (asking.silent.as_ref(), otherwise(step)),
        };
        if vain >= asking.repeats {
            if matches!(step, PlanStep::Menu(_)) {
                self.chosen(here, "", otherwise);
            }
            return self.go(otherwise);
        }
        let vain = vain + 1;
        match scold {
            Some(prompt) => {
                self.state = State::Scolding { here, vain };
                Some(Step::Say {
                    prompt: prompt.name.clone(),
                    language: self.language.clone(),
                    notice: false,
                })
            }
            None => self.ask(here, vain),
        }
    }

    /// Takes down for the journal what a menu led to.
    fn chosen(&mut self, here: Here, key: &str, flow: Option<crate::step::FlowId>) {
        let name = |flow| {
            let flow = self.plan.flow(flow);
            flow.map(|flow| flow.name.clone()).unwrap_or_default()
        };
        let choice = Chosen {
            menu: name(here.flow),
            key: key.to_owned(),
            flow: flow.map(name).unwrap_or_default(),
        };
        self.choices.push(choice);
    }

    fn meant(&mut self, step: &PlanStep, keys: &str) -> Meant {
        let mut chars = keys.chars();
        let (first, more) = (chars.next(), chars.next().is_some());
        let Some(key) = first else {
            return Meant::Nothing;
        };
        match step {
            PlanStep::Menu(menu) => match menu.keys.get(&key) {
                Some(choice) if !more => {
                    if let Some(language) = &choice.language {
                        self.speak(language);
                    }
                    if choice.again {
                        Meant::Again
                    } else {
                        Meant::Answer(Then::Go(choice.flow))
                    }
                }
                Some(_) | None => Meant::Wrong,
            },
            PlanStep::Collect(collect) => {
                let fits = (usize::from(collect.digits_min)..=usize::from(collect.digits_max))
                    .contains(&keys.len());
                if !fits || !keys.bytes().all(|key| key.is_ascii_digit()) {
                    return Meant::Wrong;
                }
                Meant::Answer(Then::Set {
                    field: collect.field.clone(),
                    value: keys.to_owned(),
                })
            }
            PlanStep::Survey(_) => {
                match key.to_digit(10).and_then(|mark| u8::try_from(mark).ok()) {
                    Some(mark @ 1..=5) if !more => Meant::Answer(Then::Rate(mark)),
                    Some(_) | None => Meant::Wrong,
                }
            }
            PlanStep::Callback(callback) if key == callback.key => {
                Meant::Answer(Then::CallBack(callback.queue.clone()))
            }
            _ => Meant::Wrong,
        }
    }

    fn answered_with(&mut self, step: &PlanStep, then: Then) -> Option<Step> {
        match then {
            Then::Go(flow) => self.go(flow),
            Then::Set { field, value } => {
                let personal = matches!(step, PlanStep::Collect(collect) if collect.personal);
                Some(self.set(field, &value, personal))
            }
            Then::Rate(mark) => {
                self.state = State::Noting;
                Some(Step::Rate { mark })
            }
            Then::CallBack(queue) => {
                self.state = State::CallingBack;
                Some(Step::CallBack { queue })
            }
        }
    }
}

fn question(step: &PlanStep) -> Option<(&Prompt, &Asking)> {
    match step {
        PlanStep::Menu(menu) => Some((&menu.prompt, &menu.asking)),
        PlanStep::Collect(collect) => Some((&collect.prompt, &collect.asking)),
        PlanStep::Survey(survey) => Some((&survey.prompt, &survey.asking)),
        PlanStep::Callback(callback) => Some((&callback.prompt, &callback.asking)),
        _ => None,
    }
}

fn otherwise(step: &PlanStep) -> Option<crate::step::FlowId> {
    match step {
        PlanStep::Menu(menu) => menu.otherwise,
        PlanStep::Collect(collect) => collect.otherwise,
        _ => None,
    }
}
