//! Owns the one thread that owns all call state: what happened goes into the switch, what the
//! switch wants done goes to the sockets, the media plane and the journal.

mod inbox;
mod trace;

use core::time::Duration;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use crossbeam_channel::select;
use jiff::tz::TimeZone;
use journal::Journal;
use journal::desk::{Stated, Statement};
use journal::metrics::{Clocks, Durations};
use media::Media;
use sip::{Flow, Question};
use switch::{Input, Outbox, Output, Switch};
use tokio::sync::oneshot;
use transport::{Datagram, Transport};
use vocab::{CallId, Event, EventId, Fact, LiveConnections, LiveProcess, Snapshot, Time, WallTime};

use crate::handover::{Peer, Told};
use crate::input_log::{InputLog, Step};
use crate::priority;
use inbox::{Message, Signal};
use trace::Trace;

pub use inbox::{Inbox, Intake, Left, inbox};

/// Inputs handled before the held messages and the picture are looked at again.
const TURN: usize = 256;
/// How often the live picture is renewed.
const PICTURE_EVERY: Duration = Duration::from_millis(200);
/// How often the wall clock is compared, and how far it may be off before it is set anew.
const CLOCK_EVERY: Duration = Duration::from_secs(1);
const CLOCK_DRIFT_MS: i64 = 20;

/// A question of a plan to a web service.
#[derive(Debug)]
pub struct Fetch {
    /// For which call.
    pub call: CallId,
    /// Which of its questions.
    pub question: u32,
    /// Where.
    pub url: String,
    /// A JSON object to be sent by POST; a GET without one.
    pub body: Option<String>,
    /// After which nobody waits any more.
    pub timeout: Duration,
}

/// What the driver drives.
pub struct Parts {
    /// The core.
    pub switch: Switch,
    /// Signalling sockets.
    pub transport: Transport,
    /// Puts a question to the DNS; the answer comes as an input. Must not block.
    pub resolve: Box<dyn Fn(Question) + Send>,
    /// Asks a web service; the answer comes as an input. Must not block.
    pub fetch: Box<dyn Fn(Fetch) + Send>,
    /// The media plane.
    pub media: Media,
    /// The journal.
    pub journal: Journal,
    /// The SIP trace.
    pub tracer: ::trace::Tracer,
    /// The input log.
    pub inputs: InputLog,
    /// The other engine of a handover.
    pub(crate) peer: Peer,
    /// The longest an answer waits for the disk.
    pub answer_wait: Duration,
    /// Where the local clock is, for breaks and hours.
    pub zone: TimeZone,
}

/// The running driver.
pub struct Driver {
    inbox: Inbox,
    picture: Arc<Mutex<Picture>>,
    thread: JoinHandle<Parts>,
}

/// The live picture with what only the process knows.
#[derive(Debug, Clone, Default)]
pub struct Picture {
    /// The switch's own.
    pub snapshot: Snapshot,
    /// Calls up, those on their way out included.
    pub calls: usize,
    /// Registrations with trunks that are being taken back.
    pub closing: usize,
    /// How the process is. With `draining` the last word about new calls has reached the switch:
    /// `calls` is not older than it.
    pub process: LiveProcess,
    /// How long waits, ringings and talks lasted.
    pub durations: Durations,
    /// How the journal is.
    pub journal: journal::Health,
}

impl Driver {
    /// Starts the thread.
    ///
    /// # Errors
    /// If the system gives no thread.
    pub fn start(inbox: Inbox, intake: Intake, parts: Parts) -> std::io::Result<Self> {
        let picture = Arc::new(Mutex::new(Picture::default()));
        let shared = Arc::clone(&picture);
        let thread = std::thread::Builder::new()
            .name("driver".to_owned())
            .spawn(move || {
                priority::set(priority::CALL_CONTROL);
                Loop::new(intake, parts, shared).run()
            })?;
        Ok(Self {
            inbox,
            picture,
            thread,
        })
    }

