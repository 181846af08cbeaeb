//! Owns `hotline report`.

use std::fs::File;
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use journal::report::{self, Report, Wanted, render};

use super::journal::block_on;
use crate::boot;
use crate::cli::{ReportFormat, ReportWanted};

pub(super) fn run(asked: &ReportWanted) -> anyhow::Result<ExitCode> {
    let settings = super::load(&asked.config.config)?;
    let zone = settings.journal.zone();
    let now = Timestamp::now();
    let (from, to) = range(asked.from.as_deref(), asked.to.as_deref(), &zone, now)?;
    if to <= from {
        bail!("expected --to after --from");
    }
    let wanted = Wanted {
        interval: asked.interval,
        by: asked.by,
        queue: asked.queue.clone(),
        threshold_ms: ms(asked.within),
        short_ms: ms(asked.short),
        ring_limit_ms: ms(asked.ring_limit),
        repeat_days: asked.repeat_days,
        mos_below: asked.mos_below,
        ..Wanted::new(asked.kind, (from, to), now.as_millisecond(), zone)
    };
    let forms = boot::read_forms(&settings.journal)?;
    let report = block_on(report::make(&settings.journal.database, &forms, &wanted))??;
    write_out(asked, &rendered(asked.format, &report)?)?;
    // A report whose sums do not fit is told by the exit code as well.
    Ok(if report.identity {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn rendered(format: ReportFormat, report: &Report) -> anyhow::Result<Vec<u8>> {
    Ok(match format {
        ReportFormat::Table => render::text(report).into_bytes(),
        ReportFormat::Csv => render::csv(report).into_bytes(),
        ReportFormat::Html => render::html(report).into_bytes(),
        ReportFormat::Json => {
            let mut json = serde_json::to_vec_pretty(&render::json(report))?;
            json.push(b'\n');
            json
        }
        ReportFormat::Xlsx => render::xlsx(report).context("the workbook cannot be made")?,
    })
}

fn write_out(asked: &ReportWanted, bytes: &[u8]) -> anyhow::Result<()> {
    if let Some(path) = asked.output.as_ref().filter(|path| path.as_os_str() != "-") {
        let written = File::create(path).and_then(|mut file| file.write_all(bytes));
        return written.with_context(|| format!("cannot write {}", path.display()));
    }
    match io::stdout().lock().write_all(bytes) {
        // The reader (`| head`) has had enough.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(error).context("standard output cannot be written")
        }
        _ => Ok(()),
    }
}

/// The range in UTC ms: today unless something else is said.
pub(super) fn range(
    from: Option<&str>,
    to: Option<&str>,
    zone: &TimeZone,
    now: Timestamp,
) -> anyhow::Result<(i64, i64)> {
    let today = now.to_zoned(zone.clone()).start_of_day()?;
    let from = match from {
        Some(text) => moment(text, zone)?,
        None => today,
    };
    let to = match to {
        Some(text) => moment(text, zone)?,
        None => from.tomorrow()?.start_of_day()?,
    };
    let ms = |at: Zoned| at.timestamp().as_millisecond();
    Ok((ms(from), ms(to)))
}

fn moment(text: &str, zone: &TimeZone) -> anyhow::Result<Zoned> {
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(at.to_zoned(zone.clone()));
    }
    // A civil time without its hour is the midnight that begins the day.
    let civil = text.parse::<jiff::civil::DateTime>();
    let zoned = civil.and_then(|civil| civil.to_zoned(zone.clone()));
    zoned.map_err(|_| {
        anyhow::anyhow!("expected a date (2026-11-22) or a time (2026-11-22T08:00), found {text:?}")
    })
}

fn ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
