//! Owns the figures: pure functions of what the journal has of queues, talks, offers and operators.
//! No SQL, no clock, no file. Any past interval can be computed again, with any threshold.
//!
//! Times are milliseconds and are rounded only for display. Where nothing can be divided by, the
//! figure is `None`, never 0 or 100 %.
//!
//! ```
//! use journal::metrics::{QueueFigures, Stay};
//! use vocab::QueueOutcome;
//!
//! let stay = |wait_ms, outcome| Stay::ended("health", 0, wait_ms, outcome);
//! let stays = [
//!     stay(20_000, QueueOutcome::Answered), // the boundary is inside
//!     stay(20_001, QueueOutcome::Answered),
//!     stay(3_000, QueueOutcome::Abandoned),
//! ];
//! let figures = QueueFigures::of(&stays);
//! assert_eq!(figures.service_level(20_000).answered_only, Some(0.5));
//! assert_eq!(figures.service_level(20_000).abandoned_negative, Some(1.0 / 3.0));
//! assert!(figures.counts.identity_holds());
//! ```

mod durations;
mod interval;
mod line;
mod operator;
mod queue;
mod repeat;

pub use durations::{Clocks, Durations, Histogram};
pub use interval::Interval;
pub use line::{DelayLot, EntryDelay, LineFigures, RingingLot};
pub use operator::{Span, Talks, Time, WorkFigures, spans};
pub use queue::{Counts, Level, Lot, PRESETS, Preset, QueueFigures, ServiceLevel, Stay};
pub use repeat::{Contact, ContactLot, REPEAT_DAYS, Resolution, first_contact_resolution};

/// Version of the formulas: every report prints it. It is raised when one of them changes.
pub const FORMULAS: u32 = 2;

/// A part of a whole; `None` of nothing.
#[must_use]
pub fn ratio(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| exact(part) / exact(whole))
}

/// Counts and milliseconds of a journal stay far below 2^53, where `f64` is exact.
#[allow(clippy::cast_precision_loss)]
const fn exact(number: u64) -> f64 {
    number as f64
}
