//! Owns the writing of one batch of events and everything computed from them, in one transaction.
//!
//! Idempotent: an event is stored once by its id, and the rows of a call are a function of all its
//! stored events, so applying a batch again, or a piece of it, changes nothing.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::sqlite::SqliteArguments;
use sqlx::{AssertSqlSafe, Connection, Sqlite, SqliteConnection};
use vocab::{CallId, Event, EventId, Fact};

use crate::bindings;
use crate::entry::Entry;
use crate::files::{FileId, Position};
use crate::rows::{
    CallRows, EntryRow, LegRow, OfferRow, QueueEntryRow, RecordingRow, Row, SegmentRow, Table,
    TransferRow, Value,
};

/// Rows of one statement: the largest first, so that a handful of statements is prepared per
/// table. 256 rows of the widest table stay below SQLite's 32,766 parameters.
const ROWS: [usize; 4] = [256, 32, 4, 1];

/// Ids of one `IN (…)` list.
const IDS: usize = 500;

/// Calls whose events are kept in memory, so that a call that is up is not read again for each of
/// its events. Beyond it all are forgotten and read again when needed.
const CACHED_CALLS_MAX: usize = 20_000;

/// Events of calls that are up, as the database has them.
#[derive(Debug, Default)]
pub(crate) struct Cache {
    calls: BTreeMap<CallId, BTreeMap<EventId, Event>>,
}

/// Applies a batch and moves the checkpoint to `position`, or does nothing at all.
pub(crate) async fn apply(
    connection: &mut SqliteConnection,
    cache: &mut Cache,
    batch: &[Event],
    position: Position,
) -> Result<(), sqlx::Error> {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    insert_events(&mut transaction, batch).await?;
    let touched: BTreeSet<CallId> = batch.iter().filter_map(|event| event.fact.call()).collect();
    let missing: Vec<CallId> = touched
        .iter()
        .copied()
        .filter(|call| !cache.calls.contains_key(call))
        .collect();
    for event in batch {
        let call = event
            .fact
            .call()
            .and_then(|call| cache.calls.get_mut(&call));
        call.and_then(|events| events.insert(event.id, event.clone()));
    }
    for event in events_of(&mut transaction, &missing).await? {
        if let Some(call) = event.fact.call() {
            cache.calls.entry(call).or_default().insert(event.id, event);
        }
    }
    write_rows(&mut transaction, cache, &touched).await?;
    bindings::write(&mut transaction, batch).await?;
    if let Some(last) = batch.last() {
        write_checkpoint(&mut transaction, last.id, position).await?;
    }
    transaction.commit().await?;
    cache.forget(&touched);
    Ok(())
}

impl Cache {
    /// Lets go of calls that are over: late recordings are few, and read their call again.
    fn forget(&mut self, touched: &BTreeSet<CallId>) {
        for call in touched {
            let ended = self.calls.get(call).is_some_and(|events| {
                events
                    .values()
                    .any(|event| matches!(event.fact, Fact::CallEnded { .. }))
            });
            if ended {
                self.calls.remove(call);
            }
        }
        if self.calls.len() > CACHED_CALLS_MAX {
            self.calls.clear();
        }
    }
}

/// Stored events of some calls, in no particular order.
pub(crate) async fn events_of(
    connection: &mut SqliteConnection,
    calls: &[CallId],
) -> Result<Vec<Event>, sqlx::Error> {
    let mut events = Vec::new();
    for piece in calls.chunks(IDS) {
        let marks = vec!["?"; piece.len()].join(",");
        let sql = format!("SELECT json FROM events WHERE call IN ({marks})");
        let mut query = sqlx::query_scalar::<Sqlite, String>(AssertSqlSafe(sql));
        for call in piece {
            query = query.bind(call.as_i64());
        }
        for json in query
            .persistent(piece.len() == IDS)
            .fetch_all(&mut *connection)
            .await?
        {
            match serde_json::from_str(&json) {
                Ok(event) => events.push(event),
                Err(error) => tracing::error!(%error, "an event in the database is unreadable"),
            }
        }
    }
    Ok(events)
}

