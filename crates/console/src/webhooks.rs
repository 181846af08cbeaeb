//! Owns what is asked about webhooks: how they stand, the letters given up, the sending of them again.

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use journal::letters;
use serde::Deserialize;
use serde_json::json;
use vocab::EventId;

use crate::app::App;
use crate::entries::as_json;
use crate::problem::Problem;
use crate::write::read;

/// Most events of one request.
const EVENTS_MAX: usize = 500;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Again {
    events: Option<Vec<EventId>>,
}

pub(crate) async fn list(State(app): State<App>) -> Result<Response, Problem> {
    let _place = app.place().await?;
    let standings = letters::standings(&app.console.database).await?;
    Ok(as_json(&json!({ "webhooks": standings })))
}

pub(crate) async fn dead(
    State(app): State<App>,
    Path(name): Path<String>,
) -> Result<Response, Problem> {
    let _place = app.place().await?;
    known(&app, &name).await?;
    let dead = letters::dead(&app.console.database, Some(&name)).await?;
    Ok(as_json(&json!({ "letters": dead })))
}

pub(crate) async fn send_again(
    State(app): State<App>,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let Again { events } = read(&headers, &body)?;
    if events.as_ref().is_some_and(|all| all.len() > EVENTS_MAX) {
        return Err(Problem::bad_request(format!(
            "events: expected at most {EVENTS_MAX} of them"
        )));
    }
    let _place = app.place().await?;
    known(&app, &name).await?;
    let now = app.console.live.now();
    let sent = letters::send_again(&app.console.database, &name, events.as_deref(), now).await?;
    Ok(as_json(&json!({ "sent": sent })))
}

async fn known(app: &App, name: &str) -> Result<(), Problem> {
    let standings = letters::standings(&app.console.database).await?;
    if standings.iter().any(|one| one.webhook == name) {
        return Ok(());
    }
    Err(Problem::not_found(format!("there is no webhook {name:?}")))
}
