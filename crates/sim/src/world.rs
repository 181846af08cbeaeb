//! Owns one world: the engine, everybody around it, and the course of time, from the first call to
//! the moment when nothing is left of the last.

use core::time::Duration;
use std::collections::BTreeSet;

use dialplan::Plan;
use sip::{Flow, Transport};
use switch::{Input, Switch};
use vocab::{OperatorState, Time};

use crate::callers::{Callers, trunk};
use crate::checks;
use crate::database::Database;
use crate::endpoint::engine;
use crate::host::{Host, Left, wall};
use crate::installation::{operators, plans, read_plans, registrations, settings, standing};
use crate::orders;
use crate::random::Random;
use crate::room::{Alarm, Content, Event, Letter, Room};
use crate::scenario::{Fault, Scenario};
use crate::telephones::{Telephone, address};
use crate::{Failure, Report};

/// How long the world is lived after the last call came: no timer of SIP or of a plan is longer.
const AFTERWARDS: Duration = Duration::from_secs(900);

/// The end of it in which nothing begins: longer than any transaction lasts (RFC 3261 §17: 32 s).
const QUIET: Duration = Duration::from_secs(80);

struct World {
    scenario: Scenario,
    room: Room,
    host: Option<Host>,
    callers: Callers,
    telephones: Vec<Telephone>,
    random: Random,
    boots: u32,
    /// Callers come so often.
    gap: Duration,
    open: bool,
    set_ahead_ms: i64,
    /// What a crash left behind until the process is back.
    left: Option<Left>,
    plans: Vec<Plan>,
    database: Database,
    lossy_disk: bool,
    /// The process dies as soon as it has something unsynced.
    doomed: bool,
    wrong: Option<String>,
}

/// Lives a scenario to its end.
///
/// # Errors
/// What was wrong first.
pub fn live(scenario: &Scenario) -> Result<Report, Failure> {
    let mut world = World::new(scenario.clone());
    world.begin();
    let open = Time::ZERO + scenario.length();
    world.run(open);
    world.open = false;
    world.run(open + AFTERWARDS);
    let judged = world.judge();
    let events = world.host.as_ref().map_or(&[][..], |host| &host.events);
    match judged {
        Ok(()) => {
            let (answered, abandoned) = checks::served(events);
            Ok(Report {
                calls: world.callers.placed.len() as u64,
                answered,
                abandoned,
                datagrams: world.room.letters,
                events: events.len() as u64,
                injected: world.room.injected.clone(),
            })
        }
        Err(wrong) => {
            let last = history(events, &wrong);
            Err(Failure {
                scenario: scenario.clone(),
                wrong,
                last,
            })
        }
    }
}

/// The last events of the calls that are named in what was wrong; without any, of those that are
/// still up; without any, the last of all.
fn history(events: &[vocab::Event], wrong: &str) -> Vec<String> {
    const SHOWN: usize = 40;
    let of_leg = |event: &vocab::Event| match &event.fact {
        vocab::Fact::CallArrived {
            call, sip_call_id, ..
        }
        | vocab::Fact::LegStarted {
            call, sip_call_id, ..
        } if wrong.contains(sip_call_id.as_str()) => Some(*call),
        _ => None,
    };
    let mut meant: BTreeSet<vocab::CallId> = events.iter().filter_map(of_leg).collect();
    let called = events.iter().filter_map(|event| event.fact.call());
    meant.extend(called.filter(|call| wrong.contains(&call.to_string())));
    if meant.is_empty() {
        meant.extend(events.iter().filter_map(|event| event.fact.call()));
        for event in events {
            if let vocab::Fact::CallEnded { call, .. } = &event.fact {
                meant.remove(call);
            }
        }
    }
    let is_meant = |event: &&vocab::Event| {
        let call = event.fact.call();
        meant.is_empty() || call.is_some_and(|call| meant.contains(&call))
    };
    let told: Vec<&vocab::Event> = events.iter().filter(is_meant).collect();
    let first = told.len().saturating_sub(SHOWN);
    let tell = |event: &&vocab::Event| format!("{} {:?}", event.up, event.fact);
    told.iter().skip(first).map(tell).collect()
}

