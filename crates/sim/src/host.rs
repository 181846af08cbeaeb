//! Owns the process around the switch: its event file on a disk that may be slow, a media plane that
//! does what it is told, and what a crash leaves of them.

use core::net::SocketAddr;
use core::time::Duration;
use std::collections::BTreeMap;

use journal::memory::{Files, Place};
use switch::{Input, Outbox, Output, Switch};
use vocab::media::{MediaCommand, MediaEvent, RecordingKey};
use vocab::{
    CallId, Event, Instruction, LegCounts, LegId, LegQuality, MissingReason, RecordingFile, Time,
    WallTime,
};

use crate::database::{Database, Follower};
use crate::endpoint::engine;
use crate::orders;
use crate::random::Random;
use crate::room::{Alarm, Event as Happening, Room};
use crate::scenario::Fault;
use crate::wire::Wire;

/// How long a datagram waits for its event to be on the disk, as in the driver.
const WAIT_FOR_SYNC: Duration = Duration::from_millis(20);
/// How long each prompt is.
const PROMPT: Duration = Duration::from_secs(2);

/// What a caller may press.
const KEYS: [char; 12] = ['1', '2', '3', '4', '5', '6', '7', '8', '9', '0', '*', '#'];

/// A leg of the media plane.
struct Leg {
    call: CallId,
    playing: Option<u32>,
    heard: bool,
    recording: Option<RecordingKey>,
    /// In a mix of more than two.
    mixed: bool,
}

/// What a process leaves behind when it dies.
pub(crate) struct Left {
    pub(crate) files: Files,
    /// So many events were on the disk before the last write.
    pub(crate) durable: usize,
    pub(crate) wire: Wire,
}

pub(crate) struct Host {
    pub(crate) switch: Switch,
    /// When the switch wants to be told the time, as it said last.
    pub(crate) deadline: Option<Time>,
    pub(crate) boot: u32,
    random: Random,
    legs: BTreeMap<LegId, Leg>,
    outbox: Outbox,
    /// What is on the disk: all that a crash leaves.
    pub(crate) events: Vec<Event>,
    unsynced: Vec<Event>,
    /// Calls that wait in a queue of this process.
    pub(crate) waiting: Vec<CallId>,
    syncing: bool,
    files: Files,
    /// What stands before it in the files is on the disk.
    durable: Place,
    follower: Follower,
    pub(crate) wire: Wire,
    /// What the media plane was told that makes no sense.
    pub(crate) nonsense: Option<String>,
}

impl Host {
    pub(crate) fn new(seed: u64, switch: Switch, boot: u32) -> Self {
        Self {
            switch,
            deadline: None,
            boot,
            random: Random::new(seed, 10 + u64::from(boot)),
            legs: BTreeMap::new(),
            outbox: Outbox::new(WAIT_FOR_SYNC),
            events: Vec::new(),
            unsynced: Vec::new(),
            waiting: Vec::new(),
            syncing: false,
            files: Files::default(),
            durable: Place::default(),
            follower: Follower::default(),
            wire: Wire::default(),
            nonsense: None,
        }
    }

    /// Whether a crash now would lose something.
    pub(crate) const fn is_writing(&self) -> bool {
        !self.unsynced.is_empty()
    }

    /// Sockets of the media plane that are open.
    pub(crate) fn sockets(&self) -> usize {
        self.legs.len()
    }

    pub(crate) fn input(&mut self, room: &mut Room, input: Input) {
        self.switch.handle(room.now, input);
        self.drain(room);
    }

    fn drain(&mut self, room: &mut Room) {
        while let Some(output) = self.switch.poll() {
            self.output(room, output);
        }
        self.deadline = self.switch.next_deadline();
    }

    /// Somebody wants something of the queues; a refusal is an answer, too.
    pub(crate) fn order(&mut self, room: &mut Room, wanted: &Instruction) {
        let _ = self.switch.order(room.now, wanted);
        self.drain(room);
    }

    fn output(&mut self, room: &mut Room, output: Output) {
        match output {
            Output::Send { flow, bytes, after } => {
                match self.outbox.admit(room.now, flow, bytes, after) {
                    Some((flow, bytes)) => self.send(room, flow.remote, bytes),
                    None => room.alarm(WAIT_FOR_SYNC, Alarm::Overdue),
                }
            }
            Output::Record(event) => {
                orders::follow(&mut self.waiting, &event);
                self.files.append(&event);
                self.unsynced.push(event);
                self.sync_soon(room);
            }
            Output::Media(command) => self.media(room, command),
            // Nothing in these worlds has a name, shows a certificate, or is a web service.
            Output::ExpectName { .. }
            | Output::Tell(_)
            | Output::ForgetPrompts(_)
            | Output::Resolve { .. }
            | Output::Fetch { .. } => {}
        }
    }

