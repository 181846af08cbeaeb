//! Owns the G.711 tables. `media` has its own: neither crate may know the other.

use vocab::media::Codec;

/// A-law for no sound.
pub(crate) const ALAW_SILENCE: u8 = 0xd5;

/// A-law octet → 16-bit linear.
pub(crate) static ALAW_TO_PCM: [i16; 256] = table(Codec::Pcma);
/// µ-law octet → 16-bit linear.
pub(crate) static ULAW_TO_PCM: [i16; 256] = table(Codec::Pcmu);
/// µ-law octet → A-law octet.
pub(crate) static ULAW_TO_ALAW: [u8; 256] = transcode();

#[allow(
    clippy::indexing_slicing,
    reason = "const tables; a wrong index does not compile"
)]
const fn table(codec: Codec) -> [i16; 256] {
    let mut out = [0; 256];
    let mut code = 0;
    while code < 256 {
        out[code] = match codec {
            Codec::Pcma => decode_alaw(code as u8),
            Codec::Pcmu => decode_ulaw(code as u8),
        };
        code += 1;
    }
    out
}

#[allow(
    clippy::indexing_slicing,
    reason = "const tables; a wrong index does not compile"
)]
const fn transcode() -> [u8; 256] {
    let mut out = [0; 256];
    let mut code = 0;
    while code < 256 {
        out[code] = encode_alaw(decode_ulaw(code as u8));
        code += 1;
    }
    out
}

/// G.711 table 2: sign, three bits of segment, four of interval; every other bit inverted.
const fn decode_alaw(code: u8) -> i16 {
    let code = code ^ 0x55;
    let segment = (code >> 4) & 7;
    let interval = (code & 0x0f) as i16;
    // The middle of the interval.
    let magnitude = match segment {
        0 => (interval << 4) + 8,
        _ => ((interval << 4) + 0x108) << (segment - 1),
    };
    if code & 0x80 != 0 {
        magnitude
    } else {
        -magnitude
    }
}

/// G.711 table 3: as A-law, with a bias of 33 (here times four) and all bits inverted.
const fn decode_ulaw(code: u8) -> i16 {
    let code = !code;
    let segment = (code >> 4) & 7;
    let interval = (code & 0x0f) as i16;
    let magnitude = (((interval << 3) + 0x84) << segment) - 0x84;
    if code & 0x80 != 0 {
        -magnitude
    } else {
        magnitude
    }
}

const fn encode_alaw(sample: i16) -> u8 {
    // 12 bits of magnitude; a negative sample's is taken from its complement, so that -1 is the
    // first negative interval as 0 is the first positive one.
    let (sign, magnitude) = if sample >= 0 {
        (0x80, sample >> 3)
    } else {
        (0, !sample >> 3)
    };
    let bits = 16 - (magnitude as u16).leading_zeros();
    let code = if bits <= 5 {
        magnitude >> 1
    } else {
        let segment = bits - 5;
        ((segment as i16) << 4) | ((magnitude >> segment) & 0x0f)
    };
    (code as u8 | sign) ^ 0x55
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alaw_survives_decoding_and_encoding() {
        for code in 0..=255 {
            assert_eq!(encode_alaw(decode_alaw(code)), code);
        }
    }

    #[test]
    fn known_values_of_g711() {
        assert_eq!(ALAW_TO_PCM[0xd5], 8);
        assert_eq!(ALAW_TO_PCM[0x55], -8);
        assert_eq!(ALAW_TO_PCM[0xaa], 32_256);
        assert_eq!(ALAW_TO_PCM[0x2a], -32_256);
        assert_eq!(ULAW_TO_PCM[0xff], 0);
        assert_eq!(ULAW_TO_PCM[0x7f], 0);
        assert_eq!(ULAW_TO_PCM[0x80], 32_124);
        assert_eq!(ULAW_TO_PCM[0x00], -32_124);
        assert_eq!(ULAW_TO_ALAW[0xff], ALAW_SILENCE);
    }

    #[test]
    fn transcoding_takes_the_nearest_alaw_value() {
        for code in 0..=255u8 {
            let wanted = i32::from(ULAW_TO_PCM[usize::from(code)]);
            let off = |law: i16| (i32::from(law) - wanted).abs();
            let best = ALAW_TO_PCM.iter().map(|law| off(*law)).min().unwrap();
            let ours = off(ALAW_TO_PCM[usize::from(ULAW_TO_ALAW[usize::from(code)])]);
            // A value in the middle between two is as good either way; a step is at least 16.
            assert!(ours - best <= 16, "{code:#x}: off by {ours}, best {best}");
        }
    }
}
