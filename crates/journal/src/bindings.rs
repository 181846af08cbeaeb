//! Owns the registrations of telephones as they stand: the fold of their events into the table
//! `bindings`, and its reading at the start.

use std::collections::BTreeMap;
use std::path::Path;

use vocab::{Event, Fact, Registration};

use crate::apply;
use crate::db::{Connection, Location, Readable};
use crate::error::DatabaseError;
use crate::files::{FileId, Reader};
use crate::store;

/// What became of each telephone, by login and key: its registration, or none.
#[derive(Debug, Default)]
struct Fold(BTreeMap<(String, String), Option<Registration>>);

impl Fold {
    fn note(&mut self, event: &Event) {
        match &event.fact {
            Fact::TelephoneRegistered { registration } => {
                let key = (registration.login.clone(), registration.key.clone());
                self.0.insert(key, Some((**registration).clone()));
            }
            Fact::TelephoneUnregistered { login, key } => {
                self.0.insert((login.clone(), key.clone()), None);
            }
            _ => {} // Facts of calls and of the engine: the table of all of them is `events`.
        }
    }
}

/// Brings the table up to a batch of events.
pub(crate) async fn write(connection: &mut Connection, batch: &[Event]) -> Result<(), sqlx::Error> {
    let mut fold = Fold::default();
    for event in batch {
        fold.note(event);
    }
    for ((login, key), registration) in fold.0 {
        match registration {
            Some(registration) => {
                let json = serde_json::to_string(&registration)
                    .map_err(|error| sqlx::Error::Encode(Box::new(error)))?;
                connection
                    .run(
                        "INSERT INTO bindings (login, key, until, json) VALUES ($1, $2, $3, $4)
                         ON CONFLICT (login, key) DO UPDATE
                         SET until = excluded.until, json = excluded.json",
                        &[
                            login.into(),
                            key.into(),
                            registration.until.as_unix_millis().into(),
                            json.into(),
                        ],
                    )
                    .await?;
            }
            None => {
                connection
                    .run(
                        "DELETE FROM bindings WHERE login = $1 AND key = $2",
                        &[login.into(), key.into()],
                    )
                    .await?;
            }
        }
    }
    Ok(())
}

/// Why registrations cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum BindingsError {
    /// The database cannot be used.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// An event file cannot be read.
    #[error("an event file cannot be read: {0}")]
    File(#[from] std::io::Error),
}

/// The telephones that are registered as of the last event on disk: what the database has, and
/// the events that it does not have yet. `boot`: the one that now begins.
///
/// # Errors
/// If database or event files cannot be read.
pub async fn load(
    events: &Path,
    database: impl Into<Location>,
    boot: u32,
) -> Result<Vec<Registration>, BindingsError> {
    let sql = "SELECT json FROM bindings";
    let (rows, newer): (Vec<(String,)>, Vec<Event>) =
        with_newer(events, &database.into(), boot, sql, |fact| {
            matches!(
                fact,
                Fact::TelephoneRegistered { .. } | Fact::TelephoneUnregistered { .. }
            )
        })
        .await?;
    let mut fold = Fold::default();
    for (json,) in rows {
        match serde_json::from_str::<Registration>(&json) {
            Ok(registration) => {
                let key = (registration.login.clone(), registration.key.clone());
                fold.0.insert(key, Some(registration));
            }
            Err(error) => tracing::error!(%error, "a binding in the database is unreadable"),
        }
    }
    for event in &newer {
        fold.note(event);
    }
    Ok(fold.0.into_values().flatten().collect())
}

/// Rows that the database has, and the events on disk that it does not have yet, of those wanted.
pub(crate) async fn with_newer<T: Readable>(
    events: &Path,
    database: &Location,
    boot: u32,
    sql: &'static str,
    wanted: fn(&Fact) -> bool,
) -> Result<(Vec<T>, Vec<Event>), BindingsError> {
    let mut connection = store::open(database).await?;
    // One view of both: a batch that is applied meanwhile is in both or in neither.
    let read = connection.view(async |view| {
        let rows = view.all(sql, &[]).await?;
        Ok((rows, apply::checkpoint(view, boot).await?))
    });
    let read = read.await;
    let (rows, from) = read.map_err(|error| DatabaseError::of(database, error))?;
    drop(connection);
    let mut newer = Vec::new();
    let mut reader = Reader::new(events, from.unwrap_or(FileId::FIRST.at(0)));
    while let Some(event) = reader.next(None)? {
        if wanted(&event.fact) {
            newer.push(event);
        }
    }
    Ok((rows, newer))
}
