//! Owns the questions that the demo and the command line ask of the journal. Reads only.

use std::collections::BTreeMap;
use std::path::Path;

use sqlx::{AssertSqlSafe, Sqlite, SqliteConnection};
use vocab::{CallId, Event, WallTime};

use crate::apply::events_of;
use crate::entry::Entry;
use crate::error::DatabaseError;
use crate::rows::{
    CallRows, EntryRow, LegRow, OfferRow, QueueEntryRow, RecordingRow, Row, SegmentRow, TransferRow,
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
    path: std::path::PathBuf,
    connection: SqliteConnection,
}

/// Opens the database at `path` for reading.
///
/// # Errors
/// If there is none, or it is broken or newer.
pub async fn open(path: &Path) -> Result<Journal, DatabaseError> {
    let connection = store::open_reader(path).await?;
    Ok(Journal {
        path: path.to_path_buf(),
        connection,
    })
}

/// Calls read at a time by [`Journal::check`].
const PAGE: u32 = 500;

impl Journal {
    /// For the questions of other files.
    pub(crate) const fn connection(&mut self) -> &mut SqliteConnection {
        &mut self.connection
    }

    /// The error of a question.
    pub(crate) fn failed(&self, error: sqlx::Error) -> DatabaseError {
        DatabaseError::of(&self.path, error)
    }

