//! Owns the change of the rate of samples: 8, 16 and 48 kHz, each from each.
//!
//! One filter per ratio, a sinc under a Kaiser window, cut into the phases that are needed: what is above
//! the narrower band is 70 dB down from a tenth above its end on. Half its length is its delay:
//! [`SPAN`] samples of the lower rate, 2 ms at 8 kHz.

use core::f64::consts::PI;
use core::iter;

/// Samples of the lower rate on each side of a sample that is made.
const SPAN: usize = 16;
/// The end of the band kept, of half the lower rate.
const CUTOFF: f64 = 0.94;
/// The shape of the window: 70 dB (A. V. Oppenheim, R. W. Schafer, §7.5.3).
const BETA: f64 = 6.8;
/// The highest ratio: 8 to 48 kHz.
const RATIO_MAX: usize = 6;
/// Samples of the filter's memory at the higher rate.
const MEMORY: usize = 2 * SPAN * RATIO_MAX;

/// Changes the rate of one stream of samples.
#[derive(Debug, Clone)]
pub struct Resampler {
    change: Change,
    ratio: usize,
    /// The filter at the higher rate: 2 · `SPAN` · `ratio` weights. Upwards by phases: those of the
    /// first sample between two, then those of the second.
    weights: Box<[f32]>,
    /// The last samples, twice over, so that every run of them lies in one piece.
    memory: Box<[f32]>,
    /// Where the next one is put.
    next: usize,
    /// Samples of the higher rate since the last that was kept.
    phase: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    None,
    Up,
    Down,
}

impl Resampler {
    /// `None`: neither rate is a whole multiple of the other, six times at most.
    #[must_use]
    pub fn new(from: u32, to: u32) -> Option<Self> {
        let (low, high) = (from.min(to), from.max(to));
        let ratio = (high.checked_rem(low)? == 0).then_some((high / low) as usize)?;
        if ratio > RATIO_MAX {
            return None;
        }
        let change = match from.cmp(&to) {
            core::cmp::Ordering::Equal => Change::None,
            core::cmp::Ordering::Less => Change::Up,
            core::cmp::Ordering::Greater => Change::Down,
        };
        let filter = filter(ratio);
        let weights = match change {
            Change::None => Box::default(),
            Change::Down => filter.iter().map(|weight| weight / ratio as f32).collect(),
            Change::Up => (0..ratio)
                .flat_map(|phase| filter.iter().skip(phase).step_by(ratio).rev().copied())
                .collect(),
        };
        let memory = match change {
            Change::None => 0,
            Change::Up => 2 * SPAN,
            Change::Down => 2 * SPAN * ratio,
        };
        Some(Self {
            change,
            ratio,
            weights,
            memory: iter::repeat_n(0.0, 2 * memory).collect(),
            next: 0,
            phase: 0,
        })
    }

    /// How many samples come of so many, if they begin where others ended.
    #[must_use]
    pub const fn length(&self, samples: usize) -> usize {
        match self.change {
            Change::None => samples,
            Change::Up => samples * self.ratio,
            Change::Down => samples / self.ratio,
        }
    }

    /// Takes samples and fills the beginning of `out`; says how many came of them. What `out` has no
    /// room for is lost.
    pub fn change(&mut self, samples: &[i16], out: &mut [i16]) -> usize {
        let mut places = out.iter_mut();
        let room = places.len();
        match self.change {
            Change::None => {
                for (place, sample) in places.by_ref().zip(samples) {
                    *place = *sample;
                }
                return room.min(samples.len());
            }
            Change::Up => {
                for sample in samples {
                    let run = self.keep(*sample);
                    let run = self.memory.get(run..run + 2 * SPAN).unwrap_or_default();
                    for weights in self.weights.chunks_exact(2 * SPAN) {
                        let Some(place) = places.next() else {
                            break;
                        };
                        *place = dot(run, weights);
                    }
                }
            }
            Change::Down => {
                let length = self.weights.len();
                for sample in samples {
                    let run = self.keep(*sample);
                    self.phase += 1;
                    if self.phase < self.ratio {
                        continue;
                    }
                    self.phase = 0;
                    let run = self.memory.get(run..run + length).unwrap_or_default();
                    if let Some(place) = places.next() {
                        *place = dot(run, &self.weights);
                    }
                }
            }
        }
        room - places.len()
    }

    /// Begins anew, after silence.
    pub fn forget(&mut self) {
        self.memory.fill(0.0);
        self.phase = 0;
    }

    /// Puts a sample into the memory and says where the run that ends with it begins.
    fn keep(&mut self, sample: i16) -> usize {
        let half = self.memory.len() / 2;
        for at in [self.next, self.next + half] {
            if let Some(place) = self.memory.get_mut(at) {
                *place = f32::from(sample);
            }
        }
        self.next = (self.next + 1) % half.max(1);
        self.next
    }
}

