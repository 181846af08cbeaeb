//! Owns the writing of one batch of events and everything computed from them, in one transaction.
//!
//! Idempotent: an event is stored once by its id, and the rows of a call are a function of all its
//! stored events, so applying a batch again, or a piece of it, changes nothing.

use std::collections::{BTreeMap, BTreeSet};

use vocab::{CallId, Event, EventId, Fact};

use crate::bindings;
use crate::db::{Connection, Value};
use crate::emergencies;
use crate::entry::Entry;
use crate::files::{FileId, Position};
use crate::persons;
use crate::rows::{
    BreakRow, CallRows, CorrectionRow, EntryRow, FieldRow, LegRow, MessageRow, OfferRow,
    QueueEntryRow, RecordingRow, Row, SegmentRow, Table, TransferRow, TurnRow,
};
use crate::{standing, words};

/// Rows of one statement: the largest first, so that a handful of statements is prepared per
/// table. 256 rows of the widest table stay below SQLite's 32,766 parameters.
const ROWS: [usize; 4] = [256, 32, 4, 1];

/// Ids of one `IN (…)` list.
const IDS: usize = 500;

/// Calls, or events, that a rebuild takes at a time.
const PAGE: i64 = 500;

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
    connection: &mut Connection,
    cache: &mut Cache,
    batch: &[Event],
    position: Position,
) -> Result<(), sqlx::Error> {
    connection.begin().await?;
    let touched = match write(connection, cache, batch, position).await {
        Ok(touched) => touched,
        Err(error) => {
            connection.roll_back().await;
            // What it knows may not be in the database.
            cache.calls.clear();
            return Err(error);
        }
    };
    connection.commit().await?;
    cache.forget(&touched);
    Ok(())
}

/// What [`apply`] does within its transaction; the calls it was about.
async fn write(
    connection: &mut Connection,
    cache: &mut Cache,
    batch: &[Event],
    position: Position,
) -> Result<BTreeSet<CallId>, sqlx::Error> {
    insert_events(connection, batch).await?;
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
    for event in events_of(connection, &missing).await? {
        if let Some(call) = event.fact.call() {
            cache.calls.entry(call).or_default().insert(event.id, event);
        }
    }
    let texts = batch.iter().filter(|event| words::changes(&event.fact));
    let texts: BTreeSet<CallId> = texts.filter_map(|event| event.fact.call()).collect();
    write_rows(connection, cache, &touched, &texts).await?;
    bindings::write(connection, batch).await?;
    emergencies::write(connection, batch).await?;
    persons::write(connection, batch).await?;
    write_of_people(connection, batch).await?;
    if let Some(last) = batch.last() {
        write_checkpoint(connection, last.id, position).await?;
    }
    Ok(touched)
}

/// What operators did and chose beyond calls.
async fn write_of_people(connection: &mut Connection, batch: &[Event]) -> Result<(), sqlx::Error> {
    let turns = batch.iter().filter_map(TurnRow::of);
    let turns: Vec<_> = turns.map(|turn| turn.values()).collect();
    insert(connection, &TurnRow::TABLE, &turns, OnConflict::TakeNew).await?;
    let breaks = batch.iter().filter_map(BreakRow::of);
    let breaks: Vec<_> = breaks.map(|taken| taken.values()).collect();
    insert(connection, &BreakRow::TABLE, &breaks, OnConflict::TakeNew).await?;
    standing::write(connection, batch).await
}

/// Computes all rows of calls and operators anew from the stored events: after a migration that
/// brought new columns. Rows are written over, so it may be broken off and begun again.
pub(crate) async fn rebuild(connection: &mut Connection) -> Result<u64, sqlx::Error> {
    let (mut after, mut calls) = (-1, 0);
    loop {
        let page: Vec<(i64,)> = connection
            .all(
                "SELECT DISTINCT call FROM events WHERE call > $1 ORDER BY call LIMIT $2",
                &[Value::Integer(after), Value::Integer(PAGE)],
            )
            .await?;
        let Some((last,)) = page.last() else { break };
        after = *last;
        let touched: Vec<CallId> = page.iter().map(|(call,)| CallId::from_i64(*call)).collect();
        let mut cache = Cache::default();
        for event in events_of(connection, &touched).await? {
            if let Some(call) = event.fact.call() {
                cache.calls.entry(call).or_default().insert(event.id, event);
            }
        }
        connection.begin().await?;
        let touched = touched.into_iter().collect();
        write_rows(connection, &cache, &touched, &touched).await?;
        connection.commit().await?;
        calls += page.len() as u64;
    }
    rebuild_of_people(connection).await?;
    persons::rebuild(connection).await?;
    Ok(calls)
}

/// Computes the rows of one call anew from its stored events, within the transaction of the caller.
pub(crate) async fn compute(connection: &mut Connection, call: CallId) -> Result<(), sqlx::Error> {
    let mut cache = Cache::default();
    for event in events_of(connection, &[call]).await? {
        cache.calls.entry(call).or_default().insert(event.id, event);
    }
    let touched = BTreeSet::from([call]);
    write_rows(connection, &cache, &touched, &touched).await
}