    /// Totals of the calls of a range.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn summary(&mut self, range: Range) -> Result<Summary, DatabaseError> {
        self.read_summary(range)
            .await
            .map_err(|error| DatabaseError::of(&self.path, error))
    }

    async fn read_summary(&mut self, range: Range) -> Result<Summary, sqlx::Error> {
        let Range { from, to } = range;
        let (from, to) = (
            from.map(WallTime::as_unix_millis),
            to.map(WallTime::as_unix_millis),
        );
        let mut summary = Summary::default();
        let outcomes: Vec<(Option<String>, i64)> = sqlx::query_as(
            "SELECT outcome, count(*) FROM entries
             WHERE arrived_at >= coalesce(?1, arrived_at) AND arrived_at < coalesce(?2, arrived_at + 1)
             GROUP BY outcome",
        )
        .bind(from)
        .bind(to)
        .fetch_all(&mut self.connection)
        .await?;
        for (outcome, calls) in outcomes {
            summary.calls += unsigned(calls);
            if let Some(outcome) = outcome {
                summary.outcomes.insert(outcome, unsigned(calls));
            }
        }
        let (average, longest, talk): (Option<f64>, Option<i64>, i64) = sqlx::query_as(
            "SELECT avg(CASE WHEN segments > 0 THEN wait_ms END), max(wait_ms),
                    coalesce(sum(talk_ms), 0) FROM entries
             WHERE arrived_at >= coalesce(?1, arrived_at) AND arrived_at < coalesce(?2, arrived_at + 1)",
        )
        .bind(from)
        .bind(to)
        .fetch_one(&mut self.connection)
        .await?;
        summary.answered_wait_ms_average = average;
        summary.wait_ms_max = longest.map(unsigned);
        summary.talk_ms = unsigned(talk);
        let (wanted, stored): (i64, i64) = sqlx::query_as(
            "SELECT count(*), count(r.path) FROM segments s
             JOIN entries e ON e.call = s.call
             LEFT JOIN recordings r ON r.call = s.call AND r.segment = s.segment
             WHERE s.recorded = 1 AND e.arrived_at >= coalesce(?1, e.arrived_at)
               AND e.arrived_at < coalesce(?2, e.arrived_at + 1)",
        )
        .bind(from)
        .bind(to)
        .fetch_one(&mut self.connection)
        .await?;
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
            "SELECT {} FROM entries WHERE call < ? ORDER BY call DESC LIMIT ?",
            columns::<EntryRow>()
        );
        sqlx::query_as::<Sqlite, EntryRow>(AssertSqlSafe(sql))
            .bind(before.map_or(i64::MAX, CallId::as_i64))
            .bind(limit)
            .fetch_all(&mut self.connection)
            .await
            .map_err(|error| DatabaseError::of(&self.path, error))
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
            "SELECT {} FROM entries WHERE call > ?1 AND (?2 IS NULL OR arrived_at >= ?2)
             AND (?3 IS NULL OR arrived_at < ?3) ORDER BY call LIMIT ?4",
            columns::<EntryRow>()
        );
        sqlx::query_as::<Sqlite, EntryRow>(AssertSqlSafe(sql))
            .bind(after.map_or(-1, CallId::as_i64))
            .bind(range.from.map(WallTime::as_unix_millis))
            .bind(range.to.map(WallTime::as_unix_millis))
            .bind(limit)
            .fetch_all(&mut self.connection)
            .await
            .map_err(|error| DatabaseError::of(&self.path, error))
    }

    /// All rows of one call.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn call(&mut self, call: CallId) -> Result<Option<CallRows>, DatabaseError> {
        self.read_call(call)
            .await
            .map_err(|error| DatabaseError::of(&self.path, error))
    }

    async fn read_call(&mut self, call: CallId) -> Result<Option<CallRows>, sqlx::Error> {
        let connection = &mut self.connection;
        let Some(entry) = rows_of::<EntryRow>(connection, call).await?.pop() else {
            return Ok(None);
        };
        Ok(Some(CallRows {
            entry,
            queue_entries: rows_of::<QueueEntryRow>(connection, call).await?,
            offers: rows_of::<OfferRow>(connection, call).await?,
            segments: rows_of::<SegmentRow>(connection, call).await?,
            transfers: rows_of::<TransferRow>(connection, call).await?,
            legs: rows_of::<LegRow>(connection, call).await?,
            recordings: rows_of::<RecordingRow>(connection, call).await?,
        }))
    }

    /// The stored events of one call, in order.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn events(&mut self, call: CallId) -> Result<Vec<Event>, DatabaseError> {
        let mut events = events_of(&mut self.connection, &[call])
            .await
            .map_err(|error| DatabaseError::of(&self.path, error))?;
        events.sort_by_key(|event| event.id);
        Ok(events)
    }

    /// The newest call whose caller's INVITE had this Call-ID. Looks at every entry.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn call_of_sip(
        &mut self,
        sip_call_id: &str,
    ) -> Result<Option<CallId>, DatabaseError> {
        let call: Option<i64> = sqlx::query_scalar(
            "SELECT call FROM entries WHERE sip_call_id = ? ORDER BY call DESC LIMIT 1",
        )
        .bind(sip_call_id)
        .fetch_optional(&mut self.connection)
        .await
        .map_err(|error| DatabaseError::of(&self.path, error))?;
        Ok(call.map(CallId::from_i64))
    }

    /// The fold of one call's stored events.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn entry(&mut self, call: CallId) -> Result<Option<Entry>, DatabaseError> {
        let events = events_of(&mut self.connection, &[call])
            .await
            .map_err(|error| DatabaseError::of(&self.path, error))?;
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
        if self.call(call).await?.as_ref() != Some(&CallRows::of(&entry)) {
            problems.push("its rows are not those of its events".to_owned());
        }
        Ok(problems)
    }
}

/// The rows of a table that belong to a call, in the order of the table's key.
async fn rows_of<R>(connection: &mut SqliteConnection, call: CallId) -> Result<Vec<R>, sqlx::Error>
where
    R: Row + for<'r> sqlx::FromRow<'r, sqlx::sqlite::SqliteRow> + Send + Unpin,
{
    let sql = format!(
        "SELECT {} FROM {} WHERE call = ? ORDER BY {}",
        columns::<R>(),
        R::TABLE.name,
        R::TABLE.key.join(",")
    );
    sqlx::query_as::<Sqlite, R>(AssertSqlSafe(sql))
        .bind(call.as_i64())
        .fetch_all(connection)
        .await
}

fn columns<R: Row>() -> String {
    R::TABLE.columns.join(",")
}

fn unsigned(n: i64) -> u64 {
    u64::try_from(n).unwrap_or(0)
}
