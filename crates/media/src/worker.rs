//! Owns the legs of one media thread, outright: commands in, packets through, events out.
//! Knows no clock and no thread: `turn` is told the time, so it runs on simulated sockets too.

mod alone;
mod browsers;
mod keying;
mod mixing;
mod play;
mod translate;
mod watch;

use std::collections::hash_map::RandomState;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{BuildHasher, Hasher};
use std::net::SocketAddr;
use std::ops::Range;

use udp_io::{Batch, PACKET_BYTES_MAX, Packet, SocketId, Udp};
use vocab::media::{MediaCommand, MediaEvent, PayloadTypes, PromptId, RecordingKey, Remote, Side};
use vocab::srtp::Crypto;
use vocab::{CallId, LegId, Time};

use crate::audio::Audio;
use crate::latch::Latching;
use crate::metronome::{Metronome, MixId};
use crate::mix::Mix;
use crate::ports::{Pair, Ports};
use crate::relay::{self, Kind, Party};
use crate::reports::NtpClock;
use crate::rtcp;
use crate::srtp::{GROWTH_MAX, Srtp};
use crate::stock::Stock;
use crate::tap::Tap;
use alone::{Alone, Wanted};
use browsers::{Browser, Browsers};
use keying::Keying;
use play::Playing;
use translate::Translation;
use watch::Round;

/// What holds for all legs.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Rules {
    pub(crate) latching: Latching,
    /// After such a silence of a peer who ought to speak that is told.
    pub(crate) silence: Option<core::time::Duration>,
    pub(crate) ntp: NtpClock,
}

/// The legs of one media thread.
pub(crate) struct Worker<U, R> {
    udp: U,
    ports: Ports,
    rules: Rules,
    tap: Box<dyn Tap>,
    report: R,
    prompts: BTreeMap<PromptId, Audio>,
    metronome: Metronome,
    /// By their numbers.
    mixes: Vec<Option<Box<Mix>>>,
    /// By socket, so that a packet finds its leg without a search.
    /// By socket; in boxes, since every other socket is one of reports.
    legs: Vec<Option<Box<Leg>>>,
    /// By the socket of its RTCP, where the RTP of a leg is.
    control: Vec<Option<SocketId>>,
    round: Round,
    /// The port that all browsers share; `None`: they are not served.
    browsers: Option<Browsers>,
    by_id: BTreeMap<LegId, SocketId>,
    /// Ports of legs to come.
    stock: Stock,
    /// No pair could be bound for the stock: none is tried before a leg has closed.
    out_of_ports: bool,
    /// What is being recorded, and the caller's end of the bridge or any of the mix.
    recordings: BTreeMap<RecordingKey, SocketId>,
    random: RandomState,
}

struct Leg {
    call: CallId,
    id: LegId,
    sockets: Pair,
    party: Party,
    /// Whether the system knows the peer: no address is needed to send.
    connected: bool,
    playing: Option<Playing>,
    keying: Option<Keying>,
    /// What the other party says, in a codec that its peer has not.
    translation: Option<Box<Translation>>,
    bridge: Option<Bridge>,
    /// The mix that it is in; then it is in no bridge.
    mix: Option<MixId>,
    /// What its peer says to nobody, and is recorded.
    alone: Option<Box<Alone>>,
    /// The protection of its packets, where that was agreed on.
    srtp: Option<Box<Srtp>>,
    /// The way to its peer, if that is a browser: then it has no keys before the handshake is over.
    browser: Option<Box<Browser>>,
}

impl Leg {
    /// The socket from which its peer is sent to.
    fn outlet(&self) -> SocketId {
        match &self.browser {
            None => self.sockets.rtp,
            Some(browser) => browser.socket,
        }
    }
}

/// One leg's end of a bridge.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Bridge {
    other: SocketId,
    record: Option<RecordingKey>,
    side: Side,
}

