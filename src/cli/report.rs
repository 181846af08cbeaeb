//! Owns what may be typed after `hotline report`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use journal::metrics::Interval;
use journal::report::{By, Kind};

use super::{ConfigFile, time};

/// Which report, of what, in which form.
#[derive(Debug, Clone, Args)]
pub struct ReportWanted {
    /// Which: daily, queue, operator, line, abandoned, overruns or quality.
    #[arg(value_name = "REPORT", value_parser = kind)]
    pub kind: Kind,

    /// From when: a date, a time in the zone of the settings, or an RFC 3339 time. Without it today.
    #[arg(long, value_name = "WHEN")]
    pub from: Option<String>,

    /// To before when; without it the end of the day of --from.
    #[arg(long, value_name = "WHEN")]
    pub to: Option<String>,

    /// The form.
    #[arg(long, value_enum, default_value_t = ReportFormat::Table)]
    pub format: ReportFormat,

    /// How the reports of queues, operators and lines are cut: 15min, 30min, hour, day, week, month or whole.
    #[arg(long, value_name = "INTERVAL", default_value = "whole", value_parser = interval)]
    pub interval: Interval,

    /// By what rows of the report of queues are told apart: queue, number, trunk, topic, operator,
    /// line or all.
    #[arg(long, value_name = "WHAT", default_value = "queue", value_parser = by)]
    pub by: By,

    /// Only this queue.
    #[arg(long, value_name = "QUEUE")]
    pub queue: Option<String>,

    /// A wait up to this is in time.
    #[arg(long, value_name = "TIME", default_value = "20s", value_parser = time)]
    pub within: Duration,

    /// Who hangs up within this is left out of the adjusted abandonment.
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = time)]
    pub short: Duration,

    /// How long the telephone of a line may ring.
    #[arg(long, value_name = "TIME", default_value = "15s", value_parser = time)]
    pub ring_limit: Duration,

    /// Longest window of first-contact resolution, in days.
    #[arg(long, value_name = "DAYS", default_value_t = 7,
        value_parser = clap::value_parser!(u16).range(1..=90))]
    pub repeat_days: u16,

    /// Legs whose mean opinion score is below this are listed, 1 to 4.5.
    #[arg(long, value_name = "MOS", default_value = "3.6", value_parser = mos)]
    pub mos_below: u16,

    /// Where to write; without it, or with `-`, standard output.
    #[arg(long, short = 'o', value_name = "FILE")]
    pub output: Option<PathBuf>,

    /// Whose journal.
    #[command(flatten)]
    pub config: ConfigFile,
}

/// The form of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ReportFormat {
    /// Aligned columns.
    Table,
    /// Comma-separated values, each table under its name.
    Csv,
    /// A workbook: a sheet for each table, real times and percentages, charts.
    Xlsx,
    /// One page without anything from elsewhere.
    Html,
    /// For programs.
    Json,
}

fn kind(text: &str) -> Result<Kind, String> {
    named(text, &Kind::NAMES)
}

/// Hundredths of a MOS.
fn mos(text: &str) -> Result<u16, String> {
    let mos = text.parse().ok().and_then(journal::report::hundredths);
    mos.ok_or_else(|| "expected a mean opinion score, 1 to 4.5".to_owned())
}

fn interval(text: &str) -> Result<Interval, String> {
    named(text, &Interval::NAMES)
}

fn by(text: &str) -> Result<By, String> {
    named(text, &By::NAMES)
}

fn named<T: Copy>(text: &str, names: &[(&str, T)]) -> Result<T, String> {
    let found = names.iter().find(|(name, _)| *name == text);
    found.map(|(_, value)| *value).ok_or_else(|| {
        let names: Vec<&str> = names.iter().map(|(name, _)| *name).collect();
        format!("expected one of {}", names.join(", "))
    })
}
