//! Owns how a database is opened and brought to this program's schema, whichever kind it is.

use crate::apply;
use crate::db::{Access, Connection, Location};
use crate::error::DatabaseError;
use crate::{postgres, sqlite};

/// Version of the fold from events to rows. With another one in the database all rows are computed
/// anew when the journal starts: to be raised with each column that the fold fills.
const COMPUTED: i64 = 2;

/// Opens a database for writing, makes a file if need be, and migrates it.
pub(crate) async fn open(database: &Location) -> Result<Connection, DatabaseError> {
    match database {
        Location::File(path) => sqlite::open(path).await.map(Connection::Sqlite),
        Location::Postgres(url) => {
            let connection = postgres::open(database, url).await;
            connection.map(Connection::Postgres)
        }
    }
}

/// Opens a database that exists, for reading only, while others write.
pub(crate) async fn open_reader(database: &Location) -> Result<Connection, DatabaseError> {
    open_existing(database, Access::Read).await
}

/// Opens a database that exists, for writing beside others. It is not migrated: whoever writes the
/// journal did that.
pub(crate) async fn open_writer(database: &Location) -> Result<Connection, DatabaseError> {
    open_existing(database, Access::Write).await
}

async fn open_existing(database: &Location, access: Access) -> Result<Connection, DatabaseError> {
    match database {
        Location::File(path) => {
            let connection = sqlite::open_existing(path, access).await;
            connection.map(Connection::Sqlite)
        }
        Location::Postgres(url) => {
            let connection = postgres::open_existing(database, url, access).await;
            connection.map(Connection::Postgres)
        }
    }
}

/// Brings a database to this program's schema and its rows to this program's fold, and says which
/// migrations were applied, as `0001 journal`; none if it was up to date. Makes a file if there is
/// none.
///
/// # Errors
/// If the database is broken, newer, locked, away or cannot be written.
pub async fn migrate(database: impl Into<Location>) -> Result<Vec<String>, DatabaseError> {
    let database = database.into();
    let applied = match &database {
        Location::File(path) => sqlite::migrate(path).await?,
        Location::Postgres(url) => postgres::migrate(&database, url).await?,
    };
    let mut connection = open(&database).await?;
    let computed = bring_up_to_date(&mut connection).await;
    connection.close().await;
    computed.map_err(|error| DatabaseError::of(&database, error))?;
    Ok(applied)
}

/// Computes all rows of a database anew from its events; how many entries there are.
///
/// # Errors
/// If the database cannot be used.
pub async fn rebuild(database: impl Into<Location>) -> Result<u64, DatabaseError> {
    let database = database.into();
    let mut connection = open(&database).await?;
    let calls = apply::rebuild(&mut connection).await;
    connection.close().await;
    calls.map_err(|error| DatabaseError::of(&database, error))
}

/// Computes all rows anew if another fold made them.
pub(crate) async fn bring_up_to_date(connection: &mut Connection) -> Result<(), sqlx::Error> {
    let version: Option<(i64,)> = connection
        .first("SELECT version FROM computed", &[])
        .await?;
    if version == Some((COMPUTED,)) {
        return Ok(());
    }
    let calls = apply::rebuild(connection).await?;
    if calls > 0 {
        tracing::info!(calls, "the journal's rows were computed anew");
    }
    mark_computed(connection).await
}

/// All rows are those of this program's fold.
pub(crate) async fn mark_computed(connection: &mut Connection) -> Result<(), sqlx::Error> {
    connection
        .run("UPDATE computed SET version = $1", &[COMPUTED.into()])
        .await
        .map(drop)
}
