//! Owns the reading of what a plan knows besides its steps: working hours, time zone, calendar,
//! lists of callers.

use core::time::Duration;
use std::collections::BTreeMap;

use toml::de::DeTable;

use super::number_fault;
use crate::calendar::Calendars;
use crate::diagnostic::Report;
use crate::hours::{Clockwork, Hours, Span as Open, Zone, told};
use crate::read::{At, Table, date, text, wrong_kind};
use crate::spelling::nearest;

/// Weekdays, Monday first.
const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// The time zone, the calendar and by how much a short day is shorter. The place of the calendar.
pub(super) fn clockwork(
    report: &mut Report<'_>,
    root: Table<'_>,
) -> (Option<Clockwork>, core::ops::Range<usize>) {
    let calendar = root.text(report, "calendar");
    let bounds = Duration::from_secs(60)..=Duration::from_secs(12 * 3_600);
    let short_by = root.time(report, "short_by", bounds);
    let at = calendar
        .as_ref()
        .map_or(0..0, |calendar| calendar.span.clone());
    let zone = root.text(report, "time_zone");
    for key in ["calendar", "hours"] {
        if let (Some(value), None) = (root.value(key), root.value("time_zone")) {
            let message = format!("`{key}` needs a time zone");
            let help = "add `time_zone = \"Asia/Sakhalin\"` to the plan";
            report.mistake_with_help(&value.span(), message, help);
        }
    }
    let Some(zone) = zone else {
        return (None, at);
    };
    let Some(found) = Zone::find(zone.value) else {
        let names = Zone::names();
        let help = nearest(zone.value, &names)
            .map(|(near, _)| format!("did you mean \"{near}\"?"))
            .unwrap_or_default();
        let message = format!("no time zone \"{}\"", zone.value);
        report.mistake_with_help(&zone.span, message, help);
        return (None, at);
    };
    let clockwork = Clockwork {
        zone: found,
        calendar: calendar.map(|calendar| calendar.value.to_owned()),
        short_by: short_by.unwrap_or(Duration::from_secs(3_600)),
        calendars: Calendars::default(),
    };
    (Some(clockwork), at)
}

/// `[hours.NAME]`: working hours by weekday.
pub(super) fn all_hours(report: &mut Report<'_>, root: Table<'_>) -> BTreeMap<String, Hours> {
    let mut all = BTreeMap::new();
    let Some(named) = root.table(report, "hours") else {
        return all;
    };
    let named = Table::new(named, "`hours`");
    for key in named.keys() {
        let Some(table) = named.table(report, key.value) else {
            continue;
        };
        all.insert(key.value.to_owned(), hours(report, table, key.value));
    }
    all
}

fn hours(report: &mut Report<'_>, table: &DeTable<'_>, name: &str) -> Hours {
    let what = format!("the hours `{name}`");
    let table = Table::new(table, &what);
    let mut hours = Hours::default();
    let mut given: BTreeMap<usize, (&str, usize)> = BTreeMap::new();
    for key in table.keys() {
        match key.value {
            "dates" => dates(report, table, &mut hours),
            "holidays" => {
                hours.holidays_too = table
                    .text(report, "holidays")
                    .is_some_and(|word| holidays_too(report, &word));
            }
            _ => {
                let Some(days) = days(key.value) else {
                    let message = format!("unknown key `{}` in {what}", key.value);
                    let help = "expected days such as `mon`, `mon-fri`, `sat`; `dates`; `holidays`";
                    report.mistake_with_help(&key.span, message, help);
                    continue;
                };
                let spans = spans(report, table, key.value);
                for day in days {
                    if let Some((before, line)) = given.get(&day) {
                        let message = format!(
                            "hours overlap: {} is in `{}` and in `{before}`",
                            DAYS.get(day).copied().unwrap_or_default(),
                            key.value
                        );
                        let help = format!("the first is on line {line}; give each day once");
                        report.mistake_with_help(&key.span, message, help);
                        break;
                    }
                    given.insert(day, (key.value, report.line(&key.span)));
                    if let Some(of_day) = hours.week.get_mut(day) {
                        of_day.clone_from(&spans);
                    }
                }
            }
        }
    }
    hours
}

