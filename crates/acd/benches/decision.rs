//! The cost of one decision with all rules on: n calls wait, n operators, 32 skills.
//!
//! `cargo bench -p acd` prints, for n of 100, 1,000 and 10,000, the time of single events with
//! everything that follows from each, and that of reading the clock. A plain harness: what is asked for is
//! the 99th percentile of single events, not the mean of many. Times are those of this thread's CPU, so
//! that whoever else runs on the machine is not counted, but for what it takes of the caches and what
//! the kernel does in between. Since the core is deterministic, each sequence of events is played
//! [`RUNS`] times, and the least time of an event is the event's own: printed beside that of all times.
//! `ACD_BENCH_N=1000` does one n alone.

use core::time::Duration;
use std::collections::BTreeMap;

use acd::{
    Acd, Arrival, Input, Limits, Membership, OperatorSettings, Output, QueueSettings, Relaxation,
    SkillNeed, Strategy, WrapUp,
};
use rustix::time::{ClockId, clock_gettime};
use vocab::{CallId, OfferId, OperatorId, QueueId, Time};

const SKILLS: u16 = 32;
const EVENTS: usize = 50_000;
/// How often the same events are played.
const RUNS: usize = 5;
/// Pictures of a floor that stands still.
const PICTURES: usize = 100;
/// Events before those that count: the first call with wishes that no call had before makes groups,
/// and every operator gets a place in them; 64 times here.
const WARM_UP: usize = 200;

fn main() {
    // `cargo test` runs benches, too: once is enough there.
    let events = if std::env::args().any(|argument| argument == "--bench") {
        EVENTS
    } else {
        200
    };
    println!("                              of all times                   of each event's least");
    println!(
        "event                      n   median      p99     p99.9   median      p99     p99.9"
    );
    report("the clock alone", 0, || clock_alone(events));
    let asked = std::env::var("ACD_BENCH_N").ok();
    let asked = asked.and_then(|n| n.parse::<u32>().ok());
    let all = [100, 1_000, 10_000].into_iter();
    for n in all.filter(|n| asked.is_none_or(|asked| asked == *n)) {
        report("operator gets free", n, || operator_gets_free(n, events));
        report("call comes, offered", n, || call_arrives(n, events));
        report("call comes, waits", n, || {
            call_joins_a_full_queue(n, events)
        });
        report("live picture, crowd", n, || {
            live_picture(&Floor::crowded(n))
        });
        report("live picture, idle", n, || live_picture(&Floor::new(n)));
    }
}

/// CPU of this thread so far.
fn thread_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let part = u32::try_from(time.tv_nsec).unwrap_or_default();
    Duration::new(time.tv_sec.unsigned_abs(), part)
}

/// What reading the clock twice costs: a part of every figure.
fn clock_alone(events: usize) -> Vec<Duration> {
    let times = (0..events).map(|_| {
        let began = thread_time();
        thread_time() - began
    });
    times.collect()
}

struct Floor {
    acd: Acd,
    now: Time,
    next_call: u32,
    operators: u32,
}

impl Floor {
    /// 32 queues of a skill each, with limits, two steps of relaxation, six strategies, own
    /// operators and kept places; every operator has 8 skills at levels of their own and is a member
    /// of those 8 queues with an order, one in four with a delay.
    fn new(operators: u32) -> Self {
        let mut acd = Acd::new(1);
        let queues = (0..SKILLS).map(queue).collect();
        acd.handle(Time::ZERO, Input::Queues(queues));
        let table = (0..operators).map(operator).collect();
        acd.handle(Time::ZERO, Input::Operators(table));
        let mut floor = Self {
            acd,
            now: Time::ZERO,
            next_call: 0,
            operators,
        };
        for id in 0..operators {
            floor.tick();
            let reachable = Input::Reachable {
                operator: OperatorId(id),
                reachable: true,
            };
            floor.acd.handle(floor.now, reachable);
        }
        floor
    }

