//! Owns one UDP socket: a task that receives, a duplicate that sends.

use core::net::SocketAddr;
use std::io;
use std::net::UdpSocket;

use sip::{Flow, Transport as Protocol};
use socket2::{Domain, Protocol as Ip, Socket, Type};

use crate::Datagram;
use crate::local::LocalAddresses;

/// The longest datagram that UDP can carry.
const LONGEST: usize = 65_535;
/// Kernel buffers: a burst of some thousand messages while the switch is busy.
const BUFFER: usize = 4 << 20;
/// Datagrams read in one turn before other tasks get theirs.
const TURN: usize = 64;

#[derive(Debug)]
pub(crate) struct Udp {
    address: SocketAddr,
    sender: UdpSocket,
    receiver: tokio::task::JoinHandle<()>,
}

impl Udp {
    pub(crate) fn bind<S>(address: SocketAddr, sink: S) -> io::Result<Self>
    where
        S: Fn(Datagram) + Send + 'static,
    {
        let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Ip::UDP))?;
        if address.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        socket.set_nonblocking(true)?;
        // The kernel gives as much as it is allowed to; less is no error.
        let _ = socket.set_recv_buffer_size(BUFFER);
        let _ = socket.set_send_buffer_size(BUFFER);
        socket.bind(&address.into())?;
        let sender: UdpSocket = socket.into();
        let address = sender.local_addr()?;
        let receiver = tokio::net::UdpSocket::from_std(sender.try_clone()?)?;
        let receiver = tokio::spawn(receive(receiver, address, sink));
        Ok(Self {
            address,
            sender,
            receiver,
        })
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

impl Drop for Udp {
    fn drop(&mut self) {
        self.receiver.abort();
    }
}

async fn receive<S: Fn(Datagram)>(socket: tokio::net::UdpSocket, bound: SocketAddr, sink: S) {
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
                    let local = local.toward(remote);
                    let flow = Flow {
                        transport: Protocol::Udp,
                        local,
                        remote,
                    };
                    sink(Datagram { flow, bytes });
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                // An ICMP error of an earlier datagram: nothing that reception can mend.
                Err(error) => tracing::debug!(%error, "reception"),
            }
        }
        tokio::task::yield_now().await;
    }
}

#[cfg(test)]
mod tests {
    use crate::Transport;
    use tokio::sync::mpsc;

    #[tokio::test]
    async fn a_datagram_comes_with_its_flow_and_the_answer_goes_back_on_it() {
        let (sender, mut inbox) = mpsc::unbounded_channel();
        let transport = Transport::bind(&["127.0.0.1:0".parse().unwrap()], move |datagram| {
            sender.send(datagram).unwrap();
        })
        .unwrap();
        let engine = transport.addresses()[0];
        let phone = tokio::net::UdpSocket::bind("127.0.0.2:0").await.unwrap();
        phone.send_to(b"ping", engine).await.unwrap();
        let datagram = inbox.recv().await.unwrap();
        assert_eq!(datagram.bytes, b"ping");
        assert_eq!(datagram.flow.remote, phone.local_addr().unwrap());
        assert_eq!(datagram.flow.local, engine);

        transport.send(&datagram.flow, b"pong");
        let mut buffer = [0; 16];
        let (length, from) = phone.recv_from(&mut buffer).await.unwrap();
        assert_eq!((&buffer[..length], from), (&b"pong"[..], engine));
        assert_eq!(transport.counts().unsent(), 0);
    }

    #[tokio::test]
    async fn a_port_in_use_is_said_in_one_plain_sentence() {
        let taken = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap();
        let error = Transport::bind(&[address], |_| {}).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("cannot listen for SIP on {address}: another program uses this port")
        );
    }
}
