//! Owns the checked program. Refuses to exist with a mistake in it: only `parse` makes one.

use std::collections::BTreeMap;

use crate::announcements;
use crate::calendar::Calendars;
use crate::diagnostic::{Diagnostic, Place};
use crate::hours::{Clockwork, Hours};
use crate::spelling::{advice, one_of};
use crate::step::{Flow, FlowId, PlanStep, Voice};

/// What a file may hold at most; more is refused with a diagnostic.
pub mod limits {
    use core::time::Duration;

    /// Bytes of one file: a plan of an hour's announcements is far below.
    pub const FILE_BYTES: usize = 256 * 1024;
    /// Steps of one plan.
    pub const STEPS: usize = 500;
    /// Flows of one plan.
    pub const FLOWS: usize = 100;
    /// Numbers of one plan.
    pub const NUMBERS: usize = 1_000;
    /// Languages of one plan.
    pub const LANGUAGES: usize = 16;
    /// Characters of one spoken text: about five minutes of speech.
    pub const TEXT_CHARS: usize = 4_000;
    /// Characters of a name: plan, prompt, queue.
    pub const NAME_CHARS: usize = 64;
    /// Characters of a number without its `+` (E.164 has 15 digits; extensions may be longer).
    pub const NUMBER_CHARS: usize = 20;
    /// Mistakes told of one file: nobody reads more before mending the first.
    pub const MISTAKES: usize = 100;
    /// Flows of a call that wait for the end of another.
    pub const DEPTH: usize = 16;
    /// Steps of one call: an hour of menus is a few hundred. A call with more goes round and round.
    pub const RUN_STEPS: u32 = 2_000;
    /// Characters of a field: what is more is cut off.
    pub const FIELD_CHARS: usize = 1_000;
    /// Fields of one plan.
    pub const FIELDS: usize = 100;
    /// Skills that one step asks for, besides those of its queue.
    pub const SKILLS: usize = 4;
    /// Octets of a web service's reply that are read.
    pub const REPLY_BYTES: usize = 64 * 1024;
    /// The longest a web service may keep a call waiting.
    pub const HTTP_TIMEOUT: Duration = Duration::from_secs(30);
}

/// The prompt without words after which a message is left. A WAV file of the name replaces it.
pub const VOICEMAIL_TONE: &str = "voicemail-tone";

/// A plan: the numbers it serves and what happens to a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Its name.
    pub name: String,
    /// The numbers it serves: digits, `*`, `#`, with or without a leading `+`.
    pub numbers: Vec<String>,
    /// Languages, at least one; the first is spoken unless the caller chooses.
    pub languages: Vec<String>,
    /// What happens. The first is that in which a call begins.
    pub flows: Vec<Flow>,
    /// The flow in which calls begin while the emergency switch is on.
    pub emergency: Option<Emergency>,
    /// Working hours by name.
    pub hours: BTreeMap<String, Hours>,
    /// By what the hours are told; there if the plan has a time zone.
    pub clockwork: Option<Clockwork>,
    /// Lists of callers by name: numbers, or beginnings of numbers that end in `*`.
    pub callers: BTreeMap<String, Vec<String>>,
    /// Fields whose values are in no log and no journal.
    pub personal: Vec<String>,
    pub(crate) origin: Origin,
}

/// The emergency switch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Emergency {
    /// Whether it is on.
    pub on: bool,
    /// Where calls begin then.
    pub flow: FlowId,
}

/// Where the parts of a plan stand in its file, for mistakes that are seen only later.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Origin {
    pub(crate) file: String,
    pub(crate) name: Place,
    /// One per number.
    pub(crate) numbers: Vec<Place>,
    /// Names of queues in the order of the file.
    pub(crate) queues: Vec<(String, Place)>,
    /// Names of prompts, and pieces of music, in the order of the file.
    pub(crate) prompts: Vec<(String, Place)>,
    /// The calendar.
    pub(crate) calendar: Place,
}

/// A prompt that a plan needs, in one language.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PromptRef {
    /// As in [`crate::Step`]: the name of a prompt, or the path of a piece of music.
    pub name: String,
    /// The language; empty for music, which has none.
    pub language: String,
    /// Text to be spoken.
    pub text: Option<String>,
    /// A WAV file, relative to the folder of the plan.
    pub file: Option<String>,
}

impl Plan {
    /// All steps of all flows.
    pub fn steps(&self) -> impl Iterator<Item = &PlanStep> {
        self.flows.iter().flat_map(|flow| &flow.steps)
    }

