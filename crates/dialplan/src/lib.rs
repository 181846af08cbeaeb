//! Dialplans: what a hotline says and does with a call, as text that the person who runs the
//! hotline can read.
//!
//! Purpose: text → checked [`Plan`] → steps. [`parse()`] reports every mistake of a file with line,
//! column, what was expected and what came; a [`Plan`] that exists is a plan that works. [`Run`]
//! walks one call through it.
//!
//! Contract: no IO, no clock. The caller reads files, makes the prompts of [`Plan::prompts`] and
//! carries out each [`Step`]; it says what [`Happened`] and gets the next one. What time it is and
//! how queues are it tells through [`Sights`]. The same answers give the same steps.
//!
//! ```
//! use std::sync::Arc;
//! use dialplan::{Happened, Run, Step, Trial};
//! use vocab::WallTime;
//!
//! let text = r#"
//!     name = "short"
//!     numbers = ["100"]
//!     languages = ["en"]
//!     [[step]]
//!     answer = {}
//!     [[step]]
//!     say = { name = "closed", text = { en = "Nobody is here. Goodbye." } }
//! "#;
//! let plan = Arc::new(dialplan::parse("short.toml", text).expect("a good plan"));
//! let trial = Trial::new(Arc::clone(&plan), "100", "+15550100", WallTime::default());
//! let mut run = Run::new(plan, "+15550100", "100");
//! assert_eq!(run.next(Happened::Started, &trial), Step::Answer);
//! assert!(matches!(run.next(Happened::Answered, &trial), Step::Say { .. }));
//! assert!(matches!(run.next(Happened::Said, &trial), Step::Hangup { .. }));
//!
//! let mistakes = dialplan::parse("short.toml", &text.replace("answer", "anser")).unwrap_err();
//! assert_eq!(
//!     mistakes[0].to_string(),
//!     "short.toml:6:5: unknown step `anser` (did you mean `answer`?)",
//! );
//! ```
//!
//! Non-goals: playing, ringing, queueing, making speech.

pub mod announcements;

mod calendar;
mod check;
mod diagnostic;
pub mod draw;

mod fields;
mod hours;
mod kinds;
mod parse;
mod plan;
mod plans;
mod read;
mod run;
mod schema;
pub mod speech;

mod spelling;
pub mod staff;

mod step;
mod trial;

pub use calendar::{Calendar, Calendars, Day};
pub use diagnostic::Diagnostic;
pub use hours::{Clockwork, Hours, Span, Verdict, Zone};
pub use kinds::{KINDS, Key, Kind, Shape};
pub use parse::parse;
pub use plan::{Emergency, Plan, PromptRef, VOICEMAIL_TONE, limits};
pub use plans::Plans;
pub use run::{
    Ask, Chosen, Happened, QueueState, Run, Sights, Step, Target, Unserved, VoiceMessage,
};
pub use schema::schema;
pub use spelling::nearest;
pub use step::{
    Announce, Answer, Asking, Callback, Choice, Collect, Condition, Flow, FlowId, Hangup, Http, If,
    Menu, Music, PlanStep, Prompt, Queue, QueueAsked, Ring, Say, Set, Survey, Transfer, Voice,
    Voicemail, Whom,
};
pub use trial::Trial;
