//! Owns the live picture: this moment, and the last minutes of each queue.

use axum::extract::{RawQuery, State};
use axum::response::Response;
use journal::metrics::Interval;
use journal::report::{self, By, Kind, Wanted, render};
use serde_json::{Map, json};

use crate::app::App;
use crate::entries::as_json;
use crate::operation::LIVE;
use crate::problem::Problem;
use crate::query::Query;
use crate::reports::{DAY_MS, named, today};

/// Windows of the live figures, in minutes.
const WINDOWS: [(&str, i64); 4] = [
    ("last_5_min", 5),
    ("last_15_min", 15),
    ("last_30_min", 30),
    ("last_60_min", 60),
];

pub(crate) async fn picture(State(app): State<App>) -> Response {
    as_json(&json!(app.console.live.snapshot()))
}

pub(crate) async fn operators(State(app): State<App>) -> Response {
    as_json(&json!({ "operators": app.console.live.snapshot().operators }))
}

pub(crate) async fn queues(
    State(app): State<App>,
    RawQuery(raw): RawQuery,
) -> Result<Response, Problem> {
    let query = Query::read(raw.as_deref(), LIVE)?;
    let by = named(&query, "by", &By::NAMES).unwrap_or_default();
    let within = query.number("within_ms", 0, DAY_MS)?;
    let now = app.console.live.now().as_unix_millis();
    let zone = app.console.zone.clone();
    let mut ranges = vec![("today", today(now, &zone)?)];
    ranges.extend(WINDOWS.map(|(name, minutes)| (name, (now - minutes * 60_000, now + 1))));
    let mut body = Map::new();
    for (name, range) in ranges {
        let wanted = Wanted {
            interval: Interval::Whole,
            by,
            ..Wanted::new(Kind::Queue, range, now, zone.clone())
        };
        let wanted = Wanted {
            threshold_ms: within.unwrap_or(wanted.threshold_ms),
            ..wanted
        };
        let _place = app.reader().await?;
        let forms = app.console.desk.forms();
        let report = report::make(&app.console.database, forms, &wanted).await?;
        let mut json = render::json(&report);
        let rows = json
            .pointer_mut("/tables/queues")
            .map(serde_json::Value::take);
        body.insert(name.to_owned(), rows.unwrap_or_default());
    }
    let counts = app.console.live.snapshot().counts;
    body.insert("now".to_owned(), json!(counts));
    Ok(as_json(&serde_json::Value::Object(body)))
}
