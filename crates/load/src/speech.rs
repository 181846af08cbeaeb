//! Owns the made-up speech of callers and operators who were given no clips: syllables with
//! pitch, formants, breath and pauses. Understood by nobody, but it has the spectrum, the
//! level changes and the silence of a voice, and no two stretches of it are alike.

use crate::random::Random;

/// Samples a second, everywhere in the load.
pub(crate) const RATE: usize = 8_000;

/// First three formants of a, e, i, o, u (Hz).
const VOWELS: [[f64; 3]; 5] = [
    [730.0, 1_090.0, 2_440.0],
    [530.0, 1_840.0, 2_480.0],
    [290.0, 2_200.0, 2_900.0],
    [570.0, 840.0, 2_410.0],
    [320.0, 870.0, 2_240.0],
];
const BANDWIDTHS: [f64; 3] = [80.0, 110.0, 160.0];

/// Two-pole resonator: one formant.
#[derive(Default)]
struct Resonator {
    gain: f64,
    back: [f64; 2],
    state: [f64; 2],
}

impl Resonator {
    fn tune(&mut self, frequency: f64, bandwidth: f64) {
        let radius = (-std::f64::consts::PI * bandwidth / RATE as f64).exp();
        let angle = std::f64::consts::TAU * frequency / RATE as f64;
        self.back = [2.0 * radius * angle.cos(), -radius * radius];
        self.gain = 1.0 - radius;
    }

    fn filter(&mut self, input: f64) -> f64 {
        let [first, second] = self.state;
        let [b1, b2] = self.back;
        let output = self.gain * input + b1 * first + b2 * second;
        self.state = [output, first];
        output
    }
}

/// Level to which the loudest sample is brought: -6 dB of full scale.
const PEAK: f64 = 16_384.0;

/// `seconds` of speech at a pitch around `pitch_hz`, different for each `random`.
pub(crate) fn speak(random: &mut Random, pitch_hz: f64, seconds: usize) -> Vec<i16> {
    let length = seconds * RATE;
    let mut voice = Vec::with_capacity(length + RATE);
    let mut tract = [
        Resonator::default(),
        Resonator::default(),
        Resonator::default(),
    ];
    while voice.len() < length {
        for _ in 0..4 + random.below(5) {
            syllable(random, pitch_hz, &mut tract, &mut voice);
        }
        // The pause between words: breath only.
        for _ in 0..RATE / 5 + random.below(RATE / 5) {
            voice.push((random.unit() - 0.5) * 1e-4);
        }
    }
    voice.truncate(length);
    let loudest = voice
        .iter()
        .fold(1e-9_f64, |loudest, sample| loudest.max(sample.abs()));
    voice
        .iter()
        .map(|sample| (sample / loudest * PEAK) as i16)
        .collect()
}

fn syllable(random: &mut Random, pitch_hz: f64, tract: &mut [Resonator; 3], voice: &mut Vec<f64>) {
    let consonant = RATE * (30 + random.below(40)) / 1_000;
    for n in 0..consonant {
        let fade = (n as f64 / consonant as f64 * std::f64::consts::PI).sin();
        voice.push((random.unit() - 0.5) * 0.04 * fade);
    }
    let vowel = VOWELS
        .get(random.below(VOWELS.len()))
        .copied()
        .unwrap_or([500.0; 3]);
    for ((resonator, formant), bandwidth) in tract.iter_mut().zip(vowel).zip(BANDWIDTHS) {
        resonator.tune(formant * (0.95 + 0.1 * random.unit()), bandwidth);
    }
    let length = RATE * (120 + random.below(130)) / 1_000;
    let mut pitch = pitch_hz * (0.85 + 0.3 * random.unit());
    let glide = 1.0 + (random.unit() - 0.5) * 4e-5;
    let mut phase = 0.0;
    for n in 0..length {
        pitch *= glide;
        phase += pitch / RATE as f64;
        // A pulse for each closing of the glottis, and some breath between.
        let mut source = (random.unit() - 0.5) * 0.05;
        if phase >= 1.0 {
            phase -= 1.0;
            source += 1.0;
        }
        let fade = (n as f64 / length as f64 * std::f64::consts::PI).sin();
        let formed = tract
            .iter_mut()
            .map(|resonator| resonator.filter(source))
            .sum::<f64>();
        voice.push(formed * fade);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speech_is_loud_and_has_pauses() {
        let voice = speak(&mut Random::new(1, 0), 120.0, 5);
        assert_eq!(voice.len(), 5 * RATE);
        let level = |part: &[i16]| {
            (part.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>() / part.len() as f64).sqrt()
        };
        assert!(level(&voice) > 500.0, "{}", level(&voice));
        let quietest = voice.chunks(RATE / 10).map(level).fold(f64::MAX, f64::min);
        assert!(quietest < level(&voice) / 10.0, "{quietest}");
        assert_eq!(voice.iter().map(|s| s.unsigned_abs()).max(), Some(16_384));
    }

    #[test]
    fn two_voices_do_not_correlate() {
        let a = speak(&mut Random::new(1, 0), 120.0, 2);
        let b = speak(&mut Random::new(1, 1), 120.0, 2);
        let dot = |x: &[i16], y: &[i16]| {
            x.iter()
                .zip(y)
                .map(|(x, y)| f64::from(*x) * f64::from(*y))
                .sum::<f64>()
        };
        let similarity = dot(&a, &b) / (dot(&a, &a) * dot(&b, &b)).sqrt();
        assert!(similarity.abs() < 0.2, "{similarity}");
    }
}
