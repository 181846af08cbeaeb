//! Owns the writer thread: it drains the rings, gathers packets per recording, and writes them as
//! one block per recording, in one large write and one sync, at least every `sync_every`.
//! Refuses to look into packets beyond counting audio.
//!
//! While the spool cannot be written the bytes stay in memory up to `Limits::backlog_bytes`; beyond
//! it audio is dropped, counted in the recording, and taken again when there is room.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crossbeam_channel::Sender;
use rtrb::Consumer;
use vocab::media::{RecordingKey, Side};
use vocab::{MissingReason, Time, WallTime};

use crate::block::{self, Header, Mark};
use crate::finaliser::Job;
use crate::ring::{self, Control, Dropped, Record};
use crate::shared::{Shared, Who, bump};
use crate::spool::{Extent, Spool, Track};
use crate::watch::Gauge;
use crate::{Limits, Report, rtp};

/// The rings are drained this often, so this is also the longest that audio lives in no buffer of
/// the writer.
const DRAIN_EVERY: Duration = Duration::from_millis(50);
/// Bytes taken from a ring in one step.
const DRAIN_STEP: usize = 256 << 10;
/// Gathered bytes that are written without waiting for `sync_every`.
const WRITE_AT: usize = 8 << 20;
/// Where there is no Stop, the last packet is let sound to its end: the usual 20 ms.
pub(crate) const LAST_PACKET: Duration = Duration::from_millis(20);
/// Tries to write at the end, before what is left is given up.
const LAST_TRIES: u32 = 3;

/// What the writer is made of.
pub(crate) struct Parts<R> {
    pub(crate) rings: Vec<Consumer<u8>>,
    pub(crate) spool: Spool,
    pub(crate) jobs: Sender<Job>,
    pub(crate) wall: WallTime,
    pub(crate) sync_every: Duration,
    pub(crate) limits: Limits,
    pub(crate) shared: Arc<Shared>,
    pub(crate) report: R,
    pub(crate) gauge: Gauge,
}

/// Names a running recording: ring and handle.
type Name = (usize, u32);

/// A recording that is being written.
struct Live {
    key: RecordingKey,
    start: Time,
    first: Time,
    last: Time,
    stop: Option<Time>,
    /// No Stop came: the tap is gone, or the recorder stops.
    cut: bool,
    /// Packets not yet in a block.
    gathered: Vec<u8>,
    blocks: u32,
    audio: u64,
    dropped: [u32; 2],
    /// Packets dropped here that the blocks do not tell of yet, and when the first of them came.
    untold: [(u32, Time); 2],
    /// It was paused before there was any audio.
    paused: bool,
    track: Track,
    /// Its last block is in the batch; when that is on disk, it goes to the finaliser.
    closed: bool,
}

