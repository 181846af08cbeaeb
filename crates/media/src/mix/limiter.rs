//! Owns the softening of sums above full scale.

/// The highest sample that a sum may have, a little below full scale.
const CEILING: f32 = 31_000.0;
/// After a loud frame the gain comes back by so much in each frame: in a second.
const RECOVERY: f32 = 0.02;
/// The gain goes down in the first part of a frame: 2 ms of 20. What is above full scale meanwhile is cut.
const ATTACK: usize = 10;

/// Keeps a sum within what a sample can be: the gain goes down at once and comes back slowly.
pub(super) struct Limiter {
    gain: f32,
}

impl Default for Limiter {
    fn default() -> Self {
        Self { gain: 1.0 }
    }
}

impl Limiter {
    /// Of 20 ms at any rate.
    pub(super) fn limit(&mut self, sum: &[i32], limited: &mut [i16]) {
        let peak = sum.iter().map(|sample| sample.unsigned_abs()).max();
        let peak = peak.unwrap_or_default() as f32;
        let fits = if peak > CEILING { CEILING / peak } else { 1.0 };
        let before = self.gain;
        self.gain = fits.min(before + RECOVERY);
        let steps = if self.gain < before {
            sum.len() / ATTACK
        } else {
            sum.len()
        };
        let step = (self.gain - before) / steps.max(1) as f32;
        for (at, (place, sample)) in limited.iter_mut().zip(sum).enumerate() {
            let gain = before + step * (at + 1).min(steps) as f32;
            // Cut at full scale: a conversion to an integer saturates.
            *place = (*sample as f32 * gain) as i16;
        }
    }
}
