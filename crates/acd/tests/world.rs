//! A seeded world of callers, telephones and operators around the core, and checkers that judge
//! what it does from the outside: they keep their own books and never look at the core's.
//!
//! A failing seed is named in the panic; `world(SEED)` reproduces it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use acd::{Acd, Input, OperatorSettings, Output, QueueSettings};
use vocab::{CallId, OfferId, OfferResult, OperatorId, OperatorState, QueueId, Time};

const CALLS: u32 = 400;
const OPERATORS: u32 = 8;
const QUEUES: u16 = 3;
const SKILLS: [&str; 2] = ["health", "water"];
const RETRY: Duration = Duration::from_secs(4);
const REST: Duration = Duration::from_secs(20);
const WRAP_UP: Duration = Duration::from_secs(3);
const RING: Duration = Duration::from_secs(12);
const WAIT_MAX: Duration = Duration::from_secs(90);
const LENGTH_MAX: usize = 15;

/// SplitMix64: the seed is the whole world.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn percent(&mut self, chance: u64) -> bool {
        self.below(100) < chance
    }

    fn ms(&mut self, bound: u64) -> Duration {
        Duration::from_micros(self.below(bound * 1_000) + 1)
    }
}

#[derive(Debug, Clone)]
enum Later {
    Arrives(u32),
    Tell(Input),
    Flap(OperatorId),
    Pause(OperatorId),
    Reload,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Accepted,
    Left,
    TimedOut,
    Refused,
}

#[derive(Debug)]
struct Waiting {
    queue: QueueId,
    /// Order of service: priority, entry, id.
    key: (Reverse<u8>, Time, CallId),
    offer: Option<OfferId>,
    /// Offers of it failed there; not again before.
    not_before: BTreeMap<OperatorId, Time>,
}

#[derive(Debug, Default)]
struct Person {
    listed: bool,
    reachable: bool,
    paused: bool,
    offer: Option<OfferId>,
    talking: bool,
    wrap_up_until: Time,
    rest_until: Time,
    skills: BTreeMap<String, u8>,
}

