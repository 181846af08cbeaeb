//! Owns the figures of operators: handling times, occupancy, the times of each state and break.

use std::collections::BTreeMap;

use vocab::OperatorState;

use super::ratio;

/// An operator's parts of calls: a transferred call gives each operator one of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Talks {
    /// How many.
    pub handled: u64,
    /// Talk, with what of it was on hold, added up.
    pub talk_ms: u64,
    /// What of it was on hold.
    pub held_ms: u64,
    /// Work after it.
    pub wrap_up_ms: u64,
}

/// A change of what an operator does, as the journal has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Time {
    /// Whose.
    pub operator: i64,
    /// The boot in which `up_us` counts.
    pub boot: u32,
    /// Monotonic time, microseconds.
    pub up_us: u64,
    /// Wall clock, UTC ms.
    pub at: i64,
    /// What the operator does from now on.
    pub state: OperatorState,
    /// What the person chose.
    pub status: String,
}

/// A time in which an operator did one thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// Whose.
    pub operator: i64,
    /// From when, UTC ms.
    pub from: i64,
    /// For how long, by the monotonic clock.
    pub lasted_ms: u64,
    /// What the operator did.
    pub state: OperatorState,
    /// What the person had chosen.
    pub status: String,
}

impl Span {
    /// What of it lies between two moments of the wall clock.
    #[must_use]
    pub fn within(&self, from: i64, to: i64) -> u64 {
        let end = self
            .from
            .saturating_add(i64::try_from(self.lasted_ms).unwrap_or(i64::MAX));
        let part = end.min(to).saturating_sub(self.from.max(from));
        u64::try_from(part).unwrap_or(0)
    }

    /// The reason of the break that the person was on, if on one.
    #[must_use]
    pub fn on_break(&self) -> Option<&str> {
        self.status.strip_prefix("break: ")
    }
}

/// Makes spans of changes, which come in the order of their events. A span ends with the operator's
/// next change in the same boot, or with the boot: `ends` has the last monotonic time of each.
#[must_use]
pub fn spans(changes: &[Time], ends: &BTreeMap<u32, u64>) -> Vec<Span> {
    let mut open: BTreeMap<i64, &Time> = BTreeMap::new();
    let mut spans = Vec::new();
    let mut close = |change: &Time, end: u64| {
        spans.push(Span {
            operator: change.operator,
            from: change.at,
            lasted_ms: end.saturating_sub(change.up_us) / 1_000,
            state: change.state,
            status: change.status.clone(),
        });
    };
    let boot_end = |change: &Time| ends.get(&change.boot).copied().unwrap_or(change.up_us);
    for change in changes {
        if let Some(before) = open.insert(change.operator, change) {
            let end = if before.boot == change.boot {
                change.up_us
            } else {
                boot_end(before)
            };
            close(before, end);
        }
    }
    for last in open.into_values() {
        close(last, boot_end(last).max(last.up_us));
    }
    spans
}

/// The figures of one operator, or of several together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WorkFigures {
    /// Segments handled.
    pub handled: u64,
    /// Talk of those, with what was on hold.
    pub talk_ms: u64,
    /// What of it was on hold.
    pub held_ms: u64,
    /// Work after them.
    pub wrap_up_ms: u64,
    /// Time in talk by the operator's states.
    pub busy_ms: u64,
    /// Time free for a call.
    pub idle_ms: u64,
    /// Time signed in or reachable, whatever was done.
    pub present_ms: u64,
    /// Breaks by reason.
    pub breaks_ms: BTreeMap<String, u64>,
}

impl WorkFigures {
    /// Takes in segments.
    pub const fn add_talks(&mut self, talks: &Talks) {
        self.handled += talks.handled;
        self.talk_ms += talks.talk_ms;
        self.held_ms += talks.held_ms;
        self.wrap_up_ms += talks.wrap_up_ms;
    }

