//! Owns a network in memory with sockets on it, for tests: no descriptors, no system calls, and
//! loss, duplication and reordering on demand, the same in every run.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Wake, Waker};
use std::time::Duration;

use crate::{Batch, SocketId, Udp};

/// Packets that wait at one socket; further ones are lost, as in a full receive buffer.
const QUEUE_PACKETS_MAX: usize = 1_024;
/// First port given out when the choice is left to us.
const FIRST_PORT: u16 = 20_000;

/// What the network does to packets; counts over all packets, 0 = never.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Impairment {
    /// Every so many packets, one is lost.
    pub lose_every: u64,
    /// Every so many packets, one comes twice.
    pub duplicate_every: u64,
    /// Every so many packets, one overtakes the one before it in its queue.
    pub overtake_every: u64,
}

/// The network. Clones are the same network.
#[derive(Debug, Clone, Default)]
pub struct SimNet(Arc<Mutex<Net>>);

#[derive(Debug, Default)]
struct Net {
    ports: BTreeMap<SocketAddr, Port>,
    impairment: Impairment,
    packets: u64,
}

#[derive(Debug)]
struct Port {
    set: Arc<Doorbell>,
    peer: Option<SocketAddr>,
    held: bool,
    queue: VecDeque<(SocketAddr, Vec<u8>)>,
}

/// Sockets on a [`SimNet`].
#[derive(Debug)]
pub struct SimSockets {
    net: SimNet,
    doorbell: Arc<Doorbell>,
    sockets: Vec<Option<SocketAddr>>,
}

impl SimNet {
    /// A network without faults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// From now on packets suffer this.
    pub fn impair(&self, impairment: Impairment) {
        self.lock().impairment = impairment;
    }

