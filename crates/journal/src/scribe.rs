//! Owns the thread of the event file, and who writes it: this process, or after a **handover** its
//! successor.
//!
//! ```text
//!            hand over               carry                 take back
//! Writing  ------------>  Waiting  --------->  Carrying  ------------>  Writing, under a new boot
//! ```
//! At the handover all that was given is synced and the folder is let go. From then on each event goes to
//! the successor through a [`Courier`] and is kept until the successor says that it is on disk; only then
//! is it reported durable here. The successor states it under an id of its own, so that the ids
//! in the files go on rising, and whoever follows them misses nothing. Should the successor die, the folder is
//! taken back, and what it did not come to write is written here, under a boot that is newer than the
//! successor's.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded, never, select};
use vocab::{Event, EventId, WallTime};

use crate::error::StartError;
use crate::files::{self, FileId, Reader};
use crate::follow::Sql;
use crate::health::Counters;
use crate::journal;
use crate::recover::{self, Recovery};
use crate::writer::Writer;

/// Most events that go to the successor in one message.
const CARRIED_MAX: usize = 256;
/// How long a handover waits for the database: callers wait meanwhile.
const SQL_WAIT: Duration = Duration::from_secs(1);
/// How long a journal that stops waits for the successor's disk.
const LAST_WORD: Duration = Duration::from_secs(10);

/// Brings events to the successor.
pub trait Courier: Send {
    /// Hands events over, in their order.
    ///
    /// # Errors
    /// If the successor is gone. The events are kept here.
    fn carry(&mut self, events: &[Event]) -> io::Result<()>;
}

pub(crate) enum Order {
    HandOver(Sender<io::Result<File>>),
    Carry(Box<dyn Courier>),
    Durable(EventId),
    TakeBack(Sender<Result<(), StartError>>),
    CloseBoot(u32, WallTime, Sender<(Vec<Event>, Recovery)>),
}

/// A leaving engine, to its successor.
#[derive(Debug, Clone)]
pub struct Leaving {
    /// Its boot: its calls go on.
    pub boot: u32,
    /// The lock of the folder that it held.
    pub lock: Arc<File>,
}

/// A handle by which the journal changes hands.
#[derive(Debug, Clone)]
pub struct Helm {
    pub(crate) orders: Sender<Order>,
}

impl Helm {
    /// Lets the folder go, with everything that was given until now on disk. What is given later waits.
    /// Gives the lock of the folder, for the successor: as long as one of the two lives, no third process
    /// has it.
    ///
    /// # Errors
    /// If the process has no descriptor left, or the journal has ended.
    pub fn hand_over(&self) -> io::Result<File> {
        let (reply, done) = bounded(1);
        let _ = self.orders.send(Order::HandOver(reply));
        done.recv()
            .unwrap_or_else(|_| Err(io::Error::other("the journal has ended")))
    }

    /// From now on the successor takes events.
    pub fn carry(&self, courier: impl Courier + 'static) {
        let _ = self.orders.send(Order::Carry(Box::new(courier)));
    }

    /// The successor has everything up to this event on its disk.
    pub fn durable(&self, event: EventId) {
        let _ = self.orders.send(Order::Durable(event));
    }

    /// The successor is gone: takes the folder back, closes the calls that the successor had,
    /// and writes what it did not acknowledge.
    ///
    /// # Errors
    /// If the folder cannot be used. Events are kept and this can be tried again.
    pub fn take_back(&self) -> Result<(), StartError> {
        let (reply, done) = bounded(1);
        let _ = self.orders.send(Order::TakeBack(reply));
        // No answer: the journal has ended, with nothing left to write.
        done.recv().unwrap_or(Ok(()))
    }

    /// What closes the calls of a leaving engine that died: facts to be stated in its stead (the ids are to be
    /// given by whoever states them), and what is awaited of it. Everything stated before this call counts.
    #[must_use]
    pub fn close_boot(&self, boot: u32, now: WallTime) -> (Vec<Event>, Recovery) {
        let (reply, closed) = bounded(1);
        let _ = self.orders.send(Order::CloseBoot(boot, now, reply));
        closed.recv().unwrap_or_default()
    }
}

enum Hands {
    Ours,
    Theirs { courier: Option<Box<dyn Courier>> },
}

pub(crate) struct Scribe<D> {
    dir: PathBuf,
    boot: u32,
    writer: Writer<D>,
    sql: Sql,
    hands: Hands,
    /// Held by this process to its end, and by its successor.
    lock: Arc<File>,
    /// Given, and not known to be on the successor's disk.
    kept: VecDeque<Event>,
    /// Of those, so many were carried to the present successor.
    carried: usize,
}

impl<D: Fn(EventId)> Scribe<D> {
    pub(crate) fn new(
        dir: PathBuf,
        boot: u32,
        writer: Writer<D>,
        sql: Sql,
        lock: Arc<File>,
    ) -> Self {
        Self {
            dir,
            boot,
            writer,
            sql,
            hands: Hands::Ours,
            lock,
            kept: VecDeque::new(),
            carried: 0,
        }
    }

    /// Takes events until the other end is dropped and all of them are on a disk.
    pub(crate) fn run(mut self, events: &Receiver<Event>, mut orders: Receiver<Order>) {
        let mut synced: Option<Instant> = None;
        loop {
            select! {
                recv(events) -> first => match first {
                    Ok(first) => self.take(first, events, &mut synced),
                    Err(_) => break,
                },
                recv(orders) -> order => match order {
                    Ok(order) => self.carry_out(order, events),
                    Err(_) => orders = never(),
                },
            }
        }
        self.finish(&orders);
    }

