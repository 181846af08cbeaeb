//! Owns chance: everything that a world leaves to it comes from its seed.

use core::time::Duration;

use vocab::SplitMix64;

/// The chance of one part of a world.
#[derive(Debug, Clone)]
pub(crate) struct Random(SplitMix64);

impl Random {
    /// Chance of its own for each `stream` of a seed, so that one part of a world does not change what
    /// another draws.
    pub(crate) const fn new(seed: u64, stream: u64) -> Self {
        let mut random = SplitMix64::new(seed ^ stream.wrapping_mul(0xd134_2543_de82_ef95));
        // Seeds that differ in one bit begin alike otherwise.
        let first = random.number();
        Self(SplitMix64::new(first))
    }

    pub(crate) const fn number(&mut self) -> u64 {
        self.0.number()
    }

    /// From 0 to below `end`; 0 if that is 0.
    pub(crate) const fn below(&mut self, end: u64) -> u64 {
        self.0.below(end)
    }

    /// True so often of a thousand.
    pub(crate) const fn chance(&mut self, of_thousand: u32) -> bool {
        self.below(1_000) < of_thousand as u64
    }

    /// From `low` to below `high`, in microseconds' steps.
    pub(crate) fn between(&mut self, low: Duration, high: Duration) -> Duration {
        let width = high.saturating_sub(low).as_micros();
        let width = u64::try_from(width).unwrap_or(u64::MAX);
        low + Duration::from_micros(self.below(width))
    }

    /// An exponential time, as between arrivals of a Poisson process; ten means at most.
    pub(crate) fn exponential(&mut self, mean: Duration) -> Duration {
        mean.mul_f64((-(1.0 - self.0.unit()).ln()).min(10.0))
    }

    /// A tag, branch, Call-ID.
    pub(crate) fn token(&mut self) -> String {
        format!("{:016x}", self.number())
    }
}
