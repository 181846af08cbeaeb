//! Owns the part of the stereo file that is still open for late packets, so that a recording of any
//! length is made in the same memory. Refuses to know of packets' times.

use std::io;

use vocab::media::{Law, Side};

use crate::Format;
use crate::timeline::RATE;
use g711::{ALAW_TO_LINEAR, SILENCE_ALAW, ULAW_TO_ALAW, ULAW_TO_LINEAR};

/// Ticks per channel in memory. A packet may come this late, less the step, the look-ahead and a
/// second: eight seconds.
const OPEN: usize = 16 * RATE as usize;
/// Written at once.
const STEP: usize = 6 * RATE as usize;

/// What is put into a recording.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Audio<'a> {
    /// Codes of a law.
    Codes(Law, &'a [u8]),
    /// Linear samples.
    Samples(&'a [i16]),
}

impl Audio<'_> {
    const fn len(self) -> usize {
        match self {
            Self::Codes(_, codes) => codes.len(),
            Self::Samples(samples) => samples.len(),
        }
    }
}

/// Where it belongs, in samples.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spot {
    pub(crate) position: i64,
    /// So many samples before it continue what was there.
    pub(crate) bridge: usize,
}

/// How a packet fitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fit {
    /// At least part of it is in the file.
    Placed,
    /// Its place was already written.
    Late,
    /// Before the start or after the end.
    Outside,
}

/// Interleaved frames, caller left and operator right, on their way to `sink`.
pub(crate) struct Window<S> {
    format: Format,
    /// Samples in a tick.
    scale: usize,
    /// Sample that is first in `open`.
    base: i64,
    /// Length of the recording.
    total: i64,
    open: Vec<u8>,
    sink: S,
}

/// Where the frames of a recording go, in order.
pub(crate) trait Sink {
    /// Takes whole frames.
    fn frames(&mut self, bytes: &[u8]) -> io::Result<()>;
}

impl<F: FnMut(&[u8]) -> io::Result<()>> Sink for F {
    fn frames(&mut self, bytes: &[u8]) -> io::Result<()> {
        self(bytes)
    }
}

impl<S: Sink> Window<S> {
    pub(crate) fn new(format: Format, scale: usize, total: i64, sink: S) -> Self {
        let samples = usize::try_from(total).unwrap_or(0).min(OPEN * scale);
        let mut open = vec![0; samples * format.frame()];
        silence(format, &mut open);
        Self {
            format,
            scale,
            base: 0,
            total,
            open,
            sink,
        }
    }

    /// Writes what lies so far back that `position` fits.
    pub(crate) fn reach(&mut self, position: i64) -> io::Result<()> {
        let samples = (self.open.len() / self.format.frame()) as i64;
        while self.base + samples < position.min(self.total) {
            self.flush(STEP * self.scale)?;
        }
        Ok(())
    }

    /// Puts the audio of a packet in its place; a later one wins.
    pub(crate) fn put(&mut self, side: Side, spot: Spot, audio: Audio<'_>) -> io::Result<Fit> {
        let Spot { position, bridge } = spot;
        let end = position + audio.len() as i64;
        if end <= 0 || position >= self.total {
            return Ok(Fit::Outside);
        }
        self.reach(end)?;
        if end <= self.base {
            return Ok(Fit::Late);
        }
        let skip = usize::try_from(self.base - position).unwrap_or(0);
        let at = usize::try_from(position - self.base).unwrap_or(0);
        self.bridge(side, at, bridge);
        let (frame, format) = (self.format.frame(), self.format);
        let frames = self
            .open
            .get_mut(at * frame..)
            .unwrap_or_default()
            .chunks_exact_mut(frame);
        match audio {
            Audio::Codes(codec, codes) => {
                for (frame, code) in frames.zip(codes.get(skip..).unwrap_or_default()) {
                    encode(format, codec, *code, channel(frame, side));
                }
            }
            Audio::Samples(samples) => {
                for (frame, sample) in frames.zip(samples.get(skip..).unwrap_or_default()) {
                    encode_sample(format, *sample, channel(frame, side));
                }
            }
        }
        Ok(Fit::Placed)
    }

    /// Repeats the sample before a gap of a millisecond at most, where silence would click.
    fn bridge(&mut self, side: Side, at: usize, length: usize) {
        let frame = self.format.frame();
        let Some(from) = at.checked_sub(length + 1).filter(|_| length > 0) else {
            return;
        };
        let frames = self
            .open
            .get_mut(from * frame..at * frame)
            .unwrap_or_default();
        let mut channels = frames
            .chunks_exact_mut(frame)
            .map(|frame| channel(frame, side));
        if let Some(first) = channels.next() {
            channels.for_each(|next| next.copy_from_slice(first));
        }
    }

    /// Writes up to the end, and gives the sink back.
    pub(crate) fn finish(mut self) -> io::Result<S> {
        while self.base < self.total {
            self.flush(OPEN * self.scale)?;
        }
        Ok(self.sink)
    }

    /// Where the frames go.
    pub(crate) const fn sink(&mut self) -> &mut S {
        &mut self.sink
    }

