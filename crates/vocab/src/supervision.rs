//! Owns how a supervisor takes part in a talk, and how that ends.

use serde::{Deserialize, Serialize};

/// How a supervisor takes part in a talk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SupervisionMode {
    /// Hears all, and nobody hears the supervisor.
    Listen,
    /// Is heard by operators alone.
    Whisper,
    /// All hear each other.
    Barge,
}

/// How a supervision ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SupervisionEnd {
    /// The supervisor hung up.
    HungUp,
    /// Somebody ordered it.
    Ordered,
    /// The call was over.
    CallOver,
    /// The supervisor's telephone was not answered; nobody heard anything.
    Unanswered,
}
