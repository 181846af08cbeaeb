//! Owns the thread that writes to the spool, and so alone waits for the disk: it takes a batch of
//! blocks, appends it in large writes, each with a sync, and gives back what is durable and what the
//! disk refused. Refuses to decide when to try again.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};

use crate::Report;
use crate::shared::{Shared, Who};
use crate::spool::{Extent, Spool, SpoolFile};
use crate::watch::Gauge;

/// Octets of one write, while the disk takes them.
const WRITE_MAX: usize = 8 << 20;
/// After a failure the writes are smaller, down to this: a disk on which a little room came back
/// takes a little. A block that is longer is written whole.
const WRITE_MIN: usize = 64 << 10;
/// How often the free space is looked at when nothing is to be written.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Names a running recording: ring and handle.
pub(crate) type Name = (usize, u32);

/// Blocks that lie one behind the other, and whose they are.
#[derive(Default)]
pub(crate) struct Batch {
    pub(crate) bytes: Vec<u8>,
    /// In the order of the blocks; positions are those in `bytes`.
    pub(crate) entries: Vec<(Name, Extent)>,
}

/// What became of a batch.
pub(crate) struct Outcome {
    /// What the disk refused, in front; empty, and kept for its room, where it took all.
    pub(crate) rest: Batch,
    /// What is durable, and where.
    pub(crate) written: Vec<(Name, Arc<SpoolFile>, Extent)>,
    /// Why there is a rest.
    pub(crate) trouble: Option<String>,
}

/// The writer's end.
pub(crate) struct Pen {
    orders: Option<Sender<Batch>>,
    outcomes: Receiver<Outcome>,
    thread: Option<JoinHandle<()>>,
    /// Whether a batch is on its way.
    busy: bool,
    /// Octets of it that are not on the disk.
    left: Arc<AtomicUsize>,
}

impl Pen {
    /// Starts the thread.
    pub(crate) fn start<R: Fn(Report) + Send + 'static>(
        spool: Spool,
        shared: Arc<Shared>,
        mut gauge: Gauge,
        report: R,
    ) -> io::Result<Self> {
        // One batch is on its way at most.
        let (orders, work) = bounded::<Batch>(1);
        let (done, outcomes) = bounded(1);
        let left = Arc::new(AtomicUsize::new(0));
        let mut hand = Hand {
            spool,
            shared,
            left: Arc::clone(&left),
            failures: 0,
        };
        let write = move || {
            loop {
                match work.recv_timeout(LOOK_EVERY) {
                    Ok(batch) => {
                        let outcome = hand.write(batch, &report);
                        if done.send(outcome).is_err() {
                            break;
                        }
                    }
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => break,
                }
                gauge.look(&report);
            }
            hand.spool.close();
        };
        let thread = std::thread::Builder::new()
            .name("recorder-disk".into())
            .spawn(write)?;
        Ok(Self {
            orders: Some(orders),
            outcomes,
            thread: Some(thread),
            busy: false,
            left,
        })
    }

    /// Whether a batch is on its way to the disk.
    pub(crate) const fn is_busy(&self) -> bool {
        self.busy
    }

    /// Octets of it that are not there yet.
    pub(crate) fn left(&self) -> usize {
        if self.busy {
            self.left.load(Ordering::Relaxed)
        } else {
            0
        }
    }

    /// Hands a batch over. Only while nothing is on its way.
    pub(crate) fn write(&mut self, batch: Batch) {
        self.busy = true;
        self.left.store(batch.bytes.len(), Ordering::Relaxed);
        if let Some(orders) = &self.orders {
            // The thread is there unless it panicked; then nothing can be written any more.
            let _ = orders.try_send(batch);
        }
    }

    /// What became of the batch, if that is known by now.
    pub(crate) fn look(&mut self) -> Option<Outcome> {
        let outcome = self.outcomes.try_recv().ok()?;
        self.busy = false;
        Some(outcome)
    }

    /// Waits until it is known; only at the end, when no packet waits any more.
    pub(crate) fn wait(&mut self) -> Option<Outcome> {
        if !self.busy {
            return None;
        }
        let outcome = self.outcomes.recv().ok();
        self.busy = false;
        outcome
    }
}

impl Drop for Pen {
    fn drop(&mut self) {
        self.orders = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that writes the recording spool ended by a panic");
        }
    }
}

struct Hand {
    spool: Spool,
    shared: Arc<Shared>,
    left: Arc<AtomicUsize>,
    /// Writes that failed since the last one that did not.
    failures: u32,
}

impl Hand {
    fn write(&mut self, mut batch: Batch, report: &impl Fn(Report)) -> Outcome {
        let mut written = Vec::with_capacity(batch.entries.len());
        let (mut done, mut position, mut trouble) = (0, 0, None);
        while done < batch.entries.len() {
            let (until, end) = self.step(&batch, done, position);
            let bytes = batch.bytes.get(position..end).unwrap_or_default();
            self.shared.write_begins();
            let appended = self.spool.append(bytes);
            self.shared.write_ended();
            let (file, base) = match appended {
                Ok(place) => place,
                Err(message) => {
                    self.failures = self.failures.saturating_add(1);
                    self.shared
                        .disk_failed(Who::Writer, message.clone(), report);
                    trouble = Some(message);
                    break;
                }
            };
            self.failures = 0;
            self.left.fetch_sub(bytes.len(), Ordering::Relaxed);
            self.shared
                .spool_bytes
                .fetch_add(bytes.len() as u64, Ordering::Relaxed);
            for (name, extent) in batch.entries.get(done..until).unwrap_or_default() {
                let position = base + extent.position - position as u64;
                written.push((
                    *name,
                    Arc::clone(&file),
                    Extent {
                        position,
                        ..*extent
                    },
                ));
            }
            (done, position) = (until, end);
        }
        if trouble.is_none() {
            self.shared.disk_works(Who::Writer, report);
        }
        batch.entries.drain(..done);
        for (_, extent) in &mut batch.entries {
            extent.position -= position as u64;
        }
        batch.bytes.drain(..position);
        batch.bytes.shrink_to(WRITE_MAX);
        Outcome {
            rest: batch,
            written,
            trouble,
        }
    }

    /// Which blocks are written next: up to the entry, and up to the octet.
    fn step(&self, batch: &Batch, done: usize, from: usize) -> (usize, usize) {
        let most = (WRITE_MAX >> (2 * self.failures).min(31)).max(WRITE_MIN);
        let mut until = done + 1;
        // A block ends where the next begins, the last one at the end.
        let begin = |entry: usize| {
            let next = batch.entries.get(entry);
            next.map_or(batch.bytes.len(), |(_, extent)| extent.position as usize)
        };
        while until < batch.entries.len() && begin(until + 1) - from <= most {
            until += 1;
        }
        (until, begin(until))
    }
}
