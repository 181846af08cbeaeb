//! Owns what may be typed after `hotline voicemail`.

use clap::{Args, Subcommand};
use vocab::CallId;

use super::{ConfigFile, TextFormat};

/// What to do with messages of callers.
#[derive(Debug, Subcommand)]
pub enum VoicemailCommand {
    /// The messages that nobody has heard, oldest first.
    #[command(after_help = "\
A thousand at most. Listen to one with `hotline recordings export CALL --segment N --format wav --to FILE`,
then say so with `hotline voicemail heard`.

Examples:
  hotline voicemail list
  hotline voicemail list --all --box sakhalin-1300 --format json")]
    List(MessageList),

    /// Note that a message was heard: it waits for nobody any more.
    #[command(after_help = "\
Who heard it first, and when, stays in the journal.

Example:
  hotline voicemail heard 0cff1234-0000002a")]
    Heard(MessageHeard),
}

/// Which messages.
#[derive(Debug, Clone, Args)]
pub struct MessageList {
    /// Also those that were heard.
    #[arg(long)]
    pub all: bool,

    /// Only those kept there.
    #[arg(long = "box", value_name = "NAME")]
    pub mailbox: Option<String>,

    /// Form of the list.
    #[arg(long, value_enum, default_value_t = TextFormat::Text)]
    pub format: TextFormat,

    /// Whose journal.
    #[command(flatten)]
    pub config: ConfigFile,
}

/// Which message was heard.
#[derive(Debug, Clone, Args)]
pub struct MessageHeard {
    /// The id of its call.
    #[arg(value_name = "CALL")]
    pub call: CallId,

    /// Which recording of the call; without it all its messages.
    #[arg(long, value_name = "N")]
    pub segment: Option<u16>,

    /// Who heard it; without it the user of this machine.
    #[arg(long, value_name = "NAME")]
    pub by: Option<String>,

    /// Whose journal.
    #[command(flatten)]
    pub config: ConfigFile,
}
