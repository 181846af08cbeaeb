//! Owns the hearing of a stream that is decoded: packets in, whenever they come; 20 ms of samples
//! out, every 20 ms. Refuses to know what becomes of them.
//!
//! | state   | packets wait                         | nothing waits                              |
//! |---------|--------------------------------------|--------------------------------------------|
//! | Filling | long enough → Playing; else silence  | silence                                    |
//! | Playing | the next, or what stands for a lost  | what stands for it; after 100 ms → Filling |
//!
//! Where the stream lies more behind than the jitter asks for, two frames become one now and then;
//! where it lies too near, one is said twice. Thus other clocks than ours are followed, too.

use vocab::Time;
use vocab::media::Codec;

use crate::codec::{Decoder, SAMPLES_MAX, Unavailable, samples_in};
use crate::conceal::Concealment;
use crate::jitter::{Jitter, Taken};
use crate::rtp::Header;

/// Milliseconds of a frame.
pub(crate) const FRAME_MS: u32 = 20;
/// Frames without a packet after which it is waited for anew.
const UNDERRUNS_MAX: u32 = 5;
/// Frames without a packet after which there is nothing to hear: 10 s.
const SILENT_MAX: u32 = 500;
/// So much more than asked for a stream may lie behind, and so much less, microseconds.
const BEHIND_MORE: i64 = 40_000;
const BEHIND_LESS: i64 = 10_000;
/// Frames between two changes of the delay, and a delay that cannot wait for them.
const CHANGE_EVERY: u32 = 5;
const BEHIND_FAR: i64 = 150_000;

/// Hears one stream.
#[derive(Debug)]
pub(crate) struct Listener {
    jitter: Jitter,
    decoder: Decoder,
    concealment: Concealment,
    /// Decoded and not heard yet.
    samples: Vec<i16>,
    /// Room for one payload.
    room: Box<[i16]>,
    /// Samples of the last payload.
    last: usize,
    state: State,
    /// Frames since a packet was there, and since the delay was changed.
    without: u32,
    unchanged: u32,
    counts: Counts,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Filling,
    Playing,
}

/// What had to be done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Payloads that were filled in.
    pub(crate) concealed: u32,
    /// Frames that were left out or said twice.
    pub(crate) shortened: u32,
    pub(crate) lengthened: u32,
}

impl Listener {
    /// Of a codec, at its rate or, of Opus, at `wanted`.
    ///
    /// # Errors
    /// If Opus has no such rate.
    pub(crate) fn new(codec: Codec, wanted: u32) -> Result<Self, Unavailable> {
        let decoder = Decoder::new(codec, wanted)?;
        let rate = decoder.rate();
        Ok(Self {
            jitter: Jitter::new(codec.clock_rate()),
            concealment: Concealment::new(rate),
            decoder,
            samples: Vec::with_capacity(SAMPLES_MAX + 2 * samples_in(rate, FRAME_MS)),
            room: core::iter::repeat_n(0, SAMPLES_MAX).collect(),
            last: samples_in(rate, FRAME_MS),
            state: State::Filling,
            without: SILENT_MAX,
            unchanged: 0,
            counts: Counts::default(),
        })
    }

    /// What it hears.
    pub(crate) const fn codec(&self) -> Codec {
        self.decoder.codec()
    }

    /// Samples a second.
    pub(crate) const fn rate(&self) -> u32 {
        self.decoder.rate()
    }

    /// What had to be done so far.
    pub(crate) const fn counts(&self) -> Counts {
        self.counts
    }

    /// A packet came; `None` for one without audio.
    pub(crate) fn put(&mut self, now: Time, header: &Header, payload: Option<&[u8]>) {
        self.jitter.put(now, header, payload);
    }

    /// Fills a frame of 20 ms with what is to be heard now. False: nothing is, for long.
    pub(crate) fn fill(&mut self, now: Time, frame: &mut [i16]) -> bool {
        self.unchanged = self.unchanged.saturating_add(1);
        if self.state == State::Filling && self.may_begin(now) {
            self.state = State::Playing;
        }
        if self.state == State::Filling {
            self.without = self.without.saturating_add(1);
            return self.pause(frame);
        }
        match self.change(now) {
            Change::Lengthen => {
                self.counts.lengthened += 1;
                self.stand_in(frame);
                return true;
            }
            Change::Shorten => {
                self.counts.shortened += 1;
                self.gather(now, 2 * frame.len());
                self.shorten(frame.len());
            }
            Change::None => {
                self.gather(now, frame.len());
            }
        }
        self.say(frame)
    }

