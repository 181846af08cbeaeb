//! Owns the figures for Prometheus: which there are, in which order. No figure names a person; a line is
//! a workplace.

use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};

use crate::app::App;

mod database;
mod engine;
mod floor;
mod page;

use page::Page;

pub(crate) async fn serve(State(app): State<App>) -> Response {
    let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    ([(header::CONTENT_TYPE, kind)], text(&app).await).into_response()
}

async fn text(app: &App) -> String {
    let live = &app.console.live;
    let snapshot = live.snapshot();
    let mut page = Page::default();
    engine::process(&mut page, &app.console.version, live.process());
    engine::calls(&mut page, snapshot.counts);
    engine::journal(&mut page, live.health());
    engine::recording(&mut page, live.recording());
    engine::trunks(&mut page, &snapshot.trunks);
    floor::queues(&mut page, &snapshot.queues);
    floor::operators(&mut page, &snapshot.operators);
    floor::durations(&mut page, &live.durations());
    database::write(&mut page, app, &snapshot.queues).await;
    page.into_text()
}

/// Counts stay far below 2^53, where this is exact.
#[allow(clippy::cast_precision_loss)]
const fn exact(number: u64) -> f64 {
    number as f64
}

fn seconds(ms: u64) -> f64 {
    exact(ms) / 1_000.0
}

fn yes(yes: bool) -> f64 {
    f64::from(u8::from(yes))
}

/// A word as JSON spells it.
fn word(value: impl serde::Serialize) -> String {
    let value = serde_json::to_value(value).unwrap_or_default();
    value.as_str().unwrap_or_default().to_owned()
}
