//! Owns the sixteen signals of the keys (ITU-T Q.23): which two tones each has, and the making of
//! them. Finding them in audio is `inband`'s.

use core::f64::consts::TAU;

/// The tones of the rows and of the columns, Hz.
pub(crate) const ROWS: [f64; 4] = [697.0, 770.0, 852.0, 941.0];
pub(crate) const COLUMNS: [f64; 4] = [1_209.0, 1_336.0, 1_477.0, 1_633.0];
/// The keys by row and column.
pub(crate) const KEYS: [[char; 4]; 4] = [
    ['1', '2', '3', 'A'],
    ['4', '5', '6', 'B'],
    ['7', '8', '9', 'C'],
    ['*', '0', '#', 'D'],
];
/// The level of each tone: about -9 dBm0, the higher ones 2 dB louder for lines that damp them
/// (ITU-T Q.23 §3, ETSI ES 201 235-2 §4.2.3).
const ROW_AMPLITUDE: f64 = 7_000.0;
const COLUMN_AMPLITUDE: f64 = 8_800.0;

/// The number of a key's event (RFC 4733 §3.2).
pub(crate) const fn event(key: char) -> Option<u8> {
    match key {
        '0'..='9' => Some(key as u8 - b'0'),
        '*' => Some(10),
        '#' => Some(11),
        'A'..='D' => Some(key as u8 - b'A' + 12),
        _ => None,
    }
}

/// Fills a frame with the signal of a key at 8 kHz, from sample `at` of it; silence if it is no key.
pub(crate) fn fill(key: char, at: usize, frame: &mut [i16]) {
    let place = KEYS.iter().zip(ROWS).find_map(|(keys, row)| {
        let column = keys.iter().zip(COLUMNS).find(|(one, _)| **one == key)?.1;
        Some((row, column))
    });
    let Some((row, column)) = place else {
        frame.fill(0);
        return;
    };
    let rate = f64::from(g711::RATE);
    for (place, sample) in frame.iter_mut().zip(at..) {
        let time = sample as f64 / rate;
        let sum = ROW_AMPLITUDE * (TAU * row * time).sin()
            + COLUMN_AMPLITUDE * (TAU * column * time).sin();
        *place = sum as i16;
    }
}