async fn rebuild_of_people(connection: &mut Connection) -> Result<(), sqlx::Error> {
    let kinds = ["operator_turned", "break_taken"].into_iter();
    let kinds: Vec<String> = kinds
        .chain(standing::KINDS)
        .map(|kind| format!("'{kind}'"))
        .collect();
    // All of it is constant text.
    let sql = format!(
        "SELECT id, json FROM events WHERE id > $1 AND kind IN ({}) ORDER BY id LIMIT $2",
        kinds.join(",")
    );
    let mut after = -1;
    loop {
        let page: Vec<(i64, String)> = connection
            .all(&sql, &[Value::Integer(after), Value::Integer(PAGE)])
            .await?;
        let Some((last, _)) = page.last() else {
            return Ok(());
        };
        after = *last;
        let events: Vec<Event> = page.iter().filter_map(|(_, json)| read(json)).collect();
        write_of_people(connection, &events).await?;
    }
}

/// An event as the database has it.
pub(crate) fn read(json: &str) -> Option<Event> {
    serde_json::from_str(json)
        .inspect_err(|error| tracing::error!(%error, "an event in the database is unreadable"))
        .ok()
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
    connection: &mut Connection,
    calls: &[CallId],
) -> Result<Vec<Event>, sqlx::Error> {
    let mut events = Vec::new();
    for piece in calls.chunks(IDS) {
        let marks: Vec<String> = (1..=piece.len()).map(|n| format!("${n}")).collect();
        let sql = format!(
            "SELECT json FROM events WHERE call IN ({})",
            marks.join(",")
        );
        let ids: Vec<Value> = piece.iter().map(|call| call.as_i64().into()).collect();
        let found: Vec<(String,)> = connection.all(&sql, &ids).await?;
        events.extend(found.iter().filter_map(|(json,)| read(json)));
    }
    Ok(events)
}

pub(crate) const EVENTS: Table = Table {
    name: "events",
    key: &["id"],
    columns: &["id", "boot", "at", "up", "kind", "call", "json"],
};

async fn insert_events(connection: &mut Connection, batch: &[Event]) -> Result<(), sqlx::Error> {
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
#[must_use]
pub const fn kind(fact: &Fact) -> &'static str {
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
        Fact::WrapUpEnded { .. } => "wrap_up_ended",
        Fact::TransferRequested { .. } => "transfer_requested",
        Fact::TransferEnded { .. } => "transfer_ended",
        Fact::CallJoined { .. } => "call_joined",
        Fact::ConferenceJoined { .. } => "conference_joined",
        Fact::ConferenceLeft { .. } => "conference_left",
        Fact::SupervisionStarted { .. } => "supervision_started",
        Fact::SupervisionTurned { .. } => "supervision_turned",
        Fact::SupervisionEnded { .. } => "supervision_ended",
        Fact::FieldSet { .. } => "field_set",
        Fact::MenuChosen { .. } => "menu_chosen",
        Fact::CallRated { .. } => "call_rated",
        Fact::CallEnded { .. } => "call_ended",
        Fact::WaitRecorded { .. } => "wait_recorded",
        Fact::MessageStarted { .. } => "message_started",
        Fact::MessageEnded { .. } => "message_ended",
        Fact::MessageHeard { .. } => "message_heard",
        Fact::RecordingPaused { .. } => "recording_paused",
        Fact::RecordingResumed { .. } => "recording_resumed",
        Fact::RecordingStored { .. } => "recording_stored",
        Fact::RecordingMissing { .. } => "recording_missing",
        Fact::ContactAdded { .. } => "contact_added",
        Fact::EntryEdited { .. } => "entry_edited",
        Fact::EntryCompleted { .. } => "entry_completed",
        Fact::EntryReopened { .. } => "entry_reopened",
        Fact::PersonWritten { .. } => "person_written",
        Fact::RecordingHeard { .. } => "recording_heard",
        Fact::OperatorTurned { .. } => "operator_turned",
        Fact::OperatorOnDuty { .. } => "operator_on_duty",
        Fact::BreakTaken { .. } => "break_taken",
        Fact::Ordered { .. } => "ordered",
        Fact::EmergencySwitched { .. } => "emergency_switched",
        Fact::SessionChanged { .. } => "session_changed",
        Fact::CallbackOwed { .. } => "callback_owed",
        Fact::CallbackDialled { .. } => "callback_dialled",
        Fact::CallbackSettled { .. } => "callback_settled",
        Fact::OperatorReachable { .. } => "operator_reachable",
        Fact::TelephoneRegistered { .. } => "telephone_registered",
        Fact::TelephoneUnregistered { .. } => "telephone_unregistered",
    }
}

