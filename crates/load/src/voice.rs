//! Owns what the load's people say: clips, cut into encoded frames once, and found again by
//! their octets when they come out at the other end.

use std::collections::HashMap;
use std::sync::Arc;

use vocab::media::{Law, Side};

use crate::random::Random;
use crate::speech;

/// Samples in a frame: 20 ms at 8 kHz.
pub(crate) const FRAME: usize = 160;

/// Clips of both sides, 8 kHz mono; each call takes one and speaks it round and round.
#[derive(Debug, Clone)]
pub struct Voices {
    /// What callers say. Clips shorter than one second are spoken with silence after them.
    pub callers: Vec<Arc<[i16]>>,
    /// What operators say.
    pub operators: Vec<Arc<[i16]>>,
}

impl Voices {
    /// Three made-up voices a side, twenty seconds each: operators higher than callers.
    #[must_use]
    pub fn generated(seed: u64) -> Self {
        let make = |first: u64, pitches: [f64; 3]| {
            (first..)
                .zip(pitches)
                .map(|(stream, pitch)| speech::speak(&mut Random::new(seed, stream), pitch, 20))
                .map(Arc::from)
                .collect()
        };
        Self {
            callers: make(100, [95.0, 120.0, 150.0]),
            operators: make(200, [180.0, 215.0, 240.0]),
        }
    }
}

/// Place of a frame: which clip of which side, and which frame of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) side: Side,
    pub(crate) clip: u16,
    pub(crate) frame: u32,
}

type Frame = [u8; FRAME];

/// All clips as encoded frames. Every frame is unlike every other, so that one received frame
/// says exactly which moment of which voice it is.
#[derive(Debug)]
pub struct Library {
    codec: Law,
    callers: Vec<Vec<Frame>>,
    operators: Vec<Vec<Frame>>,
    places: HashMap<u64, Place>,
}

/// Amplitude of the noise floor laid under every clip, so that no two pauses are the same
/// octets: about -60 dB, as a quiet room has.
const FLOOR: i32 = 40;
/// Longest clip that is used, in frames: five minutes.
const FRAMES_MAX: usize = 15_000;

impl Library {
    /// Encodes the clips. A side without clips gets made-up ones.
    #[must_use]
    pub fn new(voices: &Voices, codec: Law, seed: u64) -> Self {
        let fallback = || Voices::generated(seed);
        let pick = |given: &Vec<Arc<[i16]>>, made: fn(Voices) -> Vec<Arc<[i16]>>| {
            if given.is_empty() {
                made(fallback())
            } else {
                given.clone()
            }
        };
        let encode = |clips: Vec<Arc<[i16]>>, first: u64| {
            (first..)
                .zip(clips)
                .map(|(stream, clip)| frames(&clip, codec, &mut Random::new(seed, stream)))
                .collect::<Vec<_>>()
        };
        let callers = encode(pick(&voices.callers, |made| made.callers), 1_000);
        let operators = encode(pick(&voices.operators, |made| made.operators), 2_000);
        let mut places = HashMap::new();
        for (side, clips) in [(Side::Caller, &callers), (Side::Operator, &operators)] {
            for (clip, frames) in (0_u16..).zip(clips) {
                for (frame, octets) in (0_u32..).zip(frames) {
                    places.insert(fingerprint(octets), Place { side, clip, frame });
                }
            }
        }
        Self {
            codec,
            callers,
            operators,
            places,
        }
    }

    /// What was really spoken from frame `first` of a clip on: the clip with its noise floor,
    /// through the codec, going round at the end. For comparing with a recording.
    #[must_use]
    pub fn spoken(&self, side: Side, clip: u16, first: u32, frames: usize) -> Vec<i16> {
        let mut place = Place {
            side,
            clip,
            frame: first,
        };
        let mut samples = Vec::with_capacity(frames * FRAME);
        for _ in 0..frames {
            let Some(octets) = self.frame(place) else {
                break;
            };
            samples.extend(octets.iter().map(|code| g711::decode(self.codec, *code)));
            place = self.after(place);
        }
        samples
    }

    /// Number of clips of a side.
    #[must_use]
    pub fn clips(&self, side: Side) -> usize {
        self.side(side).len()
    }

    /// Number of frames of a clip; 0 if there is no such clip.
    #[must_use]
    pub fn length(&self, side: Side, clip: u16) -> u32 {
        let frames = self.side(side).get(usize::from(clip)).map_or(0, Vec::len);
        u32::try_from(frames).unwrap_or(u32::MAX)
    }

