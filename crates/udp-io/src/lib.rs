//! A set of UDP sockets with batched receive, behind one trait: [`Udp`].
//!
//! Contract: one thread owns a set outright. It sleeps in [`Udp::wait`], takes what is ready with
//! [`Udp::receive`] into a [`Batch`] made once, and sends from the same memory. Another thread may
//! only wake it, through the [`std::task::Waker`] of [`Udp::waker`]. After `bind` nothing here
//! allocates.
//!
//! Three backends pass the same conformance tests: [`IoUring`] and [`Epoll`] for real sockets
//! ([`choose`] finds out which works here), [`SimSockets`] for a network in memory. `unsafe` is in
//! the memory shared with the kernel only: `pool` and two files of `uring`.
//!
//! ```
//! use std::time::Duration;
//! use udp_io::{Batch, Epoll, Udp};
//!
//! let mut sockets = Epoll::new()?;
//! let here = sockets.bind("127.0.0.1:0".parse().unwrap())?;
//! let there = sockets.bind("127.0.0.1:0".parse().unwrap())?;
//! let to = sockets.local(there);
//! sockets.send(here, to, b"hello")?;
//!
//! let mut batch = Batch::new(16);
//! while batch.is_empty() {
//!     sockets.wait(Duration::ZERO, Some(Duration::from_millis(100)))?;
//!     sockets.receive(&mut batch);
//! }
//! assert!(batch.packets().all(|packet| packet.bytes() == b"hello"));
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! Non-goals: what the bytes mean, streams, name resolution, more than one thread per set.

#![deny(clippy::undocumented_unsafe_blocks)]

mod batch;
mod choice;
mod epoll;
#[allow(unsafe_code, reason = "memory that is shared with the kernel")]
mod pool;
mod sim;
mod socket;
#[allow(unsafe_code, reason = "operations that name memory")]
mod uring;
mod wakeup;

use std::io;
use std::net::SocketAddr;
use std::ops::Range;
use std::task::Waker;
use std::time::Duration;

pub use batch::{Batch, PACKET_BYTES_MAX, Packet};
pub use choice::{Backend, Choice, Chosen, Unavailable, choose};
pub use epoll::Epoll;
pub use sim::{Impairment, SimNet, SimSockets};
pub use uring::IoUring;

/// One socket of a set: a small dense number, fit to index a table. Used again after `close`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SocketId(u32);

impl SocketId {
    /// The number as an index.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }

    fn from_index(index: usize) -> io::Result<Self> {
        u32::try_from(index)
            .map(Self)
            .map_err(|_| io::Error::other("too many sockets in one set"))
    }
}

/// A set of UDP sockets that one thread owns.
pub trait Udp {
    /// Binds a socket whose packets [`Self::receive`] delivers. Port 0 takes any free port.
    ///
    /// # Errors
    /// The system's: address in use, no descriptors left.
    fn bind(&mut self, local: SocketAddr) -> io::Result<SocketId>;

    /// Binds a socket to which many peers send: each turn brings what they all sent, while one of
    /// [`Self::bind`] may bring a packet a turn.
    ///
    /// # Errors
    /// As [`Self::bind`].
    fn bind_shared(&mut self, local: SocketAddr) -> io::Result<SocketId> {
        self.bind(local)
    }

    /// Binds a port and never reads it: nobody else gets the port, and who sends there gets no
    /// ICMP error. Costs no wake-up.
    ///
    /// # Errors
    /// As [`Self::bind`].
    fn hold(&mut self, local: SocketAddr) -> io::Result<SocketId>;

    /// Where a socket is bound; `None` if it is closed.
    fn local(&self, socket: SocketId) -> Option<SocketAddr>;

    /// From now on the system delivers packets of `peer` only, and `send` needs no address.
    /// Packets of others that are queued already are still delivered.
    ///
    /// # Errors
    /// The system's: no route to the peer.
    fn connect(&mut self, socket: SocketId, peer: SocketAddr) -> io::Result<()>;

    /// Takes packets of anybody again. The local port stays.
    ///
    /// # Errors
    /// The system's.
    fn disconnect(&mut self, socket: SocketId) -> io::Result<()>;

    /// Closes a socket; a closed one is ignored.
    fn close(&mut self, socket: SocketId);

    /// Lets packets gather: sleeps for `gather`, which neither packets nor the waker shorten unless
    /// there are so many that memory could run out. Then sleeps until a socket has a packet, the
    /// waker is used or `timeout` has passed since the call; `None` sleeps for as long as it takes.
    /// Spurious returns are allowed. All that was sent before is on its way when this sleeps.
    ///
    /// # Errors
    /// The system's; the set is then of no further use.
    fn wait(&mut self, gather: Duration, timeout: Option<Duration>) -> io::Result<()>;

    /// Clears `batch` and fills it with packets that were ready when `wait` returned. True if
    /// there are more of them than fitted: call again.
    fn receive(&mut self, batch: &mut Batch) -> bool;

    /// Sends one packet, to `to` or else to the connected peer; at the latest with the next `wait`,
    /// `disconnect` or `close`.
    ///
    /// # Errors
    /// `WouldBlock` when the system has no room: the packet is lost, as on a network. Otherwise
    /// the system's. A backend that sends later finds errors later, and then counts them.
    fn send(&mut self, socket: SocketId, to: Option<SocketAddr>, bytes: &[u8]) -> io::Result<()>;

    /// Sends a part of a received packet, as changed in place, like [`Self::send`]. The packet is
    /// given up, so that a backend may send it from where it lies.
    ///
    /// # Errors
    /// As [`Self::send`]; `InvalidInput` if the packet has no such part.
    fn forward(
        &mut self,
        socket: SocketId,
        to: Option<SocketAddr>,
        packet: Packet<'_>,
        part: Range<usize>,
    ) -> io::Result<()> {
        let bytes = packet
            .bytes()
            .get(part)
            .ok_or(io::ErrorKind::InvalidInput)?;
        self.send(socket, to, bytes)
    }

    /// Ends a `wait` of this set from another thread, or the next one if none is under way.
    fn waker(&self) -> Waker;
}