    fn tick(&mut self) {
        self.now = self.now + Duration::from_micros(10);
        self.acd.handle_timeout(self.now);
    }

    fn arrival(&mut self) -> Arrival {
        self.next_call = self.next_call.wrapping_add(1);
        let queue = QueueId(u16::try_from(self.next_call % u32::from(SKILLS)).unwrap_or(0));
        let call = CallId::new(1, self.next_call);
        let language = if self.next_call.is_multiple_of(3) {
            "uk"
        } else {
            "ru"
        };
        Arrival {
            priority: u8::try_from(self.next_call % 3).unwrap_or(0),
            caller: format!("+7{}", self.next_call % 50_000),
            skills: vec![SkillNeed::preferred(language)],
            ..Arrival::new(call, queue, self.now)
        }
    }

    fn call(&mut self) -> (CallId, Option<(OfferId, OperatorId)>) {
        let arrival = self.arrival();
        let call = arrival.call;
        self.acd.handle(self.now, Input::Queued(arrival));
        (call, self.drain())
    }

    fn drain(&mut self) -> Option<(OfferId, OperatorId)> {
        let mut made = None;
        while let Some(output) = self.acd.poll() {
            if let Output::Offer {
                offer, operator, ..
            } = output
            {
                made = Some((offer, operator));
            }
        }
        made
    }

    // The events that are measured, each a function of its own: so an instruction counter tells them
    // apart (`valgrind --tool=callgrind`, inclusive cost by calls).

    #[inline(never)]
    fn event_freed(&mut self, operator: OperatorId) -> Option<(OfferId, OperatorId)> {
        self.acd.handle(self.now, Input::Freed { operator });
        self.drain()
    }

    #[inline(never)]
    fn event_offered(&mut self, arrival: Arrival) -> Option<(OfferId, OperatorId)> {
        self.acd.handle(self.now, Input::Queued(arrival));
        self.drain()
    }

    #[inline(never)]
    fn event_waits(&mut self, arrival: Arrival) {
        self.acd.handle(self.now, Input::Queued(arrival));
        self.drain();
    }

    /// Everybody talks, and n calls wait.
    fn crowded(n: u32) -> Self {
        let mut floor = Self::new(n);
        let mut waiting = 0;
        while waiting < n {
            floor.tick();
            match floor.call() {
                (_, Some((offer, _))) => floor.acd.handle(floor.now, Input::Accepted { offer }),
                (_, None) => waiting += 1,
            }
        }
        floor
    }
}

fn queue(number: u16) -> QueueSettings {
    let limits = Limits { min: 30, max: 100 };
    let step = |after, levels_by, anyone| Relaxation {
        after: Duration::from_secs(after),
        levels_by,
        anyone,
        ..Relaxation::default()
    };
    QueueSettings {
        wait_max: Some(Duration::from_secs(86_400)),
        length_max: 100_000,
        skills: vec![SkillNeed::within(&format!("skill {number}"), limits)],
        relaxation: vec![step(60, 20, false), step(3_600, 0, true)],
        strategy: match number % 6 {
            0 => Strategy::LongestIdle,
            1 => Strategy::FewestCalls,
            2 => Strategy::LeastTalk,
            3 => Strategy::RoundRobin,
            4 => Strategy::Linear,
            _ => Strategy::WeightedRandom,
        },
        sticky: Some(Duration::from_millis(1)),
        keep_place: Some(Duration::from_secs(1)),
        wrap_up: WrapUp::None,
        ..QueueSettings::new(QueueId(number), &format!("queue {number}"))
    }
}

