//! Owns the judgement of a path by the E-model (ITU-T G.107), as far as packets can change it.
//!
//! R = 93.2 − Idd − Ie,eff: a telephone of the recommendation's default values without echo, so of
//! its impairments the delay (G.107 §7.4, Idd) and the loss with the codec (§7.5) remain, as every
//! monitor of VoIP does it. What becomes of the sound in rooms and handsets nobody on the way knows.

use core::time::Duration;

use vocab::media::Codec;

/// R of the default values (G.107 Table 2) without delay and loss.
const R_BEST: f64 = 93.2;
/// The delay that nobody notices (G.107 §7.4).
const DELAY_FREE_MS: f64 = 100.0;

/// What happens to audio on its way.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Path {
    pub(crate) codec: Codec,
    /// Share of packets that never came, 0 to 1.
    pub(crate) loss: f64,
    /// Mean length of a run of lost packets over that of random loss; 1 for random loss.
    pub(crate) burst: f64,
    /// From mouth to ear.
    pub(crate) delay: Duration,
}

/// A mean opinion score in hundredths, 100 to 450.
pub(crate) fn mos(path: &Path) -> u16 {
    // Between 1 and 4.5, so it fits.
    (mos_of_r(rating(path)) * 100.0).round() as u16
}

/// The rating factor R of a path, 0 to 100.
pub(crate) fn rating(path: &Path) -> f64 {
    let r = R_BEST - delay_impairment(path.delay) - loss_impairment(path);
    r.clamp(0.0, 100.0)
}

/// Idd of G.107 §7.4.
fn delay_impairment(delay: Duration) -> f64 {
    let ms = delay.as_secs_f64() * 1_000.0;
    if ms <= DELAY_FREE_MS {
        return 0.0;
    }
    let x = (ms / DELAY_FREE_MS).log2();
    let root = |value: f64| (1.0 + value.powi(6)).powf(1.0 / 6.0);
    25.0 * (root(x) - 3.0 * root(x / 3.0) + 2.0)
}

/// Ie,eff of G.107 §7.5.
fn loss_impairment(path: &Path) -> f64 {
    let Robustness { ie, bpl } = robustness(path.codec);
    let percent = path.loss.clamp(0.0, 1.0) * 100.0;
    let burst = path.burst.max(1.0);
    ie + (95.0 - ie) * percent / (percent / burst + bpl)
}

/// How a codec stands loss (G.113 Appendix I).
struct Robustness {
    /// Impairment without loss.
    ie: f64,
    /// Robustness to loss.
    bpl: f64,
}

const fn robustness(codec: Codec) -> Robustness {
    match codec {
        // G.711 with concealment, which telephones have.
        Codec::Pcma | Codec::Pcmu => Robustness { ie: 0.0, bpl: 25.1 },
        // Wideband on the scale of the narrow band (G.113 Appendix IV knows none of it for G.107): no
        // impairment of its own; the concealment of waveforms does for both, and that of Opus, with
        // its redundancy, stands about as much again.
        Codec::G722 => Robustness { ie: 0.0, bpl: 25.1 },
        Codec::Opus => Robustness { ie: 0.0, bpl: 40.0 },
    }
}

/// G.107 Annex B.
fn mos_of_r(r: f64) -> f64 {
    if r <= 0.0 {
        return 1.0;
    }
    if r >= 100.0 {
        return 4.5;
    }
    // The polynomial dips below 1 for small R.
    (1.0 + 0.035 * r + r * (r - 60.0) * (100.0 - r) * 7.0e-6).max(1.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn path(loss: f64, burst: f64, delay_ms: u64) -> Path {
        Path {
            codec: Codec::Pcma,
            loss,
            burst,
            delay: Duration::from_millis(delay_ms),
        }
    }

    #[test]
    fn known_points_of_the_model_are_met() {
        assert_eq!(
            mos(&path(0.0, 1.0, 0)),
            441,
            "R 93.2 is 4.41 (G.107 Table 2)"
        );
        // 5 % random loss: Ie,eff = 95·5/(5+25.1) = 15.8, R 77.4.
        assert_eq!(mos(&path(0.05, 1.0, 50)), 392);
        // Idd at 200 ms is 25·(2^(1/6) − 3·(1+3^-6)^(1/6) + 2) = 3.04; at 400 ms 24.07.
        assert!((delay_impairment(Duration::from_millis(200)) - 3.04).abs() < 0.02);
        assert!((delay_impairment(Duration::from_millis(400)) - 24.07).abs() < 0.02);
        assert_eq!(mos(&path(1.0, 1.0, 3_000)), 100);
    }

    #[test]
    fn lost_runs_are_worse_than_single_losses() {
        assert!(mos(&path(0.03, 3.0, 50)) < mos(&path(0.03, 1.0, 50)));
    }

    proptest! {
        #[test]
        fn a_score_is_always_on_the_scale_and_never_rises_with_loss_or_delay(
            loss in 0.0_f64..2.0, burst in 0.0_f64..50.0, delay in 0_u64..20_000,
            more in 0.0_f64..0.5, later in 0_u64..2_000,
        ) {
            let score = mos(&path(loss, burst, delay));
            prop_assert!((100..=450).contains(&score));
            // The polynomial is not monotonic below R 6.5, where all is bad.
            prop_assert!(mos(&path(loss + more, burst, delay)) <= score.max(101));
            prop_assert!(mos(&path(loss, burst, delay + later)) <= score.max(101));
        }
    }
}
