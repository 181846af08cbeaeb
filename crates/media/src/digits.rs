//! Owns the reading of telephone-events (RFC 4733 §2.3): one digit per press, however many of its
//! packets come, in whatever order, with or without the end.

use core::time::Duration;

use vocab::Time;

use crate::rtp::Header;

/// Packets of one press come every 20 to 50 ms. A longer pause ends it even if its end was lost.
const PAUSE_MAX: Duration = Duration::from_millis(150);
/// Late packets of a former press are no older than this.
const LATE_MAX: Duration = Duration::from_secs(1);
/// A press that outlasts the duration field goes on as a segment with a timestamp at least so much
/// later (RFC 4733 §2.5.1.3: 0xFFFF, but some senders begin it a little earlier).
const SEGMENT_MIN: u32 = 0xf000;

/// The press seen last on a leg.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Digits(Option<Press>);

#[derive(Debug, Clone, Copy)]
struct Press {
    ssrc: u32,
    timestamp: u32,
    event: u8,
    duration: u16,
    ended: bool,
    at: Time,
}

impl Digits {
    /// Takes a telephone-event packet; gives the digit when it begins a press.
    pub(crate) fn note(&mut self, now: Time, header: &Header, payload: &[u8]) -> Option<char> {
        let [event, flags, high, low, ..] = *payload else {
            return None;
        };
        let digit = digit(event)?;
        let press = Press {
            ssrc: header.ssrc,
            timestamp: header.timestamp,
            event,
            duration: u16::from_be_bytes([high, low]),
            ended: flags & 0x80 != 0,
            at: now,
        };
        match &mut self.0 {
            Some(last) if last.is_followed_by(&press, header.marker) => {
                *last = Press {
                    ended: last.ended || press.ended,
                    ..press
                };
                None
            }
            Some(last) if last.is_after(&press) => None,
            _ => {
                self.0 = Some(press);
                Some(digit)
            }
        }
    }
}

impl Press {
    /// Whether a packet belongs to this press.
    fn is_followed_by(&self, next: &Self, marker: bool) -> bool {
        if next.ssrc != self.ssrc || next.event != self.event {
            return false;
        }
        if next.timestamp == self.timestamp {
            return true;
        }
        // Segments of a long press, and senders that wrongly advance the timestamp within one.
        let ahead = next.timestamp.wrapping_sub(self.timestamp);
        let goes_on = next.duration > self.duration || (SEGMENT_MIN..0x2_0000).contains(&ahead);
        let ends_again = self.ended && next.ended && next.duration == self.duration;
        let in_time = next.at.since(self.at) < PAUSE_MAX;
        in_time && !marker && (ends_again || (!self.ended && goes_on))
    }

    /// Whether a packet is a late one of an earlier press.
    fn is_after(&self, other: &Self) -> bool {
        let behind = self.timestamp.wrapping_sub(other.timestamp);
        other.ssrc == self.ssrc
            && (1..=u32::MAX / 2).contains(&behind)
            && other.at.since(self.at) < LATE_MAX
    }
}

/// RFC 4733 §3.2, Table 3: events 0 to 15 are the keys. Others (flash, tones) are no digits.
const fn digit(event: u8) -> Option<char> {
    match event {
        0..=9 => Some((b'0' + event) as char),
        10 => Some('*'),
        11 => Some('#'),
        12..=15 => Some((b'A' + event - 12) as char),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Packets as (ms, marker, timestamp, event, end, duration); gives what is reported.
    fn read(packets: &[(u64, bool, u32, u8, bool, u16)]) -> String {
        let mut digits = Digits::default();
        let mut sequence = 0;
        let read = packets
            .iter()
            .filter_map(|&(ms, marker, timestamp, event, end, duration)| {
                let mut header = Header::new(101, sequence, timestamp, 7);
                sequence += 1;
                header.marker = marker;
                let [high, low] = duration.to_be_bytes();
                let payload = [event, if end { 0x8a } else { 0x0a }, high, low];
                digits.note(Time::from_millis(ms), &header, &payload)
            });
        read.collect()
    }

    #[test]
    fn a_press_with_three_ends_is_one_digit() {
        let press = [
            (0, true, 1_000, 5, false, 160),
            (20, false, 1_000, 5, false, 320),
            (40, false, 1_000, 5, true, 480),
            (40, false, 1_000, 5, true, 480),
            (40, false, 1_000, 5, true, 480),
        ];
        assert_eq!(read(&press), "5");
        for kept in 0..press.len() {
            assert_eq!(
                read(&press[kept..=kept]),
                "5",
                "any one of its packets is enough"
            );
        }
    }

    #[test]
    fn lost_ends_do_not_join_two_presses() {
        assert_eq!(
            read(&[
                (0, true, 1_000, 1, false, 160),
                (20, false, 1_000, 1, false, 320),
                (300, true, 3_400, 1, false, 160),
                (600, false, 5_800, 1, false, 320),
                (900, true, 8_200, 11, true, 320),
            ]),
            "111#"
        );
    }

    #[test]
    fn a_late_packet_of_a_former_press_is_not_a_press() {
        assert_eq!(
            read(&[
                (0, true, 1_000, 1, false, 160),
                (100, true, 2_000, 2, false, 160),
                (105, false, 1_000, 1, true, 480),
                (120, false, 2_000, 2, true, 320),
            ]),
            "12"
        );
    }

    #[test]
    fn a_key_held_for_ten_seconds_is_one_digit() {
        let mut packets = vec![(0, true, 1_000_u32, 3, false, 160)];
        for step in 1..500_u32 {
            let (segment, duration) = (step * 160 / 0xffff, step * 160 % 0xffff);
            let timestamp = 1_000 + segment * 0xffff;
            let ms = u64::from(step) * 20;
            packets.push((ms, false, timestamp, 3, false, duration as u16));
        }
        assert_eq!(read(&packets), "3");
    }

    #[test]
    fn a_sender_that_advances_the_timestamp_within_a_press_is_understood() {
        assert_eq!(
            read(&[
                (0, true, 1_000, 7, false, 160),
                (20, false, 1_160, 7, false, 320),
                (40, false, 1_320, 7, true, 480),
                (60, false, 1_480, 7, true, 480),
            ]),
            "7"
        );
    }

    #[test]
    fn a_clock_set_back_does_not_silence_the_keys() {
        let back = [
            (0, true, 90_000, 1, true, 400),
            (5_000, true, 1_000, 2, true, 400),
        ];
        assert_eq!(read(&back), "12");
    }

    #[test]
    fn other_events_and_short_payloads_are_no_digits() {
        assert_eq!(
            read(&[(0, true, 1, 16, false, 160), (20, true, 2, 15, false, 1)]),
            "D"
        );
        let mut digits = Digits::default();
        assert_eq!(
            digits.note(Time::ZERO, &Header::new(101, 0, 0, 0), &[5, 0, 0]),
            None
        );
    }
}
