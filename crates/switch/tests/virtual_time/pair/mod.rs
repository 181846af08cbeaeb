//! Two engines back to back in virtual time: each is the other's trunk, and the link between them
//! loses, doubles, reorders and delays datagrams. Operators of both call, hold, transfer and hang up.

mod judge;
mod link;
use core::net::SocketAddr;
use core::time::Duration;

use crate::world::peers::with_outer;
use crate::world::room::Room;
use crate::world::{OFFER, World, phone};
use link::{Link, Weather};
use proptest::prelude::*;
use sip::{HeaderName, Method, SessionTimerSettings, Uri};
use switch::Settings;
use switch::trunk::Trunk;
use vocab::{Event, Fact, Time};

const SECOND: Duration = Duration::from_secs(1);

/// Which of the two engines.
type Side = usize;

/// The numbers that the two serve.
const NUMBERS: [&str; 2] = ["+74990000001", "+74990000002"];

fn engine(side: Side) -> SocketAddr {
    let last = [1, 2][side];
    SocketAddr::new([198, 51, 100, last].into(), 5060)
}

fn settings(side: Side) -> Settings {
    let other = engine(1 - side);
    let mut settings = with_outer();
    settings.seed = [7 + side as u8; 32];
    settings.sockets = vec![(sip::Transport::Udp, engine(side))];
    // The shortest there is, so that a talk of minutes has refreshes in it.
    settings.session_timer = SessionTimerSettings {
        expires_s: 90,
        min_s: 90,
    };
    let outbound = settings.trunks[0].outbound.take().map(|mut outbound| {
        outbound.servers = vec![Uri::parse(&format!("sip:{other}")).unwrap()];
        outbound
    });
    let network = format!("{}/32", other.ip()).parse().unwrap();
    let mut trunk = Trunk::at("other", vec![network]);
    trunk.outbound = outbound;
    settings.trunks = vec![trunk];
    settings
}

/// An operator's answer is the answer to the call.
fn plan(side: Side) -> String {
    crate::world::PLAN
        .replace("1300", NUMBERS[side])
        .replace("[[step]]\nanswer = {}\n", "")
}

struct Pair {
    worlds: [World; 2],
    rooms: [Room; 2],
    link: Link,
    now: Time,
}

impl Pair {
    fn new(weather: Weather) -> Self {
        let world = |side| World::with_plan(settings(side), &plan(side)).with_operators(2);
        let mut pair = Self {
            worlds: [world(0), world(1)],
            rooms: [(); 2].map(|()| Room {
                trying: true,
                ..Room::at(vec![phone(1), phone(2)])
            }),
            link: Link::new(weather),
            now: Time::ZERO,
        };
        // Both clocks read the same from now on.
        pair.now = pair.worlds[0].now.max(pair.worlds[1].now);
        pair.pass(SECOND);
        pair
    }

    /// Telephones answer at once; what goes to the other engine is given to the link.
    fn settle(&mut self) {
        for side in 0..2 {
            self.rooms[side].settle(&mut self.worlds[side]);
            while let Some(message) = self.worlds[side].try_next(engine(1 - side)) {
                self.link.send(self.now, 1 - side, &message.to_bytes());
            }
        }
    }

    fn set_clock(&mut self, now: Time) {
        self.now = self.now.max(now);
        for world in &mut self.worlds {
            world.now = self.now;
        }
    }