impl<U: Udp, R: Fn(MediaEvent)> Worker<U, R> {
    pub(crate) fn new(udp: U, ports: Ports, rules: Rules, tap: Box<dyn Tap>, report: R) -> Self {
        Self {
            udp,
            ports,
            rules,
            tap,
            report,
            prompts: BTreeMap::new(),
            metronome: Metronome::new(),
            mixes: Vec::new(),
            legs: Vec::new(),
            control: Vec::new(),
            round: Round::default(),
            browsers: None,
            by_id: BTreeMap::new(),
            stock: Stock::new(),
            out_of_ports: false,
            recordings: BTreeMap::new(),
            random: RandomState::new(),
        }
    }

    /// More prompts, or new versions; what plays now plays on.
    pub(crate) fn add_prompts(&mut self, prompts: BTreeMap<PromptId, Audio>) {
        self.prompts.extend(prompts);
    }

    /// Prompts that nothing will play any more; what plays now plays on.
    pub(crate) fn forget_prompts(&mut self, prompts: &BTreeSet<PromptId>) {
        self.prompts.retain(|id, _| !prompts.contains(id));
    }

    pub(crate) const fn udp(&mut self) -> &mut U {
        &mut self.udp
    }

    /// When the next prompt frame is due, or legs are to be looked after.
    pub(crate) fn next_due(&self) -> Option<Time> {
        let dues = [self.metronome.next_due(), self.watch_due()];
        dues.into_iter().flatten().min()
    }

    /// Handles the packets that are ready, then sends the prompt frames that are due and looks after
    /// legs whose turn it is. Says how many packets there were. `clock` is read once per batch.
    pub(crate) fn turn(&mut self, batch: &mut Batch, clock: impl Fn() -> Time) -> usize {
        let mut count = 0;
        loop {
            let more = self.udp.receive(batch);
            let now = clock();
            count += batch.len();
            for packet in batch.packets() {
                self.relay(now, packet);
            }
            if !more {
                break;
            }
        }
        let now = clock();
        self.play_due(now);
        self.watch(now);
        count
    }

    /// Obeys. A leg that is not known is left alone: its `Closed` was reported.
    pub(crate) fn command(&mut self, now: Time, command: MediaCommand) {
        tracing::trace!(?command, "media command");
        match command {
            MediaCommand::Open { call, leg } => self.open(call, leg),
            MediaCommand::SetRemote { leg, remote, .. } => self.set_remote(now, leg, remote),
            MediaCommand::Play {
                leg,
                prompt,
                repeat,
                token,
                ..
            } => {
                self.play(now, leg, prompt, repeat, token);
            }
            MediaCommand::Key { leg, digit, .. } => self.key(now, leg, digit),
            MediaCommand::Press { leg, digit, .. } => {
                self.press_in_audio(now, self.socket_of(leg), digit);
            }
            MediaCommand::Stop { leg, .. } => self.stop_playing(self.socket_of(leg)),
            MediaCommand::Bridge {
                caller,
                operator,
                record,
                ..
            } => {
                self.bridge(now, caller, operator, record);
            }
            MediaCommand::Mix {
                parties, record, ..
            } => self.mix(now, &parties, record),
            MediaCommand::Unbridge { leg, .. } => self.unbridge(now, self.socket_of(leg)),
            MediaCommand::Record {
                leg,
                record: key,
                least,
                silence,
                ..
            } => {
                let wanted = Wanted {
                    key,
                    least,
                    silence,
                };
                self.begin_message(now, leg, &wanted);
            }
            MediaCommand::RecordWait { leg, record, .. } => self.begin_wait(now, leg, record),
            MediaCommand::EndRecord { leg, keep, .. } => {
                self.end_alone(now, self.socket_of(leg), keep);
            }
            MediaCommand::PauseRecording { leg, reason, .. } => {
                if let Some(key) = self.recording_of(leg) {
                    self.tap.pause(key, now, reason);
                }
            }
            MediaCommand::ResumeRecording { leg, .. } => {
                if let Some(key) = self.recording_of(leg) {
                    self.tap.resume(key, now);
                }
            }
            MediaCommand::Close { leg, .. } => self.close(now, leg),
        }
    }

    /// Closes every leg, so that recordings are ended and ports are free.
    pub(crate) fn close_all(&mut self, now: Time) {
        while let Some((leg, _)) = self.by_id.first_key_value() {
            let leg = *leg;
            self.close(now, leg);
        }
    }

