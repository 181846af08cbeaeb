//! Owns the audio that is made of nothing but arithmetic: the waiting music, so that no sound
//! file is in the repository, and the tone that stands in for a missing prompt.

use std::f64::consts::TAU;

use super::RATE;
use super::sound::linear;

/// Four chords, each of four notes in Hz, high enough for a telephone: C, a, F, G.
const CHORDS: [[f64; 4]; 4] = [
    [261.63, 329.63, 392.00, 523.25],
    [261.63, 329.63, 440.00, 523.25],
    [261.63, 349.23, 440.00, 523.25],
    [293.66, 392.00, 493.88, 587.33],
];
/// The order in which a chord's notes are plucked.
const ARPEGGIO: [usize; 8] = [0, 2, 1, 3, 2, 1, 3, 2];
/// Length of a chord, in samples: 3 s.
const CHORD: usize = 3 * RATE as usize;
/// Length of the fade from one chord into the next, in samples: 0.4 s.
const FADE: usize = RATE as usize * 2 / 5;
/// Length of a plucked note until it has died away, in samples: 1.5 s.
const NOTE: usize = RATE as usize * 3 / 2;
/// Overtones and their heights: soft, like a flute stop.
const OVERTONES: [(f64, f64); 3] = [(1.0, 1.0), (2.0, 0.25), (3.0, 0.08)];
/// Heights of the chords and of the plucked notes; together they stay clear of clipping.
const CHORD_HEIGHT: f64 = 0.035;
const NOTE_HEIGHT: f64 = 0.11;

/// Twelve seconds of quiet chords whose end leads into their beginning.
pub(super) fn waiting() -> Vec<i16> {
    let length = CHORDS.len() * CHORD;
    let mut mix = vec![0.0f64; length];
    for (number, chord) in CHORDS.iter().enumerate() {
        for note in chord {
            lay(&mut mix, number * CHORD, CHORD + FADE, |at| {
                CHORD_HEIGHT * fade(at) * voice(*note, at)
            });
        }
        for (beat, which) in ARPEGGIO.iter().enumerate() {
            let Some(note) = chord.get(*which) else {
                continue;
            };
            let start = number * CHORD + beat * CHORD / ARPEGGIO.len();
            lay(&mut mix, start, NOTE, |at| {
                NOTE_HEIGHT * pluck(at) * voice(*note, at)
            });
        }
    }
    mix.into_iter().map(linear).collect()
}

/// Two short beeps of 425 Hz and a pause: something was to be heard here.
pub(super) fn tone() -> Vec<i16> {
    let beep = RATE as usize / 5;
    let edge = RATE as usize / 100;
    (0..6 * beep)
        .map(|at| {
            let within = at % (2 * beep);
            if at >= 4 * beep || within >= beep {
                return 0;
            }
            let rise = within.min(beep - within).min(edge) as f64 / edge as f64;
            linear(0.15 * rise * (TAU * 425.0 * at as f64 / f64::from(RATE)).sin())
        })
        .collect()
}

/// The tone after which a message is left: half a second of 1,000 Hz.
pub(super) fn beep() -> Vec<i16> {
    let (length, edge) = (RATE as usize / 2, RATE as usize / 100);
    let sample = |at: usize| {
        let rise = at.min(length - at).min(edge) as f64 / edge as f64;
        linear(0.2 * rise * (TAU * 1_000.0 * at as f64 / f64::from(RATE)).sin())
    };
    (0..length).map(sample).collect()
}

/// Adds a sound to the mix; what runs over the end goes on at the beginning.
fn lay(mix: &mut [f64], start: usize, length: usize, sound: impl Fn(usize) -> f64) {
    let whole = mix.len().max(1);
    for at in 0..length {
        if let Some(sample) = mix.get_mut((start + at) % whole) {
            *sample += sound(at);
        }
    }
}

/// A note with its overtones.
fn voice(frequency: f64, at: usize) -> f64 {
    let turn = TAU * frequency * at as f64 / f64::from(RATE);
    OVERTONES
        .iter()
        .map(|(number, height)| height * (number * turn).sin())
        .sum()
}

/// A chord comes and goes over `FADE`, so that neighbours overlap.
fn fade(at: usize) -> f64 {
    let left = (CHORD + FADE).saturating_sub(at);
    let share = (at.min(left) as f64 / FADE as f64).min(1.0);
    share * share * (3.0 - 2.0 * share)
}

/// A plucked note: quick to come, slow to go, and gone at its end.
fn pluck(at: usize) -> f64 {
    let attack = (at as f64 / (0.012 * f64::from(RATE))).min(1.0);
    let decay = (-4.0 * at as f64 / NOTE as f64).exp();
    attack * decay * (1.0 - at as f64 / NOTE as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_music_is_some_seconds_of_quiet_sound_that_never_stops() {
        let music = waiting();
        assert_eq!(music.len(), 12 * RATE as usize);
        assert_eq!(music, waiting());
        assert!(music.iter().all(|one| one.unsigned_abs() < 20_000));
        for second in music.chunks(RATE as usize) {
            let rms = (second.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>()
                / second.len() as f64)
                .sqrt();
            assert!((1_000.0..6_000.0).contains(&rms), "{rms}");
        }
    }

    #[test]
    fn the_end_of_the_music_leads_into_its_beginning() {
        let music = waiting();
        let step = |a: i16, b: i16| (i32::from(a) - i32::from(b)).abs();
        let largest = music
            .windows(2)
            .map(|pair| step(pair[0], pair[1]))
            .max()
            .unwrap();
        assert!(step(music[music.len() - 1], music[0]) <= largest);
    }

    #[test]
    fn the_tone_is_heard() {
        assert!(tone().iter().any(|one| *one > 4_000));
        assert_eq!(tone()[0], 0);
    }
}
