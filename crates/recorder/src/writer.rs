//! Owns the writer thread: it drains the rings, gathers packets per recording, makes a block per
//! recording of them at least every `sync_every`, and hands the blocks to the pen.
//! Refuses to wait for the disk, and to look into packets beyond counting audio.
//!
//! While the spool cannot be written, or the disk hangs, the bytes stay in memory up to
//! `Limits::backlog_bytes`; beyond it audio is dropped, counted in the recording, and taken again
//! when there is room. What the disk refused is tried again with a wait that doubles up to eight
//! times [`Limits::retry_after`]; meanwhile nothing newer is written, so blocks keep their order.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crossbeam_channel::Sender;
use rtrb::Consumer;
use vocab::media::{RecordingKey, Side};
use vocab::{MissingReason, Time, WallTime};

use crate::block::{self, Mark};
use crate::codec::Payloads;
use crate::finaliser::Work;
use crate::live::Live;
use crate::pen::{Batch, Name, Outcome, Pen};
use crate::ring::{self, Control, Dropped, Record};
use crate::shared::{Shared, bump};
use crate::spool::Track;
use crate::{Limits, Report};

/// The rings are drained this often, so this is also the longest that audio lives in no buffer of
/// the writer.
const DRAIN_EVERY: Duration = Duration::from_millis(50);
/// Bytes taken from a ring in one step.
const DRAIN_STEP: usize = 256 << 10;
/// Gathered bytes that are written without waiting for `sync_every`.
const WRITE_AT: usize = 8 << 20;
/// Where there is no Stop, the last packet is let sound to its end: the usual 20 ms.
pub(crate) const LAST_PACKET: Duration = Duration::from_millis(20);
/// The wait between tries doubles so often: a disk that has room again is to be used soon.
const RETRY_DOUBLINGS: u32 = 3;
/// Tries to write at the end, before what is left is given up.
const LAST_TRIES: u32 = 3;

/// What the writer is made of.
pub(crate) struct Parts<R> {
    pub(crate) rings: Vec<Consumer<u8>>,
    pub(crate) pen: Pen,
    pub(crate) work: Sender<Work>,
    pub(crate) wall: WallTime,
    pub(crate) sync_every: Duration,
    pub(crate) limits: Limits,
    pub(crate) shared: Arc<Shared>,
    pub(crate) report: R,
}

pub(crate) struct Writer<R> {
    parts: Parts<R>,
    live: BTreeMap<Name, Live>,
    keys: BTreeSet<RecordingKey>,
    /// Bytes that `Live` of all have gathered.
    gathered: usize,
    /// Blocks to be written next.
    batch: Batch,
    /// What the disk refused; goes before the batch.
    refused: Option<Batch>,
    scratch: Vec<u8>,
    failures: u32,
}

impl<R: Fn(Report)> Writer<R> {
    pub(crate) fn new(parts: Parts<R>) -> Self {
        Self {
            parts,
            live: BTreeMap::new(),
            keys: BTreeSet::new(),
            gathered: 0,
            batch: Batch::default(),
            refused: None,
            scratch: Vec::new(),
            failures: 0,
        }
    }

    /// Runs until the recorder is asked to stop.
    pub(crate) fn run(mut self) {
        let mut due = Instant::now() + self.parts.sync_every;
        loop {
            let stopping = self.parts.shared.stopping();
            self.drain_all();
            if let Some(outcome) = self.parts.pen.look() {
                due = match self.enter(outcome) {
                    Written::All => due,
                    // What was gathered meanwhile is written at once.
                    Written::AllAgain => Instant::now(),
                    Written::Refused => Instant::now() + self.retry_wait(),
                };
            }
            let now = Instant::now();
            if stopping {
                break;
            }
            if now >= due && self.hand_over() {
                due = now + self.parts.sync_every;
                self.carry();
            }
            let wait = due.saturating_duration_since(Instant::now());
            std::thread::park_timeout(wait.min(DRAIN_EVERY));
        }
        self.finish();
    }

    fn retry_wait(&self) -> Duration {
        match self.failures {
            0 => Duration::ZERO,
            n => self.parts.limits.retry_after * (1 << (n - 1).min(RETRY_DOUBLINGS)),
        }
    }

    fn drain_all(&mut self) {
        for index in 0..self.parts.rings.len() {
            self.drain(index);
        }
    }

