//! Owns the media thread's end: it puts packets into the ring, or counts them. Refuses to wait, to
//! allocate and to log.
//!
//! Room for control records is kept free at the end of the ring, and if even that is full they wait
//! in a small queue, so that starts and stops are never lost and never change places with audio.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use rtrb::{Consumer, Producer, RingBuffer};
use vocab::media::{RecordingKey, Side};
use vocab::{PauseReason, Time};

use crate::codec::Payloads;
use crate::ring::{self, Control, Dropped};
use crate::shared::{Shared, bump};

/// The producer's end of a ring; one per media thread.
#[derive(Debug)]
pub struct Tap {
    ring: Producer<u8>,
    /// Bytes of the ring that audio may not use.
    reserve: usize,
    /// Made with twice the room of `limit`, so that it never grows.
    live: HashMap<RecordingKey, Slot>,
    limit: usize,
    next_handle: u32,
    /// Control records for which the ring had no room; made with all its room.
    waiting: VecDeque<(u32, Time, Control)>,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Slot {
    handle: u32,
    /// Packets that did not fit and are not yet told to the writer: caller's, operator's; and when
    /// the first of them came.
    dropped: [(u32, Time); 2],
    /// Nothing is kept.
    paused: bool,
}

/// A tap and the end from which the writer reads.
pub(crate) fn pair(bytes: usize, limit: usize, shared: Arc<Shared>) -> (Tap, Consumer<u8>) {
    let (producer, consumer) = RingBuffer::new(bytes);
    let tap = Tap {
        ring: producer,
        reserve: bytes / 8,
        live: HashMap::with_capacity(limit.saturating_mul(2)),
        limit,
        next_handle: 0,
        waiting: VecDeque::with_capacity(limit.saturating_mul(4)),
        shared,
    };
    (tap, consumer)
}

impl Tap {
    /// Begins a recording. One that is running already is left as it is, and counted.
    pub fn start(&mut self, key: RecordingKey, at: Time) {
        self.settle();
        if self.live.contains_key(&key) {
            bump(&self.shared.started_twice);
            return;
        }
        self.shared.began();
        self.next_handle = self.next_handle.wrapping_add(1);
        let handle = self.next_handle;
        if self.live.len() >= self.limit {
            bump(&self.shared.refused);
            self.control(handle, at, Control::Refused(key));
        } else if self.control(handle, at, Control::Start(key)) {
            self.live.insert(
                key,
                Slot {
                    handle,
                    dropped: [(0, at); 2],
                    paused: false,
                },
            );
        }
    }

    /// Records a packet that arrived. Not RTP is recorded too, and sorted out by the finaliser.
    pub fn packet(&mut self, key: RecordingKey, side: Side, arrived: Time, rtp: &[u8]) {
        self.settle();
        let Some(slot) = self.live.get_mut(&key) else {
            bump(&self.shared.unknown);
            return;
        };
        if slot.paused {
            return;
        }
        let index = side as usize;
        let (owed, since) = slot.dropped.get(index).copied().unwrap_or((0, arrived));
        let length = u16::try_from(rtp.len()).ok();
        // A packet after a gap also needs room to tell of the gap.
        let room = ring::HEADER + rtp.len() + ring::CONTROL + self.reserve;
        let (Some(length), true, true) =
            (length, self.waiting.is_empty(), self.ring.slots() >= room)
        else {
            if let Some((dropped, since)) = slot.dropped.get_mut(index) {
                if *dropped == 0 {
                    *since = arrived;
                }
                *dropped = dropped.saturating_add(1);
            }
            bump(&self.shared.dropped);
            return;
        };
        let handle = slot.handle;
        if owed > 0 {
            if let Some((dropped, _)) = slot.dropped.get_mut(index) {
                *dropped = 0;
            }
            let dropped = Dropped {
                side,
                count: owed,
                since,
            };
            self.control(handle, arrived, Control::Dropped(dropped));
        }
        let header = ring::packet_header(handle, side, arrived, length);
        // Header and packet become visible together. Room was checked above, and only this thread
        // takes it.
        let Ok(mut chunk) = self.ring.write_chunk(header.len() + rtp.len()) else {
            return;
        };
        let (first, second) = chunk.as_mut_slices();
        let (first, second) = fill(first, second, &header);
        fill(first, second, rtp);
        chunk.commit_all();
    }

