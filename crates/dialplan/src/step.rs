//! Owns the steps of a checked plan and what each of them knows.

use core::time::Duration;
use std::collections::BTreeMap;

use crate::run::Unserved;

/// A flow by its place in [`crate::Plan::flows`]; the first is where a call begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FlowId(pub usize);

/// Steps with a name, which other steps go to by it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flow {
    /// Its name; that of the first flow is [`Flow::MAIN`].
    pub name: String,
    /// What happens, in order. After the last one the call goes on where the flow was called from.
    pub steps: Vec<PlanStep>,
}

impl Flow {
    /// The flow in which calls begin: the `[[step]]`s of the file.
    pub const MAIN: &'static str = "main";
}

/// One step of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PlanStep {
    /// Answer the call.
    Answer(Answer),
    /// Speak.
    Say(Say),
    /// Play music for a while.
    Music(Music),
    /// Let the caller choose with one key.
    Menu(Box<Menu>),
    /// Let the caller enter digits.
    Collect(Box<Collect>),
    /// Let the caller give marks.
    Survey(Box<Survey>),
    /// Wait for an operator of a queue.
    Queue(Box<Queue>),
    /// Call somebody certain.
    Ring(Box<Ring>),
    /// Hand the call over for good.
    Transfer(Transfer),
    /// Record a message.
    Voicemail(Box<Voicemail>),
    /// Offer to call back.
    Callback(Box<Callback>),
    /// Ask a web service.
    Http(Box<Http>),
    /// Give a field a value.
    Set(Set),
    /// Go one of two ways.
    If(Box<If>),
    /// Go through another flow.
    Flow(FlowId),
    /// End the call.
    Hangup(Hangup),
}

/// The answer to the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer {
    /// How long it rings before. The caller pays from the answer on.
    pub after: Duration,
}

/// What is heard under one name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prompt {
    /// One of its kind in the plan.
    pub name: String,
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

/// A prompt to be played to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Say {
    /// What is heard.
    pub prompt: Prompt,
    /// Whether it tells the caller that the call is recorded.
    pub notice: bool,
}

/// Music for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Music {
    /// A WAV file, relative to the folder of the plan.
    pub file: String,
    /// For how long.
    pub time: Duration,
}

/// A choice by one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Menu {
    /// What may be chosen.
    pub prompt: Prompt,
    /// What each key does.
    pub keys: BTreeMap<char, Choice>,
    /// How it is asked.
    pub asking: Asking,
    /// Where it goes on after the last vain try; without it with the next step.
    pub otherwise: Option<FlowId>,
}

/// What a key of a menu does: choose a language, go to a flow, both, or ask again (neither).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// The language spoken from now on.
    pub language: Option<String>,
    /// Where it goes on; with the next step if nowhere.
    pub flow: Option<FlowId>,
    /// The menu is to be said once more; this is no vain try.
    pub again: bool,
}

/// How a caller is asked for keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asking {
    /// Whether a key that is pressed while the prompt plays counts, and ends the prompt.
    pub barge_in: bool,
    /// How long a key is waited for after the prompt.
    pub wait: Duration,
    /// How often it is asked again after a vain try.
    pub repeats: u8,
    /// Said after a key that means nothing here.
    pub wrong: Option<Prompt>,
    /// Said when no key was pressed.
    pub silent: Option<Prompt>,
}

/// Digits of a caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Collect {
    /// What is asked.
    pub prompt: Prompt,
    /// The field that gets them.
    pub field: String,
    /// Fewest digits.
    pub digits_min: u8,
    /// Most digits; the last ends the entry.
    pub digits_max: u8,
    /// The key that ends the entry.
    pub end: char,
    /// Personal: in no log and no journal.
    pub personal: bool,
    /// How it is asked.
    pub asking: Asking,
    /// Where it goes on after the last vain try; without it with the next step.
    pub otherwise: Option<FlowId>,
}

/// Marks from 1 to 5.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Survey {
    /// What is asked.
    pub prompt: Prompt,
    /// How it is asked.
    pub asking: Asking,
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
    /// Whether what the caller says and hears while waiting is recorded.
    pub wait_recorded: bool,
    /// Skills that the operator must have, with the least level of each.
    pub skills: BTreeMap<String, u8>,
    /// The operator who gets the call first, by line or login; {fields} are filled in.
    pub owner: Option<String>,
    /// When the caller is told place and expected wait, if ever.
    pub announce: Option<Announce>,
    /// What follows the talk if the caller is still there.
    pub after: Option<FlowId>,
    /// Where a call goes on that is not served, by the cause; without it with the next step.
    pub overflow: BTreeMap<Unserved, FlowId>,
}

impl Queue {
    /// Where a call goes on that is not served for this cause. Who is not there or on a break is as
    /// good as closed where the plan does not tell them apart.
    #[must_use]
    pub fn overflow(&self, cause: Unserved) -> Option<FlowId> {
        let named = self.overflow.get(&cause).copied();
        match cause {
            Unserved::Nobody | Unserved::OnBreak => {
                named.or_else(|| self.overflow.get(&Unserved::Closed).copied())
            }
            Unserved::Full | Unserved::WaitedTooLong | Unserved::Closed => named,
        }
    }
}

