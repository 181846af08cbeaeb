//! Owns the checked program. Refuses to exist with a mistake in it: only `parse` makes one.

use std::collections::BTreeMap;

use crate::Diagnostic;
use crate::diagnostic::Place;
use crate::spelling::advice;

/// What a file may hold at most; more is refused with a diagnostic.
pub mod limits {
    /// Bytes of one file: a plan of an hour's announcements is far below.
    pub const FILE_BYTES: usize = 256 * 1024;
    /// Steps of one plan.
    pub const STEPS: usize = 500;
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
}

/// A plan: the numbers it serves and what happens to a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Its name.
    pub name: String,
    /// The numbers it serves: digits, `*`, `#`, with or without a leading `+`.
    pub numbers: Vec<String>,
    /// Languages, at least one; the first is spoken unless the caller chooses.
    pub languages: Vec<String>,
    /// What happens, in order.
    pub steps: Vec<PlanStep>,
    pub(crate) origin: Origin,
}

/// Where the parts of a plan stand in its file, for mistakes that several plans make together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Origin {
    pub(crate) file: String,
    pub(crate) name: Place,
    /// One per number.
    pub(crate) numbers: Vec<Place>,
    /// Names of queues in the order of the steps.
    pub(crate) queues: Vec<(String, Place)>,
    /// Names of prompts in the order of the steps.
    pub(crate) prompts: Vec<(String, Place)>,
}

/// One step of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PlanStep {
    /// Answer the call.
    Answer,
    /// Speak.
    Say(Say),
    /// Wait for an operator. The steps after it are for callers whom nobody answered.
    Queue(Queue),
    /// End the call.
    Hangup(Hangup),
}

impl PlanStep {
    pub(crate) fn queue_name(&self) -> Option<&str> {
        match self {
            Self::Queue(queue) => Some(&queue.name),
            Self::Answer | Self::Say(_) | Self::Hangup(_) => None,
        }
    }

    pub(crate) fn prompt_name(&self) -> Option<&str> {
        match self {
            Self::Say(say) => Some(&say.name),
            Self::Answer | Self::Queue(_) | Self::Hangup(_) => None,
        }
    }
}

/// A prompt to be played to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Say {
    /// Its name, one of its kind in the plan.
    pub name: String,
    /// Whether it tells the caller that the call is recorded.
    pub notice: bool,
    /// What is heard, for each language of the plan.
    pub voices: BTreeMap<String, Voice>,
}

/// A prompt in one language. At least one of the two is there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Voice {
    /// Text to be spoken.
    pub text: Option<String>,
    /// A WAV file, relative to the folder of the plan, with `/` between its parts.
    pub file: Option<String>,
}

/// A place in a queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queue {
    /// The queue's name in the settings.
    pub name: String,
    /// A WAV file to be played while the call waits, relative to the folder of the plan.
    pub music: Option<String>,
    /// Higher is served first.
    pub priority: u8,
    /// Whether the talk with the operator is recorded.
    pub recorded: bool,
}

/// The end of a call by the plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hangup {
    /// SIP status for a call that was not answered, 400 to 699.
    pub status: u16,
}

impl Hangup {
    /// What a caller gets who was not answered and whom the plan tells nothing else: 480
    /// Temporarily Unavailable (RFC 3261 §21.4.18).
    pub const DEFAULT: Self = Self { status: 480 };
}

/// A prompt that a plan needs, in one language.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PromptRef {
    /// As in [`crate::Step`]: the name of a `say`, or the path of a piece of music.
    pub name: String,
    /// The language; empty for music, which has none.
    pub language: String,
    /// Text to be spoken.
    pub text: Option<String>,
    /// A WAV file, relative to the folder of the plan.
    pub file: Option<String>,
}

impl Plan {
    /// Every prompt that a call of this plan may hear, once each.
    #[must_use]
    pub fn prompts(&self) -> Vec<PromptRef> {
        let mut prompts = Vec::new();
        for step in &self.steps {
            match step {
                PlanStep::Say(say) => {
                    prompts.extend(say.voices.iter().map(|(language, voice)| PromptRef {
                        name: say.name.clone(),
                        language: language.clone(),
                        text: voice.text.clone(),
                        file: voice.file.clone(),
                    }));
                }
                PlanStep::Queue(Queue {
                    music: Some(music), ..
                }) => prompts.push(PromptRef {
                    name: music.clone(),
                    language: String::new(),
                    text: None,
                    file: Some(music.clone()),
                }),
                PlanStep::Queue(Queue { music: None, .. })
                | PlanStep::Answer
                | PlanStep::Hangup(_) => {}
            }
        }
        prompts.sort();
        prompts.dedup();
        prompts
    }

    /// What is heard under the name of a `say`.
    pub(crate) fn voices(&self, prompt: &str) -> Option<&BTreeMap<String, Voice>> {
        self.steps.iter().find_map(|step| match step {
            PlanStep::Say(say) if say.name == prompt => Some(&say.voices),
            PlanStep::Say(_) | PlanStep::Answer | PlanStep::Queue(_) | PlanStep::Hangup(_) => None,
        })
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
            .map(|(name, at)| Diagnostic {
                help: Some(help(name)),
                ..self.mistake(*at, format!("no queue `{name}` in the settings"))
            })
            .collect()
    }

    /// A mistake with a prompt of [`Plan::prompts`], at the step that plays it first: what the
    /// prompt is made of is outside of the plan, and seen by whoever makes it. `None` when the
    /// plan has no such prompt.
    #[must_use]
    pub fn mistake_of_prompt(&self, name: &str, message: String) -> Option<Diagnostic> {
        let said = self.origin.prompts.iter().find(|(one, _)| one == name);
        let place = said.map(|(_, at)| *at).or_else(|| {
            let queues = self.steps.iter().filter_map(|step| match step {
                PlanStep::Queue(queue) => Some(queue),
                PlanStep::Answer | PlanStep::Say(_) | PlanStep::Hangup(_) => None,
            });
            // One place for each step that is a queue, in their order.
            let mut placed = queues.zip(&self.origin.queues);
            placed
                .find(|(queue, _)| queue.music.as_deref() == Some(name))
                .map(|(_, (_, at))| *at)
        })?;
        Some(self.mistake(place, message))
    }

    /// Whether the prompt of this name tells callers that they are recorded. Where it cannot be
    /// made, calls must not be taken: they would be recorded, and nobody told.
    #[must_use]
    pub fn is_notice(&self, prompt: &str) -> bool {
        self.steps.iter().any(|step| match step {
            PlanStep::Say(say) => say.notice && say.name == prompt,
            PlanStep::Answer | PlanStep::Queue(_) | PlanStep::Hangup(_) => false,
        })
    }

    fn mistake(&self, at: Place, message: String) -> Diagnostic {
        Diagnostic {
            file: self.origin.file.clone(),
            line: at.line,
            column: at.column,
            message,
            help: None,
        }
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
}
