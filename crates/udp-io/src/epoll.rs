//! Owns real sockets, watched by epoll. Works in every container, unlike io_uring.
//!
//! Level-triggered, one receive per ready socket and turn: audio brings one packet per 20 ms and
//! socket, so a second receive would nearly always find nothing and cost as much as the first.
//! A socket with more is ready again in the next turn. `recvmmsg` and `sendmmsg` work on one socket, so they
//! save nothing here; what saves is to wake up less often ([`Udp::gather`]).

use std::io;
use std::mem::MaybeUninit;
use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Wake, Waker};
use std::time::Duration;

use rustix::event::{EventfdFlags, Timespec, epoll, eventfd};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, bind, connect, connect_unspec,
    getsockname, recvfrom, send, sendto, socket_with, sockopt,
};

use crate::{Batch, SocketId, Udp};

/// Ready sockets taken from the kernel in one turn.
const EVENTS_MAX: usize = 1_024;
/// Tries to find a port that is still free after it was chosen.
const PORT_TRIES: usize = 16;
/// Receive memory of a held port, octets: the system rounds it up to its least.
const HELD_BUFFER_BYTES: usize = 1;
/// Expedited forwarding (RFC 3246) in the upper six bits of the TOS octet: telephone audio.
const TOS_AUDIO: u8 = 46 << 2;
/// Names the wake-up descriptor among the events; no socket has so large a number.
const WAKE: u64 = u64::MAX;

/// Real sockets.
pub struct Epoll {
    epoll: OwnedFd,
    wakeup: Arc<Wakeup>,
    sockets: Vec<Option<Socket>>,
    free: Vec<SocketId>,
    /// Sockets that were ready at the last wait, and how many of them have been served.
    ready: Vec<SocketId>,
    served: usize,
}

struct Socket {
    fd: OwnedFd,
    local: SocketAddr,
}

impl Epoll {
    /// An empty set.
    ///
    /// # Errors
    /// The system's: no descriptors left.
    pub fn new() -> io::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let fd = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        epoll::add(
            &epoll,
            &fd,
            epoll::EventData::new_u64(WAKE),
            epoll::EventFlags::IN,
        )?;
        Ok(Self {
            epoll,
            wakeup: Arc::new(Wakeup {
                fd,
                pending: AtomicBool::new(false),
            }),
            sockets: Vec::new(),
            free: Vec::new(),
            ready: Vec::with_capacity(EVENTS_MAX),
            served: 0,
        })
    }

    fn socket(&self, socket: SocketId) -> io::Result<&Socket> {
        self.sockets
            .get(socket.index())
            .and_then(Option::as_ref)
            .ok_or_else(closed)
    }

    fn insert(&mut self, socket: Socket) -> io::Result<SocketId> {
        let id = match self.free.pop() {
            Some(id) => id,
            None => {
                let id = SocketId::from_index(self.sockets.len())?;
                self.sockets.push(None);
                id
            }
        };
        if let Some(place) = self.sockets.get_mut(id.index()) {
            *place = Some(socket);
        }
        Ok(id)
    }
}

impl Udp for Epoll {
    fn bind(&mut self, local: SocketAddr) -> io::Result<SocketId> {
        let socket = open(local)?;
        match local.ip() {
            IpAddr::V4(_) => sockopt::set_ip_tos(&socket.fd, TOS_AUDIO)?,
            IpAddr::V6(_) => sockopt::set_ipv6_tclass(&socket.fd, u32::from(TOS_AUDIO))?,
        }
        let id = self.insert(socket)?;
        let data = epoll::EventData::new_u64(u64::from(id.0));
        let added = epoll::add(
            &self.epoll,
            &self.socket(id)?.fd,
            data,
            epoll::EventFlags::IN,
        );
        if let Err(problem) = added {
            self.close(id);
            return Err(problem.into());
        }
        Ok(id)
    }

    fn hold(&mut self, local: SocketAddr) -> io::Result<SocketId> {
        let socket = open(local)?;
        sockopt::set_socket_recv_buffer_size(&socket.fd, HELD_BUFFER_BYTES)?;
        self.insert(socket)
    }

    fn local(&self, socket: SocketId) -> Option<SocketAddr> {
        self.socket(socket).ok().map(|socket| socket.local)
    }

    fn connect(&mut self, socket: SocketId, peer: SocketAddr) -> io::Result<()> {
        let socket = self.socket(socket)?;
        Ok(connect(&socket.fd, &for_family_of(socket.local, peer))?)
    }

    fn disconnect(&mut self, socket: SocketId) -> io::Result<()> {
        Ok(connect_unspec(&self.socket(socket)?.fd)?)
    }

    fn close(&mut self, socket: SocketId) {
        // Closing the only descriptor of a socket takes it out of the epoll set.
        let place = self.sockets.get_mut(socket.index());
        if place.and_then(Option::take).is_some() {
            self.free.push(socket);
        }
    }

