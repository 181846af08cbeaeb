//! Owns who did something to a call: held the other, ended it.

use serde::{Deserialize, Serialize};

/// Who put the other on hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HeldBy {
    /// The caller.
    Caller,
    /// The operator.
    Operator,
}

/// Who ended it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndedBy {
    /// The caller.
    Caller,
    /// The operator.
    Operator,
    /// The one in the outer network whom we called.
    Outer,
    /// The engine: plan, limit, failure, crash.
    Engine,
}