fn holidays_too(report: &mut Report<'_>, word: &At<&str>) -> bool {
    if !["closed", "as usual"].contains(&word.value) {
        let message = format!(
            "`holidays` must be \"closed\" or \"as usual\", found \"{}\"",
            word.value
        );
        report.mistake(&word.span, message);
    }
    word.value == "as usual"
}

/// The days that a key names: `mon`, or `mon-fri`.
fn days(key: &str) -> Option<core::ops::RangeInclusive<usize>> {
    let place = |day: &str| DAYS.iter().position(|one| *one == day);
    let (first, last) = match key.split_once('-') {
        Some((first, last)) => (place(first)?, place(last)?),
        None => (place(key)?, place(key)?),
    };
    (first <= last).then_some(first..=last)
}

fn dates(report: &mut Report<'_>, table: Table<'_>, hours: &mut Hours) {
    let Some(dates) = table.table(report, "dates") else {
        return;
    };
    let dates = Table::new(dates, "`dates`");
    for key in dates.keys() {
        if let Some(day) = date(report, &key) {
            hours.dates.insert(day, spans(report, dates, key.value));
        }
    }
}

/// `["08:00-12:00", "13:00-20:00"]`, in order and without overlap.
fn spans(report: &mut Report<'_>, table: Table<'_>, key: &str) -> Vec<Open> {
    let Some(value) = table.value(key) else {
        return Vec::new();
    };
    let Some(list) = value.get_ref().as_array() else {
        wrong_kind(report, key, "a list such as `[\"08:00-20:00\"]`", value);
        return Vec::new();
    };
    let mut spans: Vec<Open> = Vec::new();
    for member in list.iter() {
        let Some(given) = text(report, key, member) else {
            continue;
        };
        let Some(span) = span(given.value) else {
            let message = format!(
                "expected hours such as \"08:00-20:00\", found \"{}\"",
                given.value
            );
            let help = "from 00:00 to 24:00; a night is two: [\"00:00-06:00\", \"22:00-24:00\"]";
            report.mistake_with_help(&given.span, message, help);
            continue;
        };
        let clash = spans
            .iter()
            .find(|other| other.from < span.until && span.from < other.until);
        if let Some(other) = clash {
            let message = format!("hours overlap: {} and {}", told(other), told(&span));
            report.mistake_with_help(&given.span, message, "make one of the two");
        }
        spans.push(span);
    }
    spans.sort();
    spans
}

fn span(text: &str) -> Option<Open> {
    let (from, until) = text.split_once('-')?;
    let (from, until) = (clock(from)?, clock(until)?);
    (from < until).then_some(Open { from, until })
}

/// `HH:MM` as a minute of the day.
fn clock(text: &str) -> Option<u16> {
    let (hour, minute) = text.split_once(':')?;
    let digits = |part: &str| part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit());
    if !(digits(hour) && digits(minute)) {
        return None;
    }
    let (hour, minute): (u16, u16) = (hour.parse().ok()?, minute.parse().ok()?);
    let at = hour * 60 + minute;
    (minute < 60 && at <= Open::DAY).then_some(at)
}

/// `[callers]`: lists of numbers, or of beginnings of numbers that end in `*`.
pub(super) fn callers(report: &mut Report<'_>, root: Table<'_>) -> BTreeMap<String, Vec<String>> {
    let mut all = BTreeMap::new();
    let Some(lists) = root.table(report, "callers") else {
        return all;
    };
    let lists = Table::new(lists, "`callers`");
    for key in lists.keys() {
        let Some(numbers) = lists.texts(report, key.value) else {
            continue;
        };
        for number in &numbers.value {
            let beginning = number.value.strip_suffix('*').unwrap_or(number.value);
            if let Some(help) = number_fault(beginning) {
                let message = format!(
                    "expected a number, or the beginning of one and `*`, found \"{}\"",
                    number.value
                );
                report.mistake_with_help(&number.span, message, help);
            }
        }
        let numbers = numbers.value.iter().map(|number| number.value.to_owned());
        all.insert(key.value.to_owned(), numbers.collect());
    }
    all
}
