//! Owns the formulas of Erlang: what a queue with patient callers (C) and with callers who give up
//! (A) comes to. The staffing calculator asks them, and the simulator is measured against them.
//!
//! Calls arrive at random (Poisson), handling times are exponential. All times are in seconds, all
//! rates per second.

/// The load of a queue.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Load {
    /// Calls in a second.
    pub rate: f64,
    /// Average handling time: talk, hold and wrap-up.
    pub handling: f64,
}

impl Load {
    /// So many calls in so many seconds, each handled for so long.
    #[must_use]
    pub const fn new(calls: f64, in_seconds: f64, handling: f64) -> Self {
        Self {
            rate: calls / in_seconds,
            handling,
        }
    }

    /// The offered traffic, in Erlang: how many operators talk on average if nobody is refused.
    #[must_use]
    pub fn traffic(self) -> f64 {
        self.rate * self.handling
    }
}

/// Erlang B: the part of calls that find all of `servers` busy and are lost.
#[must_use]
pub fn blocking(traffic: f64, servers: u32) -> f64 {
    (1..=servers).fold(1.0, |blocked, n| {
        traffic * blocked / (f64::from(n) + traffic * blocked)
    })
}

/// A queue whose callers wait for ever (M/M/n).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Patient {
    load: Load,
    operators: u32,
    waits: f64,
}

impl Patient {
    /// The queue, or `None` if so few operators never catch up (n ≤ a).
    #[must_use]
    pub fn new(load: Load, operators: u32) -> Option<Self> {
        let (traffic, n) = (load.traffic(), f64::from(operators));
        if n <= traffic {
            return None;
        }
        let blocked = blocking(traffic, operators);
        let waits = n * blocked / (n - traffic * (1.0 - blocked));
        Some(Self {
            load,
            operators,
            waits,
        })
    }

    /// The part of calls that have to wait at all.
    #[must_use]
    pub const fn waits(&self) -> f64 {
        self.waits
    }

    fn spare(&self) -> f64 {
        f64::from(self.operators) - self.load.traffic()
    }

    /// The part of calls answered within so many seconds.
    #[must_use]
    pub fn service_level(&self, within: f64) -> f64 {
        1.0 - self.waits * (-self.spare() * within / self.load.handling).exp()
    }

    /// The average speed of answer, over all calls.
    #[must_use]
    pub fn average_wait(&self) -> f64 {
        self.waits * self.load.handling / self.spare()
    }

    /// The part of their time that operators talk.
    #[must_use]
    pub fn occupancy(&self) -> f64 {
        self.load.traffic() / f64::from(self.operators)
    }
}

/// A queue whose callers give up after an exponential time (M/M/n+M).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Impatient {
    load: Load,
    operators: u32,
    patience: f64,
    waits: f64,
    abandons: f64,
    in_queue: f64,
}

/// The states of a queue that are looked at; far above any wait that a caller stands.
const LENGTH_MAX: u32 = 100_000;

impl Impatient {
    /// The queue; `patience` is the average time after which a caller gives up. It is stable with
    /// any number of operators above none.
    #[must_use]
    pub fn new(load: Load, operators: u32, patience: f64) -> Option<Self> {
        if operators == 0 || patience <= 0.0 {
            return None;
        }
        let (traffic, n) = (load.traffic(), f64::from(operators));
        // In units of the probability that all operators talk and nobody waits. Those below follow
        // from Erlang B: the sum of the states up to n is that of n divided by B.
        let below = 1.0 / blocking(traffic, operators) - 1.0;
        let (mut state, mut all_busy, mut length) = (1.0_f64, 1.0_f64, 0.0_f64);
        for waiting in 1..LENGTH_MAX {
            let waiting = f64::from(waiting);
            state *= load.rate / (n / load.handling + waiting / patience);
            all_busy += state;
            length += waiting * state;
            if state < all_busy * 1e-15 {
                break;
            }
        }
        let total = below + all_busy;
        let in_queue = length / total;
        Some(Self {
            load,
            operators,
            patience,
            waits: all_busy / total,
            abandons: in_queue / (patience * load.rate),
            in_queue,
        })
    }

