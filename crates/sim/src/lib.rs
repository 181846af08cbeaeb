//! A seeded world around the real engine: callers, telephones, a bad network, a slow disk, a process
//! that dies. Any violation is a seed.
//!
//! Contract: no IO, no clock, no thread. [`live`] lives a [`Scenario`] in virtual time with the real
//! switch (and in it sip, acd, dialplan, registrar) and the journal's own event records and fold of
//! events, and says what was wrong first. The same scenario gives the same world, to the byte. [`shrink`] finds a
//! shorter scenario that is wrong as well.
//!
//! ```
//! use sim::{Faults, Scenario};
//!
//! let scenario = Scenario { seed: 1, minutes: 1, faults: Faults::none() };
//! let report = sim::live(&scenario).expect("a world without faults");
//! assert!(report.answered > 0);
//! ```
//!
//! Non-goals: sound (media is events), sockets, speed in real time.
#![allow(
    clippy::indexing_slicing,
    reason = "indices are those of calls and telephones that this crate numbers itself"
)]

mod callers;
mod checks;
mod database;
mod endpoint;
mod host;
mod installation;
mod legs;
mod orders;
mod outside;
mod random;
mod room;
mod scenario;
mod shrink;
mod telephones;
pub mod whatif;
mod wire;
mod world;

use core::fmt;
use std::collections::BTreeMap;

pub use scenario::{Fault, Faults, Scenario, UnknownFault};
pub use shrink::shrink;
pub use world::live;

/// A world in which nothing was wrong.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Calls that callers placed.
    pub calls: u64,
    /// Of those that waited: answered by an operator.
    pub answered: u64,
    /// Of those that waited: hung up.
    pub abandoned: u64,
    /// Datagrams that were sent, whatever became of them.
    pub datagrams: u64,
    /// Events in the journal.
    pub events: u64,
    /// How often each fault struck.
    pub injected: BTreeMap<Fault, u64>,
}

/// A world in which something was wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Which one.
    pub scenario: Scenario,
    /// What was wrong first.
    pub wrong: String,
    /// The last events of its journal.
    pub last: Vec<String>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.wrong)?;
        for event in &self.last {
            writeln!(f, "  {event}")?;
        }
        write!(f, "again: {}", self.scenario)
    }
}

impl std::error::Error for Failure {}
