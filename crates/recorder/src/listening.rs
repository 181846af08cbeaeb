//! Owns what happens to the frames of a recording on their way into its file: they are listened to and
//! written, and the marks between its packets become gaps and pauses. Refuses to know of jobs.

use std::io::{self, Write};

use vocab::Time;
use vocab::media::Law;

use crate::Format;
use crate::analysis::Analysis;
use crate::block::Mark;
use crate::manifest::{self, Gap, Pause};
use crate::mixer::Mixer;
use crate::output::Output;
use crate::ring::Dropped;
use crate::window::Sink;

/// Listens to the frames and writes them.
pub(crate) struct Listening {
    pub(crate) output: Output,
    pub(crate) analysis: Analysis,
    pub(crate) format: Format,
}

impl Sink for Listening {
    fn frames(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self.format {
            Format::Alaw => bytes.as_chunks().0.iter().for_each(|codes: &[u8; 2]| {
                let sides = codes.map(|code| g711::decode(Law::Pcma, code));
                self.analysis.sample(sides);
            }),
            Format::Pcm => bytes.as_chunks().0.iter().for_each(|[a, b, c, d]| {
                let sides = [[*a, *b], [*c, *d]].map(i16::from_le_bytes);
                self.analysis.sample(sides);
            }),
        }
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
