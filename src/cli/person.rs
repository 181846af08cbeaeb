//! Owns what may be typed after `hotline person`.

use clap::{Args, Subcommand};
use vocab::EventId;

use super::ConfigFile;

/// What to do with the cards of persons.
#[derive(Debug, Subcommand)]
pub enum PersonCommand {
    /// Find cards by words in names, notes and numbers.
    Find(PersonFind),

    /// Make a card; prints its id.
    #[command(after_help = "\
Example:
  hotline person add --name 'Ivanova A. P.' --number '+7 4242 12-34-56' --notes 'hard of hearing'")]
    Add(PersonAdd),

    /// Write in a card what is given; the rest stays. Numbers given stand in place of all it had.
    Edit(PersonEdit),

    /// List everything that was written in a card: when, by whom, with what it was merged, from what it
    /// was split, what stood there since.
    History(PersonHistory),

    /// Make one card of two: the first stays, with the notes and numbers of both.
    Merge(PersonMerge),

    /// Give some numbers of a card to a new one; prints its id.
    Split(PersonEdit),
}

/// What is looked for.
#[derive(Debug, Clone, Args)]
pub struct PersonFind {
    /// The words; without any the first cards.
    #[arg(value_name = "TEXT")]
    pub text: Vec<String>,

    /// Whose journal.
    #[command(flatten)]
    pub config: ConfigFile,
}

/// A new card.
#[derive(Debug, Clone, Args)]
pub struct PersonAdd {
    /// What stands in it.
    #[command(flatten)]
    pub card: CardFields,

    /// Who writes; without it the user of this machine.
    #[arg(long, value_name = "WHO")]
    pub by: Option<String>,

    /// Whose journal.
    #[command(flatten)]
    pub config: ConfigFile,
}

/// A card, and what is to stand in it or in the new one.
#[derive(Debug, Clone, Args)]
pub struct PersonEdit {
    /// Which card.
    #[arg(value_name = "ID")]
    pub id: EventId,

    /// What stands in it.
    #[command(flatten)]
    pub card: CardFields,

    /// Who writes; without it the user of this machine.
    #[arg(long, value_name = "WHO")]
    pub by: Option<String>,

    /// Whose journal.
    #[command(flatten)]
    pub config: ConfigFile,
}

/// A card whose history is asked for.
#[derive(Debug, Clone, Args)]
pub struct PersonHistory {
    /// Which card.
    #[arg(value_name = "ID")]
    pub id: EventId,

    /// Whose journal.
    #[command(flatten)]
    pub config: ConfigFile,
}

/// What may stand in a card.
#[derive(Debug, Clone, Args)]
pub struct CardFields {
    /// Full name.
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,

    /// A number; may be given several times.
    #[arg(long, value_name = "NUMBER")]
    pub number: Vec<String>,

    /// What whoever answers should know.
    #[arg(long, value_name = "TEXT")]
    pub notes: Option<String>,
}

/// Two cards.
#[derive(Debug, Clone, Args)]
pub struct PersonMerge {
    /// The one that stays.
    #[arg(value_name = "ID")]
    pub id: EventId,

    /// The one that becomes a part of it.
    #[arg(value_name = "OTHER")]
    pub other: EventId,

    /// Who; without it the user of this machine.
    #[arg(long, value_name = "WHO")]
    pub by: Option<String>,

    /// Whose journal.
    #[command(flatten)]
    pub config: ConfigFile,
}
