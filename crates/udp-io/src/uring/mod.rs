//! Owns real sockets, served by io_uring(7): Linux 6.1 or later, and a container that permits it.
//!
//! Every socket has a standing receive (multishot) that takes a buffer from a common ring for each
//! packet; a packet is sent on from the buffer it came in. So a turn of the owner's loop is one
//! system call: it hands over all sends and sleeps until packets are there. From Linux 6.12 on the
//! pause in which packets gather (`gather` of [`Udp::wait`]) is part of that call.
//!
//! | | standing receive | from there on |
//! |---|---|---|
//! | `bind` | wanted | begun at the next entry into the kernel |
//! | no buffer left, an ICMP error, any other error | ended by the kernel | wanted |
//! | `close` | cancelled, and waited for | the place is used again once it has ended |
//!
//! Buffers are counted by tokens ([`crate::pool`]); the kernel has none of them when the set is gone.

mod buffers;
mod ring;
mod room;
mod tag;

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use crate::pool::{Buffer, HEAD_BYTES};
use crate::socket::{Socket, canonical, closed, for_family_of};
use crate::wakeup::Wakeup;
use crate::{Batch, PACKET_BYTES_MAX, Packet, SocketId, Udp};
use buffers::ENTRIES;
use ring::{Done, Flight, Ring};
use tag::{GENERATION_MASK, Tag};

/// Real sockets.
pub struct IoUring {
    ring: Ring,
    wakeup: Arc<Wakeup>,
    watched: bool,
    /// Woken since the last `wait` ended: its owner has not looked for messages since.
    woken: bool,
    places: Vec<Place>,
    free: Vec<SocketId>,
    /// Sockets whose standing receive is to begin, or to begin again.
    wanted: VecDeque<SocketId>,
    /// Packets that the kernel has handed over.
    arrived: VecDeque<Arrived>,
    /// A packet is being tried once more.
    again: bool,
    /// Packets that the system did not take in the end.
    unsent: u64,
}

/// Where a socket is or was.
struct Place {
    socket: Option<Socket>,
    /// How often the place was taken.
    generation: u32,
    receive: Receive,
}

/// How far the standing receive of a place is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Receive {
    /// There is none: the port is only held, or the place is free.
    None,
    /// It is to begin.
    Wanted,
    /// The kernel has it, or will at the next entry.
    Standing,
}

/// From which socket to whom.
#[derive(Clone, Copy)]
struct Way {
    socket: SocketId,
    generation: u32,
    /// The socket's peer if there is none.
    to: Option<SocketAddr>,
}

struct Arrived {
    socket: SocketId,
    generation: u32,
    buffer: Buffer,
    filled: usize,
}