    fn relay(&mut self, now: Time, mut packet: Packet<'_>) {
        if self.is_of_browsers(packet.socket) {
            // To the port of all browsers: audio goes on as if it had come to the leg's own.
            let Some(leg) = self.browser_sent(now, &packet) else {
                return;
            };
            packet.socket = leg;
        }
        let Some(leg) = leg_at(&mut self.legs, Some(packet.socket)) else {
            self.hear_control(now, packet);
            return;
        };
        let party = &mut leg.party;
        let is_control = rtcp::is_rtcp(packet.bytes());
        // First of all: what is not under the peer's key is nobody's.
        if let Some(srtp) = &mut leg.srtp {
            let opened = match is_control {
                true => srtp.open_control(packet.bytes_mut()),
                false => srtp.open(packet.bytes_mut()),
            };
            let Some(length) = opened else {
                party.refuse();
                return;
            };
            packet.resize(length);
        }
        if let Some(browser) = &mut leg.browser
            && !browser.proves(party, packet.from, leg.srtp.is_some())
        {
            return;
        }
        if is_control {
            let from = (packet.from, true);
            relay::hear_control(party, (now, self.rules.ntp), from, packet.bytes());
            return;
        }
        let arrival = relay::receive(party, now, packet.from, packet.bytes(), self.rules.latching);
        let Some(arrival) = arrival else {
            return;
        };
        if let Some(peer) = arrival.locked {
            // Never before it is settled: the system would keep the peer away for a stranger.
            // Should the system refuse, packets are sent with the address, which works as well.
            leg.connected = self.udp.connect(packet.socket, peer).is_ok();
        }
        if arrival.first {
            (self.report)(MediaEvent::AudioStarted {
                call: leg.call,
                leg: leg.id,
            });
        }
        if let Some(digit) = arrival.digit {
            (self.report)(MediaEvent::Digit {
                call: leg.call,
                leg: leg.id,
                digit,
            });
        }
        if let (Some(alone), Kind::Audio(codec)) = (&mut leg.alone, arrival.kind) {
            let bytes = packet.bytes();
            let payload = bytes.get(arrival.header.payload()).unwrap_or_default();
            alone.hear(self.tap.as_mut(), now, (codec, payload), bytes);
            alone::tell(&self.report, now, leg);
        }
        if let Some(mix) = leg.mix {
            self.hear_in_mix(now, mix, &arrival, &packet);
            return;
        }
        let Some(bridge) = leg.bridge else {
            return;
        };
        if let (Some(digit), Kind::Event) = (arrival.digit, arrival.kind)
            && let Some(other) = leg_at(&mut self.legs, Some(bridge.other))
            && (!other.party.takes_events() || other.translation.is_some())
        {
            // In the audio it passes by itself; and so does an event where the peer takes one and the
            // numbers of the packets are the other party's.
            self.press(now, Some(bridge.other), digit);
        }
        if let (Some(key), Kind::Audio(_)) = (bridge.record, arrival.kind) {
            self.tap.packet(key, bridge.side, now, packet.bytes());
        }
        if self.translates(now, bridge.other, &arrival, &packet) {
            return;
        }
        if let Some(other) = leg_at(&mut self.legs, Some(bridge.other))
            // Who is played to hears that, as on hold, and so does for whom keys are pressed.
            && other.playing.is_none()
            && other.keying.is_none()
            && let Some(part) =
                relay::forward(&mut other.party, now, &arrival, packet.bytes_mut())
            && let octets = part.len()
            && let Some(part) = sealed(other, &mut packet, part)
            && let Some(to) = way(other)
            // Nobody is sent what they sent: both legs have been guessed to be at one stranger.
            && to != Some(packet.from)
            && self.udp.forward(other.outlet(), to, packet, part).is_ok()
        {
            other.party.note_sent(octets);
        }
    }

    /// The port of all browsers of this thread; `None`: they are not served.
    pub(crate) fn browser_port(&self) -> Option<u16> {
        self.browsers.as_ref().map(Browsers::port)
    }