    /// Takes in what of a span lies between two moments.
    pub fn add_span(&mut self, span: &Span, from: i64, to: i64) {
        let ms = span.within(from, to);
        match span.state {
            OperatorState::Talking | OperatorState::Held | OperatorState::WrapUp => {
                self.busy_ms += ms;
            }
            OperatorState::Free => self.idle_ms += ms,
            // Ringing is neither; nor is what no queue gave, and what is no readiness.
            OperatorState::Reserved
            | OperatorState::Ringing
            | OperatorState::OtherCall
            | OperatorState::Resting
            | OperatorState::Paused
            | OperatorState::Unreachable => {}
        }
        if span.state != OperatorState::Unreachable {
            self.present_ms += ms;
        }
        if let Some(reason) = span.on_break()
            && ms > 0
        {
            *self.breaks_ms.entry(reason.to_owned()).or_default() += ms;
        }
    }

    /// Average handling time: (talk + hold + wrap-up) / handled. The journal's talk holds the time on
    /// hold already, so no second is counted twice.
    #[must_use]
    pub fn aht_ms(&self) -> Option<f64> {
        ratio(self.talk_ms + self.wrap_up_ms, self.handled)
    }

    /// (talk + hold + wrap-up) / (the same + idle and available).
    #[must_use]
    pub fn occupancy(&self) -> Option<f64> {
        ratio(self.busy_ms, self.busy_ms + self.idle_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use OperatorState as S;

    fn change(operator: i64, boot: u32, up_s: u64, at_s: i64, state: S) -> Time {
        Time {
            operator,
            boot,
            up_us: up_s * 1_000_000,
            at: at_s * 1_000,
            state,
            status: if state == S::Paused {
                "break: lunch".to_owned()
            } else {
                "available".to_owned()
            },
        }
    }

    #[test]
    fn occupancy_counts_neither_ringing_nor_breaks() {
        let changes = [
            change(1, 1, 0, 1_000, S::Free),
            change(1, 1, 60, 1_060, S::Ringing),
            change(1, 1, 70, 1_070, S::Talking),
            change(1, 1, 130, 1_130, S::WrapUp),
            change(1, 1, 160, 1_160, S::Paused),
            change(1, 1, 460, 1_460, S::Free),
        ];
        let ends = BTreeMap::from([(1, 490_000_000)]);
        let mut figures = WorkFigures::default();
        for span in spans(&changes, &ends) {
            figures.add_span(&span, 0, i64::MAX);
        }
        assert_eq!((figures.busy_ms, figures.idle_ms), (90_000, 90_000));
        assert_eq!(figures.occupancy(), Some(0.5));
        assert_eq!(
            figures.breaks_ms,
            BTreeMap::from([("lunch".to_owned(), 300_000)])
        );
        assert_eq!(figures.present_ms, 490_000);
        assert_eq!(WorkFigures::default().occupancy(), None);
    }

    #[test]
    fn a_span_ends_with_its_boot_and_clips_to_the_interval() {
        let changes = [
            change(1, 1, 10, 1_010, S::Free),
            // A crash, and an hour later the next boot.
            change(1, 2, 5, 4_610, S::Free),
        ];
        let ends = BTreeMap::from([(1, 40_000_000), (2, 25_000_000)]);
        let spans = spans(&changes, &ends);
        let lasted: Vec<u64> = spans.iter().map(|span| span.lasted_ms).collect();
        assert_eq!(lasted, [30_000, 20_000]);
        assert_eq!(spans[0].within(1_020_000, 1_030_000), 10_000);
        assert_eq!(spans[0].within(0, 1_000), 0);
    }

    #[test]
    fn a_clock_that_jumps_back_makes_no_span_longer_or_shorter() {
        let changes = [
            change(1, 1, 0, 10_000, S::Free),
            change(1, 1, 60, 6_460, S::Talking), // the clock was set back by an hour
        ];
        let spans = spans(&changes, &BTreeMap::from([(1, 90_000_000)]));
        assert_eq!(spans[0].lasted_ms, 60_000);
        assert_eq!(spans[1].lasted_ms, 30_000);
    }

    #[test]
    fn handling_time_counts_no_second_twice() {
        let mut figures = WorkFigures::default();
        figures.add_talks(&Talks {
            handled: 1,
            talk_ms: 100_000,
            held_ms: 40_000,
            wrap_up_ms: 20_000,
        });
        assert_eq!(figures.aht_ms(), Some(120_000.0));
        assert_eq!(WorkFigures::default().aht_ms(), None);
    }
}
