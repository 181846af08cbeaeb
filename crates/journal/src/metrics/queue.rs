//! Owns the figures of queues: outcomes and their identity, service level, waits.

use vocab::QueueOutcome;

use super::ratio;

/// One stay of a call in a queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stay {
    /// The queue.
    pub queue: String,
    /// When it entered, UTC ms.
    pub entered_at: i64,
    /// How long it waited, or has waited up to now.
    pub wait_ms: u64,
    /// From the arrival of the call at the system to the end of this wait, where that is known.
    pub since_arrival_ms: Option<u64>,
    /// How it ended; none while it waits.
    pub outcome: Option<QueueOutcome>,
}

impl Stay {
    /// A stay that is over.
    #[must_use]
    pub fn ended(queue: &str, entered_at: i64, wait_ms: u64, outcome: QueueOutcome) -> Self {
        Self {
            queue: queue.to_owned(),
            entered_at,
            wait_ms,
            since_arrival_ms: None,
            outcome: Some(outcome),
        }
    }
}

/// Stays that are alike as far as figures go: one outcome, and waits on one side of every threshold that
/// is asked about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lot {
    /// How they ended; none while they wait.
    pub outcome: Option<QueueOutcome>,
    /// How many.
    pub stays: u64,
    /// Their waits, added up.
    pub wait_sum_ms: u64,
    /// The longest of them, by which they are in time or not.
    pub longest_ms: u64,
    /// From arrival at the system to the end of the wait, added up where it is known.
    pub since_arrival_sum_ms: u64,
    /// Of how many that is known.
    pub since_arrival: u64,
}

impl From<&Stay> for Lot {
    fn from(stay: &Stay) -> Self {
        Self {
            outcome: stay.outcome,
            stays: 1,
            wait_sum_ms: stay.wait_ms,
            longest_ms: stay.wait_ms,
            since_arrival_sum_ms: stay.since_arrival_ms.unwrap_or(0),
            since_arrival: u64::from(stay.since_arrival_ms.is_some()),
        }
    }
}

/// Stays by how they ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// All.
    pub offered: u64,
    /// An operator answered.
    pub answered: u64,
    /// The caller hung up.
    pub abandoned: u64,
    /// Sent on to another queue or place.
    pub overflowed: u64,
    /// The longest wait passed.
    pub timed_out: u64,
    /// The queue was closed, or the engine died.
    pub closed: u64,
    /// The queue was full.
    pub refused_full: u64,
    /// The caller chose to be called back.
    pub callback_taken: u64,
    /// Still waiting.
    pub waiting: u64,
}

impl Counts {
    fn note(&mut self, outcome: Option<QueueOutcome>, stays: u64) {
        self.offered += stays;
        let count = match outcome {
            Some(QueueOutcome::Answered) => &mut self.answered,
            Some(QueueOutcome::Abandoned) => &mut self.abandoned,
            Some(QueueOutcome::Overflowed) => &mut self.overflowed,
            Some(QueueOutcome::TimedOut) => &mut self.timed_out,
            Some(QueueOutcome::Closed) => &mut self.closed,
            Some(QueueOutcome::RefusedFull) => &mut self.refused_full,
            Some(QueueOutcome::CallbackTaken) => &mut self.callback_taken,
            None => &mut self.waiting,
        };
        *count += stays;
    }

    /// Those that are over.
    #[must_use]
    pub const fn ended(&self) -> u64 {
        self.offered - self.waiting
    }

    /// offered = answered + abandoned + overflowed + timed out + closed + refused + callback taken +
    /// still waiting.
    #[must_use]
    pub const fn identity_holds(&self) -> bool {
        self.offered
            == self.answered
                + self.abandoned
                + self.overflowed
                + self.timed_out
                + self.closed
                + self.refused_full
                + self.callback_taken
                + self.waiting
    }
}

/// Which formula of the service level is shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Level {
    /// Answered in time, of the answered.
    #[default]
    AnsweredOnly,
    /// Answered or abandoned in time, of the answered and abandoned.
    AsteriskSl2,
    /// Answered in time, of all but those abandoned in time.
    IgnoreAbandoned,
    /// Answered in time, of all.
    AbandonedNegative,
    /// Answered or abandoned in time, of all.
    AbandonedPositive,
}

/// The service level for one threshold, by every formula.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ServiceLevel {
    /// What is in time: a wait of at most this.
    pub threshold_ms: u64,
    /// A / N. Asterisk's `ServicelevelPerf`, Cisco's "only handled".
    pub answered_only: Option<f64>,
    /// (A + B) / (N + Ab). Asterisk's `ServicelevelPerf2`.
    pub asterisk_sl2: Option<f64>,
    /// A / (P − B). Cisco's "abandoned calls ignored".
    pub ignore_abandoned: Option<f64>,
    /// A / P. Cisco's "negative", the style of COPC.
    pub abandoned_negative: Option<f64>,
    /// (A + B) / P. Cisco's "positive".
    pub abandoned_positive: Option<f64>,
}

