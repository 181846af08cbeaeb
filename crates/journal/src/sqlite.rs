//! Owns how the SQLite file is opened and brought to this program's schema. Knows no table.
//!
//! WAL: readers never stop the writer. `synchronous=FULL`: a committed batch survives a power
//! loss, so the checkpoint in `applied` never runs ahead of the rows.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use sqlx::migrate::{Migrate, MigrateError, Migrator};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, SqlSafeStr, SqliteConnection};

use crate::db::Access;
use crate::error::DatabaseError;

/// Migrations of the folder `migrations/sqlite`, embedded in the program.
pub(crate) static MIGRATIONS: Migrator = sqlx::migrate!("../../migrations/sqlite");

/// How long a statement waits for another program's lock before it fails and is tried again.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Two programs may migrate a new file at once; the loser looks again this often.
const MIGRATION_TRIES: u32 = 3;

fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .busy_timeout(BUSY_TIMEOUT)
        .synchronous(SqliteSynchronous::Full)
        .disable_statement_logging()
}

/// Opens the file for writing, makes it if need be, and migrates it.
pub(crate) async fn open(path: &Path) -> Result<SqliteConnection, DatabaseError> {
    create_private(path);
    match open_once(path).await {
        // Opening puts right the mode of an empty WAL, which counts from the next time only.
        Err(DatabaseError::Unwritable { .. }) => open_once(path).await,
        opened => opened,
    }
}

async fn open_once(path: &Path) -> Result<SqliteConnection, DatabaseError> {
    let connection = options(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal);
    let mut connection = connection
        .connect()
        .await
        .map_err(|e| DatabaseError::of(&path.into(), e))?;
    let mut ready = run_migrations(path, &mut connection).await;
    if ready.is_ok() {
        ready = prove_writable(path, &mut connection).await;
    }
    match ready {
        Ok(()) => Ok(connection),
        Err(error) => {
            // Dropped, it would be closed a moment later, in the middle of the next try.
            drop(connection.close().await);
            Err(error)
        }
    }
}

/// SQLite opens what it may not write for reading, and says so at the first write only: this is
/// that write, taken back. Another program's lock passes, and at once: whoever writes waits for it.
async fn prove_writable(
    path: &Path,
    connection: &mut SqliteConnection,
) -> Result<(), DatabaseError> {
    let failed = |error| DatabaseError::of(&path.into(), error);
    run(connection, "PRAGMA busy_timeout = 0")
        .await
        .map_err(failed)?;
    match run(connection, "BEGIN IMMEDIATE").await.map_err(failed) {
        Ok(()) => {
            run(connection, "UPDATE _sqlx_migrations SET success = success")
                .await
                .map_err(failed)?;
            run(connection, "ROLLBACK").await.map_err(failed)?;
        }
        Err(error) if error.may_pass() => {}
        Err(error) => return Err(error),
    }
    let timeout = format!("PRAGMA busy_timeout = {}", BUSY_TIMEOUT.as_millis());
    run(connection, AssertSqlSafe(timeout))
        .await
        .map_err(failed)
}

async fn run(connection: &mut SqliteConnection, sql: impl SqlSafeStr) -> sqlx::Result<()> {
    sqlx::query(sql).execute(connection).await.map(drop)
}

/// Opens a file that exists and has this program's tables, for reading only or for writing as well,
/// while others write.
pub(crate) async fn open_existing(
    path: &Path,
    access: Access,
) -> Result<SqliteConnection, DatabaseError> {
    if !path.exists() {
        return Err(DatabaseError::Missing(path.into()));
    }
    // Not SQLite's read-only mode: a WAL file without its -shm could not be opened by it.
    let mut connection = options(path)
        .create_if_missing(false)
        .pragma(
            "query_only",
            match access {
                Access::Read => "on",
                Access::Write => "off",
            },
        )
        .connect()
        .await
        .map_err(|e| DatabaseError::of(&path.into(), e))?;
    let applied = applied_versions(&mut connection)
        .await
        .map_err(|e| DatabaseError::of_migration(&path.into(), latest(), e))?;
    match applied.last() {
        Some(&found) if found > latest() => Err(DatabaseError::Newer {
            path: path.into(),
            found,
            known: latest(),
        }),
        Some(_) => Ok(connection),
        None => Err(DatabaseError::Missing(path.into())),
    }
}

/// Migrates, and says what was applied. Makes the file if there is none.
pub(crate) async fn migrate(path: &Path) -> Result<Vec<String>, DatabaseError> {
    let before = match open_existing(path, Access::Read).await {
        Ok(mut connection) => applied_versions(&mut connection)
            .await
            .map_err(|e| DatabaseError::of_migration(&path.into(), latest(), e))?,
        Err(DatabaseError::Missing(_)) => Vec::new(),
        Err(error) => return Err(error),
    };
    open(path).await?;
    Ok(MIGRATIONS
        .iter()
        .filter(|migration| !before.contains(&migration.version))
        .map(|migration| format!("{:04} {}", migration.version, migration.description))
        .collect())
}

