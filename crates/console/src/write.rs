//! Owns the writing into entries. Who writes is who signed in; of a token, its name or whom the body
//! names, for another system writes for its users.

use axum::Extension;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use journal::desk::{Done, Seen, Wish};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use std::collections::BTreeMap;
use vocab::{Channel, Contact, EntryField, EventId, FieldChange, OperatorRef, WallTime};

use crate::app::App;
use crate::problem::Problem;
use crate::query::call_id;
use crate::session::Session;
use crate::token::Token;

/// Values of fields by name; null takes one away.
type Fields = BTreeMap<String, Option<String>>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    #[serde(default)]
    fields: Fields,
    #[serde(default)]
    complete: bool,
    operator: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Reopen {
    #[serde(default)]
    reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewContact {
    channel: Channel,
    at: Option<String>,
    #[serde(default)]
    queue: String,
    operator: Option<String>,
    #[serde(default)]
    fields: Fields,
    #[serde(default)]
    complete: bool,
}

/// Who writes. The journal is evidence: whoever signed in does it under that name and no other.
pub(crate) fn writer(
    token: Token,
    signed_in: bool,
    named: Option<String>,
) -> Result<String, Problem> {
    match named {
        None => Ok(token.name),
        Some(named) if !signed_in => Ok(named),
        Some(named) if named.to_lowercase() == token.name.to_lowercase() => Ok(token.name),
        Some(_) => Err(Problem::new(
            StatusCode::FORBIDDEN,
            format!(
                "operator: expected {} or nothing, for that is who signed in",
                token.name
            ),
        )),
    }
}

pub(crate) async fn change(
    State(app): State<App>,
    Extension(token): Extension<Token>,
    session: Option<Extension<Session>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let call = call_id(&id)?;
    let change: Change = read(&headers, &body)?;
    let seen = seen(&headers)?;
    let by = writer(token, session.is_some(), change.operator)?;
    let changes = changes(change.fields)?;
    let wish = if change.complete {
        Wish::Complete {
            call,
            by,
            changes,
            seen,
        }
    } else {
        Wish::Edit {
            call,
            by,
            changes,
            seen,
        }
    };
    Ok(written(
        StatusCode::OK,
        app.console.desk.carry_out(wish).await?,
    ))
}

pub(crate) async fn reopen(
    State(app): State<App>,
    Extension(token): Extension<Token>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let call = call_id(&id)?;
    let Reopen { reason } = read(&headers, &body)?;
    let by = token.name;
    let wish = Wish::Reopen { call, by, reason };
    Ok(written(
        StatusCode::OK,
        app.console.desk.carry_out(wish).await?,
    ))
}

pub(crate) async fn add(
    State(app): State<App>,
    Extension(token): Extension<Token>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let new: NewContact = read(&headers, &body)?;
    let operator = match &new.operator {
        Some(login) => Some(operator(&app, login).await?),
        None => None,
    };
    let at = match &new.at {
        Some(text) => Some(moment(text)?),
        None => None,
    };
    let contact = Contact {
        channel: new.channel,
        at: at.unwrap_or_else(|| app.console.live.now()),
        queue: new.queue,
        by: token.name,
        operator,
        fields: changes(new.fields)?,
    };
    let wish = Wish::Add {
        contact: Box::new(contact),
        complete: new.complete,
    };
    let done = app.console.desk.carry_out(wish).await?;
    let mut response = written(StatusCode::CREATED, done.clone());
    if let Ok(place) = HeaderValue::from_str(&format!("/api/v1/entries/{}", done.call)) {
        response.headers_mut().insert(header::LOCATION, place);
    }
    Ok(response)
}

fn written(status: StatusCode, done: Done) -> Response {
    let body = json!({ "id": done.call, "event": done.event, "stored": done.in_sql });
    let kind = HeaderValue::from_static("application/json");
    (status, [(header::CONTENT_TYPE, kind)], body.to_string()).into_response()
}

pub(crate) fn read<T: DeserializeOwned>(headers: &HeaderMap, body: &[u8]) -> Result<T, Problem> {
    let kind = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let kind = kind.and_then(|kind| kind.split(';').next()).map(str::trim);
    if !kind.is_some_and(|kind| kind.eq_ignore_ascii_case("application/json")) {
        return Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "expected a body of application/json",
        ));
    }
    serde_json::from_slice(body).map_err(|error| {
        Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            format!("the body cannot be read: {error}"),
        )
    })
}

fn moment(text: &str) -> Result<WallTime, Problem> {
    let at: Result<jiff::Timestamp, _> = text.parse();
    let at = at.map_err(|_| {
        let said = "expected a moment such as 2026-11-22T08:00:00+10:00";
        Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            format!("at: {said}, found {text:?}"),
        )
    })?;
    Ok(WallTime::from_unix_millis(at.as_millisecond()))
}

fn changes(fields: Fields) -> Result<Vec<FieldChange>, Problem> {
    let mut changes = Vec::new();
    for (name, value) in fields {
        let field: EntryField = name.parse().map_err(|error: vocab::UnknownField| {
            Problem::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                format!("{name:?}: {error}"),
            )
        })?;
        changes.push(FieldChange { field, value });
    }
    Ok(changes)
}

/// The tag that is to be that of the thing as it is; none if any will do.
pub(crate) fn if_match(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::IF_MATCH)?;
    let text = value.to_str().unwrap_or_default().trim();
    (text != "*").then(|| text.trim_matches('"'))
}

/// What the writer saw, by the part of the entity tag that says what people wrote (If-Match).
fn seen(headers: &HeaderMap) -> Result<Option<Seen>, Problem> {
    let Some(tag) = if_match(headers) else {
        return Ok(None);
    };
    let parts = tag.split_once('.');
    let written: Option<EventId> = parts.and_then(|(_, written)| written.parse().ok());
    let written = written.ok_or_else(|| {
        Problem::new(
            StatusCode::PRECONDITION_FAILED,
            "If-Match: expected the ETag of the entry",
        )
    })?;
    Ok(Some(Seen(
        Some(written).filter(|written| written.as_u64() != 0),
    )))
}

async fn operator(app: &App, login: &str) -> Result<OperatorRef, Problem> {
    let found = journal::operators::find(&app.console.database, login).await;
    let found = found.map_err(|error| {
        tracing::warn!(%error, "the table of operators cannot be read");
        Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "operators cannot be read now",
        )
    })?;
    let found = found.ok_or_else(|| {
        Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            format!("operator: there is no operator with the login {login:?}"),
        )
    })?;
    Ok(OperatorRef {
        id: found.id,
        login: found.login,
        name: found.name,
        line: found.line,
    })
}
