//! Owns the orders to the queues: what operators choose, what supervisors command. Who gives them is
//! the token's name; the engine judges them and writes each into the journal.

use std::future::Future;
use std::pin::Pin;

use axum::Extension;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde_json::json;
use vocab::{EventId, Instruction, Order, OrderRefusal, Rank};

use crate::app::App;
use crate::entries::as_json;
use crate::problem::Problem;
use crate::token::Token;
use crate::write::read;

/// What came of an order: the event that tells of it, or why it was not carried out.
pub type Given<'a> = Pin<Box<dyn Future<Output = Result<EventId, OrderRefusal>> + Send + 'a>>;

/// The running engine, as one that takes orders.
pub trait Orders: Send + Sync {
    /// Carries an order out.
    fn give(&self, wanted: Instruction) -> Given<'_>;
}

/// What operators order for themselves.
pub(crate) async fn duty(
    State(app): State<App>,
    Extension(token): Extension<Token>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    give(&app, token, Rank::Operator, read(&headers, &body)?).await
}

/// What supervisors order.
pub(crate) async fn supervise(
    State(app): State<App>,
    Extension(token): Extension<Token>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    give(&app, token, Rank::Supervisor, read(&headers, &body)?).await
}

async fn give(app: &App, token: Token, rank: Rank, order: Order) -> Result<Response, Problem> {
    let by = token.name;
    let event = app.console.orders.give(Instruction { by, rank, order });
    let event = event.await?;
    Ok(as_json(&json!({ "event": event })))
}

impl From<OrderRefusal> for Problem {
    fn from(refusal: OrderRefusal) -> Self {
        let status = match &refusal {
            OrderRefusal::UnknownOperator { .. }
            | OrderRefusal::UnknownQueue { .. }
            | OrderRefusal::NotOwed { .. }
            | OrderRefusal::NotWaiting { .. }
            | OrderRefusal::NoTalk { .. } => StatusCode::NOT_FOUND,
            OrderRefusal::NotFree { .. }
            | OrderRefusal::Supervised { .. }
            | OrderRefusal::NotSupervised { .. }
            | OrderRefusal::NoConference { .. }
            | OrderRefusal::QueueRefuses { .. }
            | OrderRefusal::LineTaken { .. }
            | OrderRefusal::NothingToEnd { .. } => StatusCode::CONFLICT,
            OrderRefusal::NeedsLeave { .. } | OrderRefusal::NotYours => StatusCode::FORBIDDEN,
            OrderRefusal::UnknownStatus { .. } | OrderRefusal::Unfit { .. } => {
                StatusCode::UNPROCESSABLE_ENTITY
            }
            OrderRefusal::Unavailable { .. } => StatusCode::SERVICE_UNAVAILABLE,
        };
        Self::new(status, refusal.to_string())
    }
}
