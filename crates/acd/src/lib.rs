//! Queues, operators, skills and offers: which operator gets which call, and when.
//!
//! Purpose: an event changes a few ordered sets and yields the decisions that follow from it at
//! once. Nothing is polled and nothing is scanned: per skill there is one set of waiting calls
//! (priority, waiting since, id) and one of free operators (level, strategy, idle since, id).
//!
//! Contract: no IO, no clock; [`Acd::handle`] is told the time, and [`Acd::poll`] is drained to
//! `None` after each `handle` and `handle_timeout`. Time never runs backwards. The same inputs
//! give the same outputs; what is drawn by lot has `boot` as its seed. An operator holds one live
//! offer at most; a call rings at as many operators as its queue allows, and one unless that says
//! otherwise; it leaves the queue in exactly one way: accepted, left, dismissed, moved, or kept as
//! a callback. After each drain no call waits without an offer while an operator is free who may
//! get it.
//!
//! ```
//! use acd::{Acd, Arrival, Input, OperatorSettings, Output, QueueSettings};
//! use vocab::{CallId, OperatorId, QueueId, Time};
//!
//! let (operator, queue, call) = (OperatorId(1), QueueId(1), CallId::new(1, 1));
//! let mut acd = Acd::new(1);
//! acd.handle(Time::ZERO, Input::Queues(vec![QueueSettings::new(queue, "operators")]));
//! let skills = Default::default();
//! acd.handle(Time::ZERO, Input::Operators(vec![OperatorSettings::new(operator, skills)]));
//! acd.handle(Time::ZERO, Input::Reachable { operator, reachable: true });
//! let now = Time::from_millis(5);
//! acd.handle(now, Input::Queued(Arrival::new(call, queue, now)));
//! while let Some(output) = acd.poll() {
//!     assert!(matches!(output, Output::Offer { operator: OperatorId(1), .. }));
//! }
//! assert_eq!(acd.next_deadline(), Some(Time::from_millis(20_005)));
//! ```
//!
//! Where things live: what calls ask for in `skills`, the sets in `group` and `pool`, how the two
//! sides meet in `decide`, the life of an offer in `offers`, of a call in `calls` and `stages`, of an
//! operator in `operator`, `people` and `breaks`; expected waits in `estimate`, callers who are
//! called back in `callback`, queues that nobody serves in `staffing`, the sharing of operators with another
//! core during a handover in `lease`.
//!
//! Non-goals: legs, SIP and audio (the switch carries out offers), journals, opening hours.

mod acd;
mod breaks;
mod callback;
mod calls;
mod command;
mod decide;
mod decision;
pub mod erlang;
mod estimate;
mod group;
mod input;
mod kept;
mod lease;
mod live;
mod offers;
mod operator;
mod order;
mod output;
mod people;
mod pool;
mod random;
mod reload;
mod settings;
mod skills;
mod staffing;
mod stages;
mod status;
mod timers;
mod view;

pub use acd::Acd;
pub use breaks::{BreakSettings, Hours, LeaveNeeded};
pub use callback::{ATTEMPTS_MAX, CallbackEnd, CallbackMode, CallbackWish};
pub use command::{Command, Refusal};
pub use decision::{CONSIDERED_MAX, Considered, Decision, Occasion, WhyNot};
pub use estimate::Estimate;
pub use input::{Arrival, Input, Remembered};
pub use output::{Cause, Output};
pub use settings::{
    Attendance, CallerSettings, Consequence, Failures, Levels, Membership, OVERFLOWS_MAX,
    OperatorSettings, Overflow, PAUSE_AFTER_FAILURE_MIN, QueueSettings, RINGING_AT_ONCE_MAX,
    Reserve, Ringing, StaffRule, Strategy, Unstaffed, WrapUp,
};
pub use skills::{LEVEL_MAX, Limits, NEEDS_MAX, Need, Relaxation, SkillNeed};
pub use status::{BreakTaken, By, Resumed, Status};
