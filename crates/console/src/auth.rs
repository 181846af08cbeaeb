//! Owns the door: nothing goes through that is not in the table, and nothing without a token or a session
//! that has the right of it.

use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::app::App;
use crate::operation::{Door, Operation, operations};
use crate::problem::Problem;
use crate::query::decode;
use crate::session::{self, Session};
use crate::token::Token;

/// Lets a request through, or says why not. Who has no token learns nothing, not even what exists.
pub(crate) async fn admit(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let operation = operation(&request);
    if operation.is_some_and(|one| one.door == Door::Open) {
        return told(next.run(request).await);
    }
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    let readable = decode(request.uri().path()).is_ok();
    match judge(&app, request.headers(), operation, reads).await {
        Ok(_) if !readable => {
            Problem::not_found("expected a path in percent-encoded UTF-8").into_response()
        }
        Ok((token, session)) => {
            request.extensions_mut().insert(token);
            if let Some(session) = session {
                request.extensions_mut().insert(session);
            }
            told(next.run(request).await)
        }
        Err(problem) => problem.into_response(),
    }
}

/// What the framework refuses by itself, in plain text, is told as every other problem.
fn told(response: Response) -> Response {
    let plain = response
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"text/plain"));
    if !response.status().is_client_error() || !plain {
        return response;
    }
    let detail = match response.status() {
        StatusCode::PAYLOAD_TOO_LARGE => "expected a body of at most 256 KiB",
        _ => "the request cannot be read",
    };
    Problem::new(response.status(), detail).into_response()
}

async fn judge(
    app: &App,
    headers: &HeaderMap,
    operation: Option<&Operation>,
    reads: bool,
) -> Result<(Token, Option<Session>), Problem> {
    let token = bearer(headers).and_then(|secret| app.console.tokens.find(secret));
    let (token, session) = match token {
        Some(token) => (token.clone(), None),
        None => match session::find(app, headers).await? {
            Some((token, session)) => (token, Some(session)),
            None => {
                return Err(Problem::new(
                    StatusCode::UNAUTHORIZED,
                    "expected the header `Authorization: Bearer TOKEN` with a token that is known, \
                     or the cookie of POST /api/v1/session",
                ));
            }
        },
    };
    // What no operation has needs no right: the answer is 404 or 405.
    if let Some(Door::Right(right)) = operation.map(|operation| operation.door)
        && !token.rights.contains(&right)
    {
        let (name, right) = (&token.name, right.name());
        return Err(Problem::new(
            StatusCode::FORBIDDEN,
            format!("{name:?} has no right to {right}"),
        ));
    }
    if let Some(session) = session.as_ref().filter(|_| !reads) {
        session::judge_write(session, headers)?;
    }
    Ok((token, session))
}

fn operation(request: &Request<Body>) -> Option<&'static Operation> {
    let path = request.extensions().get::<MatchedPath>()?.as_str();
    // A HEAD is answered like a GET, without the body.
    let method = match *request.method() {
        Method::HEAD => "get".to_owned(),
        ref other => other.as_str().to_ascii_lowercase(),
    };
    operations()
        .iter()
        .find(|one| one.path == path && one.method == method)
}

/// RFC 6750 section 2.1.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, secret) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| secret.trim())
}
