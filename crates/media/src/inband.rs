//! Owns the finding of keys in audio (ITU-T Q.24) where a peer has no telephone-events: eight Goertzel
//! filters over blocks of 12.75 ms.
//!
//! A press is two blocks that a signal fills and one beside them that it fills in part: one of 40 ms has
//! them wherever it begins, one of 23 ms has them nowhere. It ends with the third block that is not
//! filled: a pause of 40 ms parts two presses, and a drop of 10 ms, which spoils two at most, parts none.
//!
//! Speech is no key: both tones must hold most of the block's energy, each must stand out
//! among its group, and one must not be much louder than the other.

use core::f64::consts::TAU;

use crate::dtmf::{COLUMNS, KEYS, ROWS};

/// Samples of a block. At 102 the filters are as wide as Q.24 asks: 1.5 % beside a tone is heard, 3.5 %
/// is not.
const BLOCK: usize = 102;
/// Blocks with a signal that make a press, those of them that it fills, and blocks that are not filled
/// that end it.
const BEGIN: u8 = 3;
const BEGIN_FILLED: u8 = 2;
const END: u8 = 3;
/// The least energy of one tone: an amplitude of 250, about -39 dBm0; Q.24 asks for -29.
const TONE_MIN: f32 = (250.0 * BLOCK as f32 / 2.0) * (250.0 * BLOCK as f32 / 2.0);
/// How much louder the row may be than the column, and the column than the row: 8 dB and 4 dB.
const ROW_OVER_COLUMN: f32 = 6.3;
const COLUMN_OVER_ROW: f32 = 2.5;
/// How much each must stand out among its group: 8 dB.
const OVER_OTHERS: f32 = 6.3;
/// The share of both in all energy of a block that they fill: at 1.5 % beside, the highest tone's filter
/// has 0.72 of its own. A pure tone's filter gives half the block's samples times its energy.
const FILLED: f32 = 0.72 * BLOCK as f32 / 2.0;
/// The same in a block that they fill in part, and the least energy there: a filter's grows with the
/// square of the part.
const PART: f32 = 0.25 * BLOCK as f32 / 2.0;
const PART_ENERGY: f32 = 0.06;

/// A listener to one peer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Inband {
    /// Twice the cosine of each tone's step, rows first.
    steps: [f32; 8],
    /// The last two values of each filter.
    filters: [[f32; 2]; 8],
    energy: f32,
    samples: usize,
    /// The signal of the last blocks, how many had it, and how many of them it filled.
    candidate: Option<char>,
    in_row: u8,
    filled: u8,
    /// The key that is down, and for how many blocks it was missing.
    down: Option<char>,
    missing: u8,
}

impl Default for Inband {
    fn default() -> Self {
        let mut steps = [0.0; 8];
        for (step, tone) in steps.iter_mut().zip(ROWS.into_iter().chain(COLUMNS)) {
            *step = (2.0 * (TAU * tone / f64::from(g711::RATE)).cos()) as f32;
        }
        Self {
            steps,
            filters: [[0.0; 2]; 8],
            energy: 0.0,
            samples: 0,
            candidate: None,
            in_row: 0,
            filled: 0,
            down: None,
            missing: 0,
        }
    }
}

impl Inband {
    /// Takes the audio of a packet, at 8 kHz; gives the key whose press is noticed in it. Of two within one
    /// packet, which no finger makes, the last.
    pub(crate) fn hear(&mut self, samples: impl IntoIterator<Item = i16>) -> Option<char> {
        let mut begun = None;
        for sample in samples {
            let sample = f32::from(sample);
            self.energy += sample * sample;
            for (filter, step) in self.filters.iter_mut().zip(self.steps) {
                let [last, before] = *filter;
                *filter = [sample + step * last - before, last];
            }
            self.samples += 1;
            if self.samples == BLOCK {
                let signal = self.signal();
                begun = self.judge(signal).or(begun);
                self.filters = [[0.0; 2]; 8];
                (self.energy, self.samples) = (0.0, 0);
            }
        }
        begun
    }

