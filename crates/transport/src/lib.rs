//! Signalling sockets: messages from the network become inputs of the switch, its outputs become
//! datagrams, streams and WebSocket messages.
//!
//! Contract: this crate moves messages and knows where they came from and go to. Reception runs in
//! tokio tasks, one for each socket and each connection; [`Transport::send`] may be called from any
//! thread and never blocks. A datagram that the kernel has no room for is dropped and counted, as
//! the network might. A message for a connection that is not there opens it; if that fails, or the
//! connection is lost, or its queue is full, [`Sink::closed`] tells so.
//!
//! A connection is known by its [`Flow`]: the transport, the address that we listen on, the peer's
//! address. One that the peer opened and one that we opened look alike.
//!
//! ```no_run
//! # struct Print;
//! impl transport::Sink for Print {
//!     fn message(&self, datagram: transport::Datagram) -> Result<(), transport::Datagram> {
//!         println!("{} octets from {}", datagram.bytes.len(), datagram.flow.remote);
//!         Ok(())
//!     }
//!     fn closed(&self, flow: sip::Flow) {
//!         println!("{} is gone", flow.remote);
//!     }
//! }
//! # async fn example() -> Result<(), transport::BindError> {
//! let settings = transport::Settings {
//!     udp: vec!["127.0.0.1:0".parse().unwrap()],
//!     ..transport::Settings::default()
//! };
//! let transport = transport::Transport::bind(settings, Print)?;
//! println!("listening on {:?}", transport.addresses());
//! # Ok(()) }
//! ```
//!
//! Non-goals: reading messages beyond their framing; transactions; whom to trust.

mod connect;
mod connection;
mod counts;
mod doors;
mod listener;
mod local;
mod resolver;
mod settings;
mod stun;
mod table;
mod tls;
mod udp;
mod websocket;

use core::net::SocketAddr;
use std::sync::Arc;

use sip::{Flow, Transport as Protocol};

pub use counts::Counts;
pub use doors::{Doors, Inherited};
pub use local::local_toward;
pub use resolver::{Resolver, ResolverError};
pub use settings::{Limits, Settings};
pub use tls::{Identity, TlsError, Trust};

use connect::Connector;
use doors::Handed;
use listener::Listener;
use table::Table;
use udp::Udp;

/// A message from the network: a datagram, a message of a stream, or of a WebSocket.
#[derive(Debug)]
pub struct Datagram {
    /// Where it came from, and the address of ours that it reached.
    pub flow: Flow,
    /// Its octets.
    pub bytes: Vec<u8>,
}

/// Who is told what happens. Called from tokio tasks: it must not block.
pub trait Sink: Send + Sync + 'static {
    /// A message came.
    ///
    /// # Errors
    /// The message, if there is no room for it now: a datagram is dropped then, of a connection
    /// nothing more is read until there is.
    fn message(&self, message: Datagram) -> Result<(), Datagram>;

    /// A connection is gone or could not be opened, or a datagram found no way: what was sent on
    /// this flow lately did perhaps not arrive.
    fn closed(&self, flow: Flow);
}

/// A socket could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen for SIP on {address}{}: {}", over(*.transport), cause(.source))]
pub struct BindError {
    /// What was to be carried.
    pub transport: Protocol,
    /// The address wanted.
    pub address: SocketAddr,
    /// What the system said.
    #[source]
    pub source: std::io::Error,
}

fn over(transport: Protocol) -> String {
    match transport {
        Protocol::Udp => String::new(),
        other => format!(" ({})", other.as_str()),
    }
}

fn cause(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::AddrInUse => "another program uses this port".to_owned(),
        std::io::ErrorKind::AddrNotAvailable => "this machine has no such address".to_owned(),
        std::io::ErrorKind::PermissionDenied => "ports below 1024 need a privilege".to_owned(),
        _ => error.to_string(),
    }
}

/// Tries for a port that is free for both UDP and TCP.
const SAME_PORT_TRIES: usize = 32;

/// The open sockets and connections.
pub struct Transport {
    doors: Doors,
    table: Arc<Table>,
    connector: Connector,
}

impl Transport {
    /// Opens all sockets and hands what arrives to `sink`.
    ///
    /// Must be called within a tokio runtime. Port 0 means any free port; TCP beside UDP gets the
    /// same one.
    ///
    /// # Errors
    /// If an address cannot be bound; none stays open then.
    pub fn bind(settings: Settings, sink: impl Sink) -> Result<Self, BindError> {
        Self::take_over(settings, Vec::new(), sink)
    }

