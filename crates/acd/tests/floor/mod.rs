//! A floor of operators around the core for tests, with its clock in milliseconds.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    unreachable_pub
)]

use std::collections::BTreeMap;
use std::time::Duration;

use acd::{
    Acd, Arrival, By, Command, Failures, Input, OperatorSettings, Output, QueueSettings, Refusal,
    SkillNeed, Status, WrapUp,
};
use vocab::{CallId, OfferId, OfferResult, OperatorId, OperatorState, QueueId, Time};

pub const RING: u64 = 15_000;
pub const RETRY: u64 = 5_000;
pub const REST: u64 = 30_000;
pub const WRAP_UP: u64 = 10_000;
pub const WAIT_MAX: u64 = 120_000;

pub const Q: QueueId = QueueId(1);
pub const A: OperatorId = OperatorId(1);
pub const B: OperatorId = OperatorId(2);

pub fn queue(id: QueueId) -> QueueSettings {
    QueueSettings {
        ring_time: Duration::from_millis(RING),
        wait_max: Some(Duration::from_millis(WAIT_MAX)),
        length_max: 5,
        wrap_up: WrapUp::Fixed(Duration::from_millis(WRAP_UP)),
        failures: Failures::new(Duration::from_millis(RETRY), Duration::from_millis(REST)),
        ..QueueSettings::new(id, &format!("queue{}", id.0))
    }
}

pub fn skilled(id: QueueId, skill: &str) -> QueueSettings {
    QueueSettings {
        skills: vec![SkillNeed::required(skill)],
        ..queue(id)
    }
}

pub fn operator(id: OperatorId, skills: &[(&str, u8)]) -> OperatorSettings {
    let skills: BTreeMap<String, u8> = skills
        .iter()
        .map(|(skill, level)| ((*skill).to_owned(), *level))
        .collect();
    OperatorSettings::new(id, skills)
}

pub fn call(number: u32) -> CallId {
    CallId::new(1, number)
}

pub fn arrival(call: CallId, queue: QueueId, since: u64) -> Input {
    Input::Queued(Arrival::new(call, queue, Time::from_millis(since)))
}

/// A core with its clock in milliseconds.
pub struct Floor {
    pub acd: Acd,
    pub now: u64,
}

impl Floor {
    /// One queue for everybody; the operators are reachable, the first since longest.
    pub fn new(operators: &[OperatorId]) -> Self {
        let mut floor = Self {
            acd: Acd::new(1),
            now: 0,
        };
        floor.tell(Input::Queues(vec![queue(Q)]));
        let table = operators.iter().map(|id| operator(*id, &[])).collect();
        floor.tell(Input::Operators(table));
        for id in operators {
            floor.reachable(*id, true);
        }
        floor
    }

    /// Something happens a millisecond later.
    pub fn tell(&mut self, input: Input) -> Vec<Output> {
        self.now += 1;
        self.acd.handle(Time::from_millis(self.now), input);
        self.drain()
    }

    pub fn drain(&mut self) -> Vec<Output> {
        std::iter::from_fn(|| self.acd.poll()).collect()
    }

    /// Time passes, with every deadline served when it is due.
    pub fn pass(&mut self, ms: u64) -> Vec<Output> {
        let end = Time::from_millis(self.now + ms);
        let mut outputs = Vec::new();
        while let Some(at) = self.acd.next_deadline().filter(|at| *at <= end) {
            self.acd.handle_timeout(at);
            outputs.extend(self.drain());
        }
        self.now += ms;
        outputs
    }

    pub fn reachable(&mut self, operator: OperatorId, reachable: bool) -> Vec<Output> {
        self.tell(Input::Reachable {
            operator,
            reachable,
        })
    }

    pub fn paused(&mut self, operator: OperatorId, paused: bool) -> Vec<Output> {
        let status = if paused {
            Status::on_break("lunch")
        } else {
            Status::Available
        };
        let mut outputs = self.tell(Input::Status {
            operator,
            status,
            by: By::Operator,
        });
        // What is told of it is another test's matter.
        outputs.retain(|output| {
            !matches!(output, Output::StatusChanged { .. } | Output::BreakTaken(_))
        });
        outputs
    }

