//! Owns the filling of gaps in audio by repetition: the last period of the voice goes on, ever
//! fainter, until there is silence (after the idea of ITU-T G.711 Appendix I).

/// How far back a period is looked for: 60 Hz to 400 Hz.
const PITCH_MIN_HZ: u32 = 400;
const PITCH_MAX_HZ: u32 = 60;
/// How long a repetition is heard as it was, and until when it fades, milliseconds.
const LOUD_MS: u32 = 10;
const FADED_MS: u32 = 60;
/// What comes after a gap is blended into for so long.
const BLEND_MS: u32 = 4;

/// What was heard last, and the gap that is being filled.
#[derive(Debug)]
pub(crate) struct Concealment {
    rate: u32,
    /// The end of what was heard: two of the longest periods.
    heard: Box<[i16]>,
    /// The period that is repeated, and samples since the gap began.
    gap: Option<(usize, usize)>,
}

impl Concealment {
    /// At so many samples a second.
    pub(crate) fn new(rate: u32) -> Self {
        let longest = (rate / PITCH_MAX_HZ) as usize;
        Self {
            rate,
            heard: core::iter::repeat_n(0, 2 * longest).collect(),
            gap: None,
        }
    }

    /// Audio that is here; its beginning is blended with what filled the gap before it.
    pub(crate) fn hear(&mut self, frame: &mut [i16]) {
        if let Some((period, at)) = self.gap.take() {
            let length = self.samples(BLEND_MS).min(frame.len());
            for (sample, step) in frame.iter_mut().take(length).zip(0..) {
                let filled = i32::from(self.filled(period, at + step));
                let (share, whole) = (step as i32 + 1, length as i32 + 1);
                let blended = (filled * (whole - share) + i32::from(*sample) * share) / whole;
                *sample = blended as i16;
            }
        }
        let keep = self.heard.len().saturating_sub(frame.len());
        let gone = self.heard.len() - keep;
        self.heard.copy_within(gone.., 0);
        let new = frame
            .get(frame.len().saturating_sub(gone)..)
            .unwrap_or_default();
        if let Some(place) = self.heard.get_mut(keep..) {
            place.copy_from_slice(new);
        }
    }

    /// Fills a gap, or goes on with it.
    pub(crate) fn fill(&mut self, frame: &mut [i16]) {
        let (period, at) = self.gap.unwrap_or_else(|| (self.period(), 0));
        for (sample, step) in frame.iter_mut().zip(at..) {
            *sample = self.filled(period, step);
        }
        self.gap = Some((period, at + frame.len()));
    }

    const fn samples(&self, ms: u32) -> usize {
        (self.rate / 1_000 * ms) as usize
    }

    /// A sample of the gap: the last period again and again, fading.
    fn filled(&self, period: usize, at: usize) -> i16 {
        let (loud, faded) = (self.samples(LOUD_MS), self.samples(FADED_MS));
        if at >= faded {
            return 0;
        }
        let from = self.heard.len() - period + at % period.max(1);
        let sample = i32::from(self.heard.get(from).copied().unwrap_or_default());
        let left = (faded - at.max(loud)) as i32;
        (sample * left / (faded - loud) as i32) as i16
    }

    /// The period of the last sound: where it is most like itself.
    fn period(&self) -> usize {
        let (shortest, longest) = (
            (self.rate / PITCH_MIN_HZ) as usize,
            (self.rate / PITCH_MAX_HZ) as usize,
        );
        let length = self.heard.len();
        let last = self.heard.get(length - longest..).unwrap_or_default();
        let likeness = |lag: &usize| {
            let before = self.heard.get(length - longest - lag..length - lag);
            let before = before.unwrap_or_default();
            // Every other sample tells as much.
            let (mut product, mut energy) = (0.0_f32, 1.0_f32);
            for (a, b) in last.iter().zip(before).step_by(2) {
                product += f32::from(*a) * f32::from(*b);
                energy += f32::from(*b) * f32::from(*b);
            }
            product / energy.sqrt()
        };
        let better = |a: &usize, b: &usize| likeness(a).total_cmp(&likeness(b));
        // Of equal ones the last, which sounds least like a buzz.
        (shortest..=longest).max_by(better).unwrap_or(longest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(frequency: f32, from: usize, count: usize, rate: u32) -> Vec<i16> {
        let angle = |n: usize| core::f32::consts::TAU * frequency * n as f32 / rate as f32;
        (from..from + count)
            .map(|n| (8_000.0 * angle(n).sin()) as i16)
            .collect()
    }

    #[test]
    fn a_gap_in_a_voice_goes_on_in_its_period_and_fades() {
        for rate in [8_000, 16_000] {
            let frame = rate as usize / 50;
            let mut concealment = Concealment::new(rate);
            for number in 0..5 {
                concealment.hear(&mut tone(125.0, number * frame, frame, rate));
            }
            let (mut filled, would_be) = (vec![0; frame], tone(125.0, 5 * frame, frame, rate));
            concealment.fill(&mut filled);
            for (filled, real) in filled.iter().zip(&would_be).take(frame / 2) {
                assert!(
                    (i32::from(*filled) - i32::from(*real)).abs() < 600,
                    "{filled} {real}"
                );
            }
            concealment.fill(&mut filled);
            concealment.fill(&mut filled);
            concealment.fill(&mut filled);
            assert!(
                filled.iter().all(|sample| *sample == 0),
                "silence after 60 ms"
            );
        }
    }

    #[test]
    fn what_comes_after_a_gap_has_no_edge() {
        let mut concealment = Concealment::new(8_000);
        concealment.hear(&mut [10_000; 320]);
        concealment.fill(&mut [0; 80]);
        let mut after = [-10_000; 160];
        concealment.hear(&mut after);
        let steps = after
            .windows(2)
            .map(|two| i32::from(two[0]) - i32::from(two[1]));
        assert!(steps.map(i32::abs).max().unwrap() < 1_500);
        assert_eq!(after[40], -10_000);
    }
}
