//! Owns the stream that a leg's peer receives: one SSRC, and numbers that go on without a break
//! while the source changes between prompts and the other party (RFC 3550 §5.1, §7.1).
//!
//! | source now  | prompt frame                     | packet of the other party                     |
//! |-------------|----------------------------------|-----------------------------------------------|
//! | None        | → Own, marker, time caught up    | → Mapped, marker, time caught up              |
//! | Own         | next number, next timestamp      | → Mapped, marker, time caught up              |
//! | Mapped      | → Own, marker, time caught up    | same offsets; a restart is mapped anew        |

use core::time::Duration;

use vocab::Time;

use crate::incoming::{DROPOUT_MAX, MISORDER_MAX};
use crate::rtp::Header;

/// A timestamp that leaves the time of arrival by more seconds is a jump of the peer's clock.
const CLOCK_JUMP_S: u32 = 2;
/// How many seconds earlier than the newest audio a late packet may be: a minute of silence that was not
/// sent.
const LATE_MAX_S: u32 = 60;
/// Prompt frames come every 20 ms; after a longer pause the timestamp catches up with the time.
const OWN_PAUSE_MAX: Duration = Duration::from_millis(120);

/// What is being sent to one peer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Outgoing {
    ssrc: u32,
    /// Units of the timestamp in a second.
    rate: u32,
    next_sequence: u16,
    /// Where the last audio sent begins and ends.
    timestamp: u32,
    next_timestamp: u32,
    /// When the last audio was sent, or an event before any audio.
    sent: Option<Time>,
    /// Where the last press of our own began.
    press: u32,
    source: Source,
}

#[derive(Debug, Clone, Copy)]
enum Source {
    None,
    Own,
    Mapped(Mapping),
}

/// How the numbers of the other party's stream become ours.
#[derive(Debug, Clone, Copy)]
struct Mapping {
    ssrc: u32,
    sequence_offset: u16,
    timestamp_offset: u32,
    newest: u16,
    newest_timestamp: u32,
    newest_at: Time,
    /// Whether the newest one carried audio, and so the two above are of it.
    newest_is_audio: bool,
    /// How far the newest is after the first packet mapped, or the last one left out: an older one
    /// would get a number that another packet has had.
    since_first: u16,
    /// Bit n: the packet n before the newest has gone out.
    gone: u128,
}

/// What kind of payload goes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Content {
    /// Audio of so many samples.
    Audio(u32),
    /// A telephone-event: its timestamp is the beginning of the press.
    Event,
}

impl Outgoing {
    /// A stream that begins at random numbers (RFC 3550 §5.1).
    pub(crate) const fn new(random: u64) -> Self {
        let timestamp = (random >> 48) as u32 * 0x1_0001;
        Self {
            ssrc: random as u32,
            rate: g711::RATE,
            next_sequence: (random >> 32) as u16,
            timestamp,
            next_timestamp: timestamp,
            sent: None,
            press: timestamp,
            source: Source::None,
        }
    }

    /// The codec has another clock from now on. The source stays, and its timestamps go on: a peer
    /// that took the change of codec in a description expects no other (RFC 7160 §4.2).
    pub(crate) fn set_rate(&mut self, now: Time, rate: u32) {
        if self.rate == rate {
            return;
        }
        let timestamp = self.caught_up(now);
        self.rate = rate;
        if self.sent.is_some() {
            (self.timestamp, self.next_timestamp, self.sent) = (timestamp, timestamp, Some(now));
        }
        self.source = Source::None;
    }

    /// So much of our own audio is a pause that is not sent.
    pub(crate) const fn pass(&mut self, units: u32) {
        self.next_timestamp = self.next_timestamp.wrapping_add(units);
    }

    /// Its source, the same for the life of a leg.
    pub(crate) const fn ssrc(&self) -> u32 {
        self.ssrc
    }

    /// The timestamp of audio that would be sampled now; `None` before the first audio.
    pub(crate) fn timestamp_at(&self, now: Time) -> Option<u32> {
        let passed = units_in(now.since(self.sent?), self.rate);
        Some(self.timestamp.wrapping_add(passed))
    }

    /// The source has stopped; whatever comes next begins anew.
    pub(crate) const fn interrupt(&mut self) {
        self.source = Source::None;
    }