    /// The way in.
    #[must_use]
    pub fn inbox(&self) -> &Inbox {
        &self.inbox
    }

    /// The live picture, at most 200 ms old.
    #[must_use]
    pub fn picture(&self) -> Picture {
        self.picture
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// The live picture itself, for whoever looks at it often.
    #[must_use]
    pub fn shared_picture(&self) -> Arc<Mutex<Picture>> {
        Arc::clone(&self.picture)
    }

    /// Whether the thread has ended without being told to.
    #[must_use]
    pub fn is_dead(&self) -> bool {
        self.thread.is_finished()
    }

    /// Ends the thread and gives back what it drove; `None` if it panicked.
    #[must_use]
    pub fn stop(self) -> Option<Parts> {
        let _ = self.inbox.messages.send(Message::Exit);
        self.thread.join().ok()
    }
}

struct Loop {
    intake: Intake,
    parts: Parts,
    outbox: Outbox,
    trace: Trace,
    clocks: Clocks,
    shared: Arc<Mutex<Picture>>,
    /// When the process started, by the wall clock of that moment.
    started: WallTime,
    picture_at: Time,
    clock_at: Time,
    draining: bool,
    journal_behind: bool,
    /// Broken invariants for which the input log is kept already.
    bugs: u64,
    /// Wall time at time zero, milliseconds, as last told to the switch.
    wall_zero: i64,
    /// Local time less UTC, seconds, as last told to the switch.
    offset: Option<i32>,
    /// A successor has the sockets.
    left: bool,
    /// What a leaving engine stated and is not durable yet: its ids and ours.
    adopted: VecDeque<(EventId, EventId)>,
}

impl Loop {
    fn new(intake: Intake, parts: Parts, shared: Arc<Mutex<Picture>>) -> Self {
        let outbox = Outbox::new(parts.answer_wait);
        let trace = Trace::new(parts.tracer.clone());
        let up = i64::try_from(intake.epoch.elapsed().as_millis()).unwrap_or(i64::MAX);
        let started = wall_clock().as_unix_millis().saturating_sub(up);
        Self {
            intake,
            parts,
            outbox,
            trace,
            clocks: Clocks::default(),
            shared,
            started: WallTime::from_unix_millis(started),
            picture_at: Time::ZERO,
            draining: false,
            journal_behind: false,
            clock_at: Time::ZERO,
            bugs: 0,
            wall_zero: i64::MIN,
            offset: None,
            left: false,
            adopted: VecDeque::new(),
        }
    }

    fn now(&self) -> Time {
        let us = self.intake.epoch.elapsed().as_micros();
        Time::from_micros(u64::try_from(us).unwrap_or(u64::MAX))
    }

    fn run(mut self) -> Parts {
        // What was handed in before the start comes first: plans before the calls that wait in the sockets.
        while let Ok(message) = self.intake.messages.try_recv() {
            if self.on_message(message) {
                return self.finish();
            }
        }
        loop {
            self.on_time();
            let wait = self.wait();
            let (signals, messages) = (&self.intake.signals, &self.intake.messages);
            select! {
                recv(signals) -> signal => if let Ok(signal) = signal {
                    self.on_signal(signal);
                },
                recv(messages) -> message => {
                    if self.on_message(message.unwrap_or(Message::Exit)) {
                        return self.finish();
                    }
                },
                default(wait) => self.handle(self.now(), Input::Deadline),
            }
            if self.take_more() {
                return self.finish();
            }
        }
    }

    /// Takes what else has come, without looking at the clock each time; says whether to exit.
    fn take_more(&mut self) -> bool {
        for _ in 0..TURN {
            if let Ok(message) = self.intake.messages.try_recv() {
                if self.on_message(message) {
                    return true;
                }
            } else if let Ok(signal) = self.intake.signals.try_recv() {
                self.on_signal(signal);
            } else {
                break;
            }
        }
        false
    }

