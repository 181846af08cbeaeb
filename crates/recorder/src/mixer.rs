//! Owns making one stereo stream of the packets of both sides, and what is known of each side.
//! Refuses to know where packets come from and where the stream goes.

use std::io;

use vocab::Time;
use vocab::media::{Codec, Side};

use crate::Format;
use crate::rtp;
use crate::sequence::Sequence;
use crate::timeline::{RATE, Timeline};
use crate::window::{Fit, Window};

/// What became of a side's packets.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct SideCounts {
    /// Audio packets in the file.
    pub(crate) packets: u64,
    /// Missing in the sequence numbers.
    pub(crate) lost: u64,
    /// Came twice.
    pub(crate) duplicates: u64,
    /// Came after their place was written.
    pub(crate) late: u64,
    /// Not audio: telephone-events and the like, or not RTP.
    pub(crate) other: u64,
    pub(crate) pcmu: bool,
    pub(crate) pcma: bool,
    /// Arrival of the first and of the last audio packet.
    pub(crate) span: Option<(Time, Time)>,
}

#[derive(Default)]
struct Lane {
    timeline: Timeline,
    sequence: Sequence,
    counts: SideCounts,
}

/// Both sides on their way into the window.
pub(crate) struct Mixer<S> {
    start: Time,
    caller: Lane,
    operator: Lane,
    window: Window<S>,
}

impl<S: FnMut(&[u8]) -> io::Result<()>> Mixer<S> {
    /// For a recording from `start` that is `total` samples long; `sink` gets the frames in order.
    pub(crate) fn new(format: Format, start: Time, total: i64, sink: S) -> Self {
        let window = Window::new(format, total, sink);
        Self {
            start,
            caller: Lane::default(),
            operator: Lane::default(),
            window,
        }
    }

    /// Takes the next packet in order of arrival.
    pub(crate) fn push(&mut self, side: Side, arrived: Time, bytes: &[u8]) -> io::Result<()> {
        let after_us = arrived.as_micros() as i64 - self.start.as_micros() as i64;
        let now = after_us.saturating_mul(RATE) / 1_000_000;
        let lane = match side {
            Side::Caller => &mut self.caller,
            Side::Operator => &mut self.operator,
        };
        lane.push(now, arrived, bytes);
        self.place(Some(now))?;
        self.window.reach(now + RATE)
    }

    /// Writes the rest; what became of the caller's and of the operator's packets.
    pub(crate) fn finish(mut self) -> io::Result<[SideCounts; 2]> {
        self.place(None)?;
        self.window.finish()?;
        Ok([self.caller.finish(), self.operator.finish()])
    }

    fn place(&mut self, now: Option<i64>) -> io::Result<()> {
        for (side, lane) in [
            (Side::Caller, &mut self.caller),
            (Side::Operator, &mut self.operator),
        ] {
            while let Some(placed) = lane.timeline.next(now) {
                match self.window.put(side, &placed)? {
                    Fit::Placed => lane.counts.packets += 1,
                    Fit::Late => lane.counts.late += 1,
                    // Sent before the start or after the stop: no part of the recording.
                    Fit::Outside => {}
                }
            }
        }
        Ok(())
    }
}

impl Lane {
    fn push(&mut self, now: i64, arrived: Time, bytes: &[u8]) {
        let Some(rtp) = rtp::parse(bytes) else {
            self.counts.other += 1;
            return;
        };
        // Telephone-events share the numbering with the audio they stand between (RFC 4733 §2.5).
        if !self.sequence.enter(rtp.ssrc, rtp.sequence) {
            return;
        }
        let Some(codec) = rtp::codec(rtp.payload_type).filter(|_| !rtp.payload.is_empty()) else {
            self.counts.other += 1;
            return;
        };
        match codec {
            Codec::Pcmu => self.counts.pcmu = true,
            Codec::Pcma => self.counts.pcma = true,
        }
        let first = self.counts.span.map_or(arrived, |(first, _)| first);
        self.counts.span = Some((first, arrived));
        self.timeline.push(now, codec, &rtp);
    }

    fn finish(self) -> SideCounts {
        SideCounts {
            lost: self.sequence.lost(),
            duplicates: self.sequence.duplicates(),
            ..self.counts
        }
    }
}
