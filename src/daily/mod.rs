//! Owns the daily report that is made by itself: when one is due, its files, its mail, and the note of
//! the last day that is done, by which no day is made twice over restarts.
//!
//! A day is done when its files lie in the folder and its mail was taken; then the note says so. A
//! process killed before that does the whole day again: the files have the same names, and the mail
//! the same Message-ID.

mod mail;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use jiff::civil::{Date, Time};
use jiff::{Timestamp, ToSpan, Zoned};
use journal::forms::Forms;
use journal::report::{self, Kind, Report, Wanted, render};

use crate::settings::{DailyReport, ReportForm, Settings};
use mail::File;

/// How often it is looked whether a report is due.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// How long to wait after a failure.
const AGAIN_AFTER: Duration = Duration::from_secs(300);
/// Most days that were missed and are made up for.
const MISSED_MAX: i32 = 31;
/// The note of the last day that is done.
const NOTE: &str = ".last-daily-report";

/// Begins to make reports, if the settings have a folder for them.
pub(crate) fn start(runtime: &tokio::runtime::Runtime, settings: &Settings, forms: Arc<Forms>) {
    if let Some(folder) = settings.daily_report.folder.clone() {
        let settings = settings.clone();
        runtime.spawn(async move {
            loop {
                let pause = match make_due(&settings, &folder, &forms).await {
                    Ok(()) => LOOK_EVERY,
                    Err(error) => {
                        let error = format!("{error:#}");
                        tracing::error!(error, "the daily report is not made; tried again later");
                        AGAIN_AFTER
                    }
                };
                tokio::time::sleep(pause).await;
            }
        });
    }
}

async fn make_due(settings: &Settings, folder: &Path, forms: &Forms) -> anyhow::Result<()> {
    let zone = settings.journal.zone();
    let now = Timestamp::now().to_zoned(zone);
    let last = last_done(folder)?;
    for day in due(last, &now, settings.daily_report.at.0) {
        make(settings, folder, forms, day).await?;
        put(folder, NOTE, format!("{day}\n").as_bytes())?;
        tracing::info!(%day, "the daily report is made");
    }
    Ok(())
}

/// The days whose reports are to be made, the oldest first: those after the last one that is done, up to
/// yesterday when the time of day has come. Without a last one it is one day. Civil dates and times
/// only, so no change of the clocks makes a day twice or leaves one out.
fn due(last: Option<Date>, now: &Zoned, at: Time) -> Vec<Date> {
    let back = if now.time() >= at { 1 } else { 2 };
    let Ok(newest) = now.date().checked_sub(back.days()) else {
        return Vec::new();
    };
    let oldest = newest.checked_sub((MISSED_MAX - 1).days());
    let mut days: Vec<Date> = match (last, oldest) {
        (Some(last), Ok(oldest)) => {
            let series = last.series(1.day()).skip(1);
            let series = series.take_while(|day| *day <= newest);
            series.filter(|day| *day >= oldest).collect()
        }
        (_, _) => vec![newest],
    };
    days.dedup();
    days
}