    /// The header of the next prompt frame.
    pub(crate) fn own(&mut self, now: Time, payload_type: u8, samples: u32) -> Header {
        let flows = matches!(self.source, Source::Own)
            && self
                .sent
                .is_some_and(|sent| now.since(sent) <= OWN_PAUSE_MAX);
        let timestamp = if flows {
            self.next_timestamp
        } else {
            self.caught_up(now)
        };
        self.source = Source::Own;
        let mut header = Header::new(payload_type, self.next_sequence, timestamp, self.ssrc);
        header.marker = !flows;
        self.note(now, &header, Content::Audio(samples));
        header
    }

    /// The header of a packet of a telephone-event of our own: all of one press have the timestamp of
    /// its beginning (RFC 4733 §2.5.1.2).
    pub(crate) fn own_event(&mut self, now: Time, payload_type: u8, begins: bool) -> Header {
        if begins {
            self.press = self.caught_up(now);
        }
        self.source = Source::Own;
        let mut header = Header::new(payload_type, self.next_sequence, self.press, self.ssrc);
        header.marker = begins;
        self.note(now, &header, Content::Event);
        header
    }

    /// The header for a packet of the other party; `None` if it must not be sent: a duplicate, or
    /// older than the change of source.
    pub(crate) fn map(
        &mut self,
        now: Time,
        from: &Header,
        payload_type: u8,
        content: Content,
    ) -> Option<Header> {
        let place = match &mut self.source {
            Source::Mapped(mapping) => mapping.place(now, from, content, self.rate),
            Source::None | Source::Own => Place::Restart,
        };
        let mapping = match (place, &mut self.source) {
            (Place::Drop, _) => return None,
            (Place::Next | Place::Late, Source::Mapped(mapping)) => *mapping,
            _ => self.restart(now, from),
        };
        let restarted = matches!(place, Place::Restart);
        let sequence = from.sequence.wrapping_add(mapping.sequence_offset);
        let timestamp = from.timestamp.wrapping_add(mapping.timestamp_offset);
        let mut header = Header::new(payload_type, sequence, timestamp, self.ssrc);
        header.marker = from.marker || (restarted && content != Content::Event);
        if place != Place::Late {
            self.note(now, &header, content);
        }
        Some(header)
    }

    /// A packet of the other party is left out; the numbers close up behind it.
    pub(crate) fn leave_out(&mut self, from: &Header) {
        if let Source::Mapped(mapping) = &mut self.source
            && mapping.ssrc == from.ssrc
            && (1..=DROPOUT_MAX).contains(&from.sequence.wrapping_sub(mapping.newest))
        {
            mapping.newest = from.sequence;
            mapping.newest_is_audio = false;
            mapping.sequence_offset = mapping.sequence_offset.wrapping_sub(1);
            mapping.since_first = 0;
            mapping.gone = 1;
        }
    }

    fn restart(&mut self, now: Time, from: &Header) -> Mapping {
        let mapping = Mapping {
            ssrc: from.ssrc,
            sequence_offset: self.next_sequence.wrapping_sub(from.sequence),
            timestamp_offset: self.caught_up(now).wrapping_sub(from.timestamp),
            newest: from.sequence,
            newest_timestamp: from.timestamp,
            newest_at: now,
            newest_is_audio: true,
            since_first: 0,
            gone: 1,
        };
        self.source = Source::Mapped(mapping);
        mapping
    }

    /// The timestamp of audio that begins now: as far on as time is, and never within what was
    /// sent.
    fn caught_up(&self, now: Time) -> u32 {
        let Some(sent) = self.sent else {
            return self.next_timestamp;
        };
        let sent_samples = self.next_timestamp.wrapping_sub(self.timestamp);
        let passed = units_in(now.since(sent), self.rate);
        self.timestamp.wrapping_add(passed.max(sent_samples))
    }

    fn note(&mut self, now: Time, header: &Header, content: Content) {
        self.next_sequence = header.sequence.wrapping_add(1);
        match content {
            Content::Audio(samples) => {
                self.timestamp = header.timestamp;
                self.next_timestamp = header.timestamp.wrapping_add(samples);
                self.sent = Some(now);
            }
            // The press may last; audio after it is timed from the last audio before it, or from the
            // press itself.
            Content::Event if self.sent.is_none() => {
                self.timestamp = header.timestamp;
                self.next_timestamp = header.timestamp;
                self.sent = Some(now);
            }
            Content::Event => {}
        }
    }
}

/// Where a packet stands in a mapped stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Newer than all before.
    Next,
    /// Reordered on the way.
    Late,
    /// A duplicate, or from before the mapping.
    Drop,
    /// Another stream.
    Restart,
}

