//! Owns the measuring of what a peer sends: loss, order, doubles and jitter (RFC 3550 §A.1, §A.3,
//! §A.8). A few additions per packet, without memory that grows.

use core::time::Duration;

use vocab::Time;

use crate::rtp::Header;
use crate::xr::{Bursts, Spread};

/// A forward jump of more is a restart of the peer's stream, not a loss (RFC 3550 §A.1).
pub(crate) const DROPOUT_MAX: u16 = 3_000;
/// A packet so much older than the newest is reordered; an older one is a restart.
pub(crate) const MISORDER_MAX: u16 = 100;
/// A timestamp that leaves the time of arrival by more from one packet to the next is a jump of
/// the peer's clock and no jitter.
const CLOCK_JUMP: Duration = Duration::from_secs(1);

/// What came from one peer.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Incoming {
    stream: Option<Stream>,
    /// Of streams that are over.
    past: Totals,
    jitter: Jitter,
    /// How losses are spread, as they look when the next packet comes.
    bursts: Bursts,
}

/// Counts of whole streams.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    /// Packets there must have been, from the first to the newest.
    pub(crate) expected: u64,
    /// Those that came, each once.
    pub(crate) received: u64,
    pub(crate) duplicates: u64,
    pub(crate) reordered: u64,
    /// Runs of missing packets, those that were filled later included.
    pub(crate) gaps: u64,
}

/// Jitter over the life of a leg.
#[derive(Debug, Clone, Copy, Default)]
struct Jitter {
    sum_us: u64,
    count: u64,
    max_us: u32,
}

/// One run of sequence numbers.
#[derive(Debug, Clone, Copy)]
struct Stream {
    ssrc: u32,
    /// The newest number, with the times it went round above its 16 bits.
    newest: u32,
    /// Bit n: the packet n before the newest came.
    came: u128,
    counts: Totals,
    /// When the packet before came and what its timestamp was.
    before: Option<(Time, u32)>,
    /// RFC 3550 §A.8, in microseconds, times 16.
    jitter_x16: u32,
    /// The clock of its timestamps, for the report.
    rate: u32,
    /// Expected and received, all copies, when the last report was made.
    reported: (u64, u64),
}

/// What a report says of a peer's stream (RFC 3550 §6.4.1), without the times of sender reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reception {
    pub(crate) ssrc: u32,
    /// Of 256, since the last report.
    pub(crate) fraction_lost: u8,
    /// Since the beginning; doubles make it less, below zero at last.
    pub(crate) lost: i32,
    pub(crate) newest: u32,
    /// In units of the timestamp.
    pub(crate) jitter: u32,
}

impl Incoming {
    /// Counts a packet of the peer; says whether it was there before. `rate` is the clock of its timestamps if it holds audio; the
    /// timestamp of an event is that of its beginning and tells nothing of jitter.
    pub(crate) fn note(&mut self, now: Time, header: &Header, rate: Option<u32>) -> Seen {
        let stream = match &mut self.stream {
            Some(stream) if stream.ssrc == header.ssrc && stream.is_near(header.sequence) => stream,
            _ => {
                self.past = self.totals();
                self.stream.insert(Stream::new(header))
            }
        };
        let (seen, missing) = stream.count(header.sequence);
        self.bursts.missed(missing);
        if seen == Seen::First {
            self.bursts.came();
        }
        if let (Seen::First, Some(rate)) = (seen, rate) {
            let us = stream.time(now, header.timestamp, rate);
            self.jitter.sum_us += u64::from(us);
            self.jitter.count += 1;
            self.jitter.max_us = self.jitter.max_us.max(us);
        }
        seen
    }

    /// All counts so far.
    pub(crate) fn totals(&self) -> Totals {
        let now = self.stream.map(|stream| stream.counts).unwrap_or_default();
        let past = self.past;
        Totals {
            expected: past.expected + now.expected,
            received: past.received + now.received,
            duplicates: past.duplicates + now.duplicates,
            reordered: past.reordered + now.reordered,
            gaps: past.gaps + now.gaps,
        }
    }

    /// How losses are spread.
    pub(crate) fn spread(&self) -> Spread {
        self.bursts.spread()
    }

    /// Mean and highest jitter so far, microseconds.
    pub(crate) fn jitter_us(&self) -> (u32, u32) {
        let mean = self.jitter.sum_us / self.jitter.count.max(1);
        (u32::try_from(mean).unwrap_or(u32::MAX), self.jitter.max_us)
    }