    /// The part of calls that have to wait at all.
    #[must_use]
    pub const fn waits(&self) -> f64 {
        self.waits
    }

    /// The part of callers who give up.
    #[must_use]
    pub const fn abandons(&self) -> f64 {
        self.abandons
    }

    /// The average wait over all callers, those who give up included.
    #[must_use]
    pub fn average_wait(&self) -> f64 {
        self.in_queue / self.load.rate
    }

    /// The part of their time that operators talk.
    #[must_use]
    pub fn occupancy(&self) -> f64 {
        self.load.traffic() * (1.0 - self.abandons) / f64::from(self.operators)
    }

    /// The part of all calls that are answered within so many seconds.
    ///
    /// A caller who finds k waiting waits for the first of n + k kinds of ends, one after another:
    /// a sum of k + 1 exponential times. Its distribution is that of a pure death process, which is
    /// stepped through time here.
    #[must_use]
    pub fn service_level(&self, within: f64) -> f64 {
        let places = self.places(within);
        let n = f64::from(self.operators);
        let rates: Vec<f64> = (0..places)
            .map(|ahead| {
                // Those ahead may give up; so may the caller, who then is not answered.
                n / self.load.handling + f64::from(ahead) / self.patience
            })
            .collect();
        let arrivals = self.arrivals(places);
        let answered_at_once = 1.0 - self.waits;
        answered_at_once + answered_by(&arrivals, &rates, 1.0 / self.patience, within)
    }

    /// Places that matter: those that callers are found at.
    fn places(&self, within: f64) -> u32 {
        let n = f64::from(self.operators);
        let served = within * n / self.load.handling;
        let usual = self.in_queue * 20.0 + served * 4.0 + 50.0;
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let places = usual.min(5_000.0) as u32;
        places
    }

    /// The chance to find all operators busy and so many waiting.
    fn arrivals(&self, places: u32) -> Vec<f64> {
        let n = f64::from(self.operators);
        let mut state = 1.0;
        let mut chances = vec![1.0];
        for waiting in 1..places {
            let leaving = n / self.load.handling + f64::from(waiting) / self.patience;
            state *= self.load.rate / leaving;
            chances.push(state);
        }
        let sum: f64 = chances.iter().sum();
        chances
            .iter()
            .map(|chance| chance / sum * self.waits)
            .collect()
    }
}

/// The chance that one who begins at a place by these chances is through all places within a time,
/// without having given up. `rates`: how fast each place is passed.
fn answered_by(arrivals: &[f64], rates: &[f64], gives_up: f64, within: f64) -> f64 {
    // Uniformisation: the process jumps at one rate, to the next place or in place.
    let fastest = rates.iter().copied().fold(0.0, f64::max) + gives_up;
    let mean = fastest * within;
    if mean <= 0.0 {
        return 0.0;
    }
    let mut at: Vec<f64> = arrivals.to_vec();
    let mut through = 0.0_f64;
    let mut answered = 0.0_f64;
    // The Poisson weight of so many jumps, by its logarithm.
    let mut log_weight = -mean;
    let mut jumps = 0.0_f64;
    let last = mean + 12.0 * mean.sqrt() + 30.0;
    while jumps <= last {
        answered += log_weight.exp() * through;
        let mut from_above = 0.0;
        for (place, rate) in at.iter_mut().zip(rates).rev() {
            let (passes, leaves) = (rate / fastest, gives_up / fastest);
            let moved = *place * passes;
            *place = *place * (1.0 - passes - leaves) + from_above;
            from_above = moved;
        }
        through += from_above;
        jumps += 1.0;
        log_weight += mean.ln() - jumps.ln();
    }
    answered
}

/// The fewest operators with whom a patient queue answers this part of calls within so many
/// seconds; `None` above `operators_max`.
#[must_use]
pub fn operators_for(load: Load, level: f64, within: f64, operators_max: u32) -> Option<u32> {
    (1..=operators_max).find(|operators| {
        Patient::new(load, *operators).is_some_and(|queue| queue.service_level(within) >= level)
    })
}