impl Mapping {
    fn place(&mut self, now: Time, from: &Header, content: Content, rate: u32) -> Place {
        let ahead = from.sequence.wrapping_sub(self.newest);
        let behind = ahead.wrapping_neg();
        if from.ssrc != self.ssrc {
            return Place::Restart;
        }
        if behind <= MISORDER_MAX {
            if content != Content::Event && self.newest_is_audio && !self.is_earlier(from, rate) {
                return Place::Restart;
            }
            // Zero behind is the newest again. The bits reach farther than a packet may be late.
            let bit = 1_u128 << (behind & 0x7f);
            if behind > self.since_first || self.gone & bit != 0 {
                return Place::Drop;
            }
            self.gone |= bit;
            return Place::Late;
        }
        if ahead > DROPOUT_MAX || (content != Content::Event && self.clock_jumped(now, from, rate))
        {
            return Place::Restart;
        }
        self.since_first = self.since_first.saturating_add(ahead);
        self.gone = self.gone.checked_shl(u32::from(ahead)).unwrap_or(0) | 1;
        self.newest = from.sequence;
        self.newest_is_audio = content != Content::Event;
        if content != Content::Event {
            self.newest_timestamp = from.timestamp;
            self.newest_at = now;
        }
        Place::Next
    }

    /// A late packet is of an earlier moment. Newer audio under an old number is a stream that was
    /// numbered anew.
    const fn is_earlier(&self, from: &Header, rate: u32) -> bool {
        self.newest_timestamp.wrapping_sub(from.timestamp) <= LATE_MAX_S * rate
    }

    /// Newer audio with an older timestamp is a jump as well: it would lie within what was sent.
    fn clock_jumped(&self, now: Time, from: &Header, rate: u32) -> bool {
        let by_clock = from
            .timestamp
            .wrapping_sub(self.newest_timestamp)
            .cast_signed();
        let by_arrival = i64::from(units_in(now.since(self.newest_at), rate));
        by_clock <= 0 || (i64::from(by_clock) - by_arrival).abs() > i64::from(CLOCK_JUMP_S * rate)
    }
}

