//! A leaving core, its successor, and the words on the way between them.

use std::collections::VecDeque;
use std::time::Duration;

use acd::{Acd, Input, Output, QueueSettings};
use vocab::{OperatorId, OperatorState, Time};

use crate::floor::{Floor, Q, operator, queue};

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    Leaving,
    Successor,
}

pub use Side::{Leaving, Successor};

pub struct Pair {
    pub now: u64,
    pub leaving: Acd,
    pub successor: Acd,
    /// Words on the way to each, in order.
    pub to_leaving: VecDeque<Input>,
    pub to_successor: VecDeque<Input>,
}

impl Pair {
    /// A floor that is served by one core, which is to leave.
    pub fn begin(floor: Floor) -> Self {
        Self {
            now: floor.now,
            leaving: floor.acd,
            successor: Acd::new(2),
            to_leaving: VecDeque::new(),
            to_successor: VecDeque::new(),
        }
    }

    /// Hands over to a successor that knows these operators and finds them reachable.
    pub fn hand_over(&mut self, operators: &[OperatorId]) {
        self.successor = Acd::new(2);
        self.tell(Successor, Input::Predecessor);
        self.tell(Successor, Input::Queues(queues()));
        let table = operators.iter().map(|id| operator(*id, &[])).collect();
        self.tell(Successor, Input::Operators(table));
        for operator in operators {
            self.reachable(Successor, *operator, true);
        }
        self.tell(Leaving, Input::HandedOver);
    }

    pub fn side(&self, side: Side) -> &Acd {
        match side {
            Leaving => &self.leaving,
            Successor => &self.successor,
        }
    }

    /// Something happens a millisecond later at one of them; what it says to the other sets out.
    pub fn tell(&mut self, side: Side, input: Input) -> Vec<Output> {
        self.now += 1;
        let now = Time::from_millis(self.now);
        match side {
            Leaving => self.leaving.handle(now, input),
            Successor => self.successor.handle(now, input),
        }
        self.drain(side)
    }

    pub fn reachable(&mut self, side: Side, operator: OperatorId, reachable: bool) -> Vec<Output> {
        let input = Input::Reachable {
            operator,
            reachable,
        };
        self.tell(side, input)
    }

    fn drain(&mut self, side: Side) -> Vec<Output> {
        let (core, words) = match side {
            Leaving => (&mut self.leaving, &mut self.to_successor),
            Successor => (&mut self.successor, &mut self.to_leaving),
        };
        let mut others = Vec::new();
        while let Some(output) = core.poll() {
            match output {
                Output::Staff(operators) => words.push_back(Input::Staff(operators)),
                Output::Lend(operators) => words.push_back(Input::Lent(operators)),
                Output::Want(wanted) => words.push_back(Input::Wanted(wanted)),
                other => others.push(other),
            }
        }
        others
    }

    /// The next word arrives at a side, if one is on the way.
    pub fn deliver(&mut self, side: Side) -> Option<Vec<Output>> {
        let words = match side {
            Leaving => &mut self.to_leaving,
            Successor => &mut self.to_successor,
        };
        let word = words.pop_front()?;
        Some(self.tell(side, word))
    }

    /// All words arrive, and those that follow from them; fails if they never end.
    pub fn settle(&mut self) -> Vec<(Side, Output)> {
        let mut outputs = Vec::new();
        for _ in 0..1_000 {
            let mut quiet = true;
            for side in [Successor, Leaving] {
                if let Some(more) = self.deliver(side) {
                    quiet = false;
                    outputs.extend(more.into_iter().map(|output| (side, output)));
                }
            }
            if quiet {
                return outputs;
            }
        }
        panic!("the two talk without end");
    }

    /// Time passes at both, with every deadline served when it is due.
    pub fn pass(&mut self, time: Duration) -> Vec<(Side, Output)> {
        let end = self.now + u64::try_from(time.as_millis()).unwrap();
        let mut outputs = Vec::new();
        loop {
            let due = |side: Side| Some((self.side(side).next_deadline()?, side));
            let next = [Leaving, Successor].into_iter().filter_map(due).min();
            let Some((at, side)) = next.filter(|(at, _)| *at <= Time::from_millis(end)) else {
                break;
            };
            self.now = self.now.max(at.as_micros().div_ceil(1_000));
            match side {
                Leaving => self.leaving.handle_timeout(at),
                Successor => self.successor.handle_timeout(at),
            }
            let more = self.drain(side);
            outputs.extend(more.into_iter().map(|output| (side, output)));
        }
        self.now = self.now.max(end);
        outputs
    }

    /// Who holds an operator; fails if it is both.
    #[track_caller]
    pub fn holder(&self, operator: OperatorId) -> Option<Side> {
        match (self.leaving.holds(operator), self.successor.holds(operator)) {
            (true, true) => panic!("both hold {operator:?} at {}", self.now),
            (true, false) => Some(Leaving),
            (false, true) => Some(Successor),
            (false, false) => None,
        }
    }

    pub fn state(&self, side: Side, operator: OperatorId) -> OperatorState {
        self.side(side).operator_state(operator).unwrap().0
    }
}

pub fn queues() -> Vec<QueueSettings> {
    vec![queue(Q)]
}