impl World {
    fn new(scenario: Scenario) -> Self {
        let mut random = Random::new(scenario.seed, 4);
        let operators = 2 + random.below(9) as usize;
        let seed = scenario.seed;
        // From half of what the operators can serve to a half more.
        let handling = Duration::from_secs(50);
        let load = 500 + random.below(1_000);
        let gap = handling.mul_f64(1_000.0 / load as f64) / operators as u32;
        Self {
            room: Room::new(seed, scenario.faults.clone()),
            scenario,
            host: None,
            callers: Callers::new(seed),
            telephones: (0..operators).map(|n| Telephone::new(seed, n)).collect(),
            random,
            boots: 0,
            gap,
            open: true,
            set_ahead_ms: 0,
            left: None,
            plans: read_plans(),
            database: Database::default(),
            lossy_disk: false,
            doomed: false,
            wrong: None,
        }
    }

    fn begin(&mut self) {
        self.start();
        for n in 0..self.telephones.len() {
            let time = Duration::from_millis(10 + self.random.below(2_000));
            self.room.alarm(time, Alarm::Register(n));
            if self.room.has(Fault::Outside) {
                let time = Duration::from_secs(5 + self.random.below(180));
                self.room.alarm(time, Alarm::Dial(n));
            }
        }
        self.room.alarm(Duration::from_secs(3), Alarm::Arrival);
        let troubles = [
            Fault::Partition,
            Fault::Garbage,
            Fault::Crash,
            Fault::Reload,
            Fault::Clock,
            Fault::Orders,
            Fault::Database,
        ];
        for fault in troubles {
            if self.room.has(fault) {
                self.trouble_later(fault);
            }
        }
    }

    /// From here on nothing begins any more.
    fn quiet_from(&self) -> Time {
        Time::ZERO + self.scenario.length() + AFTERWARDS.saturating_sub(QUIET)
    }

    fn trouble_later(&mut self, fault: Fault) {
        let mean = match fault {
            Fault::Crash => 600,
            Fault::Partition => 90,
            Fault::Garbage => 20,
            Fault::Orders => orders::EVERY.as_secs(),
            _ => 200,
        };
        let time = self.random.exponential(Duration::from_secs(mean));
        self.room.alarm(time, Alarm::Trouble(fault));
    }

    /// The process starts, with what an earlier one left on its disk.
    fn start(&mut self) {
        self.boots += 1;
        let seed = self.scenario.seed;
        let settings = settings(seed, self.boots);
        let mut host = Host::new(seed, Switch::new(settings), self.boots);
        let mut awaited = Vec::new();
        let mut bindings = Vec::new();
        let mut stood = vocab::Standing::default();
        if let Some(left) = self.left.take() {
            let events = left.files.all();
            if events.len() < left.durable {
                let wrong = format!(
                    "of {} durable events {} are left",
                    left.durable,
                    events.len()
                );
                self.wrong.get_or_insert(wrong);
            }
            let (closing, recovery) = journal::close_interrupted(&events);
            awaited = recovery.recordings_awaited;
            host.continue_with(left, events, &closing);
            bindings = registrations(&host.events);
            stood = standing(&host.events);
        }
        let room = &mut self.room;
        host.input(room, Input::Wall(wall(room.now, self.set_ahead_ms)));
        host.input(room, Input::Operators(operators(self.telephones.len())));
        host.input(room, Input::Standing(stood));
        host.input(room, plans(&self.plans));
        host.input(
            room,
            Input::Bindings {
                registrations: bindings,
                listening: vec![engine()],
            },
        );
        host.repair(room, awaited);
        self.host = Some(host);
    }

    fn run(&mut self, until: Time) {
        while self.wrong.is_none() {
            let Some(next) = self.next().filter(|next| *next <= until) else {
                break;
            };
            self.room.now = self.room.now.max(next);
            while let Some(event) = self.room.due() {
                self.happens(event);
            }
            self.deadlines();
            if self.doomed && self.host.as_ref().is_some_and(Host::is_writing) {
                self.crash();
            }
        }
        self.room.now = self.room.now.max(until);
    }

    fn next(&self) -> Option<Time> {
        let switch = self.host.as_ref().and_then(|host| host.deadline);
        let telephones = self.telephones.iter();
        let telephones = telephones
            .filter_map(|one| one.endpoint.next_deadline())
            .min();
        let callers = self.callers.endpoint.next_deadline();
        [self.room.next(), switch, telephones, callers]
            .into_iter()
            .flatten()
            .min()
    }

