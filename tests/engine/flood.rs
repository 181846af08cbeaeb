//! Floods leave a whole engine as it was: memory, descriptors, threads, and room for calls.
//!
//! A few thousand requests in `make test`. `HOTLINE_FLOOD=100000` sets the full length, which is that of
//! `make bench`: so many failed calls, and five minutes of registrations. `--nocapture` shows the figures.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::harness::wire::{Wire, header, status, to_tag};
use crate::harness::{Engine, LogOnPanic, Place, Setup, free_port, password, sipp};

/// How long a flood lasts.
struct Length {
    /// Seconds of calls before the first look at the process, so that every table is as full as it gets.
    warm_up: u32,
    calls: u32,
    /// Seconds.
    registrations: u32,
}

/// As long as a transaction is remembered (RFC 3261 §17.2.1, Timer I).
const QUICK: Length = Length {
    warm_up: 6,
    calls: 4_000,
    registrations: 4,
};
/// As long as the SIP trace knows calls that are over.
const FULL_WARM_UP: u32 = 45;
const FULL_REGISTRATIONS: u32 = 300;
/// Until transactions are forgotten.
const REST: Duration = Duration::from_secs(6);
/// Calls a second: below what the table of transactions takes, or most get 503 and cost nothing.
const CALLS_RATE: u32 = 1_000;
/// Registrations a second.
const REGISTRATIONS_RATE: u32 = 5_000;
/// Requests without an answer at any moment, so that none is lost in a full socket.
const AT_ONCE: u32 = 16;
/// What memory may grow by: pages that the allocator has at hand, and a little for each request, since
/// it cuts them up more and more. What is kept of a call by mistake has its INVITE, ten times as long.
const MEMORY_KIB: u64 = 4 * 1_024;
/// See `MEMORY_KIB`.
const MEMORY_OCTETS_EACH: u64 = 128;
/// Calls that this engine takes at once.
const ROOM: u32 = 12;

fn length() -> Length {
    std::env::var("HOTLINE_FLOOD").map_or(QUICK, |text| Length {
        warm_up: FULL_WARM_UP,
        calls: text.parse().unwrap(),
        registrations: FULL_REGISTRATIONS,
    })
}

/// An engine that takes few calls and says little.
fn engine() -> Engine {
    let place = Place::new(&Setup {
        calls: ROOM,
        ..Setup::default()
    });
    let text = std::fs::read_to_string(place.config()).unwrap();
    let quiet = text.replace("level = \"debug\"", "level = \"error\"");
    assert_ne!(text, quiet);
    std::fs::write(place.config(), quiet).unwrap();
    Engine::start_in(place)
}

/// What the process has of the machine.
#[derive(Debug, Clone, Copy)]
struct Holds {
    memory_kib: u64,
    descriptors: usize,
    threads: usize,
}

impl Holds {
    fn of(engine: &Engine) -> Self {
        let folder = format!("/proc/{}", engine.process());
        let text = std::fs::read_to_string(format!("{folder}/status")).unwrap();
        let memory = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let memory = memory.and_then(|rest| rest.split_whitespace().next());
        let entries = |name: &str| {
            let entries = std::fs::read_dir(format!("{folder}/{name}")).unwrap();
            entries.count()
        };
        Self {
            memory_kib: memory.unwrap().parse().unwrap(),
            descriptors: entries("fd"),
            threads: entries("task"),
        }
    }

    fn assert_as(&self, before: &Self, requests: u32, what: &str) {
        println!("{what}: {before:?} before, {self:?} after {requests}");
        let grown = self.memory_kib.saturating_sub(before.memory_kib);
        let allowed = MEMORY_KIB + u64::from(requests) * MEMORY_OCTETS_EACH / 1_024;
        assert!(
            grown < allowed,
            "{what}: {before:?}, {self:?} after {requests}"
        );
        assert_eq!(self.descriptors, before.descriptors, "{what}");
        assert_eq!(self.threads, before.threads, "{what}");
    }
}

/// Requests of one socket, each in a call of its own; answers are counted by their status.
struct Flood {
    wire: Wire,
    sent: u32,
    answered: BTreeMap<u16, u32>,
    heard: Instant,
}

impl Flood {
    fn new(wire: Wire) -> Self {
        Self {
            wire,
            sent: 0,
            answered: BTreeMap::new(),
            heard: Instant::now(),
        }
    }