    /// The signal that the block holds, and whether it fills it.
    fn signal(&self) -> Option<(char, bool)> {
        let mut energies = [0.0; 8];
        for ((energy, [last, before]), step) in
            energies.iter_mut().zip(self.filters).zip(self.steps)
        {
            *energy = last * last + before * before - step * last * before;
        }
        let (rows, columns) = energies.split_at(4);
        let ((row, loud_row), (column, loud_column)) = (loudest(rows), loudest(columns));
        let stands_out = |group: &[f32], best: usize, loud: f32| {
            let mut others = group.iter().enumerate().filter(|(at, _)| *at != best);
            others.all(|(_, other)| other * OVER_OTHERS < loud)
        };
        let both = loud_row + loud_column;
        // A part of a block is too short to tell neighbouring tones apart well.
        if loud_row.min(loud_column) < TONE_MIN * PART_ENERGY || both < PART * self.energy {
            return None;
        }
        let fills = loud_row.min(loud_column) > TONE_MIN
            && loud_row < loud_column * ROW_OVER_COLUMN
            && loud_column < loud_row * COLUMN_OVER_ROW
            && stands_out(rows, row, loud_row)
            && stands_out(columns, column, loud_column)
            && both > FILLED * self.energy;
        Some((*KEYS.get(row)?.get(column)?, fills))
    }

    /// The key that is pressed with this block.
    fn judge(&mut self, block: Option<(char, bool)>) -> Option<char> {
        let (signal, fills) = (
            block.map(|(key, _)| key),
            block.is_some_and(|(_, fills)| fills),
        );
        if signal != self.candidate {
            (self.candidate, self.in_row, self.filled) = (signal, 0, 0);
        }
        self.in_row = self.in_row.saturating_add(1);
        self.filled = self.filled.saturating_add(u8::from(fills));
        if fills && signal == self.down {
            self.missing = 0;
        } else if self.down.is_some() {
            self.missing += 1;
            if self.missing >= END {
                self.down = None;
            }
        }
        let key = signal?;
        let pressed = self.in_row >= BEGIN && self.filled >= BEGIN_FILLED;
        if !pressed || self.down == Some(key) {
            return None;
        }
        (self.down, self.missing) = (Some(key), 0);
        Some(key)
    }
}

