//! Owns one recording while it is written: what was gathered for its next block, and its counts.
//! Refuses to know of threads and disks.

use std::time::Duration;

use vocab::media::{RecordingKey, Side};
use vocab::{Time, WallTime};

use crate::block::{self, Header, Mark};
use crate::codec::Payloads;
use crate::finaliser::Job;
use crate::pen::{Batch, Name};
use crate::ring::Dropped;
use crate::rtp;
use crate::spool::{Extent, Track};

/// Room for packets grows by this: doubling would leave a third of it unused in each of a
/// thousand calls.
const GROW_BY: usize = 2 << 10;

/// A recording that is being written.
pub(crate) struct Live {
    pub(crate) key: RecordingKey,
    pub(crate) start: Time,
    first: Time,
    pub(crate) last: Time,
    pub(crate) stop: Option<Time>,
    /// No Stop came: the tap is gone, or the recorder stops.
    pub(crate) cut: bool,
    /// Packets not yet in a block.
    gathered: Vec<u8>,
    blocks: u32,
    pub(crate) audio: u64,
    dropped: [u32; 2],
    /// Packets dropped here that the blocks do not tell of yet, and when the first of them came.
    untold: [(u32, Time); 2],
    /// What payload types of each side mean.
    payloads: [Payloads; 2],
    /// A side sent wideband.
    wideband: bool,
    /// Nothing of it is to be kept.
    pub(crate) discarded: bool,
    /// It was paused before there was any audio.
    pub(crate) paused: bool,
    /// Where its blocks lie, but for those that were carried away.
    pub(crate) track: Track,
    /// Up to when they were.
    pub(crate) carried: Time,
    /// Blocks that are not on the disk yet.
    pub(crate) unwritten: u32,
    /// Its last block was made; when that is on disk, it goes to the finaliser.
    pub(crate) closed: bool,
}

impl Live {
    pub(crate) fn new(key: RecordingKey, start: Time) -> Self {
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
            payloads: [Payloads::STATIC; 2],
            wideband: false,
            discarded: false,
            paused: false,
            track: Track::default(),
            carried: start,
            unwritten: 0,
            closed: false,
        }
    }

    /// Octets gathered for the next block.
    pub(crate) fn gathered(&self) -> usize {
        self.gathered.len()
    }

    /// Whether so many more octets at this time do not fit into the block that is gathered.
    pub(crate) fn is_full(&self, at: Time, octets: usize) -> bool {
        let long = self.gathered.len() + block::PACKET_HEADER + octets > block::PAYLOAD_MAX;
        let far = !self.gathered.is_empty() && at.since(self.first) > Duration::from_secs(3_600);
        long || far
    }

    /// Whether there is something to make a block of.
    pub(crate) fn has_news(&self) -> bool {
        let news = !self.gathered.is_empty() || self.stop.is_some() || self.blocks == 0;
        news && !self.closed
    }

    /// Gathers a packet. False: it is too far from the others.
    pub(crate) fn packet(&mut self, at: Time, side: Side, rtp: &[u8]) -> bool {
        self.begin_block(at, block::PACKET_HEADER + rtp.len());
        if !block::push_packet(&mut self.gathered, self.first, at, side, rtp) {
            return false;
        }
        self.last = self.last.max(at);
        let payloads = self.payloads.get(side as usize).copied();
        if let Some(codec) = rtp::audio(rtp, &payloads.unwrap_or_default()) {
            self.audio += 1;
            self.wideband |= codec.is_wideband();
        }
        true
    }

    /// Whether payload types mean something else from now on, which needs a new block.
    pub(crate) fn changes(&self, side: Side, payloads: Payloads) -> bool {
        self.payloads.get(side as usize) != Some(&payloads)
    }

    /// Payload types of a side mean this from now on; nothing may be gathered.
    pub(crate) fn codecs(&mut self, side: Side, payloads: Payloads) {
        if let Some(told) = self.payloads.get_mut(side as usize) {
            *told = payloads;
        }
    }

    /// Gathers a mark.
    pub(crate) fn mark(&mut self, at: Time, mark: Mark) {
        self.begin_block(at, block::MARK_MAX);
        block::push_mark(&mut self.gathered, self.first, at, mark);
        self.last = self.last.max(at);
    }

    fn begin_block(&mut self, at: Time, octets: usize) {
        if self.gathered.is_empty() {
            self.first = at;
        }
        if self.gathered.capacity() - self.gathered.len() < octets {
            self.gathered.reserve_exact(octets.max(GROW_BY));
        }
    }

    /// Puts what was gathered into the batch, as a block.
    pub(crate) fn seal(&mut self, name: Name, wall: WallTime, batch: &mut Batch) {
        let position = batch.bytes.len() as u64;
        let stop = self.stop.filter(|_| self.closed && !self.cut);
        let header = Header {
            key: self.key,
            wall,
            start: self.start,
            sequence: self.blocks,
            first: self.first,
            last: stop.unwrap_or(self.last),
            stopped: stop.is_some(),
            discarded: self.discarded,
            audio: self.audio,
            dropped: self.dropped,
            payloads: self.payloads,
            wideband: self.wideband,
        };
        header.write(&self.gathered, &mut batch.bytes);
        batch.entries.push((
            name,
            Extent {
                position,
                payload: self.gathered.len() as u32,
            },
        ));
        self.blocks += 1;
        self.unwritten += 1;
        self.gathered.clear();
    }

    /// Packets of a side were dropped.
    pub(crate) fn drop_packets(&mut self, side: Side, count: u32) {
        if let Some(dropped) = self.dropped.get_mut(side as usize) {
            *dropped = dropped.saturating_add(count);
        }
    }

    /// One packet of a side more was dropped here.
    pub(crate) fn owe(&mut self, side: Side, at: Time) {
        if let Some((count, since)) = self.untold.get_mut(side as usize) {
            if *count == 0 {
                *since = at;
            }
            *count = count.saturating_add(1);
        }
    }

    /// What was dropped here of a side and is told now.
    pub(crate) fn owed(&mut self, side: Side) -> Option<Dropped> {
        let (count, since) = self.untold.get_mut(side as usize)?;
        let count = std::mem::take(count);
        (count > 0).then_some(Dropped {
            side,
            count,
            since: *since,
        })
    }

    pub(crate) fn into_job(self, wall: WallTime) -> Job {
        Job {
            key: self.key,
            wall,
            start: self.start,
            stop: self.stop.unwrap_or(self.last),
            audio: self.audio,
            dropped: self.dropped,
            repaired: self.cut,
            missing_blocks: 0,
            discarded: self.discarded,
            paused: self.paused,
            wideband: self.wideband,
            track: self.track,
            handed: std::time::Instant::now(),
        }
    }
}
