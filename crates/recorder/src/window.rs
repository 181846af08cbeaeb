//! Owns the part of the stereo file that is still open for late packets, so that a recording of any
//! length is made in the same memory. Refuses to know of packets' times.

use std::io;

use vocab::media::{Law, Side};

use crate::Format;
use crate::timeline::RATE;
use g711::{SILENCE_ALAW, ULAW_TO_ALAW};

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
        let open = vec![silence(format); samples * format.frame()];
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
        let from = at * self.format.frame();
        let frames = self.open.get_mut(from..).unwrap_or_default();
        match audio {
            Audio::Codes(law, codes) => {
                let codes = codes.get(skip..).unwrap_or_default();
                put_codes(frames, (self.format, side), (law, codes));
            }
            Audio::Samples(samples) => {
                let samples = samples.get(skip..).unwrap_or_default().iter();
                match self.format {
                    Format::Alaw => {
                        let code = |sample: &i16| [g711::encode(Law::Pcma, *sample)];
                        put_octets(frames, side, samples.map(code));
                    }
                    Format::Pcm => put_octets(frames, side, samples.map(|s| s.to_le_bytes())),
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
        let rest = self.open.get_mut(kept..).unwrap_or_default();
        rest.fill(silence(self.format));
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

/// Each octet of silence.
const fn silence(format: Format) -> u8 {
    match format {
        Format::Alaw => SILENCE_ALAW,
        Format::Pcm => 0,
    }
}

/// The bytes of a side in a frame.
#[inline]
fn channel(frame: &mut [u8], side: Side) -> &mut [u8] {
    let (left, right) = frame.split_at_mut(frame.len() / 2);
    match side {
        Side::Caller => left,
        Side::Operator => right,
    }
}

fn put_codes(frames: &mut [u8], (format, side): (Format, Side), (law, codes): (Law, &[u8])) {
    let codes = codes.iter();
    match (format, law) {
        (Format::Alaw, Law::Pcma) => put_octets(frames, side, codes.map(|code| [*code])),
        (Format::Alaw, Law::Pcmu) => {
            // The table has 256 entries: `get` cannot miss, and the compiler knows it.
            let alaw = |code: &u8| ULAW_TO_ALAW.get(usize::from(*code)).copied();
            let codes = codes.map(|code| [alaw(code).unwrap_or(SILENCE_ALAW)]);
            put_octets(frames, side, codes);
        }
        (Format::Pcm, law) => {
            let linear = |code: &u8| g711::decode(law, *code).to_le_bytes();
            put_octets(frames, side, codes.map(linear));
        }
    }
}

/// Puts samples of so many octets each into a side's channel.
fn put_octets<const WIDTH: usize>(
    frames: &mut [u8],
    side: Side,
    samples: impl Iterator<Item = [u8; WIDTH]>,
) {
    for (frame, sample) in frames.chunks_exact_mut(2 * WIDTH).zip(samples) {
        channel(frame, side).copy_from_slice(&sample);
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