    /// Where whoever opens a leg finds its ports.
    pub(crate) const fn stock(&self) -> &Stock {
        &self.stock
    }

    /// Binds pairs for legs to come.
    pub(crate) fn fill(&mut self) {
        while self.stock.is_low() && !self.out_of_ports {
            match self.ports.open(&mut self.udp) {
                Ok(pair) => self.stock.put(pair),
                // A leg that finds no pair tries to bind one itself, and says what is missing.
                Err(_) => self.out_of_ports = true,
            }
        }
    }

    fn open(&mut self, call: CallId, leg: LegId) {
        let known = leg_at(&mut self.legs, self.by_id.get(&leg).copied());
        let port = match known.map(|known| known.sockets.port) {
            Some(port) => Ok(port),
            None => self.bind().map(|sockets| {
                self.open_at(call, leg, sockets);
                sockets.port
            }),
        };
        match port {
            Ok(port) => (self.report)(MediaEvent::Opened {
                call,
                leg,
                port,
                browser: self.browser_port(),
            }),
            Err(problem) => {
                tracing::warn!(%call, %leg, %problem, "no socket for a leg");
                let reason = problem.to_string();
                (self.report)(MediaEvent::OpenFailed { call, leg, reason });
            }
        }
    }

    /// A pair for a leg. The last of a range may have come into the stock since that was found empty.
    fn bind(&mut self) -> std::io::Result<Pair> {
        match self.stock.take() {
            Some(sockets) => Ok(sockets),
            None => self.ports.open(&mut self.udp),
        }
    }

    /// Opens a leg at ports out of the stock, which is told already.
    pub(crate) fn open_ready(&mut self, call: CallId, leg: LegId, sockets: Pair) {
        if self.by_id.contains_key(&leg) {
            // Opened twice: it keeps the ports that it has.
            self.ports.close(&mut self.udp, sockets);
            self.open(call, leg);
        } else {
            self.open_at(call, leg, sockets);
        }
    }

    fn open_at(&mut self, call: CallId, leg: LegId, sockets: Pair) {
        let index = sockets.rtp.index();
        while self.legs.len() <= index {
            self.legs.push(None);
        }
        let random = [0, 1, 2].map(|number: u8| {
            let mut hasher = self.random.build_hasher();
            hasher.write_u64(leg.as_u64());
            hasher.write_u8(number);
            hasher.finish()
        });
        let party = Party::new(random);
        if let Some(place) = self.legs.get_mut(index) {
            *place = Some(Box::new(Leg {
                call,
                id: leg,
                sockets,
                party,
                connected: false,
                playing: None,
                keying: None,
                translation: None,
                bridge: None,
                mix: None,
                alone: None,
                srtp: None,
                browser: None,
            }));
        }
        self.by_id.insert(leg, sockets.rtp);
        self.note_control(sockets.rtcp, Some(sockets.rtp));
        tracing::debug!(%call, %leg, port = sockets.port, "leg opened");
    }

    fn set_remote(&mut self, now: Time, leg: LegId, remote: Remote) {
        let socket = self.socket_of(leg);
        self.set_browser(now, socket, remote.browser);
        let Some(leg) = leg_at(&mut self.legs, socket) else {
            return;
        };
        let takes = leg.party.remote().map(|former| former.takes);
        let recorded = leg
            .bridge
            .and_then(|bridge| Some((bridge.record?, bridge.side)));
        if let Some((key, side)) = recorded.filter(|_| takes != Some(remote.takes)) {
            self.tap.codecs(key, side, now, remote.takes);
        }
        if leg.browser.is_none() {
            protect(leg, remote.crypto);
        }
        let anew = leg.party.set_remote(now, remote);
        if anew && leg.connected {
            leg.connected = false;
            if let Err(problem) = self.udp.disconnect(leg.sockets.rtp) {
                // The leg would hear its former peer only.
                tracing::error!(leg = %leg.id, %problem, "a socket cannot be freed of its peer");
            }
        }
    }

