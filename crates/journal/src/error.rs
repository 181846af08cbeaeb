//! Owns the errors at the crate's edge, named by whom to blame. Each prints one plain sentence,
//! its cause included: the cause is therefore no `source()`, which would print it a second time.

use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::Access;
use sqlx::migrate::MigrateError;

use crate::db::Location;

/// Why the journal cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The folder of event files cannot be made, read or written.
    #[error("the event files in {} cannot be used: {cause}; check the folder, its owner and the free space", .dir.display())]
    EventFiles {
        /// The folder.
        dir: PathBuf,
        /// What the system said.
        cause: io::Error,
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
    #[error("there is no journal database at {0}; start the engine once or run `hotline migrate`")]
    Missing(Location),
    /// The file is something else, or damaged.
    #[error("the file {} is not a journal database or is damaged; restore it from a backup, or move it away and it is rebuilt from the event files, which do not hold the operators and their passwords: add those again", .0.display())]
    Broken(PathBuf),
    /// A later version of the program made it.
    #[error(
        "the database {path} was made by a newer hotline (its schema is {found}, this program knows {known}); update the program"
    )]
    Newer {
        /// Which.
        path: Location,
        /// Migration found in it.
        found: i64,
        /// The highest that this program has.
        known: i64,
    },
    /// A migration in the file differs from the one in the program.
    #[error(
        "the schema {version} of the database {path} is not the one of this program; restore the database that belongs to it"
    )]
    Foreign {
        /// Which.
        path: Location,
        /// The migration that differs.
        version: i64,
    },
    /// Somebody holds a lock for too long. It may work later.
    #[error("the database {} is locked by another program; close that program or try again", .0.display())]
    Locked(PathBuf),
    /// The file, one that SQLite keeps beside it, or its folder cannot be written.
    #[error("the journal's database cannot write {}: {cause}; check that it exists, its owner, its mode and the free space", .file.display())]
    Unwritable {
        /// The file or folder at fault; the database itself if none could be singled out.
        file: PathBuf,
        /// What the system or SQLite said.
        cause: String,
    },
    /// The server cannot be reached, or does not let us in. It may work later.
    #[error(
        "the database {database} cannot be reached: {cause}; check that the server runs, its address, and the user's rights"
    )]
    Away {
        /// Which.
        database: Location,
        /// What the system or the server said.
        cause: String,
    },
    /// Anything else the database said.
    #[error("the database {path} failed: {cause}")]
    Other {
        /// Which.
        path: Location,
        /// What it said.
        cause: sqlx::Error,
    },
}

// Primary result codes: https://www.sqlite.org/rescode.html
const PERM: u32 = 3;
const BUSY: u32 = 5;
const LOCKED: u32 = 6;
const READONLY: u32 = 8;
const IOERR: u32 = 10;
const CORRUPT: u32 = 11;
const FULL: u32 = 13;
const CANTOPEN: u32 = 14;
const NOTADB: u32 = 26;

impl DatabaseError {
    /// Names the party to blame for what sqlx said about `database`.
    pub(crate) fn of(database: &Location, cause: sqlx::Error) -> Self {
        match database {
            Location::File(path) => Self::of_file(path, cause),
            Location::Postgres(_) => Self::of_server(database, cause),
        }
    }

    fn of_file(path: &Path, cause: sqlx::Error) -> Self {
        let code = cause
            .as_database_error()
            .and_then(|error| error.code())
            .and_then(|code| code.parse::<u32>().ok())
            .map(|extended| extended & 0xff);
        let path = path.to_path_buf();
        match code {
            Some(BUSY | LOCKED) => Self::Locked(path),
            Some(PERM | READONLY | IOERR | FULL | CANTOPEN) => Self::unwritable(path, &cause),
            Some(CORRUPT | NOTADB) => Self::Broken(path),
            _ => Self::Other {
                path: path.into(),
                cause,
            },
        }
    }

    /// A server that is not there, goes down (class 57 of its codes), has no room for us (53) or does
    /// not know us (28), against one that runs and refuses a statement.
    fn of_server(database: &Location, cause: sqlx::Error) -> Self {
        let code = cause.as_database_error().and_then(|error| error.code());
        let away = match code.as_deref() {
            Some(code) => ["57", "53", "28", "08", "3D"]
                .iter()
                .any(|class| code.starts_with(class)),
            None => matches!(
                cause,
                sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::Protocol(_)
            ),
        };
        if away {
            return Self::Away {
                database: database.clone(),
                cause: cause.to_string(),
            };
        }
        Self::Other {
            path: database.clone(),
            cause,
        }
    }

    /// SQLite does not say which of its files it could not write.
    fn unwritable(path: PathBuf, cause: &sqlx::Error) -> Self {
        if let Some((file, cause)) = culprit(&path, may_write) {
            return Self::Unwritable {
                file,
                cause: cause.to_string(),
            };
        }
        let said = cause.as_database_error().map(|error| error.message());
        Self::Unwritable {
            file: path,
            cause: said.map_or_else(|| cause.to_string(), str::to_owned),
        }
    }