/// The same for a queue whose callers give up.
#[must_use]
pub fn operators_for_impatient(
    load: Load,
    patience: f64,
    level: f64,
    within: f64,
    operators_max: u32,
) -> Option<u32> {
    // Callers who give up make it lighter: no more than for patient ones.
    let most = operators_for(load, level, within, operators_max).unwrap_or(operators_max);
    let enough = |operators: u32| {
        Impatient::new(load, operators, patience)
            .is_some_and(|queue| queue.service_level(within) >= level)
    };
    // The level grows with the operators, so halving finds the first.
    let (mut low, mut high) = (1, most);
    if !enough(high) {
        return None;
    }
    while low < high {
        let middle = u32::midpoint(low, high);
        if enough(middle) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    Some(low)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(found: f64, expected: f64, digits: i32) {
        let error = (found - expected).abs();
        assert!(
            error <= 0.51 * 10_f64.powi(-digits),
            "{found} is not {expected}"
        );
    }

    #[test]
    fn patient_queues_are_as_in_the_table() {
        let half_hour = Load::new(100.0, 1_800.0, 180.0);
        near(half_hour.traffic(), 10.0, 9);
        let queue = Patient::new(half_hour, 14).unwrap();
        near(queue.waits(), 0.174_132, 6);
        near(queue.service_level(20.0), 0.888_350, 6);
        near(queue.average_wait(), 7.8359, 4);
        near(queue.occupancy(), 0.7143, 4);
        let queue = Patient::new(half_hour, 11).unwrap();
        near(queue.waits(), 0.682_118, 6);
        near(queue.service_level(20.0), 0.389_614, 6);
        near(queue.average_wait(), 122.7813, 4);
        let hour = Load::new(360.0, 3_600.0, 240.0);
        let queue = Patient::new(hour, 28).unwrap();
        near(queue.waits(), 0.333_139, 6);
        near(queue.service_level(20.0), 0.761_296, 6);
        near(queue.average_wait(), 19.9883, 4);
    }

    #[test]
    fn too_few_operators_for_patient_callers_are_told() {
        let load = Load::new(100.0, 1_800.0, 180.0);
        assert_eq!(Patient::new(load, 10), None);
        assert_eq!(operators_for(load, 0.8, 20.0, 9), None);
        assert_eq!(operators_for(load, 0.8, 20.0, 100), Some(14));
    }

    #[test]
    fn impatient_queues_are_as_in_the_table() {
        let half_hour = Load::new(100.0, 1_800.0, 180.0);
        let hour = Load::new(360.0, 3_600.0, 240.0);
        for (load, patience, operators, waits, abandons, wait) in [
            (half_hour, 120.0, 10, 0.496_853, 0.137_464, 16.4957),
            (half_hour, 120.0, 11, 0.382_816, 0.094_155, 11.2986),
            (hour, 180.0, 24, 0.493_491, 0.086_928, 15.6471),
        ] {
            let queue = Impatient::new(load, operators, patience).unwrap();
            near(queue.waits(), waits, 6);
            near(queue.abandons(), abandons, 6);
            near(queue.average_wait(), wait, 4);
        }
    }

    #[test]
    fn the_impatient_service_level_goes_over_into_the_patient_one() {
        let load = Load::new(100.0, 1_800.0, 180.0);
        let patient = Patient::new(load, 14).unwrap();
        let nearly = Impatient::new(load, 14, 1e9).unwrap();
        for within in [0.0, 5.0, 20.0, 60.0] {
            near(
                nearly.service_level(within),
                patient.service_level(within),
                5,
            );
        }
        // In the end all are answered who do not give up.
        let queue = Impatient::new(load, 10, 120.0).unwrap();
        near(queue.service_level(3_000.0), 1.0 - queue.abandons(), 5);
    }

    #[test]
    fn impatient_callers_need_no_more_operators_than_patient_ones() {
        let load = Load::new(360.0, 3_600.0, 240.0);
        let patient = operators_for(load, 0.8, 20.0, 100).unwrap();
        let impatient = operators_for_impatient(load, 180.0, 0.8, 20.0, 100).unwrap();
        assert!(impatient <= patient, "{impatient} {patient}");
        let fewer = Impatient::new(load, impatient - 1, 180.0).unwrap();
        assert!(fewer.service_level(20.0) < 0.8);
    }
}
