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
pub mod callers;
mod check;
mod copy;
mod db;
pub mod desk;
pub mod emergencies;
pub mod entry;
mod error;
pub mod export;
mod files;
mod follow;
pub mod forms;
mod frame;
mod health;
mod journal;
pub mod letters;
pub mod memory;
pub mod messages;
pub mod metrics;
pub mod operators;
pub mod personal;
pub mod persons;
mod postgres;
mod prune;
pub mod query;
pub mod recordings;
mod recover;
mod remembered;
pub mod report;
pub mod rows;
mod scribe;
pub mod search;
pub mod sessions;
mod sqlite;
pub mod standing;
mod store;
mod unsettled;
mod watch;
mod words;
mod writer;
pub mod written;

#[cfg(test)]
mod tests;

pub use apply::kind;
pub use copy::{Copied, CopyError, copy};
pub use db::Location;
pub use entry::Entry;
pub use error::{DatabaseError, StartError};
pub use health::Health;
pub use journal::{Journal, Progress, Settings, Stopped, choose_boot, start};
pub use prune::{Backups, PruneError, Pruned, note_backup, prune};
pub use recover::{Recovery, close_interrupted};
pub use remembered::regulars;
pub use scribe::{Courier, Helm, Leaving};
pub use store::{migrate, rebuild};