/// When a waiting caller is told the place in the queue and the expected wait: see
/// [`crate::announcements`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Announce {
    /// How long the caller has waited the first time.
    pub after: Duration,
    /// From the end of one announcement to the next.
    pub every: Duration,
}

/// Somebody certain who is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ring {
    /// Whom. Fields in braces are filled in.
    pub whom: Whom,
    /// Whether all of a group ring at once, and not one after the other.
    pub at_once: bool,
    /// How long each may ring.
    pub time: Duration,
    /// Played meanwhile, relative to the folder of the plan.
    pub music: Option<String>,
    /// Whether the talk is recorded.
    pub recorded: bool,
    /// What follows the talk if the caller is still there.
    pub after: Option<FlowId>,
}

/// Who is to be called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whom {
    /// Operators by line or login.
    Operators(Vec<String>),
    /// A number of the outer network.
    Number(String),
}

impl Whom {
    /// All who may be called, in order.
    #[must_use]
    pub fn targets(&self) -> &[String] {
        match self {
            Self::Operators(operators) => operators,
            Self::Number(number) => core::slice::from_ref(number),
        }
    }
}

/// A call given away for good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transfer {
    /// A plan's number, a line or login, a queue or an outer number. Fields are filled in.
    pub to: String,
}

/// A message left by the caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Voicemail {
    /// What is said before the tone.
    pub prompt: Prompt,
    /// Where the message is kept; none: under the name of the plan.
    pub mailbox: Option<String>,
    /// Operators for whom it waits, by line or login.
    pub lines: Vec<String>,
    /// Longest message.
    pub longest: Duration,
    /// Where less is said, it is thrown away.
    pub shortest: Duration,
    /// Silence that ends it.
    pub silence: Duration,
    /// The key that ends it.
    pub end: char,
}

/// An offer to call back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Callback {
    /// What is offered.
    pub prompt: Prompt,
    /// The queue that calls back.
    pub queue: String,
    /// The key that accepts.
    pub key: char,
    /// How it is asked.
    pub asking: Asking,
}

/// A question to a web service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Http {
    /// Where; fields in braces are filled in, percent-encoded.
    pub url: String,
    /// Sent as a JSON object by POST; nothing is sent by GET. Fields are filled in.
    pub send: BTreeMap<String, String>,
    /// Field → path in the JSON reply, such as `patient.doctor`.
    pub save: BTreeMap<String, String>,
    /// How long the call waits at most.
    pub timeout: Duration,
    /// Where it goes on without a useful reply; without it with the next step.
    pub otherwise: Option<FlowId>,
}

/// A value for a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Set {
    /// Which field.
    pub field: String,
    /// Fields in braces are filled in.
    pub value: String,
}

/// A fork.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct If {
    /// What is asked.
    pub condition: Condition,
    /// Where it goes on if so; with the next step if nowhere.
    pub then: Option<FlowId>,
    /// Where it goes on if not; with the next step if nowhere.
    pub otherwise: Option<FlowId>,
}

/// What a fork asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// Whether these working hours run now.
    Hours(String),
    /// Whether today is one of the days from the first to the last, both counted.
    Between(jiff::civil::Date, jiff::civil::Date),
    /// Whether the caller's number is in this list.
    Caller(String),
    /// Whether a field has this value, or any at all.
    Field {
        /// Which.
        name: String,
        /// The value.
        is: Option<String>,
    },
    /// Whether a queue is in this state.
    Queue {
        /// Its name in the settings.
        name: String,
        /// The state.
        state: QueueAsked,
    },
}

/// What is asked of a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueueAsked {
    /// Whether any operator who can be reached serves it.
    Served,
    /// Whether an operator is free for it.
    Free,
    /// Whether more calls than this wait in it.
    WaitingAbove(u32),
}

/// The end of a call by the plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hangup {
    /// SIP status for a call that was not answered, 400 to 699.
    pub status: u16,
    /// Cause of ITU-T Q.850, told in a Reason header (RFC 3326).
    pub cause: Option<u8>,
}

impl Hangup {
    /// What a caller gets who was not answered and whom the plan tells nothing else: 480
    /// Temporarily Unavailable (RFC 3261 §21.4.18).
    pub const DEFAULT: Self = Self {
        status: 480,
        cause: None,
    };
}

impl PlanStep {
    /// Every prompt that the step may play.
    #[must_use]
    pub fn prompts(&self) -> Vec<&Prompt> {
        match self {
            Self::Say(say) => vec![&say.prompt],
            Self::Menu(menu) => both(&menu.prompt, &menu.asking),
            Self::Collect(collect) => both(&collect.prompt, &collect.asking),
            Self::Survey(survey) => both(&survey.prompt, &survey.asking),
            Self::Callback(callback) => both(&callback.prompt, &callback.asking),
            Self::Voicemail(voicemail) => vec![&voicemail.prompt],
            Self::Answer(_)
            | Self::Music(_)
            | Self::Queue(_)
            | Self::Ring(_)
            | Self::Transfer(_)
            | Self::Http(_)
            | Self::Set(_)
            | Self::If(_)
            | Self::Flow(_)
            | Self::Hangup(_) => Vec::new(),
        }
    }

