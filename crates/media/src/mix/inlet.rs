//! Owns what one party of a mix says until its beat comes: samples in the order of their timestamps.
//! Evens out what the network did to them; refuses to know codecs, sockets and clocks.
//!
//! | what happens | what is heard |
//! |---|---|
//! | packets come in time | them, one beat after they came |
//! | nothing came in time | the last frame, fading; what was late follows it, so the buffer is deeper from then on |
//! | nothing comes for three frames | silence; whatever comes next begins anew, without delay |
//! | a packet is missing between others | the sound before it, fading, in its place |
//! | for two seconds more was waiting than is needed | one frame less |
//! | another source, a jump of the timestamps | what comes, from there on |

use super::band::Band;
use crate::audio::FRAME_SAMPLES;
use crate::codec::Resampler;

// All numbers of samples are those at 8 kHz; a wide inlet has twice as many.

/// Samples that may wait: half a second, and a power of two, as the round of timestamps is one.
const RING: usize = 4_096;
/// The longest packet that is taken, samples: 120 ms, twice what telephones send.
const PACKET_MAX: usize = 960;
/// More is never kept waiting; the rest of a heap that a stall let arrive at once is passed over.
const WAITING_MAX: u32 = 2_000;
/// What is kept of such a heap.
const WAITING_AFTER: u32 = 480;
/// Frames in a row that are made up.
const MADE_UP_MAX: u8 = 3;
/// So many packets in a row that are too late are the stream now: its clock went back.
const LATE_MAX: u8 = 3;
/// A timestamp so far behind is no late packet but a jump.
const BEHIND_MAX: i32 = 8_000;
/// Spare samples that a calm network never needs: a frame and a half.
const SPARE: u32 = 240;
/// Frames for which they must have been spare.
const CALM_FRAMES: u16 = 100;

const FRAME: u32 = FRAME_SAMPLES as u32;

/// One party's samples on their way into a mix.
pub(crate) struct Inlet {
    /// By timestamp modulo [`Inlet::room`]. What is before `next` was played and fills gaps.
    ring: Box<[i16]>,
    band: Band,
    stream: Option<Stream>,
    made_up: u8,
    late: u8,
    /// The least that was spare since the count of frames began.
    spare: (u32, u16),
}

#[derive(Debug, Clone, Copy)]
struct Stream {
    ssrc: u32,
    /// The timestamp of the sample that is played next.
    next: u32,
    /// After the last sample that came.
    end: u32,
}

impl Stream {
    const fn waiting(&self) -> u32 {
        self.end.wrapping_sub(self.next)
    }
}

impl Inlet {
    pub(crate) fn new() -> Self {
        Self {
            ring: core::iter::repeat_n(0, RING).collect(),
            band: Band::Narrow,
            stream: None,
            made_up: 0,
            late: 0,
            spare: (u32::MAX, 0),
        }
    }

    /// The rate of its samples, and the clock of its timestamps.
    pub(crate) const fn band(&self) -> Band {
        self.band
    }

    /// Whether nothing was said for so long that what comes next begins anew.
    pub(crate) const fn is_idle(&self) -> bool {
        self.stream.is_none()
    }

    /// Whether a whole frame waits.
    pub(crate) fn is_ready(&self) -> bool {
        self.stream
            .is_some_and(|stream| stream.waiting() >= self.scaled(FRAME))
    }

    /// After the last sample that came of a source, if it is the one that speaks.
    pub(crate) fn end(&self, ssrc: u32) -> Option<u32> {
        let stream = self.stream.filter(|stream| stream.ssrc == ssrc)?;
        Some(stream.end)
    }

