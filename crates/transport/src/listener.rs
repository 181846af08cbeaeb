//! Owns a listening socket: connections that peers open are let in within the limits, and taken
//! through their handshakes.

use core::net::SocketAddr;
use core::time::Duration;
use std::io;
use std::net::TcpListener as StdListener;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use sip::{Flow, Transport as Protocol};
use socket2::{Domain, Protocol as Ip, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use crate::doors::Task;
use crate::local::LocalAddresses;
use crate::settings::Settings;
use crate::table::{Begun, Place, Queue, Table};
use crate::{BindError, connection, websocket};

/// Connections that the kernel holds until they are accepted.
const BACKLOG: i32 = 1_024;
/// How long nothing is accepted when the process has no descriptor left.
const BREATH: Duration = Duration::from_millis(100);

pub(crate) struct Listener {
    address: SocketAddr,
    socket: StdListener,
    door: Door,
    task: Task,
}

/// What each connection needs besides its socket.
#[derive(Clone)]
struct Door {
    protocol: Protocol,
    tls: Option<TlsAcceptor>,
    origins: Arc<[String]>,
    table: Arc<Table>,
}

impl Listener {
    /// Takes the socket over, or else opens one.
    pub(crate) fn bind(
        protocol: Protocol,
        address: SocketAddr,
        inherited: Option<OwnedFd>,
        (settings, table): (&Settings, &Arc<Table>),
    ) -> Result<Self, BindError> {
        let failed = |source| BindError {
            transport: protocol,
            address,
            source,
        };
        let tls = match (&settings.identity, protocol.is_secure()) {
            (Some(identity), true) => Some(identity.acceptor()),
            (None, true) => return Err(failed(io::Error::other("no certificate is given"))),
            (_, false) => None,
        };
        let socket = inherited.map_or_else(|| listen(address), |socket| Ok(socket.into()));
        let socket = socket.map_err(failed)?;
        let listener = Self {
            address: socket.local_addr().map_err(failed)?,
            socket,
            door: Door {
                protocol,
                tls,
                origins: settings.origins.clone().into(),
                table: Arc::clone(table),
            },
            task: Task::new(),
        };
        listener.open_door().map_err(failed)?;
        Ok(listener)
    }

    /// Lets connections in from now on.
    pub(crate) fn open_door(&self) -> io::Result<()> {
        let _entered = self.task.runtime().enter();
        let listener = TcpListener::from_std(self.socket.try_clone()?)?;
        self.task
            .run(accept(listener, self.address, self.door.clone()));
        Ok(())
    }

    /// Lets none in any more: those that come wait in the socket.
    pub(crate) fn close_door(&self) {
        self.task.end();
    }

    pub(crate) fn duplicate(&self) -> io::Result<OwnedFd> {
        Ok(self.socket.try_clone()?.into())
    }

    pub(crate) fn address(&self) -> (Protocol, SocketAddr) {
        (self.door.protocol, self.address)
    }
}

fn listen(address: SocketAddr) -> io::Result<StdListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Ip::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    // A restart must not wait for the last connections to die out.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

async fn accept(listener: TcpListener, bound: SocketAddr, door: Door) {
    let mut addresses = LocalAddresses::new(bound);
    loop {
        let (stream, remote) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, %bound, "a connection could not be accepted");
                tokio::time::sleep(BREATH).await;
                continue;
            }
        };
        // The address that the peer reached, where the socket is bound to all.
        let local = stream
            .local_addr()
            .unwrap_or_else(|_| addresses.toward(remote));
        let flow = Flow {
            transport: door.protocol,
            local,
            remote,
        };
        let Some((place, queue)) = door.table.admit(flow, Begun::ByPeer) else {
            tracing::debug!(%remote, "too many connections");
            continue;
        };
        let _ = stream.set_nodelay(true);
        tokio::spawn(serve(stream, place, queue, door.clone()));
    }
}

async fn serve(stream: TcpStream, place: Place, queue: Queue, door: Door) {
    let secure = match &door.tls {
        None => return carry(stream, place, queue, &door).await,
        Some(acceptor) => timeout(door.table.limits.message, acceptor.accept(stream)).await,
    };
    match secure {
        Ok(Ok(stream)) => carry(stream, place, queue, &door).await,
        Ok(Err(error)) => {
            door.table.counts().handshakes_failed.add();
            tracing::debug!(remote = %place.flow.remote, %error, "TLS handshake");
        }
        Err(_) => door.table.counts().slow.add(),
    }
}

async fn carry<IO>(io: IO, place: Place, queue: Queue, door: &Door)
where
    IO: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send,
{
    match door.protocol {
        Protocol::Ws | Protocol::Wss => websocket::run(io, place, queue, &door.origins).await,
        Protocol::Udp | Protocol::Tcp | Protocol::Tls => connection::run(io, place, queue).await,
    }
}