    /// Takes what one ring holds at this moment: whole records, since the tap commits them whole.
    fn drain(&mut self, index: usize) {
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.clear();
        let Some(ring) = self.parts.rings.get(index) else {
            return;
        };
        // Asked before the last look, so that nothing can come after a yes.
        let abandoned = ring.is_abandoned();
        let mut left = ring.slots();
        while left > 0 {
            let Some(ring) = self.parts.rings.get_mut(index) else {
                break;
            };
            let Ok(chunk) = ring.read_chunk(left.min(DRAIN_STEP)) else {
                break;
            };
            let (first, second) = chunk.as_slices();
            scratch.extend_from_slice(first);
            scratch.extend_from_slice(second);
            left -= first.len() + second.len();
            chunk.commit_all();
            let mut used = 0;
            while let Some((record, length)) = ring::parse(scratch.get(used..).unwrap_or_default())
            {
                self.take(index, record);
                used += length;
            }
            scratch.drain(..used);
            if self.failures == 0 && self.gathered + self.batch.bytes.len() >= WRITE_AT {
                self.hand_over();
            }
        }
        self.scratch = scratch;
        if abandoned {
            self.cut(|name| name.0 == index);
        }
    }

    fn take(&mut self, ring: usize, record: Record<'_>) {
        match record {
            Record::Packet {
                handle,
                side,
                at,
                rtp,
            } => self.packet((ring, handle), side, at, rtp),
            Record::Control { handle, at, what } => self.control((ring, handle), at, what),
        }
    }

    fn control(&mut self, name: Name, at: Time, what: Control) {
        match what {
            Control::Start(key) => {
                if !self.keys.insert(key) {
                    // Running on another tap: the first goes on.
                    bump(&self.parts.shared.started_twice);
                    self.parts.shared.ended();
                    return;
                }
                self.live.insert(name, Live::new(key, at));
            }
            Control::Refused(key) => self.missing(key, MissingReason::DiskFailed),
            Control::Stop | Control::Discard => {
                if let Some(live) = self.live.get_mut(&name) {
                    live.stop = Some(at.max(live.start));
                    live.discarded = what == Control::Discard;
                }
            }
            Control::Dropped(dropped) => {
                if let Some(live) = self.live.get_mut(&name) {
                    live.drop_packets(dropped.side, dropped.count);
                }
                self.mark(name, at, Mark::Dropped(dropped));
            }
            Control::Pause(reason) => {
                if let Some(live) = self.live.get_mut(&name) {
                    live.paused |= live.audio == 0;
                }
                self.mark(name, at, Mark::Pause(reason));
            }
            Control::Resume => self.mark(name, at, Mark::Resume),
            Control::Codecs(side, payloads) => self.codecs(name, side, payloads),
        }
    }

    /// A block says of its packets what their payload types mean, so another meaning needs another.
    fn codecs(&mut self, name: Name, side: Side, payloads: Payloads) {
        let Some(live) = self.live.get_mut(&name) else {
            return;
        };
        if live.changes(side, payloads) {
            if live.gathered() > 0 {
                self.gathered -= live.gathered();
                live.seal(name, self.parts.wall, &mut self.batch);
            }
            live.codecs(side, payloads);
        }
    }

    /// Puts a mark between the packets. Marks are few and small: the backlog does not stop them.
    fn mark(&mut self, name: Name, at: Time, mark: Mark) {
        self.make_room(name, at, block::MARK_MAX);
        if let Some(live) = self.live.get_mut(&name) {
            let before = live.gathered();
            live.mark(at, mark);
            self.gathered += live.gathered() - before;
        }
    }

    /// Seals what was gathered for a recording if so many more octets at this time do not fit into
    /// its block.
    fn make_room(&mut self, name: Name, at: Time, octets: usize) {
        if let Some(live) = self.live.get_mut(&name)
            && live.is_full(at, octets)
        {
            self.gathered -= live.gathered();
            live.seal(name, self.parts.wall, &mut self.batch);
        }
    }

    /// Bytes in memory that are to be written.
    fn backlog(&self) -> usize {
        let refused = self.refused.as_ref().map_or(0, |batch| batch.bytes.len());
        let busy = self.parts.pen.left();
        self.gathered + self.batch.bytes.len() + refused + busy
    }