    /// Has 16 kHz from now on: what waits and was played is brought to it, with the delay of a filter.
    pub(crate) fn widen(&mut self) {
        let narrow = core::mem::replace(
            &mut self.ring,
            core::iter::repeat_n(0, RING * Band::Wide.scale()).collect(),
        );
        self.band = Band::Wide;
        self.spare = (u32::MAX, 0);
        let (Some(stream), Some(mut up)) = (
            &mut self.stream,
            Resampler::new(Band::Narrow.rate(), Band::Wide.rate()),
        ) else {
            return;
        };
        let (from, end) = (stream.next.wrapping_sub(FRAME), stream.end);
        stream.next = stream.next.wrapping_mul(2);
        stream.end = stream.end.wrapping_mul(2);
        for at in (0..end.wrapping_sub(from)).map(|at| from.wrapping_add(at)) {
            let sample = narrow.get(at as usize % RING).copied().unwrap_or_default();
            let mut two = [0; 2];
            up.change(&[sample], &mut two);
            for (sample, place) in two.into_iter().zip(at.wrapping_mul(2)..) {
                self.put(place, sample);
            }
        }
    }

    /// Has 8 kHz from now on, and nothing that waits.
    pub(crate) const fn narrow(&mut self) {
        self.band = Band::Narrow;
        self.stream = None;
        self.made_up = 0;
        self.spare = (u32::MAX, 0);
    }

    /// What was played last.
    pub(crate) fn before(&self, frame: &mut [i16]) {
        let next = self.stream.map_or(0, |stream| stream.next);
        let from = next.wrapping_sub(frame.len() as u32);
        for (at, place) in (0..).zip(frame) {
            *place = self.at(from.wrapping_add(at));
        }
    }

    /// Takes the samples of a packet that begins at a timestamp; duplicates change nothing.
    pub(crate) fn push(
        &mut self,
        ssrc: u32,
        begin: u32,
        samples: impl ExactSizeIterator<Item = i16>,
    ) {
        let length = samples.len();
        if length == 0 || length > PACKET_MAX * self.band.scale() {
            return;
        }
        let fitting = self
            .stream
            .filter(|stream| self.fits(stream, ssrc, begin, length));
        let mut stream = fitting.unwrap_or(Stream {
            ssrc,
            next: begin,
            end: begin,
        });
        let end = begin.wrapping_add(length as u32);
        if end.wrapping_sub(stream.next).cast_signed() <= 0 {
            self.late = self.late.saturating_add(1);
            if self.late < LATE_MAX {
                return;
            }
            stream.next = begin;
            stream.end = begin;
        }
        self.late = 0;
        let gap = begin.wrapping_sub(stream.end).cast_signed();
        for at in 0..u32::try_from(gap).unwrap_or(0) {
            self.make_up(stream.end, at);
        }
        for (at, sample) in (0..).zip(samples) {
            let place = begin.wrapping_add(at);
            if place.wrapping_sub(stream.next).cast_signed() >= 0 {
                self.put(place, sample);
            }
        }
        if end.wrapping_sub(stream.end).cast_signed() > 0 {
            stream.end = end;
        }
        self.stream = Some(stream);
    }

    /// The next 20 ms; false if the party says nothing, and then the frame is silence.
    pub(crate) fn take(&mut self, frame: &mut [i16]) -> bool {
        let Some(mut stream) = self.stream else {
            frame.fill(0);
            return false;
        };
        if stream.waiting() > self.scaled(WAITING_MAX) {
            stream.next = stream.end.wrapping_sub(self.scaled(WAITING_AFTER));
        }
        let length = self.scaled(FRAME);
        if stream.waiting() < length {
            return self.take_made_up(stream, frame);
        }
        for (at, place) in (0..).zip(frame.iter_mut()) {
            *place = self.at(stream.next.wrapping_add(at));
        }
        stream.next = stream.next.wrapping_add(length);
        self.made_up = 0;
        let (least, frames) = self.spare;
        self.spare = (least.min(stream.waiting()), frames + 1);
        if frames + 1 >= CALM_FRAMES {
            if self.spare.0 >= self.scaled(SPARE) {
                stream.next = stream.next.wrapping_add(length);
            }
            self.spare = (u32::MAX, 0);
        }
        self.stream = Some(stream);
        true
    }

