//! The journal: every fact on disk before the answer, every call an entry, every figure
//! recomputable from events.
//!
//! Contract: [`start`] gives a [`Journal`]; [`Journal::append`] takes events from any thread and
//! never blocks; the `durable` callback says up to which id they are on disk. SQL follows by
//! itself, batch by batch, from the same files, so a database that is slow, locked or away costs
//! nothing but lag. [`Entry`] is the pure fold from a call's events to its row.
//!
//! ```
//! use journal::{Settings, choose_boot, start};
//! use vocab::{Event, EventId, Fact, Time, WallTime};
//!
//! # let folder = tempfile::tempdir()?;
//! # let folder = folder.path();
//! let settings = Settings::new(folder.join("events"), folder.join("journal.db"));
//! let now = WallTime::from_unix_millis(1_795_340_000_000);
//! let boot = choose_boot(&settings.dir, now)?;
//! let (journal, recovery) = start(settings, boot, |_up_to| {})?;
//! assert!(recovery.interrupted.is_empty());
//! journal.append(Event {
//!     id: EventId::new(boot, 1),
//!     at: now,
//!     up: Time::ZERO,
//!     fact: Fact::EngineStarted { version: "0.1.0".to_owned() },
//! });
//! assert_eq!(journal.stop().not_in_sql, 0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Non-goals: deciding what happens to a call (the engine states facts, this crate keeps them),
//! storing audio, and computing HA1 secrets (crate `sip` does).

mod apply;
pub mod audio;
pub mod bindings;
mod check;
pub mod entry;
mod error;
pub mod export;
mod files;
mod follow;
mod frame;
mod health;
mod journal;
pub mod operators;
pub mod query;
pub mod recordings;
mod recover;
pub mod rows;
mod store;
mod unsettled;
mod writer;

#[cfg(test)]
mod tests;

pub use entry::Entry;
pub use error::{DatabaseError, StartError};
pub use health::Health;
pub use journal::{Journal, Settings, Stopped, choose_boot, start};
pub use recover::Recovery;
pub use store::migrate;
pub use unsettled::closing_facts;
