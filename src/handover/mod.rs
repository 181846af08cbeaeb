//! Owns the handover between two processes of one installation: a **leaving engine** gives its sockets,
//! and the folder of event files, to its **successor**, which takes all calls from then on, while those that
//! are up go on in the leaving engine to their ends.
//!
//! They speak over a Unix socket in the folder of event files, for the engine's user alone ([`line`](self)):
//!
//! ```text
//! successor                                  leaving engine
//!   TakeOver  ------------------------------>  closes its doors, drains, syncs its events
//!             <------------------------------  Given, with the sockets and the lock of the folder
//!   (starts)
//!   Ready     ------------------------------>
//!             <------------------------------  Events ...        of its calls, for the successor's files
//!   Durable   ------------------------------>  answers go out, as they do when its own disk has them
//!   Word      <----------------------------->  Word              operators, messages (crate `switch`)
//!             <------------------------------  Gone              its last call has ended
//! ```
//! What the network brings between the closing of the doors and the successor's start waits in the sockets.
//! If the successor dies the leaving engine takes all of it back and goes on as before, unless it was told to
//! drain. If the leaving engine dies its calls are closed by the successor, as a
//! start after a crash closes them.
//!
//! Refused: a second handover while the first leaving engine still has calls.

mod leaving;
mod line;
mod successor;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use switch::Word;
use vocab::{CallId, Event, EventId};

pub(crate) use leaving::{Goods, Host};
pub(crate) use line::Peer;
pub(crate) use successor::{End, Predecessor, take_over};

/// Version of what is spoken; two that do not share it do not hand over.
const PROTOCOL: u32 = 1;

/// What one process tells the other.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Told {
    /// The successor wants to take over.
    TakeOver {
        /// Which protocol it speaks.
        protocol: u32,
        /// Its version, for the log.
        version: String,
    },
    /// The answer, with descriptors: the lock of the folder, then the sockets.
    Given(Box<Given>),
    /// Or why not.
    Refused(String),
    /// The successor has begun.
    Ready,
    /// Of the leaving engine's calls.
    Events(Vec<Event>),
    /// The successor's disk has everything up to this event.
    Durable(EventId),
    /// Between the two cores.
    Word(Word),
    /// The leaving engine has ended, and everything of it is known.
    Gone,
}

/// What a leaving engine gives.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Given {
    /// Its boot, which is that of its calls.
    pub(crate) boot: u32,
    /// What its sockets carry, in the order of the descriptors.
    pub(crate) sockets: Vec<sip::Transport>,
    /// The SIP Call-IDs of its calls.
    pub(crate) calls: BTreeSet<String>,
    /// The callbacks that it is about.
    pub(crate) callbacks: BTreeSet<CallId>,
}

fn socket(events: &Path) -> PathBuf {
    events.join("handover")
}
