//! Owns what happens to the frames of a recording on their way into its file: they are listened to and
//! written, and the marks between its packets become gaps and pauses. Refuses to know of jobs.

use std::io::{self, Write};

use vocab::Time;
use vocab::media::Law;

use crate::Format;
use crate::analysis::Analysis;
use crate::block::Mark;
use crate::manifest::{self, Gap, Pause};
use crate::mixer::{Kind, Mixer};
use crate::output::Output;
use crate::ring::Dropped;
use crate::window::Sink;

/// Octets listened to at a time: whole frames.
const BLOCK: usize = 16 << 10;

/// Listens to the frames and writes them.
pub(crate) struct Listening {
    output: Output,
    analysis: Analysis,
    format: Format,
    /// Samples of each side; kept for their room.
    sides: [Vec<i16>; 2],
}

impl Listening {
    pub(crate) fn new(output: Output, kind: Kind) -> Self {
        Self {
            output,
            analysis: Analysis::new(kind.rate()),
            format: kind.format,
            sides: [Vec::new(), Vec::new()],
        }
    }

    /// The file, and what was heard.
    pub(crate) fn finish(self) -> (Output, Analysis) {
        (self.output, self.analysis)
    }

    fn listen(&mut self, frames: &[u8]) {
        let [caller, operator] = &mut self.sides;
        caller.clear();
        operator.clear();
        match self.format {
            Format::Alaw => {
                let (frames, _) = frames.as_chunks();
                let linear = |code: u8| g711::decode(Law::Pcma, code);
                caller.extend(frames.iter().map(|[code, _]| linear(*code)));
                operator.extend(frames.iter().map(|[_, code]| linear(*code)));
            }
            Format::Pcm => {
                let (frames, _) = frames.as_chunks();
                let linear = i16::from_le_bytes;
                caller.extend(frames.iter().map(|[a, b, _, _]| linear([*a, *b])));
                operator.extend(frames.iter().map(|[_, _, a, b]| linear([*a, *b])));
            }
        }
        self.analysis.hear([caller, operator]);
    }
}

impl Sink for Listening {
    fn frames(&mut self, bytes: &[u8]) -> io::Result<()> {
        bytes.chunks(BLOCK).for_each(|block| self.listen(block));
        self.output.write_all(bytes)
    }
}

/// What the marks of a recording say.
pub(crate) struct Marks {
    start: Time,
    stop: Time,
    /// Samples a second.
    rate: u64,
    gaps: Vec<Gap>,
    pauses: Vec<Pause>,
    paused: bool,
}

impl Marks {
    pub(crate) const fn new(start: Time, stop: Time, rate: u64) -> Self {
        Self {
            start,
            stop,
            rate,
            gaps: Vec::new(),
            pauses: Vec::new(),
            paused: false,
        }
    }

    pub(crate) fn take(&mut self, at: Time, mark: Mark, mixer: &mut Mixer<Listening>) {
        let after = |time: Time| time.since(self.start).as_millis() as u64;
        let sample = (after(at) * self.rate / 1_000) as i64;
        match mark {
            Mark::Pause(reason) => {
                mixer.sink().analysis.pause(sample);
                self.paused = true;
                if self.pauses.len() < manifest::SPANS_MAX {
                    self.pauses.push(Pause {
                        from_ms: after(at),
                        to_ms: after(self.stop),
                        reason,
                    });
                }
            }
            Mark::Resume => {
                mixer.sink().analysis.resume(sample);
                mixer.resume();
                if let Some(pause) = self.pauses.last_mut().filter(|_| self.paused) {
                    pause.to_ms = after(at);
                }
                self.paused = false;
            }
            Mark::Dropped(Dropped { side, count, since }) => {
                if self.gaps.len() < manifest::SPANS_MAX {
                    self.gaps.push(Gap {
                        side,
                        from_ms: after(since),
                        to_ms: after(at),
                        packets: count.into(),
                    });
                }
            }
        }
    }

    pub(crate) fn finish(self) -> (Vec<Gap>, Vec<Pause>) {
        (self.gaps, self.pauses)
    }
}
