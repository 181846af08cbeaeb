//! Owns one UDP socket: a task that receives on a duplicate of it, and sending.

use core::net::SocketAddr;
use std::io;
use std::net::UdpSocket;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use sip::{Flow, Transport as Protocol};
use socket2::{Domain, Protocol as Ip, Socket, Type};

use crate::doors::Task;
use crate::local::LocalAddresses;
use crate::table::Table;
use crate::{BindError, Datagram, stun};

/// The longest datagram that UDP can carry.
const LONGEST: usize = 65_535;
/// Kernel buffers: a burst of some thousand messages while the switch is busy.
const BUFFER: usize = 4 << 20;
/// Datagrams read in one turn before other tasks get theirs.
const TURN: usize = 64;

pub(crate) struct Udp {
    address: SocketAddr,
    sender: UdpSocket,
    table: Arc<Table>,
    receiver: Task,
}

impl Udp {
    /// Takes the socket over, or else opens one.
    pub(crate) fn bind(
        address: SocketAddr,
        inherited: Option<OwnedFd>,
        table: &Arc<Table>,
    ) -> Result<Self, BindError> {
        let socket = inherited.map_or_else(|| open(address), |socket| Ok(socket.into()));
        let begun = socket.and_then(|socket| Self::begin(socket, table));
        begun.map_err(|source| BindError {
            transport: Protocol::Udp,
            address,
            source,
        })
    }

    fn begin(sender: UdpSocket, table: &Arc<Table>) -> io::Result<Self> {
        let socket = Self {
            address: sender.local_addr()?,
            sender,
            table: Arc::clone(table),
            receiver: Task::new(),
        };
        socket.open_door()?;
        Ok(socket)
    }

    /// Receives from now on.
    pub(crate) fn open_door(&self) -> io::Result<()> {
        let _entered = self.receiver.runtime().enter();
        let socket = tokio::net::UdpSocket::from_std(self.sender.try_clone()?)?;
        let (address, table) = (self.address, Arc::clone(&self.table));
        self.receiver.run(receive(socket, address, table));
        Ok(())
    }

    /// Receives no more: what comes waits in the socket. Sending goes on.
    pub(crate) fn close_door(&self) {
        self.receiver.end();
    }

    pub(crate) fn duplicate(&self) -> io::Result<OwnedFd> {
        Ok(self.sender.try_clone()?.into())
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Whether a flow that ends at `local` may be this socket's.
    pub(crate) fn serves(&self, local: SocketAddr) -> bool {
        self.address.ip().is_unspecified()
            && self.address.port() == local.port()
            && self.address.is_ipv4() == local.is_ipv4()
    }

    pub(crate) fn send(&self, to: SocketAddr, bytes: &[u8]) -> io::Result<()> {
        self.sender.send_to(bytes, to).map(drop)
    }
}

fn open(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Ip::UDP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    // The kernel gives as much as it is allowed to; less is no error.
    let _ = socket.set_recv_buffer_size(BUFFER);
    let _ = socket.set_send_buffer_size(BUFFER);
    socket.bind(&address.into())?;
    Ok(socket.into())
}

async fn receive(socket: tokio::net::UdpSocket, bound: SocketAddr, table: Arc<Table>) {
    let mut local = LocalAddresses::new(bound);
    let mut buffer = vec![0; LONGEST];
    loop {
        if let Err(error) = socket.readable().await {
            tracing::error!(%error, %bound, "the socket is broken; SIP is not received any more");
            return;
        }
        for _ in 0..TURN {
            match socket.try_recv_from(&mut buffer) {
                Ok((length, remote)) => {
                    let bytes = buffer.get(..length).unwrap_or_default().to_vec();
                    if let Some(answer) = stun::answer(&bytes, remote) {
                        let _ = socket.try_send_to(&answer, remote);
                        continue;
                    }
                    let local = local.toward(remote);
                    let flow = Flow {
                        transport: Protocol::Udp,
                        local,
                        remote,
                    };
                    // No room: dropped, as by a network.
                    let _ = table.sink.message(Datagram { flow, bytes });
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                // An ICMP error of an earlier datagram: nothing that reception can mend.
                Err(error) => tracing::debug!(%error, "reception"),
            }
        }
        tokio::task::yield_now().await;
    }
}
