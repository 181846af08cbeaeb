//! Owns the events as they happen: server-sent events, each with its id, so that a client that lost the
//! connection goes on where it was. They come from the database a moment after the disk has them, so
//! whoever reads the journal on hearing of one finds it there.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::response::sse::{Event as Sent, KeepAlive, Sse};
use futures_util::Stream;
use tokio::sync::OwnedSemaphorePermit;
use vocab::{Event, EventId};

use crate::app::App;
use crate::operation::operations;
use crate::problem::Problem;
use crate::query::Query;

/// Events read at a time.
const PAGE: u32 = 200;

/// How long a stream waits before it looks again although it heard of nothing: another process may
/// write.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Where a stream is.
struct Place {
    app: App,
    after: EventId,
    ready: std::vec::IntoIter<Event>,
    _permit: OwnedSemaphorePermit,
}

pub(crate) async fn events(
    State(app): State<App>,
    RawQuery(raw): RawQuery,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<Sent, Infallible>>>, Problem> {
    let known = operations().iter().find(|one| one.path == "/api/v1/events");
    let query = Query::read(raw.as_deref(), known.map_or(&[], |one| one.parameters))?;
    let resumed = headers
        .get(HeaderName::from_static("last-event-id"))
        .and_then(|value| value.to_str().ok());
    let after: Option<EventId> = match resumed {
        Some(id) => Some(
            id.trim()
                .parse()
                .map_err(|_| Problem::bad_request("Last-Event-ID: expected the id of an event"))?,
        ),
        None => query.parsed("after", "the id of an event")?,
    };
    let permit = std::sync::Arc::clone(&app.streams).try_acquire_owned();
    let permit = permit.map_err(|_| {
        Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "too many streams of events are open",
        )
    })?;
    let after = match after {
        Some(after) => after,
        None => app.reader().await?.journal.last_event().await?,
    };
    let place = Place {
        app,
        after,
        ready: Vec::new().into_iter(),
        _permit: permit,
    };
    let stream = futures_util::stream::unfold(place, next);
    Ok(Sse::new(stream).keep_alive(KeepAlive::new().interval(Duration::from_secs(15))))
}

/// The next event, however long it takes.
async fn next(mut place: Place) -> Option<(Result<Sent, Infallible>, Place)> {
    loop {
        if let Some(event) = place.ready.next() {
            place.after = event.id;
            return Some((Ok(sent(&event)), place));
        }
        let mut progress = place.app.console.progress.clone();
        progress.mark_seen();
        match read(&place).await {
            Ok(events) if !events.is_empty() => place.ready = events.into_iter(),
            Ok(_) => {
                // Something new, or a while: whichever comes first.
                let _ = tokio::time::timeout(LOOK_EVERY, progress.changed()).await;
            }
            // The database is away: the stream stays and goes on when it is back.
            Err(_) => tokio::time::sleep(LOOK_EVERY).await,
        }
    }
}

async fn read(place: &Place) -> Result<Vec<Event>, Problem> {
    let mut reader = place.app.reader().await?;
    Ok(reader.journal.events_after(place.after, PAGE).await?)
}

fn sent(event: &Event) -> Sent {
    let data = serde_json::to_string(event).unwrap_or_default();
    Sent::default()
        .id(event.id.to_string())
        .event(journal::kind(&event.fact))
        .data(data)
}
