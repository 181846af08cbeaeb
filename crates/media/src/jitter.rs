//! Owns the waiting of packets that are to be decoded: it puts them into their order, and knows how long
//! they must wait so that few come too late. Refuses to know what is in them.
//!
//! Bounded: [`SLOTS`] packets, the oldest are left out for newer ones; a packet of more than
//! [`OCTETS_MAX`] octets is not kept. All room is made at the start.

use core::time::Duration;

use vocab::Time;

use crate::incoming::{DROPOUT_MAX, MISORDER_MAX};
use crate::rtp::Header;

/// Packets that wait at most: 320 ms of those of 10 ms. Whoever sends more at once has stalled.
const SLOTS: usize = 32;
/// Octets of a payload: one frame of Opus (RFC 6716 §3.2.1) and 60 ms of the others fit.
const OCTETS_MAX: usize = 1_280;
/// Lateness is remembered for one to two of these.
const WINDOW: Duration = Duration::from_secs(2);
/// What is waited for at least and at most, microseconds.
const TARGET_MIN: i64 = 10_000;
const TARGET_MAX: i64 = 200_000;
/// Added to the lateness that was seen.
const MARGIN: i64 = 5_000;

/// Packets of one stream that wait.
#[derive(Debug)]
pub(crate) struct Jitter {
    slots: Box<[Slot]>,
    octets: Box<[u8]>,
    clock: u32,
    ssrc: Option<u32>,
    /// The number that is taken next, once a packet came.
    next: u16,
    waiting: usize,
    lateness: Option<Lateness>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    full: bool,
    sequence: u16,
    timestamp: u32,
    length: u16,
}

/// What is next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Taken<'a> {
    /// A payload. It is as far behind the soonest that it could have been heard.
    Payload {
        /// Its octets.
        payload: &'a [u8],
        /// Microseconds.
        behind: i64,
    },
    /// The peer is silent, or presses a key: a packet without audio.
    Pause,
    /// Lost, or not here in time. The payload after it, if that is here.
    Lost(Option<&'a [u8]>),
    /// Nothing waits.
    Nothing,
}

impl Jitter {
    /// Of a stream whose timestamps count so many units a second.
    pub(crate) fn new(clock: u32) -> Self {
        Self {
            slots: core::iter::repeat_n(Slot::default(), SLOTS).collect(),
            octets: core::iter::repeat_n(0, SLOTS * OCTETS_MAX).collect(),
            clock,
            ssrc: None,
            next: 0,
            waiting: 0,
            lateness: None,
        }
    }

    /// Puts a packet to its place; `None` for one without audio. True if it is kept: not too late,
    /// not here already, not too long.
    pub(crate) fn put(&mut self, now: Time, header: &Header, payload: Option<&[u8]>) -> bool {
        let ahead = header.sequence.wrapping_sub(self.next);
        let is_near = ahead <= DROPOUT_MAX || ahead.wrapping_neg() <= MISORDER_MAX;
        if self.ssrc != Some(header.ssrc) || !is_near {
            self.begin(header);
        }
        if payload.is_some() {
            self.note(now, header.timestamp);
        }
        let payload = payload.unwrap_or_default();
        let ahead = header.sequence.wrapping_sub(self.next);
        if ahead > DROPOUT_MAX || payload.len() > OCTETS_MAX {
            return false;
        }
        // No room so far ahead: the oldest are left out.
        while usize::from(header.sequence.wrapping_sub(self.next)) >= SLOTS {
            if self.waiting == 0 {
                self.next = header.sequence;
                break;
            }
            self.leave();
        }
        let at = usize::from(header.sequence) % SLOTS;
        let octets = self.octets.get_mut(at * OCTETS_MAX..).unwrap_or_default();
        let (Some(slot), Some(room)) = (self.slots.get_mut(at), octets.get_mut(..payload.len()))
        else {
            return false;
        };
        if slot.full {
            return false;
        }
        room.copy_from_slice(payload);
        *slot = Slot {
            full: true,
            sequence: header.sequence,
            timestamp: header.timestamp,
            length: payload.len() as u16,
        };
        self.waiting += 1;
        true
    }