    fn wait(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        self.served = 0;
        self.ready.clear();
        let timeout = timeout.map(timespec);
        let mut room = [const { MaybeUninit::<epoll::Event>::uninit() }; EVENTS_MAX];
        let events = match epoll::wait(&self.epoll, &mut room, timeout.as_ref()) {
            Ok((events, _)) => events,
            Err(Errno::INTR) => return Ok(()),
            Err(problem) => return Err(problem.into()),
        };
        for event in events {
            match u32::try_from(event.data.u64()) {
                Ok(id) => self.ready.push(SocketId(id)),
                Err(_) => self.wakeup.rest(),
            }
        }
        Ok(())
    }

    fn gather(&mut self, pause: Duration) {
        std::thread::sleep(pause);
    }

    fn receive(&mut self, batch: &mut Batch) -> bool {
        batch.clear();
        while let Some(&id) = self.ready.get(self.served) {
            // A socket may have been closed since.
            if let Some(Some(socket)) = self.sockets.get(id.index()) {
                let Some(room) = batch.room() else {
                    return true;
                };
                // An error here is an ICMP answer to something sent earlier, or a packet of a
                // wrong checksum. The next packet is seen in the next turn.
                if let Ok((_, length, Some(from))) =
                    recvfrom(&socket.fd, room, RecvFlags::DONTWAIT | RecvFlags::TRUNC)
                    && let Ok(from) = SocketAddr::try_from(from)
                {
                    batch.keep(id, canonical(from), length);
                }
            }
            self.served += 1;
        }
        false
    }

    fn send(&mut self, socket: SocketId, to: Option<SocketAddr>, bytes: &[u8]) -> io::Result<()> {
        let socket = self.socket(socket)?;
        match transmit(socket, to, bytes) {
            // The error of an earlier packet (ICMP port unreachable); this one was not tried.
            Err(Errno::CONNREFUSED) => Ok(transmit(socket, to, bytes)?),
            result => Ok(result?),
        }
    }

    fn waker(&self) -> Waker {
        Waker::from(Arc::clone(&self.wakeup))
    }
}

fn transmit(socket: &Socket, to: Option<SocketAddr>, bytes: &[u8]) -> Result<(), Errno> {
    let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
    match to {
        None => send(&socket.fd, bytes, flags)?,
        Some(to) => sendto(&socket.fd, bytes, flags, &for_family_of(socket.local, to))?,
    };
    Ok(())
}

/// Opens and binds. A port left to choice is chosen first and then bound by number: Linux forgets
/// a port that it chose itself when the socket is disconnected.
fn open(local: SocketAddr) -> io::Result<Socket> {
    if local.port() != 0 {
        return open_exactly(local);
    }
    let mut problem = io::Error::from(Errno::ADDRINUSE);
    for _ in 0..PORT_TRIES {
        let chosen = open_exactly(local)?.local;
        match open_exactly(chosen) {
            Err(taken) if taken.kind() == io::ErrorKind::AddrInUse => problem = taken,
            result => return result,
        }
    }
    Err(problem)
}

fn open_exactly(local: SocketAddr) -> io::Result<Socket> {
    let family = match local {
        SocketAddr::V4(_) => AddressFamily::INET,
        SocketAddr::V6(_) => AddressFamily::INET6,
    };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let fd = socket_with(family, SocketType::DGRAM, flags, None)?;
    bind(&fd, &local)?;
    let local = SocketAddr::try_from(getsockname(fd.as_fd())?)?;
    Ok(Socket { fd, local })
}

/// An IPv4 peer as an IPv6 socket knows it (RFC 4291 §2.5.5.2), for sockets bound to `::`.
fn for_family_of(local: SocketAddr, peer: SocketAddr) -> SocketAddr {
    match (local, peer) {
        (SocketAddr::V6(_), SocketAddr::V4(peer)) => {
            SocketAddrV6::new(peer.ip().to_ipv6_mapped(), peer.port(), 0, 0).into()
        }
        (_, peer) => peer,
    }
}

/// The reverse of [`for_family_of`].
fn canonical(from: SocketAddr) -> SocketAddr {
    match from {
        SocketAddr::V4(_) => from,
        SocketAddr::V6(v6) => match v6.ip().to_ipv4_mapped() {
            Some(v4) => SocketAddr::from((v4, v6.port())),
            None => from,
        },
    }
}

fn timespec(timeout: Duration) -> Timespec {
    Timespec {
        tv_sec: i64::try_from(timeout.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: timeout.subsec_nanos().into(),
    }
}

fn closed() -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, "the socket is closed")
}

/// Wakes the owner of a set. `pending` spares the system call when it is being woken anyway.
struct Wakeup {
    fd: OwnedFd,
    pending: AtomicBool,
}

impl Wakeup {
    fn rest(&self) {
        let mut count = [0; 8];
        // Cannot fail in a way that matters: an empty counter is what we want.
        let _ = rustix::io::read(&self.fd, &mut count[..]);
        // After the read: whoever set it before has also left its message before, and the owner
        // looks for messages after `wait`.
        self.pending.store(false, Ordering::SeqCst);
    }
}

impl Wake for Wakeup {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.pending.swap(true, Ordering::SeqCst) {
            // A full counter (2^64 - 2 wake-ups unread) wakes as well.
            let _ = rustix::io::write(&self.fd, &1_u64.to_ne_bytes());
        }
    }
}
