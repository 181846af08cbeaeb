//! Owns the load's audio threads: each sends and hears the packets of many parties. Refuses to
//! know calls; a party is a key, an address to speak to, and a voice.

use std::collections::HashMap;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, TryRecvError};
use vocab::Time;
use vocab::media::Side;

use crate::clock::Clock;
use crate::hearing::Hearing;
use crate::report::{Audio, Counters, add};
use crate::rtp::{HEADER, Header};
use crate::signalling::Waker;
use crate::voice::{FRAME, Library, Place};

/// A party of a call, numbered by the signalling thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct PartyKey(pub(crate) u64);

/// What signalling tells an audio thread.
#[derive(Debug)]
pub(crate) enum Order {
    /// Begin to speak and to listen.
    Start {
        party: PartyKey,
        side: Side,
        /// Socket of the thread.
        socket: usize,
        /// The engine's RTP address for this party.
        engine: SocketAddr,
        clip: u16,
        frame: u32,
        ssrc: u32,
        payload_type: u8,
    },
    /// Be silent; answered by `Finished`.
    Finish { party: PartyKey },
}

/// What an audio thread tells signalling.
#[derive(Debug)]
pub(crate) enum Notice {
    /// The other side's voice was heard for the first time.
    Heard { party: PartyKey },
    /// The party is silent now.
    Finished { party: PartyKey, audio: Audio },
}

/// Parties of one thread take turns: one twentieth of them every millisecond, so that packets
/// reach the engine evenly, as from independent telephones.
const TURNS: usize = 20;
const TURN: Duration = Duration::from_millis(1);
/// Sockets are read every so many turns.
const LISTEN_EVERY: u64 = 5;
/// A thread that is later than this skips frames instead of sending them in a heap.
const TURNS_LATE_MAX: u64 = 200;
/// Packets read from one socket at one look at most, so that speaking is not starved.
const READS_MAX: usize = 512;

struct Party {
    key: PartyKey,
    socket: usize,
    engine: SocketAddr,
    header: Header,
    place: Place,
    hearing: Hearing,
    audio: Audio,
    last: Option<(u32, u16)>,
}

/// One audio thread.
pub(crate) struct AudioThread {
    clock: Clock,
    library: Arc<Library>,
    sockets: Vec<UdpSocket>,
    orders: Receiver<Order>,
    notices: Sender<Notice>,
    waker: Waker,
    counters: Arc<Counters>,
    parties: Vec<Option<Party>>,
    vacant: Vec<usize>,
    turns: [Vec<usize>; TURNS],
    by_key: HashMap<PartyKey, usize>,
    /// By the engine's port: slot + 1, or 0.
    by_port: Vec<u32>,
}

impl AudioThread {
    pub(crate) fn new(
        (clock, library, counters): (Clock, Arc<Library>, Arc<Counters>),
        sockets: Vec<UdpSocket>,
        orders: Receiver<Order>,
        (notices, waker): (Sender<Notice>, Waker),
    ) -> Self {
        Self {
            clock,
            library,
            sockets,
            orders,
            notices,
            waker,
            counters,
            parties: Vec::new(),
            vacant: Vec::new(),
            turns: Default::default(),
            by_key: HashMap::new(),
            by_port: vec![0; 1 << 16],
        }
    }

    /// Runs until the orders' sender is gone.
    pub(crate) fn run(mut self) {
        let mut turn = self.turn_of(self.clock.now());
        loop {
            if !self.take_orders() {
                return;
            }
            let due = self.turn_of(self.clock.now());
            self.note_lateness(turn);
            turn = turn.max(due.saturating_sub(TURNS_LATE_MAX));
            while turn < due {
                self.speak(turn);
                if turn.is_multiple_of(LISTEN_EVERY) {
                    self.listen();
                }
                turn += 1;
            }
            let next = Time::from_micros((turn + 1) * TURN.as_micros() as u64);
            std::thread::sleep(next.since(self.clock.now()));
        }
    }

    fn turn_of(&self, now: Time) -> u64 {
        now.as_micros() / TURN.as_micros() as u64
    }

    fn note_lateness(&self, turn: u64) {
        let late = self
            .clock
            .now()
            .as_micros()
            .saturating_sub((turn + 1) * TURN.as_micros() as u64);
        if !self.by_key.is_empty() {
            self.counters.late_us_max.fetch_max(late, Ordering::Relaxed);
        }
    }

    /// False when the load is over. Sleeps while there is nobody to speak for.
    fn take_orders(&mut self) -> bool {
        loop {
            let order = if self.by_key.is_empty() {
                match self.orders.recv_timeout(Duration::from_millis(20)) {
                    Ok(order) => order,
                    Err(crossbeam_channel::RecvTimeoutError::Timeout) => return true,
                    Err(crossbeam_channel::RecvTimeoutError::Disconnected) => return false,
                }
            } else {
                match self.orders.try_recv() {
                    Ok(order) => order,
                    Err(TryRecvError::Empty) => return true,
                    Err(TryRecvError::Disconnected) => return false,
                }
            };
            match order {
                Order::Start { .. } => self.start(order),
                Order::Finish { party } => self.finish(party),
            }
        }
    }

