//! Owns time and the network: what will happen, in order, and what becomes of a datagram.

use core::cmp::Reverse;
use core::net::SocketAddr;
use core::time::Duration;
use std::collections::{BTreeMap, BinaryHeap};

use sip::Message;
use vocab::Time;
use vocab::media::{MediaEvent, RecordingKey};

use crate::random::Random;
use crate::scenario::{Fault, Faults};

/// A datagram on its way, or arrived.
#[derive(Debug)]
pub(crate) struct Letter {
    pub(crate) from: SocketAddr,
    pub(crate) to: SocketAddr,
    pub(crate) content: Content,
}

/// What is in a datagram.
#[derive(Debug, Clone)]
pub(crate) enum Content {
    Octets(Vec<u8>),
    /// Octets of the engine's that were read when they were judged ([`crate::wire`]): whom they reach need
    /// not read them again.
    Message(Box<Message>),
}

/// What people and machines have set themselves to do.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Alarm {
    /// The next caller calls.
    Arrival,
    /// A caller is at the end of their patience.
    Patience(u64),
    /// A caller has talked enough.
    CallerDone(u64),
    /// Somebody who was not served calls again.
    Redial(u64),
    /// A telephone registers.
    Register(usize),
    /// An operator makes up their mind about an offer.
    Decide(usize, u64),
    /// An operator transfers the caller.
    Refer(usize, u64),
    /// An operator calls somebody else about the caller.
    Consult(usize, u64),
    /// An operator gives the caller to whom that call reached.
    Join(usize, u64),
    /// An operator puts the caller on hold, or comes back.
    Hold(usize, u64),
    /// An operator has talked enough.
    OperatorDone(usize, u64),
    /// An operator calls somebody outside.
    Dial(usize),
    /// An operator gives up a call that nobody answers.
    Enough(usize, u64),
    /// Somebody outside answers, with this status.
    PickUp(u64, u16),
    /// Somebody outside has talked enough.
    OutsideDone(u64),
    /// The event file is synced up to what it had when this was set.
    Synced,
    /// The process of this boot brings its events into the database.
    Follow(u32),
    /// What waits for a sync longer than an answer may.
    Overdue,
    /// A fault of the process or the machine.
    Trouble(Fault),
    /// The process comes back.
    Restart,
}

/// What happens.
#[derive(Debug)]
pub(crate) enum Event {
    Arrived(Letter),
    /// By the process of this boot.
    Media(u32, MediaEvent),
    /// A recording of this boot is over: stored or not.
    Recorded(u32, RecordingKey),
    Alarm(Alarm),
}

/// Where everybody lives: the time, and what lies before them.
pub(crate) struct Room {
    pub(crate) now: Time,
    pub(crate) faults: Faults,
    pub(crate) injected: BTreeMap<Fault, u64>,
    network: Random,
    /// When, the how manieth that was set, and its place among the events.
    ahead: BinaryHeap<Reverse<(Time, u64, usize)>>,
    events: Vec<Option<Event>>,
    /// Places of events that are over.
    free: Vec<usize>,
    set: u64,
    /// Cut off until.
    cut: BTreeMap<SocketAddr, Time>,
    /// Datagrams that were put on their way.
    pub(crate) letters: u64,
}

const FASTEST: Duration = Duration::from_micros(200);

impl Room {
    pub(crate) fn new(seed: u64, faults: Faults) -> Self {
        Self {
            now: Time::ZERO,
            faults,
            injected: BTreeMap::new(),
            network: Random::new(seed, 1),
            ahead: BinaryHeap::new(),
            events: Vec::new(),
            free: Vec::new(),
            set: 0,
            cut: BTreeMap::new(),
            letters: 0,
        }
    }

    pub(crate) fn after(&mut self, time: Duration, event: Event) {
        self.set += 1;
        let place = self.free.pop().unwrap_or_else(|| {
            self.events.push(None);
            self.events.len() - 1
        });
        self.events[place] = Some(event);
        self.ahead.push(Reverse((self.now + time, self.set, place)));
    }

    pub(crate) fn alarm(&mut self, time: Duration, alarm: Alarm) {
        self.after(time, Event::Alarm(alarm));
    }

    pub(crate) fn next(&self) -> Option<Time> {
        self.ahead.peek().map(|Reverse((at, ..))| *at)
    }

    /// The next event of this moment.
    pub(crate) fn due(&mut self) -> Option<Event> {
        let Reverse((at, _, place)) = *self.ahead.peek()?;
        if at > self.now {
            return None;
        }
        self.ahead.pop();
        self.free.push(place);
        self.events[place].take()
    }

    pub(crate) fn has(&self, fault: Fault) -> bool {
        self.faults.has(fault)
    }

    pub(crate) fn count(&mut self, fault: Fault) {
        *self.injected.entry(fault).or_default() += 1;
    }

    /// Whether a fault strikes now, so often of a thousand.
    fn strikes(&mut self, fault: Fault, of_thousand: u32) -> bool {
        let strikes = self.has(fault) && self.network.chance(of_thousand);
        if strikes {
            self.count(fault);
        }
        strikes
    }

    /// Nothing comes from there or gets there for a while.
    pub(crate) fn cut_off(&mut self, address: SocketAddr, time: Duration) {
        self.cut.insert(address, self.now + time);
    }

    fn is_cut(&self, address: SocketAddr) -> bool {
        self.cut
            .get(&address)
            .is_some_and(|until| *until > self.now)
    }

    pub(crate) fn send(&mut self, from: SocketAddr, to: SocketAddr, content: Content) {
        self.letters += 1;
        if self.is_cut(from) || self.is_cut(to) || self.strikes(Fault::Loss, 30) {
            return;
        }
        if self.strikes(Fault::Doubles, 20) {
            let content = content.clone();
            self.deliver(Letter { from, to, content });
        }
        self.deliver(Letter { from, to, content });
    }

    fn deliver(&mut self, letter: Letter) {
        let slowest = if self.has(Fault::Delay) { 120 } else { 2 };
        let delay = self
            .network
            .between(FASTEST, Duration::from_millis(slowest));
        self.after(delay, Event::Arrived(letter));
    }
}