    fn on_signal(&mut self, (at, signal): (Time, Signal)) {
        let input = match signal {
            Signal::Message(Datagram { flow, bytes }) => Input::Datagram { flow, bytes },
            Signal::Closed(flow) => Input::FlowClosed { flow },
        };
        self.handle(at, input);
    }

    fn on_message(&mut self, message: Message) -> bool {
        match message {
            Message::Input(input) => {
                let last_word = matches!(input, Input::Drain | Input::Stop);
                self.left &= !matches!(input, Input::TakenBack);
                self.handle(self.now(), input);
                if last_word {
                    self.draining = true;
                    self.renew_picture();
                }
            }
            Message::Durable(event) => {
                self.outbox.set_durable(event);
                self.tell_durable(event);
            }
            Message::Leave(answer) => self.leave(answer),
            Message::Adopt(events) => events.into_iter().for_each(|event| self.adopt(event)),
            Message::Settled(answer) => drop(answer.send(())),
            Message::Write(statement, answer) => self.write(statement, answer),
            Message::Order(wanted, answer) => {
                let now = self.now();
                self.parts.inputs.step(now, || Step::Order(wanted.clone()));
                let carried_out = self.parts.switch.order(now, &wanted);
                self.drain();
                // Who asked may have gone: what was ordered is done.
                let _ = answer.send(carried_out);
            }
            Message::Plans {
                plans,
                sources,
                prompts,
                audio,
            } => {
                if !audio.is_empty() {
                    self.parts.media.add_prompts(&audio);
                }
                let (now, input) = (self.now(), Input::Plans { plans, prompts });
                let inputs = &mut self.parts.inputs;
                inputs.step(now, || Step::Plans(sources, input.clone()));
                self.take(now, input);
            }
            Message::Exit => return true,
        }
        self.release();
        false
    }

    fn handle(&mut self, at: Time, input: Input) {
        if let Input::Datagram { flow, bytes } = &input {
            self.trace.received(at, flow, bytes);
        }
        let inputs = &mut self.parts.inputs;
        inputs.step(at, || Step::Input(input.clone()));
        self.take(at, input);
    }

    fn take(&mut self, at: Time, input: Input) {
        self.parts.switch.handle(at, input);
        self.drain();
    }

    /// Writes down what a person states. Who asked may have gone: the fact stays.
    fn write(&mut self, statement: Statement, answer: oneshot::Sender<Stated>) {
        let now = self.now();
        let inputs = &mut self.parts.inputs;
        let fact = match statement {
            Statement::Fact(fact) => {
                inputs.step(now, || Step::Write(fact.clone()));
                fact
            }
            Statement::Contact(contact) => {
                inputs.step(now, || Step::Contact(contact.clone()));
                Fact::ContactAdded {
                    call: self.parts.switch.contact_id(),
                    contact,
                }
            }
        };
        let call = fact.call().unwrap_or(CallId::new(0, 0));
        let event = self.parts.switch.write(now, fact);
        self.drain();
        let _ = answer.send(Stated { event, call });
    }

    /// A successor takes over.
    fn leave(&mut self, answer: oneshot::Sender<Left>) {
        while let Ok(signal) = self.intake.signals.try_recv() {
            self.on_signal(signal);
        }
        let left = Left {
            calls: self.parts.switch.sip_calls(),
            callbacks: self.parts.switch.callbacks_in_progress(),
        };
        self.handle(self.now(), Input::HandedOver);
        self.left = true;
        self.renew_picture();
        self.close_unused();
        let _ = answer.send(left);
    }

