//! Owns how long waits, ringings and talks lasted since the process began, in buckets. They are folded from
//! the facts as they are told, so nothing asks a database; what was under way before a restart is not in
//! them. What a service level asks of a wait, the buckets tell: each takes a wait of exactly its bound.

use std::collections::BTreeMap;

use vocab::{CallId, Event, Fact, OfferId, OfferResult, QueueOutcome, Time};

/// Upper bounds of waits and ringings, milliseconds: the thresholds that hotlines agree on.
const WAITS: &[u64] = &[
    5_000, 8_000, 10_000, 15_000, 20_000, 30_000, 45_000, 60_000, 90_000, 120_000, 180_000,
    300_000, 600_000,
];

/// Upper bounds of talks, milliseconds.
const TALKS: &[u64] = &[
    10_000, 30_000, 60_000, 120_000, 180_000, 300_000, 600_000, 1_200_000, 1_800_000, 3_600_000,
];

/// Durations by buckets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Histogram {
    bounds: &'static [u64],
    /// How many are in each bucket and in none before it; the last is for what is longer than all bounds.
    counts: Vec<u64>,
    sum_ms: u64,
}

impl Histogram {
    fn new(bounds: &'static [u64]) -> Self {
        Self {
            bounds,
            counts: vec![0; bounds.len() + 1],
            sum_ms: 0,
        }
    }

    fn add(&mut self, ms: u64) {
        let bucket = self.bounds.partition_point(|bound| *bound < ms);
        if let Some(count) = self.counts.get_mut(bucket) {
            *count += 1;
        }
        self.sum_ms = self.sum_ms.saturating_add(ms);
    }

    /// Each bound, milliseconds, and how many were at most so long.
    pub fn buckets(&self) -> impl Iterator<Item = (u64, u64)> {
        let counts = self.counts.iter().scan(0, |sum, count| {
            *sum += count;
            Some(*sum)
        });
        self.bounds.iter().copied().zip(counts)
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// All of them added up, milliseconds.
    #[must_use]
    pub const fn sum_ms(&self) -> u64 {
        self.sum_ms
    }
}

/// What is under way in a call that is up, since when.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct UnderWay {
    stay: Option<(String, Time)>,
    offers: Vec<(OfferId, Time)>,
    segments: Vec<(u16, Time)>,
}

/// The durations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Durations {
    waits: BTreeMap<(String, QueueOutcome), Histogram>,
    rings: BTreeMap<OfferResult, Histogram>,
    talks: Histogram,
}

impl Default for Durations {
    fn default() -> Self {
        Self {
            waits: BTreeMap::new(),
            rings: BTreeMap::new(),
            talks: Histogram::new(TALKS),
        }
    }
}

impl Durations {
    /// Waits by queue and by how they ended.
    pub fn waits(&self) -> impl Iterator<Item = (&str, QueueOutcome, &Histogram)> {
        let waits = self.waits.iter();
        waits.map(|((queue, outcome), waits)| (queue.as_str(), *outcome, waits))
    }

    /// Ringings by how they ended.
    pub fn rings(&self) -> impl Iterator<Item = (OfferResult, &Histogram)> {
        self.rings.iter().map(|(result, rings)| (*result, rings))
    }

    /// Segments.
    #[must_use]
    pub const fn talks(&self) -> &Histogram {
        &self.talks
    }
}

/// The fold: takes facts in their order.
#[derive(Debug, Default)]
pub struct Clocks {
    durations: Durations,
    /// Bounded by the calls that are up: one that ends is forgotten.
    up: BTreeMap<CallId, UnderWay>,
}

impl Clocks {
    /// What they say now.
    #[must_use]
    pub const fn durations(&self) -> &Durations {
        &self.durations
    }

    /// Takes in what happened. A fact that begins or ends nothing is passed over.
    pub fn take(&mut self, event: &Event) {
        let up = event.up;
        match &event.fact {
            Fact::QueueEntered { call, queue, .. } => {
                self.call(*call).stay = Some((queue.clone(), up));
            }
            Fact::QueueLeft {
                call,
                queue,
                outcome,
            } => {
                let stay = self.up.get_mut(call).and_then(|call| call.stay.take());
                if let Some((queue, since)) = stay.filter(|(entered, _)| entered == queue) {
                    let waits = self.durations.waits.entry((queue, *outcome));
                    let waits = waits.or_insert_with(|| Histogram::new(WAITS));
                    waits.add(ms(since, up));
                }
            }
            Fact::OfferMade { call, offer, .. } => self.call(*call).offers.push((*offer, up)),
            Fact::OfferEnded {
                call,
                offer,
                result,
                ..
            } => {
                let call = self.up.get_mut(call);
                if let Some(since) = call.and_then(|call| over(&mut call.offers, *offer)) {
                    let rings = self.durations.rings.entry(*result);
                    let rings = rings.or_insert_with(|| Histogram::new(WAITS));
                    rings.add(ms(since, up));
                }
            }
            Fact::SegmentStarted { call, segment, .. } => {
                self.call(*call).segments.push((*segment, up));
            }
            Fact::SegmentEnded { call, segment, .. } => {
                let call = self.up.get_mut(call);
                if let Some(since) = call.and_then(|call| over(&mut call.segments, *segment)) {
                    self.durations.talks.add(ms(since, up));
                }
            }
            Fact::CallEnded { call, .. } => {
                self.up.remove(call);
            }
            _ => {} // Facts that begin and end none of these: the table of all of them is `events`.
        }
    }

    fn call(&mut self, call: CallId) -> &mut UnderWay {
        self.up.entry(call).or_default()
    }
}