    fn take(&mut self, first: Event, events: &Receiver<Event>, synced: &mut Option<Instant>) {
        match self.hands {
            Hands::Ours => {
                self.writer.write_with(first, events, *synced);
                *synced = Some(Instant::now());
            }
            Hands::Theirs { .. } => {
                self.kept.push_back(first);
                self.kept.extend(events.try_iter());
                self.carry();
            }
        }
    }

    fn carry_out(&mut self, order: Order, events: &Receiver<Event>) {
        match order {
            Order::HandOver(reply) => {
                let lock = self.lock.try_clone();
                if lock.is_ok() {
                    self.write_waiting(events);
                    self.sql.stop(SQL_WAIT);
                    self.hands = Hands::Theirs { courier: None };
                    self.writer.counters().hand_over();
                }
                let _ = reply.send(lock);
            }
            Order::Carry(courier) => {
                if let Hands::Theirs { courier: ours } = &mut self.hands {
                    *ours = Some(courier);
                    self.carried = 0;
                    self.carry();
                }
            }
            Order::Durable(event) => self.acknowledged(event),
            Order::TakeBack(reply) => {
                let _ = reply.send(self.take_back());
            }
            Order::CloseBoot(boot, now, reply) => {
                self.write_waiting(events);
                let _ = reply.send(recover::close_boot(self.writer.unsettled(), boot, now));
            }
        }
    }

    fn write_waiting(&mut self, events: &Receiver<Event>) {
        let waiting: Vec<Event> = events.try_iter().collect();
        if matches!(self.hands, Hands::Ours) && !waiting.is_empty() {
            self.writer.write_group(waiting);
        } else {
            self.kept.extend(waiting);
        }
    }

    /// Hands what waits to the successor. If that fails the successor is gone, which others notice as well.
    fn carry(&mut self) {
        let Hands::Theirs { courier: ours } = &mut self.hands else {
            return;
        };
        while let Some(courier) = ours
            && self.carried < self.kept.len()
        {
            let waiting = self.kept.iter().skip(self.carried);
            let piece: Vec<Event> = waiting.take(CARRIED_MAX).cloned().collect();
            match courier.carry(&piece) {
                Ok(()) => self.carried += piece.len(),
                Err(error) => {
                    tracing::error!(%error, "events cannot be handed to the successor");
                    *ours = None;
                }
            }
        }
    }

    fn acknowledged(&mut self, event: EventId) {
        let before = self.kept.len();
        while self.kept.front().is_some_and(|kept| kept.id <= event) {
            self.kept.pop_front();
        }
        self.carried = self.carried.saturating_sub(before - self.kept.len());
        self.writer.told_durable(event);
    }

    fn take_back(&mut self) -> Result<(), StartError> {
        if matches!(self.hands, Hands::Ours) {
            return Ok(());
        }
        let dir = self.dir.clone();
        let failed = |cause| StartError::EventFiles {
            dir: dir.clone(),
            cause,
        };
        let (recovery, unsettled) = recover::recover(&self.dir, Some(self.boot)).map_err(failed)?;
        journal::report(&recovery);
        let newest = files::list(&self.dir).map_err(failed)?.pop();
        let boot = newest.map_or(self.boot, |file| file.boot).saturating_add(1);
        self.writer.begin_boot(boot, unsettled).map_err(failed)?;
        self.forget_stated().map_err(failed)?;
        self.hands = Hands::Ours;
        let kept = std::mem::take(&mut self.kept);
        if !kept.is_empty() {
            self.writer.write_group(kept.into());
        }
        self.sql.start()
    }

    /// Lets go of what the successor had written without living to say so.
    fn forget_stated(&mut self) -> io::Result<()> {
        self.carried = 0;
        if self.kept.is_empty() {
            return Ok(());
        }
        let theirs = FileId {
            boot: self.boot.saturating_add(1),
            number: 0,
        };
        let mut reader = Reader::new(&self.dir, theirs.at(0));
        while let Some(stated) = reader.next(None)? {
            let same = |kept: &Event| {
                (kept.at, kept.up) == (stated.at, stated.up) && kept.fact == stated.fact
            };
            self.kept.retain(|kept| !same(kept));
        }
        Ok(())
    }

    /// Nothing more is given. What the successor has not acknowledged is waited for; if it is gone, the
    /// folder is taken back for it.
    fn finish(&mut self, orders: &Receiver<Order>) {
        let end = Instant::now() + LAST_WORD;
        while matches!(self.hands, Hands::Theirs { .. }) && !self.kept.is_empty() {
            match orders.recv_deadline(end) {
                Ok(Order::Durable(event)) => self.acknowledged(event),
                Ok(Order::TakeBack(reply)) => drop(reply.send(self.take_back())),
                Ok(Order::Carry(_) | Order::HandOver(_) | Order::CloseBoot(..)) => {}
                Err(_) => break,
            }
        }
        if !self.kept.is_empty()
            && let Err(error) = self.take_back()
        {
            let events = self.kept.len();
            tracing::error!(events, %error, "the successor did not take the last events");
            Counters::add(&self.writer.counters().lost, events as u64);
        }
    }
}