struct World {
    seed: u64,
    random: Random,
    acd: Acd,
    now: Time,
    order: u64,
    events: BTreeMap<(Time, u64), Later>,
    queues: BTreeMap<QueueId, QueueSettings>,
    waiting: BTreeMap<CallId, Waiting>,
    ends: BTreeMap<CallId, End>,
    people: BTreeMap<OperatorId, Person>,
    offers: BTreeMap<OfferId, (CallId, OperatorId)>,
    dead: BTreeSet<OfferId>,
    stale_due: Option<OfferId>,
    offers_seen: u64,
    stale_seen: u64,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut world = Self {
            seed,
            random: Random(seed),
            acd: Acd::new(7),
            now: Time::ZERO,
            order: 0,
            events: BTreeMap::new(),
            queues: BTreeMap::new(),
            waiting: BTreeMap::new(),
            ends: BTreeMap::new(),
            people: BTreeMap::new(),
            offers: BTreeMap::new(),
            dead: BTreeSet::new(),
            stale_due: None,
            offers_seen: 0,
            stale_seen: 0,
        };
        world.reload();
        for id in (0..OPERATORS).map(OperatorId) {
            world.tell(Input::Reachable {
                operator: id,
                reachable: true,
            });
            let (flap, pause) = (world.random.ms(60_000), world.random.ms(90_000));
            world.later(flap, Later::Flap(id));
            world.later(pause, Later::Pause(id));
        }
        world.later(Duration::from_secs(40), Later::Reload);
        for number in 0..CALLS {
            let at = world.random.ms(800_000);
            world.later(at, Later::Arrives(number));
        }
        world
    }

    fn later(&mut self, after: Duration, what: Later) {
        self.order += 1;
        self.events.insert((self.now + after, self.order), what);
    }

    /// Lets everything happen that is to happen.
    fn live(&mut self) {
        loop {
            let event = self.events.first_key_value().map(|((at, _), _)| *at);
            let timer = self.acd.next_deadline();
            match (event, timer) {
                (None, None) => return,
                (_, Some(due)) if event.is_none_or(|at| due <= at) => {
                    assert!(
                        due >= self.now,
                        "seed {}: a deadline in the past",
                        self.seed
                    );
                    self.now = due;
                    self.acd.handle_timeout(due);
                    self.observe();
                }
                _ => {
                    let ((at, _), what) = self.events.pop_first().unwrap();
                    self.now = at;
                    self.happen(what);
                }
            }
        }
    }

    fn happen(&mut self, what: Later) {
        let over = self.ends.len() == CALLS as usize;
        match what {
            Later::Arrives(number) => self.arrive(CallId::new(1, number)),
            Later::Tell(input) => self.tell(input),
            Later::Flap(operator) => {
                let reachable = !self.people[&operator].reachable;
                self.tell(Input::Reachable {
                    operator,
                    reachable,
                });
                let again = self.random.ms(if reachable { 90_000 } else { 8_000 });
                if !over || !reachable {
                    self.later(again, Later::Flap(operator));
                }
            }
            Later::Pause(operator) => {
                let paused = !self.people[&operator].paused;
                self.tell(Input::Paused { operator, paused });
                let again = self.random.ms(if paused { 10_000 } else { 120_000 });
                if !over || paused {
                    self.later(again, Later::Pause(operator));
                }
            }
            Later::Reload => {
                self.reload();
                if !over {
                    self.later(Duration::from_secs(40), Later::Reload);
                }
            }
        }
    }

    fn arrive(&mut self, call: CallId) {
        let queue = QueueId(u16::try_from(self.random.below(u64::from(QUEUES))).unwrap());
        let priority = u8::try_from(self.random.below(3)).unwrap();
        let patience = self.random.ms(150_000);
        self.later(patience, Later::Tell(Input::Left { call }));
        self.tell(Input::Queued {
            call,
            queue,
            priority,
            since: self.now,
        });
        if self.waiting.contains_key(&call) && self.random.percent(3) {
            self.tell(Input::Queued {
                call,
                queue,
                priority,
                since: self.now,
            });
        }
    }

    fn reload(&mut self) {
        for id in (0..QUEUES).map(QueueId) {
            // Queue 0 is for everybody.
            let skill = (id.0 > 0).then(|| SKILLS[usize::from(id.0) - 1].to_owned());
            self.queues.insert(
                id,
                QueueSettings {
                    id,
                    name: format!("queue{}", id.0),
                    ring_time: RING,
                    wait_max: Some(WAIT_MAX),
                    length_max: LENGTH_MAX,
                    wrap_up: WRAP_UP,
                    skill,
                    retry_delay: RETRY,
                    rest_after_no_answer: REST,
                },
            );
        }
        let mut table = Vec::new();
        for id in (0..OPERATORS).map(OperatorId) {
            let mut skills = BTreeMap::new();
            for skill in SKILLS {
                if self.random.percent(70) {
                    let level = u8::try_from(self.random.below(3) * 40).unwrap();
                    skills.insert(skill.to_owned(), level);
                }
            }
            let person = self.people.entry(id).or_default();
            person.listed = id.0 < 2 || self.random.percent(85);
            person.skills = skills.clone();
            if person.listed {
                table.push(OperatorSettings { id, skills });
            }
        }
        // Both in one go: between them the books would know more than the core.
        self.acd.handle(
            self.now,
            Input::Queues(self.queues.values().cloned().collect()),
        );
        self.acd.handle(self.now, Input::Operators(table));
        self.observe();
    }

    /// Writes an input into the books, hands it in, and checks what follows.
    fn tell(&mut self, input: Input) {
        match &input {
            Input::Reachable {
                operator,
                reachable,
            } => {
                let person = self.people.get_mut(operator).unwrap();
                person.reachable = *reachable;
            }
            Input::Paused { operator, paused } => {
                self.people.get_mut(operator).unwrap().paused = *paused;
            }
            Input::Queued {
                call,
                queue,
                priority,
                since,
            } => {
                assert_eq!(*since, self.now);
                let key = (Reverse(*priority), self.now, *call);
                let (queue, not_before) = (*queue, BTreeMap::new());
                let new = Waiting {
                    queue,
                    key,
                    offer: None,
                    not_before,
                };
                self.waiting.entry(*call).or_insert(new);
            }
            Input::Left { call } => {
                // The offer stays in the books until the core withdraws it.
                if self.waiting.remove(call).is_some() {
                    self.end(*call, End::Left);
                }
            }
            Input::Accepted { offer } => match self.offers.remove(offer) {
                Some((call, operator)) => {
                    self.waiting.remove(&call).expect("an accepted call waits");
                    self.end(call, End::Accepted);
                    let person = self.people.get_mut(&operator).unwrap();
                    (person.offer, person.talking) = (None, true);
                    self.dead.insert(*offer);
                    let talk = self.random.ms(20_000);
                    self.later(talk, Later::Tell(Input::Freed { operator }));
                }
                None => self.stale_due = Some(*offer),
            },
            Input::Failed { offer, result } => self.fail(*offer, *result),
            Input::Freed { operator } => {
                let person = self.people.get_mut(operator).unwrap();
                if person.talking {
                    (person.talking, person.wrap_up_until) = (false, self.now + WRAP_UP);
                }
                if self.random.percent(5) {
                    self.later(
                        Duration::from_secs(1),
                        Later::Tell(Input::Freed {
                            operator: *operator,
                        }),
                    );
                }
            }
            Input::Ringing { .. }
            | Input::Queues(_)
            | Input::Operators(_)
            | Input::OtherCallBegan { .. }
            | Input::OtherCallEnded { .. } => {}
        }
        self.acd.handle(self.now, input);
        self.observe();
    }

    fn end(&mut self, call: CallId, end: End) {
        let before = self.ends.insert(call, end);
        assert_eq!(before, None, "seed {}: {call} ended twice", self.seed);
    }

    /// An offer ended without an answer.
    fn fail(&mut self, offer: OfferId, result: OfferResult) {
        let Some((call, operator)) = self.offers.remove(&offer) else {
            return;
        };
        self.dead.insert(offer);
        let person = self.people.get_mut(&operator).unwrap();
        person.offer = None;
        if matches!(result, OfferResult::NoAnswer) {
            person.rest_until = self.now + REST;
        }
        if let Some(waiting) = self.waiting.get_mut(&call) {
            waiting.offer = None;
            waiting.not_before.insert(operator, self.now + RETRY);
        }
    }

    fn observe(&mut self) {
        while let Some(output) = self.acd.poll() {
            match output {
                Output::Offer {
                    offer,
                    call,
                    queue,
                    operator,
                    why,
                } => {
                    assert!(!why.is_empty());
                    self.check_offer(call, queue, operator);
                    self.offers_seen += 1;
                    self.offers.insert(offer, (call, operator));
                    self.people.get_mut(&operator).unwrap().offer = Some(offer);
                    self.waiting.get_mut(&call).unwrap().offer = Some(offer);
                    self.ring(offer);
                }
                Output::Withdraw {
                    offer,
                    call,
                    operator,
                    result,
                } => {
                    assert_eq!(
                        self.offers.get(&offer),
                        Some(&(call, operator)),
                        "{}",
                        self.seed
                    );
                    match result {
                        OfferResult::NoAnswer => self.fail(offer, result),
                        OfferResult::CallerGone | OfferResult::Withdrawn => {
                            self.offers.remove(&offer);
                            self.dead.insert(offer);
                            self.people.get_mut(&operator).unwrap().offer = None;
                        }
                        other => panic!("seed {}: withdrawn for {other:?}", self.seed),
                    }
                }
                Output::Refused { call, queue, .. } => {
                    self.waiting.remove(&call).expect("refused at entry");
                    let inside = self.waiting.values().filter(|of| of.queue == queue).count();
                    assert_eq!(inside, LENGTH_MAX, "seed {}: refused with room", self.seed);
                    self.end(call, End::Refused);
                }
                Output::TimedOut { call, .. } => {
                    let waiting = self.waiting.remove(&call).expect("it waited");
                    assert_eq!(self.now, waiting.key.1 + WAIT_MAX, "seed {}", self.seed);
                    self.end(call, End::TimedOut);
                }
                Output::Stale { offer } => {
                    assert!(self.dead.contains(&offer), "seed {}: not stale", self.seed);
                    assert_eq!(self.stale_due.take(), Some(offer), "seed {}", self.seed);
                    self.stale_seen += 1;
                }
            }
        }
        assert_eq!(
            self.stale_due, None,
            "seed {}: a late answer passed",
            self.seed
        );
        self.check_rest();
    }

    /// What the operator's telephone will do.
    fn ring(&mut self, offer: OfferId) {
        if self.random.percent(80) {
            let after = self.random.ms(300);
            self.later(after, Later::Tell(Input::Ringing { offer }));
        }
        let failed = |result| Later::Tell(Input::Failed { offer, result });
        let accepted = Later::Tell(Input::Accepted { offer });
        let (after, what) = match self.random.below(100) {
            // May cross the end of the ring time, and the caller's hanging up.
            0..60 => (self.random.ms(12_500), accepted),
            60..70 => (self.random.ms(500), failed(OfferResult::Busy)),
            70..80 => (self.random.ms(6_000), failed(OfferResult::Rejected)),
            80..88 => (self.random.ms(2_000), failed(OfferResult::Unreachable)),
            // Dead while ringing.
            _ => return,
        };
        self.later(after, what.clone());
        if self.random.percent(5) {
            self.later(after + Duration::from_millis(40), what);
        }
    }

    fn serves(&self, operator: OperatorId, queue: QueueId) -> Option<u8> {
        match &self.queues[&queue].skill {
            None => Some(0),
            Some(skill) => self.people[&operator]
                .skills
                .get(skill)
                .copied()
                .filter(|level| *level > 0),
        }
    }

    fn may_ring(&self, operator: OperatorId) -> bool {
        let person = &self.people[&operator];
        person.listed
            && person.reachable
            && !person.paused
            && !person.talking
            && person.offer.is_none()
            && person.wrap_up_until <= self.now
    }

    /// Whether nothing but the order of service speaks against the pair. At the very moment when
    /// a delay ends either answer is right.
    fn fits(&self, waiting: &Waiting, operator: OperatorId) -> bool {
        self.serves(operator, waiting.queue).is_some()
            && waiting
                .not_before
                .get(&operator)
                .is_none_or(|until| *until < self.now)
    }

    fn check_offer(&self, call: CallId, queue: QueueId, operator: OperatorId) {
        let seed = self.seed;
        let waiting = self
            .waiting
            .get(&call)
            .unwrap_or_else(|| panic!("seed {seed}: {call} gone"));
        assert_eq!((waiting.queue, waiting.offer), (queue, None), "seed {seed}");
        assert!(
            self.may_ring(operator),
            "seed {seed}: {:?}",
            self.people[&operator]
        );
        let level = self
            .serves(operator, queue)
            .unwrap_or_else(|| panic!("seed {seed}: no skill"));
        let until = waiting
            .not_before
            .get(&operator)
            .copied()
            .unwrap_or_default();
        assert!(until <= self.now, "seed {seed}: asked again too early");
        for other in self.waiting.values().filter(|other| other.offer.is_none()) {
            let before = other.key < waiting.key && self.fits(other, operator);
            assert!(
                !before,
                "seed {seed}: {other:?} was to be served before {waiting:?}"
            );
        }
        for better in self.people.keys().filter(|better| self.may_ring(**better)) {
            let free = self.acd.operator_state(*better).unwrap().0 == OperatorState::Free;
            let higher = self
                .serves(*better, queue)
                .is_some_and(|other| other > level);
            assert!(
                !(free && higher && self.fits(waiting, *better)),
                "seed {seed}: not the best"
            );
        }
    }

    /// What must be true between events.
    fn check_rest(&self) {
        let seed = self.seed;
        assert_eq!(self.acd.waiting(), self.waiting.len(), "seed {seed}");
        for (operator, person) in &self.people {
            let Some((state, _)) = self.acd.operator_state(*operator) else {
                assert!(
                    !person.listed && person.offer.is_none() && !person.talking,
                    "seed {seed}"
                );
                continue;
            };
            let ringing = matches!(state, OperatorState::Reserved | OperatorState::Ringing);
            assert_eq!(
                ringing,
                person.offer.is_some(),
                "seed {seed}: {operator:?} {state:?}"
            );
            assert_eq!(
                state == OperatorState::Talking,
                person.talking,
                "seed {seed}"
            );
            if state != OperatorState::Free || !person.listed {
                continue;
            }
            assert!(
                self.may_ring(*operator),
                "seed {seed}: {state:?} but {person:?}"
            );
            for waiting in self
                .waiting
                .values()
                .filter(|waiting| waiting.offer.is_none())
            {
                let idle = self.fits(waiting, *operator);
                assert!(
                    !idle,
                    "seed {seed}: {operator:?} is free and {waiting:?} waits"
                );
            }
        }
    }

    fn check_end(&self) {
        let seed = self.seed;
        assert_eq!(
            self.ends.len(),
            CALLS as usize,
            "seed {seed}: calls without an end"
        );
        assert!(
            self.waiting.is_empty() && self.offers.is_empty(),
            "seed {seed}"
        );
        assert_eq!(self.acd.waiting(), 0, "seed {seed}");
        assert_eq!(
            self.acd.longest_wait(self.now),
            Duration::ZERO,
            "seed {seed}"
        );
        assert_eq!(
            self.acd.next_deadline(),
            None,
            "seed {seed}: a deadline is left"
        );
        for id in self.people.keys() {
            let state = self.acd.operator_state(*id).map(|(state, _)| state);
            let calm = matches!(state, None | Some(OperatorState::Free));
            assert!(calm, "seed {seed}: {id:?} is stuck in {state:?}");
        }
    }
}

