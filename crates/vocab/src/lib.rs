//! The field's nouns, shared by every crate: time, ids, causes, facts of the journal,
//! commands to the media plane and what it reports.
//!
//! Contract: plain data only. Nothing here does IO, reads a clock, locks or allocates in the
//! background. Cores exchange these types; the process in `src/` carries them between threads.
//!
//! ```
//! use std::time::Duration;
//! use vocab::{CallId, Time};
//!
//! let start = Time::from_millis(1_000);
//! assert_eq!((start + Duration::from_secs(2)).since(start), Duration::from_secs(2));
//! assert_eq!(CallId::new(7, 1).to_string(), "00000007-00000001");
//! ```
//!
//! Non-goals: behaviour. A type that decides something belongs to the crate that owns the decision.

pub mod browser;
mod chance;
mod contact;
mod fact;
mod formats;
mod id;
mod live;
pub mod media;
mod number;
mod order;
mod outcome;
mod person;
mod quality;
mod recording;
mod registration;
pub mod srtp;
mod supervision;
mod tagged;
mod time;
mod who;

pub use chance::SplitMix64;
pub use contact::{Channel, Contact, EXECUTIONS, EntryField, FieldChange, UnknownField};
pub use fact::{
    Direction, Event, Fact, NotChosen, OperatorRef, Party, TransferKind, TransferResult,
    TransferTarget,
};
pub use id::{CallId, EventId, LegId, OfferId, OperatorId, ParseIdError, QueueId};
pub use live::{
    LiveConnections, LiveCounts, LiveOperator, LiveProcess, LiveQueue, LiveRecording, LiveTrunk,
    OperatorState, RegistrationState, Snapshot,
};
pub use number::{Redacted, number_key};
pub use order::{
    Callback, CallbackResult, Duty, Instruction, KeptPlace, Order, OrderRefusal, Rank, Regular,
    Remembered, Standing,
};
pub use outcome::{MessageEnd, OfferResult, Outcome, QueueOutcome};
pub use person::PersonCard;
pub use quality::{HeardByPeer, LegCounts, LegQuality, PathQuality};
pub use recording::{
    Heard, HeardSide, MissingReason, PauseReason, RecordingFile, RecordingSound, Unheard,
};
pub use registration::Registration;
pub use supervision::{SupervisionEnd, SupervisionMode};
pub use time::{Time, WallTime};
pub use who::{EndedBy, HeldBy, SessionChange};
