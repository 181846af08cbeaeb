//! Owns the errors at the crate's edge, named by whom to blame. Each prints one plain sentence.

use std::io;
use std::path::{Path, PathBuf};

use sqlx::migrate::MigrateError;

/// Why the journal cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The folder of event files cannot be made, read or written.
    #[error("the event files in {} cannot be used: {source}; check the folder, its owner and the free space", .dir.display())]
    EventFiles {
        /// The folder.
        dir: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another process holds the folder.
    #[error("another hotline is running with the event files in {}; stop it, or give this one a folder of its own", .dir.display())]
    InUse {
        /// The folder.
        dir: PathBuf,
    },
    /// The boot number was used already; take it from [`crate::choose_boot`].
    #[error("the boot number {boot} is not above {last}, the last one in {}; check the clock of the machine", .dir.display())]
    BootTaken {
        /// The folder.
        dir: PathBuf,
        /// The number given.
        boot: u32,
        /// The highest number on disk.
        last: u32,
    },
    /// A thread could not be started.
    #[error("a thread of the journal cannot be started: {0}")]
    Thread(io::Error),
    /// The database cannot be used.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

/// Why a database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// There is no such file.
    #[error("there is no journal database at {}; start the engine once or run `hotline migrate`", .0.display())]
    Missing(PathBuf),
    /// The file is something else, or damaged.
    #[error("the file {} is not a journal database or is damaged; restore it from a backup, or move it away and it is rebuilt from the event files", .0.display())]
    Broken(PathBuf),
    /// A later version of the program made it.
    #[error("the database {} was made by a newer hotline (its schema is {found}, this program knows {known}); update the program", .path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Migration found in it.
        found: i64,
        /// The highest that this program has.
        known: i64,
    },
    /// A migration in the file differs from the one in the program.
    #[error("the schema {version} of the database {} is not the one of this program; restore the database that belongs to it", .path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// The migration that differs.
        version: i64,
    },
    /// Somebody holds a lock for too long. It may work later.
    #[error("the database {} is locked by another program; close that program or try again", .0.display())]
    Locked(PathBuf),
    /// The file or its folder cannot be opened or written.
    #[error("the database {} cannot be opened for writing; check that its folder exists, its owner and the free space", .0.display())]
    Unwritable(PathBuf),
    /// Anything else the database said.
    #[error("the database {} failed: {source}", .path.display())]
    Other {
        /// The file.
        path: PathBuf,
        /// What it said.
        source: sqlx::Error,
    },
}

// Primary result codes: https://www.sqlite.org/rescode.html
const BUSY: u32 = 5;
const LOCKED: u32 = 6;
const READONLY: u32 = 8;
const IOERR: u32 = 10;
const CORRUPT: u32 = 11;
const FULL: u32 = 13;
const CANTOPEN: u32 = 14;
const NOTADB: u32 = 26;

impl DatabaseError {
    /// Names the party to blame for what sqlx said about `path`.
    pub(crate) fn of(path: &Path, source: sqlx::Error) -> Self {
        let code = source
            .as_database_error()
            .and_then(|error| error.code())
            .and_then(|code| code.parse::<u32>().ok())
            .map(|extended| extended & 0xff);
        let path = path.to_path_buf();
        match code {
            Some(BUSY | LOCKED) => Self::Locked(path),
            Some(READONLY | IOERR | FULL | CANTOPEN) => Self::Unwritable(path),
            Some(CORRUPT | NOTADB) => Self::Broken(path),
            _ => Self::Other { path, source },
        }
    }

    /// The same for a migration.
    pub(crate) fn of_migration(path: &Path, known: i64, source: MigrateError) -> Self {
        match source {
            MigrateError::Execute(source) | MigrateError::ExecuteMigration(source, _) => {
                Self::of(path, source)
            }
            MigrateError::VersionMissing(found) => Self::Newer {
                path: path.to_path_buf(),
                found,
                known,
            },
            MigrateError::VersionMismatch(version) | MigrateError::Dirty(version) => {
                Self::Foreign {
                    path: path.to_path_buf(),
                    version,
                }
            }
            other => Self::Other {
                path: path.to_path_buf(),
                source: sqlx::Error::Migrate(Box::new(other)),
            },
        }
    }

    /// Whether waiting may help, so that a start need not fail.
    pub(crate) const fn is_locked(&self) -> bool {
        matches!(self, Self::Locked(_))
    }
}
