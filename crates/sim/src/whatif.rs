//! Owns what would have been: the callers of a day, or of a load, with other operators. The ACD is the
//! one that takes real calls; callers and operators are simulated, in virtual time.
//!
//! It refuses to know where callers come from, and what is made of the stays.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::time::Duration;

use acd::{Acd, Arrival, Input, OperatorSettings, Output, QueueSettings};
use journal::metrics::Stay;
use vocab::{CallId, OfferId, OperatorId, QueueOutcome, Time};

use crate::random::Random;

/// The stream of a seed that is for callers.
const STREAM: u64 = 1;

/// One caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caller {
    /// When the call enters the queue.
    pub at: Duration,
    /// For how long an operator is busy with it, wrap-up of the queue not counted.
    pub talk: Duration,
    /// After how long a wait the caller gives up; `None` for never.
    pub patience: Option<Duration>,
}

/// Who takes the calls, and how.
#[derive(Debug, Clone)]
pub struct Floor {
    /// The queue.
    pub queue: QueueSettings,
    /// The operators' skills.
    pub operators: Vec<BTreeMap<String, u8>>,
    /// How long a telephone rings before it is answered.
    pub answer_after: Duration,
}

/// What came of it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Lived {
    /// One of each caller, in order of arrival.
    pub stays: Vec<Stay>,
    /// Time of operators in talk and wrap-up, of all the time that they were there.
    pub occupancy: Option<f64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Arrives(usize),
    Answers(OfferId, usize, OperatorId),
    GivesUp(usize),
    TalkEnds(OperatorId),
}

/// One floor in virtual time.
struct World<'a> {
    floor: &'a Floor,
    callers: &'a [Caller],
    acd: Acd,
    now: Time,
    /// What comes, the earliest first; of one moment in the order in which it was arranged.
    agenda: BinaryHeap<Reverse<(Time, u64, Event)>>,
    arranged: u64,
    outcomes: Vec<Option<(Time, QueueOutcome)>>,
    busy: Duration,
}

/// Lives through it, until the last call is over.
#[must_use]
pub fn live(floor: &Floor, callers: &[Caller]) -> Lived {
    let mut world = World {
        floor,
        callers,
        acd: Acd::new(1),
        now: Time::ZERO,
        agenda: BinaryHeap::new(),
        arranged: 0,
        outcomes: vec![None; callers.len()],
        busy: Duration::ZERO,
    };
    world.open();
    while let Some(at) = world.next() {
        world.now = at;
        // What comes is older than what is due now.
        while let Some(Reverse((_, _, event))) = world.due() {
            world.happens(event);
        }
        world.acd.handle_timeout(at);
        world.drain();
    }
    world.lived()
}

fn operator_id(number: usize) -> OperatorId {
    OperatorId(u32::try_from(number).unwrap_or(u32::MAX))
}

fn call_id(number: usize) -> CallId {
    CallId::new(1, u32::try_from(number).unwrap_or(u32::MAX))
}