    /// Ends a recording at this time, which also sets its length.
    pub fn stop(&mut self, key: RecordingKey, at: Time) {
        self.end(key, at, Control::Stop);
    }

    /// Ends a recording of which nothing is to be kept: it is reported missing, as too short.
    pub fn discard(&mut self, key: RecordingKey, at: Time) {
        self.end(key, at, Control::Discard);
    }

    fn end(&mut self, key: RecordingKey, at: Time, how: Control) {
        self.settle();
        let Some(slot) = self.live.remove(&key) else {
            bump(&self.shared.unknown);
            return;
        };
        let [caller, operator] = slot.dropped;
        for (side, (count, since)) in [(Side::Caller, caller), (Side::Operator, operator)] {
            if count > 0 {
                let dropped = Dropped { side, count, since };
                self.control(slot.handle, at, Control::Dropped(dropped));
            }
        }
        self.control(slot.handle, at, how);
    }

    /// Keeps nothing of a recording from now on, until [`Self::resume`] or [`Self::stop`]. What is
    /// paused already stays so, with its first reason.
    pub fn pause(&mut self, key: RecordingKey, at: Time, reason: PauseReason) {
        self.settle();
        let Some(slot) = self.live.get_mut(&key) else {
            bump(&self.shared.unknown);
            return;
        };
        if !std::mem::replace(&mut slot.paused, true) {
            let handle = slot.handle;
            self.control(handle, at, Control::Pause(reason));
        }
    }

    /// Goes on with a recording that was paused.
    pub fn resume(&mut self, key: RecordingKey, at: Time) {
        self.settle();
        let Some(slot) = self.live.get_mut(&key) else {
            bump(&self.shared.unknown);
            return;
        };
        if std::mem::replace(&mut slot.paused, false) {
            let handle = slot.handle;
            self.control(handle, at, Control::Resume);
        }
    }

    /// Says which payload types of a side are which codec from now on. Without it the static types
    /// are what RFC 3551 says they are.
    pub fn codecs(&mut self, key: RecordingKey, side: Side, at: Time, payloads: Payloads) {
        self.settle();
        let Some(slot) = self.live.get(&key) else {
            bump(&self.shared.unknown);
            return;
        };
        let handle = slot.handle;
        self.control(handle, at, Control::Codecs(side, payloads));
    }

    /// Bytes of audio that fit at this moment; for tests and load generators that pace themselves.
    #[must_use]
    pub fn free(&self) -> usize {
        self.ring.slots().saturating_sub(self.reserve)
    }

    /// Writes a control record, or puts it behind those that wait. False: not even that.
    fn control(&mut self, handle: u32, at: Time, what: Control) -> bool {
        if self.waiting.is_empty() && self.push(handle, at, what) {
            return true;
        }
        if self.waiting.len() < self.waiting.capacity() {
            self.waiting.push_back((handle, at, what));
            return true;
        }
        // The disk has hung through the ring, its reserve and the queue: about 90,000 records at
        // default settings. A lost stop ends its recording with its last packet when the tap goes.
        if let Control::Start(_) | Control::Refused(_) = what {
            bump(&self.shared.refused);
            self.shared.ended();
        }
        false
    }

    fn settle(&mut self) {
        while let Some(&(handle, at, what)) = self.waiting.front() {
            if !self.push(handle, at, what) {
                return;
            }
            self.waiting.pop_front();
        }
    }

    fn push(&mut self, handle: u32, at: Time, what: Control) -> bool {
        let (bytes, length) = ring::control(handle, at, what);
        bytes
            .get(..length)
            .is_some_and(|bytes| self.ring.push_entire_slice(bytes).is_ok())
    }
}

/// Copies `bytes` to the front of two slices that follow each other; what is left of them.
fn fill<'a>(
    first: &'a mut [u8],
    second: &'a mut [u8],
    bytes: &[u8],
) -> (&'a mut [u8], &'a mut [u8]) {
    let (here, there) = bytes.split_at(bytes.len().min(first.len()));
    let (to, first) = first.split_at_mut(here.len());
    to.copy_from_slice(here);
    let (to, second) = second.split_at_mut(there.len().min(second.len()));
    to.copy_from_slice(there.get(..to.len()).unwrap_or_default());
    (first, second)
}

impl Drop for Tap {
    fn drop(&mut self) {
        self.settle();
    }
}
