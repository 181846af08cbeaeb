//! Owns the WAV header: G.711 A-law (format tag 6) or 16-bit PCM, two channels. The sizes are known
//! before the first sample, so a file is written, hashed and encrypted from front to end; `hound`
//! writes no A-law and comes back to its header, so it serves only to read the files in tests.
//!
//! A file above 4 GiB (74 hours in A-law) is RF64 (EBU Tech 3306): its 32-bit sizes are all ones,
//! and a `ds64` chunk before all others has the true ones.

use std::io::{self, Read};

use crate::Format;

const CHANNELS: u16 = 2;
const PCM: u16 = 1;
const ALAW: u16 = 6;
/// A size that stands in the `ds64` chunk.
const ELSEWHERE: u32 = u32::MAX;
/// What stands before the samples at most, RF64 included.
const HEAD_MAX: u64 = 128;
/// A chunk before the samples that is longer is none of ours.
const CHUNK_MAX: u32 = 64 << 10;

/// What a header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Heading {
    /// Encoding of the samples.
    pub(crate) format: Format,
    /// Samples a second and channel.
    pub(crate) rate: u32,
    /// Frames of two samples.
    pub(crate) frames: u64,
    /// Octets before the first sample.
    pub(crate) length: u64,
}

/// The header of a file.
pub(crate) fn header(format: Format, rate: u32, frames: u64) -> Vec<u8> {
    let data = frames * format.frame() as u64;
    let long = data + HEAD_MAX > u64::from(u32::MAX);
    let short = |size: u64| {
        if long {
            ELSEWHERE
        } else {
            u32::try_from(size).unwrap_or(ELSEWHERE)
        }
    };
    let frame = format.frame() as u16;
    let mut chunks = Vec::with_capacity(HEAD_MAX as usize);
    chunks.extend(b"fmt ");
    // Formats other than PCM carry the size of an extension, here none, and a fact chunk.
    let (tag, size) = match format {
        Format::Pcm => (PCM, 16u32),
        Format::Alaw => (ALAW, 18),
    };
    chunks.extend(size.to_le_bytes());
    chunks.extend(tag.to_le_bytes());
    chunks.extend(CHANNELS.to_le_bytes());
    chunks.extend(rate.to_le_bytes());
    chunks.extend((rate * u32::from(frame)).to_le_bytes());
    chunks.extend(frame.to_le_bytes());
    chunks.extend((8 * format.width() as u16).to_le_bytes());
    if format == Format::Alaw {
        chunks.extend(0u16.to_le_bytes());
        chunks.extend(b"fact");
        chunks.extend(4u32.to_le_bytes());
        chunks.extend(short(frames).to_le_bytes());
    }
    chunks.extend(b"data");
    chunks.extend(short(data).to_le_bytes());

    let mut out = Vec::with_capacity(HEAD_MAX as usize);
    let wave = 4;
    if long {
        const DS64: u32 = 28;
        let riff = wave + 8 + u64::from(DS64) + chunks.len() as u64 + data;
        out.extend(b"RF64");
        out.extend(ELSEWHERE.to_le_bytes());
        out.extend(b"WAVEds64");
        out.extend(DS64.to_le_bytes());
        [riff, data, frames]
            .iter()
            .for_each(|size| out.extend(size.to_le_bytes()));
        out.extend(0u32.to_le_bytes()); // no table of other long chunks
    } else {
        out.extend(b"RIFF");
        out.extend(short(wave + chunks.len() as u64 + data).to_le_bytes());
        out.extend(b"WAVE");
    }
    out.extend(chunks);
    out
}

/// Reads the header of a file of ours up to its first sample.
///
/// # Errors
/// `InvalidData` with a sentence if it is none, or what the reader says.
pub(crate) fn read(input: &mut impl Read) -> io::Result<Heading> {
    let invalid = |why: &str| io::Error::new(io::ErrorKind::InvalidData, why.to_owned());
    let mut head = [0; 12];
    input.read_exact(&mut head)?;
    if !(head.starts_with(b"RIFF") || head.starts_with(b"RF64")) || !head.ends_with(b"WAVE") {
        return Err(invalid("expected a WAV file, found another beginning"));
    }
    let mut length = head.len() as u64;
    let (mut kind, mut long_data) = (None, None);
    loop {
        let mut chunk = [0; 8];
        input.read_exact(&mut chunk)?;
        let [name @ .., a, b, c, d] = chunk;
        let size = u32::from_le_bytes([a, b, c, d]);
        length += 8;
        if name == *b"data" {
            let (format, rate) = kind.ok_or_else(|| invalid("a WAV file without its format"))?;
            let data = match (size, long_data) {
                (ELSEWHERE, Some(data)) => data,
                (size, _) => u64::from(size),
            };
            return Ok(Heading {
                format,
                rate,
                frames: data / Format::frame(format) as u64,
                length,
            });
        }
        if size > CHUNK_MAX {
            return Err(invalid("a WAV file with a chunk that is none of ours"));
        }
        let mut body = vec![0; size as usize];
        input.read_exact(&mut body)?;
        length += u64::from(size);
        match &name {
            b"fmt " => kind = Some(read_format(&body).ok_or_else(|| invalid(NOT_OURS))?),
            b"ds64" => long_data = field(&body, 8).map(u64::from_le_bytes),
            _ => {}
        }
    }
}