/// Units of the timestamp in a span of time; the count wraps as timestamps do.
fn units_in(span: Duration, rate: u32) -> u32 {
    (span.as_micros() * u128::from(rate) / 1_000_000) as u32
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const AUDIO: Content = Content::Audio(160);

    fn ms(ms: u64) -> Time {
        Time::from_millis(ms)
    }

    fn from(sequence: u16, timestamp: u32, ssrc: u32) -> Header {
        Header::new(8, sequence, timestamp, ssrc)
    }

    #[test]
    fn prompt_then_bridge_then_prompt_is_one_stream() {
        let mut out = Outgoing::new(0xabcd_fffe_0000_0007);
        let first = out.own(ms(0), 8, 160);
        let second = out.own(ms(20), 8, 160);
        assert_eq!(second.sequence, first.sequence.wrapping_add(1));
        assert_eq!(second.timestamp, first.timestamp.wrapping_add(160));
        assert!(first.marker && !second.marker);

        let third = out.map(ms(50), &from(9_000, 77, 1), 8, AUDIO).unwrap();
        assert_eq!(
            third.sequence,
            second.sequence.wrapping_add(1),
            "over the wrap"
        );
        assert_eq!(
            third.timestamp,
            second.timestamp.wrapping_add(240),
            "30 ms later"
        );
        assert_eq!((third.ssrc, third.marker), (first.ssrc, true));
        let fourth = out.map(ms(70), &from(9_001, 237, 1), 8, AUDIO).unwrap();
        assert_eq!(fourth.timestamp, third.timestamp.wrapping_add(160));
        assert!(!fourth.marker);

        out.interrupt();
        let fifth = out.own(ms(75), 8, 160);
        assert_eq!(fifth.sequence, fourth.sequence.wrapping_add(1));
        assert_eq!(
            fifth.timestamp,
            fourth.timestamp.wrapping_add(160),
            "never within the last"
        );
        assert!(fifth.marker);
    }

    #[test]
    fn loss_and_order_of_the_other_party_are_kept() {
        let mut out = Outgoing::new(1);
        let base = out.map(ms(0), &from(10, 0, 1), 8, AUDIO).unwrap().sequence;
        let mut place = |sequence: u16| {
            let header = from(sequence, u32::from(sequence - 10) * 160, 1);
            let mapped = out.map(ms(u64::from(sequence - 10) * 20), &header, 8, AUDIO);
            mapped.map(|header| header.sequence.wrapping_sub(base))
        };
        assert_eq!(place(13), Some(3), "two are missing");
        assert_eq!(place(12), Some(2), "one came late");
        assert_eq!(place(13), None, "a duplicate");
        assert_eq!(place(14), Some(4));
    }

    #[test]
    fn a_packet_from_before_the_change_of_source_is_dropped() {
        let mut out = Outgoing::new(1);
        out.own(ms(0), 8, 160);
        out.map(ms(20), &from(10, 1_600, 1), 8, AUDIO).unwrap();
        assert_eq!(out.map(ms(21), &from(9, 1_440, 1), 8, AUDIO), None);
    }

    #[test]
    fn a_new_source_a_restart_and_a_clock_jump_go_on_without_a_break() {
        let mut out = Outgoing::new(1);
        let mut last = out.map(ms(0), &from(10, 0, 1), 8, AUDIO).unwrap();
        let jumps = [
            from(500, 9_999, 2),
            from(40_000, 10_159, 2),
            from(40_001, 5_000_000, 2),
            // Numbered anew, a little back: no late packet, for its audio is newer.
            from(39_990, 5_000_160, 2),
        ];
        for (step, header) in jumps.iter().enumerate() {
            let next = out
                .map(ms(20 * (step as u64 + 1)), header, 8, AUDIO)
                .unwrap();
            assert_eq!(next.sequence, last.sequence.wrapping_add(1));
            assert_eq!(next.timestamp, last.timestamp.wrapping_add(160));
            assert!(next.marker);
            last = next;
        }
    }

    #[test]
    fn events_that_are_left_out_leave_no_gap() {
        let mut out = Outgoing::new(1);
        let first = out.map(ms(0), &from(10, 0, 1), 8, AUDIO).unwrap();
        for sequence in 11..15 {
            out.leave_out(&from(sequence, 160, 1));
        }
        assert_eq!(
            out.map(ms(95), &from(12, 160, 1), 8, AUDIO),
            None,
            "late: its place is gone"
        );
        let next = out.map(ms(100), &from(15, 800, 1), 8, AUDIO).unwrap();
        assert_eq!(next.sequence, first.sequence.wrapping_add(1));
        assert_eq!(next.timestamp, first.timestamp.wrapping_add(800));
    }

    #[test]
    fn an_event_keeps_its_timestamp_and_its_marker() {
        let mut out = Outgoing::new(1);
        let audio = out.map(ms(0), &from(10, 0, 1), 8, AUDIO).unwrap();
        let mut press = from(11, 160, 1);
        press.marker = true;
        let begin = out.map(ms(20), &press, 101, Content::Event).unwrap();
        let later = out
            .map(ms(5_000), &from(12, 160, 1), 101, Content::Event)
            .unwrap();
        assert_eq!(begin.timestamp, audio.timestamp.wrapping_add(160));
        assert_eq!(later.timestamp, begin.timestamp);
        assert!(begin.marker && !later.marker);
        assert_eq!(later.payload_type, 101);
    }

    proptest! {
        #[test]
        fn new_packets_never_share_a_number(
            steps in prop::collection::vec((0_u8..4, 0_u16..200, any::<u32>(), 0_u64..300), 1..200),
            random: u64,
        ) {
            // Whatever comes, in whatever order: what goes out as new has ever growing numbers.
            let mut out = Outgoing::new(random);
            let (mut now, mut newest) = (0, None::<u16>);
            for (kind, sequence, timestamp, pause) in steps {
                now += pause;
                let header = from(sequence, timestamp, u32::from(kind == 0));
                let late_possible = matches!(out.source, Source::Mapped(_));
                let sent = match kind {
                    0 | 1 => out.map(ms(now), &header, 8, AUDIO),
                    2 => Some(out.own(ms(now), 8, 160)),
                    _ => { out.leave_out(&header); None }
                };
                if let Some(sent) = sent {
                    let ahead = newest.map_or(1, |newest| sent.sequence.wrapping_sub(newest));
                    prop_assert!(ahead != 0);
                    if ahead < 0x8000 { newest = Some(sent.sequence) } else {
                        prop_assert!(late_possible && kind < 2);
                    }
                }
            }
        }
    }
}