async fn run_migrations(
    path: &Path,
    connection: &mut SqliteConnection,
) -> Result<(), DatabaseError> {
    let mut tried = 0;
    loop {
        tried += 1;
        match MIGRATIONS.run(&mut *connection).await {
            Ok(()) => return Ok(()),
            Err(MigrateError::ExecuteMigration(..)) if tried < MIGRATION_TRIES => {}
            Err(error) => return Err(DatabaseError::of_migration(&path.into(), latest(), error)),
        }
    }
}

async fn applied_versions(connection: &mut SqliteConnection) -> Result<Vec<i64>, MigrateError> {
    let exists: Option<i64> =
        sqlx::query_scalar("SELECT 1 FROM sqlite_master WHERE name = '_sqlx_migrations'")
            .fetch_optional(&mut *connection)
            .await?;
    if exists.is_none() {
        return Ok(Vec::new());
    }
    let mut versions: Vec<i64> = connection
        .list_applied_migrations("_sqlx_migrations")
        .await?
        .into_iter()
        .map(|applied| applied.version)
        .collect();
    versions.sort_unstable();
    Ok(versions)
}

fn latest() -> i64 {
    MIGRATIONS
        .iter()
        .map(|migration| migration.version)
        .max()
        .unwrap_or(0)
}

/// The database holds callers' numbers and the secrets of telephones: nobody else may read it.
/// SQLite gives its WAL the same mode. An error shows itself when SQLite opens the file.
fn create_private(path: &Path) {
    let created = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path);
    drop(created);
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn error_of(path: &Path) -> String {
        open(path).await.map(drop).unwrap_err().to_string()
    }

    #[tokio::test]
    async fn migrating_says_what_it_did_and_then_does_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal.db");
        let done = migrate(&path).await.unwrap();
        assert_eq!(
            done,
            [
                "0001 journal",
                "0002 line addresses",
                "0003 bindings",
                "0004 transfers",
                "0005 held time",
                "0006 waiting messages",
                "0007 audio quality",
                "0008 complete entries",
                "0009 recordings",
                "0010 messages",
                "0011 duties",
                "0012 personal",
                "0013 webhooks",
                "0014 emergencies",
                "0017 persons",
                "0018 sessions",
                "0019 cards destroyed",
                "0020 figures",
                "0021 caller lists",
                "0022 rare entries",
                "0023 answers",
                "0024 recorded waits"
            ]
        );
        assert!(migrate(&path).await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn a_database_is_private() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal.db");
        open(&path).await.unwrap();
        assert_eq!(
            std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
    }

    #[tokio::test]
    async fn a_file_that_is_no_database_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal.db");
        std::fs::write(&path, "hello, I am a text file".repeat(100)).unwrap();
        let error = error_of(&path).await;
        assert!(
            error.contains("journal.db is not a journal database"),
            "{error}"
        );
        assert!(!error.contains('\n'));
        assert!(migrate(&path).await.is_err());
    }

    #[tokio::test]
    async fn a_newer_schema_is_refused_by_writers_and_readers() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal.db");
        let mut connection = open(&path).await.unwrap();
        sqlx::query("INSERT INTO _sqlx_migrations VALUES (99, 'later', '2030-01-01', 1, x'00', 1)")
            .execute(&mut connection)
            .await
            .unwrap();
        drop(connection);
        let error = error_of(&path).await;
        let known = format!("its schema is 99, this program knows {}", latest());
        assert!(
            error.contains("newer hotline") && error.contains(&known),
            "{error}"
        );
        let error = open_existing(&path, Access::Read)
            .await
            .map(drop)
            .unwrap_err()
            .to_string();
        assert!(error.contains("newer hotline"), "{error}");
    }

    #[tokio::test]
    async fn a_folder_that_is_not_there_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let error = error_of(&dir.path().join("nowhere/journal.db")).await;
        let expected = format!(
            "cannot write {}: No such",
            dir.path().join("nowhere").display()
        );
        assert!(error.contains(&expected), "{error}");
    }

    #[tokio::test]
    async fn a_connection_that_sqlite_opened_for_reading_is_no_writer() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal.db");
        let mut writer = open(&path).await.unwrap();
        let mut reader = options(&path).read_only(true).connect().await.unwrap();
        let error = prove_writable(&path, &mut reader).await.unwrap_err();
        assert!(matches!(error, DatabaseError::Unwritable { .. }), "{error}");
        let timeout: i64 = sqlx::query_scalar("PRAGMA busy_timeout")
            .fetch_one(&mut writer)
            .await
            .unwrap();
        assert_eq!(timeout, 5_000, "the probe put it back");
    }

    #[tokio::test]
    async fn a_locked_file_is_opened_without_waiting_for_the_lock() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal.db");
        let mut other = open(&path).await.unwrap();
        run(&mut other, "BEGIN EXCLUSIVE").await.unwrap();
        let begun = std::time::Instant::now();
        open(&path).await.unwrap();
        assert!(begun.elapsed() < BUSY_TIMEOUT);
    }

    #[tokio::test]
    async fn a_reader_cannot_write() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal.db");
        open(&path).await.unwrap();
        let mut reader = open_existing(&path, Access::Read).await.unwrap();
        assert!(
            sqlx::query("DELETE FROM events")
                .execute(&mut reader)
                .await
                .is_err()
        );
    }
}
