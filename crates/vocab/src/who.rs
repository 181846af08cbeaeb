//! Owns who did something to a call: held the other, ended it; and what became of who came to the API.

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

/// What happened to the session of a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionChange {
    /// Somebody signed in.
    Began,
    /// The login or the password was wrong.
    Refused,
    /// It was wrong too often: guesses are not judged for a while.
    LockedOut,
    /// Somebody signed out.
    Ended,
}