    /// As [`Self::bind`], with sockets that another process had: what is listened on already is
    /// not opened anew.
    ///
    /// # Errors
    /// If an address cannot be bound; none stays open then.
    pub fn take_over(
        settings: Settings,
        inherited: Vec<Inherited>,
        sink: impl Sink,
    ) -> Result<Self, BindError> {
        let sink: Arc<dyn Sink> = Arc::new(sink);
        let table = Arc::new(Table::new(settings.limits, Arc::clone(&sink)));
        let mut handed = Handed::new(inherited).unwrap_or_else(|error| {
            tracing::error!(%error, "sockets that were handed over cannot be used");
            Handed::default()
        });
        let mut sockets = Vec::new();
        let mut listeners = Vec::new();
        let listen = |protocol, address, handed: &mut Handed| {
            let socket = handed.take(protocol, address);
            Listener::bind(protocol, address, socket, (&settings, &table))
        };
        for address in &settings.udp {
            if settings.tcp.is_some() {
                let socket = handed.take(Protocol::Udp, *address);
                sockets.push(Udp::bind(*address, socket, &table)?);
            } else {
                let listen = |address, handed: &mut Handed| listen(Protocol::Tcp, address, handed);
                let (socket, listener) = bind_both(*address, &table, &mut handed, listen)?;
                sockets.push(socket);
                listeners.push(listener);
            }
        }
        for (protocol, addresses) in [
            (Protocol::Tcp, settings.tcp.as_deref().unwrap_or_default()),
            (Protocol::Tls, &settings.tls),
            (Protocol::Ws, &settings.ws),
            (Protocol::Wss, &settings.wss),
        ] {
            for address in addresses {
                listeners.push(listen(protocol, *address, &mut handed)?);
            }
        }
        let connector = Connector::new(&settings, &table);
        Ok(Self {
            doors: Doors {
                sockets: sockets.into(),
                listeners: listeners.into(),
            },
            table,
            connector,
        })
    }

    /// The listening sockets, for another thread.
    #[must_use]
    pub fn doors(&self) -> Doors {
        self.doors.clone()
    }

    /// Closes each connection that is not in use, so that its peer opens another.
    pub fn close_unused(&self, in_use: impl FnMut(&Flow) -> bool) {
        self.table.close_unused(in_use);
    }

    /// What is listened on, with real ports.
    #[must_use]
    pub fn addresses(&self) -> Vec<(Protocol, SocketAddr)> {
        let udp = self
            .doors
            .sockets
            .iter()
            .map(|socket| (Protocol::Udp, socket.address()));
        let others = self.doors.listeners.iter().map(Listener::address);
        udp.chain(others).collect()
    }

    /// Sends a message on its flow; opens the connection if there is none and it may be opened.
    pub fn send(&self, flow: &Flow, bytes: &[u8]) {
        match flow.transport {
            Protocol::Udp => self.send_datagram(flow, bytes),
            Protocol::Tcp | Protocol::Tls | Protocol::Ws | Protocol::Wss => {
                if self.table.send(flow, bytes) {
                    return;
                }
                if flow.transport.is_accepted_only() {
                    self.table.closed(*flow);
                } else {
                    self.connector.open(*flow, bytes);
                }
            }
        }
    }

    /// From now on a TLS connection that we open on this flow is to show a certificate of this
    /// name; without a name, of the address (RFC 5922 §7). One that is up and has not proved the name
    /// is given up: what is sent next opens another.
    pub fn expect_name(&self, flow: Flow, name: &str) {
        self.connector.expect_name(flow, name);
    }

    fn send_datagram(&self, flow: &Flow, bytes: &[u8]) {
        let exact = self
            .doors
            .sockets
            .iter()
            .find(|socket| socket.address() == flow.local);
        let socket = exact.or_else(|| {
            self.doors
                .sockets
                .iter()
                .find(|socket| socket.serves(flow.local))
        });
        let Some(socket) = socket else {
            self.table.closed(*flow);
            return;
        };
        match socket.send(flow.remote, bytes) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                self.table.counts().unsent.add();
            }
            Err(error) => {
                tracing::debug!(remote = %flow.remote, %error, "datagram not sent");
                self.table.counts().unsent.add();
                self.table.closed(*flow);
            }
        }
    }

    /// What went wrong so far, and how many connections there are.
    #[must_use]
    pub fn counts(&self) -> &Counts {
        self.table.counts()
    }

    /// Connections that are open or being opened.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.table.len()
    }
}

/// UDP and TCP on one port.
fn bind_both(
    address: SocketAddr,
    table: &Arc<Table>,
    handed: &mut Handed,
    mut listen: impl FnMut(SocketAddr, &mut Handed) -> Result<Listener, BindError>,
) -> Result<(Udp, Listener), BindError> {
    let mut tries = if address.port() == 0 {
        SAME_PORT_TRIES
    } else {
        1
    };
    loop {
        let socket = Udp::bind(address, handed.take(Protocol::Udp, address), table)?;
        match listen(socket.address(), handed) {
            Ok(listener) => return Ok((socket, listener)),
            Err(error) if tries <= 1 => return Err(error),
            // A free port of UDP need not be one of TCP.
            Err(_) => tries -= 1,
        }
    }
}
