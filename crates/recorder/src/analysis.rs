//! Owns listening to a recording while it is made: who spoke when, how loud, and the peaks that a
//! player draws. Refuses to judge: it counts.
//!
//! A side *speaks* from the third 20 ms frame in a row that is louder than its threshold until
//! the last such frame, unless silence shorter than 200 ms follows. The threshold follows the side's own background: 10 dB above
//! the level of its quiet frames, but between -50 and -35 dBov. Levels are in dBov (ITU-T G.100.1):
//! 0 dBov is a square wave of full scale, a sine of full scale has -3.

use vocab::{Heard, HeardSide, Unheard};

/// Length of a frame.
const FRAME_MS: u64 = 20;
/// Frames of sound before it is speech: a click is none.
const ONSET: u32 = 3;
/// Frames of quiet before speech is over: a breath is no silence.
const HANGOVER: u32 = 10;
/// Shortest silence of both sides that counts as dead air.
const DEAD_AIR_MS: u64 = 3_000;
/// Shortest recording in which a side that is not heard is strange.
const UNHEARD_MS: u64 = 10_000;
/// Least speech of the other side for that.
const UNHEARD_SPEECH_MS: u64 = 3_000;
const QUIET_DB: f64 = -50.0;
const LOUD_DB: f64 = -35.0;
const ABOVE_BACKGROUND_DB: f64 = 10.0;
/// How fast the background may rise, dB a frame: 1.5 dB a second.
const BACKGROUND_RISE_DB: f64 = 0.03;
/// Samples from here on are the end of the scale of both laws (32,256 and 32,124) and of PCM.
const CLIPPED: u16 = 32_000;
/// Points a second in the peaks.
const PEAKS_A_SECOND: u32 = 20;

/// What one side is like so far.
struct Lane {
    /// Of the squares of a frame's samples.
    sum: u64,
    peak: u16,
    samples: u32,
    background: f64,
    loud_frames: u32,
    quiet_frames: u32,
    speaking: bool,
    speech_frames: u64,
    loud_power: f64,
    loud_total: u64,
    peak_all: u16,
    clipped: u64,
    clipped_before: bool,
    low: i8,
    high: i8,
}

/// Listens to frames in their order.
pub(crate) struct Analysis {
    rate: u32,
    lanes: [Lane; 2],
    in_frame: u32,
    frames: u64,
    /// Frames that count: outside pauses.
    counted: u64,
    since_pause: u64,
    quiet_run: u64,
    dead_air: u64,
    dead_air_longest: u64,
    talk_over: u64,
    /// Pauses, in samples; the last may be open.
    pauses: Vec<(i64, i64)>,
    peaks: Vec<u8>,
    in_peak: u32,
}

impl Analysis {
    pub(crate) fn new(rate: u32) -> Self {
        Self {
            rate,
            lanes: [Lane::new(), Lane::new()],
            in_frame: 0,
            frames: 0,
            counted: 0,
            since_pause: 0,
            quiet_run: 0,
            dead_air: 0,
            dead_air_longest: 0,
            talk_over: 0,
            pauses: Vec::new(),
            peaks: Vec::new(),
            in_peak: 0,
        }
    }

    /// The recording is paused from this sample on, until [`Self::resume`].
    pub(crate) fn pause(&mut self, from: i64) {
        self.pauses.push((from, i64::MAX));
    }

    /// It goes on.
    pub(crate) fn resume(&mut self, at: i64) {
        if let Some((_, to)) = self.pauses.last_mut() {
            *to = (*to).min(at);
        }
    }

    /// The next samples of both sides, caller and operator: as many of the one as of the other.
    pub(crate) fn hear(&mut self, sides: [&[i16]; 2]) {
        let length = sides.map(<[i16]>::len).into_iter().min().unwrap_or(0);
        let (frame, point) = (self.rate.div_ceil(50), self.rate.div_ceil(PEAKS_A_SECOND));
        let mut from = 0;
        while from < length {
            let room = (frame - self.in_frame).min(point - self.in_peak);
            let run = (length - from).min(room as usize);
            for (lane, side) in self.lanes.iter_mut().zip(sides) {
                lane.hear(side.get(from..from + run).unwrap_or_default());
            }
            from += run;
            self.in_frame += run as u32;
            if self.in_frame == frame {
                self.frame();
            }
            self.in_peak += run as u32;
            if self.in_peak == point {
                self.peak();
            }
        }
    }

