//! G.711: 16-bit linear samples to and from A-law and µ-law, and one law into the other.
//!
//! Contract: pure functions and tables, fit for the media path: no branch that panics, nothing
//! allocated. Whoever needs the laws (media, recorder, prompts, load) uses these.
//!
//! ```
//! use vocab::media::Law;
//!
//! assert_eq!(g711::decode(Law::Pcma, g711::encode(Law::Pcma, 8_000)), 8_064);
//! assert_eq!(g711::silence(Law::Pcmu), 0xff);
//! ```
//!
//! Non-goals: other codecs, resampling, files.
//!
//! Everything is a table made at compile time from the segments of ITU-T G.711 (Tables 1a to 2b).
//! Linear samples are left-justified: A-law uses the upper 13 bits, µ-law the upper 14.

use vocab::media::Law;

/// Octets (samples) per second.
pub const RATE: u32 = 8_000;

/// Silence in A-law: the code of +0.
pub const SILENCE_ALAW: u8 = 0xd5;
/// Silence in µ-law: the code of +0.
pub const SILENCE_ULAW: u8 = 0xff;

/// The sample behind each A-law code.
pub static ALAW_TO_LINEAR: [i16; 256] = table_to_linear(Law::Pcma);
/// The sample behind each µ-law code.
pub static ULAW_TO_LINEAR: [i16; 256] = table_to_linear(Law::Pcmu);

static ALAW_TO_ULAW: [u8; 256] = table_between(Law::Pcma);
/// The A-law code nearest to each µ-law code.
pub static ULAW_TO_ALAW: [u8; 256] = table_between(Law::Pcmu);

/// The code of silence.
#[must_use]
pub const fn silence(law: Law) -> u8 {
    match law {
        Law::Pcma => SILENCE_ALAW,
        Law::Pcmu => SILENCE_ULAW,
    }
}

/// The sample behind a code.
#[must_use]
pub fn decode(law: Law, code: u8) -> i16 {
    let table = match law {
        Law::Pcma => &ALAW_TO_LINEAR,
        Law::Pcmu => &ULAW_TO_LINEAR,
    };
    table.get(usize::from(code)).copied().unwrap_or_default()
}

/// The code of a sample.
#[must_use]
pub const fn encode(law: Law, sample: i16) -> u8 {
    match law {
        Law::Pcma => encode_alaw(sample),
        Law::Pcmu => encode_ulaw(sample),
    }
}

/// Turns codes of the law `from` into codes of the other law, in place.
pub fn translate(from: Law, codes: &mut [u8]) {
    let table = match from {
        Law::Pcma => &ALAW_TO_ULAW,
        Law::Pcmu => &ULAW_TO_ALAW,
    };
    for code in codes {
        // The index is an octet and the table has 256 places.
        *code = table.get(usize::from(*code)).copied().unwrap_or_default();
    }
}

/// A-law: sign, three bits of segment, four of place; even bits inverted (G.711 §3.2, Table 1).
const fn encode_alaw(sample: i16) -> u8 {
    // One's complement for the negative half, so that -1 mirrors 0; 12 bits of magnitude.
    let magnitude = (if sample < 0 { !sample } else { sample } >> 4) as u16;
    // Segments 0 and 1 have equal steps; each further one doubles them.
    let code = if magnitude < 32 {
        magnitude
    } else {
        let segment = 16 - magnitude.leading_zeros() as u16 - 4;
        (segment << 4) | ((magnitude >> (segment - 1)) & 0x0f)
    };
    let sign = if sample < 0 { 0 } else { 0x80 };
    (code as u8 | sign) ^ 0x55
}

const fn decode_alaw(code: u8) -> i16 {
    let code = code ^ 0x55;
    let (segment, place) = ((code >> 4) & 0x07, (code & 0x0f) as i16);
    // The middle of the interval: half a step above its lower edge.
    let magnitude = match segment {
        0 => (place << 4) + 8,
        _ => ((place << 4) + 0x108) << (segment - 1),
    };
    if code & 0x80 == 0 {
        -magnitude
    } else {
        magnitude
    }
}

/// The µ-law bias in 14-bit units: it makes every segment begin at a power of two.
const BIAS: u16 = 33;

/// µ-law: as A-law but each segment doubles the step, and all bits inverted (G.711 Table 2).
const fn encode_ulaw(sample: i16) -> u8 {
    let magnitude = (if sample < 0 { !sample } else { sample } >> 2) as u16 + BIAS;
    let magnitude = if magnitude > 0x1fff {
        0x1fff
    } else {
        magnitude
    };
    let segment = 16 - magnitude.leading_zeros() as u16 - 6;
    let code = (segment << 4) | ((magnitude >> (segment + 1)) & 0x0f);
    let sign = if sample < 0 { 0x80 } else { 0 };
    !(code as u8 | sign)
}

const fn decode_ulaw(code: u8) -> i16 {
    let code = !code;
    let (segment, place) = ((code >> 4) & 0x07, (code & 0x0f) as i16);
    let magnitude = (((place << 1) + BIAS as i16) << segment) - BIAS as i16;
    (if code & 0x80 == 0 {
        magnitude
    } else {
        -magnitude
    }) << 2
}

