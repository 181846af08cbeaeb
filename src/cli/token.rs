//! Owns what may be typed after `hotline token`.

use clap::{Args, Subcommand};

use super::ConfigFile;

/// What to do with tokens.
#[derive(Debug, Subcommand)]
pub enum TokenCommand {
    /// Make a token and print it, once: the file keeps its hash only.
    #[command(after_help = "\
Rights: read (entries, figures, the live picture), write (into entries), listen (to recordings),
duty (sign in and out, status, breaks by the rules: what operators choose), supervise (any order
to the queues), metrics (figures for Prometheus, nothing personal), manage (webhooks).

Examples:
  hotline token add crm --right read,write
  hotline token add prometheus --right metrics > /etc/prometheus/hotline.token")]
    Add(TokenAdd),

    /// List the names of tokens and their rights.
    List(ConfigFile),

    /// Remove a token.
    Remove(TokenNamed),
}

/// A new token.
#[derive(Debug, Clone, Args)]
pub struct TokenAdd {
    /// Its name: who writes into entries with it.
    #[arg(value_name = "NAME")]
    pub name: String,

    /// What it may do.
    #[arg(long, value_name = "RIGHT", value_delimiter = ',', required = true,
        value_parser = super::password::RIGHTS)]
    pub right: Vec<String>,

    /// Whose API.
    #[command(flatten)]
    pub config: ConfigFile,
}

/// A token by its name.
#[derive(Debug, Clone, Args)]
pub struct TokenNamed {
    /// Its name.
    #[arg(value_name = "NAME")]
    pub name: String,

    /// Whose API.
    #[command(flatten)]
    pub config: ConfigFile,
}
