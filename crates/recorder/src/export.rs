//! Owns making one plain file of the recordings of a call, for those who may have it. Refuses to
//! ask who that is, and to write it down: whoever calls does.

use std::io::{self, Write};

use crate::Format;
use crate::sound::Sound;
use crate::{opus_file, wav};

/// What is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Linear 16-bit PCM in a WAV file, which everything opens.
    Wav,
    /// Ogg Opus, for a mailbox.
    Opus,
}

/// Bits a second of an Opus file that is exported: no loss that one hears.
const OPUS_BITS: i32 = 48_000;

/// Why it cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// Two segments cannot stand in one file.
    #[error(
        "segments of {0} and {1} samples a second cannot stand in one file; export them one by one"
    )]
    Rates(u32, u32),
    /// There is nothing.
    #[error("there is no recording to export")]
    Nothing,
    /// Reading or writing failed.
    #[error("{0}")]
    Disk(#[from] io::Error),
}

/// Writes the sounds one after another, caller left and operator right; how many ms they last.
///
/// # Errors
/// If there is none, they do not fit together, or reading or writing fails.
pub fn write(sounds: Vec<Sound>, kind: Kind, out: impl Write) -> Result<u64, ExportError> {
    let rate = sounds.first().map(|sound| sound.rate);
    let rate = rate.ok_or(ExportError::Nothing)?;
    if let Some(other) = sounds.iter().find(|sound| sound.rate != rate) {
        return Err(ExportError::Rates(rate, other.rate));
    }
    let frames: u64 = sounds.iter().map(|sound| sound.frames).sum();
    match kind {
        Kind::Wav => write_wav(sounds, rate, frames, out)?,
        Kind::Opus => write_opus(sounds, rate, out, OPUS_BITS)?,
    }
    Ok(frames * 1_000 / u64::from(rate))
}

fn write_wav(sounds: Vec<Sound>, rate: u32, frames: u64, mut out: impl Write) -> io::Result<()> {
    out.write_all(&wav::header(Format::Pcm, rate, frames))?;
    let mut bytes = Vec::new();
    each_block(sounds, |block| {
        bytes.clear();
        bytes.extend(
            block
                .iter()
                .flatten()
                .flat_map(|sample| sample.to_le_bytes()),
        );
        out.write_all(&bytes)
    })?;
    out.flush()
}

/// Makes Ogg Opus of the sounds.
pub(crate) fn write_opus(
    sounds: Vec<Sound>,
    rate: u32,
    out: impl Write,
    bits_a_second: i32,
) -> io::Result<()> {
    let mut writer = opus_file::Writer::new(out, rate, bits_a_second)?;
    each_block(sounds, |block| writer.push(block))?;
    writer.finish()?.flush()
}

fn each_block(
    sounds: Vec<Sound>,
    mut each: impl FnMut(&[[i16; 2]]) -> io::Result<()>,
) -> io::Result<()> {
    let mut block = Vec::new();
    for mut sound in sounds {
        while sound.next(&mut block)? {
            each(&block)?;
            block.clear();
        }
    }
    Ok(())
}
