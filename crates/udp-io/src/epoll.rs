//! Owns real sockets, watched by epoll. Works in every container, unlike io_uring.
//!
//! Level-triggered, one receive per ready socket and turn: audio brings one packet per 20 ms and
//! socket, so a second receive would nearly always find nothing and cost as much as the first.
//! A socket with more is ready again in the next turn. `recvmmsg` and `sendmmsg` work on one socket,
//! so they save nothing here; what saves is to wake up less often (`gather` of [`Udp::wait`]).

use std::io;
use std::mem::MaybeUninit;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use rustix::event::{Timespec, epoll};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, recvfrom, send, sendto};

use crate::socket::{Socket, canonical, closed, for_family_of};
use crate::wakeup::Wakeup;
use crate::{Batch, SocketId, Udp};

/// Ready sockets taken from the kernel in one turn.
const EVENTS_MAX: usize = 1_024;
/// Packets of a port of many peers in one turn; what is more waits for the next.
const SHARED_PACKETS_MAX: usize = 1_024;
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
    /// Packets taken of the one that is served.
    taken: usize,
}

impl Epoll {
    /// An empty set.
    ///
    /// # Errors
    /// The system's: no descriptors left.
    pub fn new() -> io::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let wakeup = Wakeup::new()?;
        epoll::add(
            &epoll,
            wakeup.fd(),
            epoll::EventData::new_u64(WAKE),
            epoll::EventFlags::IN,
        )?;
        Ok(Self {
            epoll,
            wakeup,
            sockets: Vec::new(),
            free: Vec::new(),
            ready: Vec::with_capacity(EVENTS_MAX),
            served: 0,
            taken: 0,
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

impl Epoll {
    /// A socket that is read.
    fn listen(&mut self, socket: Socket) -> io::Result<SocketId> {
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
}

impl Udp for Epoll {
    fn bind(&mut self, local: SocketAddr) -> io::Result<SocketId> {
        self.listen(Socket::for_audio(local)?)
    }

    fn bind_shared(&mut self, local: SocketAddr) -> io::Result<SocketId> {
        self.listen(Socket::for_many(local)?)
    }

    fn hold(&mut self, local: SocketAddr) -> io::Result<SocketId> {
        self.insert(Socket::held(local)?)
    }

    fn local(&self, socket: SocketId) -> Option<SocketAddr> {
        self.socket(socket).ok().map(|socket| socket.local)
    }

    fn connect(&mut self, socket: SocketId, peer: SocketAddr) -> io::Result<()> {
        self.socket(socket)?.connect(peer)
    }

    fn disconnect(&mut self, socket: SocketId) -> io::Result<()> {
        self.socket(socket)?.disconnect()
    }

    fn close(&mut self, socket: SocketId) {
        // Closing the only descriptor of a socket takes it out of the epoll set.
        let place = self.sockets.get_mut(socket.index());
        if place.and_then(Option::take).is_some() {
            self.free.push(socket);
        }
    }

    fn wait(&mut self, gather: Duration, timeout: Option<Duration>) -> io::Result<()> {
        (self.served, self.taken) = (0, 0);
        self.ready.clear();
        if !gather.is_zero() {
            std::thread::sleep(gather);
        }
        let timeout = timeout.map(|timeout| timespec(timeout.saturating_sub(gather)));
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

    fn receive(&mut self, batch: &mut Batch) -> bool {
        batch.clear();
        while let Some(&id) = self.ready.get(self.served) {
            let mut goes_on = false;
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
                    // Of others there is but one packet in a turn: a second look would be in vain.
                    goes_on = socket.shared && self.taken < SHARED_PACKETS_MAX;
                }
            }
            if goes_on {
                self.taken += 1;
            } else {
                self.taken = 0;
                self.served += 1;
            }
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

fn timespec(timeout: Duration) -> Timespec {
    Timespec {
        tv_sec: i64::try_from(timeout.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: timeout.subsec_nanos().into(),
    }
}