pub(crate) struct Writer<R> {
    parts: Parts<R>,
    live: BTreeMap<Name, Live>,
    keys: BTreeSet<RecordingKey>,
    /// Bytes in `Live::gathered` of all.
    gathered: usize,
    /// Blocks to be written next, and whose they are.
    batch: Vec<u8>,
    entries: Vec<(Name, Extent)>,
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
            batch: Vec::new(),
            entries: Vec::new(),
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
            let now = Instant::now();
            if stopping {
                break;
            }
            if now >= due {
                self.seal_all();
                self.write();
                self.parts.gauge.look(&self.parts.report);
                // From before the write: a slow disk must not stretch the interval.
                due = now + self.parts.sync_every.max(self.retry_wait());
            }
            let wait = due.saturating_duration_since(Instant::now());
            std::thread::park_timeout(wait.min(DRAIN_EVERY));
        }
        self.finish();
    }

    fn retry_wait(&self) -> Duration {
        match self.failures {
            0 => Duration::ZERO,
            n => self.parts.limits.retry_after * (1 << (n - 1).min(6)),
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
            // Full rings, as after a disk that hung, must not outgrow the backlog unwritten.
            if self.failures == 0 && self.gathered + self.batch.len() >= WRITE_AT {
                self.seal_all();
                self.write();
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
            Control::Stop => {
                if let Some(live) = self.live.get_mut(&name) {
                    live.stop = Some(at.max(live.start));
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
            Control::Resume => {
                self.mark(name, at, Mark::Resume);
            }
        }
    }

    /// Puts a mark between the packets. Marks are few and small: the backlog does not stop them.
    fn mark(&mut self, name: Name, at: Time, mark: Mark) {
        self.make_room(name, at, 32);
        if let Some(live) = self.live.get_mut(&name) {
            let before = live.gathered.len();
            block::push_mark(&mut live.gathered, live.first, at, mark);
            live.last = live.last.max(at);
            self.gathered += live.gathered.len() - before;
        }
    }

    /// Seals what was gathered for a recording if so many more octets at this time do not fit into
    /// its block.
    fn make_room(&mut self, name: Name, at: Time, octets: usize) {
        let Some(live) = self.live.get_mut(&name) else {
            return;
        };
        let long = live.gathered.len() + block::PACKET_HEADER + octets > block::PAYLOAD_MAX;
        let far = !live.gathered.is_empty() && at.since(live.first) > Duration::from_secs(3_600);
        if long || far {
            self.gathered -= live.gathered.len();
            seal(
                live,
                name,
                self.parts.wall,
                &mut self.batch,
                &mut self.entries,
            );
        }
        if live.gathered.is_empty() {
            live.first = at;
        }
    }

    fn packet(&mut self, name: Name, side: Side, at: Time, rtp: &[u8]) {
        let used = self.gathered + self.batch.len();
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
        let before = live.gathered.len();
        if block::push_packet(&mut live.gathered, live.first, at, side, rtp) {
            live.last = live.last.max(at);
            live.audio += u64::from(rtp::is_audio(rtp));
            self.gathered += live.gathered.len() - before;
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
            let news = !live.gathered.is_empty() || live.stop.is_some() || live.blocks == 0;
            if news && !live.closed {
                live.closed = live.stop.is_some();
                seal(
                    live,
                    *name,
                    self.parts.wall,
                    &mut self.batch,
                    &mut self.entries,
                );
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

    /// Writes and syncs the batch; what is then durable is entered, and what is also over goes to
    /// the finaliser. True: nothing is left to write.
    fn write(&mut self) -> bool {
        if self.batch.is_empty() {
            return true;
        }
        self.parts.shared.write_begins();
        let appended = self.parts.spool.append(&self.batch);
        self.parts.shared.write_ended();
        let (file, base) = match appended {
            Ok(place) => place,
            Err(message) => {
                self.failures = self.failures.saturating_add(1);
                self.parts
                    .shared
                    .disk_failed(Who::Writer, message, &self.parts.report);
                return false;
            }
        };
        self.failures = 0;
        self.parts
            .shared
            .disk_works(Who::Writer, &self.parts.report);
        self.parts
            .shared
            .spool_bytes
            .fetch_add(self.batch.len() as u64, Ordering::Relaxed);
        let entries = std::mem::take(&mut self.entries);
        for (name, extent) in &entries {
            if let Some(live) = self.live.get_mut(name) {
                let position = base + extent.position;
                live.track.add(
                    &file,
                    Extent {
                        position,
                        ..*extent
                    },
                );
            }
        }
        let over: Vec<_> = self.live.extract_if(.., |_, live| live.closed).collect();
        for (_, live) in over {
            self.keys.remove(&live.key);
            // The finaliser outlives this thread unless it panicked; the spool then keeps the audio.
            let _ = self.parts.jobs.send(live.into_job(self.parts.wall));
        }
        self.entries = entries;
        self.entries.clear();
        self.batch.clear();
        self.batch.shrink_to(WRITE_AT);
        true
    }

    /// The recorder stops: all that came is written, and what cannot be is given up.
    fn finish(mut self) {
        self.drain_all();
        self.cut(|_| true);
        self.seal_all();
        for attempt in 1..=LAST_TRIES {
            if self.write() {
                break;
            }
            if attempt < LAST_TRIES {
                std::thread::sleep(self.parts.limits.retry_after);
            }
        }
        self.parts.spool.close();
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

/// Puts what was gathered for a recording into the batch, as a block.
fn seal(
    live: &mut Live,
    name: Name,
    wall: WallTime,
    batch: &mut Vec<u8>,
    entries: &mut Vec<(Name, Extent)>,
) {
    let position = batch.len() as u64;
    let stop = live.stop.filter(|_| live.closed && !live.cut);
    let header = Header {
        key: live.key,
        wall,
        start: live.start,
        sequence: live.blocks,
        first: live.first,
        last: stop.unwrap_or(live.last),
        stopped: stop.is_some(),
        audio: live.audio,
        dropped: live.dropped,
    };
    header.write(&live.gathered, batch);
    entries.push((
        name,
        Extent {
            position,
            payload: live.gathered.len() as u32,
        },
    ));
    live.blocks += 1;
    live.gathered.clear();
}

impl Live {
    fn new(key: RecordingKey, start: Time) -> Self {
        Self {
            key,
            start,
            first: start,
            last: start,
            stop: None,
            cut: false,
            gathered: Vec::new(),
            blocks: 0,
            audio: 0,
            dropped: [0; 2],
            untold: [(0, start); 2],
            paused: false,
            track: Track::default(),
            closed: false,
        }
    }

    fn drop_packets(&mut self, side: Side, count: u32) {
        if let Some(dropped) = self.dropped.get_mut(side as usize) {
            *dropped = dropped.saturating_add(count);
        }
    }

    /// One packet of a side more was dropped here.
    fn owe(&mut self, side: Side, at: Time) {
        if let Some((count, since)) = self.untold.get_mut(side as usize) {
            if *count == 0 {
                *since = at;
            }
            *count = count.saturating_add(1);
        }
    }

    /// What was dropped here of a side and is told now.
    fn owed(&mut self, side: Side) -> Option<Dropped> {
        let (count, since) = self.untold.get_mut(side as usize)?;
        let count = std::mem::take(count);
        (count > 0).then_some(Dropped {
            side,
            count,
            since: *since,
        })
    }

    fn into_job(self, wall: WallTime) -> Job {
        Job {
            key: self.key,
            wall,
            start: self.start,
            stop: self.stop.unwrap_or(self.last),
            audio: self.audio,
            dropped: self.dropped,
            repaired: self.cut,
            missing_blocks: 0,
            paused: self.paused,
            track: self.track,
        }
    }
}
