//! Owns the letters of webhooks: which events each has to tell of, which were taken, which were given
//! up. Knows no HTTP and no text of a letter: it is made of the event when it is sent.
//!
//! A webhook has a cursor in the events. Letters are put down and the cursor is moved in one
//! transaction, and a letter goes when it was taken, so a process that is killed anywhere loses none and
//! at worst sends one twice, with the same id.

use vocab::{Event, EventId, WallTime};

use crate::apply;
use crate::db::{Connection, Location, Value};
use crate::error::DatabaseError;
use crate::store;

/// Events looked at in one go.
const LOOK: i64 = 1_000;

/// A cursor is written without a letter after so many events, so that a quiet webhook does not look
/// through all of them at each start.
const MARK_AFTER: usize = 500;

/// Letters of one webhook that wait at most. Beyond it the cursor stays: what is to come lies safe in
/// the journal, and takes no room twice.
pub const WAITING_MAX: i64 = 10_000;

/// Most dead letters of one answer.
const DEAD_PAGE: u32 = 500;

/// A letter that is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// What it tells of.
    pub event: Event,
    /// Tries that failed.
    pub attempts: u32,
    /// When it was first due.
    pub since: WallTime,
}

/// What became of a letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// It was taken.
    Taken,
    /// It is tried again.
    Later {
        /// When.
        due: WallTime,
        /// Why it was not taken.
        problem: String,
    },
    /// It is given up.
    Dead {
        /// When.
        at: WallTime,
        /// Why it was not taken.
        problem: String,
    },
}

/// A letter that was given up.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct DeadLetter {
    /// Whose.
    pub webhook: String,
    /// The event that it tells of.
    pub event: EventId,
    /// What kind of fact that is.
    pub fact: String,
    /// Tries that failed.
    pub attempts: i64,
    /// When it was given up, ms since 1970-01-01T00:00:00Z.
    pub dead_at: i64,
    /// Why.
    pub problem: String,
}

/// How a webhook stands.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Standing {
    /// Its name.
    pub webhook: String,
    /// Letters on their way.
    pub waiting: i64,
    /// Letters given up.
    pub dead: i64,
    /// Since when the oldest of those on their way waits, ms since 1970-01-01T00:00:00Z.
    pub oldest_at: Option<i64>,
    /// Why the last of those on their way failed, if one did.
    pub problem: Option<String>,
}

/// The letters of one webhook in the hands of who sends them.
#[derive(Debug)]
pub struct Letters {
    database: Location,
    connection: Connection,
    webhook: String,
    /// The last event looked at.
    cursor: i64,
    /// Events looked at since the cursor was written.
    unmarked: usize,
}