    /// Lets time pass in both, with every datagram and deadline on the way.
    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        self.settle();
        loop {
            let deadlines = [0, 1].map(|side| self.worlds[side].switch.next_deadline());
            let arrival = self.link.under_way.keys().next().map(|key| key.0);
            let next = deadlines.into_iter().chain([arrival]).flatten().min();
            let Some(at) = next.filter(|at| *at <= end) else {
                break;
            };
            self.set_clock(at);
            if arrival.is_some_and(|arrival| arrival <= self.now)
                && let Some((_, (to, bytes))) = self.link.under_way.pop_first()
            {
                self.worlds[to].raw(engine(1 - to), &bytes);
            }
            for (world, deadline) in self.worlds.iter_mut().zip(deadlines) {
                if deadline.is_some_and(|deadline| deadline <= world.now) {
                    world.input(switch::Input::Deadline);
                }
            }
            self.settle();
        }
        self.set_clock(end);
    }

    /// Waits until it is so; fails if it is not within a minute.
    #[track_caller]
    fn until(&mut self, what: &str, is_so: impl Fn(&Self) -> bool) {
        let weather = self.link.weather;
        for _ in 0..600 {
            if is_so(self) {
                return;
            }
            self.pass(Duration::from_millis(100));
        }
        panic!("not within a minute: {what}; {weather:?}");
    }

    fn dials(&mut self, side: Side, n: u8) {
        self.settle();
        let to = NUMBERS[1 - side];
        let invite = self.worlds[side].dials(n, to);
        self.rooms[side].dialled.push((phone(n), invite));
        self.settle();
    }

    fn answers(&mut self, side: Side, n: u8, status: u16) {
        self.rooms[side].answer(&mut self.worlds[side], phone(n), n, status);
        self.settle();
    }

    fn rings(&self, side: Side, n: u8) -> bool {
        let at = phone(n);
        self.rooms[side]
            .rings
            .iter()
            .any(|(ringing, _)| *ringing == at)
    }

    fn talks(&self, side: Side, n: u8) -> bool {
        self.rooms[side].peer(phone(n), 0).is_some()
    }

    /// Telephone `n` asks something in its dialog number `which`.
    fn asks(&mut self, (side, n): (Side, u8), which: usize, asked: &Asked) {
        let Some(peer) = self.rooms[side].peer(phone(n), which) else {
            return;
        };
        // Where the one who called transfers, the called one is up without a talk meanwhile, and the times
        // differ by right.
        let called = !peer.call_id.ends_with("@test");
        if matches!(asked, Asked::Refer) && !called {
            return;
        }
        let to = format!("<sip:{}@{}>", NUMBERS[1 - side], engine(side));
        let (room, world) = (&mut self.rooms[side], &mut self.worlds[side]);
        match asked {
            Asked::Bye => room.send(world, peer, Method::Bye, |bye| bye),
            Asked::Refer => room.send(world, peer, Method::Refer, |mut refer| {
                refer.headers.push(HeaderName::ReferTo, to);
                refer
            }),
            Asked::Hold(direction) => room.send(world, peer, Method::Update, |update| {
                let body = format!("{OFFER}a={direction}\r\n");
                update.with_body("application/sdp", body.into())
            }),
        }
        self.settle();
    }

    /// Everybody hangs up and declines until nothing is left, and the checkers look.
    fn close(&mut self) {
        for _ in 0..60 {
            for side in 0..2 {
                self.rooms[side].close_one(&mut self.worlds[side]);
            }
            self.pass(SECOND);
        }
        self.pass(200 * SECOND);
        self.judge();
    }
}