    fn deadlines(&mut self) {
        let now = self.room.now;
        if let Some(host) = &mut self.host
            && host.deadline.is_some_and(|at| at <= now)
        {
            host.input(&mut self.room, Input::Deadline);
        }
        if self
            .callers
            .endpoint
            .next_deadline()
            .is_some_and(|at| at <= now)
        {
            self.callers.endpoint.handle_timeout(now);
            self.hear_callers();
        }
        for n in 0..self.telephones.len() {
            if self.telephones[n]
                .endpoint
                .next_deadline()
                .is_some_and(|at| at <= now)
            {
                self.telephones[n].endpoint.handle_timeout(now);
                self.hear_telephone(n);
            }
        }
        self.look();
    }

    fn hear_callers(&mut self) {
        while let Some(happened) = self.callers.endpoint.poll(&mut self.room) {
            self.callers.happened(&mut self.room, happened);
        }
    }

    fn hear_telephone(&mut self, n: usize) {
        while let Some(happened) = self.telephones[n].endpoint.poll(&mut self.room) {
            self.telephones[n].happened(&mut self.room, &mut self.callers, happened);
        }
    }

    /// What must be true at any moment.
    fn look(&mut self) {
        let Some(host) = &mut self.host else { return };
        let wrong = host.nonsense.take().or_else(|| host.wire.fault.take());
        if let Some(wrong) = wrong {
            self.wrong.get_or_insert(wrong);
        }
    }

    fn happens(&mut self, event: Event) {
        match event {
            Event::Arrived(letter) => self.arrived(letter),
            Event::Media(boot, event) => {
                if let Some(host) = self.host.as_mut().filter(|host| host.boot == boot) {
                    host.media_event(&mut self.room, event);
                }
            }
            Event::Recorded(boot, key) => {
                if let Some(host) = self.host.as_mut().filter(|host| host.boot == boot) {
                    host.recorded(&mut self.room, key);
                }
            }
            Event::Alarm(alarm) => self.alarm(&alarm),
        }
    }

    fn arrived(&mut self, letter: Letter) {
        let Letter { from, to, content } = letter;
        let now = self.room.now;
        if to == engine() {
            let (Some(host), Content::Octets(bytes)) = (&mut self.host, content) else {
                return;
            };
            host.wire.received(now, from, &bytes);
            let flow = Flow {
                transport: Transport::Udp,
                local: to,
                remote: from,
            };
            return host.input(&mut self.room, Input::Datagram { flow, bytes });
        }
        // Anybody else is a stranger who sent garbage.
        if to == trunk() {
            self.callers.endpoint.receive(now, content);
            self.hear_callers();
        } else if let Some(n) = (0..self.telephones.len()).find(|n| address(*n) == to) {
            self.telephones[n].endpoint.receive(now, content);
            self.hear_telephone(n);
        }
    }

    fn alarm(&mut self, alarm: &Alarm) {
        match *alarm {
            Alarm::Arrival => {
                if self.open {
                    self.callers.arrive(&mut self.room);
                    self.hear_callers();
                    let gap = self.random.exponential(self.gap);
                    self.room.alarm(gap, Alarm::Arrival);
                }
            }
            Alarm::Redial(_) if !self.open => {}
            Alarm::Dial(_) if !self.open => {}
            // The last transactions are over at the end.
            Alarm::Register(_) if self.room.now > self.quiet_from() => {}
            Alarm::Patience(_)
            | Alarm::CallerDone(_)
            | Alarm::Redial(_)
            | Alarm::PickUp(..)
            | Alarm::OutsideDone(_) => {
                self.callers.alarm(&mut self.room, alarm);
                self.hear_callers();
            }
            Alarm::Register(n)
            | Alarm::Decide(n, _)
            | Alarm::Refer(n, _)
            | Alarm::Consult(n, _)
            | Alarm::Join(n, _)
            | Alarm::Hold(n, _)
            | Alarm::Dial(n)
            | Alarm::Enough(n, _)
            | Alarm::OperatorDone(n, _) => {
                self.telephones[n].alarm(&mut self.room, alarm);
                self.hear_telephone(n);
            }
            Alarm::Synced => {
                if let Some(host) = &mut self.host {
                    host.synced(&mut self.room);
                }
            }
            Alarm::Follow(boot) => {
                if let Some(host) = self.host.as_mut().filter(|host| host.boot == boot) {
                    host.follow(&mut self.room, &mut self.database);
                }
            }
            Alarm::Overdue => {
                if let Some(host) = &mut self.host {
                    host.release(&mut self.room);
                }
            }
            Alarm::Trouble(fault) => self.trouble(fault),
            Alarm::Restart => self.start(),
        }
    }