impl ServiceLevel {
    /// By one formula.
    #[must_use]
    pub const fn by(&self, level: Level) -> Option<f64> {
        match level {
            Level::AnsweredOnly => self.answered_only,
            Level::AsteriskSl2 => self.asterisk_sl2,
            Level::IgnoreAbandoned => self.ignore_abandoned,
            Level::AbandonedNegative => self.abandoned_negative,
            Level::AbandonedPositive => self.abandoned_positive,
        }
    }
}

/// What a hotline of a kind promises.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Preset {
    /// Its name.
    pub name: &'static str,
    /// What is in time.
    pub threshold_ms: u64,
    /// The part of answered calls that is to be answered in time.
    pub target: f64,
    /// What the average answer is to take at most, where that is promised.
    pub average_ms: Option<u64>,
}

/// The presets that reports judge by.
pub const PRESETS: [Preset; 2] = [
    Preset {
        name: "ordinary",
        threshold_ms: 20_000,
        target: 0.80,
        average_ms: None,
    },
    // The regional rule of "112": 98 % within 20 s, 8 s on average.
    Preset {
        name: "emergency",
        threshold_ms: 20_000,
        target: 0.98,
        average_ms: Some(8_000),
    },
];

/// The figures of some stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct QueueFigures {
    /// By outcome.
    pub counts: Counts,
    /// Waits of the answered, in order of length, and how many each stands for.
    answered: Vec<(u64, u64)>,
    /// The same of the abandoned.
    abandoned: Vec<(u64, u64)>,
    answered_sum: u64,
    arrival_sum: u64,
    arrivals: u64,
    /// The longest wait, whatever its outcome; `None` if nothing waited.
    pub longest_wait_ms: Option<u64>,
}

impl QueueFigures {
    /// Of these stays.
    #[must_use]
    pub fn of<'a>(stays: impl IntoIterator<Item = &'a Stay>) -> Self {
        Self::of_lots(stays.into_iter().map(Lot::from))
    }

    /// Of stays in lots. Only thresholds that no lot has waits on both sides of may be asked about.
    #[must_use]
    pub fn of_lots(lots: impl IntoIterator<Item = impl core::borrow::Borrow<Lot>>) -> Self {
        let mut figures = Self::default();
        for lot in lots {
            let lot = lot.borrow();
            figures.counts.note(lot.outcome, lot.stays);
            figures.longest_wait_ms = figures.longest_wait_ms.max(Some(lot.longest_ms));
            let waits = (lot.longest_ms, lot.stays);
            match lot.outcome {
                Some(QueueOutcome::Answered) => {
                    figures.answered.push(waits);
                    figures.answered_sum += lot.wait_sum_ms;
                    figures.arrival_sum += lot.since_arrival_sum_ms;
                    figures.arrivals += lot.since_arrival;
                }
                Some(QueueOutcome::Abandoned) => figures.abandoned.push(waits),
                Some(
                    QueueOutcome::Overflowed
                    | QueueOutcome::TimedOut
                    | QueueOutcome::Closed
                    | QueueOutcome::RefusedFull
                    | QueueOutcome::CallbackTaken,
                )
                | None => {}
            }
        }
        figures.answered.sort_unstable();
        figures.abandoned.sort_unstable();
        figures
    }

    /// The service level for a threshold, which may be chosen afterwards.
    #[must_use]
    pub fn service_level(&self, threshold_ms: u64) -> ServiceLevel {
        let (a, b) = (
            within(&self.answered, threshold_ms),
            within(&self.abandoned, threshold_ms),
        );
        let (n, abandoned, p) = (
            self.counts.answered,
            self.counts.abandoned,
            self.counts.ended(),
        );
        ServiceLevel {
            threshold_ms,
            answered_only: ratio(a, n),
            asterisk_sl2: ratio(a + b, n + abandoned),
            ignore_abandoned: ratio(a, p - b),
            abandoned_negative: ratio(a, p),
            abandoned_positive: ratio(a + b, p),
        }
    }

    /// Average speed of answer: the wait in the queue of those answered.
    #[must_use]
    pub fn asa_ms(&self) -> Option<f64> {
        ratio(self.answered_sum, self.counts.answered)
    }

    /// The same from the arrival of the call at the system.
    #[must_use]
    pub fn asa_from_arrival_ms(&self) -> Option<f64> {
        ratio(self.arrival_sum, self.arrivals)
    }

    /// Abandoned / offered.
    #[must_use]
    pub fn abandonment(&self) -> Option<f64> {
        ratio(self.counts.abandoned, self.counts.offered)
    }

    /// The same without those who hung up within `short_ms`.
    #[must_use]
    pub fn abandonment_adjusted(&self, short_ms: u64) -> Option<f64> {
        let short = self.abandoned_within(short_ms);
        ratio(self.counts.abandoned - short, self.counts.offered - short)
    }

    /// Those who hung up within this time.
    #[must_use]
    pub fn abandoned_within(&self, ms: u64) -> u64 {
        within(&self.abandoned, ms)
    }

    /// Those answered within this time.
    #[must_use]
    pub fn answered_within(&self, ms: u64) -> u64 {
        within(&self.answered, ms)
    }

    /// Whether a promise was kept; `None` if nothing was answered.
    #[must_use]
    pub fn keeps(&self, preset: &Preset) -> Option<bool> {
        let level = self.service_level(preset.threshold_ms).answered_only?;
        let average = self.asa_ms()?;
        let fast = preset
            .average_ms
            .is_none_or(|most| average <= super::exact(most));
        Some(level >= preset.target && fast)
    }
}

