//! Owns what may be typed after `hotline simulate`.

use std::time::Duration;

use clap::Args;

use super::{ConfigFile, time};

/// Whose calls are lived again, and with whom.
#[derive(Debug, Clone, Args)]
pub struct Simulate {
    /// The queue: its name in the settings, with all its rules; or a file (*.toml) with one [[queue]]
    /// as it might be, and [[staff]] who would be there.
    #[arg(long, value_name = "NAME|FILE")]
    pub queue: String,

    /// Calls of the journal from this time on, by the clock of its zone; or "rates": those of --calls.
    #[arg(long, value_name = "TIME|rates")]
    pub from: Option<String>,

    /// Calls before this time; without it one day.
    #[arg(long, value_name = "TIME", requires = "from")]
    pub to: Option<String>,

    /// A load: calls that arrive in the time of --each.
    #[arg(long, value_name = "N", required_if_eq("from", "rates"), value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub calls: Option<u32>,

    /// The time in which so many calls arrive.
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = time)]
    pub each: Duration,

    /// How often that time passes.
    #[arg(long, value_name = "N", default_value_t = 10,
        value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub periods: u32,

    /// How long an operator is busy with a call of a load, wrap-up included.
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub handling: Option<Duration>,

    /// After how long callers of a load give up, on average; without it they wait for ever.
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub patience: Option<Duration>,

    /// How many operators there are, each with all that the queue asks; without it those of the table.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=5_000))]
    pub operators: Option<u32>,

    /// How long a telephone rings before it is answered.
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = time)]
    pub ring: Duration,

    /// What is in time.
    #[arg(long, value_name = "TIME", default_value = "20s", value_parser = time)]
    pub within: Duration,

    /// Seed of what is drawn by lot.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,

    /// The settings.
    #[command(flatten)]
    pub config: ConfigFile,
}