    pub fn enter(&mut self, number: u32, priority: u8) -> Vec<Output> {
        self.tell(Input::Queued(Arrival {
            priority,
            ..Arrival::new(call(number), Q, Time::from_millis(self.now + 1))
        }))
    }

    pub fn left(&mut self, number: u32) -> Vec<Output> {
        self.tell(Input::Left { call: call(number) })
    }

    /// These queues and operators, all reachable in their order.
    pub fn with(queues: Vec<QueueSettings>, operators: Vec<OperatorSettings>) -> Self {
        let mut floor = Self {
            acd: Acd::new(1),
            now: 0,
        };
        let ids: Vec<OperatorId> = operators.iter().map(|who| who.id).collect();
        floor.tell(Input::Queues(queues));
        floor.tell(Input::Operators(operators));
        for id in ids {
            floor.reachable(id, true);
        }
        floor
    }

    /// A call that comes a millisecond later, and what it asks for.
    pub fn arrives(
        &mut self,
        number: u32,
        queue: QueueId,
        more: impl Fn(&mut Arrival),
    ) -> Vec<Output> {
        let now = Time::from_millis(self.now + 1);
        let mut arrival = Arrival::new(call(number), queue, now);
        more(&mut arrival);
        self.tell(Input::Queued(arrival))
    }

    pub fn status(&mut self, operator: OperatorId, status: Status, by: By) -> Vec<Output> {
        self.tell(Input::Status {
            operator,
            status,
            by,
        })
    }

    /// A command; its refusal, and what else followed.
    pub fn command(&mut self, command: Command) -> (Option<Refusal>, Vec<Output>) {
        let mut outputs = self.tell(Input::Command { number: 7, command });
        match outputs.pop() {
            Some(Output::Commanded { number: 7, refusal }) => (refusal, outputs),
            other => panic!("expected an answer to the command, found {other:?}"),
        }
    }

    /// The whole of a call at an operator: answered, talked for so long, wrapped up.
    pub fn serve(&mut self, offer: OfferId, operator: OperatorId, talk: u64) -> Vec<Output> {
        self.accepted(offer);
        let mut outputs = self.pass(talk);
        outputs.extend(self.freed(operator));
        outputs.extend(self.pass(WRAP_UP));
        outputs
    }

    pub fn failed(&mut self, offer: OfferId, result: OfferResult) -> Vec<Output> {
        self.tell(Input::Failed { offer, result })
    }

    /// The operator answers and talks.
    pub fn accepted(&mut self, offer: OfferId) {
        assert_eq!(self.tell(Input::Accepted { offer }), []);
    }

    pub fn freed(&mut self, operator: OperatorId) -> Vec<Output> {
        self.tell(Input::Freed { operator })
    }

    pub fn state(&self, operator: OperatorId) -> OperatorState {
        self.acd
            .operator_state(operator)
            .expect("a known operator")
            .0
    }
}

/// The one output, which is an offer: of which call to whom.
#[track_caller]
pub fn offer(outputs: &[Output]) -> (OfferId, u32, OperatorId) {
    match outputs {
        [
            Output::Offer {
                offer,
                call,
                operator,
                ..
            },
        ] => (*offer, call.counter(), *operator),
        other => panic!("expected one offer, found {other:?}"),
    }
}

/// All offers among these: of which call to whom.
pub fn offers(outputs: &[Output]) -> Vec<(OfferId, u32, OperatorId)> {
    let offers = outputs.iter().filter_map(|output| match output {
        Output::Offer {
            offer,
            call,
            operator,
            ..
        } => Some((*offer, call.counter(), *operator)),
        _ => None,
    });
    offers.collect()
}

/// A withdrawal: of which offer, and why.
#[track_caller]
pub fn withdrawal(output: Option<&Output>) -> (OfferId, OfferResult) {
    match output {
        Some(Output::Withdraw { offer, result, .. }) => (*offer, *result),
        other => panic!("expected a withdrawal, found {other:?}"),
    }
}

/// Who else was considered for the one offer, and why not.
#[track_caller]
pub fn why_not(outputs: &[Output]) -> Vec<(OperatorId, acd::WhyNot)> {
    match outputs {
        [Output::Offer { why, .. }] => why
            .considered
            .iter()
            .map(|one| (one.operator, one.why_not))
            .collect(),
        other => panic!("expected one offer, found {other:?}"),
    }
}
