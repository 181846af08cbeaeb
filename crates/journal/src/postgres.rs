//! Owns how a database of PostgreSQL (15 or newer) is opened and brought to this program's schema.
//! Knows no table.
//!
//! The server's `synchronous_commit` stays on: a committed batch survives a power loss, so the
//! checkpoint in `applied` never runs ahead of the rows. A statement is given up after half a minute,
//! so that a server that hangs is noticed.

use std::str::FromStr;

use sqlx::ConnectOptions;
use sqlx::migrate::{Migrate, MigrateError, Migration, Migrator};
use sqlx::postgres::{PgConnectOptions, PgConnection};

use crate::db::{Access, Location};
use crate::error::DatabaseError;

/// Migrations of the folder `migrations/postgres`, embedded in the program: the same numbers and
/// names as those of SQLite.
static MIGRATIONS: Migrator = sqlx::migrate!("../../migrations/postgres");

/// After how long the server gives a statement up, in milliseconds.
const STATEMENT_TIMEOUT: &str = "30000";

async fn connect(
    database: &Location,
    url: &str,
    more: &[(&str, &str)],
) -> Result<PgConnection, DatabaseError> {
    let options = PgConnectOptions::from_str(url)
        .map_err(|error| DatabaseError::of(database, error))?
        .application_name("hotline")
        .options([("statement_timeout", STATEMENT_TIMEOUT)])
        .options(more.iter().copied())
        .disable_statement_logging();
    let connection = options.connect().await;
    connection.map_err(|error| DatabaseError::of(database, error))
}

/// Connects for writing, and migrates.
pub(crate) async fn open(database: &Location, url: &str) -> Result<PgConnection, DatabaseError> {
    let mut connection = connect(database, url, &[]).await?;
    let versions = applied_versions(&mut connection).await;
    let versions = versions.map_err(|e| DatabaseError::of_migration(database, latest(), e))?;
    check_newer(database, &versions)?;
    let applied = |one: &Migration| versions.contains(&one.version);
    if !MIGRATIONS.iter().all(applied) {
        let done = MIGRATIONS.run(&mut connection).await;
        done.map_err(|e| DatabaseError::of_migration(database, latest(), e))?;
    }
    Ok(connection)
}

/// Connects to a database that has this program's tables, for reading only or for writing as well.
pub(crate) async fn open_existing(
    database: &Location,
    url: &str,
    access: Access,
) -> Result<PgConnection, DatabaseError> {
    let read_only = [(
        "default_transaction_read_only",
        match access {
            Access::Read => "on",
            Access::Write => "off",
        },
    )];
    let mut connection = connect(database, url, &read_only).await?;
    let versions = applied_versions(&mut connection).await;
    let versions = versions.map_err(|e| DatabaseError::of_migration(database, latest(), e))?;
    check_newer(database, &versions)?;
    if versions.is_empty() {
        return Err(DatabaseError::Missing(database.clone()));
    }
    Ok(connection)
}

/// Migrates, and says what was applied.
pub(crate) async fn migrate(database: &Location, url: &str) -> Result<Vec<String>, DatabaseError> {
    let mut connection = connect(database, url, &[]).await?;
    let before = applied_versions(&mut connection).await;
    let before = before.map_err(|e| DatabaseError::of_migration(database, latest(), e))?;
    drop(connection);
    open(database, url).await?;
    Ok(MIGRATIONS
        .iter()
        .filter(|migration| !before.contains(&migration.version))
        .map(|migration| format!("{:04} {}", migration.version, migration.description))
        .collect())
}

fn check_newer(database: &Location, versions: &[i64]) -> Result<(), DatabaseError> {
    match versions.last() {
        Some(&found) if found > latest() => Err(DatabaseError::Newer {
            path: database.clone(),
            found,
            known: latest(),
        }),
        Some(_) | None => Ok(()),
    }
}

async fn applied_versions(connection: &mut PgConnection) -> Result<Vec<i64>, MigrateError> {
    let exists: bool = sqlx::query_scalar("SELECT to_regclass('_sqlx_migrations') IS NOT NULL")
        .fetch_one(&mut *connection)
        .await?;
    if !exists {
        return Ok(Vec::new());
    }
    let applied = connection
        .list_applied_migrations("_sqlx_migrations")
        .await?;
    let mut versions: Vec<i64> = applied.into_iter().map(|one| one.version).collect();
    versions.sort_unstable();
    Ok(versions)
}

fn latest() -> i64 {
    let versions = MIGRATIONS.iter().map(|migration| migration.version);
    versions.max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sqlite;

    #[test]
    fn migrations_are_those_of_sqlite_by_number_and_name() {
        let names = |migrations: &Migrator| -> Vec<(i64, String)> {
            let each = migrations.iter();
            each.map(|one| (one.version, one.description.to_string()))
                .collect()
        };
        assert_eq!(names(&MIGRATIONS), names(&sqlite::MIGRATIONS));
    }
}
