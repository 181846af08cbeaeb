//! Owns chance: a seeded generator, so that the same inputs give the same outputs.

use vocab::SplitMix64;

/// Draws lots.
#[derive(Debug, Clone)]
pub(crate) struct Random(SplitMix64);

impl Random {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(SplitMix64::new(seed))
    }

    /// A time until an event of this rate, exponentially distributed, in units of 2⁻³² / rate.
    pub(crate) fn exponential(&mut self, rate: u16) -> u64 {
        const UNIT: f64 = 4_294_967_296.0;
        // In (0, 1]: the logarithm is finite.
        let uniform = 1.0 - self.0.unit();
        let time = -uniform.ln() / f64::from(rate.max(1)) * UNIT;
        // At most 37 units of 2^32: no truncation.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let time = time as u64;
        time
    }
}
