//! The play: what happens in a world, and how the books follow what the core says.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use acd::{
    Acd, Arrival, By, CallbackEnd, CallbackMode, CallbackWish, Command, Input, Occasion, Output,
    Overflow, SkillNeed, Status, WrapUp,
};
use vocab::{CallId, OfferId, OfferResult, OperatorId, OperatorState, QueueId, Time};

use crate::books::{Books, End, Ringing, Waiting, ring_bound};
use crate::people::{
    KEEP, LANGUAGES, OPERATORS, QUEUES, RETRY, RING, RING_OWN, Random, breaks, operators, queues,
};

pub const CALLS: u32 = 400;

#[derive(Debug, Clone)]
enum Later {
    Arrives(u32),
    Tell(Input),
    Flap(OperatorId),
    Moods(OperatorId),
    Command,
    Reload,
}

pub struct World {
    random: Random,
    acd: Acd,
    now: Time,
    order: u64,
    turns: u64,
    events: BTreeMap<(Time, u64), Later>,
    stale_due: Option<OfferId>,
    pub books: Books,
}

/// Few numbers: some are owed two, and some call again.
fn callback_number(call: CallId) -> String {
    format!("8{}", call.counter() % 50)
}

impl World {
    pub fn new(seed: u64) -> Self {
        let mut world = Self {
            random: Random::new(seed),
            acd: Acd::new(7),
            now: Time::ZERO,
            order: 0,
            turns: 0,
            events: BTreeMap::new(),
            stale_due: None,
            books: Books::default(),
        };
        for id in (0..OPERATORS).map(OperatorId) {
            let person = world.books.people.entry(id).or_default();
            person.available = true;
        }
        world.acd.handle(Time::ZERO, Input::Breaks(breaks()));
        let clock = Input::Clock {
            day: 3,
            time: Duration::from_secs(10),
        };
        world.acd.handle(Time::ZERO, clock);
        world.reload();
        for id in (0..OPERATORS).map(OperatorId) {
            world.tell(Input::Reachable {
                operator: id,
                reachable: true,
            });
            world.sign_in(id);
            let (flap, mood) = (world.random.ms(60_000), world.random.ms(90_000));
            world.later(flap, Later::Flap(id));
            world.later(mood, Later::Moods(id));
        }
        world.later(Duration::from_secs(40), Later::Reload);
        world.later(Duration::from_secs(5), Later::Command);
        for number in 0..CALLS {
            let at = world.random.ms(900_000);
            world.later(at, Later::Arrives(number));
        }
        world
    }

    fn later(&mut self, after: Duration, what: Later) {
        self.order += 1;
        self.events.insert((self.now + after, self.order), what);
    }

    /// Lets everything happen that is to happen.
    pub fn live(&mut self) {
        loop {
            let event = self.events.first_key_value().map(|((at, _), _)| *at);
            let timer = self.acd.next_deadline();
            match (event, timer) {
                // Midnight comes for ever.
                (None, _) if self.books.waiting.is_empty() && self.is_calm() => return,
                (_, Some(due)) if event.is_none_or(|at| due <= at) => {
                    assert!(due >= self.now, "a deadline in the past");
                    assert!(due < Time::from_millis(80_000_000), "nothing ends any more");
                    self.now = due;
                    self.acd.handle_timeout(due);
                    self.observe();
                }
                _ => {
                    let ((at, _), what) = self.events.pop_first().expect("something is to happen");
                    self.now = at;
                    self.happen(what);
                }
            }
        }
    }

    fn is_calm(&self) -> bool {
        let calm = |id: &OperatorId| {
            let state = self.acd.operator_state(*id).map(|(state, _)| state);
            !matches!(state, Some(OperatorState::WrapUp | OperatorState::Resting))
        };
        self.books.people.keys().all(calm)
    }

    fn is_over(&self) -> bool {
        self.books.ends.len() == CALLS as usize
    }