fn world(seed: u64) -> World {
    let mut world = World::new(seed);
    world.live();
    world.check_end();
    world
}

#[test]
fn no_world_breaks_a_rule() {
    let mut ends: BTreeMap<String, u32> = BTreeMap::new();
    let (mut offers, mut stale) = (0, 0);
    for seed in 0..60 {
        let world = world(seed);
        for end in world.ends.values() {
            *ends.entry(format!("{end:?}")).or_default() += 1;
        }
        offers += world.offers_seen;
        stale += world.stale_seen;
    }
    // The worlds are worth something only if all of this happens in them.
    assert_eq!(ends.len(), 4, "{ends:?}");
    assert!(ends.values().all(|count| *count > 100), "{ends:?}");
    assert!(
        offers > 10_000 && stale > 50,
        "{offers} offers, {stale} stale"
    );
}

#[test]
fn the_same_seed_gives_the_same_world() {
    let (one, two) = (world(4_711), world(4_711));
    assert_eq!((one.ends, one.offers_seen), (two.ends, two.offers_seen));
}

proptest::proptest! {
    /// Inputs in any order, sensible or not: an operator has one live offer at most, and what is
    /// said about offers is true of those that were made.
    #[test]
    fn inputs_in_any_order_bind_nobody_twice(
        inputs in proptest::collection::vec((0_u8..11, 0_u32..6, 0_u32..4, 0_u64..9_000), 1..200),
    ) {
        let mut acd = Acd::new(1);
        let settings = World::new(1).queues[&QueueId(0)].clone();
        acd.handle(Time::ZERO, Input::Queues(vec![settings]));
        let operators = |count: u32| {
            let operator = |id| OperatorSettings { id: OperatorId(id), skills: BTreeMap::new() };
            Input::Operators((0..count).map(operator).collect())
        };
        acd.handle(Time::ZERO, operators(3));
        let mut now = Time::ZERO;
        let mut live: BTreeMap<OfferId, (CallId, OperatorId)> = BTreeMap::new();
        for (kind, number, person, pause) in inputs {
            now = now + Duration::from_millis(pause);
            acd.handle_timeout(now);
            let (call, operator) = (CallId::new(1, number), OperatorId(person));
            let offer = OfferId::new(1, number * 4 + person);
            let input = match kind {
                0 => Input::Queued { call, queue: QueueId(0), priority: 0, since: now },
                1 => Input::Left { call },
                2 => Input::Reachable { operator, reachable: number > 1 },
                3 => Input::Paused { operator, paused: number > 3 },
                4 => Input::Ringing { offer },
                5 => Input::Accepted { offer },
                6 => Input::Failed { offer, result: OfferResult::Rejected },
                7 => Input::Freed { operator },
                9 => Input::OtherCallBegan { operator },
                10 => Input::OtherCallEnded { operator, wrap_up: Duration::from_secs(1) },
                _ => operators(person),
            };
            let accepted = input == Input::Accepted { offer };
            // What the time-out did comes first.
            let mut stale = false;
            let mut drain = |acd: &mut Acd, live: &mut BTreeMap<OfferId, (CallId, OperatorId)>| {
                while let Some(output) = acd.poll() {
                    match output {
                        Output::Offer { offer, call, operator, .. } => {
                            let bound = live.values().any(|of| of.0 == call || of.1 == operator);
                            assert!(!bound, "{call} or {operator:?} is bound already");
                            live.insert(offer, (call, operator));
                        }
                        Output::Withdraw { offer, call, operator, .. } => {
                            assert_eq!(live.remove(&offer), Some((call, operator)));
                        }
                        Output::Stale { .. } => stale = true,
                        Output::Refused { .. } | Output::TimedOut { .. } => {}
                    }
                }
            };
            drain(&mut acd, &mut live);
            let known = live.contains_key(&offer);
            if matches!(input, Input::Accepted { .. } | Input::Failed { .. }) {
                live.remove(&offer);
            }
            acd.handle(now, input);
            drain(&mut acd, &mut live);
            assert_eq!(stale, accepted && !known, "a stale answer is told, and no other");
        }
    }
}