    fn may_begin(&self, now: Time) -> bool {
        let waited = self.jitter.waited(now);
        waited.is_some_and(|waited| waited >= self.jitter.target() - BEHIND_LESS)
    }

    /// Whether the stream lies too far behind, or too near.
    fn change(&mut self, now: Time) -> Change {
        let Some(waited) = self.jitter.waited(now) else {
            return Change::None;
        };
        let waits = i64::try_from(self.samples.len()).unwrap_or(i64::MAX) * 1_000_000;
        // What is decoded comes before the oldest that waits.
        let behind = waited + waits / i64::from(self.rate());
        let target = self.jitter.target();
        let too_far = behind > target + BEHIND_MORE && self.jitter.waiting() > 1;
        let change = match (too_far, behind < target - 2 * BEHIND_LESS) {
            (true, _) if self.unchanged >= CHANGE_EVERY || behind > BEHIND_FAR => Change::Shorten,
            (_, true) if self.unchanged >= CHANGE_EVERY => Change::Lengthen,
            _ => Change::None,
        };
        if change != Change::None {
            self.unchanged = 0;
        }
        change
    }

    /// Decodes until there are so many samples, or nothing waits.
    fn gather(&mut self, now: Time, wanted: usize) {
        // Each turn takes a packet or a place of one, of which there are as many.
        while self.samples.len() < wanted {
            let length = match self.jitter.take(now) {
                Taken::Nothing => break,
                Taken::Pause => continue,
                Taken::Payload { payload, .. } => {
                    let length = self.decoder.decode(payload, &mut self.room);
                    let heard = self.room.get_mut(..length.unwrap_or_default());
                    let heard = heard.unwrap_or_default();
                    self.concealment.hear(heard);
                    self.last = if heard.is_empty() {
                        self.last
                    } else {
                        heard.len()
                    };
                    heard.len()
                }
                Taken::Lost(after) => {
                    self.counts.concealed += 1;
                    let room = self.room.get_mut(..self.last).unwrap_or_default();
                    let told = match after {
                        Some(after) => self.decoder.recover(after, room),
                        None => self.decoder.conceal(room),
                    };
                    if told.is_none() {
                        self.concealment.fill(room);
                    }
                    room.len()
                }
            };
            let free = self.samples.capacity() - self.samples.len();
            let heard = self.room.get(..length.min(free)).unwrap_or_default();
            self.samples.extend_from_slice(heard);
        }
    }

    /// Two frames become one: the first blends into the second.
    fn shorten(&mut self, frame: usize) {
        if self.samples.len() < 2 * frame {
            return;
        }
        let (first, second) = self.samples.split_at_mut(frame);
        for ((first, second), step) in first.iter_mut().zip(second).zip(0..) {
            let (share, whole) = (step, frame as i32);
            let sum = i32::from(*first) * (whole - share) + i32::from(*second) * share;
            *first = (sum / whole.max(1)) as i16;
        }
        self.samples.drain(frame..2 * frame);
    }

    /// What is decoded, and for the rest what stands for it.
    fn say(&mut self, frame: &mut [i16]) -> bool {
        let count = self.samples.len().min(frame.len());
        let (there, missing) = frame.split_at_mut(count);
        for (place, sample) in there.iter_mut().zip(&self.samples) {
            *place = *sample;
        }
        self.samples.drain(..count);
        if missing.is_empty() {
            self.without = 0;
            return true;
        }
        self.stand_in(missing);
        self.without += 1;
        if self.without >= UNDERRUNS_MAX {
            self.state = State::Filling;
        }
        true
    }

    /// While nothing comes: the noise of a pause, if the codec has one, else what fades.
    fn pause(&mut self, frame: &mut [i16]) -> bool {
        if self.without > SILENT_MAX {
            frame.fill(0);
            return false;
        }
        self.stand_in(frame);
        true
    }

    fn stand_in(&mut self, frame: &mut [i16]) {
        // Opus conceals whole frames of 2.5 ms only.
        if self.decoder.conceal(frame).is_none() {
            self.concealment.fill(frame);
        }
    }
}

/// What becomes of the delay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    None,
    Shorten,
    Lengthen,
}

#[cfg(test)]
mod tests;
