//! Owns the door: nothing goes through that is not in the table, and nothing without a token that has
//! the right of it.

use axum::extract::{MatchedPath, Request, State};
use axum::http::{Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::app::App;
use crate::operation::{Right, operations};
use crate::problem::Problem;
use crate::token::Token;

/// Lets a request through, or says why not. Who has no token learns nothing, not even what exists.
pub(crate) async fn admit(State(app): State<App>, mut request: Request, next: Next) -> Response {
    match judge(&app, &request) {
        Ok(token) => {
            request.extensions_mut().insert(token);
            next.run(request).await
        }
        Err(problem) => problem.into_response(),
    }
}

fn judge(app: &App, request: &Request) -> Result<Token, Problem> {
    let token = bearer(request).and_then(|secret| app.console.tokens.find(secret));
    let Some(token) = token else {
        return Err(Problem::new(
            StatusCode::UNAUTHORIZED,
            "expected the header `Authorization: Bearer TOKEN` with a token that is known",
        ));
    };
    // What no operation has needs no right: the answer is 404 or 405.
    if let Some(right) = needed(request)
        && !token.rights.contains(&right)
    {
        return Err(Problem::new(
            StatusCode::FORBIDDEN,
            format!(
                "the token {:?} has no right to {}",
                token.name,
                right.name()
            ),
        ));
    }
    Ok(token.clone())
}

fn needed(request: &Request) -> Option<Right> {
    let path = request.extensions().get::<MatchedPath>()?.as_str();
    // A HEAD is answered like a GET, without the body.
    let method = match *request.method() {
        Method::HEAD => "get".to_owned(),
        ref other => other.as_str().to_ascii_lowercase(),
    };
    let operation = operations()
        .iter()
        .find(|one| one.path == path && one.method == method);
    operation.map(|operation| operation.right)
}

/// RFC 6750 section 2.1.
fn bearer(request: &Request) -> Option<&str> {
    let value = request
        .headers()
        .get(header::AUTHORIZATION)?
        .to_str()
        .ok()?;
    let (scheme, secret) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| secret.trim())
}