impl Letters {
    /// Opens those of a webhook. One that is new begins with what comes next.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn open(database: impl Into<Location>, webhook: &str) -> Result<Self, DatabaseError> {
        let database = database.into();
        let mut connection = store::open_writer(&database).await?;
        let failed = |error| DatabaseError::of(&database, error);
        let begin = "INSERT INTO webhook_cursors (webhook, event)
             SELECT $1, coalesce(max(id), 0) FROM events WHERE true ON CONFLICT (webhook) DO NOTHING";
        connection
            .run(begin, &[webhook.into()])
            .await
            .map_err(failed)?;
        let cursor: Option<(i64,)> = connection
            .first(
                "SELECT event FROM webhook_cursors WHERE webhook = $1",
                &[webhook.into()],
            )
            .await
            .map_err(failed)?;
        Ok(Self {
            database,
            connection,
            webhook: webhook.to_owned(),
            cursor: cursor.map_or(0, |(event,)| event),
            unmarked: 0,
        })
    }

    fn failed(&self, error: sqlx::Error) -> DatabaseError {
        DatabaseError::of(&self.database, error)
    }

    /// Puts down letters for new events of these kinds ([`crate::kind`]); whether more may be there.
    ///
    /// # Errors
    /// If the database fails; then nothing was put down.
    pub async fn put_down(&mut self, kinds: &[&str], now: WallTime) -> Result<bool, DatabaseError> {
        let done = self.try_put_down(kinds, now).await;
        if done.is_err() {
            self.connection.roll_back().await;
        }
        done.map_err(|error| self.failed(error))
    }

    async fn try_put_down(&mut self, kinds: &[&str], now: WallTime) -> sqlx::Result<bool> {
        let waiting: Option<(i64,)> = self
            .connection
            .first(
                "SELECT count(*) FROM webhook_letters WHERE webhook = $1 AND dead_at IS NULL",
                &[self.webhook.as_str().into()],
            )
            .await?;
        if waiting.is_some_and(|(waiting,)| waiting >= WAITING_MAX) {
            return Ok(false);
        }
        let events: Vec<(i64, String)> = self
            .connection
            .all(
                "SELECT id, kind FROM events WHERE id > $1 ORDER BY id LIMIT $2",
                &[self.cursor.into(), LOOK.into()],
            )
            .await?;
        let Some((last, _)) = events.last() else {
            return Ok(false);
        };
        let wanted = |(_, kind): &&(i64, String)| kinds.contains(&kind.as_str());
        let wanted: Vec<i64> = events.iter().filter(wanted).map(|(id, _)| *id).collect();
        self.unmarked += events.len();
        if !wanted.is_empty() || self.unmarked >= MARK_AFTER {
            self.connection.begin().await?;
            for event in wanted {
                self.write_letter(event, now).await?;
            }
            self.connection
                .run(
                    "UPDATE webhook_cursors SET event = $2 WHERE webhook = $1",
                    &[self.webhook.as_str().into(), (*last).into()],
                )
                .await?;
            self.connection.commit().await?;
            self.unmarked = 0;
        }
        self.cursor = *last;
        Ok(i64::try_from(events.len()).is_ok_and(|count| count == LOOK))
    }

    async fn write_letter(&mut self, event: i64, now: WallTime) -> sqlx::Result<()> {
        let now = now.as_unix_millis();
        self.connection
            .run(
                "INSERT INTO webhook_letters (webhook, event, due_at, since_at, attempts)
                 VALUES ($1, $2, $3, $3, 0) ON CONFLICT (webhook, event) DO NOTHING",
                &[self.webhook.as_str().into(), event.into(), now.into()],
            )
            .await
            .map(drop)
    }

    /// The letters that are due, the oldest first, at most `limit` of them.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn due(&mut self, now: WallTime, limit: u32) -> Result<Vec<Letter>, DatabaseError> {
        let rows: Vec<(String, i64, i64)> = self
            .connection
            .all(
                "SELECT e.json, l.attempts, l.since_at FROM webhook_letters l
                 JOIN events e ON e.id = l.event
                 WHERE l.webhook = $1 AND l.dead_at IS NULL AND l.due_at <= $2
                 ORDER BY l.due_at, l.event LIMIT $3",
                &[
                    self.webhook.as_str().into(),
                    now.as_unix_millis().into(),
                    limit.into(),
                ],
            )
            .await
            .map_err(|error| self.failed(error))?;
        let letter = |(json, attempts, since): (String, i64, i64)| {
            Some(Letter {
                event: apply::read(&json)?,
                attempts: u32::try_from(attempts).unwrap_or(u32::MAX),
                since: WallTime::from_unix_millis(since),
            })
        };
        Ok(rows.into_iter().filter_map(letter).collect())
    }

    /// Notes what became of letters, of all of them or of none.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn settle(&mut self, fates: &[(EventId, Fate)]) -> Result<(), DatabaseError> {
        let done = self.try_settle(fates).await;
        if done.is_err() {
            self.connection.roll_back().await;
        }
        done.map_err(|error| self.failed(error))
    }

    async fn try_settle(&mut self, fates: &[(EventId, Fate)]) -> sqlx::Result<()> {
        self.connection.begin().await?;
        for (event, fate) in fates {
            let which: [Value; 2] = [self.webhook.as_str().into(), event.as_i64().into()];
            let (due, dead, problem) = match fate {
                Fate::Taken => {
                    let gone = "DELETE FROM webhook_letters WHERE webhook = $1 AND event = $2";
                    self.connection.run(gone, &which).await?;
                    continue;
                }
                Fate::Later { due, problem } => (*due, None, problem),
                Fate::Dead { at, problem } => (*at, Some(at.as_unix_millis()), problem),
            };
            let [webhook, event] = which;
            let due = due.as_unix_millis().into();
            let args = [webhook, event, due, dead.into(), problem.into()];
            self.connection
                .run(
                    "UPDATE webhook_letters SET attempts = attempts + 1, due_at = $3,
                     dead_at = $4, problem = $5 WHERE webhook = $1 AND event = $2",
                    &args,
                )
                .await?;
        }
        self.connection.commit().await
    }
}

