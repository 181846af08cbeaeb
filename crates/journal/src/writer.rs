//! Owns the writing of the event file: group commit, rotation, and patience with a disk
//! that fails. Everything it reports durable is on disk.
//!
//! After a failure the group is written again, to a new file: a sync that fails is not to be
//! trusted when it succeeds later (the kernel may have dropped the pages). Readers recognise
//! doubled events by their ids. Until a group is on disk, `durable` is not called for it, the queue
//! before the thread grows, and `Health` says so.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError};
use tokio::sync::watch;
use vocab::{Event, EventId};

use crate::files::{self, FileId, Position};
use crate::frame;
use crate::health::Counters;
use crate::unsettled::Unsettled;

/// Most events in one group, so that one sync is bounded (a few MiB).
const GROUP_MAX: usize = 4_096;

/// Pauses between tries when the disk fails.
const RETRY_FIRST: Duration = Duration::from_millis(10);
const RETRY_LAST: Duration = Duration::from_secs(1);

/// How long a stopping journal goes on trying to write to a disk that fails.
const STOP_PATIENCE: Duration = Duration::from_secs(5);

/// How the thread is to work.
pub(crate) struct Writing {
    pub(crate) dir: PathBuf,
    pub(crate) boot: u32,
    /// Least time between two syncs.
    pub(crate) group: Duration,
    /// A new file is begun when one is longer.
    pub(crate) file_octets: u64,
}

pub(crate) struct Writer<D> {
    writing: Writing,
    file: File,
    position: Position,
    /// Length of the file when it held its header only.
    begun_at: u64,
    /// When a stopping journal met the first failure.
    stop_failing: Option<Instant>,
    /// The id of the next event, where it is not the one that it was given.
    renumbered: Option<EventId>,
    unsettled: Unsettled,
    durable: D,
    mark: watch::Sender<Position>,
    counters: Arc<Counters>,
}

impl<D: Fn(EventId)> Writer<D> {
    /// Begins the first file of the boot. From then on all earlier boots are known to be closed.
    pub(crate) fn create(
        writing: Writing,
        unsettled: Unsettled,
        durable: D,
        counters: Arc<Counters>,
    ) -> io::Result<(Self, watch::Receiver<Position>)> {
        let id = FileId {
            boot: writing.boot,
            number: 1,
        };
        let (file, length) = files::create(&writing.dir, id, unsettled.oldest(id), &[])?;
        let position = id.at(length);
        let (mark, marked) = watch::channel(position);
        let writer = Self {
            writing,
            file,
            position,
            begun_at: length,
            stop_failing: None,
            renumbered: None,
            unsettled,
            durable,
            mark,
            counters,
        };
        Ok((writer, marked))
    }

    /// Writes an event with what else comes until the least time between two syncs is over.
    pub(crate) fn write_with(
        &mut self,
        first: Event,
        events: &Receiver<Event>,
        synced: Option<Instant>,
    ) {
        let mut group = vec![first];
        if let Some(due) = synced.map(|synced| synced + self.writing.group) {
            gather(events, &mut group, due);
        }
        let room = GROUP_MAX.saturating_sub(group.len());
        group.extend(events.try_iter().take(room));
        self.write_group(group);
    }

    pub(crate) fn write_group(&mut self, mut group: Vec<Event>) {
        let last = group.last().map(|event| event.id);
        if let Some(next) = &mut self.renumbered {
            for event in &mut group {
                event.id = *next;
                *next = EventId::new(next.boot(), next.counter().saturating_add(1));
            }
        }
        let mut records = Vec::with_capacity(group.len() * 256);
        for event in &group {
            if let Err(error) = frame::encode(&mut records, event) {
                tracing::error!(event = %event.id, error, "an event cannot be written and is lost");
                Counters::add(&self.counters.lost, 1);
            }
        }
        if !self.write_until_durable(&records) {
            tracing::error!(
                events = group.len(),
                "stopped with events that could not be written"
            );
            Counters::add(&self.counters.lost, group.len() as u64);
            return;
        }
        for event in group {
            self.unsettled.note(self.position.file, event);
        }
        if let Some(last) = last {
            (self.durable)(last);
        }
        self.mark.send_replace(self.position);
        if self.position.offset > self.writing.file_octets
            && let Err(error) = self.begin_next_file()
        {
            // No harm: this file goes on growing, and the next group tries again.
            tracing::warn!(%error, "a new event file cannot be begun");
        }
    }

    /// Begins a file of a new boot, whose ids all that is written from now on gets: the folder was another
    /// process's meanwhile.
    pub(crate) fn begin_boot(&mut self, boot: u32, unsettled: Unsettled) -> io::Result<()> {
        self.unsettled = unsettled;
        self.begin_file(FileId { boot, number: 1 })?;
        self.renumbered = Some(EventId::new(boot, 1));
        self.mark.send_replace(self.position);
        Ok(())
    }

    /// Another process has everything up to this event on disk.
    pub(crate) fn told_durable(&self, event: EventId) {
        (self.durable)(event);
    }

    pub(crate) const fn unsettled(&self) -> &Unsettled {
        &self.unsettled
    }

    pub(crate) fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Tries until it succeeds; gives up only when the journal is to stop.
    fn write_until_durable(&mut self, records: &[u8]) -> bool {
        let mut pause = RETRY_FIRST;
        loop {
            let error = match self.write(records) {
                Ok(()) => {
                    self.counters.set_disk_failing(false);
                    return true;
                }
                Err(error) => error,
            };
            Counters::add(&self.counters.disk_errors, 1);
            if self.counters.set_disk_failing(true) {
                tracing::error!(%error, dir = %self.writing.dir.display(), "event file cannot be written; trying again");
            }
            if self.counters.is_stopping() {
                let since = *self.stop_failing.get_or_insert_with(Instant::now);
                if since.elapsed() > STOP_PATIENCE {
                    return false;
                }
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(RETRY_LAST);
        }
    }

    fn write(&mut self, records: &[u8]) -> io::Result<()> {
        let started = Instant::now();
        if let Err(error) = self.file.write_all_at(records, self.position.offset) {
            // A full disk may still take headers: an empty file is used again.
            if self.position.offset > self.begun_at {
                self.begin_next_file()?;
            }
            return Err(error);
        }
        if let Err(error) = self.file.sync_data() {
            self.begin_next_file()?;
            return Err(error);
        }
        self.position.offset += records.len() as u64;
        self.counters.synced(started.elapsed());
        Ok(())
    }

    fn begin_next_file(&mut self) -> io::Result<()> {
        self.begin_file(self.position.file.next())
    }

    fn begin_file(&mut self, id: FileId) -> io::Result<()> {
        let oldest = self.unsettled.oldest(id);
        let (file, length) = files::create(&self.writing.dir, id, oldest, &[])?;
        self.file = file;
        self.position = id.at(length);
        self.begun_at = length;
        Ok(())
    }
}

/// Collects more events until `due`, so that one sync serves them all.
fn gather(events: &Receiver<Event>, group: &mut Vec<Event>, due: Instant) {
    while group.len() < GROUP_MAX {
        match events.recv_deadline(due) {
            Ok(event) => group.push(event),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return,
        }
    }
}

#[cfg(test)]
impl<D> Writer<D> {
    /// Makes every write to the present file fail, as a dying disk would.
    pub(crate) fn break_file(&mut self) {
        self.file = File::open(self.position.file.path(&self.writing.dir)).unwrap();
    }
}
