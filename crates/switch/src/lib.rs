//! The engine's core: call control as a B2BUA, which owns the SIP stack, the ACD and the plans.
//!
//! Contract: no IO, no clock, no lock. One [`Input`] at a time goes into [`Switch::handle`] with
//! the time at which it happened; then [`Switch::poll`] is drained to `None`, and
//! [`Switch::next_deadline`] says when to come back with [`Input::Deadline`] at the latest. The
//! same settings and inputs give the same outputs, to the byte.
//!
//! ```
//! use switch::{Input, Switch};
//! use vocab::{Time, WallTime};
//!
//! # let settings = switch::Settings::example();
//! let mut switch = Switch::new(settings);
//! switch.handle(Time::ZERO, Input::Wall(WallTime::from_unix_millis(1_700_000_000_000)));
//! while let Some(output) = switch.poll() {
//!     // Send the datagram, give the command to the media plane, write the event.
//!     drop(output);
//! }
//! assert_eq!(switch.snapshot().counts.calls, 0);
//! ```
//!
//! Non-goals: sockets, files, sound. What to do is an [`Output`]; the process does it.

mod admission;
mod authentication;
mod bindings;
mod call;
mod callbacks;
mod callers;
mod conference;
mod context;
mod destination;
mod duties;
mod engine;
mod entropy;
mod features;
mod fixed;
pub mod handover;
mod incoming;
mod input;
mod join;
mod line_calls;
mod locator;
mod message;
mod orders;
mod outbox;
mod outgoing;
mod output;
mod registration;
mod settings;
mod snapshot;
mod subscribe;
pub mod trunk;
mod turns;
mod way;

pub use call::{RecordingKeys, SupervisionKeys};
pub use callbacks::CallbackRules;
pub use callers::KnownCaller;
pub use engine::Switch;
pub use features::FeatureCodes;
pub use handover::Word;
pub use input::Input;
pub use outbox::Outbox;
pub use output::Output;
pub use settings::{Audience, Browsers, FixedAddress, Messages, Operator, OperatorCalls, Settings};
pub use trunk::{Network, NotANetwork, NumberRules, Trunk};