fn operator(id: u32) -> OperatorSettings {
    let number = |step: u32| u16::try_from((id + step * 4) % u32::from(SKILLS)).unwrap_or(0);
    let level = |step: u32| u8::try_from(1 + (id * 7 + step * 13) % 100).unwrap_or(1);
    let mut skills: BTreeMap<String, u8> = (0..8)
        .map(|step| (format!("skill {}", number(step)), level(step)))
        .collect();
    let language = if id.is_multiple_of(2) { "ru" } else { "uk" };
    skills.insert(language.to_owned(), 80);
    let member = |step| Membership {
        queue: QueueId(number(step)),
        order: u8::from(step > 3),
        delay: Duration::from_secs(if (id / 4).is_multiple_of(4) { 5 } else { 0 }),
        reserve: false,
        ring_time: None,
    };
    OperatorSettings {
        queues: (0..8).map(member).collect(),
        ..OperatorSettings::new(OperatorId(id), skills)
    }
}

/// Everybody talks and n calls wait: an operator gets free and is offered the next call.
fn operator_gets_free(n: u32, events: usize) -> Vec<Duration> {
    let mut floor = Floor::crowded(n);
    let mut times = Vec::with_capacity(events);
    let mut turn = 0_u32;
    while times.len() < events {
        turn = (turn + 1) % floor.operators;
        floor.tick();
        let operator = OperatorId(turn);
        let began = thread_time();
        let made = floor.event_freed(operator);
        let took = thread_time() - began;
        if let Some((offer, _)) = made {
            times.push(took);
            floor.acd.handle(floor.now, Input::Accepted { offer });
            floor.call();
        }
    }
    times
}

/// n operators are free: a call comes and is offered.
fn call_arrives(n: u32, events: usize) -> Vec<Duration> {
    let mut floor = Floor::new(n);
    for _ in 0..WARM_UP {
        floor.tick();
        let (call, _) = floor.call();
        floor.acd.handle(floor.now, Input::Left { call });
        floor.drain();
    }
    let mut times = Vec::with_capacity(events);
    while times.len() < events {
        floor.tick();
        let arrival = floor.arrival();
        let call = arrival.call;
        let began = thread_time();
        let made = floor.event_offered(arrival);
        times.push(thread_time() - began);
        assert!(made.is_some(), "somebody is free");
        floor.acd.handle(floor.now, Input::Left { call });
        floor.drain();
    }
    times
}

/// Everybody talks and n calls wait: one more comes and waits.
fn call_joins_a_full_queue(n: u32, events: usize) -> Vec<Duration> {
    let mut floor = Floor::crowded(n);
    let mut times = Vec::with_capacity(events);
    while times.len() < events {
        floor.tick();
        let arrival = floor.arrival();
        let call = arrival.call;
        let began = thread_time();
        floor.event_waits(arrival);
        times.push(thread_time() - began);
        floor.acd.handle(floor.now, Input::Left { call });
        floor.drain();
    }
    times
}

/// The picture of all queues for screens, five times a second in the engine.
fn live_picture(floor: &Floor) -> Vec<Duration> {
    let times = (0..PICTURES).map(|_| {
        let began = thread_time();
        let queues = floor.acd.live_queues(floor.now);
        let took = thread_time() - began;
        assert_eq!(queues.len(), usize::from(SKILLS));
        took
    });
    times.collect()
}

/// Plays the same events [`RUNS`] times and prints a line about their times.
fn report(event: &str, n: u32, play: impl Fn() -> Vec<Duration>) {
    let mut all = Vec::new();
    let mut least: Vec<Duration> = Vec::new();
    for _ in 0..RUNS {
        let times = play();
        if least.is_empty() {
            least.clone_from(&times);
        }
        for (least, time) in least.iter_mut().zip(&times) {
            *least = (*least).min(*time);
        }
        all.extend(times);
    }
    println!("{event:20} {n:7} {}  {}", in_words(all), in_words(least));
}

/// Median, 99th and 99.9th percentile.
fn in_words(mut times: Vec<Duration>) -> String {
    times.sort_unstable();
    let at = |part: usize| {
        let index = (times.len() * part / 1_000).min(times.len() - 1);
        times
            .get(index)
            .map_or(0.0, |time| time.as_secs_f64() * 1e6)
    };
    let (median, p99, p999) = (at(500), at(990), at(999));
    format!("{median:5.2} µs {p99:5.2} µs {p999:6.2} µs")
}
