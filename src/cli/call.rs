//! Owns what may be typed of one call after `hotline call`.

use std::path::PathBuf;

use clap::Args;

use super::ConfigFile;

/// Which call.
#[derive(Debug, Clone, Args)]
#[group(required = true, multiple = false)]
pub struct WhichCall {
    /// The call as the journal names it (0cff1234-0000002a), or the Call-ID of one of its legs.
    #[arg(value_name = "ID")]
    pub id: Option<String>,

    /// The newest calls, so many.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100))]
    pub last: Option<u32>,
}

/// How a call is shown.
#[derive(Debug, Clone, Args)]
pub struct CallShow {
    /// Which call.
    #[command(flatten)]
    pub which: WhichCall,

    /// Print whole messages below the ladder.
    #[arg(long)]
    pub messages: bool,

    /// Do not mask numbers and names of callers.
    #[arg(long)]
    pub clear: bool,

    /// Whose calls.
    #[command(flatten)]
    pub config: ConfigFile,
}

/// Where a call is written to.
#[derive(Debug, Clone, Args)]
pub struct CallExport {
    /// Which call.
    #[command(flatten)]
    pub which: WhichCall,

    /// Where to write; `-` is standard output.
    #[arg(long, short = 'o', value_name = "FILE")]
    pub output: PathBuf,

    /// Whose calls.
    #[command(flatten)]
    pub config: ConfigFile,
}
