//! Owns the load's signalling thread: two SIP endpoints, the alarms, and what callers and
//! operators share: seats, audio orders, counts.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, TryRecvError};
use rustix::event::{PollFd, PollFlags, Timespec};
use sip::Output;
use vocab::Time;
use vocab::media::{Codec, Remote, Side};

use crate::audio::{Notice, Order, PartyKey};
use crate::callers::Callers;
use crate::clock::Clock;
use crate::operators::Operators;
use crate::random::Random;
use crate::report::Counters;
use crate::settings::LoadSettings;
use crate::sockets::{Seat, Seats};
use crate::voice::Library;

/// Wakes the signalling thread from another thread.
#[derive(Debug, Clone)]
pub(crate) struct Waker(Arc<OwnedFd>);

impl Waker {
    pub(crate) fn new() -> std::io::Result<Self> {
        let flags = rustix::event::EventfdFlags::NONBLOCK | rustix::event::EventfdFlags::CLOEXEC;
        Ok(Self(Arc::new(rustix::event::eventfd(0, flags)?)))
    }

    pub(crate) fn wake(&self) {
        // It fails only when it is awake 2^64 times already.
        let _ = rustix::io::write(&*self.0, &1_u64.to_ne_bytes());
    }

    fn rest(&self) {
        let _ = rustix::io::read(&*self.0, &mut [0; 8]);
    }
}

/// What is to be done later. An alarm whose reason has gone is ignored by its owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Alarm {
    /// When to place the next call.
    Place,
    /// When a caller's patience ends.
    GiveUp(u64),
    /// When a caller has talked enough.
    CallerHangsUp(u64),
    /// When to register a telephone (again).
    Register(usize),
    /// When an operator makes up the mind about an offer.
    Decide(u64),
    /// When an operator has talked enough.
    OperatorHangsUp(u64),
}

/// What callers and operators share.
pub(crate) struct Shared {
    pub(crate) settings: LoadSettings,
    pub(crate) counters: Arc<Counters>,
    pub(crate) library: Arc<Library>,
    pub(crate) stopping: bool,
    pub(crate) seats: Seats,
    orders: Vec<Sender<Order>>,
    alarms: BinaryHeap<Reverse<(Time, u64, Alarm)>>,
    alarms_set: u64,
}

impl Shared {
    pub(crate) fn new(
        settings: LoadSettings,
        counters: Arc<Counters>,
        library: Arc<Library>,
        seats: Seats,
        orders: Vec<Sender<Order>>,
    ) -> Self {
        Self {
            settings,
            counters,
            library,
            stopping: false,
            seats,
            orders,
            alarms: BinaryHeap::new(),
            alarms_set: 0,
        }
    }

    pub(crate) fn alarm(&mut self, at: Time, alarm: Alarm) {
        self.alarms_set += 1;
        self.alarms.push(Reverse((at, self.alarms_set, alarm)));
    }

    fn due(&mut self, now: Time) -> Option<Alarm> {
        let Reverse((at, _, _)) = self.alarms.peek()?;
        if *at > now {
            return None;
        }
        self.alarms.pop().map(|Reverse((_, _, alarm))| alarm)
    }

    /// A party begins to speak and to listen.
    pub(crate) fn sound(
        &self,
        party: PartyKey,
        side: Side,
        seat: Seat,
        remote: Remote,
        from: (u16, u32),
    ) {
        let ssrc = Random::new(self.settings.seed, party.0 ^ 0x5352_4353).number() as u32;
        self.order(
            seat,
            Order::Start {
                party,
                side,
                socket: seat.socket,
                engine: remote.address,
                clip: from.0,
                frame: from.1,
                ssrc,
                payload_type: remote.codec.payload_type(),
            },
        );
    }

    /// A party falls silent; a `Notice::Finished` follows.
    pub(crate) fn silence(&self, party: PartyKey, seat: Seat) {
        self.order(seat, Order::Finish { party });
    }