    /// The same for a migration.
    pub(crate) fn of_migration(database: &Location, known: i64, source: MigrateError) -> Self {
        match source {
            MigrateError::Execute(source) | MigrateError::ExecuteMigration(source, _) => {
                Self::of(database, source)
            }
            MigrateError::VersionMissing(found) => Self::Newer {
                path: database.clone(),
                found,
                known,
            },
            MigrateError::VersionMismatch(version) | MigrateError::Dirty(version) => {
                Self::Foreign {
                    path: database.clone(),
                    version,
                }
            }
            other => Self::Other {
                path: database.clone(),
                cause: sqlx::Error::Migrate(Box::new(other)),
            },
        }
    }

    /// Whether waiting may help, so that a start need not fail.
    pub(crate) const fn may_pass(&self) -> bool {
        matches!(self, Self::Locked(_) | Self::Away { .. })
    }
}

/// The first that cannot be written, of the database at `path`, its WAL and the index of that
/// (<https://www.sqlite.org/walformat.html>), and the folder in which SQLite makes those two.
fn culprit(
    path: &Path,
    may_write: impl Fn(&Path) -> io::Result<()>,
) -> Option<(PathBuf, io::Error)> {
    let beside = |suffix| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    };
    for file in [path.to_path_buf(), beside("-wal"), beside("-shm")] {
        match may_write(&file) {
            Ok(()) => {}
            // SQLite makes what is not there: then it is the folder that matters.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Some((file, error)),
        }
    }
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        Some(_) | None => Path::new("."),
    };
    let error = may_write(folder).err()?;
    Some((folder.to_path_buf(), error))
}

/// Asks without opening: closing any descriptor of a file drops the locks that SQLite, elsewhere
/// in this process, holds on it (<https://www.sqlite.org/howtocorrupt.html>, section 2.2).
fn may_write(path: &Path) -> io::Result<()> {
    Ok(rustix::fs::access(path, Access::WRITE_OK)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::error::Error;

    /// Every text of the chain, as anyhow's `{:#}` joins them.
    fn whole(error: &dyn Error) -> String {
        let mut text = error.to_string();
        let mut next = error.source();
        while let Some(cause) = next {
            text.push_str(&format!(": {cause}"));
            next = cause.source();
        }
        text
    }

    #[test]
    fn a_cause_is_told_once() {
        let io = || io::Error::other("the cause");
        let sql = || sqlx::Error::Protocol("the cause".to_owned());
        let path = &Location::parse("journal.db");
        let folder = tempfile::tempdir().unwrap();
        let migration = MigrateError::ExecuteMigration(sql(), 1);
        let source = MigrateError::Source("the cause".into());
        let of = |error: DatabaseError| whole(&StartError::from(error));
        for text in [
            whole(&StartError::EventFiles {
                dir: "events".into(),
                cause: io(),
            }),
            whole(&StartError::Thread(io())),
            of(DatabaseError::of(path, sql())),
            of(DatabaseError::of_migration(path, 1, migration)),
            of(DatabaseError::of_migration(path, 1, source)),
            of(DatabaseError::unwritable(
                folder.path().join("journal.db"),
                &sql(),
            )),
            whole(&crate::export::ExportError::from(io())),
            whole(&crate::export::ExportError::from(DatabaseError::of(
                path,
                sql(),
            ))),
        ] {
            assert_eq!(text.matches("the cause").count(), 1, "{text}");
        }
    }

    #[test]
    fn what_cannot_be_written_is_singled_out() {
        let path = Path::new("folder/journal.db");
        let first = |denied: &[&str], missing: &[&str]| {
            let found = culprit(path, |file| {
                let is = |list: &[&str]| list.iter().any(|name| Path::new(name) == file);
                match (is(denied), is(missing)) {
                    (true, _) => Err(io::ErrorKind::PermissionDenied.into()),
                    (_, true) => Err(io::ErrorKind::NotFound.into()),
                    _ => Ok(()),
                }
            });
            found.map(|(file, _)| file.display().to_string())
        };
        let (db, wal, shm) = (
            "folder/journal.db",
            "folder/journal.db-wal",
            "folder/journal.db-shm",
        );
        assert_eq!(first(&[db, "folder"], &[wal, shm]).as_deref(), Some(db));
        assert_eq!(first(&[wal], &[shm]).as_deref(), Some(wal));
        assert_eq!(first(&[shm], &[]).as_deref(), Some(shm));
        assert_eq!(first(&["folder"], &[wal]).as_deref(), Some("folder"));
        let nothing = [db, wal, shm, "folder"];
        assert_eq!(first(&[], &nothing).as_deref(), Some("folder"));
        assert_eq!(first(&[], &[wal, shm]), None);
    }

    #[test]
    fn a_damaged_database_is_not_moved_away_in_the_belief_that_operators_come_back() {
        let text = DatabaseError::Broken("journal.db".into()).to_string();
        assert!(text.contains("operators and their passwords"), "{text}");
    }
}
