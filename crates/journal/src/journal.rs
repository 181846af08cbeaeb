//! Owns the running journal: start, the two threads, the handle that the driver holds, stop.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::Sender;
use tokio::sync::watch;
use vocab::{Event, EventId, WallTime};

use crate::db::Location;
use crate::error::StartError;
use crate::files::{self, Position};
use crate::follow::{Applied, Follower, Sql};
use crate::health::{Counters, Health};
use crate::recover::{Recovery, recover};
use crate::scribe::{Helm, Leaving, Scribe};
use crate::store;
use crate::unsettled::Unsettled;
use crate::writer::{Writer, Writing};

/// 2020-01-01T00:00:00Z in Unix seconds: where boot numbers count from.
const BOOTS_SINCE: i64 = 1_577_836_800;

/// Highest boot number that fits the ids.
const BOOT_MAX: u32 = 0x7fff_ffff;

/// Length at which a new event file is begun: about a day of 10,000 calls.
const FILE_OCTETS: u64 = 64 << 20;

/// How long a stop waits for the database. What is not in SQL by then is replayed at next start.
const STOP_LIMIT: Duration = Duration::from_secs(15);

/// Where the journal lives.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Folder of the event files; made if it is not there.
    pub dir: PathBuf,
    /// The database. A file is made if it is not there, and may be on another disk.
    pub database: Location,
    /// Least time between two syncs of the event file; 5 ms is good.
    pub group: Duration,
    /// The leaving engine, where this process is its successor: its calls are not closed as cut off.
    pub leaving: Option<Leaving>,
}

impl Settings {
    /// Settings with the usual grouping of 5 ms.
    #[must_use]
    pub fn new(dir: impl Into<PathBuf>, database: impl Into<Location>) -> Self {
        Self {
            dir: dir.into(),
            database: database.into(),
            group: Duration::from_millis(5),
            leaving: None,
        }
    }
}

/// The boot number for a process that starts at `now`: seconds since 2020, but above every boot
/// that has files in `dir`, so that two starts in one second, or a clock that was set back, do not
/// use ids twice.
///
/// # Errors
/// If the folder exists and cannot be read, or numbers have run out.
pub fn choose_boot(dir: &Path, now: WallTime) -> Result<u32, StartError> {
    let seconds = (now.as_unix_millis() / 1_000).saturating_sub(BOOTS_SINCE);
    let clock = u32::try_from(seconds).unwrap_or(1).clamp(1, BOOT_MAX);
    let last = if dir.exists() { last_boot(dir)? } else { 0 };
    let boot = clock.max(last.saturating_add(1));
    if boot > BOOT_MAX {
        return Err(StartError::BootTaken {
            dir: dir.to_path_buf(),
            boot,
            last,
        });
    }
    Ok(boot)
}

fn last_boot(dir: &Path) -> Result<u32, StartError> {
    let files = files::list(dir).map_err(|cause| StartError::EventFiles {
        dir: dir.to_path_buf(),
        cause,
    })?;
    Ok(files.last().map_or(0, |file| file.boot))
}

/// The running journal. Dropping it without [`Journal::stop`] loses nothing that was given, but
/// does not wait.
#[derive(Debug)]
pub struct Journal {
    events: Sender<Event>,
    durable: watch::Receiver<Position>,
    applied: watch::Receiver<Applied>,
    file_thread: JoinHandle<()>,
    sql: Sql,
    helm: Helm,
    counters: Arc<Counters>,
}

/// Tells how far the database is, to whoever must read what was written a moment ago.
#[derive(Debug, Clone)]
pub struct Progress {
    applied: watch::Receiver<Applied>,
}

impl Progress {
    /// From now on [`Self::changed`] waits for what comes after this.
    pub fn mark_seen(&mut self) {
        self.applied.borrow_and_update();
    }

    /// Waits until the database has something new.
    pub async fn changed(&mut self) {
        if self.applied.changed().await.is_err() {
            // The SQL thread ended: nothing more will come.
            std::future::pending::<()>().await;
        }
    }

    /// Waits until the database has an event of this boot. Waits as long as the database takes; put a
    /// time-out around it.
    pub async fn reached(&mut self, event: EventId) {
        let events = u64::from(event.counter()) + 1;
        // An error means that the SQL thread ended: nothing more will come.
        let _ = self
            .applied
            .wait_for(|applied| applied.events >= events)
            .await;
    }
}