    /// An empty set of sockets on this network.
    #[must_use]
    pub fn sockets(&self) -> SimSockets {
        SimSockets {
            net: self.clone(),
            doorbell: Arc::default(),
            sockets: Vec::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Net> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Net {
    fn carry(&mut self, from: SocketAddr, to: SocketAddr, bytes: &[u8]) {
        self.packets += 1;
        let hits = |every: u64| every != 0 && self.packets.is_multiple_of(every);
        let (lost, twice) = (
            hits(self.impairment.lose_every),
            hits(self.impairment.duplicate_every),
        );
        let overtakes = hits(self.impairment.overtake_every);
        let Some(port) = self.ports.get_mut(&to) else {
            return;
        };
        if lost || port.held || port.peer.is_some_and(|peer| peer != from) {
            return;
        }
        for _ in 0..1 + usize::from(twice) {
            if port.queue.len() < QUEUE_PACKETS_MAX {
                port.queue.push_back((from, bytes.to_vec()));
            }
        }
        if overtakes && port.queue.len() >= 2 {
            let last = port.queue.len() - 1;
            port.queue.swap(last - 1, last);
        }
        port.set.ring();
    }
}

impl SimSockets {
    fn address(&self, socket: SocketId) -> io::Result<SocketAddr> {
        self.local(socket)
            .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "the socket is closed"))
    }

    fn open(&mut self, mut local: SocketAddr, held: bool) -> io::Result<SocketId> {
        let mut net = self.net.lock();
        if local.port() == 0 {
            let free = (FIRST_PORT..u16::MAX)
                .find(|port| !net.ports.contains_key(&SocketAddr::new(local.ip(), *port)));
            local.set_port(free.ok_or(io::ErrorKind::AddrInUse)?);
        }
        if net.ports.contains_key(&local) {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        let port = Port {
            set: Arc::clone(&self.doorbell),
            peer: None,
            held,
            queue: VecDeque::new(),
        };
        net.ports.insert(local, port);
        let free = self
            .sockets
            .iter()
            .position(Option::is_none)
            .unwrap_or(self.sockets.len());
        match self.sockets.get_mut(free) {
            Some(place) => *place = Some(local),
            None => self.sockets.push(Some(local)),
        }
        SocketId::from_index(free)
    }

    fn set_peer(&mut self, socket: SocketId, peer: Option<SocketAddr>) -> io::Result<()> {
        let local = self.address(socket)?;
        if let Some(port) = self.net.lock().ports.get_mut(&local) {
            port.peer = peer;
        }
        Ok(())
    }

    fn is_ready(&self) -> bool {
        let net = self.net.lock();
        let mut open = self.sockets.iter().flatten();
        open.any(|local| {
            net.ports
                .get(local)
                .is_some_and(|port| !port.queue.is_empty())
        })
    }
}

impl Udp for SimSockets {
    fn bind(&mut self, local: SocketAddr) -> io::Result<SocketId> {
        self.open(local, false)
    }

    fn hold(&mut self, local: SocketAddr) -> io::Result<SocketId> {
        self.open(local, true)
    }

    fn local(&self, socket: SocketId) -> Option<SocketAddr> {
        self.sockets.get(socket.index()).copied().flatten()
    }

    fn connect(&mut self, socket: SocketId, peer: SocketAddr) -> io::Result<()> {
        self.set_peer(socket, Some(peer))
    }

    fn disconnect(&mut self, socket: SocketId) -> io::Result<()> {
        self.set_peer(socket, None)
    }

    fn close(&mut self, socket: SocketId) {
        if let Some(local) = self.sockets.get_mut(socket.index()).and_then(Option::take) {
            self.net.lock().ports.remove(&local);
        }
    }

    // Time in tests is told, not slept through: nothing gathers.
    fn wait(&mut self, _gather: Duration, timeout: Option<Duration>) -> io::Result<()> {
        if !self.is_ready() {
            self.doorbell.await_ring(timeout);
        }
        self.doorbell.reset();
        Ok(())
    }

    fn receive(&mut self, batch: &mut Batch) -> bool {
        batch.clear();
        let mut net = self.net.lock();
        for (index, local) in self.sockets.iter().enumerate() {
            let Some(port) = local.and_then(|local| net.ports.get_mut(&local)) else {
                continue;
            };
            let Ok(id) = SocketId::from_index(index) else {
                continue;
            };
            while let Some((from, bytes)) = port.queue.front() {
                let Some(room) = batch.room() else {
                    return true;
                };
                let kept = bytes.len().min(room.len());
                if let (Some(room), Some(bytes)) = (room.get_mut(..kept), bytes.get(..kept)) {
                    room.copy_from_slice(bytes);
                }
                batch.keep(id, *from, bytes.len());
                port.queue.pop_front();
            }
        }
        false
    }

    fn send(&mut self, socket: SocketId, to: Option<SocketAddr>, bytes: &[u8]) -> io::Result<()> {
        let from = self.address(socket)?;
        let mut net = self.net.lock();
        let peer = to.or_else(|| net.ports.get(&from).and_then(|port| port.peer));
        net.carry(from, peer.ok_or(io::ErrorKind::NotConnected)?, bytes);
        Ok(())
    }

    fn waker(&self) -> Waker {
        Waker::from(Arc::clone(&self.doorbell))
    }
}

impl Drop for SimSockets {
    fn drop(&mut self) {
        let mut net = self.net.lock();
        for local in self.sockets.iter().flatten() {
            net.ports.remove(local);
        }
    }
}

/// Wakes the owner of a set.
#[derive(Debug, Default)]
struct Doorbell {
    rung: Mutex<bool>,
    changed: Condvar,
}

impl Doorbell {
    fn lock(&self) -> MutexGuard<'_, bool> {
        self.rung.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ring(&self) {
        *self.lock() = true;
        self.changed.notify_all();
    }

    fn reset(&self) {
        *self.lock() = false;
    }

    fn await_ring(&self, timeout: Option<Duration>) {
        let mut rung = self.lock();
        match timeout {
            None => {
                while !*rung {
                    rung = self
                        .changed
                        .wait(rung)
                        .unwrap_or_else(PoisonError::into_inner);
                }
            }
            // A spurious return is allowed by the contract of `wait`.
            Some(timeout) if !*rung => drop(self.changed.wait_timeout(rung, timeout)),
            Some(_) => {}
        }
    }
}

impl Wake for Doorbell {
    fn wake(self: Arc<Self>) {
        self.ring();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.ring();
    }
}