    fn packet(&mut self, name: Name, side: Side, at: Time, rtp: &[u8]) {
        let used = self.backlog();
        let Some(live) = self.live.get_mut(&name) else {
            bump(&self.parts.shared.unknown);
            return;
        };
        if used + rtp.len() > self.parts.limits.backlog_bytes {
            live.drop_packets(side, 1);
            live.owe(side, at);
            bump(&self.parts.shared.dropped);
            return;
        }
        if let Some(dropped) = live.owed(side) {
            self.mark(name, at, Mark::Dropped(dropped));
        }
        self.make_room(name, at, rtp.len());
        let Some(live) = self.live.get_mut(&name) else {
            return;
        };
        let before = live.gathered();
        if live.packet(at, side, rtp) {
            self.gathered += live.gathered() - before;
            self.parts.shared.packets.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Ends the recordings that will get no Stop with their last packet.
    fn cut(&mut self, which: impl Fn(&Name) -> bool) {
        for (name, live) in &mut self.live {
            if which(name) && live.stop.is_none() {
                live.stop = Some(live.last + LAST_PACKET);
                live.cut = true;
            }
        }
    }

    /// Makes a block of all that was gathered.
    fn seal_all(&mut self) {
        self.tell_what_was_dropped();
        for (name, live) in &mut self.live {
            if live.has_news() {
                live.closed = live.stop.is_some();
                live.seal(*name, self.parts.wall, &mut self.batch);
            }
        }
        self.gathered = 0;
    }

    /// Recordings that end tell of packets that were dropped after the last one that was kept.
    fn tell_what_was_dropped(&mut self) {
        let ending = |live: &Live| live.stop.filter(|_| !live.closed);
        let owing: Vec<(Name, Time, Dropped)> = self
            .live
            .iter_mut()
            .filter_map(|(name, live)| Some((*name, ending(live)?, live)))
            .flat_map(|(name, at, live)| {
                [Side::Caller, Side::Operator]
                    .into_iter()
                    .filter_map(|side| live.owed(side))
                    .map(|dropped| (name, at, dropped))
                    .collect::<Vec<_>>()
            })
            .collect();
        for (name, at, dropped) in owing {
            self.mark(name, at, Mark::Dropped(dropped));
        }
    }

    /// Hands to the pen what is to be written next. False: it is busy.
    fn hand_over(&mut self) -> bool {
        if self.parts.pen.is_busy() {
            return false;
        }
        let next = self.refused.take().unwrap_or_else(|| {
            self.seal_all();
            std::mem::take(&mut self.batch)
        });
        if next.entries.is_empty() {
            self.batch = next;
        } else {
            self.parts.pen.write(next);
        }
        true
    }

    /// Enters what is durable; what is then also over goes to the finaliser.
    fn enter(&mut self, outcome: Outcome) -> Written {
        for (name, file, extent) in &outcome.written {
            if let Some(live) = self.live.get_mut(name) {
                live.track.add(file, *extent);
                live.unwritten -= 1;
            }
        }
        let over = |live: &Live| live.closed && live.unwritten == 0;
        let over: Vec<_> = self.live.extract_if(.., |_, live| over(live)).collect();
        for (_, live) in over {
            self.keys.remove(&live.key);
            self.parts.shared.job_handed();
            // The finaliser outlives this thread unless it panicked; the spool then keeps the audio.
            let _ = self
                .parts
                .work
                .send(Work::Finalise(live.into_job(self.parts.wall)));
        }
        if outcome.trouble.is_some() {
            self.failures = self.failures.saturating_add(1);
            self.refused = Some(outcome.rest);
            return Written::Refused;
        }
        if self.batch.bytes.capacity() == 0 {
            self.batch = outcome.rest;
        }
        if std::mem::take(&mut self.failures) == 0 {
            Written::All
        } else {
            Written::AllAgain
        }
    }

    /// Lets the finaliser carry the blocks of recordings that have lasted long out of the files that
    /// they share with others.
    fn carry(&mut self) {
        let after = self.parts.limits.carry_after;
        for live in self.live.values_mut() {
            if live.last.since(live.carried) < after || live.track.is_empty() {
                continue;
            }
            live.carried = live.last;
            let track: Track = std::mem::take(&mut live.track);
            let _ = self.parts.work.send(Work::Carry(live.key, track));
        }
    }

    /// The recorder stops: all that came is written, and what cannot be is given up.
    fn finish(mut self) {
        self.drain_all();
        self.cut(|_| true);
        let mut tries = 0;
        loop {
            if let Some(outcome) = self.parts.pen.wait()
                && let Written::Refused = self.enter(outcome)
            {
                tries += 1;
                if tries == LAST_TRIES {
                    break;
                }
                std::thread::sleep(self.parts.limits.retry_after);
            }
            self.hand_over();
            if !self.parts.pen.is_busy() {
                break;
            }
        }
        for live in std::mem::take(&mut self.live).into_values() {
            tracing::error!(call = %live.key.call, segment = live.key.segment, "recording lost: disk");
            self.missing(live.key, MissingReason::DiskFailed);
        }
    }

    fn missing(&self, key: RecordingKey, reason: MissingReason) {
        bump(&self.parts.shared.missing);
        (self.parts.report)(Report::Missing { key, reason });
        self.parts.shared.ended();
    }
}

/// What the disk did with a batch.
enum Written {
    /// Took it.
    All,
    /// Took it, after it had refused.
    AllAgain,
    /// Refused it, or a part.
    Refused,
}