    fn send(&mut self, room: &mut Room, to: SocketAddr, bytes: Vec<u8>) {
        let content = self.wire.sent(room.now, to, bytes);
        room.send(engine(), to, content);
    }

    /// Answers that went out although their event was not on the disk yet.
    pub(crate) fn overdue(&self) -> u64 {
        self.outbox.overdue()
    }

    fn sync_soon(&mut self, room: &mut Room) {
        if self.syncing || self.unsynced.is_empty() {
            return;
        }
        self.syncing = true;
        let mut time = self
            .random
            .between(Duration::from_micros(300), Duration::from_millis(5));
        if room.has(Fault::SlowDisk) && self.random.chance(20) {
            room.count(Fault::SlowDisk);
            time = self
                .random
                .between(Duration::from_millis(5), Duration::from_secs(1));
        }
        room.alarm(time, Alarm::Synced);
    }

    pub(crate) fn synced(&mut self, room: &mut Room) {
        self.syncing = false;
        if let Some(last) = self.unsynced.last() {
            self.outbox.set_durable(last.id);
        }
        self.events.append(&mut self.unsynced);
        self.durable = self.files.end();
        self.follower.wake(room, self.boot);
        self.release(room);
        self.sync_soon(room);
    }

    /// Sends what waits no longer.
    pub(crate) fn release(&mut self, room: &mut Room) {
        while let Some((flow, bytes)) = self.outbox.release(room.now) {
            self.send(room, flow.remote, bytes);
        }
    }

    fn media(&mut self, room: &mut Room, command: MediaCommand) {
        let soon = Duration::from_micros(100 + self.random.below(400));
        let boot = self.boot;
        if let MediaCommand::Open { call, leg } = command {
            if self.legs.contains_key(&leg) {
                self.nonsense = Some(format!("{leg} is opened twice"));
            }
            let port = 10_000 + 2 * (leg.counter() % 20_000) as u16;
            let failed = room.has(Fault::Ports) && self.random.chance(5);
            if failed {
                room.count(Fault::Ports);
                let reason = "no port is free".to_owned();
                let event = MediaEvent::OpenFailed { call, leg, reason };
                room.after(soon, Happening::Media(boot, event));
                return;
            }
            let event = MediaEvent::Opened {
                call,
                leg,
                port,
                browser: None,
            };
            room.after(soon, Happening::Media(boot, event));
            let leg_of_call = Leg {
                call,
                playing: None,
                heard: false,
                recording: None,
                mixed: false,
            };
            self.legs.insert(leg, leg_of_call);
            return;
        }
        let named = match &command {
            MediaCommand::Bridge {
                caller, operator, ..
            } => vec![*caller, *operator],
            MediaCommand::Mix { parties, .. } => parties.iter().map(|one| one.leg).collect(),
            MediaCommand::SetRemote { leg, .. }
            | MediaCommand::Key { leg, .. }
            | MediaCommand::Press { leg, .. }
            | MediaCommand::Play { leg, .. }
            | MediaCommand::Stop { leg, .. }
            | MediaCommand::Unbridge { leg, .. }
            | MediaCommand::Record { leg, .. }
            | MediaCommand::RecordWait { leg, .. }
            | MediaCommand::EndRecord { leg, .. }
            | MediaCommand::PauseRecording { leg, .. }
            | MediaCommand::ResumeRecording { leg, .. }
            | MediaCommand::Close { leg, .. }
            | MediaCommand::Open { leg, .. } => vec![*leg],
        };
        if let Some(strange) = named.iter().find(|leg| !self.legs.contains_key(leg)) {
            self.nonsense = Some(format!(
                "a command for {strange}, which is closed: {command:?}"
            ));
            return;
        }
        self.media_of_leg(room, command, soon);
    }

