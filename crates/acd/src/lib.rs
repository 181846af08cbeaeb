//! Queues, operators, skills and offers: which operator gets which call, and when.
//!
//! Purpose: an event changes a few ordered sets and yields the decisions that follow from it at
//! once. Nothing is polled and nothing is scanned: per skill there is one set of waiting calls
//! (priority, waiting since, id) and one of free operators (level, idle since, id).
//!
//! Contract: no IO, no clock; [`Acd::handle`] is told the time, and [`Acd::poll`] is drained to
//! `None` after each `handle` and `handle_timeout`. Time never runs backwards. The same inputs
//! give the same outputs. An operator holds one live offer at most; a call has one live offer at
//! most and leaves the queue in exactly one way: accepted, left, timed out or refused at entry.
//! After each drain no call waits without an offer while an operator is free who may get it.
//!
//! ```
//! use core::time::Duration;
//! use acd::{Acd, Input, OperatorSettings, Output, QueueSettings};
//! use vocab::{CallId, OperatorId, QueueId, Time};
//!
//! let (operator, queue, call) = (OperatorId(1), QueueId(1), CallId::new(1, 1));
//! let mut acd = Acd::new(1);
//! acd.handle(Time::ZERO, Input::Queues(vec![QueueSettings {
//!     id: queue,
//!     name: "operators".to_owned(),
//!     ring_time: Duration::from_secs(15),
//!     wait_max: None,
//!     length_max: 100,
//!     wrap_up: Duration::ZERO,
//!     skill: None,
//!     retry_delay: Duration::from_secs(5),
//!     rest_after_no_answer: Duration::from_secs(30),
//! }]));
//! let skills = Default::default();
//! acd.handle(Time::ZERO, Input::Operators(vec![OperatorSettings { id: operator, skills }]));
//! acd.handle(Time::ZERO, Input::Reachable { operator, reachable: true });
//! acd.handle(Time::from_millis(5), Input::Queued {
//!     call, queue, priority: 0, since: Time::from_millis(5),
//! });
//! assert!(matches!(acd.poll(), Some(Output::Offer { operator: OperatorId(1), .. })));
//! assert_eq!(acd.next_deadline(), Some(Time::from_millis(15_005)));
//! ```
//!
//! Non-goals: legs, SIP and audio (the switch carries out offers), journals, opening hours.

mod acd;
mod explain;
mod input;
mod operator;
mod pool;
mod reload;
mod settings;
mod timers;

pub use acd::Acd;
pub use input::{Input, Output};
pub use settings::{
    DECLINES_IN_A_ROW_MAX, OperatorSettings, PAUSE_AFTER_FAILURE_MIN, QueueSettings,
};