impl IoUring {
    /// An empty set.
    ///
    /// # Errors
    /// The system's: io_uring is forbidden or too old, no descriptors left.
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            ring: Ring::new()?,
            wakeup: Wakeup::new()?,
            watched: false,
            woken: false,
            places: Vec::new(),
            free: Vec::new(),
            wanted: VecDeque::new(),
            // No more can have arrived than there are buffers: it never grows beside packets.
            arrived: VecDeque::with_capacity(usize::from(ENTRIES)),
            again: false,
            unsent: 0,
        })
    }

    /// Packets that `send` and `forward` took and the system did not, in the end.
    #[must_use]
    pub const fn unsent(&self) -> u64 {
        self.unsent
    }

    fn socket(&self, socket: SocketId) -> io::Result<&Socket> {
        self.places
            .get(socket.index())
            .and_then(|place| place.socket.as_ref())
            .ok_or_else(closed)
    }

    fn insert(&mut self, socket: Socket, receive: Receive) -> io::Result<SocketId> {
        let id = match self.free.pop() {
            Some(id) => id,
            None => {
                let id = SocketId::from_index(self.places.len())?;
                self.places.push(Place {
                    socket: None,
                    generation: 0,
                    receive: Receive::None,
                });
                id
            }
        };
        if let Some(place) = self.places.get_mut(id.index()) {
            place.socket = Some(socket);
            place.generation = place.generation.wrapping_add(1) & GENERATION_MASK;
            place.receive = receive;
        }
        Ok(id)
    }

    /// Begins the receives that are wanted, each once: one that ends at once, for want of a buffer,
    /// waits until packets have been taken.
    fn begin(&mut self) -> io::Result<()> {
        if !self.watched {
            self.watched = self.ring.watch(self.wakeup.fd());
        }
        for _ in 0..self.wanted.len() {
            let Some(id) = self.wanted.pop_front() else {
                break;
            };
            if self.begin_one(id) {
                continue;
            }
            self.ring.flush()?;
            self.reap();
            if !self.begin_one(id) {
                self.wanted.push_back(id);
            }
        }
        Ok(())
    }

    /// False: there is no place for it before the next entry into the kernel.
    fn begin_one(&mut self, id: SocketId) -> bool {
        let Some(place) = self.places.get_mut(id.index()) else {
            return true;
        };
        let (Some(socket), Receive::Wanted) = (&place.socket, place.receive) else {
            return true;
        };
        let tag = Tag::Receive {
            socket: id.0,
            generation: place.generation,
        };
        let begun = self.ring.receive(&socket.fd, tag);
        if begun {
            place.receive = Receive::Standing;
        }
        begun
    }

    /// Takes note of all that the kernel has done.
    fn reap(&mut self) {
        while let Some(done) = self.ring.next() {
            match done {
                Done::Received {
                    socket,
                    generation,
                    packet,
                    stands,
                } => {
                    let socket = SocketId(socket);
                    if !stands {
                        self.receive_ended(socket, generation);
                    }
                    if let Some((buffer, filled)) = packet {
                        self.arrived.push_back(Arrived {
                            socket,
                            generation,
                            buffer,
                            filled,
                        });
                    }
                }
                Done::Sent(flight, problem) => self.sent(flight, problem),
                Done::Woken { stands } => {
                    self.wakeup.rest();
                    self.woken = true;
                    self.watched = stands;
                }
            }
        }
        while let Some(buffer) = self.ring.pool().orphan() {
            self.ring.take_home(buffer);
        }
    }

    /// The kernel has ended a receive: it is begun anew, or its place is free.
    fn receive_ended(&mut self, socket: SocketId, generation: u32) {
        let Some(place) = self.places.get_mut(socket.index()) else {
            return;
        };
        if place.generation != generation || place.receive != Receive::Standing {
            return;
        }
        if place.socket.is_some() {
            place.receive = Receive::Wanted;
            self.wanted.push_back(socket);
        } else {
            place.receive = Receive::None;
            self.free.push(socket);
        }
    }

    /// A packet has left, or is tried once more if all that was told is the error of an earlier
    /// one (ICMP port unreachable).
    fn sent(&mut self, flight: Flight, problem: Option<io::Error>) {
        let refused = problem
            .as_ref()
            .is_some_and(|problem| problem.kind() == io::ErrorKind::ConnectionRefused);
        let place = self.places.get(flight.socket as usize);
        let place = place.filter(|place| place.generation == flight.generation);
        let socket = place.and_then(|place| place.socket.as_ref());
        let flight = match socket {
            Some(socket) if refused && !flight.again => {
                let flight = Flight {
                    again: true,
                    ..flight
                };
                match self.ring.send(&socket.fd, flight) {
                    Ok(()) => {
                        self.again = true;
                        return;
                    }
                    Err(flight) => flight,
                }
            }
            _ => flight,
        };
        self.unsent += u64::from(problem.is_some());
        self.ring.take_home(flight.buffer);
    }

    /// Pushes a packet; enters the kernel if there is no place for it.
    fn launch(&mut self, socket: SocketId, mut flight: Flight) -> io::Result<()> {
        for _ in 0..2 {
            let target = self.places.get(socket.index());
            let Some(target) = target.and_then(|place| place.socket.as_ref()) else {
                break;
            };
            match self.ring.send(&target.fd, flight) {
                Ok(()) => return Ok(()),
                Err(back) => flight = back,
            }
            self.ring.flush()?;
            self.reap();
        }
        self.ring.take_home(flight.buffer);
        Err(io::ErrorKind::WouldBlock.into())
    }

    /// A packet in a buffer, ready to be launched.
    fn flight(&self, way: Way, mut buffer: Buffer, range: Range<usize>) -> Flight {
        let address_bytes = way.to.map_or(0, |to| {
            room::write_address(self.ring.pool().bytes_mut(&mut buffer), to)
        });
        Flight {
            buffer,
            range,
            address_bytes,
            socket: way.socket.0,
            generation: way.generation,
            again: false,
        }
    }

    fn way(&self, socket: SocketId, to: Option<SocketAddr>) -> io::Result<Way> {
        let local = self.socket(socket)?.local;
        let place = self.places.get(socket.index()).ok_or_else(closed)?;
        Ok(Way {
            socket,
            generation: place.generation,
            to: to.map(|to| for_family_of(local, to)),
        })
    }

    /// A buffer to send from, after an entry into the kernel if all are on their way.
    fn spare(&mut self) -> io::Result<Buffer> {
        if let Some(buffer) = self.ring.spare() {
            return Ok(buffer);
        }
        self.ring.flush()?;
        self.reap();
        self.ring
            .spare()
            .ok_or_else(|| io::ErrorKind::WouldBlock.into())
    }
}

