//! Owns what is asked about webhooks: how they stand, the letters given up, the sending of them again.

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use journal::export::utc;
use journal::letters::{self, DeadLetter, Standing};
use serde::Deserialize;
use serde_json::{Value, json};
use vocab::{EventId, WallTime};

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
    let webhooks: Vec<Value> = standings.iter().map(standing).collect();
    Ok(as_json(&json!({ "webhooks": webhooks })))
}

/// With moments as such.
fn standing(one: &Standing) -> Value {
    json!({
        "webhook": one.webhook,
        "waiting": one.waiting,
        "dead": one.dead,
        "oldest_at": one.oldest_at.map(moment),
        "problem": one.problem,
    })
}

fn letter(one: &DeadLetter) -> Value {
    json!({
        "webhook": one.webhook,
        "event": one.event,
        "fact": one.fact,
        "attempts": one.attempts,
        "dead_at": moment(one.dead_at),
        "problem": one.problem,
    })
}

fn moment(ms: i64) -> String {
    utc(WallTime::from_unix_millis(ms))
}

pub(crate) async fn dead(
    State(app): State<App>,
    Path(name): Path<String>,
) -> Result<Response, Problem> {
    let _place = app.place().await?;
    known(&app, &name).await?;
    let dead = letters::dead(&app.console.database, Some(&name)).await?;
    let letters: Vec<Value> = dead.iter().map(letter).collect();
    Ok(as_json(&json!({ "letters": letters })))
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
