//! Owns the reports, in the forms that the command line has too.

use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use journal::metrics::Interval;
use journal::report::{self, By, Kind, Wanted, render};

use crate::app::App;
use crate::operation::REPORT;
use crate::problem::Problem;
use crate::query::Query;

/// Longest threshold: a day.
pub(crate) const DAY_MS: u64 = 86_400_000;

pub(crate) async fn one(
    State(app): State<App>,
    Path(name): Path<String>,
    RawQuery(raw): RawQuery,
) -> Result<Response, Problem> {
    let kind = Kind::NAMES.iter().find(|(known, _)| *known == name);
    let Some((_, kind)) = kind else {
        return Err(Problem::not_found(format!("there is no report {name:?}")));
    };
    let query = Query::read(raw.as_deref(), REPORT)?;
    let wanted = wanted(&app, *kind, &query)?;
    let _place = app.place().await?;
    let forms = app.console.desk.forms();
    let report = report::make(&app.console.database, forms, &wanted).await?;
    let format = query.text("format");
    let (kind, body) = match format.as_deref() {
        Some("csv") => ("text/csv; charset=utf-8", render::csv(&report).into_bytes()),
        Some("html") => (
            "text/html; charset=utf-8",
            render::html(&report).into_bytes(),
        ),
        Some("xlsx") => (XLSX, book(&report)?),
        _ => ("application/json", render::json_text(&report).into_bytes()),
    };
    let kind = HeaderValue::from_static(kind);
    Ok(([(header::CONTENT_TYPE, kind)], body).into_response())
}

const XLSX: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";

fn book(report: &report::Report) -> Result<Vec<u8>, Problem> {
    render::xlsx(report).map_err(|error| {
        tracing::error!(%error, "a workbook cannot be made");
        Problem::new(
            StatusCode::BAD_REQUEST,
            "the report is too long for a workbook",
        )
    })
}

fn wanted(app: &App, kind: Kind, query: &Query) -> Result<Wanted, Problem> {
    let now = app.console.live.now().as_unix_millis();
    let zone = app.console.zone.clone();
    let from = match query.moment("from")? {
        Some(from) => from.as_unix_millis(),
        None => today(now, &zone)?.0,
    };
    let to = match query.moment("to")? {
        Some(to) => to.as_unix_millis(),
        None => today(from, &zone)?.1,
    };
    if to <= from {
        return Err(Problem::bad_request("expected `to` after `from`"));
    }
    let usual = Wanted::new(kind, (from, to), now, zone);
    let mos: Option<f64> = query.parsed("mos_below", "a mean opinion score, 1 to 4.5")?;
    let mos_below = mos.map(|mos| {
        let said = "mos_below: expected a mean opinion score, 1 to 4.5";
        report::hundredths(mos).ok_or_else(|| Problem::bad_request(said))
    });
    let days = query.number("repeat_days", 1, 90)?;
    Ok(Wanted {
        interval: named(query, "interval", &Interval::NAMES).unwrap_or(Interval::Whole),
        by: named(query, "by", &By::NAMES).unwrap_or_default(),
        queue: query.text("queue"),
        threshold_ms: query
            .number("within_ms", 0, DAY_MS)?
            .unwrap_or(usual.threshold_ms),
        short_ms: query
            .number("short_ms", 0, DAY_MS)?
            .unwrap_or(usual.short_ms),
        ring_limit_ms: query
            .number("ring_limit_ms", 0, DAY_MS)?
            .unwrap_or(usual.ring_limit_ms),
        repeat_days: days.and_then(|days| u16::try_from(days).ok()).unwrap_or(7),
        mos_below: mos_below.transpose()?.unwrap_or(usual.mos_below),
        ..usual
    })
}

/// The value of a name; names were judged when the query was read.
pub(crate) fn named<T: Copy>(query: &Query, parameter: &str, names: &[(&str, T)]) -> Option<T> {
    let name = query.text(parameter)?;
    let found = names.iter().find(|(known, _)| *known == name);
    found.map(|(_, value)| *value)
}

/// The day of a moment in the installation's zone, UTC ms.
pub(crate) fn today(at: i64, zone: &TimeZone) -> Result<(i64, i64), Problem> {
    let day = || -> Result<(i64, i64), jiff::Error> {
        let begin = Timestamp::from_millisecond(at)?
            .to_zoned(zone.clone())
            .start_of_day()?;
        let end = begin.tomorrow()?.start_of_day()?;
        Ok((
            begin.timestamp().as_millisecond(),
            end.timestamp().as_millisecond(),
        ))
    };
    day().map_err(|_| Problem::bad_request("expected moments that a calendar has"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// When the day of a moment begins, and how many hours it has.
    fn day(zone: &str, at: &str) -> (String, i64) {
        let at: Timestamp = at.parse().unwrap();
        let zone = TimeZone::get(zone).unwrap();
        let Ok((from, to)) = today(at.as_millisecond(), &zone) else {
            panic!("{at} is of no day");
        };
        let begin = Timestamp::from_millisecond(from).unwrap();
        (begin.to_string(), (to - from) / 3_600_000)
    }

    #[test]
    fn a_day_begins_at_midnight_of_the_zone_or_when_the_clock_leaps_over_it() {
        for (zone, at, begin, hours) in [
            (
                "UTC",
                "2026-11-22T23:59:59.999Z",
                "2026-11-22T00:00:00Z",
                24,
            ),
            (
                "Asia/Vladivostok",
                "2026-11-22T13:59:59.999Z",
                "2026-11-21T14:00:00Z",
                24,
            ),
            (
                "Asia/Vladivostok",
                "2026-11-22T14:00:00Z",
                "2026-11-22T14:00:00Z",
                24,
            ),
            (
                "Europe/Kyiv",
                "2026-10-25T12:00:00Z",
                "2026-10-24T21:00:00Z",
                25,
            ),
            (
                "Europe/Kyiv",
                "2026-03-29T12:00:00Z",
                "2026-03-28T22:00:00Z",
                23,
            ),
            // There is no midnight: after 23:59:59 comes 01:00.
            (
                "America/Havana",
                "2026-03-08T12:00:00Z",
                "2026-03-08T05:00:00Z",
                23,
            ),
        ] {
            assert_eq!(day(zone, at), (begin.to_owned(), hours), "{zone} {at}");
        }
    }
}