/// How each webhook stands that ever ran.
///
/// # Errors
/// If the database fails.
pub async fn standings(database: &Location) -> Result<Vec<Standing>, DatabaseError> {
    type Found = (String, i64, i64, Option<i64>, Option<String>);
    let mut connection = store::open_reader(database).await?;
    let rows: Vec<Found> = connection
        .all(
            "SELECT c.webhook,
                    count(CASE WHEN l.event IS NOT NULL AND l.dead_at IS NULL THEN 1 END),
                    count(l.dead_at),
                    min(CASE WHEN l.dead_at IS NULL THEN l.since_at END),
                    max(CASE WHEN l.dead_at IS NULL THEN l.problem END)
             FROM webhook_cursors c LEFT JOIN webhook_letters l ON l.webhook = c.webhook
             GROUP BY c.webhook ORDER BY c.webhook",
            &[],
        )
        .await
        .map_err(|error| DatabaseError::of(database, error))?;
    let standing = |(webhook, waiting, dead, oldest_at, problem): Found| Standing {
        webhook,
        waiting,
        dead,
        oldest_at,
        problem,
    };
    Ok(rows.into_iter().map(standing).collect())
}

/// Letters that were given up, the oldest events first, at most 500 of them; of one webhook or of all.
///
/// # Errors
/// If the database fails.
pub async fn dead(
    database: &Location,
    webhook: Option<&str>,
) -> Result<Vec<DeadLetter>, DatabaseError> {
    type Found = (String, i64, String, i64, i64, Option<String>);
    let mut connection = store::open_reader(database).await?;
    let rows: Vec<Found> = connection
        .all(
            "SELECT l.webhook, l.event, e.kind, l.attempts, l.dead_at, l.problem
             FROM webhook_letters l JOIN events e ON e.id = l.event
             WHERE l.dead_at IS NOT NULL AND l.webhook = coalesce($1, l.webhook)
             ORDER BY l.webhook, l.event LIMIT $2",
            &[webhook.map(str::to_owned).into(), DEAD_PAGE.into()],
        )
        .await
        .map_err(|error| DatabaseError::of(database, error))?;
    let letter = |(webhook, event, fact, attempts, dead_at, problem): Found| DeadLetter {
        webhook,
        event: EventId::from_i64(event),
        fact,
        attempts,
        dead_at,
        problem: problem.unwrap_or_default(),
    };
    Ok(rows.into_iter().map(letter).collect())
}

/// Sends letters of a webhook again that were given up: those of these events, or all; how many.
///
/// # Errors
/// If the database fails.
pub async fn send_again(
    database: &Location,
    webhook: &str,
    events: Option<&[EventId]>,
    now: WallTime,
) -> Result<u64, DatabaseError> {
    let (sql, args) = again(webhook, events, now);
    let mut connection = store::open_writer(database).await?;
    let sent = connection.run(&sql, &args).await;
    connection.close().await;
    sent.map_err(|error| DatabaseError::of(database, error))
}

/// The statement that wakes dead letters, and its values.
fn again(webhook: &str, events: Option<&[EventId]>, now: WallTime) -> (String, Vec<Value>) {
    let mut sql = "UPDATE webhook_letters SET dead_at = NULL, attempts = 0, due_at = $2,
                   since_at = $2 WHERE webhook = $1 AND dead_at IS NOT NULL"
        .to_owned();
    let mut args: Vec<Value> = vec![webhook.into(), now.as_unix_millis().into()];
    if let Some(events) = events {
        args.extend(events.iter().map(|event| Value::from(event.as_i64())));
        let places: Vec<String> = (3..=args.len()).map(|at| format!("${at}")).collect();
        // Of an empty list none is meant.
        let places = if places.is_empty() {
            "NULL".to_owned()
        } else {
            places.join(",")
        };
        sql.push_str(" AND event IN (");
        sql.push_str(&places);
        sql.push(')');
    }
    (sql, args)
}