fn last_done(folder: &Path) -> anyhow::Result<Option<Date>> {
    let note = folder.join(NOTE);
    match std::fs::read_to_string(&note) {
        Ok(text) => {
            let day = text.trim().parse();
            let expected = || format!("{}: expected a date, found {text:?}", note.display());
            Ok(Some(day.with_context(expected)?))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", note.display())),
    }
}

async fn make(settings: &Settings, folder: &Path, forms: &Forms, day: Date) -> anyhow::Result<()> {
    let zone = settings.journal.zone();
    let begin = day.to_zoned(zone.clone())?.start_of_day()?;
    let end = begin.checked_add(1.day())?.start_of_day()?;
    let ms = |at: &Zoned| at.timestamp().as_millisecond();
    let now = Timestamp::now().as_millisecond();
    let wanted = Wanted::new(Kind::Daily, (ms(&begin), ms(&end)), now, zone);
    let report = report::make(&settings.journal.database, forms, &wanted).await?;
    if !report.identity {
        tracing::error!(%day, "calls offered are not the sum of their outcomes");
    }
    let ours = settings.daily_report.clone();
    let folder = folder.to_owned();
    // Disk, zip and mail: not on the threads that carry signalling.
    let done = tokio::task::spawn_blocking(move || give_out(&ours, &folder, day, &report));
    done.await.context("the making of the report broke off")?
}

fn give_out(
    settings: &DailyReport,
    folder: &Path,
    day: Date,
    report: &Report,
) -> anyhow::Result<()> {
    let mut files = Vec::new();
    for &form in &settings.forms {
        let octets = match form {
            ReportForm::Xlsx => render::xlsx(report).context("the workbook cannot be made")?,
            ReportForm::Csv => render::csv(report).into_bytes(),
            ReportForm::Html => render::html(report).into_bytes(),
            ReportForm::Json => render::json_text(report).into_bytes(),
        };
        let name = format!("daily-{day}.{}", form.as_str());
        put(folder, &name, &octets)?;
        files.push(File { name, form, octets });
    }
    if settings.mail_to.is_empty() {
        return Ok(());
    }
    mail::send(settings, day, files)
}

/// Puts a file into the folder, whole or not at all.
fn put(folder: &Path, name: &str, octets: &[u8]) -> anyhow::Result<()> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let put = || -> std::io::Result<()> {
        std::fs::create_dir_all(folder)?;
        let new = folder.join(format!("{name}.new"));
        let mut options = std::fs::OpenOptions::new();
        // It names operators and, in some tables, callers.
        let options = options.write(true).create(true).truncate(true).mode(0o600);
        let mut file = options.open(&new)?;
        file.write_all(octets)?;
        file.sync_all()?;
        std::fs::rename(&new, folder.join(name))?;
        std::fs::File::open(folder)?.sync_all()
    };
    put().with_context(|| format!("cannot write {}", folder.join(name).display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::{date, time};

    fn due_at(last: Option<Date>, now: &str) -> Vec<String> {
        let now: Zoned = now.parse().unwrap();
        let days = due(last, &now, time(6, 0, 0, 0));
        days.iter().map(Date::to_string).collect()
    }

    #[test]
    fn yesterday_is_due_when_its_time_has_come_and_once() {
        let last = Some(date(2026, 11, 20));
        assert!(due_at(last, "2026-11-22T05:59:59+11[Asia/Sakhalin]").is_empty());
        let due = due_at(last, "2026-11-22T06:00:00+11[Asia/Sakhalin]");
        assert_eq!(due, ["2026-11-21"]);
        let last = Some(date(2026, 11, 21));
        assert!(due_at(last, "2026-11-22T06:00:01+11[Asia/Sakhalin]").is_empty());
        let first = due_at(None, "2026-11-22T07:00:00+11[Asia/Sakhalin]");
        assert_eq!(first, ["2026-11-21"], "no history is made up");
    }

    #[test]
    fn missed_days_come_later_in_order_and_a_clock_set_back_makes_none_again() {
        let last = Some(date(2026, 11, 18));
        let due = due_at(last, "2026-11-22T12:00:00+11[Asia/Sakhalin]");
        assert_eq!(due, ["2026-11-19", "2026-11-20", "2026-11-21"]);
        assert!(due_at(last, "2026-11-10T12:00:00+11[Asia/Sakhalin]").is_empty());
        let long = due_at(
            Some(date(2020, 1, 1)),
            "2026-11-22T12:00:00+11[Asia/Sakhalin]",
        );
        assert_eq!((long.len(), long[0].as_str()), (31, "2026-10-22"));
    }

    #[test]
    fn the_days_of_changed_clocks_are_due_once_like_all() {
        // Kyiv: 25 hours on 2026-10-25, 23 hours on 2026-03-29.
        for (last, now, day) in [
            (
                date(2026, 10, 24),
                "2026-10-26T06:00:00+02[Europe/Kyiv]",
                "2026-10-25",
            ),
            (
                date(2026, 3, 28),
                "2026-03-30T06:00:00+03[Europe/Kyiv]",
                "2026-03-29",
            ),
        ] {
            assert_eq!(due_at(Some(last), now), [day]);
        }
    }
}