    fn order(&self, seat: Seat, order: Order) {
        if let Some(orders) = self.orders.get(seat.thread) {
            // The audio threads outlive this one; a lost order would show in the report.
            let _ = orders.send(order);
        }
    }

    /// Our side of a session description.
    pub(crate) fn description<'a>(
        &self,
        side: Side,
        seat: Seat,
        party: PartyKey,
        codecs: &'a [Codec; 1],
    ) -> sdp::Local<'a> {
        let address = match side {
            Side::Caller => self.settings.caller_address,
            Side::Operator => self.settings.operator_address,
        };
        sdp::Local {
            address,
            port: seat.port,
            session_id: party.0 + 1,
            version: 1,
            codecs,
            dtmf: Some(101),
            srtp: None,
            browser: None,
        }
    }

    /// The call's own choices, the same for its caller and for the operator who gets it.
    pub(crate) fn plan(&self, index: u64) -> CallPlan {
        let mut random = Random::new(self.settings.seed, 0x0ca1_1000_0000 + index);
        let pattern = &self.settings.callers;
        let clip = random.below(self.library.clips(Side::Caller)) as u16;
        let frame = random.below(self.library.length(Side::Caller, clip) as usize) as u32;
        CallPlan {
            talk: random.within(pattern.talk),
            patience: random.within(pattern.patience),
            operator_hangs_up: random.unit() < pattern.operator_hangs_up,
            voice: (clip, frame),
        }
    }

    /// Which call of this load shows this caller's number.
    pub(crate) fn index_of(&self, shown: &str) -> Option<u64> {
        let digits: String = shown.chars().filter(char::is_ascii_digit).collect();
        let index = digits
            .parse::<u64>()
            .ok()?
            .checked_sub(self.settings.callers.first_caller)?;
        let placed = self
            .counters
            .placed
            .load(std::sync::atomic::Ordering::Relaxed);
        (index < placed).then_some(index)
    }
}

/// How one call is to go.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CallPlan {
    pub(crate) talk: Duration,
    pub(crate) patience: Duration,
    pub(crate) operator_hangs_up: bool,
    /// Clip and first frame of the caller.
    pub(crate) voice: (u16, u32),
}

/// What the owner of a load tells its signalling thread.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Wish {
    /// Hang up everything, unregister, end.
    Stop,
}

/// After `Wish::Stop`, what has not ended by then is left as it is.
const STOP_WITHIN: Duration = Duration::from_secs(8);
/// Calls begin when every telephone has registered or failed to, or after this.
const REGISTER_WITHIN: Duration = Duration::from_secs(15);
/// Longest sleep; everything that matters wakes the thread earlier.
const NAP: Duration = Duration::from_millis(200);

/// The signalling thread.
pub(crate) struct Signalling {
    pub(crate) clock: Clock,
    pub(crate) shared: Shared,
    pub(crate) callers: Callers,
    pub(crate) operators: Operators,
    pub(crate) notices: Receiver<Notice>,
    pub(crate) wishes: Receiver<Wish>,
    pub(crate) waker: Waker,
}

impl Signalling {
    /// Runs until stopped; gives back what is to be reported.
    pub(crate) fn run(mut self) -> (Callers, Operators) {
        let mut stop_by = None;
        let mut placing = false;
        self.operators.begin(self.clock.now(), &mut self.shared);
        loop {
            let now = self.clock.now();
            if stop_by.is_none() {
                match self.wishes.try_recv() {
                    Ok(Wish::Stop) => {
                        self.shared.stopping = true;
                        stop_by = Some(now + STOP_WITHIN);
                        self.callers.stop(now, &mut self.shared);
                    }
                    // Abandoned: not a word more, and the audio ends with the way to its threads.
                    Err(TryRecvError::Disconnected) => return (self.callers, self.operators),
                    Err(TryRecvError::Empty) => {}
                }
            }
            if !placing
                && (self.operators.settled()
                    || now.as_micros() > REGISTER_WITHIN.as_micros() as u64)
            {
                placing = true;
                self.shared.alarm(now, Alarm::Place);
            }
            self.turn(now);
            if let Some(stop_by) = stop_by {
                let over = self.callers.all_over() && self.operators.stop(now, &mut self.shared);
                self.drain(now);
                if over || now >= stop_by {
                    return (self.callers, self.operators);
                }
            }
            self.sleep();
        }
    }