const EVENTS: Table = Table {
    name: "events",
    key: &["id"],
    columns: &["id", "boot", "at", "up", "kind", "call", "json"],
};

async fn insert_events(
    connection: &mut SqliteConnection,
    batch: &[Event],
) -> Result<(), sqlx::Error> {
    let mut rows = Vec::with_capacity(batch.len());
    for event in batch {
        let json = serde_json::to_string(event).map_err(|e| sqlx::Error::Encode(Box::new(e)))?;
        rows.push(vec![
            Value::Integer(event.id.as_i64()),
            Value::Integer(i64::from(event.id.boot())),
            Value::Integer(event.at.as_unix_millis()),
            Value::Integer(i64::try_from(event.up.as_micros()).unwrap_or(i64::MAX)),
            Value::Text(kind(&event.fact).to_owned()),
            event.fact.call().map(CallId::as_i64).into(),
            Value::Text(json),
        ]);
    }
    insert(connection, &EVENTS, &rows, OnConflict::KeepOld).await
}

/// The fact's name: its tag in JSON, without making the JSON again.
pub(crate) const fn kind(fact: &Fact) -> &'static str {
    match fact {
        Fact::EngineStarted { .. } => "engine_started",
        Fact::EngineAlive { .. } => "engine_alive",
        Fact::EngineStopped => "engine_stopped",
        Fact::CallArrived { .. } => "call_arrived",
        Fact::LegStarted { .. } => "leg_started",
        Fact::CallAnswered { .. } => "call_answered",
        Fact::NoticePlayed { .. } => "notice_played",
        Fact::QueueEntered { .. } => "queue_entered",
        Fact::OfferMade { .. } => "offer_made",
        Fact::OfferEnded { .. } => "offer_ended",
        Fact::QueueLeft { .. } => "queue_left",
        Fact::SegmentStarted { .. } => "segment_started",
        Fact::HoldStarted { .. } => "hold_started",
        Fact::HoldEnded { .. } => "hold_ended",
        Fact::OneWayStarted { .. } => "one_way_started",
        Fact::OneWayEnded { .. } => "one_way_ended",
        Fact::PartySilent { .. } => "party_silent",
        Fact::LegMeasured { .. } => "leg_measured",
        Fact::SegmentEnded { .. } => "segment_ended",
        Fact::TransferRequested { .. } => "transfer_requested",
        Fact::TransferEnded { .. } => "transfer_ended",
        Fact::CallJoined { .. } => "call_joined",
        Fact::FieldSet { .. } => "field_set",
        Fact::CallRated { .. } => "call_rated",
        Fact::CallEnded { .. } => "call_ended",
        Fact::RecordingPaused { .. } => "recording_paused",
        Fact::RecordingResumed { .. } => "recording_resumed",
        Fact::RecordingStored { .. } => "recording_stored",
        Fact::RecordingMissing { .. } => "recording_missing",
        Fact::OperatorReachable { .. } => "operator_reachable",
        Fact::TelephoneRegistered { .. } => "telephone_registered",
        Fact::TelephoneUnregistered { .. } => "telephone_unregistered",
    }
}

async fn write_rows(
    connection: &mut SqliteConnection,
    cache: &Cache,
    touched: &BTreeSet<CallId>,
) -> Result<(), sqlx::Error> {
    let mut entries = Vec::new();
    let mut queue_entries = Vec::new();
    let mut offers = Vec::new();
    let mut segments = Vec::new();
    let mut transfers = Vec::new();
    let mut legs = Vec::new();
    let mut recordings = Vec::new();
    for call in touched {
        let Some(events) = cache.calls.get(call) else {
            continue;
        };
        let Some(entry) = Entry::of(*call, events.values()) else {
            continue;
        };
        let rows = CallRows::of(&entry);
        entries.push(rows.entry.values());
        queue_entries.extend(rows.queue_entries.iter().map(Row::values));
        offers.extend(rows.offers.iter().map(Row::values));
        segments.extend(rows.segments.iter().map(Row::values));
        transfers.extend(rows.transfers.iter().map(Row::values));
        legs.extend(rows.legs.iter().map(Row::values));
        recordings.extend(rows.recordings.iter().map(Row::values));
    }
    let newer = OnConflict::TakeNew;
    insert(connection, &EntryRow::TABLE, &entries, newer).await?;
    insert(connection, &QueueEntryRow::TABLE, &queue_entries, newer).await?;
    insert(connection, &OfferRow::TABLE, &offers, newer).await?;
    insert(connection, &SegmentRow::TABLE, &segments, newer).await?;
    insert(connection, &TransferRow::TABLE, &transfers, newer).await?;
    insert(connection, &LegRow::TABLE, &legs, newer).await?;
    insert(connection, &RecordingRow::TABLE, &recordings, newer).await
}

