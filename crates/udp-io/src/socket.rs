//! Owns how a real socket is opened, and the two ways to write an IPv4 address. Used by both real
//! backends, so that they differ in nothing but how packets are moved.

use std::io;
use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::os::fd::{AsFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::{
    AddressFamily, SocketFlags, SocketType, bind, connect, connect_unspec, getsockname,
    socket_with, sockopt,
};

/// Tries to find a port that is still free after it was chosen.
const PORT_TRIES: usize = 16;
/// Receive memory of a held port, octets: the system rounds it up to its least.
const HELD_BUFFER_BYTES: usize = 1;
/// Receive memory of a port of many peers, octets: 100 ms of 500 of them, as the system counts.
const SHARED_BUFFER_BYTES: usize = 2 << 20;
/// Expedited forwarding (RFC 3246) in the upper six bits of the TOS octet: telephone audio.
const TOS_AUDIO: u8 = 46 << 2;

/// A socket that is bound.
pub(crate) struct Socket {
    pub(crate) fd: OwnedFd,
    pub(crate) local: SocketAddr,
    /// Many peers send to it.
    pub(crate) shared: bool,
}

impl Socket {
    /// One that carries audio.
    pub(crate) fn for_audio(local: SocketAddr) -> io::Result<Self> {
        let socket = Self::open(local)?;
        match local.ip() {
            IpAddr::V4(_) => sockopt::set_ip_tos(&socket.fd, TOS_AUDIO)?,
            IpAddr::V6(_) => sockopt::set_ipv6_tclass(&socket.fd, u32::from(TOS_AUDIO))?,
        }
        Ok(socket)
    }

    /// One that carries the audio of many peers.
    pub(crate) fn for_many(local: SocketAddr) -> io::Result<Self> {
        let mut socket = Self::for_audio(local)?;
        socket.shared = true;
        // The system grants what it permits.
        sockopt::set_socket_recv_buffer_size(&socket.fd, SHARED_BUFFER_BYTES)?;
        Ok(socket)
    }

    /// One that is never read.
    pub(crate) fn held(local: SocketAddr) -> io::Result<Self> {
        let socket = Self::open(local)?;
        sockopt::set_socket_recv_buffer_size(&socket.fd, HELD_BUFFER_BYTES)?;
        Ok(socket)
    }

    pub(crate) fn connect(&self, peer: SocketAddr) -> io::Result<()> {
        Ok(connect(&self.fd, &for_family_of(self.local, peer))?)
    }

    pub(crate) fn disconnect(&self) -> io::Result<()> {
        Ok(connect_unspec(&self.fd)?)
    }

    /// Opens and binds. A port left to choice is chosen first and then bound by number: Linux
    /// forgets a port that it chose itself when the socket is disconnected.
    fn open(local: SocketAddr) -> io::Result<Self> {
        if local.port() != 0 {
            return Self::open_exactly(local);
        }
        let mut problem = io::Error::from(Errno::ADDRINUSE);
        for _ in 0..PORT_TRIES {
            let chosen = Self::open_exactly(local)?.local;
            match Self::open_exactly(chosen) {
                Err(taken) if taken.kind() == io::ErrorKind::AddrInUse => problem = taken,
                result => return result,
            }
        }
        Err(problem)
    }

    fn open_exactly(local: SocketAddr) -> io::Result<Self> {
        let family = match local {
            SocketAddr::V4(_) => AddressFamily::INET,
            SocketAddr::V6(_) => AddressFamily::INET6,
        };
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let fd = socket_with(family, SocketType::DGRAM, flags, None)?;
        bind(&fd, &local)?;
        let local = SocketAddr::try_from(getsockname(fd.as_fd())?)?;
        Ok(Self {
            fd,
            local,
            shared: false,
        })
    }
}

/// An IPv4 peer as an IPv6 socket knows it (RFC 4291 §2.5.5.2), for sockets bound to `::`.
pub(crate) fn for_family_of(local: SocketAddr, peer: SocketAddr) -> SocketAddr {
    match (local, peer) {
        (SocketAddr::V6(_), SocketAddr::V4(peer)) => {
            SocketAddrV6::new(peer.ip().to_ipv6_mapped(), peer.port(), 0, 0).into()
        }
        (_, peer) => peer,
    }
}

/// The reverse of [`for_family_of`].
pub(crate) fn canonical(from: SocketAddr) -> SocketAddr {
    match from {
        SocketAddr::V4(_) => from,
        SocketAddr::V6(v6) => match v6.ip().to_ipv4_mapped() {
            Some(v4) => SocketAddr::from((v4, v6.port())),
            None => from,
        },
    }
}

/// Work on a socket that is not there.
pub(crate) fn closed() -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, "the socket is closed")
}