/// A cast of a float ends at the end of the scale.
fn dot(samples: &[f32], weights: &[f32]) -> i16 {
    // Eight sums at once, which the compiler makes wide ones of.
    let mut sums = [0.0_f32; 8];
    for (samples, weights) in samples.chunks_exact(8).zip(weights.chunks_exact(8)) {
        for ((sum, sample), weight) in sums.iter_mut().zip(samples).zip(weights) {
            *sum += sample * weight;
        }
    }
    sums.iter().sum::<f32>().round() as i16
}

/// A low-pass at the higher rate whose weights sum up to the ratio.
fn filter(ratio: usize) -> Vec<f32> {
    let length = (2 * SPAN * ratio).min(MEMORY);
    let middle = (length as f64 - 1.0) / 2.0;
    let weight = |at: usize| {
        let x = at as f64 - middle;
        let angle = PI * CUTOFF * x / ratio as f64;
        let sinc = if angle == 0.0 {
            1.0
        } else {
            angle.sin() / angle
        };
        let edge = x / (middle + 0.5);
        sinc * bessel(BETA * (1.0 - edge * edge).max(0.0).sqrt())
    };
    let weights: Vec<f64> = (0..length).map(weight).collect();
    let scale = ratio as f64 / weights.iter().sum::<f64>();
    weights
        .iter()
        .map(|weight| (weight * scale) as f32)
        .collect()
}

/// The modified Bessel function of the first kind and order zero, by its series.
fn bessel(x: f64) -> f64 {
    let quarter = x * x / 4.0;
    let term = |(term, sum): (f64, f64), at: u32| {
        let term = term * quarter / f64::from(at * at);
        (term, sum + term)
    };
    (1..40).fold((1.0, 1.0), term).1
}

#[cfg(test)]
mod tests {
    use super::*;

    const TAU: f64 = core::f64::consts::TAU;

    fn tone(frequency: f64, rate: u32, count: usize) -> Vec<i16> {
        let sample = |n: usize| 8_000.0 * (TAU * frequency * n as f64 / f64::from(rate)).sin();
        (0..count).map(|n| sample(n) as i16).collect()
    }

    /// The amplitude of a tone in samples, whatever its phase.
    fn height(samples: &[i16], frequency: f64, rate: u32) -> f64 {
        let part = |turn: fn(f64) -> f64| {
            let sum: f64 = samples
                .iter()
                .zip(0..)
                .map(|(sample, n)| {
                    f64::from(*sample) * turn(TAU * frequency * f64::from(n) / f64::from(rate))
                })
                .sum();
            2.0 * sum / samples.len() as f64
        };
        part(f64::sin).hypot(part(f64::cos))
    }

    fn changed(from: u32, to: u32, frequency: f64) -> Vec<i16> {
        let mut resampler = Resampler::new(from, to).unwrap();
        let mut out = Vec::new();
        for frame in tone(frequency, from, from as usize).chunks(from as usize / 50) {
            let mut place = vec![0; to as usize / 50];
            assert_eq!(resampler.change(frame, &mut place), place.len());
            assert_eq!(resampler.length(frame.len()), place.len());
            out.extend(place);
        }
        out.split_off(to as usize / 10)
    }

    #[test]
    fn the_band_of_a_telephone_passes_at_its_height_and_without_a_mirror() {
        for (from, to) in [(8_000, 16_000), (8_000, 48_000), (16_000, 48_000)] {
            for frequency in [300.0, 1_000.0, 3_300.0] {
                let out = changed(from, to, frequency);
                let heard = height(&out, frequency, to);
                assert!((heard - 8_000.0).abs() < 100.0, "{from}-{to}: {heard}");
                let mirror = height(&out, f64::from(from) - frequency, to);
                assert!(mirror < 8.0, "{from}-{to}: {mirror} at the mirror");
            }
        }
    }

    #[test]
    fn what_the_narrower_band_cannot_hold_does_not_fold_into_it() {
        for (from, to) in [(16_000, 8_000), (48_000, 8_000), (48_000, 16_000)] {
            let edge = f64::from(to) / 2.0;
            let kept = height(&changed(from, to, edge * 0.82), edge * 0.82, to);
            assert!((kept - 8_000.0).abs() < 100.0, "{from}-{to}: {kept}");
            let folded = height(&changed(from, to, edge * 1.15), edge * 0.85, to);
            assert!(folded < 8.0, "{from}-{to}: {folded} folded");
        }
    }

    #[test]
    fn rates_without_a_whole_ratio_are_none_and_one_rate_is_left_alone() {
        for (from, to) in [(8_000, 44_100), (0, 8_000), (8_000, 0), (8_000, 96_000)] {
            assert!(Resampler::new(from, to).is_none());
        }
        let (mut same, mut out) = (Resampler::new(8_000, 8_000).unwrap(), [0; 3]);
        assert_eq!(same.change(&[1, -2, 3], &mut out), 3);
        assert_eq!(out, [1, -2, 3]);
    }
}