    /// Takes what is next by number.
    pub(crate) fn take(&mut self, now: Time) -> Taken<'_> {
        if self.waiting == 0 {
            return Taken::Nothing;
        }
        let at = self.next;
        let slot = self.leave();
        if !slot.full {
            return Taken::Lost(self.payload(at.wrapping_add(1)));
        }
        let behind = self.behind(now, slot.timestamp);
        match self.octets_of(at, slot.length) {
            [] => Taken::Pause,
            payload => Taken::Payload { payload, behind },
        }
    }

    /// How long the oldest has waited by its timestamp, microseconds; `None` if nothing waits.
    pub(crate) fn waited(&self, now: Time) -> Option<i64> {
        let steps = (0..SLOTS as u16).map(|step| self.next.wrapping_add(step));
        let mut full = steps.filter_map(|at| self.slot(at));
        let oldest = full.find(|slot| slot.full && slot.length > 0)?;
        Some(self.behind(now, oldest.timestamp))
    }

    /// How many wait.
    pub(crate) const fn waiting(&self) -> usize {
        self.waiting
    }

    /// For how long packets are to wait, microseconds.
    pub(crate) fn target(&self) -> i64 {
        self.lateness
            .map_or(TARGET_MIN, |lateness| lateness.spread() + MARGIN)
            .clamp(TARGET_MIN, TARGET_MAX)
    }

    fn begin(&mut self, header: &Header) {
        for slot in &mut self.slots {
            slot.full = false;
        }
        self.ssrc = Some(header.ssrc);
        self.next = header.sequence;
        self.waiting = 0;
        self.lateness = None;
    }

    /// Leaves the next place.
    fn leave(&mut self) -> Slot {
        let at = usize::from(self.next) % SLOTS;
        self.next = self.next.wrapping_add(1);
        let slot = self
            .slots
            .get_mut(at)
            .map(core::mem::take)
            .unwrap_or_default();
        self.waiting -= usize::from(slot.full);
        slot
    }

    fn slot(&self, sequence: u16) -> Option<Slot> {
        let slot = self.slots.get(usize::from(sequence) % SLOTS).copied()?;
        (slot.sequence == sequence).then_some(slot)
    }

    fn octets_of(&self, sequence: u16, length: u16) -> &[u8] {
        let from = usize::from(sequence) % SLOTS * OCTETS_MAX;
        self.octets
            .get(from..from + usize::from(length))
            .unwrap_or_default()
    }

    fn payload(&self, sequence: u16) -> Option<&[u8]> {
        let slot = self
            .slot(sequence)
            .filter(|slot| slot.full && slot.length > 0)?;
        Some(self.octets_of(sequence, slot.length))
    }

    fn note(&mut self, now: Time, timestamp: u32) {
        match &mut self.lateness {
            Some(lateness) => {
                let transit = lateness.transit(now, timestamp, self.clock);
                if transit.abs() < WINDOW.as_micros() as i64 {
                    lateness.note(now, transit);
                    return;
                }
                // The peer's clock has jumped.
                self.lateness = Some(Lateness::new(now, timestamp));
            }
            None => self.lateness = Some(Lateness::new(now, timestamp)),
        }
    }

    fn behind(&self, now: Time, timestamp: u32) -> i64 {
        let transit =
            |lateness: Lateness| lateness.transit(now, timestamp, self.clock) - lateness.soonest();
        self.lateness.map_or(0, transit)
    }
}

/// How much later than their timestamps packets come, against the first of them, microseconds.
#[derive(Debug, Clone, Copy)]
struct Lateness {
    first: (Time, u32),
    /// The least and the most, in this window and the one before.
    now: (i64, i64),
    before: (i64, i64),
    began: Time,
}

impl Lateness {
    const fn new(now: Time, timestamp: u32) -> Self {
        Self {
            first: (now, timestamp),
            now: (0, 0),
            before: (0, 0),
            began: now,
        }
    }

    fn transit(&self, now: Time, timestamp: u32, clock: u32) -> i64 {
        let (at, first) = self.first;
        let passed = i64::try_from(now.since(at).as_micros()).unwrap_or(i64::MAX);
        let units = i64::from(timestamp.wrapping_sub(first).cast_signed());
        passed.saturating_sub(units * 1_000_000 / i64::from(clock.max(1)))
    }

    fn note(&mut self, now: Time, transit: i64) {
        if now.since(self.began) >= WINDOW {
            self.before = self.now;
            self.now = (transit, transit);
            self.began = now;
        }
        self.now = (self.now.0.min(transit), self.now.1.max(transit));
    }

    const fn soonest(&self) -> i64 {
        if self.now.0 < self.before.0 {
            self.now.0
        } else {
            self.before.0
        }
    }

    fn spread(&self) -> i64 {
        self.now.1.max(self.before.1) - self.soonest()
    }
}

#[cfg(test)]
mod tests;
