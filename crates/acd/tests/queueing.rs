//! The core against queueing theory, and its estimates against what came true.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::cast_precision_loss
)]

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use acd::erlang::{Impatient, Load, Patient};
use acd::{
    Acd, Arrival, Estimate, Input, OperatorSettings, Output, QueueSettings, SkillNeed, WrapUp,
};
use vocab::{CallId, OfferId, OperatorId, QueueId, SplitMix64, Time};

/// Exponential times.
struct Random(SplitMix64);

impl Random {
    fn uniform(&mut self) -> f64 {
        ((self.0.number() >> 11) + 1) as f64 / (1_u64 << 53) as f64
    }

    fn exponential(&mut self, mean: f64) -> Duration {
        Duration::from_secs_f64(-self.uniform().ln() * mean)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Free(OperatorId),
    Answer(OfferId, CallId, OperatorId),
    GiveUp(CallId),
    Arrive,
}

/// A hotline as the formulas have it, and as they do not.
struct Hotline {
    load: Load,
    operators: u32,
    patience: Option<f64>,
    /// Average time until a telephone is answered; 0 for at once.
    ringing: f64,
    /// Parts of a handling time: 1 is exponential, more vary less.
    parts: u32,
    /// Queues among which the calls are spread; every second operator serves one of them only.
    queues: u16,
    calls: u32,
}

#[derive(Default)]
struct Seen {
    waited: u32,
    given_up: u32,
    within: u32,
    waits: f64,
    answered: u32,
    forecasts: Vec<(Estimate, Duration)>,
}

struct Play {
    hotline: Hotline,
    random: Random,
    acd: Acd,
    now: Time,
    events: BTreeSet<(Time, Event)>,
    entered: BTreeMap<CallId, (Time, Option<Estimate>)>,
    seen: Seen,
}

impl Play {
    fn new(hotline: Hotline) -> Self {
        let mut acd = Acd::new(1);
        let queues = (0..hotline.queues).map(|id| QueueSettings {
            skills: vec![SkillNeed::required(&id.to_string())],
            ring_time: Duration::from_secs(3_600),
            wrap_up: WrapUp::None,
            ..QueueSettings::new(QueueId(id), "queue")
        });
        acd.handle(Time::ZERO, Input::Queues(queues.collect()));
        let operator = |id: u32| {
            let serves = |queue: &u16| {
                id.is_multiple_of(2) || u32::from(*queue) == id % u32::from(hotline.queues)
            };
            let skills = (0..hotline.queues)
                .filter(serves)
                .map(|queue| (queue.to_string(), 50));
            OperatorSettings::new(OperatorId(id), skills.collect())
        };
        let table = (0..hotline.operators).map(operator).collect();
        acd.handle(Time::ZERO, Input::Operators(table));
        for id in 0..hotline.operators {
            let (operator, reachable) = (OperatorId(id), true);
            let input = Input::Reachable {
                operator,
                reachable,
            };
            acd.handle(Time::ZERO, input);
        }
        Self {
            hotline,
            random: Random(SplitMix64::new(11)),
            acd,
            now: Time::ZERO,
            events: [(Time::ZERO, Event::Arrive)].into(),
            entered: BTreeMap::new(),
            seen: Seen::default(),
        }
    }

    fn run(mut self) -> Seen {
        let mut arrived = 0;
        while let Some((at, event)) = self.events.pop_first() {
            self.now = at;
            self.acd.handle_timeout(at);
            match event {
                Event::Arrive => {
                    arrived += 1;
                    self.arrive(CallId::new(1, arrived));
                    if arrived < self.hotline.calls {
                        let gap = self.random.exponential(1.0 / self.hotline.load.rate);
                        self.events.insert((at + gap, Event::Arrive));
                    }
                }
                Event::GiveUp(call) => {
                    if let Some((entered, _)) = self.entered.remove(&call) {
                        self.seen.given_up += 1;
                        self.seen.waits += at.since(entered).as_secs_f64();
                        self.acd.handle(at, Input::Left { call });
                    }
                }
                Event::Answer(offer, call, operator) => self.answer(offer, call, operator),
                Event::Free(operator) => self.acd.handle(at, Input::Freed { operator }),
            }
            self.drain();
        }
        self.seen
    }

    fn arrive(&mut self, call: CallId) {
        let queue =
            QueueId(u16::try_from(call.counter() % u32::from(self.hotline.queues)).unwrap());
        if let Some(patience) = self.hotline.patience {
            let gives_up = self.now + self.random.exponential(patience);
            self.events.insert((gives_up, Event::GiveUp(call)));
        }
        self.acd
            .handle(self.now, Input::Queued(Arrival::new(call, queue, self.now)));
        let estimate = self.acd.estimate_at_entry(call);
        let mut offered = Vec::new();
        while let Some(output) = self.acd.poll() {
            offered.push(output);
        }
        let waits = offered.is_empty();
        self.seen.waited += u32::from(waits);
        self.entered
            .insert(call, (self.now, estimate.filter(|_| waits)));
        for output in offered {
            self.follow(output);
        }
    }