impl World<'_> {
    fn open(&mut self) {
        self.tell(Input::Queues(vec![self.floor.queue.clone()]));
        let operators = self.floor.operators.iter().enumerate();
        let operators = operators
            .map(|(number, skills)| OperatorSettings::new(operator_id(number), skills.clone()))
            .collect();
        self.tell(Input::Operators(operators));
        for number in 0..self.floor.operators.len() {
            let operator = operator_id(number);
            let reachable = true;
            self.tell(Input::Reachable {
                operator,
                reachable,
            });
        }
        for (number, caller) in self.callers.iter().enumerate() {
            self.arrange(Time::ZERO + caller.at, Event::Arrives(number));
        }
    }

    fn arrange(&mut self, at: Time, event: Event) {
        self.arranged += 1;
        self.agenda.push(Reverse((at, self.arranged, event)));
    }

    /// The next moment in which anything happens; none when all calls are over.
    fn next(&self) -> Option<Time> {
        let arranged = self.agenda.peek().map(|Reverse((at, ..))| *at);
        let waits = self.acd.waiting() > 0;
        let due = self
            .acd
            .next_deadline()
            .filter(|_| waits || arranged.is_some());
        arranged.into_iter().chain(due).min()
    }

    fn due(&mut self) -> Option<Reverse<(Time, u64, Event)>> {
        let Reverse((at, ..)) = self.agenda.peek()?;
        if *at > self.now {
            return None;
        }
        self.agenda.pop()
    }

    fn tell(&mut self, input: Input) {
        self.acd.handle(self.now, input);
        self.drain();
    }

    fn happens(&mut self, event: Event) {
        match event {
            Event::Arrives(number) => {
                let Some(caller) = self.callers.get(number) else {
                    return;
                };
                let patience = caller.patience;
                let arrival = Arrival::new(call_id(number), self.floor.queue.id, self.now);
                self.tell(Input::Queued(arrival));
                if let Some(patience) = patience.filter(|_| self.waits(number)) {
                    self.arrange(self.now + patience, Event::GivesUp(number));
                }
            }
            Event::GivesUp(number) => {
                if self.waits(number) {
                    self.ends(number, QueueOutcome::Abandoned);
                    let call = call_id(number);
                    self.tell(Input::Left { call });
                }
            }
            Event::Answers(offer, number, operator) => {
                // It may have been withdrawn.
                if !self.waits(number) || !self.acd.is_offered(call_id(number)) {
                    return;
                }
                self.ends(number, QueueOutcome::Answered);
                self.tell(Input::Accepted { offer });
                let talk = self
                    .callers
                    .get(number)
                    .map_or(Duration::ZERO, |one| one.talk);
                self.busy += talk + self.floor.queue.wrap_up.longest();
                self.arrange(self.now + talk, Event::TalkEnds(operator));
            }
            Event::TalkEnds(operator) => self.tell(Input::Freed { operator }),
        }
    }

    fn waits(&self, number: usize) -> bool {
        self.outcomes.get(number) == Some(&None)
    }

    fn ends(&mut self, number: usize, outcome: QueueOutcome) {
        if let Some(ended @ None) = self.outcomes.get_mut(number) {
            *ended = Some((self.now, outcome));
        }
    }

    fn drain(&mut self) {
        while let Some(output) = self.acd.poll() {
            match output {
                Output::Offer {
                    offer,
                    call,
                    operator,
                    ..
                } => {
                    let number = usize::try_from(call.counter()).unwrap_or(usize::MAX);
                    let at = self.now + self.floor.answer_after;
                    self.arrange(at, Event::Answers(offer, number, operator));
                }
                Output::Dismissed {
                    call, cause, then, ..
                } => {
                    let number = usize::try_from(call.counter()).unwrap_or(usize::MAX);
                    self.ends(number, cause.outcome(&then));
                }
                // There is no other queue: what becomes of it there is not of this one.
                Output::Moved { call, .. } => {
                    let number = usize::try_from(call.counter()).unwrap_or(usize::MAX);
                    self.ends(number, QueueOutcome::Overflowed);
                }
                // Operators who answer, no breaks, no callbacks.
                Output::Withdraw { .. }
                | Output::Stale { .. }
                | Output::Dial { .. }
                | Output::StatusChanged { .. }
                | Output::NeedsLeave { .. }
                | Output::BreakTooLong { .. }
                | Output::CallbackLeft { .. }
                | Output::Staff(_)
                | Output::Lend(_)
                | Output::Want(_)
                | Output::BreakTaken(_)
                | Output::LineTaken { .. }
                | Output::CallbackKept { .. }
                | Output::CallbackOver { .. }
                | Output::Commanded { .. } => {}
            }
        }
    }

    fn lived(self) -> Lived {
        let ms = |long: Duration| u64::try_from(long.as_millis()).unwrap_or(u64::MAX);
        let stays = self.callers.iter().zip(&self.outcomes);
        let stays = stays
            .map(|(caller, ended)| {
                let entered = Time::ZERO + caller.at;
                let until = ended.map_or(self.now, |(at, _)| at);
                Stay {
                    queue: self.floor.queue.name.clone(),
                    entered_at: i64::try_from(ms(caller.at)).unwrap_or(i64::MAX),
                    wait_ms: ms(until.since(entered)),
                    since_arrival_ms: None,
                    outcome: ended.map(|(_, outcome)| outcome),
                }
            })
            .collect();
        let there = self.now.since(Time::ZERO).as_secs_f64() * count(self.floor.operators.len());
        Lived {
            stays,
            occupancy: (there > 0.0).then(|| self.busy.as_secs_f64() / there),
        }
    }
}

/// Operators are few enough to be exact.
fn count(of: usize) -> f64 {
    f64::from(u32::try_from(of).unwrap_or(u32::MAX))
}

/// Callers of a load: exponential times between arrivals, of talks, and of patience.
#[must_use]
pub fn callers(seed: u64, load: Load) -> Vec<Caller> {
    let mut random = Random::new(seed, STREAM);
    let mut at = Duration::ZERO;
    let mut caller = || {
        at += random.exponential(load.gap);
        Caller {
            at,
            talk: random.exponential(load.talk),
            patience: load.patience.map(|mean| random.exponential(mean)),
        }
    };
    (0..load.calls).map(|_| caller()).collect()
}

/// A load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Load {
    /// How many calls.
    pub calls: u32,
    /// Mean time from one to the next.
    pub gap: Duration,
    /// Mean time of a talk.
    pub talk: Duration,
    /// After how long callers give up, on average; `None` for never.
    pub patience: Option<Duration>,
}

/// What is known of a caller of a day that has been.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// When the call came, from the beginning of the day.
    pub at: Duration,
    /// How long it waited.
    pub waited: Duration,
    /// Whether the caller gave up then.
    pub gave_up: bool,
    /// How long the talk was, if there was one.
    pub talk: Option<Duration>,
}

