//! Owns what may be typed after `hotline user password`, and the names of rights.

use clap::Args;

use super::ConfigFile;

/// Who may sign in to the API.
#[derive(Debug, Clone, Args)]
pub struct UserPassword {
    /// The login.
    #[arg(value_parser = super::login)]
    pub login: String,

    /// What the person may do.
    #[arg(long, value_name = "RIGHT", value_delimiter = ',', value_parser = RIGHTS)]
    pub right: Vec<String>,

    /// The person may sign in no more.
    #[arg(long, conflicts_with_all = ["right", "password_stdin"])]
    pub remove: bool,

    /// Read the password from the first line of standard input instead of asking.
    #[arg(long)]
    pub password_stdin: bool,

    /// Whose API.
    #[command(flatten)]
    pub config: ConfigFile,
}

/// Names of the rights of the API.
pub(super) const RIGHTS: [&str; 7] = [
    "read",
    "write",
    "listen",
    "duty",
    "supervise",
    "metrics",
    "manage",
];
