//! Owns the questions that the demo and the command line ask of the journal. Reads only.

use std::collections::BTreeMap;

use vocab::{CallId, Event, EventId, WallTime};

use crate::apply::{self, events_of};
use crate::db::{Connection, Location, Readable, Value};
use crate::entry::Entry;
use crate::error::DatabaseError;
use crate::rows::{
    CallRows, CorrectionRow, EntryRow, FieldRow, LegRow, MessageRow, OfferRow, QueueEntryRow,
    RecordingRow, Row, SegmentRow, TransferRow,
};
use crate::store;

/// Calls that arrived at or after `from` and before `to`; open ends are no limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Range {
    /// First moment inside.
    pub from: Option<WallTime>,
    /// First moment after it.
    pub to: Option<WallTime>,
}

impl Range {
    /// Its bounds as values of a statement.
    pub(crate) fn values(self) -> [Value; 2] {
        [self.from, self.to].map(|moment| moment.map(WallTime::as_unix_millis).into())
    }
}

/// Totals of a range.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Summary {
    /// Calls that arrived.
    pub calls: u64,
    /// Calls by [`vocab::Outcome`] in its JSON spelling; calls that are up are in none.
    pub outcomes: BTreeMap<String, u64>,
    /// Segments that were to be recorded.
    pub segments_to_record: u64,
    /// Of those, the ones with a file.
    pub recordings: u64,
    /// Average wait in queues of the calls that an operator answered; `None` if there are none.
    pub answered_wait_ms_average: Option<f64>,
    /// Longest wait in queues.
    pub wait_ms_max: Option<u64>,
    /// Time with operators, all calls together.
    pub talk_ms: u64,
}

/// A connection for reading, while others write.
#[derive(Debug)]
pub struct Journal {
    pub(crate) database: Location,
    pub(crate) connection: Connection,
}

/// Opens the database for reading.
///
/// # Errors
/// If there is none, or it is broken or newer.
pub async fn open(database: impl Into<Location>) -> Result<Journal, DatabaseError> {
    let database = database.into();
    let connection = store::open_reader(&database).await?;
    Ok(Journal {
        database,
        connection,
    })
}

/// Calls read at a time by [`Journal::check`].
const PAGE: u32 = 500;

impl Journal {
    /// The error of a question.
    pub(crate) fn failed(&self, error: sqlx::Error) -> DatabaseError {
        DatabaseError::of(&self.database, error)
    }

