//! Owns the reading of entries: pages, one with all its rows, its facts, the history of a person.

use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use journal::export;
use journal::query::Range;
use journal::rows::EntryRow;
use journal::search::{Cursor, Filter, PAGE_MAX};
use serde_json::{Value, json};
use vocab::EventId;

use crate::app::App;
use crate::operation::FIND;
use crate::problem::Problem;
use crate::query::{Query, call_id};

/// Entries of a page, unless asked otherwise; and of a history.
const PAGE: u32 = 50;

pub(crate) async fn find(
    State(app): State<App>,
    RawQuery(raw): RawQuery,
) -> Result<Response, Problem> {
    let query = Query::read(raw.as_deref(), FIND)?;
    let after: Option<Cursor> = query.parsed("cursor", "the `next` of a page")?;
    let limit = query.number("limit", 1, u64::from(PAGE_MAX))?;
    let limit = limit
        .and_then(|limit| u32::try_from(limit).ok())
        .unwrap_or(PAGE);
    let filter = Filter {
        range: Range {
            from: query.moment("from")?,
            to: query.moment("to")?,
        },
        queue: query.text("queue"),
        operator: query.text("operator"),
        topic: query.text("topic"),
        outcome: query.text("outcome"),
        channel: query.text("channel"),
        direction: query.text("direction"),
        person: query.text("person"),
        completed: query.flag("completed")?,
        open: query.flag("open")? == Some(true),
        emergency: query.flag("emergency")?,
        up: query.flag("up")?,
        text: query.text("text"),
    };
    let mut reader = app.reader().await?;
    let page = reader.journal.find(&filter, after, limit).await?;
    let next = page.next.map(|cursor| cursor.to_string());
    Ok(as_json(
        &json!({ "entries": list(&page.entries), "next": next }),
    ))
}

pub(crate) async fn one(
    State(app): State<App>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let call = call_id(&id)?;
    let mut reader = app.reader().await?;
    let Some(rows) = reader.journal.call(call).await? else {
        return Err(Problem::not_found(format!("there is no entry {call}")));
    };
    let tag = etag(&rows.entry);
    if is_known(&headers, &tag) {
        return Ok((StatusCode::NOT_MODIFIED, [(header::ETAG, tag)]).into_response());
    }
    let body = export::call_json(&rows).map_err(|error| {
        tracing::error!(%error, %call, "an entry cannot be written as JSON");
        Problem::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "the entry cannot be shown",
        )
    })?;
    let kind = HeaderValue::from_static("application/json");
    Ok(([(header::CONTENT_TYPE, kind), (header::ETAG, tag)], body).into_response())
}

pub(crate) async fn events(
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let call = call_id(&id)?;
    let mut reader = app.reader().await?;
    let events = reader.journal.events(call).await?;
    if events.is_empty() {
        return Err(Problem::not_found(format!("there is no entry {call}")));
    }
    Ok(as_json(&json!({ "events": events })))
}

pub(crate) async fn history(
    State(app): State<App>,
    Path(number): Path<String>,
) -> Result<Response, Problem> {
    if vocab::number_key(&number).is_empty() {
        return Err(Problem::bad_request(format!(
            "expected a number, found {number:?}"
        )));
    }
    let mut reader = app.reader().await?;
    let page = reader.journal.history(&number, PAGE).await?;
    let card = reader.journal.person_with(&number).await?;
    let open = Filter {
        person: Some(number.clone()),
        open: true,
        ..Filter::default()
    };
    let open = reader.journal.find(&open, None, PAGE_MAX).await?;
    let open: Vec<String> = open.entries.iter().map(call).collect();
    Ok(as_json(&json!({
        "number": vocab::number_key(&number),
        "entries": list(&page.entries),
        "open": open,
        "more": page.next.is_some(),
        "card": card,
    })))
}

fn call(entry: &EntryRow) -> String {
    vocab::CallId::from_i64(entry.call).to_string()
}

fn list(entries: &[EntryRow]) -> Vec<Value> {
    entries.iter().map(export::entry_value).collect()
}

pub(crate) fn as_json(value: &Value) -> Response {
    let kind = HeaderValue::from_static("application/json");
    ([(header::CONTENT_TYPE, kind)], value.to_string()).into_response()
}

/// The version of an entry: of all that is known of it, and of what people wrote. A write is refused
/// only if the second is another one, for a recording that comes in meanwhile is nobody's edit.
pub(crate) fn etag(entry: &EntryRow) -> HeaderValue {
    let version = EventId::from_i64(entry.version);
    let tag = format!("\"{version}.{}\"", EventId::from_i64(entry.written_version));
    // Hex digits, a dot and dashes are a header's value.
    HeaderValue::from_str(&tag).unwrap_or(HeaderValue::from_static("\"\""))
}

/// RFC 9110 section 13.1.2: weakly compared, any of several.
pub(crate) fn is_known(headers: &HeaderMap, tag: &HeaderValue) -> bool {
    let known = headers
        .get(header::IF_NONE_MATCH)
        .and_then(|value| value.to_str().ok());
    let Some(known) = known else { return false };
    known
        .split(',')
        .map(str::trim)
        .any(|one| one == "*" || one.trim_start_matches("W/").as_bytes() == tag.as_bytes())
}
