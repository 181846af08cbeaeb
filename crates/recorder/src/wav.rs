//! Owns the WAV header: G.711 A-law (format tag 6) or 16-bit PCM, two channels of 8 kHz. The sizes
//! are known before the first sample, so a file is written, and hashed, from front to end; `hound`
//! writes no A-law and comes back to its header, so it serves only to read the files in tests.

use crate::Format;
use crate::timeline::RATE;

const CHANNELS: u16 = 2;
const PCM: u16 = 1;
const ALAW: u16 = 6;

/// Most frames that a RIFF file of this format holds: its sizes are 32 bits.
pub(crate) const fn frames_max(format: Format) -> u64 {
    (u32::MAX as u64 - 64) / format.frame() as u64
}

/// The header of a file of so many frames, at most [`frames_max`].
pub(crate) fn header(format: Format, frames: u64) -> Vec<u8> {
    let data = (frames * format.frame() as u64) as u32;
    let frame = format.frame() as u16;
    let mut chunks = Vec::with_capacity(64);
    chunks.extend(b"WAVEfmt ");
    // Formats other than PCM carry the size of an extension, here none, and a fact chunk.
    let (tag, size) = match format {
        Format::Pcm => (PCM, 16u32),
        Format::Alaw => (ALAW, 18),
    };
    chunks.extend(size.to_le_bytes());
    chunks.extend(tag.to_le_bytes());
    chunks.extend(CHANNELS.to_le_bytes());
    chunks.extend((RATE as u32).to_le_bytes());
    chunks.extend((RATE as u32 * u32::from(frame)).to_le_bytes());
    chunks.extend(frame.to_le_bytes());
    chunks.extend((8 * format.width() as u16).to_le_bytes());
    if format == Format::Alaw {
        chunks.extend(0u16.to_le_bytes());
        chunks.extend(b"fact");
        chunks.extend(4u32.to_le_bytes());
        chunks.extend((frames as u32).to_le_bytes());
    }
    chunks.extend(b"data");
    chunks.extend(data.to_le_bytes());

    let mut out = Vec::with_capacity(8 + chunks.len());
    out.extend(b"RIFF");
    out.extend((chunks.len() as u32).saturating_add(data).to_le_bytes());
    out.extend(chunks);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hound_reads_the_pcm_header() {
        let mut file = header(Format::Pcm, 2);
        file.extend([1, 0, 2, 0, 3, 0, 4, 0]);
        let mut wav = hound::WavReader::new(&file[..]).unwrap();
        let spec = wav.spec();
        assert_eq!(
            (spec.channels, spec.sample_rate, spec.bits_per_sample),
            (2, 8_000, 16)
        );
        assert_eq!(
            wav.samples::<i16>().map(Result::unwrap).collect::<Vec<_>>(),
            [1, 2, 3, 4]
        );
    }

    #[test]
    fn the_alaw_header_is_this_to_the_byte() {
        let expected: Vec<u8> = [
            b"RIFF".as_slice(),
            &56u32.to_le_bytes(),
            b"WAVEfmt \x12\0\0\0\x06\0\x02\0\x40\x1f\0\0\x80\x3e\0\0\x02\0\x08\0\0\0",
            b"fact\x04\0\0\0\x03\0\0\0data\x06\0\0\0",
        ]
        .concat();
        assert_eq!(header(Format::Alaw, 3), expected);
    }

    #[test]
    fn the_longest_file_fits_its_sizes() {
        for format in [Format::Alaw, Format::Pcm] {
            let head = header(format, frames_max(format));
            let riff = u32::from_le_bytes(*head[4..].first_chunk().unwrap());
            let data = u32::from_le_bytes(*head.last_chunk().unwrap());
            assert_eq!(u64::from(data), frames_max(format) * format.frame() as u64);
            assert_eq!(u64::from(riff), head.len() as u64 - 8 + u64::from(data));
        }
    }
}
