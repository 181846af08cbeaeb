//! Owns the load's randomness: one seed, any number of independent streams drawn from it.
//! Not for secrets.

use std::fmt::Write as _;
use std::time::Duration;

use vocab::SplitMix64;

use crate::settings::DurationRange;

/// A stream of pseudo-random numbers.
#[derive(Debug, Clone)]
pub(crate) struct Random(SplitMix64);

impl Random {
    /// The stream number `stream` of a seed; the same pair gives the same numbers for ever.
    pub(crate) fn new(seed: u64, stream: u64) -> Self {
        let seed = seed ^ stream.wrapping_mul(0xd6e8_feb8_6659_fd93);
        let mut random = Self(SplitMix64::new(seed));
        let _ = random.number();
        random
    }

    pub(crate) fn number(&mut self) -> u64 {
        self.0.number()
    }

    /// A number from 0 (inclusive) to 1 (exclusive).
    pub(crate) fn unit(&mut self) -> f64 {
        self.0.unit()
    }

    /// A whole number below `end`; 0 if `end` is 0.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0.below(end as u64) as usize
    }

    /// A duration of the range, evenly spread.
    pub(crate) fn within(&mut self, range: DurationRange) -> Duration {
        let width = range.longest.saturating_sub(range.shortest);
        range.shortest + width.mul_f64(self.unit())
    }

    /// The time to the next event of a Poisson process of `rate` events a second.
    pub(crate) fn gap(&mut self, rate: f64) -> Duration {
        if rate <= 0.0 {
            return Duration::from_secs(1);
        }
        // 1 - unit() is never 0, so the logarithm is finite; an hour bounds a tiny rate.
        Duration::from_secs_f64((-(1.0 - self.unit()).ln() / rate).clamp(0.0, 3600.0))
    }

    /// Sixteen hex digits, for tags, branches and Call-IDs.
    pub(crate) fn token(&mut self) -> String {
        let mut token = String::with_capacity(16);
        let _ = write!(token, "{:016x}", self.number());
        token
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_numbers_again() {
        let draw = |seed, stream| {
            let mut random = Random::new(seed, stream);
            (0..8).map(|_| random.number()).collect::<Vec<_>>()
        };
        assert_eq!(draw(1, 2), draw(1, 2));
        assert_ne!(draw(1, 2), draw(1, 3));
        assert_ne!(draw(1, 2), draw(2, 2));
    }

    #[test]
    fn the_mean_gap_is_the_inverse_of_the_rate() {
        let mut random = Random::new(5, 0);
        let total: f64 = (0..20_000).map(|_| random.gap(10.0).as_secs_f64()).sum();
        assert!((total / 20_000.0 - 0.1).abs() < 0.005, "{total}");
    }

    #[test]
    fn a_duration_stays_within_its_range() {
        let mut random = Random::new(5, 0);
        let range = DurationRange::new(Duration::from_secs(1), Duration::from_secs(3));
        for _ in 0..1_000 {
            let drawn = random.within(range);
            assert!(drawn >= range.shortest && drawn <= range.longest);
        }
    }
}
