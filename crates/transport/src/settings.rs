//! Owns what the transport is told at its start.

use core::net::SocketAddr;
use core::time::Duration;

use crate::tls::{Identity, Trust};

/// Where to listen, and with what.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// SIP over UDP.
    pub udp: Vec<SocketAddr>,
    /// SIP over TCP; `None`: where UDP is, with the same ports.
    pub tcp: Option<Vec<SocketAddr>>,
    /// SIP over TLS; needs `identity`.
    pub tls: Vec<SocketAddr>,
    /// SIP over WebSocket.
    pub ws: Vec<SocketAddr>,
    /// SIP over WebSocket in TLS; needs `identity`.
    pub wss: Vec<SocketAddr>,
    /// What we show to those who connect to us by TLS.
    pub identity: Option<Identity>,
    /// Whom we believe when we connect by TLS; none: nobody, so that no such connection is opened.
    pub trust: Option<Trust>,
    /// Web pages whose scripts may connect by WebSocket: `https://pages.example`, or `*` for all.
    /// Clients that are no browsers send no Origin and are let in.
    pub origins: Vec<String>,
    /// Bounds.
    pub limits: Limits,
}

/// The bounds of connections.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Connections at once, ours included.
    pub connections: usize,
    /// Connections that one address may have open to us.
    pub per_address: usize,
    /// Silence after which a connection that the peer opened is closed.
    pub idle: Duration,
    /// How long the opening of a connection of ours may take.
    pub connect: Duration,
    /// How long a peer may take for a handshake, and for a message from its first octet.
    pub message: Duration,
    /// Octets that may wait for a peer to read.
    pub queue: usize,
    /// How often we show on a connection of ours, or to a browser, that we live.
    pub keep_alive: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 4_000,
            per_address: 200,
            idle: Duration::from_secs(900),
            connect: Duration::from_secs(2),
            message: Duration::from_secs(10),
            queue: 1 << 20,
            keep_alive: Duration::from_secs(30),
        }
    }
}
