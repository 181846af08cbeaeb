//! Owns chance: a seeded generator, so that the same inputs give the same outputs.

/// `SplitMix64` (Steele, Lea, Flood 2014): one word of state, good enough for drawing lots.
#[derive(Debug, Clone)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A time until an event of this rate, exponentially distributed, in units of 2⁻³² / rate.
    pub(crate) fn exponential(&mut self, rate: u16) -> u64 {
        const UNIT: f64 = 4_294_967_296.0;
        // In (0, 1]: the logarithm is finite.
        #[allow(clippy::cast_precision_loss)]
        let uniform = ((self.next() >> 11) + 1) as f64 / (1_u64 << 53) as f64;
        let time = -uniform.ln() / f64::from(rate.max(1)) * UNIT;
        // At most 37 units of 2^32: no truncation.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let time = time as u64;
        time
    }
}