    /// Nothing came in time. The stream does not go on meanwhile.
    fn take_made_up(&mut self, stream: Stream, frame: &mut [i16]) -> bool {
        self.spare = (u32::MAX, 0);
        self.made_up += 1;
        if self.made_up > MADE_UP_MAX {
            self.made_up = 0;
            self.stream = None;
            frame.fill(0);
            return false;
        }
        let fading = 1_i16 << self.made_up;
        let from = stream.next.wrapping_sub(self.scaled(FRAME));
        for (at, place) in (0..).zip(frame.iter_mut()) {
            *place = self.at(from.wrapping_add(at)) / fading;
        }
        self.stream = Some(stream);
        true
    }

    /// Fills one sample of a gap that begins at `from` by those before it, fading.
    fn make_up(&mut self, from: u32, at: u32) {
        let frame = self.scaled(FRAME);
        let before = from.wrapping_sub(frame).wrapping_add(at % frame);
        let sample = match at / frame {
            frames @ 0..=2 => self.at(before) / (2 << frames),
            _ => 0,
        };
        self.put(from.wrapping_add(at), sample);
    }

    /// The sample of a timestamp.
    pub(crate) fn at(&self, timestamp: u32) -> i16 {
        let place = self.place(timestamp);
        self.ring.get(place).copied().unwrap_or_default()
    }

    fn put(&mut self, timestamp: u32, sample: i16) {
        let place = self.place(timestamp);
        if let Some(place) = self.ring.get_mut(place) {
            *place = sample;
        }
    }

    /// Whether a packet is of the stream: neither another source nor a jump, nor more than there is
    /// room for.
    fn fits(&self, stream: &Stream, ssrc: u32, begin: u32, length: usize) -> bool {
        let ahead = begin.wrapping_sub(stream.next).cast_signed();
        // A frame of what was played stays, to fill gaps with.
        let room = (self.room() - self.band.frame() - length) as i32;
        let behind = BEHIND_MAX * self.band.scale() as i32;
        stream.ssrc == ssrc && (-behind..=room).contains(&ahead)
    }

    /// Where in the ring a timestamp lies. A mask and no division: this is done for every sample.
    const fn place(&self, timestamp: u32) -> usize {
        timestamp as usize & (self.room() - 1)
    }

    const fn room(&self) -> usize {
        RING * self.band.scale()
    }

