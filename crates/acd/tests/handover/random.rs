//! Two cores, any events in any order, words that take their time.

use std::collections::BTreeMap;
use std::time::Duration;

use acd::{Acd, Arrival, By, Input, Output, QueueSettings, Status, WrapUp};
use vocab::{CallId, OfferId, OfferResult, OperatorId, OperatorState, SplitMix64, Time};

use crate::floor::{Floor, Q, operator, queue};
use crate::pair::{Leaving, Pair, Side, Successor};

/// As many are in both tables at first; as many more may join.
const OPERATORS: u32 = 4;
const NEWCOMERS: u32 = 2;
const STEPS: u32 = 400;
const WORLDS: u64 = 300;

struct World {
    chance: SplitMix64,
    pair: Pair,
    calls: u32,
    /// Who rings, by offer: at which side, for which call.
    ringing: BTreeMap<(Side, OfferId), (CallId, OperatorId)>,
    /// Who talks, at which side.
    talking: BTreeMap<OperatorId, Side>,
    /// Calls that no queue gave.
    other_calls: Vec<(Side, OperatorId)>,
    waiting: Vec<(Side, CallId)>,
    /// How many operators the tables have.
    listed: BTreeMap<Side, u32>,
    seen: BTreeMap<&'static str, u32>,
}