    /// Totals of the calls of a range.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn summary(&mut self, range: Range) -> Result<Summary, DatabaseError> {
        self.read_summary(range)
            .await
            .map_err(|error| DatabaseError::of(&self.database, error))
    }

    async fn read_summary(&mut self, range: Range) -> Result<Summary, sqlx::Error> {
        let bounds = range.values();
        let mut summary = Summary::default();
        let outcomes: Vec<(Option<String>, i64)> = self
            .connection
            .all(
                "SELECT outcome, count(*) FROM entries WHERE channel = 'call'
                 AND arrived_at >= coalesce($1, arrived_at) AND arrived_at < coalesce($2, arrived_at + 1)
                 GROUP BY outcome",
                &bounds,
            )
            .await?;
        for (outcome, calls) in outcomes {
            summary.calls += unsigned(calls);
            if let Some(outcome) = outcome {
                summary.outcomes.insert(outcome, unsigned(calls));
            }
        }
        let figures: Option<(Option<f64>, Option<i64>, i64)> = self
            .connection
            .first(
                "SELECT CAST(avg(CASE WHEN segments > 0 THEN wait_ms END) AS DOUBLE PRECISION),
                        max(wait_ms), CAST(coalesce(sum(talk_ms), 0) AS BIGINT) FROM entries
                 WHERE channel = 'call' AND arrived_at >= coalesce($1, arrived_at)
                   AND arrived_at < coalesce($2, arrived_at + 1)",
                &bounds,
            )
            .await?;
        let (average, longest, talk) = figures.unwrap_or_default();
        summary.answered_wait_ms_average = average;
        summary.wait_ms_max = longest.map(unsigned);
        summary.talk_ms = unsigned(talk);
        let recordings: Option<(i64, i64)> = self
            .connection
            .first(
                "SELECT count(*), count(r.path) FROM recorded_parts s
                 JOIN entries e ON e.call = s.call
                 LEFT JOIN recordings r ON r.call = s.call AND r.segment = s.segment
                 WHERE s.recorded AND e.arrived_at >= coalesce($1, e.arrived_at)
                   AND e.arrived_at < coalesce($2, e.arrived_at + 1)",
                &bounds,
            )
            .await?;
        let (wanted, stored) = recordings.unwrap_or_default();
        summary.segments_to_record = unsigned(wanted);
        summary.recordings = unsigned(stored);
        Ok(summary)
    }

    /// Entries, newest first: at most `limit` of those before the call `before`.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn newest(
        &mut self,
        before: Option<CallId>,
        limit: u32,
    ) -> Result<Vec<EntryRow>, DatabaseError> {
        let sql = format!(
            "SELECT {} FROM entries WHERE call < $1 ORDER BY call DESC LIMIT $2",
            columns::<EntryRow>()
        );
        let before = before.map_or(i64::MAX, CallId::as_i64);
        self.connection
            .all(&sql, &[before.into(), limit.into()])
            .await
            .map_err(|error| DatabaseError::of(&self.database, error))
    }

    /// Entries of a range in order of arrival, after the call `after`.
    pub(crate) async fn page(
        &mut self,
        range: Range,
        after: Option<CallId>,
        limit: u32,
    ) -> Result<Vec<EntryRow>, DatabaseError> {
        // Without bounds an entry whose arrival was lost is shown as well.
        let sql = format!(
            "SELECT {} FROM entries WHERE call > $1 AND ($2 IS NULL OR arrived_at >= $2)
             AND ($3 IS NULL OR arrived_at < $3) ORDER BY call LIMIT $4",
            columns::<EntryRow>()
        );
        let [from, to] = range.values();
        let after = after.map_or(-1, CallId::as_i64);
        self.connection
            .all(&sql, &[after.into(), from, to, limit.into()])
            .await
            .map_err(|error| DatabaseError::of(&self.database, error))
    }

    /// All rows of one call, as they were at one moment.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn call(&mut self, call: CallId) -> Result<Option<CallRows>, DatabaseError> {
        let read = self
            .connection
            .view(async |view| read_call(view, call).await);
        read.await.map_err(|error| self.failed(error))
    }

    /// The stored events of one call, in order.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn events(&mut self, call: CallId) -> Result<Vec<Event>, DatabaseError> {
        let mut events = events_of(&mut self.connection, &[call])
            .await
            .map_err(|error| DatabaseError::of(&self.database, error))?;
        events.sort_by_key(|event| event.id);
        Ok(events)
    }

    /// The id of the last event; the lowest there can be if there is none.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn last_event(&mut self) -> Result<EventId, DatabaseError> {
        let last: Option<(i64,)> = self
            .connection
            .first("SELECT id FROM events ORDER BY id DESC LIMIT 1", &[])
            .await
            .map_err(|error| DatabaseError::of(&self.database, error))?;
        Ok(EventId::from_i64(last.map_or(0, |(id,)| id)))
    }

    /// Events after one, in the order of their ids, at most `limit` of them.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn events_after(
        &mut self,
        after: EventId,
        limit: u32,
    ) -> Result<Vec<Event>, DatabaseError> {
        let rows: Vec<(String,)> = self
            .connection
            .all(
                "SELECT json FROM events WHERE id > $1 ORDER BY id LIMIT $2",
                &[after.as_i64().into(), limit.into()],
            )
            .await
            .map_err(|error| DatabaseError::of(&self.database, error))?;
        Ok(rows
            .iter()
            .filter_map(|(json,)| apply::read(json))
            .collect())
    }

    /// The newest call whose caller's INVITE had this Call-ID. Looks at every entry.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn call_of_sip(
        &mut self,
        sip_call_id: &str,
    ) -> Result<Option<CallId>, DatabaseError> {
        let call: Option<(i64,)> = self
            .connection
            .first(
                "SELECT call FROM entries WHERE sip_call_id = $1 ORDER BY call DESC LIMIT 1",
                &[sip_call_id.into()],
            )
            .await
            .map_err(|error| DatabaseError::of(&self.database, error))?;
        Ok(call.map(|(call,)| CallId::from_i64(call)))
    }

    /// The fold of one call's stored events.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn entry(&mut self, call: CallId) -> Result<Option<Entry>, DatabaseError> {
        let events = events_of(&mut self.connection, &[call])
            .await
            .map_err(|error| DatabaseError::of(&self.database, error))?;
        Ok(Entry::of(call, &events))
    }

    /// Checks every entry of a range: [`Entry::check`] on its events, and its rows against the
    /// fold. Returns the calls with a problem, in order of arrival, at most `limit` of them.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn check(
        &mut self,
        range: Range,
        limit: usize,
    ) -> Result<Vec<(CallId, Vec<String>)>, DatabaseError> {
        let mut found = Vec::new();
        let mut after = None;
        loop {
            let page = self.page(range, after, PAGE).await?;
            let Some(last) = page.last() else {
                return Ok(found);
            };
            after = Some(CallId::from_i64(last.call));
            for row in page {
                let call = CallId::from_i64(row.call);
                let problems = self.check_call(call).await?;
                if !problems.is_empty() {
                    found.push((call, problems));
                }
                if found.len() >= limit {
                    return Ok(found);
                }
            }
        }
    }

    async fn check_call(&mut self, call: CallId) -> Result<Vec<String>, DatabaseError> {
        let Some(entry) = self.entry(call).await? else {
            return Ok(vec!["it has an entry but no events".to_owned()]);
        };
        let mut problems = entry.check();
        let (found, expected) = (self.call(call).await?, CallRows::of(&entry));
        if !self.is_as_stored(found.as_ref(), &expected) {
            problems.push("its rows are not those of its events".to_owned());
        }
        Ok(problems)
    }
}