    fn frame(&mut self) {
        let middle = (self.frames as i64 * 2 + 1) * i64::from(self.rate) / 100;
        let paused = self
            .pauses
            .iter()
            .rev()
            .any(|(from, to)| (*from..*to).contains(&middle));
        self.in_frame = 0;
        self.frames += 1;
        let speaking = self.lanes.each_mut().map(Lane::frame);
        if paused {
            self.since_pause = 0;
            self.end_quiet();
            return;
        }
        self.counted += 1;
        self.since_pause += 1;
        match speaking {
            [true, true] => self.talk_over += 1,
            [false, false] => {
                // The breath after the last word belongs to the silence, but not across a pause.
                let quiet = self
                    .lanes
                    .each_ref()
                    .map(|lane| u64::from(lane.quiet_frames));
                let quiet = quiet.into_iter().min().unwrap_or(0).min(self.since_pause);
                self.quiet_run = (self.quiet_run + 1).max(quiet);
                return;
            }
            _ => {}
        }
        self.end_quiet();
    }

    fn end_quiet(&mut self) {
        let run = std::mem::take(&mut self.quiet_run);
        self.dead_air_longest = self.dead_air_longest.max(run);
        if run * FRAME_MS >= DEAD_AIR_MS {
            self.dead_air += run;
        }
    }

    fn peak(&mut self) {
        self.in_peak = 0;
        for lane in &mut self.lanes {
            self.peaks.extend([lane.low as u8, lane.high as u8]);
            (lane.low, lane.high) = (0, 0);
        }
    }

    /// What was heard, and the peaks as a file.
    pub(crate) fn finish(mut self) -> (Heard, Vec<u8>) {
        self.end_quiet();
        if self.in_peak > 0 {
            self.peak();
        }
        let counted = self.counted;
        let [caller, operator] = self.lanes.each_ref().map(|lane| lane.heard(counted));
        let unheard = match (caller.speech_ms, operator.speech_ms) {
            _ if counted * FRAME_MS < UNHEARD_MS => None,
            (0, 0) => Some(Unheard::Both),
            (0, other) if other >= UNHEARD_SPEECH_MS => Some(Unheard::Caller),
            (other, 0) if other >= UNHEARD_SPEECH_MS => Some(Unheard::Operator),
            _ => None,
        };
        let heard = Heard {
            caller,
            operator,
            dead_air_ms: self.dead_air * FRAME_MS,
            dead_air_longest_ms: self.dead_air_longest * FRAME_MS,
            talk_over_ms: self.talk_over * FRAME_MS,
            unheard,
        };
        (heard, peaks_file(self.rate, &self.peaks))
    }
}

impl Lane {
    const fn new() -> Self {
        Self {
            sum: 0,
            peak: 0,
            samples: 0,
            background: QUIET_DB - ABOVE_BACKGROUND_DB,
            loud_frames: 0,
            quiet_frames: 0,
            speaking: false,
            speech_frames: 0,
            loud_power: 0.0,
            loud_total: 0,
            peak_all: 0,
            clipped: 0,
            clipped_before: false,
            low: 0,
            high: 0,
        }
    }

    /// Samples that all belong to one frame and to one point of the peaks.
    fn hear(&mut self, samples: &[i16]) {
        let squares = samples.iter().map(|sample| {
            let value = i32::from(*sample);
            u64::from((value * value).unsigned_abs())
        });
        self.sum += squares.sum::<u64>();
        self.samples += samples.len() as u32;
        let low = samples.iter().fold(0, |low: i16, sample| low.min(*sample));
        let high = samples
            .iter()
            .fold(0, |high: i16, sample| high.max(*sample));
        let peak = low.unsigned_abs().max(high.unsigned_abs());
        self.peak = self.peak.max(peak);
        self.low = self.low.min((low >> 8) as i8);
        self.high = self.high.max((high >> 8) as i8);
        if peak < CLIPPED {
            self.clipped_before &= samples.is_empty();
            return;
        }
        for sample in samples {
            let clipped = sample.unsigned_abs() >= CLIPPED;
            self.clipped += u64::from(clipped && self.clipped_before);
            self.clipped_before = clipped;
        }
    }

    /// Ends a frame; whether the side speaks in it.
    fn frame(&mut self) -> bool {
        let power = self.sum as f64 / f64::from(self.samples.max(1));
        let level = dbov(power.sqrt());
        self.peak_all = self.peak_all.max(self.peak);
        (self.sum, self.peak, self.samples) = (0, 0, 0);

        let threshold = (self.background + ABOVE_BACKGROUND_DB).clamp(QUIET_DB, LOUD_DB);
        self.background = if level < self.background {
            level.max(QUIET_DB - ABOVE_BACKGROUND_DB)
        } else {
            (self.background + BACKGROUND_RISE_DB).min(level)
        };
        if level > threshold {
            self.loud_frames += 1;
            self.quiet_frames = 0;
            self.loud_power += power;
            self.loud_total += 1;
        } else {
            self.loud_frames = 0;
            self.quiet_frames += 1;
        }
        if self.speaking {
            self.speaking = self.quiet_frames < HANGOVER;
            if !self.speaking {
                // They were a breath for as long as speech could still follow.
                self.speech_frames = self.speech_frames.saturating_sub(u64::from(HANGOVER - 1));
            }
        } else if self.loud_frames >= ONSET {
            self.speaking = true;
            self.speech_frames += u64::from(ONSET - 1);
        }
        self.speech_frames += u64::from(self.speaking);
        self.speaking
    }