    fn drain(&mut self) {
        while let Some(output) = self.acd.poll() {
            self.follow(output);
        }
    }

    fn follow(&mut self, output: Output) {
        if let Output::Offer {
            offer,
            call,
            operator,
            ..
        } = output
        {
            if self.hotline.ringing > 0.0 {
                let rings = self.random.exponential(self.hotline.ringing);
                let event = Event::Answer(offer, call, operator);
                self.events.insert((self.now + rings, event));
            } else {
                self.answer(offer, call, operator);
            }
        }
    }

    fn answer(&mut self, offer: OfferId, call: CallId, operator: OperatorId) {
        // Given up while it rang.
        let Some((entered, estimate)) = self.entered.remove(&call) else {
            return;
        };
        let waited = self.now.since(entered);
        self.seen.answered += 1;
        self.seen.waits += waited.as_secs_f64();
        self.seen.within += u32::from(waited <= Duration::from_secs(20));
        if let Some(estimate) = estimate {
            self.seen.forecasts.push((estimate, waited));
        }
        self.acd.handle(self.now, Input::Accepted { offer });
        let parts = self.hotline.parts;
        let part = self.hotline.load.handling / f64::from(parts);
        let talk: Duration = (0..parts).map(|_| self.random.exponential(part)).sum();
        self.events.insert((self.now + talk, Event::Free(operator)));
    }
}

fn theory(load: Load, operators: u32, patience: Option<f64>) -> Hotline {
    Hotline {
        load,
        operators,
        patience,
        ringing: 0.0,
        parts: 1,
        queues: 1,
        calls: 250_000,
    }
}

fn near(what: &str, found: f64, expected: f64, by: f64) {
    assert!(
        (found - expected).abs() <= by,
        "{what}: {found} is not {expected} ± {by}"
    );
}

#[test]
fn patient_callers_wait_as_erlang_c_has_it() {
    for (calls, seconds, handling, operators) in
        [(100.0, 1_800.0, 180.0, 14), (360.0, 3_600.0, 240.0, 28)]
    {
        let load = Load::new(calls, seconds, handling);
        let expected = Patient::new(load, operators).unwrap();
        let hotline = theory(load, operators, None);
        let calls = f64::from(hotline.calls);
        let seen = Play::new(hotline).run();
        let asa = expected.average_wait();
        near(
            "Pw",
            f64::from(seen.waited) / calls,
            expected.waits(),
            0.015,
        );
        near("ASA", seen.waits / calls, asa, asa * 0.05);
        near(
            "SL",
            f64::from(seen.within) / calls,
            expected.service_level(20.0),
            0.01,
        );
    }
}

#[test]
fn impatient_callers_wait_and_give_up_as_erlang_a_has_it() {
    let half_hour = Load::new(100.0, 1_800.0, 180.0);
    let hour = Load::new(360.0, 3_600.0, 240.0);
    for (load, patience, operators) in [
        (half_hour, 120.0, 10),
        (half_hour, 120.0, 11),
        (hour, 180.0, 24),
    ] {
        let expected = Impatient::new(load, operators, patience).unwrap();
        let hotline = theory(load, operators, Some(patience));
        let calls = f64::from(hotline.calls);
        let seen = Play::new(hotline).run();
        let wait = expected.average_wait();
        near(
            "Pw",
            f64::from(seen.waited) / calls,
            expected.waits(),
            0.015,
        );
        near(
            "P(ab)",
            f64::from(seen.given_up) / calls,
            expected.abandons(),
            0.01,
        );
        near("wait", seen.waits / calls, wait, wait * 0.05);
        near(
            "SL",
            f64::from(seen.within) / calls,
            expected.service_level(20.0),
            0.01,
        );
    }
}

#[test]
fn nine_of_ten_waits_are_within_the_estimate_and_half_within_the_median() {
    let load = Load::new(100.0, 1_800.0, 180.0);
    let plain = |operators, patience| Hotline {
        ringing: 4.0,
        calls: 50_000,
        ..theory(load, operators, patience)
    };
    for (name, hotline) in [
        ("patient", plain(12, None)),
        ("overloaded, impatient", plain(9, Some(240.0))),
        (
            "several queues, regular talks",
            Hotline {
                queues: 3,
                parts: 4,
                ..plain(12, Some(600.0))
            },
        ),
    ] {
        let seen = Play::new(hotline).run();
        // The first weeks teach.
        let judged = &seen.forecasts[1_000..];
        let part = |of: &dyn Fn(&Estimate) -> Duration| {
            let covered = judged
                .iter()
                .filter(|(estimate, wait)| *wait <= of(estimate));
            covered.count() as f64 / judged.len() as f64
        };
        assert!(judged.len() > 10_000, "{name}: {} waits", judged.len());
        near(name, part(&|estimate| estimate.p90), 0.90, 0.02);
        near(name, part(&|estimate| estimate.median), 0.50, 0.05);
    }
}