    fn media_of_leg(&mut self, room: &mut Room, command: MediaCommand, soon: Duration) {
        let boot = self.boot;
        match command {
            MediaCommand::SetRemote { call, leg, .. } => {
                let Some(known) = self.legs.get_mut(&leg) else {
                    return;
                };
                if !core::mem::replace(&mut known.heard, true) {
                    let event = MediaEvent::AudioStarted { call, leg };
                    room.after(soon * 100, Happening::Media(boot, event));
                }
            }
            MediaCommand::Play {
                call,
                leg,
                repeat,
                token,
                ..
            } => {
                let Some(known) = self.legs.get_mut(&leg) else {
                    return;
                };
                known.playing = Some(token);
                if room.has(Fault::Keys) && self.random.chance(300) {
                    self.press(room, call, leg);
                }
                if !repeat {
                    let event = MediaEvent::PlayEnded { call, leg, token };
                    room.after(PROMPT, Happening::Media(boot, event));
                }
            }
            MediaCommand::Key { call, leg, digit } => {
                let event = MediaEvent::Digit { call, leg, digit };
                room.after(soon, Happening::Media(boot, event));
            }
            MediaCommand::Stop { leg, .. } => self.silence(leg),
            MediaCommand::Mix {
                parties, record, ..
            } => {
                let legs: Vec<LegId> = parties.iter().map(|one| one.leg).collect();
                self.mix(room, &legs, record);
            }
            MediaCommand::Bridge {
                caller,
                operator,
                record,
                ..
            } if self.is_mixed(caller) => self.mix(room, &[caller, operator], record),
            MediaCommand::Bridge {
                caller,
                operator,
                record,
                ..
            } => {
                for leg in [caller, operator] {
                    self.end_recording(room, leg);
                    self.silence(leg);
                    if let Some(leg) = self.legs.get_mut(&leg) {
                        leg.recording = record;
                    }
                }
            }
            MediaCommand::Record {
                call, leg, record, ..
            } => {
                self.end_recording(room, leg);
                if let Some(known) = self.legs.get_mut(&leg) {
                    known.recording = Some(record);
                }
                let event = MediaEvent::Spoken { call, leg };
                room.after(soon * 100, Happening::Media(boot, event));
            }
            MediaCommand::RecordWait { leg, record, .. } => {
                self.end_recording(room, leg);
                if let Some(known) = self.legs.get_mut(&leg) {
                    known.recording = Some(record);
                }
            }
            MediaCommand::EndRecord { leg, .. } | MediaCommand::Unbridge { leg, .. } => {
                self.end_recording(room, leg);
            }
            MediaCommand::Close { call, leg } => {
                self.leave_mix(leg);
                self.end_recording(room, leg);
                self.legs.remove(&leg);
                let counts = LegCounts::default();
                let quality = LegQuality::default();
                let event = MediaEvent::Closed {
                    call,
                    leg,
                    counts,
                    quality,
                };
                room.after(soon, Happening::Media(boot, event));
            }
            // A recording here has no sound that could be left out, and nobody hears a key.
            MediaCommand::Press { .. }
            | MediaCommand::PauseRecording { .. }
            | MediaCommand::ResumeRecording { .. }
            | MediaCommand::Open { .. } => {}
        }
    }

    /// The caller presses a key within the next seconds.
    fn press(&mut self, room: &mut Room, call: CallId, leg: LegId) {
        room.count(Fault::Keys);
        let digit = KEYS[self.random.below(KEYS.len() as u64) as usize];
        let when = self.random.between(Duration::from_millis(100), PROMPT * 2);
        let event = MediaEvent::Digit { call, leg, digit };
        room.after(when, Happening::Media(self.boot, event));
    }

    fn silence(&mut self, leg: LegId) {
        if let Some(leg) = self.legs.get_mut(&leg) {
            leg.playing = None;
        }
    }

    /// Whether a leg is in a mix, or of a bridge that may become one with its recording.
    fn is_mixed(&self, leg: LegId) -> bool {
        self.legs.get(&leg).is_some_and(|leg| leg.mixed)
    }

    /// These legs talk from now on; a recording that is the same goes on.
    fn mix(&mut self, room: &mut Room, legs: &[LegId], record: Option<RecordingKey>) {
        for leg in legs {
            let before = self.legs.get(leg).and_then(|leg| leg.recording);
            if before.is_some() && before != record {
                self.end_recording(room, *leg);
            }
        }
        for leg in self.legs.values_mut() {
            if leg.recording == record {
                leg.recording = None;
            }
        }
        for leg in legs {
            if let Some(known) = self.legs.get_mut(leg) {
                known.recording = record;
                known.mixed = legs.len() > 2;
            }
        }
    }

    /// A leg leaves its mix, which goes on without it.
    fn leave_mix(&mut self, leg: LegId) {
        let others = |key| {
            let mut others = self.legs.iter().filter(|(other, _)| **other != leg);
            others.any(|(_, other)| other.recording == Some(key))
        };
        let key = self.legs.get(&leg).filter(|leg| leg.mixed);
        let key = key.and_then(|leg| leg.recording);
        if key.is_some_and(others)
            && let Some(leg) = self.legs.get_mut(&leg)
        {
            leg.recording = None;
        }
    }

