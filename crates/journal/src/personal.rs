//! Owns the destruction of personal data in entries, and of the cards of persons (`cards`): the caller's number and name, and what people and
//! plans wrote of the caller, in the stored events and in every row that is computed of them. Figures
//! stay: who waited how long, which operator served it, what topic it had. Refuses to decide when.
//!
//! Events are the truth, so they are what is changed: a row computed anew of them is without it as
//! well. The event files are not touched: `hotline journal prune` removes those that the database and
//! a backup have.

use serde_json::{Map, Value as Json};
use sqlx::FromRow;
use vocab::{CallId, WallTime};

mod cards;

pub use cards::{KeptCard, destroy_cards};

use crate::apply;
use crate::db::{Connection, Location, Value};
use crate::error::DatabaseError;
use crate::query::Journal;
use crate::store;

/// Entries read at a time.
const PAGE: u32 = 1_000;
/// Fields, of plans and of forms, that say nothing of a person.
const IMPERSONAL: [&str; 6] = [
    "topic",
    "department",
    "deadline",
    "execution",
    "emergency",
    "emergency_at",
];

/// An entry that is over and still has its personal fields.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct KeptEntry {
    call: i64,
    /// When it came, UTC ms.
    pub arrived_at: i64,
    /// The last queue of the call.
    pub queue: Option<String>,
    /// Its topic.
    pub topic: Option<String>,
}

impl KeptEntry {
    /// Which entry.
    #[must_use]
    pub const fn call(&self) -> CallId {
        CallId::from_i64(self.call)
    }
}

/// Why and by which act personal fields are destroyed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destruction {
    /// When.
    pub at: WallTime,
    /// The act.
    pub act: String,
    /// The rule.
    pub reason: String,
}

impl Journal {
    /// Entries that came before a moment, are over and have their personal fields, in order, after
    /// `after`; at most a page of them.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn personal_kept(
        &mut self,
        before: WallTime,
        after: Option<CallId>,
    ) -> Result<Vec<KeptEntry>, DatabaseError> {
        let args = [
            before.as_unix_millis().into(),
            after.map_or(-1, CallId::as_i64).into(),
            PAGE.into(),
        ];
        let found = self
            .connection
            .all(
                "SELECT e.call, e.arrived_at, e.queue, COALESCE(e.topic, (SELECT f.value
                    FROM entry_fields f WHERE f.call = e.call AND f.field = 'topic')) AS topic
                 FROM entries e LEFT JOIN personal_destroyed d ON d.call = e.call
                 WHERE d.call IS NULL AND e.outcome IS NOT NULL AND e.arrived_at < $1
                   AND e.call > $2 ORDER BY e.call LIMIT $3",
                &args,
            )
            .await;
        found.map_err(|error| self.failed(error))
    }
}

/// Destroys the personal fields of an entry, in one transaction. An engine may run. Again it does
/// nothing.
///
/// # Errors
/// If the database fails; then nothing was changed.
pub async fn destroy(
    database: impl Into<Location>,
    call: CallId,
    why: &Destruction,
) -> Result<(), DatabaseError> {
    let database = database.into();
    let mut connection = store::open(&database).await?;
    let done = destroy_in(&mut connection, call, why).await;
    if done.is_err() {
        connection.roll_back().await;
    }
    connection.close().await;
    done.map_err(|error| DatabaseError::of(&database, error))
}

async fn destroy_in(
    connection: &mut Connection,
    call: CallId,
    why: &Destruction,
) -> Result<(), sqlx::Error> {
    if !connection.is_postgres() {
        // What was in a page is written over, not left in it.
        connection.run("PRAGMA secure_delete = ON", &[]).await?;
    }
    connection.begin().await?;
    let key: Value = call.as_i64().into();
    let events: Vec<(i64, String, String)> = connection
        .all(
            "SELECT id, kind, json FROM events WHERE call = $1",
            core::slice::from_ref(&key),
        )
        .await?;
    for (id, kind, json) in events {
        let mut event: Json =
            serde_json::from_str(&json).map_err(|error| sqlx::Error::Decode(error.into()))?;
        strip(&kind, &mut event);
        let text = event.to_string();
        if apply::read(&text).is_none() {
            let what = format!("event {id} cannot be read without its personal fields");
            return Err(sqlx::Error::Decode(what.into()));
        }
        let args = [text.into(), id.into()];
        let sql = "UPDATE events SET json = $1 WHERE id = $2";
        connection.run(sql, &args).await?;
    }
    let texts = if connection.is_postgres() {
        "DELETE FROM entry_texts WHERE call = $1"
    } else {
        "DELETE FROM entry_texts WHERE rowid = $1"
    };
    for sql in [
        texts,
        "DELETE FROM corrections WHERE call = $1",
        "DELETE FROM entry_fields WHERE call = $1",
    ] {
        connection.run(sql, core::slice::from_ref(&key)).await?;
    }
    let owed = [call.to_string().into()];
    let sql = "DELETE FROM standing WHERE kind = 'callback' AND key = $1";
    connection.run(sql, &owed).await?;
    apply::compute(connection, call).await?;
    let args = [
        key,
        why.at.as_unix_millis().into(),
        (&why.act).into(),
        (&why.reason).into(),
    ];
    let sql = "INSERT INTO personal_destroyed (call, destroyed_at, act, reason)
        VALUES ($1, $2, $3, $4) ON CONFLICT (call) DO NOTHING";
    connection.run(sql, &args).await?;
    connection.commit().await
}

/// Takes what is personal out of an event. It goes by the names of fields, which mean the same in
/// every fact, so that a new fact cannot be forgotten here.
fn strip(kind: &str, event: &mut Json) {
    match event {
        Json::Object(object) => {
            strip_object(kind, object);
            object.values_mut().for_each(|value| strip(kind, value));
        }
        Json::Array(values) => values.iter_mut().for_each(|value| strip(kind, value)),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => {}
    }
}

fn strip_object(kind: &str, object: &mut Map<String, Json>) {
    let is = |object: &Map<String, Json>, key: &str, value: &str| {
        object.get(key).and_then(Json::as_str) == Some(value)
    };
    let mut empty: Vec<&str> = vec!["caller", "caller_name"];
    // Of a call that we made the number dialled is the person's.
    if object.contains_key("direction") && !is(object, "direction", "inbound") {
        empty.push("number");
    }
    // A party, or the target of a transfer, in the outer network.
    if object.contains_key("trunk") && !object.contains_key("plan") || is(object, "to", "outer") {
        empty.push("number");
    }
    // Whom a callback is owed, or was ordered to.
    let callback = object.contains_key("attempts_left") || is(object, "order", "call_back");
    if callback && matches!(kind, "callback_owed" | "ordered") {
        empty.push("number");
    }
    if kind == "entry_reopened" {
        empty.push("reason");
    }
    for key in empty {
        if let Some(Json::String(text)) = object.get_mut(key) {
            text.clear();
        }
    }
    let personal = object
        .get("field")
        .and_then(Json::as_str)
        .is_some_and(|field| !IMPERSONAL.contains(&field));
    if personal && let Some(value) = object.get_mut("value") {
        *value = Json::Null;
    }
}
