//! Owns the preparation of audio: one rate, one loudness. Pure arithmetic.

use std::f64::consts::PI;

use super::RATE;

/// Half the length of the low-pass, in zero crossings of its sinc.
const CROSSINGS: usize = 16;
/// Points of the low-pass kept for each zero crossing; between them lines are drawn.
const POINTS: usize = 256;
/// Where the low-pass ends, as a share of half the lower rate: 3.7 kHz for 8 kHz.
const PASSED: f64 = 0.925;

/// Loudness that speech is brought to: root mean square, of full scale. -20 dB leaves room for
/// the peaks of speech and is what G.711 telephones sound right with.
const LOUDNESS: f64 = 0.1;
/// Loudest peak left: -1 dB.
const PEAK: f64 = 0.89;
/// Most that the loudness is changed, up or down: 12 dB. More would lift noise.
const GAIN_MAX: f64 = 4.0;
/// Frames quieter than this share of the loudest one are pauses and do not count: -26 dB.
const PAUSE: f64 = 0.05;
/// Samples in a frame of the loudness measure: 20 ms.
const FRAME: usize = 160;

/// One channel of audio.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Sound {
    /// Samples in a second.
    pub(super) rate: u32,
    /// -1 to 1.
    pub(super) samples: Vec<f32>,
}

impl Sound {
    /// The sound at 8 kHz and at the loudness of all prompts.
    pub(super) fn prepared(&self) -> Vec<i16> {
        let samples = resample(&self.samples, self.rate);
        let gain = gain(&samples);
        samples
            .iter()
            .map(|sample| linear(f64::from(*sample) * gain))
            .collect()
    }
}

/// A sample of -1 to 1 as 16 bits.
pub(super) fn linear(sample: f64) -> i16 {
    // Within the range of i16 by the clamp.
    (sample.clamp(-1.0, 1.0) * 32_767.0).round() as i16
}

/// Changes the rate to 8 kHz with a windowed-sinc low-pass, evaluated where output samples are.
fn resample(samples: &[f32], rate: u32) -> Vec<f32> {
    if rate == RATE {
        return samples.to_vec();
    }
    let step = f64::from(rate) / f64::from(RATE);
    // Zero crossings of the sinc lie this far apart in input samples.
    let crossing = step.max(1.0) / PASSED;
    let reach = CROSSINGS as f64 * crossing;
    let kernel = kernel();
    let count = (samples.len() as f64 / step).floor() as usize;
    (0..count)
        .map(|at| {
            let centre = at as f64 * step;
            let first = (centre - reach).ceil().max(0.0) as usize;
            let last = ((centre + reach).floor() as usize).min(samples.len().saturating_sub(1));
            let (mut sum, mut weights) = (0.0, 0.0);
            for (offset, sample) in samples
                .get(first..=last)
                .unwrap_or_default()
                .iter()
                .enumerate()
            {
                let weight = weight(&kernel, ((first + offset) as f64 - centre).abs() / crossing);
                sum += f64::from(*sample) * weight;
                weights += weight;
            }
            if weights.abs() < f64::EPSILON {
                0.0
            } else {
                (sum / weights) as f32
            }
        })
        .collect()
}

/// One half of the low-pass: a sinc under a Blackman window.
fn kernel() -> Vec<f64> {
    (0..=CROSSINGS * POINTS)
        .map(|at| {
            let x = at as f64 / POINTS as f64;
            let sinc = if at == 0 {
                1.0
            } else {
                (PI * x).sin() / (PI * x)
            };
            let phase = PI * x / CROSSINGS as f64;
            sinc * (0.42 + 0.5 * phase.cos() + 0.08 * (2.0 * phase).cos())
        })
        .collect()
}

/// The low-pass at a distance in zero crossings.
fn weight(kernel: &[f64], distance: f64) -> f64 {
    let place = distance * POINTS as f64;
    let at = place as usize;
    let (Some(left), Some(right)) = (kernel.get(at), kernel.get(at + 1)) else {
        return 0.0;
    };
    left + (right - left) * (place - at as f64)
}