#[derive(Clone, Copy)]
enum OnConflict {
    KeepOld,
    TakeNew,
}

async fn insert(
    connection: &mut SqliteConnection,
    table: &Table,
    mut rows: &[Vec<Value>],
    on_conflict: OnConflict,
) -> Result<(), sqlx::Error> {
    for size in ROWS {
        while let Some((piece, rest)) = rows.split_at_checked(size) {
            // All of it is constant text of this file and `rows`; input goes into parameters.
            let sql = AssertSqlSafe(statement(table, size, on_conflict));
            let mut query = sqlx::query::<Sqlite>(sql);
            for value in piece.iter().flatten() {
                query = bind(query, value);
            }
            query.execute(&mut *connection).await?;
            rows = rest;
        }
    }
    Ok(())
}

fn statement(table: &Table, rows: usize, on_conflict: OnConflict) -> String {
    let Table { name, key, columns } = table;
    let row = format!("({})", vec!["?"; columns.len()].join(","));
    let values = vec![row.as_str(); rows].join(",");
    let action = match on_conflict {
        OnConflict::KeepOld => "NOTHING".to_owned(),
        OnConflict::TakeNew => {
            let set: Vec<String> = columns
                .iter()
                .filter(|column| !key.contains(column))
                .map(|column| format!("{column}=excluded.{column}"))
                .collect();
            format!("UPDATE SET {}", set.join(","))
        }
    };
    let (columns, key) = (columns.join(","), key.join(","));
    format!("INSERT INTO {name} ({columns}) VALUES {values} ON CONFLICT ({key}) DO {action}")
}

type Query<'q> = sqlx::query::Query<'q, Sqlite, SqliteArguments>;

fn bind<'q>(query: Query<'q>, value: &'q Value) -> Query<'q> {
    match value {
        Value::Null => query.bind(None::<i64>),
        Value::Bool(bool) => query.bind(*bool),
        Value::Integer(number) => query.bind(*number),
        Value::Text(text) => query.bind(text.as_str()),
    }
}

/// The place up to which the event files of `boot` and earlier ones are in the database.
pub(crate) async fn checkpoint(
    connection: &mut SqliteConnection,
    boot: u32,
) -> Result<Option<Position>, sqlx::Error> {
    let row: Option<(i64, i64, i64)> = sqlx::query_as(
        "SELECT boot, file, offset FROM applied WHERE boot <= ? ORDER BY boot DESC LIMIT 1",
    )
    .bind(i64::from(boot))
    .fetch_optional(connection)
    .await?;
    Ok(row.and_then(|(boot, number, offset)| {
        let file = FileId {
            boot: boot.try_into().ok()?,
            number: number.try_into().ok()?,
        };
        Some(file.at(offset.try_into().ok()?))
    }))
}

async fn write_checkpoint(
    connection: &mut SqliteConnection,
    last: EventId,
    position: Position,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO applied (boot, event, file, offset) VALUES (?, ?, ?, ?)
         ON CONFLICT (boot) DO UPDATE
         SET event = excluded.event, file = excluded.file, offset = excluded.offset",
    )
    .bind(i64::from(position.file.boot))
    .bind(last.as_i64())
    .bind(i64::from(position.file.number))
    .bind(i64::try_from(position.offset).unwrap_or(i64::MAX))
    .execute(connection)
    .await
    .map(drop)
}
