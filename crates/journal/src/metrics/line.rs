//! Owns what an operator answers for: how soon the line's telephone is answered, and how soon the
//! entry is complete.

use super::ratio;

/// Ringings at a line that are alike: of one result, and all above or all within the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RingingLot {
    /// How many.
    pub offers: u64,
    /// From the start of each offer to its end, added up.
    pub ring_sum_ms: u64,
    /// The longest of them, by which they are above the limit or not.
    pub longest_ms: u64,
    /// Whether the operator answered.
    pub answered: bool,
    /// Whether the operator could not help it that nobody answered: the caller went, or the call was
    /// withdrawn.
    pub excused: bool,
}

/// The figures of a line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LineFigures {
    /// Offers that ended.
    pub offers: u64,
    /// Answered.
    pub answered: u64,
    /// Not answered, though the caller was there.
    pub unanswered: u64,
    /// Gone or withdrawn while they rang.
    pub withdrawn: u64,
    /// Offers that rang for longer than the limit, answered or not.
    pub overruns: u64,
    answered_ms: u64,
    /// The longest ringing.
    pub longest_ms: Option<u64>,
}

impl LineFigures {
    /// Takes in offers that are over; `limit_ms` is what a line may ring.
    pub fn add(&mut self, lot: &RingingLot, limit_ms: u64) {
        self.offers += lot.offers;
        if lot.longest_ms > limit_ms {
            self.overruns += lot.offers;
        }
        self.longest_ms = self.longest_ms.max(Some(lot.longest_ms));
        if lot.answered {
            self.answered += lot.offers;
            self.answered_ms += lot.ring_sum_ms;
        } else if lot.excused {
            self.withdrawn += lot.offers;
        } else {
            self.unanswered += lot.offers;
        }
    }

    /// Line answer time: from the start of an offer to the answer, on average.
    #[must_use]
    pub fn answer_time_ms(&self) -> Option<f64> {
        ratio(self.answered_ms, self.answered)
    }
}

/// How soon entries were complete.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct EntryDelay {
    /// Entries that were to be completed.
    pub due: u64,
    /// Completed.
    pub completed: u64,
    /// Completed too late, or not yet though the time has passed.
    pub overruns: u64,
    delay_ms: u64,
}

/// Entries that are alike: complete or not, and all above or all within the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DelayLot {
    /// How many.
    pub entries: u64,
    /// How long each took, or has taken up to now if it is not complete, added up.
    pub delay_sum_ms: u64,
    /// The longest of them, by which they are too late or not.
    pub longest_ms: u64,
    /// Whether they are complete.
    pub completed: bool,
    /// How long they may take.
    pub limit_ms: u64,
}

impl EntryDelay {
    /// Takes in entries.
    pub const fn add(&mut self, lot: &DelayLot) {
        self.due += lot.entries;
        if lot.completed {
            self.completed += lot.entries;
            self.delay_ms += lot.delay_sum_ms;
        }
        if lot.longest_ms > lot.limit_ms {
            self.overruns += lot.entries;
        }
    }

    /// Entry delay: from the end of talk to completion, on average.
    #[must_use]
    pub fn average_ms(&self) -> Option<f64> {
        ratio(self.delay_ms, self.completed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operator_does_not_answer_for_callers_who_went() {
        let mut line = LineFigures::default();
        for (ring_ms, answered, excused) in [
            (4_000, true, false),
            (8_000, true, false),
            (20_000, false, false),
            (15_001, false, true),
        ] {
            let lot = RingingLot {
                offers: 1,
                ring_sum_ms: ring_ms,
                longest_ms: ring_ms,
                answered,
                excused,
            };
            line.add(&lot, 15_000);
        }
        assert_eq!(line.answer_time_ms(), Some(6_000.0));
        assert_eq!((line.offers, line.answered), (4, 2));
        assert_eq!((line.unanswered, line.withdrawn, line.overruns), (1, 1, 2));
        assert_eq!(line.longest_ms, Some(20_000));
        assert_eq!(LineFigures::default().answer_time_ms(), None);
    }

    #[test]
    fn an_entry_that_is_late_and_open_is_an_overrun_and_no_average() {
        let mut delay = EntryDelay::default();
        for (took_ms, completed) in [(60_000, true), (900_000, false), (600_000, false)] {
            delay.add(&DelayLot {
                entries: 1,
                delay_sum_ms: took_ms,
                longest_ms: took_ms,
                completed,
                limit_ms: 600_000,
            });
        }
        assert_eq!((delay.due, delay.completed, delay.overruns), (3, 1, 1));
        assert_eq!(delay.average_ms(), Some(60_000.0));
        assert_eq!(EntryDelay::default().average_ms(), None);
    }
}
