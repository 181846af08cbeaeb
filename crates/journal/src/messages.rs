//! Owns the questions about messages of callers: which nobody has heard, and how many wait for whom.
//! Reads only; who heard one says so at the [`crate::desk`].

use std::collections::BTreeMap;

use sqlx::FromRow;
use vocab::CallId;

use crate::db::Location;
use crate::error::DatabaseError;
use crate::operators::WaitingMessages;
use crate::query::Journal;
use crate::search::NoCursor;
use crate::watch::Watched;

/// Messages told at once; there are more when there are so many.
pub const PAGE: u32 = 1_000;

/// A message, with what is known of its call and its recording.
#[derive(Debug, Clone, PartialEq, Eq, FromRow, serde::Serialize)]
pub struct LeftMessage {
    /// The call; [`vocab::CallId::from_i64`] gives the id.
    pub call: i64,
    /// Number of its recording within the call.
    pub segment: i64,
    /// Where it is kept.
    pub mailbox: String,
    /// The caller's number; empty if withheld.
    pub caller: String,
    /// The number dialled.
    pub number: String,
    /// Logins for whom it waits, with a comma between two.
    pub waits_for: String,
    /// UTC ms.
    pub started_at: i64,
    /// How long it is.
    pub length_ms: Option<i64>,
    /// UTC ms; none: nobody has heard it.
    pub heard_at: Option<i64>,
    /// Who heard it first.
    pub heard_by: Option<String>,
    /// Path of the audio below the root of recordings, once it is stored.
    pub path: Option<String>,
    /// [`vocab::MissingReason`] in its JSON spelling.
    pub missing: Option<String>,
}

/// Which messages.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Also those that were heard.
    pub heard: bool,
    /// Only those kept there.
    pub mailbox: Option<String>,
    /// Only those after this one.
    pub after: Option<Place>,
    /// How many at most; without it, or above it, [`PAGE`].
    pub limit: Option<u32>,
}

/// The place of a message in the list: beginning, call and segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place(i64, CallId, i64);

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}

impl std::str::FromStr for Place {
    type Err = NoCursor;

    fn from_str(text: &str) -> Result<Self, NoCursor> {
        let mut parts = text.splitn(3, '.');
        let mut part = || parts.next().ok_or(NoCursor);
        let (at, call, segment) = (part()?, part()?, part()?);
        Ok(Self(
            at.parse().map_err(|_| NoCursor)?,
            call.parse().map_err(|_| NoCursor)?,
            segment.parse().map_err(|_| NoCursor)?,
        ))
    }
}

impl LeftMessage {
    /// Its place in the list.
    #[must_use]
    pub const fn place(&self) -> Place {
        Place(self.started_at, CallId::from_i64(self.call), self.segment)
    }
}

impl Journal {
    /// The messages that are kept, oldest first; at most a page of them.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn messages(&mut self, wanted: &Wanted) -> Result<Vec<LeftMessage>, DatabaseError> {
        let sql = "SELECT m.call, m.segment, m.mailbox, e.caller, e.number, m.waits_for,
                m.started_at, m.length_ms, m.heard_at, m.heard_by, r.path, r.missing
            FROM messages m JOIN entries e ON e.call = m.call
            LEFT JOIN recordings r ON r.call = m.call AND r.segment = m.segment
            WHERE m.kept AND ($1 = 1 OR m.heard_at IS NULL)
              AND ($2 = '' OR m.mailbox = $2)
              AND (m.started_at, m.call, m.segment) > ($4, $5, $6)
            ORDER BY m.started_at, m.call, m.segment LIMIT $3";
        let mailbox = wanted.mailbox.clone().unwrap_or_default();
        let after = wanted.after.map_or((i64::MIN, -1, -1), |place| {
            (place.0, place.1.as_i64(), place.2)
        });
        let args = [
            i64::from(wanted.heard).into(),
            mailbox.into(),
            wanted.limit.unwrap_or(PAGE).clamp(1, PAGE).into(),
            after.0.into(),
            after.1.into(),
            after.2.into(),
        ];
        let found = self.connection.all(sql, &args).await;
        found.map_err(|error| self.failed(error))
    }
}

/// A connection kept open to ask often whether messages changed.
#[derive(Debug)]
pub struct Watch(Watched);

/// The last change of any message.
const VERSION: &str = "SELECT max(version) FROM messages";

impl Watch {
    /// Begins to watch; the first [`Watch::changes`] gives the numbers as they are.
    ///
    /// # Errors
    /// If the database cannot be used.
    pub async fn open(database: impl Into<Location>) -> Result<Self, DatabaseError> {
        Watched::open(database.into()).await.map(Self)
    }

    /// How many wait for each login, if any message changed since the last call. What was destroyed
    /// waits for nobody.
    ///
    /// # Errors
    /// If the database cannot be used; ask again later.
    pub async fn changes(
        &mut self,
    ) -> Result<Option<BTreeMap<String, WaitingMessages>>, DatabaseError> {
        let Some(version) = self.0.changed(VERSION).await? else {
            return Ok(None);
        };
        let rows: Vec<(String, i64, i64)> = self
            .0
            .connection
            .all(
                "SELECT m.waits_for, sum(CASE WHEN m.heard_at IS NULL THEN 1 ELSE 0 END), count(*)
                 FROM messages m
                 LEFT JOIN recordings r ON r.call = m.call AND r.segment = m.segment
                 WHERE m.kept AND m.waits_for <> '' AND coalesce(r.missing, '') <> 'destroyed'
                 GROUP BY m.waits_for",
                &[],
            )
            .await
            .map_err(|error| DatabaseError::of(&self.0.database, error))?;
        self.0.saw(version);
        let mut waiting: BTreeMap<String, WaitingMessages> = BTreeMap::new();
        for (logins, new, all) in rows {
            let count = |number: i64| u32::try_from(number).unwrap_or_default();
            for login in logins.split(',') {
                let known = waiting.entry(login.to_owned()).or_default();
                known.new = known.new.saturating_add(count(new));
                known.old = known.old.saturating_add(count(all - new));
            }
        }
        Ok(Some(waiting))
    }
}