const NOT_OURS: &str = "expected stereo in A-law or 16-bit PCM, found another format";

fn read_format(body: &[u8]) -> Option<(Format, u32)> {
    let channels = u16::from_le_bytes(field(body, 2)?);
    let rate = u32::from_le_bytes(field(body, 4)?);
    let bits = u16::from_le_bytes(field(body, 14)?);
    let format = match (u16::from_le_bytes(field(body, 0)?), bits) {
        (PCM, 16) => Format::Pcm,
        (ALAW, 8) => Format::Alaw,
        _ => return None,
    };
    (channels == CHANNELS && rate > 0).then_some((format, rate))
}

fn field<const N: usize>(body: &[u8], at: usize) -> Option<[u8; N]> {
    body.get(at..)?.first_chunk().copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hound_reads_the_pcm_header() {
        let mut file = header(Format::Pcm, 16_000, 2);
        file.extend([1, 0, 2, 0, 3, 0, 4, 0]);
        let mut wav = hound::WavReader::new(&file[..]).unwrap();
        let spec = wav.spec();
        assert_eq!(
            (spec.channels, spec.sample_rate, spec.bits_per_sample),
            (2, 16_000, 16)
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
        assert_eq!(header(Format::Alaw, 8_000, 3), expected);
    }

    #[test]
    fn a_header_comes_back_as_it_was_written_on_both_sides_of_4_gib() {
        let limit = u64::from(u32::MAX);
        for format in [Format::Alaw, Format::Pcm] {
            let frame = format.frame() as u64;
            for frames in [
                0,
                1,
                (limit - HEAD_MAX) / frame,
                limit / frame + 1,
                5 * limit,
            ] {
                let head = header(format, 8_000, frames);
                let long = frames * frame + HEAD_MAX > limit;
                assert_eq!(head.starts_with(b"RF64"), long, "{frames}");
                assert!(head.len() as u64 <= HEAD_MAX);
                let expected = Heading {
                    format,
                    rate: 8_000,
                    frames,
                    length: head.len() as u64,
                };
                assert_eq!(read(&mut &head[..]).unwrap(), expected);
                if !long {
                    let riff = u32::from_le_bytes(*head[4..].first_chunk().unwrap());
                    assert_eq!(u64::from(riff) + 8, head.len() as u64 + frames * frame);
                }
            }
        }
    }

    #[test]
    fn a_sparse_file_above_4_gib_is_read_to_its_last_frame() {
        use std::io::Seek as _;
        use std::os::unix::fs::FileExt as _;
        let frames = 3 * (1u64 << 30); // 6 GiB of A-law, 104 hours
        let head = header(Format::Alaw, 8_000, frames);
        let mut file = tempfile::tempfile().unwrap();
        file.write_all_at(&head, 0).unwrap();
        let end = head.len() as u64 + 2 * frames;
        file.write_all_at(&[1, 2], end - 2).unwrap();
        let heading = read(&mut file).unwrap();
        assert_eq!((heading.frames, heading.rate), (frames, 8_000));
        let last = heading.length + 2 * (heading.frames - 1);
        file.seek(io::SeekFrom::Start(last)).unwrap();
        let mut frame = Vec::new();
        file.read_to_end(&mut frame).unwrap();
        assert_eq!(frame, [1, 2]);
    }

    #[test]
    fn other_files_are_refused() {
        let good = header(Format::Alaw, 8_000, 3);
        for (at, octet) in [(0, b'X'), (9, b'X'), (20, 7), (22, 1), (34, 16)] {
            let mut bad = good.clone();
            bad[at] = octet;
            assert!(read(&mut &bad[..]).is_err(), "octet {at}");
        }
        assert!(read(&mut &good[..30]).is_err());
    }
}