    /// Sends `count` requests at `rate` a second, and takes their answers.
    fn pour(&mut self, method: &str, number: &str, rate: u32, count: u32) {
        let begun = Instant::now();
        let (first, last) = (self.sent, self.sent + count);
        while self.answered.values().sum::<u32>() < last {
            let due = first + (begun.elapsed().as_secs_f64() * f64::from(rate)) as u32;
            let open = self.answered.values().sum::<u32>() + AT_ONCE;
            while self.sent < last.min(due).min(open) {
                self.sent += 1;
                self.wire.send(self.request(method, number));
            }
            if let Some(text) = self.wire.receive(Duration::from_millis(1)) {
                self.take(&text, method, number);
                self.heard = Instant::now();
            }
            let silent = self.heard.elapsed();
            assert!(silent < Duration::from_secs(10), "no answer for {silent:?}");
        }
        println!("{method}: {:?} in {:?}", self.answered, begun.elapsed());
    }

    /// A request with the number of this moment in whatever makes it another one.
    fn request(&self, method: &str, number: &str) -> String {
        let text = self
            .wire
            .request(method, number, 1, &self.sent.to_string(), "");
        text.replace("Call-ID: ", &format!("Call-ID: {}-", self.sent))
    }

    fn take(&mut self, text: &str, method: &str, number: &str) {
        let status = status(text).unwrap_or_else(|| panic!("{text}"));
        if status < 200 {
            return;
        }
        *self.answered.entry(status).or_default() += 1;
        if method == "INVITE" {
            // The ACK of a refusal is part of its transaction (RFC 3261 §17.1.1.3).
            let call_id = header(text, "Call-ID").unwrap();
            let nth = call_id.split('-').next().unwrap();
            let ack = self.wire.request("ACK", number, 1, nth, &to_tag(text));
            self.wire
                .send(ack.replace("Call-ID: ", &format!("Call-ID: {nth}-")));
        }
    }
}

/// The engine takes as many calls as it may, and no more: nothing of the flood counts as a call.
fn has_room(engine: &Engine) {
    let callers: Vec<_> = (0..=ROOM)
        .map(|_| Wire::new(engine.place.net.callers, engine.sip))
        .collect();
    let mut up = Vec::new();
    for wire in &callers {
        wire.send(wire.request("INVITE", "1300", 1, "room", ""));
        let (status, text) = wire
            .response("INVITE", |status| status >= 200)
            .expect("an answer");
        let branch = if status == 200 { "ack" } else { "room" };
        wire.send(wire.request("ACK", "1300", 1, branch, &to_tag(&text)));
        up.push((wire, status, to_tag(&text)));
    }
    let statuses: Vec<u16> = up.iter().map(|(_, status, _)| *status).collect();
    let (last, first) = statuses.split_last().unwrap();
    assert!(first.iter().all(|status| *status == 200), "{statuses:?}");
    assert_eq!(*last, 503, "{statuses:?}");
    for (wire, _, tag) in up.iter().filter(|(_, status, _)| *status == 200) {
        wire.send(wire.request("BYE", "1300", 2, "bye", tag));
        let answer = wire.response("BYE", |status| status >= 200);
        assert_eq!(answer.map(|(status, _)| status), Some(200));
    }
}

#[test]
fn failed_calls_leave_memory_descriptors_threads_and_room_as_they_were() {
    let engine = engine();
    let _log = LogOnPanic::of(&engine);
    has_room(&engine);
    let mut flood = Flood::new(Wire::new(engine.place.net.callers, engine.sip));
    let length = length();
    flood.pour("INVITE", "404404", CALLS_RATE, CALLS_RATE * length.warm_up);
    std::thread::sleep(REST);
    let before = Holds::of(&engine);
    flood.pour("INVITE", "404404", CALLS_RATE, length.calls);
    std::thread::sleep(REST);
    Holds::of(&engine).assert_as(&before, length.calls, "failed calls");
    let statuses: Vec<u16> = flood.answered.keys().copied().collect();
    assert_eq!(statuses, [404], "{:?}", flood.answered);
    has_room(&engine);
}

#[test]
fn registrations_without_password_leave_memory_descriptors_threads_and_room_as_they_were() {
    let engine = engine();
    let _log = LogOnPanic::of(&engine);
    has_room(&engine);
    // From where a right password came, each is answered; else most would not be heard at all.
    let address = engine.place.net.operators;
    let account = [("anna", password("anna"))];
    sipp::register(&engine, "uac-register", free_port(address), &account);
    let mut flood = Flood::new(Wire::new(address, engine.sip));
    flood.pour("REGISTER", "anna", REGISTRATIONS_RATE, REGISTRATIONS_RATE);
    std::thread::sleep(REST);
    let before = Holds::of(&engine);
    // Nothing at all is kept of these: they are no reason for more.
    flood.pour(
        "REGISTER",
        "anna",
        REGISTRATIONS_RATE,
        REGISTRATIONS_RATE * length().registrations,
    );
    std::thread::sleep(REST);
    Holds::of(&engine).assert_as(&before, 0, "registrations");
    let statuses: Vec<u16> = flood.answered.keys().copied().collect();
    assert_eq!(statuses, [401], "{:?}", flood.answered);
    has_room(&engine);
}
