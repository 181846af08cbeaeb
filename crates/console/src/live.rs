//! Owns the live picture: this moment as the engine sees it, and the last minutes of each queue as the
//! journal has them.

use axum::extract::{RawQuery, State};
use axum::response::Response;
use journal::metrics::Interval;
use journal::report::{self, By, Kind, Wanted, render};
use serde_json::{Map, Value, json};

use crate::app::App;
use crate::entries::as_json;
use crate::operation::{LIVE, QUEUES};
use crate::problem::Problem;
use crate::query::Query;
use crate::reports::{DAY_MS, named, today};

/// The window that began with the day.
const TODAY: &str = "today";

/// Windows of the live figures that end now, in minutes.
const WINDOWS: [(&str, i64); 4] = [
    ("last_5_min", 5),
    ("last_15_min", 15),
    ("last_30_min", 30),
    ("last_60_min", 60),
];

/// Names of all windows.
pub(crate) fn names() -> [&'static str; 5] {
    let [a, b, c, d] = WINDOWS.map(|(name, _)| name);
    [TODAY, a, b, c, d]
}

/// How the stays of a window are told apart, and up to which wait one is in time.
#[derive(Default)]
pub(crate) struct Cut {
    by: By,
    within_ms: Option<u64>,
}

pub(crate) async fn picture(
    State(app): State<App>,
    RawQuery(raw): RawQuery,
) -> Result<Response, Problem> {
    let query = Query::read(raw.as_deref(), LIVE)?;
    let mut picture = json!(app.console.live.snapshot());
    if query.flag("windows")?.unwrap_or(false) {
        let windows = windows(&app, &Cut::default()).await?;
        if let Some(picture) = picture.as_object_mut() {
            picture.insert("windows".to_owned(), Value::Object(windows));
        }
    }
    Ok(as_json(&picture))
}

pub(crate) async fn operators(State(app): State<App>) -> Response {
    as_json(&json!({ "operators": app.console.live.snapshot().operators }))
}

pub(crate) async fn queues(
    State(app): State<App>,
    RawQuery(raw): RawQuery,
) -> Result<Response, Problem> {
    let query = Query::read(raw.as_deref(), QUEUES)?;
    let cut = Cut {
        by: named(&query, "by", &By::NAMES).unwrap_or_default(),
        within_ms: query.number("within_ms", 0, DAY_MS)?,
    };
    let mut body = windows(&app, &cut).await?;
    let snapshot = app.console.live.snapshot();
    body.insert("now".to_owned(), json!(snapshot.counts));
    body.insert("queues".to_owned(), json!(snapshot.queues));
    Ok(as_json(&Value::Object(body)))
}

/// The rows of each window, by its name. A stay in a queue is in the windows in which it was entered, so
/// that in each of them offered is the sum of the outcomes and of what waits; a window of minutes begins
/// with the millisecond so long ago, today with midnight in the installation's zone.
pub(crate) async fn windows(app: &App, cut: &Cut) -> Result<Map<String, Value>, Problem> {
    let now = app.console.live.now().as_unix_millis();
    let zone = &app.console.zone;
    let mut ranges = vec![(TODAY, today(now, zone)?)];
    ranges.extend(WINDOWS.map(|(name, minutes)| (name, (now - minutes * 60_000, now + 1))));
    let _place = app.place().await?;
    let mut windows = Map::new();
    for (name, range) in ranges {
        let usual = Wanted::new(Kind::Queue, range, now, zone.clone());
        let wanted = Wanted {
            interval: Interval::Whole,
            by: cut.by,
            threshold_ms: cut.within_ms.unwrap_or(usual.threshold_ms),
            ..usual
        };
        let forms = app.console.desk.forms();
        let report = report::make(&app.console.database, forms, &wanted).await?;
        let mut told = render::json(&report);
        let rows = told.pointer_mut("/tables/queues").map(Value::take);
        windows.insert(name.to_owned(), rows.unwrap_or_default());
    }
    Ok(windows)
}
