//! Owns where the packets of one side lie on the recording's time line, and their order: that of their
//! numbers, for what decodes them remembers the packet before. Refuses to decode.
//!
//! Positions are in ticks, samples of 8 kHz, whatever the codec's own clock, from the start of the recording. A packet's *delay* is its
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

use crate::codec::AudioCodec;
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
    pub(crate) codec: AudioCodec,
    pub(crate) payload: Vec<u8>,
}

#[derive(Debug)]
struct Waiting {
    arrival: i64,
    place: Place,
    run: u32,
    codec: AudioCodec,
    ticks: usize,
    payload: Vec<u8>,
}

/// Where a packet stands in its run.
#[derive(Debug, Clone, Copy)]
struct Place {
    /// Its timestamp in ticks.
    timestamp: i64,
    /// Its sequence number, unwrapped.
    number: i64,
}

impl Waiting {
    fn delay(&self) -> i64 {
        self.arrival - self.place.timestamp
    }
}

/// What the last packet in order was like.
#[derive(Debug, Clone, Copy)]
struct Last {
    ssrc: u32,
    sequence: u16,
    number: i64,
    rtp_timestamp: u32,
    /// In units of the codec's clock.
    timestamp: i64,
    units: i64,
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
    /// Takes an audio packet, no duplicate, that arrived so many ticks after the start and lasts so
    /// many.
    pub(crate) fn push(
        &mut self,
        arrival: i64,
        (codec, ticks): (AudioCodec, usize),
        rtp: &Rtp<'_>,
    ) {
        let place = self.extend(arrival, codec.units(), rtp);
        let payload = rtp.payload.to_vec();
        let packet = Waiting {
            arrival,
            place,
            run: self.run,
            codec,
            ticks,
            payload,
        };
        // Nearly always none: the newest that arrives is the newest.
        let overtook = self.waiting.iter().rev();
        let overtook = overtook
            .take_while(|other| other.run == self.run && other.place.number > place.number)
            .count();
        self.waiting.insert(self.waiting.len() - overtook, packet);
    }

