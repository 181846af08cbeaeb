//! Owns the reading of WAV files: linear 8 to 32 bits, floating point, A-law and µ-law, any rate,
//! any number of channels. Refuses what is longer than anybody would listen to.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use vocab::media::Law;

use super::sound::Sound;

/// Longest prompt or piece of music, in seconds: 77 MB of samples while it is prepared.
const SECONDS_MAX: u32 = 20 * 60;
/// Largest file, in bytes: the longest at 192 kHz would be no telephone prompt.
const BYTES_MAX: u64 = 256 << 20;
/// Sampling rates that make sense.
const RATES: std::ops::RangeInclusive<u32> = 4_000..=192_000;

/// Format tags of G.711 in a WAV header (RFC 2361), which hound does not read.
const TAG_ALAW: u16 = 6;
const TAG_ULAW: u16 = 7;

/// What is wrong with a WAV file.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error("cannot be read: {0}")]
    Io(#[from] std::io::Error),
    #[error("expected a WAV file: {0}")]
    Format(#[from] hound::Error),
    #[error("expected a rate of 4000 to 192000 Hz, found {0}")]
    Rate(u32),
    #[error("expected at most {SECONDS_MAX} s of audio")]
    TooLong,
    #[error("it holds no audio")]
    Empty,
}

/// Reads a file as one channel.
pub(super) fn read(path: &Path) -> Result<Sound, Error> {
    let file = File::open(path)?;
    if file.metadata()?.len() > BYTES_MAX {
        return Err(Error::TooLong);
    }
    let mut bytes = Vec::new();
    file.take(BYTES_MAX).read_to_end(&mut bytes)?;
    let (rate, channels, samples) = match companded(&bytes) {
        Some(decoded) => decoded,
        None => linear(&bytes)?,
    };
    if !RATES.contains(&rate) {
        return Err(Error::Rate(rate));
    }
    let channels = usize::from(channels.max(1));
    let mono: Vec<f32> = samples
        .chunks_exact(channels)
        .map(|frame| frame.iter().sum::<f32>() / channels as f32)
        .collect();
    if mono.is_empty() {
        return Err(Error::Empty);
    }
    if mono.len() as u64 > u64::from(rate) * u64::from(SECONDS_MAX) {
        return Err(Error::TooLong);
    }
    Ok(Sound {
        rate,
        samples: mono,
    })
}

type Decoded = (u32, u16, Vec<f32>);

/// Linear and floating-point samples, as -1 to 1.
fn linear(bytes: &[u8]) -> Result<Decoded, Error> {
    let mut reader = hound::WavReader::new(BufReader::new(bytes))?;
    let spec = reader.spec();
    let samples = match spec.sample_format {
        hound::SampleFormat::Float => reader
            .samples::<f32>()
            .map(|one| one.map(finite))
            .collect::<Result<_, _>>()?,
        hound::SampleFormat::Int => {
            let full = 2f32.powi(i32::from(spec.bits_per_sample).max(1) - 1);
            reader
                .samples::<i32>()
                .map(|one| one.map(|one| one as f32 / full))
                .collect::<Result<_, _>>()?
        }
    };
    Ok((spec.sample_rate, spec.channels, samples))
}

fn finite(sample: f32) -> f32 {
    if sample.is_finite() {
        sample.clamp(-1.0, 1.0)
    } else {
        0.0
    }
}

/// A-law and µ-law samples, as -1 to 1; `None` when the file is of another kind.
fn companded(bytes: &[u8]) -> Option<Decoded> {
    if bytes.get(..4)? != b"RIFF" || bytes.get(8..12)? != b"WAVE" {
        return None;
    }
    let mut rest = bytes.get(12..)?;
    let mut format = None;
    loop {
        let (header, after) = rest.split_at_checked(8)?;
        let size = usize::try_from(u32_at(header, 4)?).ok()?;
        let body = after.get(..size.min(after.len()))?;
        match header.get(..4)? {
            b"fmt " => {
                let tag = u16_at(body, 0)?;
                if ![TAG_ALAW, TAG_ULAW].contains(&tag) || u16_at(body, 14)? != 8 {
                    return None;
                }
                format = Some((tag, u16_at(body, 2)?, u32_at(body, 4)?));
            }
            b"data" => {
                let (tag, channels, rate) = format?;
                let law = if tag == TAG_ALAW {
                    Law::Pcma
                } else {
                    Law::Pcmu
                };
                let samples = body
                    .iter()
                    .map(|code| f32::from(g711::decode(law, *code)) / 32_768.0);
                return Some((rate, channels, samples.collect()));
            }
            _ => {}
        }
        // Chunks begin at even places.
        rest = after.get(size + size % 2..)?;
    }
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}