/// The place and the energy of the loudest.
fn loudest(group: &[f32]) -> (usize, f32) {
    let mut best = (0, 0.0);
    for (at, energy) in group.iter().enumerate() {
        if *energy > best.1 {
            best = (at, *energy);
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use vocab::media::Law;

    use super::*;

    const RATE: f64 = 8_000.0;

    /// Two tones of these amplitudes, `ms` long.
    fn tones(frequencies: [f64; 2], amplitudes: [f64; 2], ms: usize) -> Vec<f64> {
        let sample = |at: usize| -> f64 {
            let time = at as f64 / RATE;
            let both = frequencies.into_iter().zip(amplitudes);
            both.map(|(tone, loud)| loud * (TAU * tone * time).sin())
                .sum()
        };
        (0..ms * 8).map(sample).collect()
    }

    fn key(key: char, ms: usize) -> Vec<f64> {
        let (row, column) = (0..16)
            .map(|n| (n / 4, n % 4))
            .find(|(row, column)| KEYS[*row][*column] == key)
            .unwrap();
        tones([ROWS[row], COLUMNS[column]], [6_000.0, 6_000.0], ms)
    }

    fn pause(ms: usize) -> Vec<f64> {
        vec![0.0; ms * 8]
    }

    fn noise(samples: &mut [f64], loud: f64, mut seed: u32) {
        for sample in samples {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            *sample += loud * (f64::from(seed >> 8) / f64::from(1 << 23) - 1.0);
        }
    }

    /// What is heard in packets of 20 ms.
    fn heard(samples: &[f64]) -> String {
        let mut inband = Inband::default();
        let codes: Vec<i16> = samples
            .iter()
            .map(|sample| g711::encode(Law::Pcma, *sample as i16))
            .map(|code| g711::decode(Law::Pcma, code))
            .collect();
        codes
            .chunks(160)
            .filter_map(|frame| inband.hear(frame.iter().copied()))
            .collect()
    }

    #[test]
    fn every_key_of_q23_is_heard_once_in_noise_and_in_both_laws() {
        let all = "0123456789*#ABCD";
        let mut samples = pause(33);
        for one in all.chars() {
            samples.extend(key(one, 60));
            samples.extend(pause(60));
        }
        noise(&mut samples, 600.0, 1);
        assert_eq!(heard(&samples), all);
        let mut inband = Inband::default();
        for one in all.chars() {
            let (mut tone, silence) = ([0; 480], [0; 480]);
            crate::dtmf::fill(one, 0, &mut tone);
            let ulaw = tone.map(|sample| g711::decode(Law::Pcmu, g711::encode(Law::Pcmu, sample)));
            assert_eq!(inband.hear(ulaw), Some(one));
            assert_eq!(inband.hear(silence), None);
        }
    }

    #[test]
    fn forty_ms_are_a_press_and_a_pause_and_twenty_three_are_none() {
        for shift in 0..13 {
            let mut samples = pause(20 + shift);
            for part in [
                key('5', 40),
                pause(40),
                key('5', 40),
                pause(40),
                key('8', 40),
            ] {
                samples.extend(part);
            }
            samples.extend(pause(60));
            assert_eq!(heard(&samples), "558", "shifted by {shift} ms");
            let mut short = pause(20 + shift);
            short.extend(key('5', 23));
            short.extend(pause(60));
            assert_eq!(heard(&short), "", "shifted by {shift} ms");
            let mut dropped = pause(20 + shift);
            for part in [key('5', 60), pause(10), key('5', 60), pause(60)] {
                dropped.extend(part);
            }
            assert_eq!(heard(&dropped), "5", "shifted by {shift} ms");
        }
    }

    #[test]
    fn tones_beside_the_right_ones_are_told_apart_as_q24_asks() {
        for (row, column) in (0..16).map(|n| (n / 4, n % 4)) {
            let one = KEYS[row][column].to_string();
            for off in [-0.015, 0.015] {
                let both = [ROWS[row] * (1.0 + off), COLUMNS[column] * (1.0 + off)];
                assert_eq!(
                    heard(&tones(both, [6_000.0; 2], 100)),
                    one,
                    "{one} off by {off}"
                );
            }
            for off in [-0.05, 0.05] {
                let both = [ROWS[row] * (1.0 + off), COLUMNS[column] * (1.0 + off)];
                assert_eq!(
                    heard(&tones(both, [6_000.0; 2], 100)),
                    "",
                    "{one} off by {off}"
                );
            }
        }
    }

    #[test]
    fn quiet_and_uneven_tones_are_heard_within_the_limits() {
        let five = [ROWS[1], COLUMNS[1]];
        let at = |row: f64, column: f64| heard(&tones(five, [row, column], 100));
        assert_eq!(at(400.0, 400.0), "5", "about -35 dBm0");
        assert_eq!(at(20.0, 20.0), "", "about -60 dBm0");
        assert_eq!(at(6_000.0, 6_000.0 / 2.0), "5", "6 dB");
        assert_eq!(at(6_000.0 / 1.4, 6_000.0), "5", "3 dB the other way");
        assert_eq!(at(6_000.0, 1_000.0), "", "15 dB");
        assert_eq!(at(6_000.0, 0.0), "", "one tone only");
    }

    #[test]
    fn dial_tone_ringback_and_harmonics_are_no_keys() {
        assert_eq!(heard(&tones([425.0, 0.0], [9_000.0, 0.0], 3_000)), "");
        assert_eq!(heard(&tones([350.0, 440.0], [6_000.0; 2], 3_000)), "");
        // A voice: a tone of the rows with strong harmonics, gliding.
        let mut samples: Vec<f64> = (0..40_000)
            .map(|at| {
                let time = f64::from(at) / RATE;
                let base = 690.0 + 80.0 * (TAU * 1.5 * time).sin();
                (1..5)
                    .map(|n| 4_000.0 / f64::from(n) * (TAU * base * f64::from(n) * time).sin())
                    .sum()
            })
            .collect();
        noise(&mut samples, 300.0, 7);
        assert_eq!(heard(&samples), "");
    }

    #[test]
    fn a_key_held_for_ten_seconds_is_one_press() {
        assert_eq!(heard(&key('3', 10_000)), "3");
    }

    proptest! {
        #[test]
        fn noise_is_no_key(seed: u32, loud in 1.0_f64..30_000.0) {
            let mut samples = pause(2_000);
            noise(&mut samples, loud, seed);
            prop_assert_eq!(heard(&samples), "");
        }

        #[test]
        fn any_samples_in_any_pieces_are_handled(
            pieces in prop::collection::vec(prop::collection::vec(any::<i16>(), 0..300), 0..20),
        ) {
            let mut inband = Inband::default();
            for piece in pieces { let _ = inband.hear(piece); }
        }
    }
}
