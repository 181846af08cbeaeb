//! Owns what may be typed after `hotline callers`.

use clap::{Args, Subcommand};

use super::ConfigFile;

/// What to do with the lists of callers.
#[derive(Debug, Subcommand)]
pub enum CallersCommand {
    /// Show the numbers that were put on lists by this command; those in files are in the files.
    List(ConfigFile),

    /// Put a number on a list; a running engine knows it within a second.
    #[command(after_help = "\
The lists themselves, and what they mean, are [[caller_list]] in the settings.

Examples:
  hotline callers add vip 84212402000 --note \"the governor's office\"
  hotline callers add blocked 84212999999 --note \"threatens operators\"
  hotline callers add vip 84212402001 --owner ivanova")]
    Add(CallerAdd),

    /// Take a number off a list.
    Remove(CallerRemove),
}

/// A number for a list.
#[derive(Debug, Clone, Args)]
pub struct CallerAdd {
    /// Which list.
    #[arg(value_name = "LIST")]
    pub list: String,

    /// The number.
    #[arg(value_name = "NUMBER")]
    pub number: String,

    /// The operator who looks after this caller, by login.
    #[arg(long, value_name = "LOGIN")]
    pub owner: Option<String>,

    /// What people should know.
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub note: String,

    /// Who says so; without it the user of this machine.
    #[arg(long, value_name = "NAME")]
    pub by: Option<String>,

    /// The settings.
    #[command(flatten)]
    pub config: ConfigFile,
}

/// A number off a list.
#[derive(Debug, Clone, Args)]
pub struct CallerRemove {
    /// Which list.
    #[arg(value_name = "LIST")]
    pub list: String,

    /// The number, as `list` shows it.
    #[arg(value_name = "NUMBER")]
    pub number: String,

    /// The settings.
    #[command(flatten)]
    pub config: ConfigFile,
}
