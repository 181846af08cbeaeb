//! Owns the messages of callers: the list, and that somebody heard one. The audio is a recording of the
//! call, heard as every other.

use axum::Extension;
use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::http::HeaderMap;
use axum::response::Response;
use journal::desk::Wish;
use journal::messages::{LeftMessage, Place, Wanted};
use serde::Deserialize;
use serde_json::{Value, json};
use vocab::CallId;

use crate::app::App;
use crate::entries::as_json;
use crate::operation::MESSAGES;
use crate::problem::Problem;
use crate::query::{Query, call_id};
use crate::session::Session;
use crate::token::Token;
use crate::write::{read, writer};

/// Messages of a page, unless asked otherwise, and at most.
const PAGE: u32 = 50;
const PAGE_MAX: u64 = 500;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Heard {
    operator: Option<String>,
}

pub(crate) async fn list(
    State(app): State<App>,
    RawQuery(raw): RawQuery,
) -> Result<Response, Problem> {
    let query = Query::read(raw.as_deref(), MESSAGES)?;
    let after: Option<Place> = query.parsed("cursor", "the `next` of a page")?;
    let limit = query.number("limit", 1, PAGE_MAX)?;
    let limit = limit
        .and_then(|limit| u32::try_from(limit).ok())
        .unwrap_or(PAGE);
    let wanted = Wanted {
        heard: query.flag("heard")?.unwrap_or(false),
        mailbox: query.text("mailbox"),
        after,
        // One more than asked for tells whether there is another page.
        limit: Some(limit + 1),
    };
    let mut reader = app.reader().await?;
    let mut messages = reader.journal.messages(&wanted).await?;
    let page = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = messages.len() > page;
    messages.truncate(page);
    let last = messages.last().filter(|_| more);
    let next = last.map(|message| message.place().to_string());
    let messages: Vec<Value> = messages.iter().map(told).collect();
    Ok(as_json(&json!({ "messages": messages, "next": next })))
}

/// With the id of the call as people write it, moments as such, and where the audio is.
fn told(message: &LeftMessage) -> Value {
    let call = CallId::from_i64(message.call);
    let moment = |ms: i64| jiff::Timestamp::from_millisecond(ms).map(|at| at.to_string());
    let audio = message.path.is_some().then(|| {
        let segment = message.segment;
        format!("/api/v1/entries/{call}/recordings/{segment}")
    });
    json!({
        "call": call,
        "segment": message.segment,
        "mailbox": message.mailbox,
        "caller": message.caller,
        "number": message.number,
        "waits_for": message.waits_for.split(',').filter(|login| !login.is_empty()).collect::<Vec<_>>(),
        "started_at": moment(message.started_at).ok(),
        "length_ms": message.length_ms,
        "heard_at": message.heard_at.and_then(|at| moment(at).ok()),
        "heard_by": message.heard_by,
        "audio": audio,
        "missing": message.missing,
    })
}

pub(crate) async fn heard(
    State(app): State<App>,
    Extension(token): Extension<Token>,
    session: Option<Extension<Session>>,
    Path((id, segment)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let call = call_id(&id)?;
    let nothing = || Problem::not_found(format!("there is no message {segment:?} of {call}"));
    let number: u16 = segment.parse().map_err(|_| nothing())?;
    let Heard { operator } = read(&headers, &body)?;
    let by = writer(token, session.is_some(), operator)?;
    {
        let mut reader = app.reader().await?;
        let rows = reader.journal.call(call).await?.ok_or_else(nothing)?;
        let mut messages = rows.messages.iter();
        let kept = messages.any(|one| one.segment == i64::from(number) && one.kept);
        if !kept {
            return Err(nothing());
        }
    }
    let wish = Wish::Heard {
        call,
        segment: Some(number),
        by,
    };
    let done = app.console.desk.carry_out(wish).await?;
    // Without an event it was heard before.
    Ok(as_json(
        &json!({ "id": call, "event": done.event, "stored": done.in_sql }),
    ))
}