    fn happen(&mut self, what: Later) {
        let over = self.is_over();
        match what {
            Later::Arrives(number) => self.arrive(number),
            Later::Tell(input) => self.tell(input),
            Later::Flap(operator) => {
                let reachable = !self.books.people[&operator].reachable;
                self.tell(Input::Reachable {
                    operator,
                    reachable,
                });
                let again = self.random.ms(if reachable { 90_000 } else { 8_000 });
                if !over || !reachable {
                    self.later(again, Later::Flap(operator));
                }
            }
            Later::Moods(operator) => {
                self.mood(operator, over);
                let again = self.random.ms(40_000);
                if !over || !self.books.people[&operator].available {
                    self.later(again, Later::Moods(operator));
                }
            }
            Later::Command => {
                self.command();
                if !over {
                    self.later(Duration::from_secs(4), Later::Command);
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

    fn sign_in(&mut self, operator: OperatorId) {
        let line = format!("{}", 100 + operator.0);
        self.tell(Input::SignedIn { operator, line });
    }

    /// A person chooses another status, or makes a call.
    fn mood(&mut self, operator: OperatorId, over: bool) {
        if !self.books.people[&operator].available || over {
            return self.sign_in(operator);
        }
        let status = match self.random.below(10) {
            0..3 => Status::on_break("lunch"),
            3..5 => Status::on_break("technical"),
            5 => Status::Training,
            6 => Status::AfterCallWork,
            7 => return self.tell(Input::SignedOut { operator }),
            _ => {
                self.tell(Input::OtherCallBegan { operator });
                let long = self.random.ms(9_000);
                let wrap_up = WrapUp::Fixed(Duration::from_secs(1));
                let ended = Input::OtherCallEnded { operator, wrap_up };
                return self.later(long, Later::Tell(ended));
            }
        };
        self.tell(Input::Status {
            operator,
            status,
            by: By::Operator,
        });
    }

    fn arrive(&mut self, number: u32) {
        let call = CallId::new(1, number);
        let queue = QueueId(u16::try_from(self.random.below(u64::from(QUEUES))).unwrap());
        let brought = u8::try_from(self.random.below(3)).unwrap();
        let patience = self.random.ms(150_000);
        // Few numbers, so that callers come back; some are withheld.
        let caller = match self.random.below(60) {
            0..10 => String::new(),
            // Who is owed a callback, maybe.
            number @ 10..30 if queue.0 == 4 => format!("8{number}"),
            number => format!("7{number}"),
        };
        let language = self.random.percent(30).then(|| self.random.of(&LANGUAGES));
        self.later(patience, Later::Tell(Input::Left { call }));
        if queue.0 == 4 && self.random.percent(40) {
            let soon = self.random.ms(20_000);
            self.later(soon, Later::Tell(self.wish(call, queue)));
        }
        let arrival = Arrival {
            priority: brought,
            caller,
            skills: language.into_iter().map(SkillNeed::required).collect(),
            owner: self
                .random
                .percent(10)
                .then_some(OperatorId(number % OPERATORS)),
            ..Arrival::new(call, queue, self.now)
        };
        self.expect_entry(&arrival, language);
        self.tell(Input::Queued(arrival.clone()));
        if self.random.percent(3) && self.books.waiting.contains_key(&call) {
            self.tell(Input::Queued(arrival));
        }
    }

    fn wish(&self, call: CallId, queue: QueueId) -> Input {
        let mode = if call.counter().is_multiple_of(2) {
            CallbackMode::OperatorFirst
        } else {
            CallbackMode::CallerFirst
        };
        Input::CallbackWanted(CallbackWish {
            arrival: Arrival::new(call, queue, self.now),
            number: callback_number(call),
            mode,
            attempts: 3,
            pause: Duration::from_secs(15),
            hours: Vec::new(),
        })
    }

    /// Writes a call into the books as it should stand in its queue, if that takes it.
    fn expect_entry(&mut self, arrival: &Arrival, language: Option<&'static str>) {
        let (queue, mut since) = (arrival.queue, self.now);
        if let Some(kept) = self.books.kept_since(self.now, queue, &arrival.caller) {
            since = since.min(kept);
            self.books.see("came_back");
        }
        if let Some(owed) = self.books.owed_since(queue, &arrival.caller) {
            since = since.min(owed);
        }
        let waiting = Waiting {
            queue,
            priority: self.books.priority(queue, arrival.priority),
            brought: arrival.priority,
            since,
            entered: self.now,
            caller: arrival.caller.clone(),
            language,
            offers: BTreeSet::new(),
            not_before: BTreeMap::new(),
            may_have_own: self.books.queues[&queue].sticky.is_some(),
            callback: None,
        };
        self.books.enter(arrival.call, waiting);
    }

    /// Of whom the core knows nothing any more begins anew, whatever was chosen before: taken off the
    /// table, signed out, without a telephone.
    fn forget_the_forgotten(&mut self) {
        for (id, person) in &mut self.books.people {
            person.available |= self.acd.operator_state(*id).is_none();
        }
    }

    fn reload(&mut self) {
        self.forget_the_forgotten();
        let table = queues(&mut self.random);
        let people = operators(&mut self.random);
        self.books.queues = table.iter().map(|one| (one.id, one.clone())).collect();
        for (id, person) in &mut self.books.people {
            person.settings = people.iter().find(|one| one.id == *id).cloned();
        }
        // Both in one go: between them the books would know more than the core.
        self.acd.handle(self.now, Input::Queues(table));
        self.acd.handle(self.now, Input::Operators(people));
        self.observe();
    }

    fn command(&mut self) {
        let ids: Vec<CallId> = self.books.waiting.keys().copied().collect();
        if ids.is_empty() {
            return;
        }
        let call = self.random.of(&ids);
        let operator = OperatorId(u32::try_from(self.random.below(u64::from(OPERATORS))).unwrap());
        let queue = QueueId(u16::try_from(self.random.below(u64::from(QUEUES))).unwrap());
        let priority = u8::try_from(self.random.below(5)).unwrap();
        let command = match self.random.below(8) {
            0 => Command::Assign { call, operator },
            1 => Command::Pull { call, operator },
            2 => {
                let waiting = self.books.waiting.get_mut(&call).unwrap();
                (waiting.priority, waiting.brought) = (priority, priority);
                Command::Priority { call, priority }
            }
            3 => Command::Move { call, queue },
            4 => Command::Close { queue },
            5 | 6 => Command::Open { queue },
            _ => Command::Status {
                operator,
                status: Status::Available,
            },
        };
        let moves = matches!(command, Command::Move { .. });
        self.acd
            .handle(self.now, Input::Command { number: 9, command });
        self.observe_command(moves.then_some((call, queue)));
    }

    /// Writes an input into the books, hands it in, and checks what follows.
    fn tell(&mut self, input: Input) {
        if matches!(input, Input::Reachable { .. }) {
            self.forget_the_forgotten();
        }
        match &input {
            Input::Reachable {
                operator,
                reachable,
            } => self.books.people.get_mut(operator).unwrap().reachable = *reachable,
            Input::Left { call } => {
                let waits = self.books.waiting.get(call);
                let owed = waits.is_some_and(|one| one.callback.is_some())
                    || self.books.dialling.contains_key(call);
                // The caller hung up long ago; a few do not want to be called any more.
                if owed && self.random.percent(85) {
                    return;
                }
                self.hang_up(*call);
            }
            Input::Accepted { offer } => self.answered(*offer),
            Input::Failed { offer, result } => self.failed(*offer, *result),
            Input::CallbackReached { offer } => self.reached(*offer),
            Input::CallbackWanted(wish) => {
                // Only of one that waits: others were answered or gave up.
                let waits = self.books.waiting.get(&wish.arrival.call);
                if waits.is_none_or(|one| one.queue != wish.arrival.queue || one.callback.is_some())
                {
                    return;
                }
            }
            Input::Freed { operator } => {
                let person = self.books.people.get_mut(operator).unwrap();
                person.talking = None;
                if self.random.percent(5) {
                    let again = Later::Tell(input.clone());
                    self.later(Duration::from_millis(10), again);
                }
            }
            Input::OtherCallBegan { operator } => {
                self.books.people.get_mut(operator).unwrap().other_calls += 1;
            }
            Input::OtherCallEnded { operator, .. } => {
                self.books.people.get_mut(operator).unwrap().other_calls -= 1;
            }
            Input::CallbackEnded { call, reached } => {
                if let Some((mut waiting, operator)) = self.books.dialling.remove(call) {
                    if *reached {
                        self.books.dialling.insert(*call, (waiting, operator));
                    } else {
                        // The core may try again: back in the queue until it says otherwise.
                        waiting.offers.clear();
                        waiting.entered = self.now;
                        waiting.not_before.clear();
                        self.books.enter(*call, waiting);
                    }
                }
            }
            _ => {}
        }
        self.acd.handle(self.now, input);
        self.observe();
    }

    fn hang_up(&mut self, call: CallId) {
        let Some(waiting) = self.books.waiting.get(&call) else {
            return;
        };
        if waiting.callback.is_some() {
            // The core tells its end.
            return;
        }
        let (queue, caller, since) = (waiting.queue, waiting.caller.clone(), waiting.since);
        if self.books.queues[&queue].keep_place.is_some() && !caller.is_empty() {
            self.books
                .kept
                .insert(caller, (queue, since, self.now + KEEP));
        }
        // The offers stay in the books until the core withdraws them.
        self.books.leave(call);
        self.books.end(call, End::Abandoned);
    }

    fn answered(&mut self, offer: OfferId) {
        let Some(ringing) = self.books.offer_over(offer) else {
            self.stale_due = Some(offer);
            return;
        };
        let Ringing { call, operator, .. } = ringing;
        let waiting = self.books.leave(call);
        let person = self.books.people.get_mut(&operator).unwrap();
        person.talking = Some(call);
        let talk = self.random.ms(20_000);
        if waiting.callback.is_some() {
            self.books.dialling.insert(call, (waiting, operator));
            let reached = self.random.percent(60);
            let dialled = talk / 2;
            if reached || self.random.percent(80) {
                let ended = Input::CallbackEnded { call, reached };
                self.later(dialled, Later::Tell(ended));
            }
        } else {
            self.books.end(call, End::Answered);
            if self.random.percent(50) {
                let entry = Later::Tell(Input::EntryComplete { operator, call });
                let soon = self.random.ms(24_000);
                self.later(soon, entry);
            }
            let held = Later::Tell(Input::Held {
                operator,
                held: true,
            });
            self.later(talk / 3, held);
        }
        self.later(talk, Later::Tell(Input::Freed { operator }));
        self.later(talk + RETRY, Later::Tell(Input::Ready { operator }));
    }

    /// An offer ended without an answer.
    fn failed(&mut self, offer: OfferId, _: OfferResult) {
        let Some(ringing) = self.books.offer_over(offer) else {
            return;
        };
        if ringing.dials {
            return;
        }
        if let Some(waiting) = self.books.waiting.get_mut(&ringing.call) {
            waiting.may_have_own = false;
            waiting
                .not_before
                .insert(ringing.operator, self.now + RETRY);
        }
    }

    fn reached(&mut self, offer: OfferId) {
        if let Some(ringing) = self.books.offers.get_mut(&offer).filter(|one| one.dials) {
            ringing.dials = false;
            ringing.until = self.now + ring_bound(RING_OWN);
            let call = ringing.call;
            let waiting = self.books.waiting.get_mut(&call).unwrap();
            waiting.callback = None;
            // Who answered holds the line from now on.
            waiting.entered = self.now;
        }
    }

    fn observe(&mut self) {
        self.observe_command(None);
    }

    /// Reads what the core says; `moved`: where a command puts a call, if it is carried out.
    fn observe_command(&mut self, moved: Option<(CallId, QueueId)>) {
        let mut outputs = Vec::new();
        while let Some(output) = self.acd.poll() {
            outputs.push(output);
        }
        // The answer to a command comes after what it did.
        let done = outputs
            .iter()
            .any(|one| matches!(one, Output::Commanded { refusal: None, .. }));
        let mut moved = moved.filter(|_| done);
        for output in outputs {
            let withdraws = matches!(output, Output::Withdraw { .. });
            if let Some((call, to)) = moved.filter(|_| !withdraws) {
                moved = None;
                self.move_to(call, to);
            }
            self.follow(output);
        }
        assert_eq!(self.stale_due, None, "a late answer passed");
        self.turns += 1;
        self.books
            .check_rest(&self.acd, self.now, self.turns.is_multiple_of(3));
    }

    fn move_to(&mut self, call: CallId, to: QueueId) {
        if self.books.waiting[&call].queue == to {
            return;
        }
        let mut waiting = self.books.leave(call);
        waiting.queue = to;
        waiting.priority = self.books.priority(to, waiting.brought);
        waiting.entered = self.now;
        waiting.offers.clear();
        waiting.not_before.clear();
        waiting.may_have_own = self.books.queues[&to].sticky.is_some();
        self.books.enter(call, waiting);
    }

    fn follow(&mut self, output: Output) {
        match output {
            Output::Offer {
                offer,
                call,
                operator,
                why,
                ..
            } => {
                assert!(!why.to_string().is_empty());
                if self.books.offers.contains_key(&offer) {
                    // The one who is called back was reached.
                    self.ring(offer);
                    return;
                }
                self.offered(offer, call, operator, why.occasion);
                self.books.see("offers");
                if why.steps > 0 {
                    self.books.see("eased");
                }
                self.ring(offer);
            }
            Output::Dial {
                offer,
                call,
                operator,
                why,
                ..
            } => {
                self.offered(offer, call, operator, why.occasion);
                self.books.offers.get_mut(&offer).unwrap().dials = true;
                self.books.see("dials");
                self.dial(offer);
            }
            Output::Withdraw {
                offer,
                call,
                operator,
                result,
            } => {
                let ringing = &self.books.offers[&offer];
                assert_eq!((ringing.call, ringing.operator), (call, operator));
                match result {
                    OfferResult::NoAnswer => self.failed(offer, result),
                    OfferResult::CallerGone | OfferResult::Withdrawn => {
                        self.books.offer_over(offer);
                    }
                    other => panic!("withdrawn for {other:?}"),
                }
            }
            Output::Dismissed {
                call, cause, then, ..
            } => {
                assert!(!matches!(then, Overflow::Queue(_)));
                self.books.leave(call);
                self.books.end(call, End::Dismissed(cause.outcome(&then)));
            }
            Output::Moved { call, to, .. } => {
                self.books.see("moved");
                self.move_to(call, to);
            }
            Output::Stale { offer } => {
                assert!(self.books.dead.contains(&offer), "not stale");
                assert_eq!(self.stale_due.take(), Some(offer));
                self.books.see("stale");
            }
            Output::StatusChanged { operator, status } => {
                if status == Status::NotReady {
                    self.books.see("not_ready");
                }
                let person = self.books.people.get_mut(&operator).unwrap();
                person.available = status == Status::Available;
            }
            Output::CallbackKept { call, queue } => {
                let mut waiting = self.books.leave(call);
                waiting.callback = Some(callback_number(call));
                waiting.not_before.clear();
                waiting.entered = self.now;
                assert_eq!(waiting.queue, queue);
                self.books.enter(call, waiting);
            }
            Output::CallbackOver { call, end } => self.callback_over(call, end),
            Output::NeedsLeave { .. } => self.books.see("needs_leave"),
            Output::BreakTooLong { .. } | Output::BreakTaken(_) | Output::Commanded { .. } => {}
            Output::LineTaken { .. } => panic!("each has a line of their own"),
            Output::CallbackLeft { .. } | Output::Staff(_) | Output::Lend(_) | Output::Want(_) => {
                panic!("there is no other core")
            }
        }
    }

    fn callback_over(&mut self, call: CallId, end: CallbackEnd) {
        let dialled = self.books.dialling.remove(&call).is_some();
        match end {
            // One who was dialled first waits on as anybody.
            CallbackEnd::Reached if !dialled => {
                assert!(self.books.waiting[&call].callback.is_none());
            }
            CallbackEnd::Reached => self.books.end(call, End::CalledBack),
            CallbackEnd::GaveUp => {
                self.books.leave(call);
                self.books.end(call, End::GaveUp);
            }
            CallbackEnd::Duplicate(_) | CallbackEnd::Closed => {
                self.books.leave(call);
                self.books.end(call, End::Cancelled);
            }
            CallbackEnd::CallerCalled(_) => {
                self.books.see("overtaken");
                self.books.leave(call);
                self.books.end(call, End::Overtaken);
            }
            CallbackEnd::Cancelled => {
                if !dialled {
                    self.books.leave(call);
                }
                self.books.end(call, End::Cancelled);
            }
        }
    }

    fn offered(&mut self, offer: OfferId, call: CallId, operator: OperatorId, why: Occasion) {
        self.books.check_offer(self.now, call, operator, why);
        match why {
            Occasion::Assigned => self.books.see("assigned"),
            Occasion::Pulled => self.books.see("pulled"),
            Occasion::OwnOperator => self.books.see("own"),
            Occasion::RingsOn => self.books.see("at_once"),
            Occasion::CallWaited | Occasion::OperatorFree => {}
        }
        let person = self.books.people.get_mut(&operator).unwrap();
        person.offer = Some(offer);
        let own_time = person.settings.as_ref().and_then(|one| one.ring_time);
        let until = self.now + ring_bound(own_time.unwrap_or(RING));
        self.books
            .waiting
            .get_mut(&call)
            .unwrap()
            .offers
            .insert(offer);
        let ringing = Ringing {
            call,
            operator,
            until,
            dials: false,
        };
        self.books.offers.insert(offer, ringing);
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

    /// What the number of a callback will do.
    fn dial(&mut self, offer: OfferId) {
        let after = self.random.ms(11_000);
        let what = match self.random.below(10) {
            0..5 => Input::CallbackReached { offer },
            5..8 => Input::Failed {
                offer,
                result: OfferResult::NoAnswer,
            },
            _ => return,
        };
        self.later(after, Later::Tell(what));
    }

    pub fn check_end(&self) {
        let lost = (0..CALLS)
            .map(|number| CallId::new(1, number))
            .filter(|call| !self.books.ends.contains_key(call));
        assert_eq!(lost.collect::<Vec<_>>(), [], "calls without an end");
        assert!(self.books.offers.is_empty() && self.books.dialling.is_empty());
        self.books.check_ledgers();
        assert_eq!(self.acd.waiting(), 0);
        assert_eq!(self.acd.longest_wait(self.now), Duration::ZERO);
        for id in self.books.people.keys() {
            let state = self.acd.operator_state(*id).map(|(state, _)| state);
            let calm = matches!(state, None | Some(OperatorState::Free));
            assert!(calm, "{id:?} is stuck in {state:?}");
        }
    }
}