async fn write_rows(
    connection: &mut Connection,
    cache: &Cache,
    touched: &BTreeSet<CallId>,
    texts: &BTreeSet<CallId>,
) -> Result<(), sqlx::Error> {
    let mut entries = Vec::new();
    let mut queue_entries = Vec::new();
    let mut offers = Vec::new();
    let mut segments = Vec::new();
    let mut messages = Vec::new();
    let mut transfers = Vec::new();
    let mut legs = Vec::new();
    let mut recordings = Vec::new();
    let mut fields = Vec::new();
    let mut corrections = Vec::new();
    for call in touched {
        let Some(events) = cache.calls.get(call) else {
            continue;
        };
        let Some(entry) = Entry::of(*call, events.values()) else {
            continue;
        };
        let rows = CallRows::of(&entry);
        if texts.contains(call) {
            words::write(connection, &rows.entry).await?;
        }
        entries.push(rows.entry.values());
        queue_entries.extend(rows.queue_entries.iter().map(Row::values));
        offers.extend(rows.offers.iter().map(Row::values));
        segments.extend(rows.segments.iter().map(Row::values));
        messages.extend(rows.messages.iter().map(Row::values));
        transfers.extend(rows.transfers.iter().map(Row::values));
        legs.extend(rows.legs.iter().map(Row::values));
        recordings.extend(rows.recordings.iter().map(Row::values));
        fields.extend(rows.fields.iter().map(Row::values));
        corrections.extend(rows.corrections.iter().map(Row::values));
    }
    let newer = OnConflict::TakeNew;
    insert(connection, &EntryRow::TABLE, &entries, newer).await?;
    insert(connection, &QueueEntryRow::TABLE, &queue_entries, newer).await?;
    insert(connection, &OfferRow::TABLE, &offers, newer).await?;
    insert(connection, &SegmentRow::TABLE, &segments, newer).await?;
    insert(connection, &MessageRow::TABLE, &messages, newer).await?;
    insert(connection, &TransferRow::TABLE, &transfers, newer).await?;
    insert(connection, &LegRow::TABLE, &legs, newer).await?;
    insert(connection, &RecordingRow::TABLE, &recordings, newer).await?;
    insert(connection, &FieldRow::TABLE, &fields, newer).await?;
    insert(connection, &CorrectionRow::TABLE, &corrections, newer).await
}

#[derive(Clone, Copy)]
pub(crate) enum OnConflict {
    KeepOld,
    TakeNew,
}

pub(crate) async fn insert(
    connection: &mut Connection,
    table: &Table,
    mut rows: &[Vec<Value>],
    on_conflict: OnConflict,
) -> Result<(), sqlx::Error> {
    for size in ROWS {
        while let Some((piece, rest)) = rows.split_at_checked(size) {
            // All of it is constant text of this file and `rows`; input goes into parameters.
            let sql = statement(table, size, on_conflict, connection.is_postgres());
            connection.run_with(&sql, piece.iter().flatten()).await?;
            rows = rest;
        }
    }
    Ok(())
}

/// SQLite looks a numbered parameter up in a list, which takes a while with 8,000 of them; it counts
/// bare ones by itself. PostgreSQL knows numbered ones only.
fn statement(table: &Table, rows: usize, on_conflict: OnConflict, numbered: bool) -> String {
    let Table { name, key, columns } = table;
    let mut next = 0;
    let mut mark = || {
        next += 1;
        if numbered {
            format!("${next}")
        } else {
            "?".to_owned()
        }
    };
    let mut row = || {
        let marks: Vec<String> = columns.iter().map(|_| mark()).collect();
        format!("({})", marks.join(","))
    };
    let values: Vec<String> = (0..rows).map(|_| row()).collect();
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
    let (columns, key, values) = (columns.join(","), key.join(","), values.join(","));
    format!("INSERT INTO {name} ({columns}) VALUES {values} ON CONFLICT ({key}) DO {action}")
}

/// The place up to which the event files of `boot` and earlier ones are in the database.
pub(crate) async fn checkpoint(
    connection: &mut Connection,
    boot: u32,
) -> Result<Option<Position>, sqlx::Error> {
    let row: Option<(i64, i64, i64)> = connection
        .first(
            "SELECT boot, file, \"offset\" FROM applied WHERE boot <= $1 ORDER BY boot DESC LIMIT 1",
            &[boot.into()],
        )
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
    connection: &mut Connection,
    last: EventId,
    position: Position,
) -> Result<(), sqlx::Error> {
    let offset = i64::try_from(position.offset).unwrap_or(i64::MAX);
    connection
        .run(
            "INSERT INTO applied (boot, event, file, \"offset\") VALUES ($1, $2, $3, $4)
             ON CONFLICT (boot) DO UPDATE SET event = excluded.event, file = excluded.file,
             \"offset\" = excluded.\"offset\"",
            &[
                position.file.boot.into(),
                last.as_i64().into(),
                position.file.number.into(),
                offset.into(),
            ],
        )
        .await
        .map(drop)
}
