//! Owns what may be typed after `hotline webhook`.

use clap::{Args, Subcommand};
use vocab::EventId;

use super::ConfigFile;

/// What to do with webhooks.
#[derive(Debug, Subcommand)]
pub enum WebhookCommand {
    /// List webhooks: letters on their way, letters given up, why the last one failed.
    List(ConfigFile),

    /// List the letters that were given up.
    Dead(WebhookNamed),

    /// Send letters again that were given up.
    #[command(after_help = "\
Examples:
  hotline webhook resend crm                            all of them
  hotline webhook resend crm --event 0cff1234-0000002a  that of one event")]
    Resend(Resend),
}

/// One webhook, or all.
#[derive(Debug, Clone, Args)]
pub struct WebhookNamed {
    /// Its name; without it those of all.
    #[arg(value_name = "NAME")]
    pub name: Option<String>,

    /// Whose journal.
    #[command(flatten)]
    pub config: ConfigFile,
}

/// Which letters are sent again.
#[derive(Debug, Clone, Args)]
pub struct Resend {
    /// Whose.
    #[arg(value_name = "NAME")]
    pub name: String,

    /// Only the letter of this event; may be given several times.
    #[arg(long, value_name = "ID")]
    pub event: Vec<EventId>,

    /// Whose journal.
    #[command(flatten)]
    pub config: ConfigFile,
}
