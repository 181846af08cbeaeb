//! Owns the questions that those who keep recordings ask of the journal: what should be on the
//! disk, and what has been there long enough. Reads only.

use sqlx::FromRow;
use vocab::media::RecordingKey;
use vocab::{CallId, WallTime};

use crate::error::DatabaseError;
use crate::query::{Journal, Range};

/// Segments read at a time.
const PAGE: u32 = 1_000;

/// A talk or a message, and what is known of its recording.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct SegmentRecording {
    call: i64,
    segment: i64,
    /// Whether it was to be recorded.
    pub recorded: bool,
    /// How long it lasted; none while it lasts.
    pub talk_ms: Option<i64>,
    /// When it began, UTC ms.
    pub started_at: i64,
    /// Path of the audio below the root of recordings.
    pub path: Option<String>,
    /// SHA-256 of the audio file.
    pub sha256: Option<String>,
    /// [`vocab::MissingReason`] in its JSON spelling.
    pub missing: Option<String>,
    /// The last queue of the call.
    pub queue: Option<String>,
    /// What the plan set as the field `topic`, at last.
    pub topic: Option<String>,
}

impl SegmentRecording {
    /// Which recording it is, or would be.
    #[must_use]
    pub fn key(&self) -> RecordingKey {
        RecordingKey {
            call: CallId::from_i64(self.call),
            segment: u16::try_from(self.segment).unwrap_or(u16::MAX),
        }
    }
}

/// All columns of [`SegmentRecording`], of talks and messages.
const SELECT: &str = "SELECT s.call, s.segment, s.recorded, s.talk_ms, s.started_at,
        r.path, r.sha256, r.missing, e.queue,
        (SELECT f.value FROM entry_fields f WHERE f.call = s.call AND f.field = 'topic') AS topic
    FROM recorded_parts s
    JOIN entries e ON e.call = s.call
    LEFT JOIN recordings r ON r.call = s.call AND r.segment = s.segment";

impl Journal {
    /// The segments of the calls of a range, in order, after `after`; at most a page of them, and
    /// none when there are no more.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn segments_to_record(
        &mut self,
        range: Range,
        after: Option<RecordingKey>,
    ) -> Result<Vec<SegmentRecording>, DatabaseError> {
        let sql = format!(
            "{SELECT} WHERE (s.call, s.segment) > ($1, $2)
               AND ($3 IS NULL OR e.arrived_at >= $3) AND ($4 IS NULL OR e.arrived_at < $4)
             ORDER BY s.call, s.segment LIMIT $5"
        );
        let (call, segment) = after.map_or((-1, 0), |key| (key.call.as_i64(), key.segment));
        let [from, to] = range.values();
        let segment = i64::from(segment);
        let args = [call.into(), segment.into(), from, to, PAGE.into()];
        let found = self.connection.all(&sql, &args).await;
        found.map_err(|error| self.failed(error))
    }

    /// The segments of one call.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn segments_of_call(
        &mut self,
        call: CallId,
    ) -> Result<Vec<SegmentRecording>, DatabaseError> {
        let sql = format!("{SELECT} WHERE s.call = $1 ORDER BY s.segment");
        let found = self.connection.all(&sql, &[call.as_i64().into()]).await;
        found.map_err(|error| self.failed(error))
    }

    /// Recordings of segments that began before a moment and are not destroyed, in order, after
    /// `after`; at most a page of them.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn recordings_kept(
        &mut self,
        before: WallTime,
        after: Option<RecordingKey>,
    ) -> Result<Vec<SegmentRecording>, DatabaseError> {
        let sql = format!(
            "{SELECT} WHERE r.path IS NOT NULL AND (r.missing IS NULL OR r.missing <> 'destroyed')
               AND (r.call, r.segment) > ($1, $2) AND s.started_at < $3
             ORDER BY r.call, r.segment LIMIT $4"
        );
        let (call, segment) = after.map_or((-1, 0), |key| (key.call.as_i64(), key.segment));
        let (segment, before) = (i64::from(segment), before.as_unix_millis());
        let args = [call.into(), segment.into(), before.into(), PAGE.into()];
        let found = self.connection.all(&sql, &args).await;
        found.map_err(|error| self.failed(error))
    }

    /// Calls of whose recordings the journal heard something since a moment, and that moment's
    /// successor: the latest of them.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn calls_recorded_since(
        &mut self,
        since: WallTime,
    ) -> Result<(Vec<CallId>, WallTime), DatabaseError> {
        let found: Result<Vec<(i64, i64)>, _> = self
            .connection
            .all(
                "SELECT call, max(known_at) FROM recordings WHERE known_at >= $1 GROUP BY call
             ORDER BY 2 LIMIT $2",
                &[since.as_unix_millis().into(), PAGE.into()],
            )
            .await;
        let found = found.map_err(|error| self.failed(error))?;
        let latest = found.last().map_or(since.as_unix_millis(), |(_, at)| *at);
        let calls = found.iter().map(|(call, _)| CallId::from_i64(*call));
        Ok((calls.collect(), WallTime::from_unix_millis(latest)))
    }

    /// What is known of one segment's recording.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn segment_to_record(
        &mut self,
        key: RecordingKey,
    ) -> Result<Option<SegmentRecording>, DatabaseError> {
        let sql = format!("{SELECT} WHERE s.call = $1 AND s.segment = $2");
        let args = [key.call.as_i64().into(), i64::from(key.segment).into()];
        let found = self.connection.first(&sql, &args).await;
        found.map_err(|error| self.failed(error))
    }
}