/// Takes out of what is under way what is over, and says since when it was.
fn over<T: PartialEq>(under_way: &mut Vec<(T, Time)>, which: T) -> Option<Time> {
    let place = under_way.iter().position(|(one, _)| *one == which)?;
    Some(under_way.swap_remove(place).1)
}

/// As the journal has it: whole milliseconds.
const fn ms(since: Time, until: Time) -> u64 {
    until.as_micros().saturating_sub(since.as_micros()) / 1_000
}

#[cfg(test)]
mod tests {
    use vocab::{EndedBy, EventId, Outcome, WallTime};

    use super::*;

    const CALL: CallId = CallId::new(1, 1);

    fn entered(queue: &str) -> Fact {
        Fact::QueueEntered {
            call: CALL,
            queue: queue.to_owned(),
            priority: 0,
            skills: Vec::new(),
        }
    }

    fn left(queue: &str, outcome: QueueOutcome) -> Fact {
        Fact::QueueLeft {
            call: CALL,
            queue: queue.to_owned(),
            outcome,
        }
    }

    fn play(facts: impl IntoIterator<Item = (u64, Fact)>) -> Clocks {
        let mut clocks = Clocks::default();
        for (n, (us, fact)) in (1..).zip(facts) {
            clocks.take(&Event {
                id: EventId::new(1, n),
                at: WallTime::default(),
                up: Time::from_micros(us),
                fact,
            });
        }
        clocks
    }

    fn cumulative(histogram: &Histogram) -> Vec<u64> {
        histogram.buckets().map(|(_, count)| count).collect()
    }

    #[test]
    fn a_wait_of_exactly_a_bound_is_within_it_as_in_a_service_level() {
        let mut histogram = Histogram::new(WAITS);
        for ms in [20_000, 20_001, 600_000, 600_001] {
            histogram.add(ms);
        }
        let within = |bound: u64| {
            let mut buckets = histogram.buckets();
            buckets.find(|(one, _)| *one == bound).unwrap().1
        };
        assert_eq!(within(15_000), 0);
        assert_eq!(within(20_000), 1);
        assert_eq!(within(30_000), 2);
        assert_eq!(within(600_000), 3);
        assert_eq!(histogram.count(), 4);
        assert_eq!(histogram.sum_ms(), 1_240_002);
        assert!(cumulative(&histogram).is_sorted());
    }

    #[test]
    fn a_stay_lasts_from_entry_to_leaving_and_counts_by_queue_and_outcome() {
        let clocks = play([
            (1_000_000, entered("a")),
            // Whole milliseconds, as the journal counts them: still in time.
            (21_000_999, left("a", QueueOutcome::Overflowed)),
            (21_000_999, entered("b")),
            (22_000_999, left("b", QueueOutcome::Answered)),
            // Said of no stay that is under way.
            (23_000_000, left("b", QueueOutcome::Answered)),
            (24_000_000, left("c", QueueOutcome::Answered)),
        ]);
        let told: Vec<_> = clocks
            .durations()
            .waits()
            .map(|(queue, outcome, waits)| (queue, outcome, waits.count(), waits.sum_ms()))
            .collect();
        assert_eq!(
            told,
            [
                ("a", QueueOutcome::Overflowed, 1, 20_000),
                ("b", QueueOutcome::Answered, 1, 1_000)
            ]
        );
    }

    #[test]
    fn ringings_at_once_and_segments_are_told_apart_and_a_call_leaves_nothing() {
        let offer = |n| OfferId::new(1, n);
        let made = |n| Fact::OfferMade {
            call: CALL,
            offer: offer(n),
            queue: "a".to_owned(),
            operator: vocab::OperatorRef {
                id: vocab::OperatorId(n),
                login: String::new(),
                name: String::new(),
                line: String::new(),
            },
            why: String::new(),
            considered: Vec::new(),
        };
        let ended = |n, result| Fact::OfferEnded {
            call: CALL,
            offer: offer(n),
            result,
            status: None,
        };
        let clocks = play([
            (0, entered("a")),
            (0, made(1)),
            (2_000_000, made(2)),
            (5_000_000, ended(2, OfferResult::Answered)),
            (5_000_000, ended(1, OfferResult::Withdrawn)),
            (
                5_000_000,
                Fact::SegmentStarted {
                    call: CALL,
                    segment: 1,
                    party: vocab::Party::Outer {
                        number: String::new(),
                        trunk: String::new(),
                    },
                    with: None,
                    offer: None,
                    recorded: false,
                },
            ),
            (
                65_000_000,
                Fact::SegmentEnded {
                    call: CALL,
                    segment: 1,
                    ended_by: EndedBy::Caller,
                },
            ),
            (
                65_000_000,
                Fact::CallEnded {
                    call: CALL,
                    outcome: Outcome::Answered,
                    ended_by: EndedBy::Caller,
                    status: None,
                    reason: String::new(),
                },
            ),
        ]);
        let rings: Vec<_> = clocks
            .durations()
            .rings()
            .map(|(result, rings)| (result, rings.sum_ms()))
            .collect();
        assert_eq!(
            rings,
            [
                (OfferResult::Answered, 3_000),
                (OfferResult::Withdrawn, 5_000)
            ]
        );
        let talks = clocks.durations().talks();
        assert_eq!((talks.count(), talks.sum_ms()), (1, 60_000));
        assert_eq!(cumulative(talks)[..4], [0, 0, 1, 1]);
        assert!(clocks.up.is_empty(), "{:?}", clocks.up);
    }
}
