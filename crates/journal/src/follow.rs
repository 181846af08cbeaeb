//! Owns the thread that brings the event files into SQL. It reads what is durable from the files
//! themselves, from the database's own checkpoint on: what was written a moment ago and what an
//! earlier boot left behind are the same to it, and its memory does not grow with its lag.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::RecvTimeoutError;
use tokio::sync::watch;
use vocab::Event;

use crate::apply::{self, Cache};
use crate::db::Location;
use crate::error::{DatabaseError, StartError};
use crate::files::{FileId, Position, Reader};
use crate::health::Counters;
use crate::{journal, store};

/// Most events of one transaction.
const BATCH_MAX: usize = 4_096;

/// Least time between two transactions, so that a quiet engine does not sync the disk for each
/// event twice. A report is at most this old when the database is well.
const PACE: Duration = Duration::from_millis(25);

/// Pauses between tries when the database fails.
const RETRY_FIRST: Duration = Duration::from_millis(50);
const RETRY_LAST: Duration = Duration::from_secs(2);

/// How far SQL is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Applied {
    /// Everything before it is in SQL.
    pub(crate) position: Position,
    /// One more than the counter of the last event of this boot in SQL; 0 before the first.
    pub(crate) events: u64,
}

impl Applied {
    pub(crate) const NOTHING: Self = Self {
        position: FileId::FIRST.at(0),
        events: 0,
    };
}

#[derive(Debug, Clone)]
pub(crate) struct Follower {
    pub(crate) dir: PathBuf,
    pub(crate) database: Location,
    pub(crate) boot: u32,
    /// Everything before it is durable.
    pub(crate) durable: watch::Receiver<Position>,
    /// True when the file thread is done and this one is to finish.
    pub(crate) stop: watch::Receiver<bool>,
    pub(crate) applied: watch::Sender<Applied>,
    pub(crate) counters: Arc<Counters>,
}

/// The thread that follows, to be stopped, and started again should the folder come back.
#[derive(Debug, Clone)]
pub(crate) struct Sql(Arc<Threads>);

#[derive(Debug)]
struct Threads {
    follower: Follower,
    stop: watch::Sender<bool>,
    /// The thread that runs, and what ends when it does.
    running: Mutex<Option<(JoinHandle<()>, crossbeam_channel::Receiver<()>)>>,
}

impl Sql {
    /// Not running yet; `stop` is the other end of what the follower has.
    pub(crate) fn new(follower: Follower, stop: watch::Sender<bool>) -> Self {
        Self(Arc::new(Threads {
            follower,
            stop,
            running: Mutex::new(None),
        }))
    }

    pub(crate) fn start(&self) -> Result<(), StartError> {
        self.0.stop.send_replace(false);
        let runtime = journal::runtime()?;
        let (finished, done) = crossbeam_channel::bounded::<()>(0);
        let follower = self.0.follower.clone();
        let thread = journal::thread("journal-sql", move || {
            runtime.block_on(follower.run());
            drop(finished);
        })?;
        *self.running() = Some((thread, done));
        Ok(())
    }

    /// Has everything durable brought into SQL, if the database takes it in time, and ends the thread. What
    /// is not in SQL by then is replayed by whoever follows next.
    pub(crate) fn stop(&self, limit: Duration) {
        let Some((thread, done)) = self.running().take() else {
            return;
        };
        self.0.stop.send_replace(true);
        // Nothing is ever sent: the other end is dropped when the thread is done.
        match done.recv_timeout(limit) {
            Err(RecvTimeoutError::Timeout) => {
                tracing::warn!("stopped before the database had everything");
            }
            Ok(()) | Err(RecvTimeoutError::Disconnected) => {
                if thread.join().is_err() {
                    tracing::error!("the SQL thread panicked");
                }
            }
        }
    }

    fn running(
        &self,
    ) -> std::sync::MutexGuard<'_, Option<(JoinHandle<()>, crossbeam_channel::Receiver<()>)>> {
        self.0
            .running
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error(transparent)]
    Database(#[from] DatabaseError),
    #[error("an event file cannot be read: {0}")]
    File(std::io::Error),
}

impl Follower {
    /// Follows until told to stop and everything durable is in SQL. Failures are tried again for
    /// ever; whoever stops the journal decides how long to wait.
    pub(crate) async fn run(mut self) {
        let mut pause = RETRY_FIRST;
        loop {
            let before = self.applied.borrow().position;
            let Err(trouble) = self.follow().await else {
                return;
            };
            Counters::add(&self.counters.database_errors, 1);
            if self.counters.set_database_failing(true) {
                tracing::error!(error = %trouble, "the journal's database lags; trying again");
            }
            if self.applied.borrow().position > before {
                pause = RETRY_FIRST;
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(RETRY_LAST);
        }
    }

    async fn follow(&mut self) -> Result<(), Trouble> {
        let mut connection = store::open(&self.database).await?;
        let failed = |error| DatabaseError::of(&self.database, error);
        store::bring_up_to_date(&mut connection)
            .await
            .map_err(failed)?;
        let from = apply::checkpoint(&mut connection, self.boot)
            .await
            .map_err(failed)?;
        let mut reader = Reader::new(&self.dir, from.unwrap_or(FileId::FIRST.at(0)));
        let mut cache = Cache::default();
        loop {
            // A journal that was dropped stops as well.
            let stopping = *self.stop.borrow() || self.stop.has_changed().is_err();
            let end = *self.durable.borrow_and_update();
            let batch = read_batch(&mut reader, end).map_err(Trouble::File)?;
            if batch.is_empty() {
                self.counters.set_database_failing(false);
                self.publish(&batch, end);
                if stopping {
                    return Ok(());
                }
                self.wait().await;
                continue;
            }
            apply::apply(&mut connection, &mut cache, &batch, reader.position())
                .await
                .map_err(|error| DatabaseError::of(&self.database, error))?;
            self.counters.set_database_failing(false);
            self.publish(&batch, reader.position());
            if batch.len() < BATCH_MAX && !stopping {
                tokio::time::sleep(PACE).await;
            }
        }
    }

    fn publish(&self, batch: &[Event], position: Position) {
        let ours = batch
            .iter()
            .rev()
            .find(|event| event.id.boot() == self.boot);
        let events = ours.map_or(0, |event| u64::from(event.id.counter()) + 1);
        self.applied.send_if_modified(|applied| {
            let before = *applied;
            applied.position = applied.position.max(position);
            applied.events = applied.events.max(events);
            *applied != before
        });
    }

    /// Until something becomes durable or the journal stops.
    async fn wait(&mut self) {
        tokio::select! {
            changed = self.durable.changed() => {
                // The file thread is gone: `stop` follows at once.
                if changed.is_err() {
                    let _ = self.stop.wait_for(|stop| *stop).await;
                }
            }
            _ = self.stop.changed() => {}
        }
    }
}

fn read_batch(reader: &mut Reader, end: Position) -> std::io::Result<Vec<Event>> {
    let mut batch = Vec::new();
    while batch.len() < BATCH_MAX {
        match reader.next(Some(end))? {
            Some(event) => batch.push(event),
            None => break,
        }
    }
    Ok(batch)
}