    fn flush(&mut self, samples: usize) -> io::Result<()> {
        let left = usize::try_from(self.total - self.base).unwrap_or(0);
        let bytes = samples.min(left) * self.format.frame();
        self.sink
            .frames(self.open.get(..bytes).unwrap_or_default())?;
        self.open.copy_within(bytes.., 0);
        let kept = self.open.len() - bytes;
        silence(self.format, self.open.get_mut(kept..).unwrap_or_default());
        self.base += samples as i64;
        Ok(())
    }
}

impl Format {
    /// What the manifest calls it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Alaw => "alaw",
            Self::Pcm => "pcm_s16le",
        }
    }

    /// Bytes per sample.
    pub(crate) const fn width(self) -> usize {
        match self {
            Self::Alaw => 1,
            Self::Pcm => 2,
        }
    }

    /// Bytes per frame of two channels.
    pub(crate) const fn frame(self) -> usize {
        2 * self.width()
    }
}

fn silence(format: Format, bytes: &mut [u8]) {
    bytes.fill(match format {
        Format::Alaw => SILENCE_ALAW,
        Format::Pcm => 0,
    });
}

/// The bytes of a side in a frame.
fn channel(frame: &mut [u8], side: Side) -> &mut [u8] {
    let (left, right) = frame.split_at_mut(frame.len() / 2);
    match side {
        Side::Caller => left,
        Side::Operator => right,
    }
}

fn encode(format: Format, codec: Law, code: u8, to: &mut [u8]) {
    let index = usize::from(code);
    // The tables have 256 entries: `get` cannot miss, and the compiler knows it.
    match (format, codec) {
        (Format::Alaw, Law::Pcma) => to.fill(code),
        (Format::Alaw, Law::Pcmu) => {
            to.fill(ULAW_TO_ALAW.get(index).copied().unwrap_or(SILENCE_ALAW));
        }
        (Format::Pcm, codec) => {
            let table = match codec {
                Law::Pcma => &ALAW_TO_LINEAR,
                Law::Pcmu => &ULAW_TO_LINEAR,
            };
            let sample = table.get(index).copied().unwrap_or(0).to_le_bytes();
            to.iter_mut().zip(sample).for_each(|(to, from)| *to = from);
        }
    }
}

fn encode_sample(format: Format, sample: i16, to: &mut [u8]) {
    match format {
        Format::Alaw => to.fill(g711::encode(Law::Pcma, sample)),
        Format::Pcm => {
            let octets = sample.to_le_bytes();
            to.iter_mut().zip(octets).for_each(|(to, from)| *to = from);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn placed(position: i64, codes: &[u8]) -> (Spot, Vec<u8>) {
        let spot = Spot {
            position,
            bridge: 0,
        };
        (spot, codes.to_vec())
    }

    fn written(total: i64, packets: &[(Side, (Spot, Vec<u8>))]) -> (Vec<u8>, Vec<Fit>) {
        let mut out = Vec::new();
        let mut window = Window::new(Format::Alaw, 1, total, |bytes: &[u8]| {
            out.extend_from_slice(bytes);
            Ok(())
        });
        let fits = packets
            .iter()
            .map(|(side, (spot, codes))| {
                let audio = Audio::Codes(Law::Pcma, codes);
                window.put(*side, *spot, audio).unwrap()
            })
            .collect();
        let _ = window.finish().unwrap();
        (out, fits)
    }

    #[test]
    fn sides_keep_their_channels_and_edges_are_cut() {
        let (out, fits) = written(
            4,
            &[
                (Side::Caller, placed(-1, &[1, 2])),
                (Side::Operator, placed(2, &[3, 4, 5])),
                (Side::Operator, placed(-2, &[6, 6])),
                (Side::Caller, placed(4, &[7])),
            ],
        );
        let s = SILENCE_ALAW;
        assert_eq!(out, [2, s, s, s, s, 3, s, 4]);
        assert_eq!(fits, [Fit::Placed, Fit::Placed, Fit::Outside, Fit::Outside]);
    }

    #[test]
    fn what_was_written_stays_and_the_length_is_to_the_sample() {
        let total = 100 * RATE + 3;
        let (out, fits) = written(
            total,
            &[
                (Side::Caller, placed(0, &[1])),
                (Side::Caller, placed(total - 1, &[2, 2])),
                (Side::Caller, placed(1, &[3])),
            ],
        );
        assert_eq!(out.len() as i64, total * 2);
        assert_eq!(fits, [Fit::Placed, Fit::Placed, Fit::Late]);
        assert_eq!((out[0], out[2], out[out.len() - 2]), (1, SILENCE_ALAW, 2));
    }

    #[test]
    fn a_tiny_gap_holds_the_last_sample_of_its_own_side() {
        let (mut spot, codes) = placed(4, &[9]);
        spot.bridge = 2;
        let next = (spot, codes);
        let (out, _) = written(
            5,
            &[(Side::Operator, placed(1, &[8, 7])), (Side::Operator, next)],
        );
        let s = SILENCE_ALAW;
        // 8 at 1, 7 at 2, held at 3; the bridge is asked to cover two and covers from 1.
        assert_eq!(out, [s, s, s, 8, s, 8, s, 8, s, 9]);
    }
}
