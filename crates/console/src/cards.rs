//! Owns the cards of persons: found, read, written, merged, split.

use axum::Extension;
use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use journal::desk::{CardChange, Wish};
use serde::Deserialize;
use serde_json::json;
use vocab::{EventId, PersonCard};

use crate::app::App;
use crate::entries::{as_json, is_known};
use crate::operation::CARDS;
use crate::problem::Problem;
use crate::query::Query;
use crate::token::Token;
use crate::write::{if_match, read};

/// Cards of a page, unless asked otherwise, and at most.
const PAGE: u64 = 50;
const PAGE_MAX: u64 = 500;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Merge {
    from: EventId,
}

pub(crate) async fn find(
    State(app): State<App>,
    RawQuery(raw): RawQuery,
) -> Result<Response, Problem> {
    let query = Query::read(raw.as_deref(), CARDS)?;
    let limit = query.number("limit", 1, PAGE_MAX)?.unwrap_or(PAGE);
    let after: Option<EventId> = query.parsed("cursor", "the `next` of a page")?;
    let text = query.text("text").unwrap_or_default();
    let mut reader = app.reader().await?;
    let limit = u32::try_from(limit).unwrap_or(u32::MAX);
    let cards = reader.journal.persons(&text, after, limit).await?;
    let full = cards.len() >= usize::try_from(limit).unwrap_or(usize::MAX);
    let next = cards.last().filter(|_| full).map(|card| card.person);
    Ok(as_json(&json!({ "cards": cards, "next": next })))
}

pub(crate) async fn one(
    State(app): State<App>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let mut reader = app.reader().await?;
    let found = reader.journal.person(card_id(&id)?).await?;
    let card = found.ok_or_else(|| no_card(&id))?;
    let tag = etag(card.version);
    if is_known(&headers, &tag) {
        return Ok((StatusCode::NOT_MODIFIED, [(header::ETAG, tag)]).into_response());
    }
    Ok(([(header::ETAG, tag)], as_json(&json!(card))).into_response())
}

pub(crate) async fn events(
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let mut reader = app.reader().await?;
    let events = reader.journal.person_events(card_id(&id)?).await?;
    if events.is_empty() {
        return Err(no_card(&id));
    }
    Ok(as_json(&json!({ "events": events })))
}

pub(crate) async fn add(
    State(app): State<App>,
    Extension(token): Extension<Token>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let wish = Wish::WritePerson {
        person: None,
        by: token.name,
        change: read(&headers, &body)?,
        seen: None,
    };
    written(&app, StatusCode::CREATED, wish).await
}

pub(crate) async fn change(
    State(app): State<App>,
    Extension(token): Extension<Token>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let change = read(&headers, &body)?;
    let wish = Wish::WritePerson {
        person: Some(card_id(&id)?),
        by: token.name,
        change,
        seen: seen(&headers)?,
    };
    written(&app, StatusCode::OK, wish).await
}

pub(crate) async fn merge(
    State(app): State<App>,
    Extension(token): Extension<Token>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let Merge { from } = read(&headers, &body)?;
    let wish = Wish::MergePersons {
        person: card_id(&id)?,
        from,
        by: token.name,
    };
    written(&app, StatusCode::OK, wish).await
}

pub(crate) async fn split(
    State(app): State<App>,
    Extension(token): Extension<Token>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let new: CardChange = read(&headers, &body)?;
    let wish = Wish::SplitPerson {
        person: card_id(&id)?,
        by: token.name,
        card: new.over(PersonCard::default()),
    };
    written(&app, StatusCode::CREATED, wish).await
}

async fn written(app: &App, status: StatusCode, wish: Wish) -> Result<Response, Problem> {
    let done = app.console.desk.carry_out(wish).await?;
    let body = json!({ "person": done.person, "event": done.event, "stored": done.in_sql });
    Ok((status, as_json(&body)).into_response())
}

/// An id in a path. One that is none names nothing.
fn card_id(text: &str) -> Result<EventId, Problem> {
    text.parse().map_err(|_| no_card(text))
}

fn no_card(id: &str) -> Problem {
    Problem::not_found(format!("there is no card {id:?}"))
}

fn etag(version: EventId) -> HeaderValue {
    // Hex digits and dashes are a header's value.
    HeaderValue::from_str(&format!("\"{version}\"")).unwrap_or(HeaderValue::from_static("\"\""))
}

/// The version that the writer saw (If-Match).
fn seen(headers: &HeaderMap) -> Result<Option<EventId>, Problem> {
    let Some(tag) = if_match(headers) else {
        return Ok(None);
    };
    let version = tag.parse().map_err(|_| {
        Problem::new(
            StatusCode::PRECONDITION_FAILED,
            "If-Match: expected the ETag of the card",
        )
    })?;
    Ok(Some(version))
}
