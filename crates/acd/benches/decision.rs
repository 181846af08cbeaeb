//! The cost of one decision: n calls waiting, n operators, 32 skills.
//!
//! `cargo bench -p acd` prints the time of one event with everything that follows from it.

use core::time::Duration;
use std::collections::BTreeMap;

use acd::{Acd, Arrival, Input, OperatorSettings, Output, QueueSettings, SkillNeed};
use divan::Bencher;
use vocab::{CallId, OfferId, OperatorId, QueueId, Time};

const SKILLS: u16 = 32;
const SIZES: [u32; 3] = [100, 1_000, 10_000];

fn main() {
    divan::main();
}

struct Floor {
    acd: Acd,
    now: Time,
    next_call: u32,
    operators: u32,
}

impl Floor {
    /// Queues of 32 skills; every operator has 8 of them at levels of their own.
    fn new(operators: u32) -> Self {
        let mut acd = Acd::new(1);
        let queues = (0..SKILLS).map(|number| QueueSettings {
            wait_max: Some(Duration::from_secs(3_600)),
            length_max: 100_000,
            skills: vec![SkillNeed::required(&format!("skill {number}"))],
            ..QueueSettings::new(QueueId(number), &format!("queue {number}"))
        });
        acd.handle(Time::ZERO, Input::Queues(queues.collect()));
        let settings = (0..operators).map(|id| {
            let level = |step: u32| u8::try_from(1 + (id * 7 + step * 13) % 100).unwrap_or(1);
            let skill = |step: u32| format!("skill {}", (id + step * 4) % u32::from(SKILLS));
            let skills: BTreeMap<String, u8> =
                (0..8).map(|step| (skill(step), level(step))).collect();
            OperatorSettings::new(OperatorId(id), skills)
        });
        acd.handle(Time::ZERO, Input::Operators(settings.collect()));
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
    }

    fn call(&mut self) -> (CallId, Option<OfferId>) {
        self.tick();
        self.next_call = self.next_call.wrapping_add(1);
        let call = CallId::new(1, self.next_call);
        let queue = QueueId(u16::try_from(self.next_call % u32::from(SKILLS)).unwrap_or(0));
        self.acd
            .handle(self.now, Input::Queued(Arrival::new(call, queue, self.now)));
        (call, self.drain())
    }

    fn drain(&mut self) -> Option<OfferId> {
        let mut made = None;
        while let Some(output) = self.acd.poll() {
            if let Output::Offer { offer, .. } = output {
                made = Some(offer);
            }
        }
        made
    }
}

/// Everybody talks and n calls wait: an operator gets free, takes the next call, a new one comes.
#[divan::bench(args = SIZES)]
fn operator_gets_free(bencher: Bencher<'_, '_>, n: u32) {
    let mut floor = Floor::new(n);
    for _ in 0..2 * n + n / 2 {
        if let (_, Some(offer)) = floor.call() {
            floor.acd.handle(floor.now, Input::Accepted { offer });
        }
    }
    let mut turn = 0_u32;
    bencher.bench_local(|| {
        turn = (turn + 1) % floor.operators;
        floor.tick();
        floor.acd.handle(
            floor.now,
            Input::Freed {
                operator: OperatorId(turn),
            },
        );
        if let Some(offer) = floor.drain() {
            floor.acd.handle(floor.now, Input::Accepted { offer });
            floor.call();
        }
    });
}

/// n operators are free: a call comes, is offered, and its caller hangs up.
#[divan::bench(args = SIZES)]
fn call_arrives(bencher: Bencher<'_, '_>, n: u32) {
    let mut floor = Floor::new(n);
    bencher.bench_local(|| {
        let (call, offer) = floor.call();
        assert!(offer.is_some(), "somebody is free");
        floor.acd.handle(floor.now, Input::Left { call });
        floor.drain();
    });
}