/// What a telephone may ask in a dialog.
#[derive(Debug, Clone)]
enum Asked {
    Bye,
    /// To transfer the other party to the other engine's number.
    Refer,
    Hold(&'static str),
}

// ---- a day in order ----

const CALM: Weather = Weather {
    seed: 1,
    lost: 0,
    doubled: 0,
    delay_ms_max: 30,
};

/// An operator of the first engine calls the second, is held, talks for ten minutes, is transferred
/// back to a colleague of the first engine, who hangs up or is hung up on.
fn there_and_back(weather: Weather, colleague_hangs_up: bool) -> Pair {
    let mut pair = Pair::new(weather);
    pair.dials(0, 1);
    pair.until("it rings there", |pair| pair.rings(1, 1));
    pair.answers(1, 1, 180);
    pair.pass(2 * SECOND);
    pair.answers(1, 1, 200);
    pair.until("they talk", |pair| pair.talks(0, 1) && pair.talks(1, 1));
    pair.pass(10 * SECOND);
    pair.asks((1, 1), 0, &Asked::Hold("sendonly"));
    pair.pass(20 * SECOND);
    pair.asks((1, 1), 0, &Asked::Hold("sendrecv"));
    // Each 45 s the session is refreshed over the link.
    pair.pass(600 * SECOND);
    assert!(pair.talks(0, 1) && pair.talks(1, 1), "cut off: {weather:?}");
    pair.asks((1, 1), 0, &Asked::Refer);
    pair.until("it rings here", |pair| pair.rings(0, 2));
    pair.answers(0, 2, 200);
    pair.until("all are through", |pair| {
        pair.talks(0, 2) && !pair.talks(1, 1)
    });
    pair.pass(300 * SECOND);
    assert!(pair.talks(0, 1) && pair.talks(0, 2), "cut off: {weather:?}");
    let n = if colleague_hangs_up { 2 } else { 1 };
    pair.asks((0, n), 0, &Asked::Bye);
    pair.until("all are gone", |pair| {
        pair.rooms.iter().all(|room| room.peers.is_empty())
    });
    pair.pass(200 * SECOND);
    pair.judge();
    pair
}

fn count(facts: &[Event], is: impl Fn(&Fact) -> bool) -> usize {
    facts.iter().filter(|event| is(&event.fact)).count()
}

#[test]
fn a_call_goes_there_is_held_refreshed_and_transferred_back_and_both_journals_agree() {
    for colleague_hangs_up in [true, false] {
        let pair = there_and_back(CALM, colleague_hangs_up);
        let [here, there] = &pair.worlds;
        let ends = |fact: &Fact| matches!(fact, Fact::CallEnded { .. });
        assert_eq!(
            count(&here.facts, ends),
            2,
            "the operator's, and the one that came back"
        );
        assert_eq!(count(&there.facts, ends), 1);
        let held = |fact: &Fact| matches!(fact, Fact::HoldStarted { .. });
        assert_eq!(count(&there.facts, held), 1);
        let done = |fact: &Fact| {
            matches!(fact, Fact::TransferEnded { result, .. }
                if *result == vocab::TransferResult::Done)
        };
        assert_eq!(count(&there.facts, done), 1);
        // 900 s with a refresh each 45 s, on one leg and then on two.
        assert!(pair.link.sent > 2 * 20, "{} datagrams", pair.link.sent);
    }
}

#[test]
fn a_link_that_loses_a_third_doubles_and_reorders_changes_nothing_but_the_times() {
    for seed in 0..40 {
        let weather = Weather {
            seed,
            lost: 33,
            doubled: 20,
            delay_ms_max: 250,
        };
        there_and_back(weather, seed % 2 == 0);
    }
}

// ---- random orders ----

/// What may happen next.
#[derive(Debug, Clone)]
enum Step {
    Dials {
        side: Side,
        n: u8,
    },
    Answers {
        side: Side,
        n: u8,
        status: u16,
    },
    Asks {
        side: Side,
        n: u8,
        which: usize,
        asked: Asked,
    },
    Passes(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let asked = prop_oneof![
        3 => Just(Asked::Bye),
        1 => Just(Asked::Hold("sendonly")),
        1 => Just(Asked::Hold("sendrecv")),
    ];
    let step = prop_oneof![
        3 => (0_usize..2, 1_u8..=2).prop_map(|(side, n)| Step::Dials { side, n }),
        6 => (0_usize..2, 1_u8..=2, 0_usize..6).prop_map(|(side, n, at)| Step::Answers {
            side,
            n,
            status: [180, 200, 200, 200, 486, 603][at],
        }),
        4 => (0_usize..2, 1_u8..=2, 0_usize..2, asked)
            .prop_map(|(side, n, which, asked)| Step::Asks { side, n, which, asked }),
        // Only one engine's operators transfer: else a call may go to and fro for ever.
        2 => (1_u8..=2, 0_usize..2)
            .prop_map(|(n, which)| Step::Asks { side: 1, n, which, asked: Asked::Refer }),
        4 => (0_u64..8_000).prop_map(Step::Passes),
        1 => (0_u64..150_000).prop_map(Step::Passes),
    ];
    proptest::collection::vec(step, 1..40)
}

fn weather() -> impl Strategy<Value = Weather> {
    (any::<u64>(), 0_u64..40, 0_u64..30, 1_u64..400).prop_map(
        |(seed, lost, doubled, delay_ms_max)| Weather {
            seed,
            lost,
            doubled,
            delay_ms_max,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Whatever order of calls, holds, transfers and hang-ups, and whatever the link does: nothing is left
    /// in either engine, each call has one end, and both journals tell the same of it. What fails is
    /// printed with the weather's seed.
    #[test]
    fn whatever_happens_between_two_engines_their_journals_agree(
        weather in weather(),
        steps in steps(),
    ) {
        let mut pair = Pair::new(weather);
        for step in steps {
            match step {
                Step::Dials { side, n } => pair.dials(side, n),
                Step::Answers { side, n, status } => pair.answers(side, n, status),
                Step::Asks { side, n, which, asked } => pair.asks((side, n), which, &asked),
                Step::Passes(ms) => pair.pass(Duration::from_millis(ms)),
            }
            for world in &pair.worlds {
                prop_assert_eq!(world.switch.snapshot().counts.bugs, 0);
            }
        }
        pair.close();
    }
}