    fn end_recording(&mut self, room: &mut Room, leg: LegId) {
        let Some(key) = self.legs.get_mut(&leg).and_then(|leg| leg.recording.take()) else {
            return;
        };
        for other in self.legs.values_mut() {
            if other.recording == Some(key) {
                other.recording = None;
            }
        }
        let time = self
            .random
            .between(Duration::from_millis(50), Duration::from_secs(3));
        room.after(time, Happening::Recorded(self.boot, key));
    }

    /// The media plane reports; what a prompt's end or a closed leg was overtaken by is not told.
    pub(crate) fn media_event(&mut self, room: &mut Room, event: MediaEvent) {
        let told = match &event {
            MediaEvent::PlayEnded { leg, token, .. } => {
                let known = self.legs.get_mut(leg);
                known.is_some_and(|known| known.playing.take_if(|now| now == token).is_some())
            }
            MediaEvent::AudioStarted { leg, call } | MediaEvent::Digit { leg, call, .. } => {
                self.legs.get(leg).is_some_and(|leg| leg.call == *call)
            }
            _ => true,
        };
        if told {
            self.input(room, Input::Media(event));
        }
    }

    pub(crate) fn recorded(&mut self, room: &mut Room, key: RecordingKey) {
        let input = if room.has(Fault::FullDisk) && self.random.chance(30) {
            room.count(Fault::FullDisk);
            Input::RecordingMissing {
                key,
                reason: MissingReason::DiskFailed,
            }
        } else {
            let file = stored(key, false);
            Input::RecordingStored { key, file }
        };
        self.input(room, input);
    }

    /// The thread of the database has something to do.
    pub(crate) fn follow(&mut self, room: &mut Room, database: &mut Database) {
        let files = (&self.files, self.durable);
        let world = (room, &mut self.random);
        self.follower.follow(world, self.boot, database, files);
    }

    /// What is wrong with the database at the end.
    pub(crate) fn judge(&self, database: &mut Database, now: Time) -> Result<(), String> {
        database.judge((&self.files, self.durable), now)
    }

    /// The process dies. What comes back is another host with what was on the disk.
    pub(crate) fn crashed(mut self, room: &mut Room) -> Left {
        self.wire.crashed();
        let unsynced = self.files.octets_after(self.durable);
        let mut left = 0;
        if unsynced > 0 && room.has(Fault::TornWrite) {
            room.count(Fault::TornWrite);
            left = self.random.below(unsynced as u64 + 1) as usize;
        }
        self.files.cut(self.durable, left);
        self.files.repair();
        Left {
            durable: self.events.len(),
            files: self.files,
            wire: self.wire,
        }
    }

    /// Begins with what an earlier process left, the events of it, and what closes its calls.
    pub(crate) fn continue_with(&mut self, left: Left, events: Vec<Event>, closing: &[Event]) {
        self.files = left.files;
        self.events = events;
        for event in closing {
            let place = self.files.append(event);
            let (written, _) = self.files.read(place, self.files.end(), 1);
            self.events
                .extend(written.into_iter().map(|record| record.event));
        }
        // As they stand in the files.
        self.events.sort_by_key(|event| event.id.boot());
        self.durable = self.files.end();
        self.wire = left.wire;
    }

    /// What the recorder finds of earlier boots at the start.
    pub(crate) fn repair(&mut self, room: &mut Room, awaited: Vec<RecordingKey>) {
        for key in awaited {
            let input = if self.random.chance(100) {
                let reason = MissingReason::LostInCrash;
                Input::RecordingMissing { key, reason }
            } else {
                let file = stored(key, true);
                Input::RecordingStored { key, file }
            };
            self.input(room, input);
        }
    }
}

fn stored(key: RecordingKey, repaired: bool) -> RecordingFile {
    RecordingFile {
        path: format!("{}-{}.wav", key.call, key.segment),
        sha256: "0".repeat(64),
        bytes: 1,
        duration_ms: 1,
        caller_packets: 1,
        caller_lost: 0,
        operator_packets: 1,
        operator_lost: 0,
        dropped: 0,
        repaired,
        sound: None,
    }
}

/// The wall clock of a world: a day in November 2026 to begin with.
pub(crate) fn wall(now: Time, set_ahead_ms: i64) -> WallTime {
    let since = i64::try_from(now.as_millis()).unwrap_or(0);
    WallTime::from_unix_millis(1_795_000_000_000 + since + set_ahead_ms)
}
