//! Owns a connection kept open to ask often whether a table changed (a few microseconds each time).

use crate::db::{Connection, Location};
use crate::error::DatabaseError;
use crate::store;

/// A table that is watched by its version: another number after each change, by whatever program.
#[derive(Debug)]
pub(crate) struct Watched {
    pub(crate) database: Location,
    pub(crate) connection: Connection,
    seen: Option<i64>,
}

impl Watched {
    /// Nothing is seen yet: the first look is a change.
    pub(crate) async fn open(database: Location) -> Result<Self, DatabaseError> {
        let connection = store::open_reader(&database).await?;
        Ok(Self {
            database,
            connection,
            seen: None,
        })
    }

    /// The version by this question, if it is not the one seen last. To be read before the table: a
    /// change between the two is then seen again, not missed.
    pub(crate) async fn changed(
        &mut self,
        sql: &'static str,
    ) -> Result<Option<i64>, DatabaseError> {
        let version = version(&self.database, &mut self.connection, sql).await?;
        Ok((self.seen != Some(version)).then_some(version))
    }

    /// The table was read whole at this version.
    pub(crate) const fn saw(&mut self, version: i64) {
        self.seen = Some(version);
    }
}

/// The version of a table by this question; 0 of an empty one.
pub(crate) async fn version(
    database: &Location,
    connection: &mut Connection,
    sql: &'static str,
) -> Result<i64, DatabaseError> {
    let last: Option<(Option<i64>,)> = connection
        .first(sql, &[])
        .await
        .map_err(|error| DatabaseError::of(database, error))?;
    Ok(last.and_then(|(version,)| version).unwrap_or_default())
}