    /// Every prompt that a call of this plan may hear, once each.
    #[must_use]
    pub fn prompts(&self) -> Vec<PromptRef> {
        let mut prompts = Vec::new();
        for step in self.steps() {
            for prompt in step.prompts() {
                prompts.extend(prompt.voices.iter().map(|(language, voice)| PromptRef {
                    name: prompt.name.clone(),
                    language: language.clone(),
                    text: voice.text.clone(),
                    file: voice.file.clone(),
                }));
            }
            prompts.extend(step.music().map(|music| PromptRef {
                name: music.to_owned(),
                language: String::new(),
                text: None,
                file: Some(music.to_owned()),
            }));
        }
        if self
            .steps()
            .any(|step| matches!(step, PlanStep::Voicemail(_)))
        {
            prompts.push(PromptRef {
                name: VOICEMAIL_TONE.to_owned(),
                language: String::new(),
                text: None,
                file: None,
            });
        }
        if self.announces() {
            prompts.extend(announcements::prompts(&self.languages));
        }
        prompts.sort();
        prompts.dedup();
        prompts
    }

    /// Whether any queue tells its callers how long they will wait.
    fn announces(&self) -> bool {
        let announced = |step: &PlanStep| match step {
            PlanStep::Queue(queue) => queue.announce.is_some(),
            _ => false,
        };
        self.steps().any(announced)
    }

    /// What is heard under the name of a prompt.
    pub(crate) fn voices(&self, name: &str) -> Option<&BTreeMap<String, Voice>> {
        let mut all = self.steps().flat_map(PlanStep::prompts);
        all.find(|prompt| prompt.name == name)
            .map(|prompt| &prompt.voices)
    }

    /// The names of the queues in which calls of this plan may wait, in order; may repeat.
    pub fn queues(&self) -> impl Iterator<Item = &str> {
        self.origin.queues.iter().map(|(name, _)| name.as_str())
    }

    /// The mistakes of naming queues that the settings do not have.
    #[must_use]
    pub fn unknown_queues(&self, known: &[&str]) -> Vec<Diagnostic> {
        let unknown = self
            .origin
            .queues
            .iter()
            .filter(|(name, _)| !known.contains(&&**name));
        let help = |name: &str| match known {
            [] => "they have no queue at all: add a table [[queue]] with that name".to_owned(),
            known => advice(name, known),
        };
        unknown
            .map(|(name, at)| {
                let message = format!("no queue `{name}` in the settings");
                at.diagnostic(&self.origin.file, message, Some(help(name)))
            })
            .collect()
    }

    /// The plan with the calendars by which its hours are told.
    ///
    /// # Errors
    /// There is none for its country.
    pub fn with_calendars(mut self, calendars: &Calendars) -> Result<Self, Box<Diagnostic>> {
        let Some(clockwork) = &mut self.clockwork else {
            return Ok(self);
        };
        let Some(country) = &clockwork.calendar else {
            return Ok(self);
        };
        let known = calendars.countries();
        if !known.contains(&country.as_str()) {
            let message = format!("no calendar `{country}`");
            let help = match known.as_slice() {
                [] => format!("add calendars/{country}-YEAR.toml to the folder of plans"),
                known => format!(
                    "there are {}; or add calendars/{country}-YEAR.toml to the folder of plans",
                    one_of(known)
                ),
            };
            let at = &self.origin.calendar;
            return Err(Box::new(at.diagnostic(
                &self.origin.file,
                message,
                Some(help),
            )));
        }
        clockwork.calendars = calendars.of(country);
        Ok(self)
    }

    /// A mistake with a prompt of [`Plan::prompts`], at the step that plays it first: what the
    /// prompt is made of is outside of the plan, and seen by whoever makes it. `None` when the
    /// plan has no such prompt.
    #[must_use]
    pub fn mistake_of_prompt(&self, name: &str, message: String) -> Option<Diagnostic> {
        let mut all = self.origin.prompts.iter();
        let (_, place) = all.find(|(one, _)| one == name)?;
        Some(place.diagnostic(&self.origin.file, message, None))
    }

    /// Whether the prompt of this name tells callers that they are recorded. Where it cannot be
    /// made, calls must not be taken: they would be recorded, and nobody told.
    #[must_use]
    pub fn is_notice(&self, prompt: &str) -> bool {
        self.steps().any(|step| match step {
            PlanStep::Say(say) => say.notice && say.prompt.name == prompt,
            _ => false,
        })
    }

    /// Whether the values of a field are to be in no log and no journal.
    #[must_use]
    pub fn is_personal(&self, field: &str) -> bool {
        self.personal.iter().any(|one| one == field)
    }

    /// The file the plan came from, as it was named to `parse`.
    #[must_use]
    pub fn file(&self) -> &str {
        &self.origin.file
    }

    /// The language spoken to a caller who chose none.
    #[must_use]
    pub fn first_language(&self) -> &str {
        self.languages.first().map_or("", String::as_str)
    }

    /// The flow of an id.
    #[must_use]
    pub fn flow(&self, id: FlowId) -> Option<&Flow> {
        self.flows.get(id.0)
    }
}