/// The factor that brings speech to the common loudness without clipping it.
fn gain(samples: &[f32]) -> f64 {
    let power = |frame: &[f32]| {
        frame.iter().map(|one| f64::from(*one).powi(2)).sum::<f64>() / frame.len().max(1) as f64
    };
    let frames: Vec<f64> = samples.chunks(FRAME).map(power).collect();
    let loudest = frames.iter().copied().fold(0.0, f64::max);
    let peak = samples
        .iter()
        .map(|one| f64::from(one.abs()))
        .fold(0.0, f64::max);
    if loudest <= 0.0 || peak <= 0.0 {
        return 1.0;
    }
    let heard: Vec<f64> = frames
        .into_iter()
        .filter(|power| *power >= loudest * PAUSE * PAUSE)
        .collect();
    let loudness = (heard.iter().sum::<f64>() / heard.len().max(1) as f64).sqrt();
    (LOUDNESS / loudness)
        .clamp(1.0 / GAIN_MAX, GAIN_MAX)
        .min(PEAK / peak)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A sine of a frequency, one second long.
    fn sine(rate: u32, frequency: f64, height: f64) -> Sound {
        let samples = (0..rate)
            .map(|at| {
                (height * (2.0 * PI * frequency * f64::from(at) / f64::from(rate)).sin()) as f32
            })
            .collect();
        Sound { rate, samples }
    }

    /// How much of a frequency there is: 1 for a sine of full height.
    fn part(samples: &[f32], frequency: f64) -> f64 {
        let (mut re, mut im) = (0.0, 0.0);
        for (at, sample) in samples.iter().enumerate() {
            let phase = 2.0 * PI * frequency * at as f64 / f64::from(RATE);
            re += f64::from(*sample) * phase.cos();
            im += f64::from(*sample) * phase.sin();
        }
        2.0 * re.hypot(im) / samples.len() as f64
    }

    #[test]
    fn every_rate_keeps_the_voice_and_its_length() {
        for rate in [8_000, 11_025, 16_000, 22_050, 44_100, 48_000] {
            for frequency in [300.0, 1_000.0, 3_000.0] {
                let out = resample(&sine(rate, frequency, 0.5).samples, rate);
                assert!(
                    (7_990..=8_010).contains(&out.len()),
                    "{rate}: {}",
                    out.len()
                );
                let kept = part(&out, frequency);
                assert!(
                    (0.48..0.52).contains(&kept),
                    "{frequency} Hz at {rate}: {kept}"
                );
            }
        }
    }

    #[test]
    fn what_lies_above_4_khz_does_not_fold_back() {
        for (rate, frequency) in [(16_000, 5_000.0), (22_050, 6_500.0), (48_000, 7_000.0)] {
            let out = resample(&sine(rate, frequency, 0.5).samples, rate);
            let folded = part(&out, f64::from(RATE) - frequency);
            assert!(
                folded < 0.005,
                "{frequency} Hz at {rate} folds back: {folded}"
            );
        }
    }

    #[test]
    fn quiet_and_loud_prompts_come_out_alike() {
        let rms = |pcm: &[i16]| {
            (pcm.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>() / pcm.len() as f64).sqrt()
        };
        let quiet = rms(&sine(16_000, 500.0, 0.05).prepared());
        let loud = rms(&sine(16_000, 500.0, 0.5).prepared());
        assert!((quiet / loud - 1.0).abs() < 0.02, "{quiet} and {loud}");
        assert!((quiet / 3_276.7 - 1.0).abs() < 0.02, "{quiet}");
    }

    #[test]
    fn silence_stays_silence_and_peaks_do_not_clip() {
        assert_eq!(
            Sound {
                rate: 8_000,
                samples: vec![0.0; 100]
            }
            .prepared(),
            [0; 100]
        );
        let mut samples = vec![0.01f32; 8_000];
        samples[4_000] = 0.9;
        let out = Sound {
            rate: 8_000,
            samples,
        }
        .prepared();
        assert!(
            out.iter().all(|one| *one < 29_400),
            "{:?}",
            out.iter().max()
        );
    }
}