    /// Unwraps the timestamp, in ticks, and the number, and begins a new run where one is due: also with another
    /// clock, whose timestamps say nothing about those before.
    fn extend(&mut self, arrival: i64, units: i64, rtp: &Rtp<'_>) -> Place {
        let fresh = i64::from(rtp.timestamp);
        let last = self
            .last
            .filter(|last| (last.ssrc, last.units) == (rtp.ssrc, units));
        let unwrapped = last.map_or(fresh, |last| {
            last.timestamp + i64::from(rtp.timestamp.wrapping_sub(last.rtp_timestamp) as i32)
        });
        let timestamp = unwrapped.div_euclid(units);
        let delay = arrival - timestamp;
        let step = last.map_or(1, |last| rtp.sequence.wrapping_sub(last.sequence) as i16);
        let before = last.map_or(0, |last| last.number);
        if (-512..0).contains(&step) {
            // Overtaken on the way; it says nothing about those after it.
            return Place {
                timestamp,
                number: before + i64::from(step),
            };
        }
        // One that goes back farther is numbered anew.
        let number = before + i64::from(step).max(1);
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
            number,
            rtp_timestamp: rtp.timestamp,
            timestamp: unwrapped,
            units,
            delay,
        });
        Place { timestamp, number }
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
        // One that was overtaken goes before those that are ripe.
        let oldest = self.waiting.iter().map(|waiting| waiting.arrival).min()?;
        let ripe = now.is_none_or(|now| oldest + LOOK_AHEAD <= now);
        if !ripe && self.waiting.len() <= WAITING_MAX {
            return None;
        }
        let offset = self.offset_for(head);
        self.offset = Some((head.run, offset));
        let Waiting {
            place,
            codec,
            ticks,
            payload,
            ..
        } = self.waiting.pop_front()?;
        let position = place.timestamp + offset;
        let gap = position - self.end;
        let bridge = if (1..=SLEW).contains(&gap) {
            gap as usize
        } else {
            0
        };
        self.end = position + ticks as i64;
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Samples of a 20 ms packet.
    const PACKET: i64 = 160;

    /// A packet on its way: when it arrives, and what it is.
    #[derive(Debug, Clone, Copy)]
    struct Sent {
        arrival: i64,
        ssrc: u32,
        sequence: u16,
        timestamp: u32,
        /// Marks the payload, to find it again.
        mark: u8,
    }

    /// `count` packets from `arrival` on, 20 ms apart, without jitter.
    fn steady(arrival: i64, count: i64, timestamp: u32, sequence: u16) -> Vec<Sent> {
        (0..count)
            .map(|n| Sent {
                arrival: arrival + n * PACKET,
                ssrc: 7,
                sequence: sequence.wrapping_add(n as u16),
                timestamp: timestamp.wrapping_add((n * PACKET) as u32),
                mark: n as u8,
            })
            .collect()
    }

    /// Places packets in order of arrival, as the mixer does.
    fn place(packets: &[Sent]) -> Vec<Placed> {
        let mut timeline = Timeline::default();
        let mut out = Vec::new();
        for sent in packets {
            let payload = [sent.mark; PACKET as usize];
            let rtp = Rtp {
                payload_type: 8,
                sequence: sent.sequence,
                timestamp: sent.timestamp,
                ssrc: sent.ssrc,
                payload: &payload,
            };
            timeline.push(sent.arrival, (AudioCodec::Pcma, payload.len()), &rtp);
            out.extend(std::iter::from_fn(|| timeline.next(Some(sent.arrival))));
        }
        out.extend(std::iter::from_fn(|| timeline.next(None)));
        assert_eq!(out.len(), packets.len());
        out
    }

    fn positions(packets: &[Sent]) -> Vec<i64> {
        place(packets)
            .iter()
            .map(|placed| placed.position)
            .collect()
    }

    #[test]
    fn a_late_start_is_silence_before_it() {
        let packets = steady(40_000, 100, u32::MAX - 500, 65_530);
        let expected: Vec<_> = packets.iter().map(|sent| sent.arrival).collect();
        assert_eq!(positions(&packets), expected);
    }

    #[test]
    fn loss_and_discontinuous_transmission_leave_their_gap() {
        let mut packets = steady(0, 200, 9, 9);
        packets.retain(|sent| !(40..90).contains(&sent.mark) && sent.mark % 7 != 3);
        let expected: Vec<_> = packets.iter().map(|sent| sent.arrival).collect();
        assert_eq!(positions(&packets), expected);
    }

    #[test]
    fn overtaken_packets_come_back_to_their_place() {
        let mut packets = steady(0, 100, 5_000, 100);
        // Three packets are late by 60 ms, and one by 1.2 s.
        for at in [10, 40, 70] {
            packets[at].arrival += 3 * PACKET;
        }
        packets[20].arrival += 60 * PACKET;
        packets.sort_by_key(|sent| sent.arrival);
        let placed = place(&packets);
        for placed in &placed {
            assert_eq!(placed.position, i64::from(placed.payload[0]) * PACKET);
        }
        // And before those that overtook them, but for the one that came when they were placed.
        let mut order: Vec<u8> = placed.iter().map(|placed| placed.payload[0]).collect();
        order.retain(|mark| *mark != 20);
        assert!(order.is_sorted(), "{order:?}");
    }

    #[test]
    fn a_stream_whose_timestamps_go_back_stays_in_the_order_of_its_numbers() {
        let mut packets = steady(0, 200, 5_000, 65_500);
        for sent in &mut packets[100..] {
            sent.timestamp = sent.timestamp.wrapping_sub(4_000);
        }
        packets.swap(120, 121);
        packets[120].arrival -= PACKET;
        packets[121].arrival += PACKET;
        let marks: Vec<u8> = place(&packets).iter().map(|one| one.payload[0]).collect();
        assert_eq!(marks, (0..200).collect::<Vec<u8>>());
    }

    #[test]
    fn a_burst_after_a_stall_finds_its_place() {
        for stall in [30, 100, 300] {
            let mut packets = steady(0, 600, 5_000, 100);
            let resumed = (100 + stall) * PACKET;
            for sent in &mut packets[100..] {
                sent.arrival = sent.arrival.max(resumed);
            }
            let expected: Vec<_> = (0..600).map(|n| n * PACKET).collect();
            assert_eq!(positions(&packets), expected, "stall of {stall} packets");
        }
    }

    #[test]
    fn a_delayed_first_packet_does_not_delay_the_stream() {
        let mut packets = steady(0, 100, 5_000, 100);
        for sent in &mut packets[..10] {
            sent.arrival = 10 * PACKET;
        }
        assert_eq!(
            positions(&packets),
            (0..100).map(|n| n * PACKET).collect::<Vec<_>>()
        );
    }

    #[test]
    fn a_new_source_is_placed_by_its_arrival() {
        let mut packets = steady(0, 100, 5_000, 100);
        for sent in &mut packets[50..] {
            sent.ssrc = 8;
            sent.timestamp = sent.timestamp.wrapping_add(0x9000_0000);
            sent.sequence = sent.sequence.wrapping_add(30_000);
            sent.arrival += 5 * PACKET;
        }
        let expected: Vec<_> = packets.iter().map(|sent| sent.arrival).collect();
        assert_eq!(positions(&packets), expected);
    }

    #[test]
    fn jumps_of_the_timestamp_are_placed_by_arrival() {
        // Of any size, forwards and backwards, without a change of source.
        for jump in [
            4_000,
            9_000,
            0x7000_0000,
            0x9000_0000,
            u32::MAX - 9_000,
            u32::MAX - 4_000,
        ] {
            let mut packets = steady(0, 200, 5_000, 100);
            for sent in &mut packets[100..] {
                sent.timestamp = sent.timestamp.wrapping_add(jump);
            }
            let expected: Vec<_> = packets.iter().map(|sent| sent.arrival).collect();
            assert_eq!(positions(&packets), expected, "jump of {jump:#x}");
        }
    }

    #[test]
    fn a_timestamp_that_stands_still_in_a_pause_is_placed_by_arrival() {
        for pause in [3_000, 20_000] {
            let mut packets = steady(0, 200, 5_000, 100);
            for sent in &mut packets[100..] {
                sent.arrival += pause;
            }
            let expected: Vec<_> = packets.iter().map(|sent| sent.arrival).collect();
            assert_eq!(positions(&packets), expected, "pause of {pause} samples");
        }
    }

    #[test]
    fn a_flood_is_placed_without_end_of_memory() {
        let packets: Vec<_> = (0..50_000u32)
            .map(|n| Sent {
                arrival: 5,
                ssrc: 1,
                sequence: n as u16,
                timestamp: n * 160,
                mark: 0,
            })
            .collect();
        assert_eq!(place(&packets).len(), packets.len());
    }

    #[test]
    fn the_gap_of_a_slewing_clock_is_bridged() {
        // 200 ppm slow: the offset has to grow.
        let packets: Vec<_> = (0..6_000i64)
            .map(|n| Sent {
                arrival: n * PACKET + n * PACKET / 5_000,
                ssrc: 1,
                sequence: n as u16,
                timestamp: (n * PACKET) as u32,
                mark: 0,
            })
            .collect();
        let placed = place(&packets);
        let moved: Vec<_> = placed.iter().filter(|placed| placed.bridge > 0).collect();
        assert!(moved.len() > 5, "{} steps", moved.len());
        for pair in placed.windows(2) {
            let gap = pair[1].position - pair[0].position - PACKET;
            assert_eq!(gap, pair[1].bridge as i64);
        }
    }

    proptest! {
        /// Jitter, loss, reorder and a drifting clock together: each packet lies within 20 ms of
        /// where its sound was made.
        #[test]
        fn every_packet_lies_within_20_ms_of_its_time(
            ppm in -300i64..=300,
            timestamp: u32,
            sequence: u16,
            jitter in proptest::collection::vec(0i64..320, 1_500),
            lost in proptest::collection::vec(0u8..10, 1_500),
        ) {
            let packets: Vec<(i64, Sent)> = (0..1_500i64)
                .filter(|n| lost[*n as usize] != 0)
                .map(|n| {
                    // True time in our clock; the sender's own counts PACKET for it.
                    let true_time = n * PACKET + n * PACKET * ppm / 1_000_000;
                    let sent = Sent {
                        arrival: true_time + jitter[n as usize],
                        ssrc: 3,
                        sequence: sequence.wrapping_add(n as u16),
                        timestamp: timestamp.wrapping_add((n * PACKET) as u32),
                        mark: 0,
                    };
                    (true_time, sent)
                })
                .collect();
            let mut sent: Vec<_> = packets.iter().map(|(_, sent)| *sent).collect();
            sent.sort_by_key(|sent| sent.arrival);
            for ((true_time, _), position) in packets.iter().zip(positions(&sent)) {
                let off = position - true_time;
                prop_assert!(off.abs() <= 160, "{off} samples off");
            }
        }

        /// Whatever comes, each packet gets a place.
        #[test]
        fn nothing_is_swallowed(
            chaos in proptest::collection::vec((0i64..2_000, 0u32..3, any::<u16>(), any::<u32>()), 1..400),
        ) {
            let mut arrival = 0;
            let packets: Vec<_> = chaos
                .into_iter()
                .map(|(after, ssrc, sequence, timestamp)| {
                    arrival += after;
                    Sent { arrival, ssrc, sequence, timestamp, mark: 0 }
                })
                .collect();
            place(&packets);
        }
    }
}
