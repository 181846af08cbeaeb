//! Owns G.711 in both laws, 16-bit linear to 8-bit and back (ITU-T G.711; RFC 3551 §4.5.14).

use vocab::media::Codec;

/// One 16-bit sample in a law.
pub(crate) fn encode(codec: Codec, sample: i16) -> u8 {
    match codec {
        Codec::Pcma => encode_alaw(sample),
        Codec::Pcmu => encode_ulaw(sample),
    }
}

/// One sample of a law as 16-bit linear.
pub(crate) fn decode(codec: Codec, code: u8) -> i16 {
    match codec {
        Codec::Pcma => decode_alaw(code),
        Codec::Pcmu => decode_ulaw(code),
    }
}

/// Position of the highest set bit above bit `base`, from 0 to 7: the segment of the curve.
fn segment(magnitude: u16, base: u32) -> u32 {
    (16 - magnitude.leading_zeros()).saturating_sub(base).min(7)
}

fn encode_alaw(sample: i16) -> u8 {
    // A-law is symmetric around -1/2: negative samples are complemented, not negated.
    let (sign, magnitude) = if sample >= 0 {
        (0x80, sample as u16)
    } else {
        (0, !(sample as u16))
    };
    let segment = segment(magnitude, 8);
    let shift = if segment == 0 { 4 } else { segment + 3 };
    let code = sign | (segment as u8) << 4 | ((magnitude >> shift) & 0x0f) as u8;
    code ^ 0x55
}

fn decode_alaw(code: u8) -> i16 {
    let code = code ^ 0x55;
    let mantissa = i32::from(code & 0x0f) << 4;
    let segment = (code >> 4) & 0x07;
    let magnitude = match segment {
        0 => mantissa + 8,
        _ => (mantissa + 0x108) << (segment - 1),
    };
    (if code & 0x80 != 0 {
        magnitude
    } else {
        -magnitude
    }) as i16
}

/// The bias that makes µ-law's segments start at powers of two, and the clip that it asks for.
const BIAS: u16 = 0x84;
const CLIP: u16 = 32_635;

fn encode_ulaw(sample: i16) -> u8 {
    let sign = if sample < 0 { 0x80 } else { 0 };
    let magnitude = sample.unsigned_abs().min(CLIP) + BIAS;
    let segment = segment(magnitude, 8);
    let code = sign | (segment as u8) << 4 | ((magnitude >> (segment + 3)) & 0x0f) as u8;
    !code
}

fn decode_ulaw(code: u8) -> i16 {
    let code = !code;
    let segment = (code >> 4) & 0x07;
    let magnitude =
        (((i32::from(code & 0x0f) << 3) + i32::from(BIAS)) << segment) - i32::from(BIAS);
    (if code & 0x80 != 0 {
        -magnitude
    } else {
        magnitude
    }) as i16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_survives_decoding_and_encoding() {
        for code in 0..=u8::MAX {
            assert_eq!(encode_alaw(decode_alaw(code)), code, "A-law {code:#x}");
            // µ-law has two zeros; the negative one comes back as the positive one.
            let expected = if code == 0x7f { 0xff } else { code };
            assert_eq!(encode_ulaw(decode_ulaw(code)), expected, "µ-law {code:#x}");
        }
    }

    #[test]
    fn known_values_of_the_recommendation() {
        assert_eq!(encode_alaw(0), 0xd5);
        assert_eq!(encode_ulaw(0), 0xff);
        assert_eq!(decode_alaw(0xd5), 8);
        assert_eq!(decode_alaw(0xaa), 32_256);
        assert_eq!(decode_alaw(0x2a), -32_256);
        assert_eq!(decode_ulaw(0x80), 32_124);
        assert_eq!(decode_ulaw(0x00), -32_124);
    }

    #[test]
    fn the_error_stays_within_half_a_step() {
        for sample in i16::MIN..=i16::MAX {
            for codec in [Codec::Pcma, Codec::Pcmu] {
                let back = decode(codec, encode(codec, sample));
                let error = (i32::from(back) - i32::from(sample)).abs();
                let step = 16 + i32::from(sample).abs() / 16;
                assert!(error <= step, "{codec:?} {sample} → {back}");
            }
        }
    }
}