/// What a stop left behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stopped {
    /// Events that are on disk but not in SQL, because the database did not take them in time;
    /// the next start brings them there.
    pub not_in_sql: u64,
    /// Events that could not be written at all: the disk failed to the end.
    pub lost: u64,
}

/// Starts the journal: checks the database, closes the calls that an earlier boot left open, and
/// starts a thread for the event file and one for SQL.
///
/// `durable` is called on the file thread with the id up to which everything is on disk. It must
/// be quick. `boot` is the boot of all events to come; take it from [`choose_boot`].
///
/// A database that is merely locked does not stop the start: SQL follows when it is free.
///
/// # Errors
/// If the folder is in use or cannot be written, or the database is broken or newer or
/// cannot be written.
pub fn start(
    settings: Settings,
    boot: u32,
    durable: impl Fn(EventId) + Send + 'static,
) -> Result<(Journal, Recovery), StartError> {
    start_with(settings, FILE_OCTETS, boot, durable)
}

pub(crate) fn start_with(
    settings: Settings,
    file_octets: u64,
    boot: u32,
    durable: impl Fn(EventId) + Send + 'static,
) -> Result<(Journal, Recovery), StartError> {
    let Settings {
        dir,
        database,
        group,
        leaving,
    } = settings;
    let alive = leaving.as_ref().map(|one| one.boot);
    let lock = match leaving {
        Some(leaving) => leaving.lock,
        None => Arc::new(lock(&dir)?),
    };
    let last = last_boot(&dir)?;
    if boot <= last {
        return Err(StartError::BootTaken { dir, boot, last });
    }
    check_database(database.clone())?;
    let counters = Arc::new(Counters::default());
    let files = |cause| StartError::EventFiles {
        dir: dir.clone(),
        cause,
    };
    let (recovery, unsettled) = recover(&dir, alive).map_err(files)?;
    report(&recovery);
    let (events, to_write) = crossbeam_channel::unbounded();
    let writing = Writing {
        dir: dir.clone(),
        boot,
        group,
        file_octets,
    };
    let (writer, mark) = create_writer(writing, unsettled, durable, &counters)?;
    let (stop, stopping) = watch::channel(false);
    let (publish, applied) = watch::channel(Applied::NOTHING);
    let follower = Follower {
        dir: dir.clone(),
        database,
        boot,
        durable: mark.clone(),
        stop: stopping,
        applied: publish,
        counters: Arc::clone(&counters),
    };
    let sql = Sql::new(follower, stop);
    let (orders, wanted) = crossbeam_channel::unbounded();
    let scribe = Scribe::new(dir, boot, writer, sql.clone(), lock);
    let file_thread = thread("journal-file", move || scribe.run(&to_write, wanted))?;
    sql.start()?;
    let journal = Journal {
        events,
        durable: mark,
        applied,
        file_thread,
        sql,
        helm: Helm { orders },
        counters,
    };
    Ok((journal, recovery))
}

fn create_writer<D: Fn(EventId) + Send + 'static>(
    writing: Writing,
    unsettled: Unsettled,
    durable: D,
    counters: &Arc<Counters>,
) -> Result<(Writer<D>, watch::Receiver<Position>), StartError> {
    let dir = writing.dir.clone();
    Writer::create(writing, unsettled, durable, Arc::clone(counters))
        .map_err(|cause| StartError::EventFiles { dir, cause })
}

/// Makes the folder and takes its lock, so that no second process writes there.
fn lock(dir: &Path) -> Result<File, StartError> {
    let failed = |cause| StartError::EventFiles {
        dir: dir.to_path_buf(),
        cause,
    };
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .map_err(failed)?;
    let path = dir.join("lock");
    let mut open = OpenOptions::new();
    let lock = open
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(path);
    let lock = lock.map_err(failed)?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            return Err(StartError::InUse {
                dir: dir.to_path_buf(),
            });
        }
        Err(TryLockError::Error(cause)) => return Err(failed(cause)),
    }
    for entry in fs::read_dir(dir).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        // A file that a crash caught before it was whole.
        if path.extension().is_some_and(|extension| extension == "new") {
            fs::remove_file(path).map_err(failed)?;
        }
    }
    Ok(lock)
}