// A const fn has no iterators: these two fill tables of 256 with an index below 256.
#[allow(clippy::indexing_slicing)]
const fn table_to_linear(law: Law) -> [i16; 256] {
    let mut table = [0; 256];
    let mut code = 0;
    while code < 256 {
        table[code] = match law {
            Law::Pcma => decode_alaw(code as u8),
            Law::Pcmu => decode_ulaw(code as u8),
        };
        code += 1;
    }
    table
}

#[allow(clippy::indexing_slicing)]
const fn table_between(from: Law) -> [u8; 256] {
    let mut table = [0; 256];
    let mut code = 0;
    while code < 256 {
        table[code] = match from {
            Law::Pcma => encode_ulaw(decode_alaw(code as u8)),
            Law::Pcmu => encode_alaw(decode_ulaw(code as u8)),
        };
        code += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOTH: [Law; 2] = [Law::Pcma, Law::Pcmu];

    #[test]
    fn the_ends_and_the_middle_are_those_of_the_standard() {
        // (sample, A-law, µ-law)
        let known = [
            (0, 0xd5, 0xff),
            (-1, 0x55, 0x7f),
            (32_767, 0xaa, 0x80),
            (-32_768, 0x2a, 0x00),
        ];
        for (sample, alaw, ulaw) in known {
            assert_eq!(encode(Law::Pcma, sample), alaw, "A-law of {sample}");
            assert_eq!(encode(Law::Pcmu, sample), ulaw, "µ-law of {sample}");
        }
        assert_eq!(decode(Law::Pcma, 0xd5), 8);
        assert_eq!(decode(Law::Pcma, 0xaa), 32_256);
        assert_eq!(decode(Law::Pcmu, 0xff), 0);
        assert_eq!(decode(Law::Pcmu, 0x80), 32_124);
        assert_eq!(decode(Law::Pcmu, 0x00), -32_124);
    }

    #[test]
    fn the_digital_milliwatt_is_the_same_tone_in_both_laws() {
        // G.711 Tables 5 and 6: one period of 1 kHz at 0 dBm0.
        let alaw = [0x34, 0x21, 0x21, 0x34, 0xb4, 0xa1, 0xa1, 0xb4];
        let ulaw = [0x1e, 0x0b, 0x0b, 0x1e, 0x9e, 0x8b, 0x8b, 0x9e];
        let linear = |law, codes: [u8; 8]| codes.map(|code| decode(law, code));
        assert_eq!(
            linear(Law::Pcma, alaw),
            [
                -8_960, -20_992, -20_992, -8_960, 8_960, 20_992, 20_992, 8_960
            ]
        );
        assert_eq!(
            linear(Law::Pcmu, ulaw),
            [
                -8_828, -20_860, -20_860, -8_828, 8_828, 20_860, 20_860, 8_828
            ]
        );
    }

    #[test]
    fn every_code_comes_back_from_its_sample() {
        for law in BOTH {
            for code in 0..=255 {
                let back = encode(law, decode(law, code));
                // µ-law has two codes for zero; the negative one comes back positive.
                let want = if law == Law::Pcmu && code == 0x7f {
                    0xff
                } else {
                    code
                };
                assert_eq!(back, want, "{law:?} {code:#04x}");
            }
        }
    }

    #[test]
    fn every_sample_is_coded_within_half_a_step() {
        for law in BOTH {
            for sample in i16::MIN..=i16::MAX {
                let error = i32::from(decode(law, encode(law, sample))) - i32::from(sample);
                // The step is at most 1/16 of the biased magnitude; µ-law clips above 32,635.
                let step = (i32::from(sample).abs() + 132) / 16;
                let allowed = (step / 2).max(8);
                let clipped = i32::from(sample).abs() > 32_600;
                assert!(
                    error.abs() <= allowed || clipped,
                    "{law:?} {sample} off by {error}"
                );
            }
        }
    }

    #[test]
    fn translation_keeps_the_sample() {
        for law in BOTH {
            let other = if law == Law::Pcma {
                Law::Pcmu
            } else {
                Law::Pcma
            };
            for code in 0..=255_u8 {
                let mut codes = [code];
                translate(law, &mut codes);
                let (was, is) = (
                    i32::from(decode(law, code)),
                    i32::from(decode(other, codes[0])),
                );
                assert!(
                    (was - is).abs() <= (was.abs() / 16).max(16),
                    "{law:?} {code:#04x}"
                );
            }
        }
    }

    #[test]
    fn silence_stays_at_the_quietest_codes() {
        // G.711 Tables 3 and 4: A-law has no zero, its quietest value is µ-law's second.
        let mut codes = [SILENCE_ULAW, SILENCE_ULAW - 1];
        translate(Law::Pcmu, &mut codes);
        assert_eq!(codes, [SILENCE_ALAW; 2]);
        translate(Law::Pcma, &mut codes);
        assert_eq!(codes, [SILENCE_ULAW - 1; 2]);
    }
}
