//! Owns what a mix has at two rates: how many samples are 20 ms, and how a step between two pieces of
//! audio is made no click.

use crate::audio::FRAME_SAMPLES;

/// 20 ms at 8 kHz.
pub(crate) type Frame = [i16; FRAME_SAMPLES];
/// 20 ms at 16 kHz.
pub(crate) type WideFrame = [i16; 2 * FRAME_SAMPLES];

/// Samples at 8 kHz over which a step is evened out: 4 ms.
const BEND: usize = 32;

/// The rate of samples: that of G.711, or that of G.722, at which Opus is taken here too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Band {
    Narrow,
    Wide,
}

impl Band {
    /// How many samples are one at 8 kHz.
    pub(crate) const fn scale(self) -> usize {
        match self {
            Self::Narrow => 1,
            Self::Wide => 2,
        }
    }

    /// Samples a second.
    pub(crate) const fn rate(self) -> u32 {
        g711::RATE * self.scale() as u32
    }

    /// Samples in 20 ms.
    pub(crate) const fn frame(self) -> usize {
        FRAME_SAMPLES * self.scale()
    }

    pub(crate) const fn other(self) -> Self {
        match self {
            Self::Narrow => Self::Wide,
            Self::Wide => Self::Narrow,
        }
    }

    /// A sample that is so far behind a step, which is gone after some samples.
    pub(super) fn bend(self, step: i32, at: usize, sample: i16) -> i16 {
        let length = BEND * self.scale();
        let left = length.saturating_sub(at) as i32;
        let bent = i32::from(sample) + step * left / length as i32;
        bent.clamp(i16::MIN.into(), i16::MAX.into()) as i16
    }
}
