//! Owns the wait that a caller may expect: a median and a 90th percentile.
//!
//! A caller at place k waits until k of those who serve have become free. With handling times of
//! mean H and n who serve, that takes about H·k/n, distributed like a sum of k exponential times;
//! Wilson and Hilferty's cube root makes a normal score of it. How far the scores of the waits that
//! came true are from those of a normal distribution is kept in a bounded, ordered sample, and the
//! next estimates are read off that sample: so they are right as often as they say, also where
//! operators serve several queues, callers give up, or handling times are not exponential. To it
//! comes the time that a telephone rings until it is answered.

use core::time::Duration;
use std::collections::VecDeque;

/// Observations that a sample keeps; older ones are forgotten.
const SAMPLE_MAX: usize = 512;

/// From how many observed waits on they count, in place of the normal distribution.
const CALIBRATED_FROM: usize = 40;

/// The 90th percentile of the normal distribution.
const NORMAL_P90: f64 = 1.281_551_6;

/// What to expect of a wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Estimate {
    /// Half of such waits are shorter.
    pub median: Duration,
    /// Nine of ten such waits are shorter.
    pub p90: Duration,
}

/// What was known when a call entered.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Forecast {
    /// How many have to become free first.
    ahead: f64,
    /// How long that takes on average, by the model alone, in seconds.
    mean: f64,
    estimate: Estimate,
}

/// A bounded sample in order.
#[derive(Debug, Default)]
struct Sample {
    by_age: VecDeque<f64>,
    in_order: Vec<f64>,
    sum: f64,
}

impl Sample {
    fn push(&mut self, value: f64) {
        if self.by_age.len() == SAMPLE_MAX
            && let Some(oldest) = self.by_age.pop_front()
        {
            let at = self.in_order.partition_point(|one| *one < oldest);
            self.in_order.remove(at);
            self.sum -= oldest;
        }
        let at = self.in_order.partition_point(|one| *one < value);
        self.in_order.insert(at, value);
        self.by_age.push_back(value);
        self.sum += value;
    }

    fn len(&self) -> usize {
        self.in_order.len()
    }

    #[allow(clippy::cast_precision_loss)]
    fn mean(&self) -> Option<f64> {
        (self.len() > 0).then(|| self.sum / self.len() as f64)
    }

    /// The value that a part of the next observations will not exceed, if they are like these.
    #[allow(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss
    )]
    fn quantile(&self, part: f64) -> Option<f64> {
        let rank = (part * (self.len() + 1) as f64).ceil() as usize;
        let at = rank.clamp(1, self.len().max(1)) - 1;
        self.in_order.get(at).copied()
    }
}

/// What a queue has learned of its waits.
#[derive(Debug, Default)]
pub(crate) struct Estimates {
    /// From the answer to the end of the work after the call, in seconds.
    handling: Sample,
    /// From the offer to the answer.
    ringing: Sample,
    /// Waits that came true, as parts of what the model said.
    ratios: Sample,
    /// The same as normal scores.
    scores: Sample,
}

impl Estimates {
    /// An operator finished with a call.
    pub(crate) fn handled(&mut self, lasted: Duration) {
        self.handling.push(lasted.as_secs_f64());
    }

    /// What to expect at a place, 0 where it rings already, with so many who serve. `None` until
    /// something is known, and while nobody serves.
    pub(crate) fn forecast(&self, place: usize, serving: u32) -> Option<Forecast> {
        if serving == 0 {
            return None;
        }
        #[allow(clippy::cast_precision_loss)]
        let ahead = place as f64;
        let mean = self.handling.mean()? * ahead / f64::from(serving);
        let estimate = Estimate {
            median: self.value(ahead, mean, 0.5)?,
            p90: self.value(ahead, mean, 0.9)?,
        };
        Some(Forecast {
            ahead,
            mean,
            estimate,
        })
    }

    fn value(&self, ahead: f64, mean: f64, part: f64) -> Option<Duration> {
        let rings = |part| self.ringing.quantile(part);
        if ahead < 1.0 {
            return Some(seconds(rings(part)?));
        }
        let normal = if part > 0.5 { NORMAL_P90 } else { 0.0 };
        let observed = self.scores.quantile(part);
        let score = observed
            .filter(|_| self.scores.len() >= CALIBRATED_FROM)
            .unwrap_or(normal);
        let root = 1.0 - 1.0 / (9.0 * ahead) + score / (3.0 * ahead.sqrt());
        let wait = mean * self.scale() * root.max(0.0).powi(3);
        Some(seconds(wait + rings(0.5).unwrap_or(0.0)))
    }

    /// By how much waits are longer than the model has it, on average.
    fn scale(&self) -> f64 {
        let enough = self.ratios.len() >= CALIBRATED_FROM;
        self.ratios.mean().filter(|_| enough).unwrap_or(1.0)
    }

    /// A call was answered: what came true of its forecast.
    pub(crate) fn answered(&mut self, of: Option<Forecast>, waited: Duration, rang: Duration) {
        if let Some(of) = of.filter(|of| of.ahead >= 1.0 && of.mean > 0.0) {
            let rings = self.ringing.quantile(0.5).unwrap_or(0.0);
            let ratio = (waited.as_secs_f64() - rings).max(0.0) / of.mean;
            let root = (ratio / self.scale().max(1e-6)).cbrt();
            let score = (root - 1.0 + 1.0 / (9.0 * of.ahead)) * 3.0 * of.ahead.sqrt();
            self.scores.push(score);
            self.ratios.push(ratio);
        }
        self.ringing.push(rang.as_secs_f64());
    }
}

impl Forecast {
    pub(crate) const fn estimate(&self) -> Estimate {
        self.estimate
    }
}

fn seconds(of: f64) -> Duration {
    Duration::try_from_secs_f64(of.max(0.0)).unwrap_or(Duration::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_sample_forgets_the_oldest_and_stays_in_order() {
        let mut sample = Sample::default();
        for value in 0..2 * SAMPLE_MAX {
            #[allow(clippy::cast_precision_loss)]
            sample.push(((value * 7_919) % 1_000) as f64);
        }
        assert_eq!(sample.len(), SAMPLE_MAX);
        assert!(sample.in_order.is_sorted());
        let mut kept: Vec<f64> = sample.by_age.iter().copied().collect();
        kept.sort_by(f64::total_cmp);
        assert_eq!(kept, sample.in_order);
    }

    #[test]
    fn nothing_is_said_before_anything_is_known() {
        let mut estimates = Estimates::default();
        assert!(estimates.forecast(3, 5).is_none());
        estimates.handled(Duration::from_secs(60));
        assert!(estimates.forecast(3, 0).is_none(), "nobody serves");
        let estimate = estimates.forecast(5, 5).unwrap().estimate();
        assert!(estimate.median < Duration::from_secs(60), "{estimate:?}");
        assert!(estimate.p90 > Duration::from_secs(80), "{estimate:?}");
    }
}