/// Opens and migrates the database once, on a thread of its own, because the caller may be async.
fn check_database(database: Location) -> Result<(), StartError> {
    let runtime = runtime()?;
    let check = thread("journal-check", move || {
        runtime.block_on(store::open(&database)).map(drop)
    })?;
    match check.join() {
        Ok(Err(error)) if error.may_pass() => {
            tracing::warn!(%error, "starting without the database; it follows when it is free");
            Ok(())
        }
        Ok(result) => Ok(result?),
        Err(_panic) => Err(StartError::Thread(std::io::Error::other(
            "the database check panicked",
        ))),
    }
}

pub(crate) fn runtime() -> Result<tokio::runtime::Runtime, StartError> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(StartError::Thread)
}

pub(crate) fn thread<T: Send + 'static>(
    name: &str,
    run: impl FnOnce() -> T + Send + 'static,
) -> Result<JoinHandle<T>, StartError> {
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(run)
        .map_err(StartError::Thread)
}

/// Events given that are not in SQL; those of a journal that was handed over are the successor's.
fn lag(counters: &Counters, applied: &watch::Receiver<Applied>) -> u64 {
    if counters.is_handed_over() {
        return 0;
    }
    let appended = counters.appended.load(Ordering::Relaxed);
    appended.saturating_sub(applied.borrow().events)
}

pub(crate) fn report(recovery: &Recovery) {
    if recovery.damaged > 0 {
        tracing::error!(
            octets = recovery.damaged,
            "event files are damaged: check the disk"
        );
    }
    if !recovery.interrupted.is_empty() || recovery.torn > 0 {
        tracing::warn!(
            interrupted = recovery.interrupted.len(),
            recordings_awaited = recovery.recordings_awaited.len(),
            torn = recovery.torn,
            "recovered from a crash"
        );
    }
}

impl Journal {
    /// Hands an event over; never blocks and never fails. Ids must be those of the boot given to
    /// [`start`], rising by one. The queue has no bound, since an event is never thrown away: see
    /// [`Health::backlog`].
    pub fn append(&self, event: Event) {
        self.counters
            .appended
            .store(u64::from(event.id.counter()) + 1, Ordering::Relaxed);
        // It fails only if the file thread is gone, which only a panic could do.
        if self.events.send(event).is_err() {
            Counters::add(&self.counters.lost, 1);
        }
    }

    /// Events of this boot that are not in SQL yet.
    #[must_use]
    pub fn lag(&self) -> u64 {
        lag(&self.counters, &self.applied)
    }

    /// A handle by which the journal changes hands.
    #[must_use]
    pub fn helm(&self) -> Helm {
        self.helm.clone()
    }

    /// A handle that tells how far the database is.
    #[must_use]
    pub fn progress(&self) -> Progress {
        Progress {
            applied: self.applied.clone(),
        }
    }

    /// How the journal is.
    #[must_use]
    pub fn health(&self) -> Health {
        self.counters.health(self.events.len(), self.lag())
    }

    /// Waits until everything given so far, and everything earlier boots left, is in SQL. Waits as
    /// long as the database takes; put a time-out around it.
    pub async fn flushed(&self) {
        let events = self.counters.appended.load(Ordering::Relaxed);
        let position = *self.durable.borrow();
        let mut applied = self.applied.clone();
        // An error means that the SQL thread ended: nothing more will come.
        let _ = applied
            .wait_for(|applied| applied.events >= events && applied.position >= position)
            .await;
    }

    /// Writes and syncs everything given, brings it into SQL, and ends the threads. Blocks: for
    /// 15 s at most if the database does not take it.
    #[must_use]
    pub fn stop(self) -> Stopped {
        self.counters.stop();
        drop(self.events);
        if self.file_thread.join().is_err() {
            tracing::error!("the event file thread panicked");
        }
        self.sql.stop(STOP_LIMIT);
        let lag = lag(&self.counters, &self.applied);
        Stopped {
            not_in_sql: lag,
            lost: self.counters.lost.load(Ordering::Relaxed),
        }
    }
}