    fn turn(&mut self, now: Time) {
        self.callers.agent.read(now, |_| false);
        self.operators.read(now, &mut self.shared);
        self.callers.agent.handle_timeout(now);
        self.operators.agent.handle_timeout(now);
        while let Some(alarm) = self.shared.due(now) {
            match alarm {
                Alarm::Place | Alarm::GiveUp(_) | Alarm::CallerHangsUp(_) => {
                    self.callers.alarm(now, alarm, &mut self.shared);
                }
                Alarm::Register(_) | Alarm::Decide(_) | Alarm::OperatorHangsUp(_) => {
                    self.operators.alarm(now, alarm, &mut self.shared);
                }
            }
        }
        while let Ok(notice) = self.notices.try_recv() {
            let (Notice::Heard { party } | Notice::Finished { party, .. }) = &notice;
            match side_of(*party) {
                Side::Caller => self.callers.notice(now, notice, &mut self.shared),
                Side::Operator => self.operators.notice(notice, &mut self.shared),
            }
        }
        self.drain(now);
    }

    fn drain(&mut self, now: Time) {
        while let Some(happened) = self.callers.agent.poll() {
            self.callers.happened(now, happened, &mut self.shared);
        }
        while let Some(happened) = self.operators.agent.poll() {
            self.operators.happened(now, happened, &mut self.shared);
        }
    }

    fn sleep(&self) {
        let now = self.clock.now();
        let next = [
            self.callers.agent.next_deadline(),
            self.operators.agent.next_deadline(),
            self.shared.alarms.peek().map(|Reverse((at, _, _))| *at),
        ]
        .into_iter()
        .flatten()
        .min();
        let nap = next.map_or(NAP, |next| next.since(now).min(NAP));
        let timeout = Timespec {
            tv_sec: 0,
            tv_nsec: i64::from(nap.subsec_nanos()),
        };
        let mut ready = [
            PollFd::new(self.callers.agent.socket(), PollFlags::IN),
            PollFd::new(self.operators.agent.socket(), PollFlags::IN),
            PollFd::new(&*self.waker.0, PollFlags::IN),
        ];
        // An interrupted sleep is a short one.
        let _ = rustix::event::poll(&mut ready, Some(&timeout));
        self.waker.rest();
    }
}

/// Callers have even keys, operators' legs odd ones.
pub(crate) fn caller_key(index: u64) -> PartyKey {
    PartyKey(index * 2)
}

pub(crate) fn leg_key(leg: u64) -> PartyKey {
    PartyKey(leg * 2 + 1)
}

pub(crate) fn number_of(party: PartyKey) -> u64 {
    party.0 / 2
}

fn side_of(party: PartyKey) -> Side {
    if party.0.is_multiple_of(2) {
        Side::Caller
    } else {
        Side::Operator
    }
}

/// Answers a request that neither callers nor operators expect.
pub(crate) fn refuse(now: Time, agent: &mut crate::agent::Agent, happened: &Output) {
    let Output::Request { tx, request, .. } = happened else {
        return;
    };
    let status = match request.method() {
        Some(sip::Method::Options) => 200,
        Some(sip::Method::Bye | sip::Method::Update | sip::Method::Info) => 481,
        _ => 501,
    };
    let tag = agent.token();
    let response = request.respond(status, Some(&tag));
    agent.respond(now, *tx, response);
}