    fn bridge(&mut self, now: Time, caller: LegId, operator: LegId, record: Option<RecordingKey>) {
        let ends = (self.socket_of(caller), self.socket_of(operator));
        let (Some(at_caller), Some(at_operator), true) = (ends.0, ends.1, caller != operator)
        else {
            // One party is gone already. Its recording, empty, is accounted for all the same.
            self.start_recording(now, record);
            self.stop_recording(now, record);
            return;
        };
        // The same bridge again goes on, and so does its recording.
        let before = leg_at(&mut self.legs, ends.0).and_then(|leg| leg.bridge);
        let again = Bridge {
            other: at_operator,
            record,
            side: Side::Caller,
        };
        if before == Some(again) {
            self.watch_bridge(now, &[at_caller, at_operator]);
            return;
        }
        // What a mix of them plays and records goes on.
        let mixed = self.relay_again(now, [at_caller, at_operator], record);
        for socket in [at_caller, at_operator] {
            if mixed.is_none() {
                self.leave_mix(now, Some(socket));
                self.unbridge(now, Some(socket));
                self.stop_playing(Some(socket));
                self.stop_keying(Some(socket));
                self.end_alone(now, Some(socket), true);
            }
        }
        if mixed != Some(true) {
            self.start_recording(now, record);
        }
        if let Some(key) = record {
            self.recordings.insert(key, at_caller);
        }
        let sides = [
            (at_caller, at_operator, Side::Caller),
            (at_operator, at_caller, Side::Operator),
        ];
        for (socket, other, side) in sides {
            self.tell_codecs(now, record, Some(socket), side);
            if let Some(leg) = leg_at(&mut self.legs, Some(socket)) {
                leg.bridge = Some(Bridge {
                    other,
                    record,
                    side,
                });
            }
        }
        self.watch_bridge(now, &[at_caller, at_operator]);
    }

    fn unbridge(&mut self, now: Time, socket: Option<SocketId>) {
        self.part(now, socket, None);
    }

    /// The bridge or mix of a leg is over; its recording too, unless it is the one that is kept.
    fn part(&mut self, now: Time, socket: Option<SocketId>, kept: Option<RecordingKey>) {
        let leg = leg_at(&mut self.legs, socket);
        if let Some(mix) = leg.as_ref().and_then(|leg| leg.mix) {
            self.end_mix(now, mix, kept);
            return;
        }
        let Some(bridge) = leg.and_then(|leg| leg.bridge.take()) else {
            return;
        };
        if let Some(other) = leg_at(&mut self.legs, Some(bridge.other)) {
            other.bridge = None;
            other.party.interrupt();
        }
        if let Some(leg) = leg_at(&mut self.legs, socket) {
            leg.party.interrupt();
        }
        for socket in socket.into_iter().chain([bridge.other]) {
            self.watch_no_bridge(socket);
            self.stop_keying(Some(socket));
            self.stop_translating(Some(socket));
        }
        self.stop_recording(now, bridge.record.filter(|key| Some(*key) != kept));
    }

    fn start_recording(&mut self, now: Time, record: Option<RecordingKey>) {
        if let Some(key) = record {
            // Should another bridge have it, that one ends: one recording has two sides.
            let holder = self.recordings.get(&key).copied();
            self.unbridge(now, holder);
            self.tap.start(key, now);
        }
    }

    /// Says on which payload types a side's audio comes, where they are not the static ones.
    fn tell_codecs(
        &mut self,
        now: Time,
        record: Option<RecordingKey>,
        socket: Option<SocketId>,
        side: Side,
    ) {
        let leg = leg_at(&mut self.legs, socket);
        let takes = leg.and_then(|leg| Some(leg.party.remote()?.takes));
        let told = takes.filter(|takes| *takes != PayloadTypes::STATIC);
        if let (Some(key), Some(takes)) = (record, told) {
            self.tap.codecs(key, side, now, takes);
        }
    }

    fn stop_recording(&mut self, now: Time, record: Option<RecordingKey>) {
        if let Some(key) = record {
            self.recordings.remove(&key);
            self.tap.stop(key, now);
        }
    }