    /// What to report of the stream; begins the next interval.
    pub(crate) fn report(&mut self) -> Option<Reception> {
        let stream = self.stream.as_mut()?;
        let (expected, received) = (
            stream.counts.expected,
            stream.counts.received + stream.counts.duplicates,
        );
        let interval = expected.saturating_sub(stream.reported.0);
        let came = received.saturating_sub(stream.reported.1);
        stream.reported = (expected, received);
        let fraction = interval.saturating_sub(came) * 256 / interval.max(1);
        let lost = i64::try_from(expected).unwrap_or(i64::MAX)
            - i64::try_from(received).unwrap_or(i64::MAX);
        let jitter = u64::from(stream.jitter_x16 / 16) * u64::from(stream.rate) / 1_000_000;
        Some(Reception {
            ssrc: stream.ssrc,
            fraction_lost: u8::try_from(fraction).unwrap_or(u8::MAX),
            lost: lost.clamp(-0x80_0000, 0x7f_ffff) as i32,
            newest: stream.newest,
            jitter: u32::try_from(jitter).unwrap_or(u32::MAX),
        })
    }
}

impl Totals {
    /// Packets that never came.
    pub(crate) const fn lost(&self) -> u64 {
        self.expected.saturating_sub(self.received)
    }
}

/// Whether a packet was there before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Seen {
    First,
    Again,
}

impl Stream {
    fn new(header: &Header) -> Self {
        Self {
            ssrc: header.ssrc,
            // The first packet is then the next one, and nothing before it came.
            newest: u32::from(header.sequence).wrapping_sub(1),
            came: 0,
            counts: Totals::default(),
            before: None,
            jitter_x16: 0,
            rate: g711::RATE,
            reported: (0, 0),
        }
    }

    /// Whether a number goes on from the newest; otherwise the peer has begun anew.
    const fn is_near(&self, sequence: u16) -> bool {
        let ahead = sequence.wrapping_sub(self.newest as u16);
        ahead <= DROPOUT_MAX || ahead.wrapping_neg() <= MISORDER_MAX
    }

    /// Counts a number; also how many are missing right before it.
    fn count(&mut self, sequence: u16) -> (Seen, u32) {
        let ahead = sequence.wrapping_sub(self.newest as u16);
        if ahead == 0 || ahead > DROPOUT_MAX {
            let bit = 1_u128 << (ahead.wrapping_neg() & 0x7f);
            if self.came & bit != 0 {
                self.counts.duplicates += 1;
                return (Seen::Again, 0);
            }
            self.came |= bit;
            self.counts.reordered += 1;
            self.counts.received += 1;
            // One from before the first widens the run.
            let run = u64::from(ahead.wrapping_neg()) + 1;
            self.counts.expected = self.counts.expected.max(run);
            return (Seen::First, 0);
        }
        self.came = self.came.checked_shl(u32::from(ahead)).unwrap_or(0) | 1;
        self.newest = self.newest.wrapping_add(u32::from(ahead));
        self.counts.expected += u64::from(ahead);
        self.counts.received += 1;
        self.counts.gaps += u64::from(ahead > 1);
        (Seen::First, u32::from(ahead).saturating_sub(1))
    }

