//! Dialplans: what a hotline says and does with a call, as text that the person who runs the
//! hotline can read.
//!
//! Purpose: text → checked [`Plan`] → steps. [`parse()`] reports every mistake of a file with line,
//! column, what was expected and what came; a [`Plan`] that exists is a plan that works. [`Run`]
//! walks one call through it.
//!
//! Contract: no IO, no clock. The caller reads files, makes the prompts of [`Plan::prompts`] and
//! carries out each [`Step`]; it says what [`Happened`] and gets the next one. The same answers
//! give the same steps.
//!
//! ```
//! use std::sync::Arc;
//! use dialplan::{Happened, Run, Step};
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
//! let plan = dialplan::parse("short.toml", text).expect("a good plan");
//! let mut run = Run::new(Arc::new(plan));
//! assert_eq!(run.next(Happened::Started), Step::Answer);
//! assert!(matches!(run.next(Happened::Answered), Step::Say { .. }));
//! assert!(matches!(run.next(Happened::Said), Step::Hangup { .. }));
//!
//! let mistakes = dialplan::parse("short.toml", &text.replace("answer", "anser")).unwrap_err();
//! assert_eq!(
//!     mistakes[0].to_string(),
//!     "short.toml:6:5: unknown step `anser` (did you mean `answer`?)",
//! );
//! ```
//!
//! Non-goals: playing, ringing, queueing, speech. Menus, hours and flows come as new kinds of
//! steps; the shape of a file (a list of `[[step]]`, each with one key that names its kind) stays.

mod check;
mod diagnostic;
mod parse;
mod plan;
mod plans;
mod read;
mod run;
mod spelling;
mod trace;

pub use diagnostic::Diagnostic;
pub use parse::parse;
pub use plan::{Hangup, Plan, PlanStep, PromptRef, Queue, Say, Voice, limits};
pub use plans::Plans;
pub use run::{Happened, Run, Step};
pub use spelling::nearest;