    const fn scaled(&self, samples: u32) -> u32 {
        samples * self.band.scale() as u32
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What 20 ms of a telephone are: sample n has the value n.
    fn say(inlet: &mut Inlet, timestamp: u32) {
        say_as(inlet, 1, timestamp, 160);
    }

    fn say_as(inlet: &mut Inlet, ssrc: u32, timestamp: u32, length: u32) {
        let samples: Vec<i16> = (0..length).map(|at| value(timestamp + at)).collect();
        inlet.push(ssrc, timestamp, samples.into_iter());
    }

    fn value(timestamp: u32) -> i16 {
        (timestamp % 20_000) as i16 + 1
    }

    /// Where the frame that is played begins, if it is one of the stream's.
    fn hear(inlet: &mut Inlet) -> Option<u32> {
        let mut frame = [0; FRAME_SAMPLES];
        inlet.take(&mut frame);
        let begin = u32::try_from(frame[0]).ok()?.checked_sub(1)?;
        let whole = (0..160).all(|at| frame[at as usize] == value(begin + at));
        whole.then_some(begin)
    }

    #[test]
    fn an_even_stream_is_played_one_beat_after_it_came() {
        let mut inlet = Inlet::new();
        assert_eq!(hear(&mut inlet), None);
        for packet in 0..500 {
            say(&mut inlet, packet * 160);
            assert_eq!(hear(&mut inlet), Some(packet * 160 % 20_000));
        }
    }

    #[test]
    fn a_late_packet_is_waited_for_once_and_then_the_buffer_is_deep_enough() {
        let mut inlet = Inlet::new();
        let mut heard = Vec::new();
        for beat in 0..20_u32 {
            // Each third packet comes a beat late, with the one after it.
            match beat % 3 {
                1 => {}
                2 => {
                    say(&mut inlet, (beat - 1) * 160);
                    say(&mut inlet, beat * 160);
                }
                _ => say(&mut inlet, beat * 160),
            }
            heard.push(hear(&mut inlet).map(|begin| begin / 160));
        }
        assert_eq!(heard[..4], [Some(0), None, Some(1), Some(2)]);
        let rest: Vec<Option<u32>> = (1..19).map(Some).collect();
        assert_eq!(heard[2..], rest);
    }

    #[test]
    fn what_is_lost_is_filled_and_what_is_reordered_is_put_right() {
        let mut inlet = Inlet::new();
        for timestamp in [0, 160, 480, 320] {
            say(&mut inlet, timestamp);
        }
        for frame in 0..4 {
            assert_eq!(hear(&mut inlet), Some(frame * 160));
        }
        say(&mut inlet, 960); // 640 and 800 are lost.
        let mut frame = [0; FRAME_SAMPLES];
        assert!(inlet.take(&mut frame));
        assert_eq!(frame[0], value(480) / 2);
        assert!(inlet.take(&mut frame));
        assert_eq!(frame[0], value(480) / 4);
        assert_eq!(hear(&mut inlet), Some(960));
    }

    #[test]
    fn silence_that_is_not_sent_is_silence_and_what_follows_it_has_no_delay() {
        let mut inlet = Inlet::new();
        say(&mut inlet, 0);
        let mut frame = [0; FRAME_SAMPLES];
        let heard: Vec<bool> = (0..6).map(|_| inlet.take(&mut frame)).collect();
        assert_eq!(heard, [true, true, true, true, false, false]);
        assert_eq!(frame, [0; FRAME_SAMPLES]);
        say(&mut inlet, 8_000);
        assert_eq!(hear(&mut inlet), Some(8_000));
    }

    #[test]
    fn a_buffer_that_became_deeper_than_needed_becomes_shallow_again() {
        let mut inlet = Inlet::new();
        for packet in 0..4 {
            say(&mut inlet, packet * 160);
        }
        for packet in 4..400 {
            say(&mut inlet, packet * 160);
            inlet.take(&mut [0; FRAME_SAMPLES]);
        }
        let waiting = inlet.stream.unwrap().waiting();
        assert!(waiting < SPARE + 160, "{waiting}");
    }

    #[test]
    fn other_sources_jumps_and_packets_of_any_length_go_on_at_once() {
        let mut inlet = Inlet::new();
        say(&mut inlet, 0);
        say_as(&mut inlet, 2, 9_000, 160);
        assert_eq!(hear(&mut inlet), Some(9_000));
        say_as(&mut inlet, 2, 15_000, 160);
        assert_eq!(hear(&mut inlet), Some(15_000), "forward");
        for timestamp in [10_000, 10_160, 10_320] {
            say_as(&mut inlet, 2, timestamp, 160);
        }
        assert_eq!(hear(&mut inlet), Some(10_320), "back, once it is sure");
        // Packets of 30 ms: nothing is lost, after at most one frame that is made up.
        let mut inlet = Inlet::new();
        let (mut heard, mut sent) = (Vec::new(), 0);
        for beat in 0..30_u32 {
            while sent * 30 <= beat * 20 {
                say_as(&mut inlet, 2, sent * 240, 240);
                sent += 1;
            }
            heard.extend(hear(&mut inlet));
        }
        let expected: Vec<u32> = (0..heard.len() as u32).map(|frame| frame * 160).collect();
        assert_eq!(heard, expected);
        assert!(heard.len() >= 18, "{}", heard.len());
    }

    #[test]
    fn what_waits_when_an_inlet_becomes_wide_is_heard_at_its_rate() {
        let mut inlet = Inlet::new();
        let sample = |at: u32| 4_000.0 * (core::f64::consts::TAU * f64::from(at) / 40.0).sin();
        for packet in 0..6_u32 {
            let samples: Vec<i16> = (0..160)
                .map(|at| sample(packet * 160 + at) as i16)
                .collect();
            inlet.push(1, packet * 160, samples.into_iter());
        }
        inlet.take(&mut [0; FRAME_SAMPLES]);
        inlet.take(&mut [0; FRAME_SAMPLES]);
        inlet.widen();
        assert_eq!(inlet.end(1), Some(6 * 320));
        let mut heard = vec![0; 320];
        inlet.before(&mut heard);
        for _ in 0..4 {
            let mut frame = [0; 320];
            assert!(inlet.is_ready() && inlet.take(&mut frame));
            heard.extend(frame);
        }
        assert!(!inlet.is_ready());
        // The filter is 31.5 samples of 16 kHz late.
        for (heard, at) in heard.iter().zip(320_u32..).skip(64) {
            let turn = (f64::from(at) - 31.5) / 80.0;
            let said = 4_000.0 * (core::f64::consts::TAU * turn).sin();
            assert!(
                (f64::from(*heard) - said).abs() < 60.0,
                "{at}: {heard} {said}"
            );
        }
    }

    proptest! {
        #[test]
        fn whatever_comes_is_bounded_and_never_later_than_a_quarter_of_a_second(
            packets in prop::collection::vec((0_u32..3, any::<u32>(), 0_u32..1_200, 0_u8..4), 0..200),
        ) {
            let mut inlet = Inlet::new();
            for (ssrc, timestamp, length, beats) in packets {
                let near = if ssrc == 0 { timestamp % 4_000 } else { timestamp };
                let samples = vec![7_i16; length as usize];
                inlet.push(ssrc, near, samples.into_iter());
                let mut frame = [0; FRAME_SAMPLES];
                for _ in 0..beats {
                    inlet.take(&mut frame);
                    prop_assert!(frame.iter().all(|sample| (0..=7).contains(sample)));
                }
                if beats > 0 && let Some(stream) = inlet.stream {
                    prop_assert!(stream.waiting() <= WAITING_MAX);
                }
            }
        }

        #[test]
        fn a_wide_inlet_does_the_same_as_a_narrow_one(
            packets in prop::collection::vec((0_u32..3, any::<u32>(), 1_u32..1_000, 0_u8..4), 0..200),
        ) {
            let (mut narrow, mut wide) = (Inlet::new(), Inlet::new());
            wide.widen();
            let mut at = 0_u32;
            for (how, jump, length, beats) in packets {
                // Mostly what follows, in packets as telephones send them.
                let length = if how == 0 { length } else { 160 };
                let begin = if how == 1 { at.wrapping_add(jump % 2_000) } else { at };
                let begin = if jump % 50 == 0 { jump } else { begin };
                at = begin.wrapping_add(length);
                let samples: Vec<i16> = (0..length).map(|n| value(begin.wrapping_add(n))).collect();
                narrow.push(1, begin, samples.iter().copied());
                let twice: Vec<i16> = samples.iter().flat_map(|one| [*one; 2]).collect();
                wide.push(1, begin.wrapping_mul(2), twice.into_iter());
                for _ in 0..beats {
                    let (mut one, mut two) = ([0; FRAME_SAMPLES], [0; 2 * FRAME_SAMPLES]);
                    prop_assert_eq!(narrow.take(&mut one), wide.take(&mut two));
                    let twice: Vec<i16> = one.iter().flat_map(|one| [*one; 2]).collect();
                    prop_assert_eq!(twice.as_slice(), two.as_slice());
                }
            }
        }
    }
}
