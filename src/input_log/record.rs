//! Owns what stands in an input log: a head, then one record for each step.

use serde::{Deserialize, Serialize};
use switch::Input;
use vocab::browser::Fingerprint;
use vocab::{Contact, Event, Fact, Instruction, Time, WallTime};

/// What the switch was begun with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The version of the engine: another one may do other things.
    pub version: String,
    /// The boot, which is in every id.
    pub boot: u32,
    /// When the process began.
    pub at: WallTime,
    /// From what all randomness comes.
    pub seed: [u8; 32],
    /// Where SIP was taken.
    pub listening: Vec<(sip::Transport, core::net::SocketAddr)>,
    /// Who we were to browsers; `None`: none could come.
    pub certificate: Option<Fingerprint>,
    /// SHA-256 of the settings file, in hexadecimal digits.
    pub settings: String,
}

/// A step, with its time, and the digest of what the step before it made the switch do.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Record {
    pub(super) at: Time,
    pub(super) made: u32,
    pub(super) step: Step,
}

/// What the driver did with the switch.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// Handed an input in.
    Input(Input),
    /// Handed plans in, and an [`Input::Plans`] whose plans are those of the texts.
    Plans(Sources, Input),
    /// Gave an order.
    Order(Instruction),
    /// Had a fact written that a person states.
    Write(Fact),
    /// Had a contact written that was no call.
    Contact(Box<Contact>),
    /// Had stated what a leaving engine stated.
    Adopt(Box<Event>),
    /// Ended. The digest of its record is that of the last input.
    End,
}

/// The texts that plans were read from, each with the name of its file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sources {
    /// Plans.
    pub plans: Vec<(String, String)>,
    /// Calendars that they may name.
    pub calendars: Vec<(String, String)>,
}
