//! Owns what may be typed after `hotline sim` and `hotline replay`.

use std::ops::RangeInclusive;
use std::path::PathBuf;

use clap::Args;

use super::ConfigFile;

/// Which worlds to live.
#[derive(Debug, Clone, Args)]
pub struct Sim {
    /// First and last seed.
    #[arg(long, value_name = "A..B", default_value = "1..100", value_parser = seeds)]
    pub seeds: RangeInclusive<u64>,

    /// Minutes in which callers call.
    #[arg(long, value_name = "N", default_value_t = 10,
        value_parser = clap::value_parser!(u32).range(1..=1_440))]
    pub minutes: u32,

    /// What goes wrong: all, none, or some by name, with commas.
    #[arg(long, value_name = "FAULTS", default_value = "all")]
    pub faults: sim::Faults,
}

/// What to live again.
#[derive(Debug, Clone, Args)]
pub struct Replay {
    /// A file of the input log.
    pub file: PathBuf,

    /// With which settings.
    #[command(flatten)]
    pub config: ConfigFile,
}

fn seeds(text: &str) -> Result<RangeInclusive<u64>, String> {
    let parts = text.split_once("..").unwrap_or((text, text));
    let (first, last) = (parts.0.parse::<u64>(), parts.1.parse::<u64>());
    match (first, last) {
        (Ok(first), Ok(last)) if first <= last => Ok(first..=last),
        _ => Err("expected the first and the last seed, such as 1..100".to_owned()),
    }
}
