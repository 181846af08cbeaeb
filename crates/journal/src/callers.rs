//! Owns the table of numbers on lists of callers: written by hand, watched by the running engine. What a list
//! means is in the settings; refuses to know it.

use crate::db::{Connection, Location};
use crate::error::DatabaseError;
use crate::store;
use crate::watch::Watched;

/// A number on a list.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Listed {
    /// The list, by its name in the settings.
    pub list: String,
    /// The number, as it was written.
    pub number: String,
    /// Login of the operator who looks after this caller.
    pub owner: Option<String>,
    /// What people should know.
    pub note: String,
    /// Who wrote it.
    pub written_by: String,
    /// When, ms since 1970.
    pub written_at: i64,
}

/// Puts a number on a list, in place of what stood there of it.
///
/// # Errors
/// If the database cannot be used.
pub async fn put(database: impl Into<Location>, listed: &Listed) -> Result<(), DatabaseError> {
    let database = database.into();
    let mut connection = store::open(&database).await?;
    put_into(&mut connection, listed)
        .await
        .map_err(|error| DatabaseError::of(&database, error))
}

pub(crate) async fn put_into(
    connection: &mut Connection,
    listed: &Listed,
) -> Result<(), sqlx::Error> {
    let values = [
        (&listed.list).into(),
        (&listed.number).into(),
        listed.owner.clone().into(),
        (&listed.note).into(),
        (&listed.written_by).into(),
        listed.written_at.into(),
    ];
    connection
        .run(
            "INSERT INTO caller_list (list, number, owner, note, written_by, written_at)
             VALUES ($1, $2, $3, $4, $5, $6)
             ON CONFLICT (list, number) DO UPDATE SET
                 owner = excluded.owner, note = excluded.note,
                 written_by = excluded.written_by, written_at = excluded.written_at",
            &values,
        )
        .await
        .map(|_| ())
}

/// Takes a number off a list; says whether it was on it.
///
/// # Errors
/// If the database cannot be used.
pub async fn remove(
    database: impl Into<Location>,
    list: &str,
    number: &str,
) -> Result<bool, DatabaseError> {
    let database = database.into();
    let mut connection = store::open(&database).await?;
    let removed = connection
        .run(
            "DELETE FROM caller_list WHERE list = $1 AND number = $2",
            &[list.into(), number.into()],
        )
        .await;
    let removed = removed.map_err(|error| DatabaseError::of(&database, error))?;
    Ok(removed > 0)
}

/// All numbers, by list.
///
/// # Errors
/// If the database cannot be used.
pub async fn list(database: impl Into<Location>) -> Result<Vec<Listed>, DatabaseError> {
    let database = database.into();
    let mut connection = store::open(&database).await?;
    read(&mut connection)
        .await
        .map_err(|error| DatabaseError::of(&database, error))
}

pub(crate) async fn read(connection: &mut Connection) -> Result<Vec<Listed>, sqlx::Error> {
    connection
        .all(
            "SELECT list, number, owner, note, written_by, written_at FROM caller_list ORDER BY list, number",
            &[],
        )
        .await
}

/// Tells when the table changes.
#[derive(Debug)]
pub struct Watch(Watched);

impl Watch {
    /// Begins to watch; the first [`Watch::changes`] gives the table as it is.
    ///
    /// # Errors
    /// If the database cannot be used.
    pub async fn open(database: impl Into<Location>) -> Result<Self, DatabaseError> {
        Watched::open(database.into()).await.map(Self)
    }

    /// The whole table if it changed since the last call.
    ///
    /// # Errors
    /// If the database cannot be used; ask again later.
    pub async fn changes(&mut self) -> Result<Option<Vec<Listed>>, DatabaseError> {
        const VERSION: &str = "SELECT version FROM caller_list_version";
        let Some(version) = self.0.changed(VERSION).await? else {
            return Ok(None);
        };
        let listed = read(&mut self.0.connection)
            .await
            .map_err(|error| DatabaseError::of(&self.0.database, error))?;
        self.0.saw(version);
        Ok(Some(listed))
    }
}