impl Udp for IoUring {
    fn bind(&mut self, local: SocketAddr) -> io::Result<SocketId> {
        let id = self.insert(Socket::for_audio(local)?, Receive::Wanted)?;
        self.wanted.push_back(id);
        Ok(id)
    }

    fn hold(&mut self, local: SocketAddr) -> io::Result<SocketId> {
        self.insert(Socket::held(local)?, Receive::None)
    }

    fn local(&self, socket: SocketId) -> Option<SocketAddr> {
        self.socket(socket).ok().map(|socket| socket.local)
    }

    // The standing receive goes on through `connect` and `disconnect`: it is the socket that
    // chooses what it takes.
    fn connect(&mut self, socket: SocketId, peer: SocketAddr) -> io::Result<()> {
        self.socket(socket)?.connect(peer)
    }

    fn disconnect(&mut self, socket: SocketId) -> io::Result<()> {
        // What was sent without an address must leave while there is a peer.
        self.socket(socket)?;
        self.ring.flush()?;
        self.socket(socket)?.disconnect()
    }

    fn close(&mut self, socket: SocketId) {
        let Some(place) = self.places.get_mut(socket.index()) else {
            return;
        };
        let Some(former) = place.socket.take() else {
            return;
        };
        if place.receive != Receive::Standing {
            place.receive = Receive::None;
            self.free.push(socket);
        }
        let (receive, generation) = (place.receive, place.generation);
        // Whatever names the descriptor must be handed over before its number is another's. An
        // error would be found again by the next `wait`.
        let _ = self.ring.flush();
        if receive == Receive::Standing {
            self.ring.cancel(Tag::Receive {
                socket: socket.0,
                generation,
            });
            // Takes the last completion, and with it the kernel's hold on the socket and its port.
            let _ = self.ring.flush();
        }
        self.reap();
        drop(former);
    }

    fn wait(&mut self, gather: Duration, timeout: Option<Duration>) -> io::Result<()> {
        self.reap();
        if self.ring.can_receive() {
            self.begin()?;
        }
        // Any look at the ring, that of a `close` too, may have taken the news of a wake-up with it.
        if self.arrived.is_empty() && !self.woken {
            self.ring.sleep(gather, timeout)?;
        } else {
            self.ring.flush()?;
        }
        self.reap();
        if std::mem::take(&mut self.again) {
            self.ring.flush()?;
            self.reap();
        }
        self.woken = false;
        Ok(())
    }

    fn receive(&mut self, batch: &mut Batch) -> bool {
        let pool = Arc::clone(self.ring.pool());
        batch.reclaim(&pool, |buffer| self.ring.take_home(buffer));
        while let Some(arrived) = self.arrived.pop_front() {
            let place = self.places.get(arrived.socket.index());
            let open = place.is_some_and(|place| {
                place.socket.is_some() && place.generation == arrived.generation
            });
            let packet = room::read(pool.bytes(&arrived.buffer), arrived.filled);
            let (true, Some((from, length))) = (open, packet) else {
                self.ring.take_home(arrived.buffer);
                continue;
            };
            if batch.is_full() {
                self.arrived.push_front(arrived);
                return true;
            }
            let range = HEAD_BYTES..HEAD_BYTES + length;
            batch.lend(arrived.socket, canonical(from), arrived.buffer, range);
        }
        false
    }

    fn send(&mut self, socket: SocketId, to: Option<SocketAddr>, bytes: &[u8]) -> io::Result<()> {
        let way = self.way(socket, to)?;
        if bytes.len() > PACKET_BYTES_MAX + 1 {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let mut buffer = self.spare()?;
        let range = HEAD_BYTES..HEAD_BYTES + bytes.len();
        let room = self.ring.pool().bytes_mut(&mut buffer);
        if let Some(place) = room.get_mut(range.clone()) {
            place.copy_from_slice(bytes);
        }
        let flight = self.flight(way, buffer, range);
        self.launch(socket, flight)
    }

    fn forward(
        &mut self,
        socket: SocketId,
        to: Option<SocketAddr>,
        packet: Packet<'_>,
        part: Range<usize>,
    ) -> io::Result<()> {
        let way = self.way(socket, to)?;
        match packet.into_buffer(self.ring.pool(), &part) {
            Ok((buffer, range)) => {
                let flight = self.flight(way, buffer, range);
                self.launch(socket, flight)
            }
            Err(packet) => {
                let bytes = packet
                    .bytes()
                    .get(part)
                    .ok_or(io::ErrorKind::InvalidInput)?;
                self.send(socket, to, bytes)
            }
        }
    }

    fn waker(&self) -> Waker {
        Waker::from(Arc::clone(&self.wakeup))
    }
}

impl std::fmt::Debug for IoUring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "IoUring({} places)", self.places.len())
    }
}