/// The callers of a day, with what nobody can know drawn by lot: a caller who was answered had patience
/// for longer, as much as those who gave up make likely; one who was not would have talked as long as
/// some other did.
#[must_use]
pub fn callers_of_a_day(seed: u64, day: &[Seen]) -> Vec<Caller> {
    let mut random = Random::new(seed, STREAM);
    let talks: Vec<Duration> = day.iter().filter_map(|one| one.talk).collect();
    let gave_up = day.iter().filter(|one| one.gave_up).count();
    let waited: Duration = day.iter().map(|one| one.waited).sum();
    // All the waiting there was for each who gave up: the likeliest mean of exponential patience.
    let mean = u32::try_from(gave_up)
        .ok()
        .and_then(|n| waited.checked_div(n));
    let mut caller = |one: &Seen| {
        let drawn = random.below(u64::try_from(talks.len()).unwrap_or(0));
        let drawn = usize::try_from(drawn).ok().and_then(|at| talks.get(at));
        let more = mean.map(|mean| random.exponential(mean));
        Caller {
            at: one.at,
            talk: one.talk.or(drawn.copied()).unwrap_or_default(),
            patience: if one.gave_up {
                Some(one.waited)
            } else {
                more.map(|more| one.waited + more)
            },
        }
    };
    day.iter().map(&mut caller).collect()
}

#[cfg(test)]
mod tests {
    use acd::erlang::{self, Patient};
    use journal::metrics::QueueFigures;
    use vocab::QueueId;

    use super::*;

    fn floor(operators: usize) -> Floor {
        Floor {
            queue: QueueSettings::new(QueueId(0), "operators"),
            operators: vec![BTreeMap::new(); operators],
            answer_after: Duration::ZERO,
        }
    }

    /// METRICS.md: 100 calls in 30 min, 180 s each.
    fn load(calls: u32, patience: Option<Duration>) -> Load {
        Load {
            calls,
            gap: Duration::from_secs(18),
            talk: Duration::from_secs(180),
            patience,
        }
    }

    #[test]
    fn a_load_without_end_lives_up_to_erlang_c() {
        let callers = callers(7, load(60_000, None));
        let lived = live(&floor(14), &callers);
        let figures = QueueFigures::of(&lived.stays);
        let theory = Patient::new(erlang::Load::new(100.0, 1_800.0, 180.0), 14).unwrap();
        let level = figures.service_level(20_000).answered_only.unwrap();
        assert!((level - theory.service_level(20.0)).abs() < 0.01, "{level}");
        let occupancy = lived.occupancy.unwrap();
        assert!((occupancy - theory.occupancy()).abs() < 0.01, "{occupancy}");
        assert!(figures.counts.identity_holds());
        assert_eq!(figures.counts.answered, 60_000);
    }

    #[test]
    fn who_has_no_patience_left_is_gone_and_one_operator_more_helps() {
        let callers = callers(3, load(20_000, Some(Duration::from_secs(120))));
        let lost = |operators| {
            let lived = live(&floor(operators), &callers);
            QueueFigures::of(&lived.stays).counts.abandoned
        };
        let (ten, eleven) = (lost(10), lost(11));
        // METRICS.md: 13.7 % and 9.4 %.
        assert!((2_500..3_000).contains(&ten), "{ten}");
        assert!((1_650..2_150).contains(&eleven), "{eleven}");
    }

    #[test]
    fn a_queue_that_is_full_or_waits_too_long_says_so_in_the_figures() {
        let mut floor = floor(1);
        floor.queue.length_max = 1;
        floor.queue.wait_max = Some(Duration::from_secs(60));
        let second = Duration::from_secs(1);
        let caller = |at: u32| Caller {
            at: second * at,
            talk: second * 600,
            patience: None,
        };
        let lived = live(&floor, &[caller(0), caller(1), caller(2)]);
        let outcomes: Vec<_> = lived.stays.iter().map(|stay| stay.outcome).collect();
        assert_eq!(
            outcomes,
            [
                Some(QueueOutcome::Answered),
                Some(QueueOutcome::TimedOut),
                Some(QueueOutcome::RefusedFull)
            ]
        );
        assert_eq!(lived.stays[1].wait_ms, 60_000);
    }

    #[test]
    fn a_day_is_lived_again_as_it_was_with_as_many_operators() {
        let second = Duration::from_secs(1);
        let seen = |at: u32, waited: u32, talk: Option<u32>| Seen {
            at: second * at,
            waited: second * waited,
            gave_up: talk.is_none(),
            talk: talk.map(|talk| second * talk),
        };
        // One operator: the second caller waited until the first was done, the third gave up.
        let day = [
            seen(0, 0, Some(60)),
            seen(10, 50, Some(60)),
            seen(20, 30, None),
        ];
        let callers = callers_of_a_day(1, &day);
        assert_eq!(callers[2].patience, Some(second * 30));
        assert!(callers[1].patience.unwrap() > second * 50);
        let lived = live(&floor(1), &callers);
        let waits: Vec<u64> = lived.stays.iter().map(|stay| stay.wait_ms).collect();
        assert_eq!(waits, [0, 50_000, 30_000]);
        assert_eq!(lived.stays[2].outcome, Some(QueueOutcome::Abandoned));
        let with_two = live(&floor(2), &callers);
        let answered = QueueFigures::of(&with_two.stays).counts.answered;
        assert!(answered >= 2);
        assert_eq!(with_two.stays[1].wait_ms, 0);
    }
}
