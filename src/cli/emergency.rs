//! Owns what may be typed after `hotline dialplan emergency`.

use clap::{Args, ValueEnum};

use super::ConfigFile;

/// Which emergency switch, and how.
#[derive(Debug, Clone, Args)]
pub struct Emergency {
    /// The plan, by its name; without it all are shown.
    #[arg(value_name = "PLAN", requires = "to")]
    pub plan: Option<String>,

    /// How it is to stand.
    #[arg(value_name = "on|off|file", value_enum)]
    pub to: Option<EmergencyTo>,

    /// Who; without it the user of this machine.
    #[arg(long, value_name = "NAME")]
    pub by: Option<String>,

    /// Whose plans and journal.
    #[command(flatten)]
    pub config: ConfigFile,
}

/// How an emergency switch is to stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum EmergencyTo {
    /// New calls begin in the emergency flow.
    On,
    /// They do not.
    Off,
    /// As the plan's file says.
    File,
}