    /// RFC 3550 §A.8: the jitter after this packet, microseconds.
    fn time(&mut self, now: Time, timestamp: u32, rate: u32) -> u32 {
        self.rate = rate;
        let before = self.before.replace((now, timestamp));
        if let Some((at, former)) = before {
            let passed = i64::try_from(now.since(at).as_micros()).unwrap_or(i64::MAX);
            let by_clock = i64::from(timestamp.wrapping_sub(former).cast_signed()) * 1_000_000
                / i64::from(rate.max(1));
            let apart = passed.saturating_sub(by_clock).unsigned_abs();
            if u128::from(apart) < CLOCK_JUMP.as_micros() {
                let smoothed = self.jitter_x16 - (self.jitter_x16 + 8) / 16;
                self.jitter_x16 = smoothed + u32::try_from(apart).unwrap_or_default();
            }
        }
        self.jitter_x16 / 16
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn totals(packets: impl IntoIterator<Item = (u32, u16)>) -> Totals {
        let mut incoming = Incoming::default();
        for (ssrc, sequence) in packets {
            incoming.note(Time::ZERO, &Header::new(8, sequence, 0, ssrc), None);
        }
        incoming.totals()
    }

    fn lost(packets: impl IntoIterator<Item = (u32, u16)>) -> u64 {
        totals(packets).lost()
    }

    #[test]
    fn gaps_are_counted_across_the_wrap_and_late_packets_fill_them() {
        assert_eq!(lost([(1, 65_533), (1, 65_534), (1, 1), (1, 2)]), 2);
        assert_eq!(
            lost([(1, 65_533), (1, 65_534), (1, 1), (1, 65_535), (1, 0)]),
            0
        );
    }

    #[test]
    fn a_restart_is_not_a_loss() {
        assert_eq!(lost([(1, 10), (1, 12), (2, 50_000), (2, 50_001)]), 1);
        assert_eq!(lost([(1, 10), (1, 30_000), (1, 30_001), (1, 30_003)]), 1);
    }

    #[test]
    fn doubles_make_up_for_no_loss() {
        let counts = totals([(1, 10), (1, 12), (1, 12), (1, 10), (1, 13)]);
        assert_eq!((counts.lost(), counts.duplicates), (1, 2));
        assert_eq!((counts.received, counts.reordered, counts.gaps), (3, 0, 1));
        let counts = totals([(1, 10), (1, 12), (1, 11), (1, 11), (1, 9)]);
        assert_eq!((counts.lost(), counts.duplicates), (0, 1));
        assert_eq!((counts.reordered, counts.expected), (2, 4));
    }

    #[test]
    fn an_even_stream_has_no_jitter_and_one_that_comes_in_pairs_has_that_of_the_rfc() {
        let mut incoming = Incoming::default();
        for packet in 0..200_u16 {
            let header = Header::new(8, packet, u32::from(packet) * 160, 1);
            let at = Time::from_millis(u64::from(packet) * 20);
            incoming.note(at, &header, Some(8_000));
        }
        assert_eq!(incoming.jitter_us(), (0, 0));
        // Each second packet 10 ms late: |D| is 10 ms each time, and so is the jitter in the end.
        for packet in 200..600_u16 {
            let header = Header::new(8, packet, u32::from(packet) * 160, 1);
            let at = Time::from_millis(u64::from(packet) * 20 + u64::from(packet % 2) * 10);
            incoming.note(at, &header, Some(8_000));
        }
        let jitter = incoming.report().unwrap().jitter;
        assert!((78..=80).contains(&jitter), "{jitter} samples at 8 kHz");
        let (mean, max) = incoming.jitter_us();
        assert!((5_000..10_000).contains(&mean), "{mean}");
        assert!((9_900..=10_000).contains(&max), "{max}");
    }

    #[test]
    fn a_jump_of_the_clock_and_silence_without_packets_are_no_jitter() {
        let mut incoming = Incoming::default();
        let packets = [
            (0, 0),
            (20, 160),
            (5_020, 40_160),
            (5_040, 9_999_999),
            (5_060, 10_000_159),
        ];
        for (sequence, (ms, timestamp)) in (0..).zip(packets) {
            let header = Header::new(8, sequence, timestamp, 1);
            incoming.note(Time::from_millis(ms), &header, Some(8_000));
        }
        assert_eq!(incoming.jitter_us(), (0, 0));
    }

    #[test]
    fn a_report_tells_of_its_interval_and_of_all() {
        let mut incoming = Incoming::default();
        let say = |incoming: &mut Incoming, sequences: &[u16]| {
            for sequence in sequences {
                incoming.note(Time::ZERO, &Header::new(8, *sequence, 0, 7), None);
            }
            incoming.report().unwrap()
        };
        let first = say(&mut incoming, &[65_534, 65_535, 2, 3]);
        assert_eq!((first.fraction_lost, first.lost), (85, 2));
        assert_eq!(first.newest, 0x1_0003);
        let second = say(&mut incoming, &[4, 5]);
        assert_eq!((second.fraction_lost, second.lost), (0, 2));
        let third = say(&mut incoming, &[5, 5, 5]);
        assert_eq!(
            (third.fraction_lost, third.lost),
            (0, -1),
            "RFC 3550 §6.4.1"
        );
    }

    proptest! {
        #[test]
        fn what_was_dropped_on_the_way_is_what_is_missing(
            start: u16, kept in prop::collection::vec(any::<bool>(), 2..400),
            swaps in prop::collection::vec((0_usize..400, 1_usize..8), 0..5),
        ) {
            // Loss, and any order within 80 packets; the ends are there, or nothing tells of them.
            let last = kept.len() - 1;
            let mut packets: Vec<u16> = (0..=last)
                .filter(|at| kept[*at] || *at % 2 == 0 || *at == last)
                .map(|at| start.wrapping_add(at as u16))
                .collect();
            for (from, over) in swaps {
                if from + over < packets.len() { packets.swap(from, from + over) }
            }
            let counts = totals(packets.iter().map(|sequence| (1, *sequence)));
            prop_assert_eq!(counts.expected, kept.len() as u64);
            prop_assert_eq!(counts.received, packets.len() as u64);
            prop_assert_eq!(counts.duplicates, 0);
        }
    }
}
