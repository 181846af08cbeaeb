//! Owns the removing of event files that nobody needs any more: the database has them, a backup has
//! them, and no call in them is still to be settled. The newest file always stays: the numbers of the
//! next boots follow from it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::apply;
use crate::db::Location;
use crate::error::DatabaseError;
use crate::files::{self, FileId};
use crate::store;

/// What a backup leaves in the folder of event files: up to which file it has them.
const MARK: &str = "backup";

/// What was removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Files that are gone.
    pub files: usize,
    /// What they took.
    pub octets: u64,
    /// Files that stay.
    pub left: usize,
}

/// Whether a file must be in a backup before it goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backups {
    /// It must.
    Needed,
    /// The database alone will do.
    NotNeeded,
}

/// Why files cannot be removed.
#[derive(Debug, thiserror::Error)]
pub enum PruneError {
    /// The database cannot be used.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// The folder cannot be read, or a file not removed.
    #[error("the event files in {} cannot be used: {cause}", .dir.display())]
    Files {
        /// The folder.
        dir: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// There is no backup.
    #[error("there is no backup of this journal yet: `hotline journal backup` makes one")]
    NoBackup,
}

/// Takes down up to where a backup has the event files.
///
/// # Errors
/// If the backup cannot be read or the note not be written.
pub async fn note_backup(dir: &Path, backup: impl Into<Location>) -> Result<(), PruneError> {
    let Some(file) = applied(&backup.into()).await? else {
        return Ok(()); // of an empty journal nothing can be removed
    };
    let failed = |cause| PruneError::Files {
        dir: dir.to_path_buf(),
        cause,
    };
    let text = serde_json::to_string(&file).map_err(|error| failed(io::Error::other(error)))?;
    let new = dir.join(MARK).with_extension("note");
    fs::write(&new, text).map_err(failed)?;
    fs::rename(&new, dir.join(MARK)).map_err(failed)
}

/// Removes the files that are not needed. An engine may run.
///
/// # Errors
/// If the database cannot be read, there is no backup though one is needed, or a file stays.
pub async fn prune(
    dir: &Path,
    database: impl Into<Location>,
    backups: Backups,
) -> Result<Pruned, PruneError> {
    let failed = |cause| PruneError::Files {
        dir: dir.to_path_buf(),
        cause,
    };
    let in_sql = applied(&database.into()).await?;
    let in_backup = match backups {
        Backups::NotNeeded => in_sql,
        Backups::Needed => Some(
            read_mark(dir)
                .map_err(failed)?
                .ok_or(PruneError::NoBackup)?,
        ),
    };
    let files = files::list(dir).map_err(failed)?;
    let settled = unsettled_from(dir, &files).map_err(failed)?;
    let newest = files.last().copied();
    let mut pruned = Pruned::default();
    for file in files {
        let needed = [in_sql, in_backup, settled, newest]
            .into_iter()
            .any(|from| from.is_none_or(|from| file >= from));
        if needed {
            pruned.left += 1;
            continue;
        }
        let path = file.path(dir);
        pruned.octets += fs::metadata(&path).map_err(failed)?.len();
        fs::remove_file(&path).map_err(failed)?;
        pruned.files += 1;
    }
    Ok(pruned)
}

/// The file in which a database stands; those before it are applied whole.
async fn applied(database: &Location) -> Result<Option<FileId>, DatabaseError> {
    let mut connection = store::open_reader(database).await?;
    let position = apply::checkpoint(&mut connection, u32::MAX).await;
    let position = position.map_err(|error| DatabaseError::of(database, error))?;
    Ok(position.map(|position| position.file))
}

fn read_mark(dir: &Path) -> io::Result<Option<FileId>> {
    match fs::read_to_string(dir.join(MARK)) {
        Ok(text) => serde_json::from_str(&text)
            .map(Some)
            .map_err(io::Error::other),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Where a recovery would begin to read: the newest header says so.
fn unsettled_from(dir: &Path, files: &[FileId]) -> io::Result<Option<FileId>> {
    for file in files.iter().rev() {
        if let Some(header) = files::header(dir, *file)? {
            return Ok(Some(header.unsettled_from));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::{BOOT, History, Place, answered_call, arrived, block_on, call};

    fn prune_it(place: &Place, backups: Backups) -> Result<Pruned, PruneError> {
        block_on(prune(&place.events(), place.database(), backups))
    }

    /// Some boots, each with many small files; the first call of the last boot is still up.
    fn place() -> Place {
        let place = Place::new();
        for boot in [BOOT, BOOT + 1] {
            let mut history = History::new(boot);
            if boot == BOOT + 1 {
                for n in 0..4 {
                    answered_call(&mut history, vocab::CallId::new(boot, 100 + n));
                }
                history.say(arrived(vocab::CallId::new(boot, 1)));
            }
            for n in 10..20 {
                answered_call(&mut history, vocab::CallId::new(boot, n));
            }
            place.run_in_files(2_000, boot, &history.events);
        }
        place
    }

    #[test]
    fn files_go_when_database_and_backup_have_them_and_every_call_in_them_is_settled() {
        let place = place();
        let before = place.rows();
        assert!(matches!(
            prune_it(&place, Backups::Needed),
            Err(PruneError::NoBackup)
        ));
        let backup = place.folder.path().join("backup.db");
        block_on(crate::copy(place.database(), &backup)).unwrap();
        block_on(note_backup(&place.events(), &backup)).unwrap();
        let pruned = prune_it(&place, Backups::Needed).unwrap();
        assert!(pruned.files > 0 && pruned.octets > 0, "{pruned:?}");
        assert!(pruned.left > 0, "{pruned:?}");
        let again = prune_it(&place, Backups::Needed).unwrap();
        assert_eq!((again.files, again.left), (0, pruned.left));
        // The next start finds all it needs: the call that was up is closed, the rest is as it was.
        let recovery = place.run(BOOT + 2, &[]);
        assert_eq!(recovery.interrupted, [vocab::CallId::new(BOOT + 1, 1)]);
        assert_eq!(place.rows().len(), before.len());
        assert_eq!(place.problems(), []);
    }

    #[test]
    fn what_came_after_the_backup_stays() {
        let place = Place::new();
        let mut history = History::new(BOOT);
        answered_call(&mut history, call(1));
        place.run(BOOT, &history.events);
        let backup = place.folder.path().join("backup.db");
        block_on(crate::copy(place.database(), &backup)).unwrap();
        block_on(note_backup(&place.events(), &backup)).unwrap();
        place.run_in_files(1, BOOT + 1, &{
            let mut history = History::new(BOOT + 1);
            answered_call(&mut history, vocab::CallId::new(BOOT + 1, 1));
            history.events
        });
        let files = files::list(&place.events()).unwrap().len();
        let pruned = prune_it(&place, Backups::Needed).unwrap();
        assert_eq!((pruned.files, pruned.left), (0, files));
        let pruned = prune_it(&place, Backups::NotNeeded).unwrap();
        assert!(pruned.files > 0);
    }
}