    /// States what a leaving engine stated. Its beginning and its end are its own affair.
    fn adopt(&mut self, event: Event) {
        let theirs = event.id;
        let engine = matches!(
            event.fact,
            Fact::EngineStarted { .. } | Fact::EngineAlive { .. } | Fact::EngineStopped
        );
        if engine {
            match self.adopted.back() {
                Some((_, ours)) => self.adopted.push_back((theirs, *ours)),
                None => drop(self.parts.peer.tell(Told::Durable(theirs))),
            }
            return;
        }
        let now = self.now();
        let inputs = &mut self.parts.inputs;
        inputs.step(now, || Step::Adopt(Box::new(event.clone())));
        let ours = self.parts.switch.adopt(now, event);
        self.adopted.push_back((theirs, ours));
        self.drain();
    }

    /// Tells the leaving engine up to where what it stated is on our disk.
    fn tell_durable(&mut self, event: EventId) {
        let mut last = None;
        while let Some((theirs, ours)) = self.adopted.front()
            && *ours <= event
        {
            last = Some(*theirs);
            self.adopted.pop_front();
        }
        if let Some(last) = last {
            self.parts.peer.tell(Told::Durable(last));
        }
    }

    /// Closes connections without a call: their telephones connect to the successor.
    fn close_unused(&self) {
        let switch = &self.parts.switch;
        self.parts.transport.close_unused(|flow| switch.uses(flow));
    }

    /// Carries out what the switch wants.
    fn drain(&mut self) {
        while let Some(output) = self.parts.switch.poll() {
            self.parts.inputs.made(&output);
            match output {
                Output::Send { flow, bytes, after } => {
                    let now = self.now();
                    if let Some((flow, bytes)) = self.outbox.admit(now, flow, bytes, after) {
                        self.send(now, flow, bytes);
                    }
                }
                Output::ExpectName { flow, name } => {
                    self.parts.transport.expect_name(flow, &name);
                }
                Output::Resolve { question } => (self.parts.resolve)(question),
                Output::Fetch {
                    call,
                    question,
                    url,
                    body,
                    timeout,
                } => (self.parts.fetch)(Fetch {
                    call,
                    question,
                    url,
                    body,
                    timeout,
                }),
                Output::ForgetPrompts(prompts) => self.parts.media.forget_prompts(&prompts),
                Output::Media(command) => self.parts.media.send(command),
                Output::Record(event) => {
                    self.trace.fact(&event);
                    self.clocks.take(&event);
                    self.parts.journal.append(event);
                }
                // There is no other engine.
                Output::Tell(word) => drop(self.parts.peer.tell(Told::Word(word))),
            }
        }
        self.trace.settle();
    }

    fn send(&mut self, now: Time, flow: Flow, bytes: Vec<u8>) {
        self.parts.transport.send(&flow, &bytes);
        self.trace.sent(now, flow, bytes);
    }

    fn release(&mut self) {
        let now = self.now();
        while let Some((flow, bytes)) = self.outbox.release(now) {
            self.send(now, flow, bytes);
        }
        self.trace.settle();
    }

    /// What is due by the clock: held messages, the switch's deadlines, the picture, wall time.
    fn on_time(&mut self) {
        self.release();
        let now = self.now();
        if now >= self.clock_at {
            self.clock_at = now + CLOCK_EVERY;
            self.check_wall(now);
            self.trace.tell_dropped(now);
            if self.left {
                self.close_unused();
            }
        }
        if self
            .parts
            .switch
            .next_deadline()
            .is_some_and(|at| at <= now)
        {
            self.handle(now, Input::Deadline);
        }
        if now >= self.picture_at {
            self.picture_at = now + PICTURE_EVERY;
            self.check_journal(now);
            self.renew_picture();
        }
    }

    /// Above the journal's alarm no new calls are taken, until it has caught up by half.
    fn check_journal(&mut self, now: Time) {
        let backlog = self.parts.journal.health().backlog;
        let limit = if self.journal_behind {
            journal::Health::BACKLOG_ALARM / 2
        } else {
            journal::Health::BACKLOG_ALARM
        };
        let behind = backlog > limit;
        if behind != self.journal_behind {
            self.journal_behind = behind;
            tracing::error!(backlog, behind, "the disk of the event files");
            self.handle(now, Input::JournalBehind(behind));
        }
    }

