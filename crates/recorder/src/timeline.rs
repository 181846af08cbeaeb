//! Owns where the packets of one side lie on the recording's time line. Refuses to decode.
//!
//! Positions are in samples of 8 kHz from the start of the recording. A packet's *delay* is its
//! arrival minus its RTP timestamp, both in samples: constant for a steady sender on a perfect
//! network. The smallest delay in sight is the one least disturbed by the network; it is the
//! *offset* that turns timestamps into positions. It is looked for in the second after a packet, so
//! a burst after a stall finds its place, and is followed as clocks drift:
//!
//! | the smallest delay of the next second, against the offset | what is done |
//! |---|---|
//! | within 5 ms | nothing: jitter |
//! | within 60 ms | the offset moves by 1 ms per packet: drift, a changed route |
//! | more | the offset jumps: the sender's timestamps stood still, or skipped |
//!
//! A new source (SSRC), a delay that changes by more than a second between two packets, or a packet
//! that is 120 ms earlier than any in sight begins a new *run*, with an offset of its own.

use std::collections::VecDeque;

use vocab::media::Codec;

use crate::rtp::Rtp;

/// Samples per second.
pub(crate) const RATE: i64 = 8_000;
const LOOK_AHEAD: i64 = RATE;
const JUMP: i64 = RATE;
const EARLY: i64 = RATE * 120 / 1_000;
const SNAP: i64 = RATE * 60 / 1_000;
const SLACK: i64 = RATE * 5 / 1_000;
/// Largest step of the offset that is not a jump; a gap so small is bridged, not left silent.
const SLEW: i64 = RATE / 1_000;
/// Fewer packets in sight than this say nothing about the offset of a run that has one.
const EVIDENCE: usize = 10;
/// Packets that wait at most: ten times what a side sends in the look-ahead. A flood beyond it is
/// placed with the offset it finds.
const WAITING_MAX: usize = 1_000;

/// A packet with its place.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Placed {
    /// First sample; before 0 when it was sent before the recording began.
    pub(crate) position: i64,
    /// So many samples before it continue what was there.
    pub(crate) bridge: usize,
    pub(crate) codec: Codec,
    pub(crate) payload: Vec<u8>,
}

#[derive(Debug)]
struct Waiting {
    arrival: i64,
    timestamp: i64,
    run: u32,
    codec: Codec,
    payload: Vec<u8>,
}

impl Waiting {
    fn delay(&self) -> i64 {
        self.arrival - self.timestamp
    }
}

/// What the last packet in order was like.
#[derive(Debug, Clone, Copy)]
struct Last {
    ssrc: u32,
    sequence: u16,
    rtp_timestamp: u32,
    timestamp: i64,
    delay: i64,
}

/// One side's time line.
#[derive(Debug, Default)]
pub(crate) struct Timeline {
    waiting: VecDeque<Waiting>,
    last: Option<Last>,
    run: u32,
    /// Of the run that is being placed.
    offset: Option<(u32, i64)>,
    /// After the last sample that was placed.
    end: i64,
}

impl Timeline {
    /// Takes an audio packet, no duplicate, that arrived so many samples after the start.
    pub(crate) fn push(&mut self, arrival: i64, codec: Codec, rtp: &Rtp<'_>) {
        let timestamp = self.extend(arrival, rtp);
        let payload = rtp.payload.to_vec();
        self.waiting.push_back(Waiting {
            arrival,
            timestamp,
            run: self.run,
            codec,
            payload,
        });
    }

    /// Unwraps the timestamp and begins a new run where one is due.
    fn extend(&mut self, arrival: i64, rtp: &Rtp<'_>) -> i64 {
        let fresh = i64::from(rtp.timestamp);
        let last = self.last.filter(|last| last.ssrc == rtp.ssrc);
        let timestamp = last.map_or(fresh, |last| {
            last.timestamp + i64::from(rtp.timestamp.wrapping_sub(last.rtp_timestamp) as i32)
        });
        let delay = arrival - timestamp;
        if let Some(last) = last {
            let step = rtp.sequence.wrapping_sub(last.sequence) as i16;
            if (-512..0).contains(&step) {
                // Overtaken on the way; it says nothing about those after it.
                return timestamp;
            }
        }
        let broken = last.is_none_or(|last| {
            let low = self.lowest_delay().unwrap_or(last.delay);
            (delay - last.delay).abs() > JUMP || delay < low - EARLY
        });
        if broken {
            self.run = self.run.wrapping_add(1);
        }
        self.last = Some(Last {
            ssrc: rtp.ssrc,
            sequence: rtp.sequence,
            rtp_timestamp: rtp.timestamp,
            timestamp,
            delay,
        });
        timestamp
    }

    /// The smallest delay in sight in the current run.
    fn lowest_delay(&self) -> Option<i64> {
        let waiting = self
            .waiting
            .iter()
            .rev()
            .take_while(|waiting| waiting.run == self.run);
        let placed = self
            .offset
            .filter(|(run, _)| *run == self.run)
            .map(|(_, offset)| offset);
        waiting.map(Waiting::delay).chain(placed).min()
    }

    /// The next packet whose place is certain at `now`; at the end (`None`) all are.
    pub(crate) fn next(&mut self, now: Option<i64>) -> Option<Placed> {
        let head = self.waiting.front()?;
        let ripe = now.is_none_or(|now| head.arrival + LOOK_AHEAD <= now);
        if !ripe && self.waiting.len() <= WAITING_MAX {
            return None;
        }
        let offset = self.offset_for(head);
        self.offset = Some((head.run, offset));
        let Waiting {
            timestamp,
            codec,
            payload,
            ..
        } = self.waiting.pop_front()?;
        let position = timestamp + offset;
        let gap = position - self.end;
        let bridge = if (1..=SLEW).contains(&gap) {
            gap as usize
        } else {
            0
        };
        self.end = position + payload.len() as i64;
        Some(Placed {
            position,
            bridge,
            codec,
            payload,
        })
    }

    fn offset_for(&self, head: &Waiting) -> i64 {
        let ahead = self
            .waiting
            .iter()
            .take_while(|next| next.run == head.run && next.arrival <= head.arrival + LOOK_AHEAD);
        let (seen, lowest) = ahead.fold((0, head.delay()), |(n, low), next| {
            (n + 1, low.min(next.delay()))
        });
        match self.offset {
            Some((run, offset)) if run == head.run => {
                let off = lowest - offset;
                if seen < EVIDENCE || off.abs() <= SLACK {
                    offset
                } else if off.abs() <= SNAP {
                    offset + off.clamp(-SLEW, SLEW)
                } else {
                    lowest
                }
            }
            _ => lowest,
        }
    }
}