    fn heard(&self, counted: u64) -> HeardSide {
        let speech = self.speech_frames.min(counted);
        let level = (self.loud_total as f64, self.loud_power);
        HeardSide {
            speech_ms: speech * FRAME_MS,
            silence_ms: (counted - speech) * FRAME_MS,
            level: (speech > 0).then(|| tenths((level.1 / level.0.max(1.0)).sqrt())),
            // Silence in A-law is not zero but its smallest step.
            peak: (self.peak_all > 8).then(|| tenths(f64::from(self.peak_all))),
            clipped: self.clipped,
        }
    }
}

fn dbov(amplitude: f64) -> f64 {
    20.0 * (amplitude.max(1.0) / 32_768.0).log10()
}

fn tenths(amplitude: f64) -> i16 {
    (dbov(amplitude) * 10.0).round() as i16
}

/// A file of peaks as `audiowaveform` writes them (version 2, 8 bits), which players of waveforms
/// read: a lowest and a highest value of each side for each point.
fn peaks_file(rate: u32, peaks: &[u8]) -> Vec<u8> {
    const VERSION: i32 = 2;
    const EIGHT_BITS: u32 = 1;
    const CHANNELS: i32 = 2;
    let mut out = Vec::with_capacity(24 + peaks.len());
    out.extend(VERSION.to_le_bytes());
    out.extend(EIGHT_BITS.to_le_bytes());
    out.extend((rate as i32).to_le_bytes());
    out.extend(((rate / PEAKS_A_SECOND) as i32).to_le_bytes());
    out.extend((peaks.len() as u32 / 4).to_le_bytes());
    out.extend(CHANNELS.to_le_bytes());
    out.extend_from_slice(peaks);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Stretches of sound: seconds, the caller's amplitude, the operator's.
    fn listen(stretches: &[(f64, f64, f64)]) -> (Heard, Vec<u8>) {
        let mut analysis = Analysis::new(8_000);
        let mut n = 0u32;
        for (seconds, caller, operator) in stretches {
            for _ in 0..(seconds * 8_000.0) as u32 {
                n += 1;
                let tone = (f64::from(n) * 0.7).sin();
                let [caller, operator] = [caller, operator].map(|size| [(size * tone) as i16]);
                analysis.hear([&caller, &operator]);
            }
        }
        analysis.finish()
    }

    #[test]
    fn it_is_all_the_same_in_which_pieces_samples_come() {
        let side = |step: i32| {
            let loud = |n: i32| ((n / 4_000) % 3) * 16_000;
            let sample = move |n| (n * step % 101 - 50) * loud(n) / 25;
            (0..40_000).map(move |n| sample(n).clamp(-32_768, 32_767) as i16)
        };
        let [caller, operator] = [37, 61].map(|step| side(step).collect::<Vec<_>>());
        let heard_in = |length: usize| {
            let mut analysis = Analysis::new(8_000);
            for (caller, operator) in caller.chunks(length).zip(operator.chunks(length)) {
                analysis.hear([caller, operator]);
            }
            analysis.finish()
        };
        let whole = heard_in(40_000);
        assert!(whole.0.caller.clipped > 0 && whole.0.talk_over_ms > 0);
        for length in [1, 7, 160, 977] {
            assert_eq!(heard_in(length), whole, "{length}");
        }
    }

    fn near(ms: u64, expected: u64) {
        assert!(ms.abs_diff(expected) <= 250, "{ms} ms, expected {expected}");
    }

    #[test]
    fn speech_silence_and_talk_over_add_up() {
        let (heard, _) = listen(&[
            (1.0, 0.0, 0.0),
            (4.0, 8_000.0, 0.0),
            (1.0, 0.0, 0.0),
            (3.0, 0.0, 8_000.0),
            (2.0, 8_000.0, 8_000.0),
            (1.0, 0.0, 0.0),
        ]);
        near(heard.caller.speech_ms, 6_000);
        near(heard.operator.speech_ms, 5_000);
        near(heard.talk_over_ms, 2_000);
        assert_eq!(heard.caller.speech_ms + heard.caller.silence_ms, 12_000);
        assert_eq!((heard.dead_air_ms, heard.unheard), (0, None));
        near(heard.dead_air_longest_ms, 1_000);
    }

    #[test]
    fn dead_air_is_the_silence_of_both_from_three_seconds_on() {
        let (heard, _) = listen(&[
            (2.0, 8_000.0, 0.0),
            (2.5, 0.0, 0.0),
            (2.0, 0.0, 8_000.0),
            (7.0, 0.0, 0.0),
            (2.0, 8_000.0, 0.0),
            (4.0, 0.0, 0.0),
        ]);
        near(heard.dead_air_ms, 11_000);
        near(heard.dead_air_longest_ms, 7_000);
    }

    #[test]
    fn a_pause_of_the_recording_is_no_dead_air() {
        let mut analysis = Analysis::new(8_000);
        analysis.pause(16_000);
        analysis.resume(16_000 + 80_000);
        for n in 0..16_000 + 80_000 + 16_000 {
            let loud = !(16_000..=96_000).contains(&n);
            let sample = if loud { ((n % 16) * 1_000) as i16 } else { 0 };
            analysis.hear([&[sample], &[sample]]);
        }
        let (heard, _) = analysis.finish();
        assert_eq!(heard.dead_air_ms, 0);
        near(heard.caller.speech_ms + heard.caller.silence_ms, 4_000);
    }

    #[test]
    fn a_level_is_that_of_speech_and_not_of_silence() {
        // A sine of half of full scale: -6 dB, and -3 of the sine.
        let (heard, _) = listen(&[(5.0, 16_384.0, 0.0), (20.0, 0.0, 0.0)]);
        let level = heard.caller.level.unwrap();
        assert!((-93..=-87).contains(&level), "{level}");
        assert_eq!(heard.caller.peak, Some(-60));
        assert_eq!((heard.operator.level, heard.operator.peak), (None, None));
    }

    #[test]
    fn a_side_that_is_not_heard_is_named_only_in_a_call_that_is_long_enough() {
        let (heard, _) = listen(&[(12.0, 8_000.0, 0.0)]);
        assert_eq!(heard.unheard, Some(Unheard::Operator));
        let (heard, _) = listen(&[(12.0, 0.0, 8_000.0)]);
        assert_eq!(heard.unheard, Some(Unheard::Caller));
        let (heard, _) = listen(&[(12.0, 0.0, 0.0)]);
        assert_eq!(heard.unheard, Some(Unheard::Both));
        let (heard, _) = listen(&[(9.0, 8_000.0, 0.0)]);
        assert_eq!(heard.unheard, None);
    }

    #[test]
    fn noise_in_the_background_is_no_speech_and_a_click_neither() {
        let mut analysis = Analysis::new(8_000);
        let mut seed = 1u32;
        for n in 0..160_000u32 {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let noise = (seed >> 16) as i16 / 200; // about -51 dBov
            let click = if n == 80_000 { 30_000 } else { 0 };
            analysis.hear([&[noise], &[click]]);
        }
        let (heard, _) = analysis.finish();
        assert_eq!((heard.caller.speech_ms, heard.operator.speech_ms), (0, 0));
    }

    #[test]
    fn clipping_is_counted_where_samples_stand_at_the_end_of_the_scale() {
        let (heard, _) = listen(&[(2.0, 30_000.0, 0.0)]);
        assert_eq!(heard.caller.clipped, 0);
        let mut analysis = Analysis::new(8_000);
        for n in 0..8_000 {
            let side = if n / 4 % 2 == 0 { 32_256 } else { -32_256 };
            analysis.hear([&[side], &[0]]);
        }
        let (heard, _) = analysis.finish();
        assert!(heard.caller.clipped > 7_000, "{}", heard.caller.clipped);
        assert_eq!(heard.operator.clipped, 0);
    }

    #[test]
    fn peaks_have_a_low_and_a_high_of_each_side_twenty_times_a_second() {
        let (_, file) = listen(&[(1.01, 16_384.0, 0.0)]);
        let word = |at: usize| i32::from_le_bytes(*file[at..].first_chunk().unwrap());
        let header = [0, 4, 8, 12, 16, 20].map(word);
        assert_eq!(header, [2, 1, 8_000, 400, 21, 2]);
        assert_eq!(file.len(), 24 + 21 * 4);
        let first = &file[24..28];
        assert_eq!([first[0] as i8, first[1] as i8], [-64, 63]);
        assert_eq!(first[2..], [0, 0]);
    }
}