    fn close(&mut self, now: Time, leg: LegId) {
        let socket = self.socket_of(leg);
        self.leave_mix(now, socket);
        self.unbridge(now, socket);
        self.end_alone(now, socket, true);
        self.stop_playing(socket);
        self.by_id.remove(&leg);
        if let Some(leg) = leg_at(&mut self.legs, socket) {
            watch::report(&mut self.udp, leg, (now, self.rules.ntp), true);
        }
        self.set_browser(now, socket, None);
        let place = socket.and_then(|socket| self.legs.get_mut(socket.index()));
        let Some(leg) = place.and_then(Option::take) else {
            return;
        };
        self.note_control(leg.sockets.rtcp, None);
        self.ports.close(&mut self.udp, leg.sockets);
        self.out_of_ports = false;
        let (counts, quality) = (leg.party.counts(), leg.party.quality());
        tracing::debug!(call = %leg.call, leg = %leg.id, ?counts, ?quality, "leg closed");
        (self.report)(MediaEvent::Closed {
            call: leg.call,
            leg: leg.id,
            counts,
            quality,
        });
    }

    /// The recording of the bridge or mix that a leg is in.
    fn recording_of(&self, leg: LegId) -> Option<RecordingKey> {
        self.recording_at(self.socket_of(leg)?)
    }

    fn socket_of(&self, leg: LegId) -> Option<SocketId> {
        self.by_id.get(&leg).copied()
    }
}

/// The leg at a socket. A function of the table only, so that the rest stays free to use.
fn leg_at(legs: &mut [Option<Box<Leg>>], socket: Option<SocketId>) -> Option<&mut Leg> {
    legs.get_mut(socket?.index())?.as_deref_mut()
}

/// The address with which to send to a leg's peer, `Some(None)` if the system knows it; `None` if
/// nobody does.
fn way(leg: &Leg) -> Option<Option<SocketAddr>> {
    if leg.connected {
        return Some(None);
    }
    leg.party.target().map(Some)
}

/// What was negotiated of SRTP holds from now on; a direction whose key is the same goes on.
fn protect(leg: &mut Leg, crypto: Option<Crypto>) {
    let Some(crypto) = crypto else {
        leg.srtp = None;
        return;
    };
    let renewed = leg.srtp.as_mut().and_then(|srtp| srtp.renew(crypto));
    if renewed.is_none() {
        leg.srtp = Srtp::new(crypto).map(Box::new);
    }
    if leg.srtp.is_none() {
        // Cannot be: keys are as long as their suite says.
        tracing::error!(call = %leg.call, leg = %leg.id, "keys of SRTP do not fit their suite");
    }
}

/// Protects the part of a packet that goes to a leg's peer, if that was agreed on.
fn sealed(leg: &mut Leg, packet: &mut Packet<'_>, part: Range<usize>) -> Option<Range<usize>> {
    let Some(srtp) = &mut leg.srtp else {
        return Some(part);
    };
    packet.resize(part.end + GROWTH_MAX);
    let room = packet.bytes_mut().get_mut(part.start..)?;
    let length = srtp.seal(room, part.len())?;
    Some(part.start..part.start + length)
}

/// Sends to a leg's peer. A packet the system does not take is lost, as on the network.
fn send(udp: &mut impl Udp, leg: &mut Leg, bytes: &[u8]) {
    let Some(to) = way(leg) else {
        return;
    };
    let (octets, outlet) = (bytes.len(), leg.outlet());
    let mut room = [0; PACKET_BYTES_MAX];
    let bytes = match &mut leg.srtp {
        None => Some(bytes),
        Some(srtp) => seal_copy(srtp, &mut room, bytes),
    };
    if let Some(bytes) = bytes
        && udp.send(outlet, to, bytes).is_ok()
    {
        leg.party.note_sent(octets);
    }
}

fn seal_copy<'a>(srtp: &mut Srtp, room: &'a mut [u8], bytes: &[u8]) -> Option<&'a [u8]> {
    room.get_mut(..bytes.len())?.copy_from_slice(bytes);
    let length = srtp.seal(room, bytes.len())?;
    room.get(..length)
}

#[cfg(test)]
mod tests;