async fn read_call(
    connection: &mut Connection,
    call: CallId,
) -> Result<Option<CallRows>, sqlx::Error> {
    let Some(entry) = rows_of::<EntryRow>(connection, call).await?.pop() else {
        return Ok(None);
    };
    Ok(Some(CallRows {
        entry,
        queue_entries: rows_of::<QueueEntryRow>(connection, call).await?,
        offers: rows_of::<OfferRow>(connection, call).await?,
        segments: rows_of::<SegmentRow>(connection, call).await?,
        messages: rows_of::<MessageRow>(connection, call).await?,
        transfers: rows_of::<TransferRow>(connection, call).await?,
        legs: rows_of::<LegRow>(connection, call).await?,
        recordings: rows_of::<RecordingRow>(connection, call).await?,
        fields: rows_of::<FieldRow>(connection, call).await?,
        corrections: rows_of::<CorrectionRow>(connection, call).await?,
    }))
}

impl Journal {
    /// Whether rows are those that were to be stored. PostgreSQL has no U+0000 in texts, which the
    /// network may bring, so there both are compared as they print, with U+FFFD for it.
    fn is_as_stored(&self, found: Option<&CallRows>, expected: &CallRows) -> bool {
        if found == Some(expected) {
            return true;
        }
        let print =
            |rows: &CallRows| crate::db::storable(&format!("{rows:?}").replace("\\0", "\0"));
        self.connection.is_postgres() && found.is_some_and(|found| print(found) == print(expected))
    }
}

/// The rows of a table that belong to a call, in the order of the table's key.
async fn rows_of<R: Row + Readable>(
    connection: &mut Connection,
    call: CallId,
) -> Result<Vec<R>, sqlx::Error> {
    let sql = format!(
        "SELECT {} FROM {} WHERE call = $1 ORDER BY {}",
        columns::<R>(),
        R::TABLE.name,
        R::TABLE.key.join(",")
    );
    connection.all(&sql, &[call.as_i64().into()]).await
}

pub(crate) fn columns<R: Row>() -> String {
    R::TABLE.columns.join(",")
}

fn unsigned(n: i64) -> u64 {
    u64::try_from(n).unwrap_or(0)
}
