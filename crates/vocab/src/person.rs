//! Owns what is kept of a person besides contacts: a card with name, notes and numbers.

use serde::{Deserialize, Serialize};

/// The card of a person.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PersonCard {
    /// Full name; may be empty.
    pub name: String,
    /// What whoever answers should know.
    pub notes: String,
    /// Numbers under which the person calls or is reached, as they were written. Two are the same if
    /// their [`crate::number_key`] is; each is of one card at most.
    pub numbers: Vec<String>,
}