    pub(crate) fn frame(&self, place: Place) -> Option<&Frame> {
        self.side(place.side)
            .get(usize::from(place.clip))?
            .get(place.frame as usize)
    }

    /// The place `place` is followed by; a clip goes round.
    pub(crate) fn after(&self, place: Place) -> Place {
        let next = place.frame + 1;
        let frame = if next >= self.length(place.side, place.clip) {
            0
        } else {
            next
        };
        Place { frame, ..place }
    }

    /// How many frames later than `from` the place `to` of the same clip comes.
    pub(crate) fn distance(&self, from: Place, to: Place) -> u32 {
        let length = self.length(from.side, from.clip);
        if to.frame >= from.frame {
            to.frame - from.frame
        } else {
            to.frame + length - from.frame
        }
    }

    /// Which frame the octets are, if they are one of ours.
    pub(crate) fn find(&self, octets: &[u8]) -> Option<Place> {
        let place = *self.places.get(&fingerprint(octets))?;
        (self.frame(place)? == octets).then_some(place)
    }

    fn side(&self, side: Side) -> &Vec<Vec<Frame>> {
        match side {
            Side::Caller => &self.callers,
            Side::Operator => &self.operators,
        }
    }
}

fn frames(clip: &[i16], codec: Law, random: &mut Random) -> Vec<Frame> {
    // One second at least, so that a going round is told from a repetition.
    let count = clip
        .len()
        .div_ceil(FRAME)
        .clamp(speech::RATE / FRAME, FRAMES_MAX);
    let mut samples = clip.iter().copied().chain(std::iter::repeat(0));
    (0..count)
        .map(|_| {
            let mut frame = [0; FRAME];
            for code in &mut frame {
                let noise = (random.unit() * f64::from(2 * FLOOR)) as i32 - FLOOR;
                let sample = i32::from(samples.next().unwrap_or(0)) + noise;
                let sample = sample.clamp(i32::from(i16::MIN), i32::from(i16::MAX));
                *code = g711::encode(codec, sample as i16);
            }
            frame
        })
        .collect()
}

/// FNV-1a over eight octets at a time: fast, and checked against the frame itself after.
fn fingerprint(octets: &[u8]) -> u64 {
    octets.chunks(8).fold(0xcbf2_9ce4_8422_2325, |hash, chunk| {
        let word = chunk
            .iter()
            .fold(0_u64, |word, octet| word << 8 | u64::from(*octet));
        ((hash ^ word).wrapping_mul(0x0100_0000_01b3)).rotate_left(23)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_frame_is_found_at_its_own_place() {
        for codec in [Law::Pcma, Law::Pcmu] {
            let library = Library::new(&Voices::generated(3), codec, 3);
            for side in [Side::Caller, Side::Operator] {
                for clip in 0..3 {
                    assert_eq!(library.length(side, clip), 1_000);
                    for frame in 0..1_000 {
                        let place = Place { side, clip, frame };
                        assert_eq!(library.find(library.frame(place).unwrap()), Some(place));
                    }
                }
            }
        }
    }

    #[test]
    fn silence_has_a_place_too_and_strange_audio_has_none() {
        let voices = Voices {
            callers: vec![vec![0; 8_000].into()],
            operators: vec![],
        };
        let library = Library::new(&voices, Law::Pcma, 1);
        let place = Place {
            side: Side::Caller,
            clip: 0,
            frame: 17,
        };
        assert_eq!(library.find(library.frame(place).unwrap()), Some(place));
        assert_eq!(library.find(&[0xd5; FRAME]), None);
        assert_eq!(library.find(&[]), None);
        assert_eq!(library.clips(Side::Operator), 3);
    }

    #[test]
    fn a_clip_goes_round() {
        let library = Library::new(&Voices::generated(3), Law::Pcma, 3);
        let last = Place {
            side: Side::Caller,
            clip: 1,
            frame: 999,
        };
        let first = library.after(last);
        assert_eq!(first.frame, 0);
        assert_eq!(library.distance(last, first), 1);
        let spoken = library.spoken(Side::Caller, 1, 999, 3);
        assert_eq!(spoken.len(), 3 * FRAME);
        assert_eq!(spoken[FRAME..], library.spoken(Side::Caller, 1, 0, 2));
    }
}
