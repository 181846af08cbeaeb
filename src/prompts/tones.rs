//! Owns the tones of telephone networks: what a country's callers know as ringing and as busy
//! (ITU-T E.180 Supplement 2).

use std::f64::consts::TAU;

use super::RATE;
use super::sound::linear;
use crate::settings::Tones;

/// The height of all tones of a sum together.
const HEIGHT: f64 = 0.2;
/// A tone begins and ends within so many samples: 5 ms, which is heard as no click.
const EDGE: usize = RATE as usize / 200;

/// A signal of a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signal {
    /// The other telephone rings.
    Ringing,
    /// The other party talks.
    Busy,
}

impl Signal {
    /// The signal that a plan's music names.
    pub(super) fn named(name: &str) -> Option<Self> {
        match name {
            "music/ringing" => Some(Self::Ringing),
            "music/busy" => Some(Self::Busy),
            _ => None,
        }
    }
}

/// Tones that sound at once, and for how long they do and do not, in turn, milliseconds.
struct Pattern {
    hertz: &'static [f64],
    turns: &'static [usize],
}

/// The table of the supplement.
const fn pattern(country: Tones, signal: Signal) -> Pattern {
    let (hertz, turns): (&[f64], &[usize]) = match (country, signal) {
        (Tones::Ru | Tones::Ua, Signal::Ringing) => (&[425.0], &[1_000, 4_000]),
        (Tones::Ru | Tones::Ua, Signal::Busy) => (&[425.0], &[350, 350]),
        (Tones::Gb, Signal::Ringing) => (&[400.0, 450.0], &[400, 200, 400, 2_000]),
        (Tones::Gb, Signal::Busy) => (&[400.0], &[375, 375]),
        (Tones::Us, Signal::Ringing) => (&[440.0, 480.0], &[2_000, 4_000]),
        (Tones::Us, Signal::Busy) => (&[480.0, 620.0], &[500, 500]),
    };
    Pattern { hertz, turns }
}

/// One round of a signal, whose end leads into its beginning.
pub(super) fn tone(country: Tones, signal: Signal) -> Vec<i16> {
    let Pattern { hertz, turns } = pattern(country, signal);
    let mut samples = Vec::new();
    for (number, ms) in turns.iter().enumerate() {
        let length = ms * RATE as usize / 1_000;
        let sounds = number.is_multiple_of(2);
        samples.extend((0..length).map(|at| match sounds {
            true => sound(hertz, at, length),
            false => 0,
        }));
    }
    samples
}

fn sound(hertz: &[f64], at: usize, length: usize) -> i16 {
    let rise = at.min(length - at).min(EDGE) as f64 / EDGE as f64;
    let turn = |hertz: &f64| (TAU * hertz * at as f64 / f64::from(RATE)).sin();
    let sum: f64 = hertz.iter().map(turn).sum();
    linear(HEIGHT * rise * sum / hertz.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How much of a tone is in samples.
    fn height(samples: &[i16], hertz: f64) -> f64 {
        let part = |turn: fn(f64) -> f64| -> f64 {
            let angle = |n: usize| TAU * hertz * n as f64 / f64::from(RATE);
            let all = samples.iter().enumerate();
            all.map(|(n, sample)| f64::from(*sample) * turn(angle(n)))
                .sum()
        };
        2.0 * part(f64::sin).hypot(part(f64::cos)) / samples.len() as f64
    }

    #[test]
    fn each_country_rings_and_is_busy_in_its_own_way() {
        for (country, signal, hertz, ms, whole_ms) in [
            (Tones::Ru, Signal::Ringing, &[425.0][..], 1_000, 5_000),
            (Tones::Ua, Signal::Busy, &[425.0], 350, 700),
            (Tones::Gb, Signal::Ringing, &[400.0, 450.0], 400, 3_000),
            (Tones::Us, Signal::Ringing, &[440.0, 480.0], 2_000, 6_000),
            (Tones::Us, Signal::Busy, &[480.0, 620.0], 500, 1_000),
        ] {
            let samples = tone(country, signal);
            assert_eq!(samples.len(), whole_ms * 8, "{country:?} {signal:?}");
            let on = &samples[..ms * 8];
            for one in hertz {
                let wanted = 32_767.0 * HEIGHT / hertz.len() as f64;
                assert!(
                    (height(on, *one) - wanted).abs() < wanted / 10.0,
                    "{country:?} {one}"
                );
            }
            assert!(
                samples[ms * 8..ms * 8 + 80]
                    .iter()
                    .all(|sample| *sample == 0)
            );
        }
    }

    #[test]
    fn only_the_two_names_are_signals() {
        assert_eq!(Signal::named("music/ringing"), Some(Signal::Ringing));
        assert_eq!(Signal::named("music/busy"), Some(Signal::Busy));
        assert_eq!(Signal::named("music/waiting.wav"), None);
    }
}
