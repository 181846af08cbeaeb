//! Owns pieces of audio that can be played: prompts and music, ready in both laws.

use std::sync::Arc;
use std::time::Duration;

use vocab::media::Law;

/// Samples in one packet that we make: 20 ms (RFC 3551 §4.2).
pub const FRAME_SAMPLES: usize = 160;
/// How long one packet that we make lasts.
pub const FRAME: Duration = Duration::from_millis(20);

/// A piece of audio, 8 kHz mono, in both laws. Clones share the samples.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Audio {
    /// A-law codes.
    pub alaw: Arc<[u8]>,
    /// µ-law codes; as many.
    pub ulaw: Arc<[u8]>,
}

impl Audio {
    /// Encodes linear samples at 8 kHz.
    #[must_use]
    pub fn from_pcm(samples: &[i16]) -> Self {
        let encode = |law| {
            samples
                .iter()
                .map(|sample| g711::encode(law, *sample))
                .collect()
        };
        Self {
            alaw: encode(Law::Pcma),
            ulaw: encode(Law::Pcmu),
        }
    }

    /// The codes of one law.
    #[must_use]
    pub fn codes(&self, law: Law) -> &[u8] {
        match law {
            Law::Pcma => &self.alaw,
            Law::Pcmu => &self.ulaw,
        }
    }

    /// Number of samples.
    #[must_use]
    pub fn len(&self) -> usize {
        self.alaw.len().min(self.ulaw.len())
    }

    /// Whether there is nothing to hear.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How long it lasts.
    #[must_use]
    pub fn duration(&self) -> Duration {
        Duration::from_micros(self.len() as u64 * 1_000_000 / u64::from(g711::RATE))
    }

    /// Fills a frame with what follows `at`, and says where the next frame begins. The end of the
    /// piece is filled up with silence; with `repeat` it runs on at the beginning without a gap.
    pub(crate) fn fill(&self, law: Law, at: usize, repeat: bool, frame: &mut [u8]) -> usize {
        let codes = self.codes(law);
        let (mut at, mut filled) = (at, 0);
        while let Some(room) = frame.get_mut(filled..).filter(|room| !room.is_empty()) {
            let rest = codes.get(at..).unwrap_or_default();
            if rest.is_empty() && repeat && !codes.is_empty() {
                at = 0;
                continue;
            }
            if rest.is_empty() {
                room.fill(g711::silence(law));
                break;
            }
            let count = rest.len().min(room.len());
            for (place, code) in room.iter_mut().zip(rest) {
                *place = *code;
            }
            at += count;
            filled += count;
        }
        at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_silence_and_a_repeat_has_no_gap() {
        let audio = Audio {
            alaw: [1, 2, 3].into(),
            ulaw: [4, 5, 6].into(),
        };
        let mut frame = [0; 5];
        assert_eq!(audio.fill(Law::Pcma, 1, false, &mut frame), 3);
        assert_eq!(frame, [2, 3, 0xd5, 0xd5, 0xd5]);
        assert_eq!(audio.fill(Law::Pcmu, 2, true, &mut frame), 1);
        assert_eq!(frame, [6, 4, 5, 6, 4]);
    }

    #[test]
    fn an_empty_piece_that_repeats_is_silence() {
        let mut frame = [0; 3];
        assert_eq!(Audio::from_pcm(&[]).fill(Law::Pcmu, 0, true, &mut frame), 0);
        assert_eq!(frame, [0xff; 3]);
    }

    #[test]
    fn both_laws_hold_the_same_sound() {
        let audio = Audio::from_pcm(&[0, 1_000, -1_000, 32_767]);
        for (a, u) in audio.alaw.iter().zip(audio.ulaw.iter()) {
            let a = i32::from(g711::decode(Law::Pcma, *a));
            let u = i32::from(g711::decode(Law::Pcmu, *u));
            assert!((a - u).abs() <= (a.abs() / 16).max(16));
        }
        assert_eq!(audio.duration(), Duration::from_micros(500));
    }
}