    /// The music that the step may play.
    #[must_use]
    pub fn music(&self) -> Option<&str> {
        match self {
            Self::Music(music) => Some(&music.file),
            Self::Queue(queue) => queue.music.as_deref(),
            Self::Ring(ring) => ring.music.as_deref(),
            Self::Answer(_)
            | Self::Say(_)
            | Self::Menu(_)
            | Self::Collect(_)
            | Self::Survey(_)
            | Self::Transfer(_)
            | Self::Voicemail(_)
            | Self::Callback(_)
            | Self::Http(_)
            | Self::Set(_)
            | Self::If(_)
            | Self::Flow(_)
            | Self::Hangup(_) => None,
        }
    }

    /// The queue that the step names.
    #[must_use]
    pub fn queue(&self) -> Option<&str> {
        match self {
            Self::Queue(queue) => Some(&queue.name),
            Self::Callback(callback) => Some(&callback.queue),
            Self::If(fork) => match &fork.condition {
                Condition::Queue { name, .. } => Some(name),
                Condition::Hours(_)
                | Condition::Between(..)
                | Condition::Caller(_)
                | Condition::Field { .. } => None,
            },
            Self::Answer(_)
            | Self::Say(_)
            | Self::Music(_)
            | Self::Menu(_)
            | Self::Collect(_)
            | Self::Survey(_)
            | Self::Ring(_)
            | Self::Transfer(_)
            | Self::Voicemail(_)
            | Self::Http(_)
            | Self::Set(_)
            | Self::Flow(_)
            | Self::Hangup(_) => None,
        }
    }

    /// The flows to which the step may lead, with what leads there.
    #[must_use]
    pub fn ways(&self) -> Vec<(String, FlowId)> {
        let mut ways: Vec<(String, FlowId)> = Vec::new();
        let mut add = |label: &str, flow: Option<FlowId>| {
            ways.extend(flow.map(|flow| (label.to_owned(), flow)));
        };
        match self {
            Self::Menu(menu) => {
                for (key, choice) in &menu.keys {
                    add(&key.to_string(), choice.flow);
                }
                add("no choice", menu.otherwise);
            }
            Self::Collect(collect) => add("no digits", collect.otherwise),
            Self::Queue(queue) => {
                add("after the talk", queue.after);
                for (cause, flow) in &queue.overflow {
                    add(cause.key(), Some(*flow));
                }
            }
            Self::Ring(ring) => add("after the talk", ring.after),
            Self::Http(http) => add("no reply", http.otherwise),
            Self::If(fork) => {
                add("yes", fork.then);
                add("no", fork.otherwise);
            }
            Self::Flow(flow) => add("", Some(*flow)),
            Self::Answer(_)
            | Self::Say(_)
            | Self::Music(_)
            | Self::Survey(_)
            | Self::Transfer(_)
            | Self::Voicemail(_)
            | Self::Callback(_)
            | Self::Set(_)
            | Self::Hangup(_) => {}
        }
        ways
    }

    /// The word by which a file names the step.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Answer(_) => "answer",
            Self::Say(_) => "say",
            Self::Music(_) => "music",
            Self::Menu(_) => "menu",
            Self::Collect(_) => "collect",
            Self::Survey(_) => "survey",
            Self::Queue(_) => "queue",
            Self::Ring(_) => "ring",
            Self::Transfer(_) => "transfer",
            Self::Voicemail(_) => "voicemail",
            Self::Callback(_) => "callback",
            Self::Http(_) => "http",
            Self::Set(_) => "set",
            Self::If(_) => "if",
            Self::Flow(_) => "flow",
            Self::Hangup(_) => "hangup",
        }
    }

    /// Whether the step takes time whatever happens: a loop with such a step is no busy loop.
    #[must_use]
    pub const fn waits(&self) -> bool {
        match self {
            Self::Say(_)
            | Self::Music(_)
            | Self::Menu(_)
            | Self::Collect(_)
            | Self::Survey(_)
            | Self::Ring(_)
            | Self::Voicemail(_)
            | Self::Callback(_) => true,
            // A queue may refuse at once, a service may answer at once.
            Self::Queue(_)
            | Self::Http(_)
            | Self::Answer(_)
            | Self::Transfer(_)
            | Self::Set(_)
            | Self::If(_)
            | Self::Flow(_)
            | Self::Hangup(_) => false,
        }
    }
}

fn both<'p>(prompt: &'p Prompt, asking: &'p Asking) -> Vec<&'p Prompt> {
    let mut all = vec![prompt];
    all.extend([&asking.wrong, &asking.silent].into_iter().flatten());
    all
}
