//! Owns what is said when something does not go well: problem details (RFC 9457).

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use journal::DatabaseError;
use journal::desk::Refusal;
use serde_json::json;

/// A problem, on its way to whoever asked.
#[derive(Debug)]
pub(crate) struct Problem {
    status: StatusCode,
    detail: String,
    refusal: Option<Refusal>,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self {
            status,
            detail: detail.into(),
            refusal: None,
        }
    }

    pub(crate) fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    pub(crate) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, detail)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut body = json!({
            "type": "about:blank",
            "title": self.status.canonical_reason().unwrap_or("Problem"),
            "status": self.status.as_u16(),
            "detail": self.detail,
        });
        if let (Some(refusal), Some(body)) = (&self.refusal, body.as_object_mut()) {
            body.insert("refusal".to_owned(), json!(refusal));
        }
        let kind = HeaderValue::from_static("application/problem+json");
        let mut response = (self.status, body.to_string()).into_response();
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        if self.status == StatusCode::UNAUTHORIZED {
            // RFC 9110 section 11.6.1
            let bearer = HeaderValue::from_static("Bearer");
            response
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, bearer);
        }
        response
    }
}

impl From<DatabaseError> for Problem {
    /// A database that is away is nobody's fault who asks; what it said is for the log.
    fn from(error: DatabaseError) -> Self {
        tracing::warn!(%error, "the journal cannot be read");
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "the journal's database cannot be read now; try again later",
        )
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let status = match &refusal {
            Refusal::Unknown { .. } | Refusal::NoPerson { .. } => StatusCode::NOT_FOUND,
            Refusal::Value { .. } | Refusal::Unfit { .. } | Refusal::Missing { .. } => {
                StatusCode::UNPROCESSABLE_ENTITY
            }
            Refusal::Changed { .. } => StatusCode::PRECONDITION_FAILED,
            Refusal::Completed | Refusal::NotCompleted => StatusCode::CONFLICT,
            Refusal::Unavailable { .. } => StatusCode::SERVICE_UNAVAILABLE,
        };
        Self {
            status,
            detail: refusal.to_string(),
            refusal: Some(refusal),
        }
    }
}