impl World {
    fn new(seed: u64) -> Self {
        let operators: Vec<OperatorId> = (1..=OPERATORS).map(OperatorId).collect();
        let floor = Floor::new(&operators);
        let mut world = Self {
            chance: SplitMix64::new(seed),
            pair: Pair::begin(floor),
            calls: 0,
            ringing: BTreeMap::new(),
            talking: BTreeMap::new(),
            other_calls: Vec::new(),
            waiting: Vec::new(),
            listed: BTreeMap::from([(Leaving, OPERATORS), (Successor, OPERATORS)]),
            seen: BTreeMap::new(),
        };
        for _ in 0..world.chance.below(12) {
            let kind = [0, 0, 2, 3, 6, 7, 9][world.below(7)];
            world.step(Leaving, kind);
        }
        world
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.chance.below(bound as u64)).unwrap()
    }

    fn see(&mut self, what: &'static str) {
        *self.seen.entry(what).or_default() += 1;
    }

    fn hand_over(&mut self) {
        let known: Vec<OperatorId> = (1..=self.listed[&Successor]).map(OperatorId).collect();
        let begun = self.pair.now;
        self.pair.hand_over(&known);
        assert!(self.pair.now > begun);
        self.check();
    }

    /// Any operator whom either knows.
    fn anybody(&mut self) -> OperatorId {
        OperatorId(1 + u32::try_from(self.below((OPERATORS + NEWCOMERS) as usize)).unwrap())
    }

    fn tell(&mut self, side: Side, input: Input) {
        let outputs = self.pair.tell(side, input);
        self.note(side, outputs);
    }

    fn note(&mut self, side: Side, outputs: Vec<Output>) {
        for output in outputs {
            match output {
                Output::Offer {
                    offer,
                    call,
                    operator,
                    ..
                } => {
                    let rings = self.ringing.values().any(|(_, who)| *who == operator);
                    let talks = self.talking.contains_key(&operator);
                    assert!(!rings && !talks, "{operator:?} gets a second offer");
                    self.ringing.insert((side, offer), (call, operator));
                    self.see(match side {
                        Leaving => "offer_leaving",
                        Successor => "offer_successor",
                    });
                }
                Output::Withdraw { offer, .. } => {
                    self.ringing.remove(&(side, offer));
                }
                Output::Dismissed { call, .. } => {
                    self.waiting.retain(|one| *one != (side, call));
                }
                Output::Stale { .. } => panic!("only live offers are answered"),
                _ => {}
            }
        }
    }

    /// Something that may happen; `kind` says what.
    fn step(&mut self, side: Side, kind: usize) {
        match kind {
            0 => {
                self.calls += 1;
                let boot = if side == Leaving { 1 } else { 2 };
                let call = CallId::new(boot, self.calls);
                let now = Time::from_millis(self.pair.now + 1);
                self.waiting.push((side, call));
                self.tell(side, Input::Queued(Arrival::new(call, Q, now)));
            }
            1 => {
                let at = self.below(self.waiting.len().max(1));
                if let Some((side, call)) = self.waiting.get(at).copied() {
                    self.waiting.remove(at);
                    self.tell(side, Input::Left { call });
                }
            }
            2 => self.answer(true),
            3 => {
                let at = self.below(self.talking.len().max(1));
                let found = self.talking.iter().nth(at);
                if let Some((operator, side)) = found.map(|(who, side)| (*who, *side)) {
                    self.talking.remove(&operator);
                    self.tell(side, Input::Freed { operator });
                }
            }
            4 => self.answer(false),
            5 => {
                if let Some(outputs) = self.pair.deliver(side) {
                    self.note(side, outputs);
                }
            }
            6 => {
                // Somebody dials, or is called by name, where the operator is held or calls to.
                let operator = self.anybody();
                let state = self.pair.side(side).operator_state(operator);
                let free = state.is_some_and(|(state, _)| state == OperatorState::Free);
                if free || side == Successor {
                    self.other_calls.push((side, operator));
                    self.tell(side, Input::OtherCallBegan { operator });
                }
            }
            7 => {
                let at = self.below(self.other_calls.len().max(1));
                if let Some((side, operator)) = self.other_calls.get(at).copied() {
                    self.other_calls.remove(at);
                    let wrap_up = WrapUp::Fixed(Duration::from_secs(self.chance.below(3)));
                    self.tell(side, Input::OtherCallEnded { operator, wrap_up });
                }
            }
            8 => {
                let (operator, reachable) = (self.anybody(), self.chance.below(3) > 0);
                self.tell(
                    side,
                    Input::Reachable {
                        operator,
                        reachable,
                    },
                );
            }
            9 => {
                // Statuses are the successor's business after the handover.
                let operator = self.anybody();
                let status = match self.chance.below(3) {
                    0 => Status::on_break("lunch"),
                    _ => Status::Available,
                };
                let by = By::Operator;
                self.tell(
                    side,
                    Input::Status {
                        operator,
                        status,
                        by,
                    },
                );
            }
            10 => self.grow(side),
            _ => {
                let long = Duration::from_millis(self.chance.below(9_000));
                for (side, output) in self.pair.pass(long) {
                    self.note(side, vec![output]);
                }
            }
        }
    }

    fn answer(&mut self, takes: bool) {
        let at = self.below(self.ringing.len().max(1));
        let Some((side, offer)) = self.ringing.keys().nth(at).copied() else {
            return;
        };
        let (call, operator) = self.ringing.remove(&(side, offer)).unwrap();
        if takes {
            self.waiting.retain(|one| *one != (side, call));
            self.talking.insert(operator, side);
            self.tell(side, Input::Accepted { offer });
        } else {
            let results = [
                OfferResult::Busy,
                OfferResult::Rejected,
                OfferResult::Unreachable,
                OfferResult::NoAnswer,
            ];
            let result = results[self.below(results.len())];
            self.tell(side, Input::Failed { offer, result });
        }
    }

    /// Somebody joins the table of a side, or the newest goes.
    fn grow(&mut self, side: Side) {
        let listed = self.listed[&side];
        let grows = self.chance.below(2) == 0;
        let next = if grows { listed + 1 } else { listed - 1 };
        let next = next.clamp(OPERATORS, OPERATORS + NEWCOMERS);
        self.listed.insert(side, next);
        let table = (1..=next).map(|id| operator(OperatorId(id), &[])).collect();
        self.tell(side, Input::Operators(table));
    }

    fn on_the_way(&self, operator: OperatorId) -> usize {
        let words = self.pair.to_leaving.iter().chain(&self.pair.to_successor);
        let lent = words.filter_map(|word| match word {
            Input::Lent(operators) => Some(operators),
            _ => None,
        });
        lent.flatten().filter(|who| **who == operator).count()
    }

    /// What must be true after each step.
    fn check(&self) {
        for id in 1..=OPERATORS + NEWCOMERS {
            let operator = OperatorId(id);
            let held = usize::from(self.pair.holder(operator).is_some());
            let places = held + self.on_the_way(operator);
            // Whom the successor has in no table is nobody's.
            assert!(places <= 1, "{operator:?} is in {places} places");
            assert!(places == 1 || id > OPERATORS, "{operator:?} is nowhere");
            let bound = |side: Side| {
                let state = self.pair.side(side).operator_state(operator);
                state.is_some_and(|(state, _)| {
                    use OperatorState as S;
                    matches!(
                        state,
                        S::Reserved | S::Ringing | S::Talking | S::Held | S::WrapUp | S::Free
                    )
                })
            };
            assert!(!bound(Leaving) || !bound(Successor), "{operator:?} twice");
        }
    }

    fn live(&mut self) {
        let kinds = [
            0, 0, 1, 2, 2, 2, 3, 3, 3, 4, 5, 5, 5, 5, 5, 6, 7, 8, 9, 10, 11, 11,
        ];
        for _ in 0..STEPS {
            let mut kind = kinds[self.below(kinds.len())];
            let side = if self.chance.below(3) == 0 {
                Leaving
            } else {
                Successor
            };
            // No new calls and no news of people come to the leaving core: only what comes back into a queue.
            if side == Leaving && (kind == 9 || kind == 0 && self.chance.below(3) > 0) {
                kind = 11;
            }
            self.step(side, kind);
            self.check();
            if self.chance.below(150) == 0 {
                self.successor_dies();
            }
        }
        self.end();
    }

    fn successor_dies(&mut self) {
        self.see("successor_died");
        self.forget(Successor);
        self.tell(Leaving, Input::TakenBack);
        for id in 1..=OPERATORS {
            assert!(self.pair.leaving.holds(OperatorId(id)));
        }
        for _ in 0..5 {
            let kind = self.below(5);
            self.step(Leaving, kind);
        }
        self.hand_over();
    }

    /// A core is gone with all that it did.
    fn forget(&mut self, side: Side) {
        self.ringing.retain(|(at, _), _| *at != side);
        self.talking.retain(|_, at| *at != side);
        self.other_calls.retain(|(at, _)| *at != side);
        self.waiting.retain(|(at, _)| *at != side);
        self.pair.to_leaving.clear();
        self.pair.to_successor.clear();
    }

    /// The leaving core's calls come to their ends, and it goes.
    fn end(&mut self) {
        for _ in 0..400 {
            self.waiting
                .iter()
                .filter(|(side, _)| *side == Leaving)
                .copied()
                .collect::<Vec<_>>()
                .into_iter()
                .for_each(|(side, call)| {
                    self.waiting.retain(|one| *one != (side, call));
                    self.tell(side, Input::Left { call });
                });
            for kind in [2, 3, 5, 7, 11] {
                self.step(Leaving, kind);
                self.step(Successor, 5);
                self.check();
            }
        }
        let everybody = (1..=OPERATORS).map(OperatorId);
        for operator in everybody.clone() {
            let holder = self.pair.holder(operator);
            assert_eq!(holder, Some(Successor), "the leaving core has no calls");
        }
        self.pair.leaving = Acd::new(3);
        self.forget(Leaving);
        self.tell(Successor, Input::PredecessorGone);
        for operator in everybody {
            let (status, by) = (Status::Available, By::Operator);
            let reachable = true;
            self.tell(
                Successor,
                Input::Status {
                    operator,
                    status,
                    by,
                },
            );
            self.tell(
                Successor,
                Input::Reachable {
                    operator,
                    reachable,
                },
            );
        }
        // Whoever waits is served: nobody is let go for another reason.
        let patient = QueueSettings {
            wait_max: None,
            length_max: 1_000,
            ..queue(Q)
        };
        self.tell(Successor, Input::Queues(vec![patient]));
        for number in 0..10 {
            self.step(Successor, usize::from(number > 2) * 2);
        }
        for _ in 0..400 {
            for kind in [2, 3, 7, 11] {
                self.step(Successor, kind);
            }
        }
        assert_eq!(self.waiting, [], "callers wait");
        self.see("end");
    }
}

#[test]
fn whatever_happens_each_operator_is_in_one_place_and_gets_one_offer() {
    let mut seen: BTreeMap<&'static str, u32> = BTreeMap::new();
    let asked = std::env::var("ACD_WORLDS").map(|worlds| worlds.parse().expect("a number"));
    for seed in 0..asked.unwrap_or(WORLDS) {
        let lived = std::panic::catch_unwind(|| {
            let mut world = World::new(seed);
            world.hand_over();
            world.live();
            world.seen
        });
        let lived = lived.unwrap_or_else(|_| panic!("world {seed} breaks a rule"));
        for (what, count) in lived {
            *seen.entry(what).or_default() += count;
        }
    }
    let worlds = u32::try_from(WORLDS).unwrap();
    assert!(seen["end"] >= worlds);
    assert!(seen["successor_died"] > worlds / 2, "{seen:?}");
    assert!(seen["offer_leaving"] > worlds * 5, "{seen:?}");
    assert!(seen["offer_successor"] > worlds * 10, "{seen:?}");
}