    fn check_wall(&mut self, now: Time) {
        let wall = wall_clock();
        let up = i64::try_from(now.as_millis()).unwrap_or(i64::MAX);
        let zero = wall.as_unix_millis() - up;
        if (zero.saturating_sub(self.wall_zero)).abs() > CLOCK_DRIFT_MS {
            self.wall_zero = zero;
            self.trace.set_wall(zero);
            self.handle(now, Input::Wall(wall));
            self.offset = None;
        }
        let offset = offset_of(&self.parts.zone, wall);
        if self.offset != Some(offset) {
            self.offset = Some(offset);
            self.handle(now, local_clock(&self.parts.zone, wall));
        }
    }

    fn renew_picture(&mut self) {
        let picture = Picture {
            snapshot: self.parts.switch.snapshot(),
            calls: self.parts.switch.calls(),
            closing: self.parts.switch.closing(),
            process: self.process(),
            durations: self.clocks.durations().clone(),
            journal: self.parts.journal.health(),
        };
        if picture.snapshot.counts.bugs > self.bugs {
            self.bugs = picture.snapshot.counts.bugs;
            self.parts.inputs.keep();
        }
        *self.shared.lock().unwrap_or_else(PoisonError::into_inner) = picture;
    }

    fn process(&self) -> LiveProcess {
        let network = self.parts.transport.counts();
        LiveProcess {
            started: self.started,
            draining: self.draining || self.left,
            media_dead: !self.parts.media.is_alive(),
            media_late: self.parts.media.overflows(),
            overdue_answers: self.outbox.overdue(),
            trace_dropped: self.parts.tracer.dropped(),
            datagrams_unsent: network.unsent.value(),
            connections: LiveConnections {
                turned_away: network.turned_away.value(),
                queue_full: network.queue_full.value(),
                slow: network.slow.value(),
                framing_lost: network.framing_lost.value(),
                handshakes_failed: network.handshakes_failed.value(),
                unconnected: network.unconnected.value(),
            },
        }
    }

    fn wait(&self) -> Duration {
        let now = self.now();
        [
            self.parts.switch.next_deadline(),
            self.outbox.next_deadline(),
            Some(self.picture_at),
            Some(self.clock_at),
        ]
        .into_iter()
        .flatten()
        .map(|at| at.since(now))
        .min()
        .unwrap_or(PICTURE_EVERY)
    }

    /// Sends what is still held, and gives the parts back.
    fn finish(mut self) -> Parts {
        self.handle(self.now(), Input::Exit);
        let now = self.now();
        self.parts.inputs.step(now, || Step::End);
        while let Some((flow, bytes)) = self.outbox.release(Time::from_micros(u64::MAX)) {
            self.send(now, flow, bytes);
        }
        self.trace.settle();
        self.renew_picture();
        self.parts
    }
}

/// Seconds by which local time is ahead of UTC.
fn offset_of(zone: &TimeZone, wall: WallTime) -> i32 {
    let at = jiff::Timestamp::from_millisecond(wall.as_unix_millis()).unwrap_or_default();
    zone.to_offset(at).seconds()
}

/// What the local clock reads, for the switch.
#[must_use]
pub fn local_clock(zone: &TimeZone, wall: WallTime) -> Input {
    let local = wall.as_unix_millis() + i64::from(offset_of(zone, wall)) * 1_000;
    let day = 86_400_000;
    let of_day = u64::try_from(local.rem_euclid(day)).unwrap_or(0);
    Input::Clock {
        day: u32::try_from(local.div_euclid(day)).unwrap_or(0),
        time: Duration::from_millis(of_day),
    }
}

/// What the wall clock reads.
#[must_use]
pub fn wall_clock() -> WallTime {
    let since = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or(Duration::ZERO);
    WallTime::from_unix_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