/// How many of ordered waits are at most `ms` long: the boundary is inside.
fn within(ordered: &[(u64, u64)], ms: u64) -> u64 {
    let in_time = ordered.iter().take_while(|(wait, _)| *wait <= ms);
    in_time.map(|(_, stays)| stays).sum()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use QueueOutcome as O;

    fn some(count: usize, wait_ms: u64, outcome: QueueOutcome) -> Vec<Stay> {
        vec![Stay::ended("q", 0, wait_ms, outcome); count]
    }

    fn close(figure: Option<f64>, percent: f64) {
        let figure = figure.unwrap() * 100.0;
        assert!(
            (figure - percent).abs() < 0.005,
            "{figure} is not {percent}"
        );
    }

    #[test]
    fn the_vector_of_the_cisco_guide_holds() {
        // A = 70, B = 10, 20 others past T, P = 100.
        let stays = [some(70, 5_000, O::Answered), some(10, 5_000, O::Abandoned)];
        let stays = [stays.concat(), some(20, 60_000, O::Answered)].concat();
        let level = QueueFigures::of(&stays).service_level(20_000);
        close(level.ignore_abandoned, 77.78);
        close(level.abandoned_negative, 70.0);
        close(level.abandoned_positive, 80.0);
        // The same with the others abandoned late: none of the three depends on what they are.
        let stays = [
            some(70, 5_000, O::Answered),
            some(10, 5_000, O::Abandoned),
            some(20, 60_000, O::Abandoned),
        ]
        .concat();
        let level = QueueFigures::of(&stays).service_level(20_000);
        close(level.ignore_abandoned, 77.78);
        close(level.abandoned_negative, 70.0);
        close(level.abandoned_positive, 80.0);
        close(level.answered_only, 100.0);
        close(level.asterisk_sl2, 80.0);
    }

    #[test]
    fn nothing_divided_by_is_none() {
        let figures = QueueFigures::of(&[]);
        let level = figures.service_level(20_000);
        for figure in [
            level.answered_only,
            level.asterisk_sl2,
            level.ignore_abandoned,
            level.abandoned_negative,
            level.abandoned_positive,
            figures.asa_ms(),
            figures.asa_from_arrival_ms(),
            figures.abandonment(),
            figures.abandonment_adjusted(5_000),
        ] {
            assert_eq!(figure, None);
        }
        assert_eq!(figures.longest_wait_ms, None);
        assert_eq!(figures.keeps(&PRESETS[0]), None);
        // All abandoned in time: of those that count none is left.
        let figures = QueueFigures::of(&some(3, 1_000, O::Abandoned));
        assert_eq!(figures.service_level(20_000).ignore_abandoned, None);
        assert_eq!(figures.abandonment_adjusted(5_000), None);
    }

    #[test]
    fn the_boundary_is_inside() {
        let stays = [
            some(1, 20_000, O::Answered),
            some(1, 20_001, O::Answered),
            some(1, 5_000, O::Abandoned),
            some(1, 5_001, O::Abandoned),
        ]
        .concat();
        let figures = QueueFigures::of(&stays);
        assert_eq!(figures.service_level(20_000).answered_only, Some(0.5));
        assert_eq!(figures.service_level(5_000).asterisk_sl2, Some(0.25));
        // One short abandon of four offered: (2 − 1) / (4 − 1).
        assert_eq!(figures.abandonment_adjusted(5_000), Some(1.0 / 3.0));
    }

    #[test]
    fn those_who_wait_are_offered_and_not_ended() {
        let mut stays = some(3, 1_000, O::Answered);
        stays.push(Stay {
            outcome: None,
            wait_ms: 90_000,
            ..Stay::ended("q", 0, 0, O::Answered)
        });
        let figures = QueueFigures::of(&stays);
        assert_eq!((figures.counts.offered, figures.counts.ended()), (4, 3));
        assert_eq!(figures.service_level(20_000).abandoned_negative, Some(1.0));
        assert_eq!(figures.longest_wait_ms, Some(90_000));
    }

    #[test]
    fn an_emergency_line_must_be_quick_on_average_too() {
        let [ordinary, emergency] = &PRESETS;
        let slow = QueueFigures::of(&some(100, 8_001, O::Answered));
        assert_eq!(slow.keeps(ordinary), Some(true));
        assert_eq!(slow.keeps(emergency), Some(false));
        let quick = [some(98, 7_000, O::Answered), some(2, 21_000, O::Answered)].concat();
        assert_eq!(QueueFigures::of(&quick).keeps(emergency), Some(true));
        let late = [some(97, 7_000, O::Answered), some(3, 21_000, O::Answered)].concat();
        assert_eq!(QueueFigures::of(&late).keeps(emergency), Some(false));
    }

    fn stay() -> impl Strategy<Value = Stay> {
        let outcome = prop::option::of(prop::sample::select(vec![
            O::Answered,
            O::Abandoned,
            O::Overflowed,
            O::TimedOut,
            O::Closed,
            O::RefusedFull,
            O::CallbackTaken,
        ]));
        (0_u64..120_000, outcome).prop_map(|(wait_ms, outcome)| Stay {
            outcome,
            ..Stay::ended("q", 0, wait_ms, O::Answered)
        })
    }

    proptest! {
        #[test]
        fn lots_give_the_figures_of_their_stays(
            stays in prop::collection::vec(stay(), 0..60),
            short in 0_u64..20_000,
            threshold in 0_u64..120_000,
        ) {
            let mut lots: Vec<(u8, Lot)> = Vec::new();
            for stay in &stays {
                let class = u8::from(stay.wait_ms > short) + 2 * u8::from(stay.wait_ms > threshold);
                let one = Lot::from(stay);
                let same = |(of, lot): &&mut (u8, Lot)| *of == class && lot.outcome == one.outcome;
                match lots.iter_mut().find(same) {
                    Some((_, lot)) => {
                        lot.stays += 1;
                        lot.wait_sum_ms += one.wait_sum_ms;
                        lot.longest_ms = lot.longest_ms.max(one.longest_ms);
                        lot.since_arrival_sum_ms += one.since_arrival_sum_ms;
                        lot.since_arrival += one.since_arrival;
                    }
                    None => lots.push((class, one)),
                }
            }
            let exact = QueueFigures::of(&stays);
            let figures = QueueFigures::of_lots(lots.iter().map(|(_, lot)| lot));
            prop_assert_eq!(figures.counts, exact.counts);
            prop_assert_eq!(figures.longest_wait_ms, exact.longest_wait_ms);
            prop_assert_eq!(figures.asa_ms(), exact.asa_ms());
            prop_assert_eq!(figures.asa_from_arrival_ms(), exact.asa_from_arrival_ms());
            for ms in [short, threshold] {
                prop_assert_eq!(figures.service_level(ms), exact.service_level(ms));
                prop_assert_eq!(figures.abandonment_adjusted(ms), exact.abandonment_adjusted(ms));
            }
        }

        #[test]
        fn the_identity_holds_and_levels_are_parts_of_a_whole_and_rise_with_the_threshold(
            stays in prop::collection::vec(stay(), 0..60),
            (low, high) in (0_u64..120_000, 0_u64..120_000),
        ) {
            let figures = QueueFigures::of(&stays);
            prop_assert!(figures.counts.identity_holds());
            prop_assert_eq!(figures.counts.offered, stays.len() as u64);
            let (low, high) = (low.min(high), low.max(high));
            let (low, high) = (figures.service_level(low), figures.service_level(high));
            for level in [Level::AnsweredOnly, Level::AsteriskSl2, Level::IgnoreAbandoned,
                          Level::AbandonedNegative, Level::AbandonedPositive] {
                let (low, high) = (low.by(level), high.by(level));
                for part in [low, high].into_iter().flatten() {
                    prop_assert!((0.0..=1.0).contains(&part), "{level:?} {part}");
                }
                if let (Some(low), Some(high)) = (low, high) {
                    prop_assert!(low <= high, "{level:?} {low} {high}");
                }
            }
        }
    }
}