    fn trouble(&mut self, fault: Fault) {
        if !self.open {
            return;
        }
        self.trouble_later(fault);
        if self.host.is_none() {
            return;
        }
        self.room.count(fault);
        match fault {
            Fault::Partition => {
                let n = self.random.below(1 + self.telephones.len() as u64) as usize;
                let whose = if n == self.telephones.len() {
                    trunk()
                } else {
                    address(n)
                };
                let time = Duration::from_secs(1 + self.random.below(40));
                self.room.cut_off(whose, time);
            }
            Fault::Garbage => self.garbage(),
            Fault::Orders => {
                if let Some(host) = &mut self.host {
                    let waiting = &host.waiting;
                    let wanted = orders::wanted(&mut self.random, self.telephones.len(), waiting);
                    host.order(&mut self.room, &wanted);
                }
            }
            // Most moments have nothing unsynced.
            Fault::Crash if self.room.has(Fault::TornWrite) && self.random.chance(500) => {
                self.doomed = true;
            }
            Fault::Crash => self.crash(),
            Fault::Reload => {
                if let Some(host) = &mut self.host {
                    host.input(&mut self.room, plans(&self.plans));
                    let operators = operators(self.telephones.len());
                    host.input(&mut self.room, Input::Operators(operators));
                }
            }
            Fault::Database => {
                let time = Duration::from_secs(1 + self.random.below(180));
                self.database.take_down(self.room.now + time);
            }
            Fault::Clock => {
                let hours_ms = 2 * 3_600_000;
                self.set_ahead_ms = self.random.below(2 * hours_ms) as i64 - hours_ms as i64;
                if let Some(host) = &mut self.host {
                    let wall = wall(self.room.now, self.set_ahead_ms);
                    host.input(&mut self.room, Input::Wall(wall));
                }
            }
            _ => {}
        }
    }

    fn crash(&mut self) {
        self.doomed = false;
        if let Some(host) = self.host.take() {
            self.lossy_disk |= host.overdue() > 0;
            self.left = Some(host.crashed(&mut self.room));
            self.room.alarm(Duration::from_secs(1), Alarm::Restart);
        }
    }

    /// A few datagrams of chance, and the torso of a message.
    fn garbage(&mut self) {
        let torso: &[u8] =
            b"INVITE sip:1300@198.51.100.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.10;branch=z";
        let from = match self.random.below(3) {
            0 => trunk(),
            1 => address(0),
            _ => ([192, 0, 2, 77], 5060).into(),
        };
        for _ in 0..3 {
            let length = 1 + self.random.below(200) as usize;
            let bytes: Vec<u8> = match self.random.below(2) {
                0 => (0..length).map(|_| self.random.number() as u8).collect(),
                _ => torso.iter().copied().take(length).collect(),
            };
            self.room.send(from, engine(), Content::Octets(bytes));
        }
    }

    /// Everything that must be true at the end.
    fn judge(&mut self) -> Result<(), String> {
        if let Some(wrong) = self.wrong.take() {
            return Err(wrong);
        }
        let Some(host) = &self.host else {
            return Err("the process did not come back".to_owned());
        };
        for (table, size) in host.switch.tables() {
            if size > 0 {
                return Err(format!("{size} left in the table of {table}"));
            }
        }
        let snapshot = host.switch.snapshot();
        if snapshot.counts.bugs > 0 {
            return Err(format!(
                "{} broken invariants were told",
                snapshot.counts.bugs
            ));
        }
        let stuck = snapshot.operators.iter().find(|operator| {
            !matches!(
                operator.state,
                OperatorState::Free | OperatorState::Unreachable | OperatorState::Paused
            )
        });
        if let Some(stuck) = stuck {
            return Err(format!("{} is {:?} for ever", stuck.line, stuck.state));
        }
        if host.sockets() > 0 {
            return Err(format!("{} sockets stayed open", host.sockets()));
        }
        let legs: usize = self.telephones.iter().map(Telephone::up).sum();
        if (self.callers.up(), legs) != (0, 0) {
            let up = self.callers.up();
            return Err(format!(
                "{up} callers and {legs} telephones still think they are in a call"
            ));
        }
        host.judge(&mut self.database, self.room.now)?;
        checks::facts(&host.events)?;
        let dialled = self.telephones.iter().flat_map(|one| &one.placed);
        let placed = self.callers.placed.iter().chain(dialled);
        checks::callers(&host.events, placed, self.lossy_disk)
    }
}