    fn start(&mut self, order: Order) {
        let Order::Start {
            party,
            side,
            socket,
            engine,
            clip,
            frame,
            ssrc,
            payload_type,
        } = order
        else {
            return;
        };
        let header = Header {
            marker: true,
            payload_type,
            sequence: 1,
            timestamp: ssrc ^ 0x5a5a_5a5a,
            ssrc,
        };
        let fresh = Party {
            key: party,
            socket,
            engine,
            header,
            place: Place { side, clip, frame },
            hearing: Hearing::new(side),
            audio: Audio {
                spoke: (clip, frame),
                ..Audio::default()
            },
            last: None,
        };
        let slot = self.vacant.pop().unwrap_or_else(|| {
            self.parties.push(None);
            self.parties.len() - 1
        });
        if let Some(place) = self.parties.get_mut(slot) {
            *place = Some(fresh);
        }
        if let Some(turn) = self.turns.iter_mut().min_by_key(|turn| turn.len()) {
            turn.push(slot);
        }
        self.by_key.insert(party, slot);
        if let Some(port) = self.by_port.get_mut(usize::from(engine.port())) {
            *port = u32::try_from(slot + 1).unwrap_or(0);
        }
    }

    fn finish(&mut self, key: PartyKey) {
        // What is still in the sockets was said before the end.
        self.listen();
        let Some(slot) = self.by_key.remove(&key) else {
            return;
        };
        for turn in &mut self.turns {
            turn.retain(|other| *other != slot);
        }
        let Some(party) = self.parties.get_mut(slot).and_then(Option::take) else {
            return;
        };
        self.vacant.push(slot);
        if let Some(port) = self.by_port.get_mut(usize::from(party.engine.port()))
            && *port as usize == slot + 1
        {
            *port = 0;
        }
        let audio = Audio {
            heard: party.hearing.heard(),
            ..party.audio
        };
        let _ = self.notices.send(Notice::Finished { party: key, audio });
        self.waker.wake();
    }

    fn speak(&mut self, turn: u64) {
        let Some(slots) = self.turns.get(turn as usize % TURNS) else {
            return;
        };
        let mut packet = [0; HEADER + FRAME];
        let mut sent = 0;
        for slot in slots {
            let Some(Some(party)) = self.parties.get_mut(*slot) else {
                continue;
            };
            let Some(frame) = self.library.frame(party.place) else {
                continue;
            };
            let (header, payload) = packet.split_at_mut(HEADER);
            header.copy_from_slice(&party.header.write());
            payload.copy_from_slice(frame);
            let Some(socket) = self.sockets.get(party.socket) else {
                continue;
            };
            match socket.send_to(&packet, party.engine) {
                Ok(_) => {
                    party.audio.sent += 1;
                    sent += 1;
                }
                // Also the ICMP of a port the engine has closed, shown here by Linux.
                Err(_) => add(&self.counters.rtp_unsent, 1),
            }
            party.header.marker = false;
            party.header.sequence = party.header.sequence.wrapping_add(1);
            party.header.timestamp = party.header.timestamp.wrapping_add(FRAME as u32);
            party.place = self.library.after(party.place);
        }
        add(&self.counters.rtp_sent, sent);
    }

    fn listen(&mut self) {
        let now = self.clock.now();
        let mut packet = [0; 2_048];
        for socket in &self.sockets {
            for _ in 0..READS_MAX {
                let (length, source) = match socket.recv_from(&mut packet) {
                    Ok(read) => read,
                    Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => break,
                    // An ICMP error of an earlier packet: it is consumed, read on.
                    Err(_) => continue,
                };
                let slot = self
                    .by_port
                    .get(usize::from(source.port()))
                    .copied()
                    .unwrap_or(0);
                let party = (slot as usize)
                    .checked_sub(1)
                    .and_then(|at| self.parties.get_mut(at));
                let Some(Some(party)) = party.filter(|party| is_of(party.as_ref(), source)) else {
                    add(&self.counters.rtp_strays, 1);
                    continue;
                };
                add(&self.counters.rtp_received, 1);
                if party.hear(&self.library, packet.get(..length).unwrap_or_default()) {
                    party.audio.first_heard = Some(now);
                    let _ = self.notices.send(Notice::Heard { party: party.key });
                    self.waker.wake();
                }
            }
        }
    }
}

fn is_of(party: Option<&Party>, source: SocketAddr) -> bool {
    party.is_some_and(|party| party.engine == source)
}

impl Party {
    /// True for the first frame of the other side's voice.
    fn hear(&mut self, library: &Library, packet: &[u8]) -> bool {
        let Some((header, payload)) = Header::read(packet) else {
            return false;
        };
        self.audio.received += 1;
        match self.last {
            Some((ssrc, last)) if ssrc == header.ssrc => {
                let ahead = header.sequence.wrapping_sub(last);
                // Half of the circle is the past: a late packet is not a loss.
                if (2..0x8000).contains(&ahead) {
                    self.audio.lost += u64::from(ahead) - 1;
                }
                if ahead < 0x8000 {
                    self.last = Some((ssrc, header.sequence));
                }
            }
            Some(_) => {
                self.audio.ssrc_changes += 1;
                self.last = Some((header.ssrc, header.sequence));
            }
            None => self.last = Some((header.ssrc, header.sequence)),
        }
        header.payload_type == self.header.payload_type && self.hearing.frame(library, payload)
    }
}
