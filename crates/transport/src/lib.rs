//! Signalling sockets: datagrams from the network become inputs of the switch, its outputs
//! become datagrams.
//!
//! Contract: this crate moves octets and knows where they came from and go to; it never reads a
//! message. Reception runs in one tokio task per socket; [`Transport::send`] may be called from
//! any thread and never blocks: a datagram that the kernel has no room for is dropped and
//! counted, as the network might, and SIP sends it again (RFC 3261 §17).
//!
//! ```no_run
//! # async fn example() -> Result<(), transport::BindError> {
//! let transport = transport::Transport::bind(
//!     &["127.0.0.1:0".parse().unwrap()],
//!     |datagram: transport::Datagram| println!("{} octets", datagram.bytes.len()),
//! )?;
//! println!("listening on {:?}", transport.addresses());
//! # Ok(()) }
//! ```
//!
//! Non-goals: TCP, TLS and WebSocket, which come with their issue; name resolution.

mod local;
mod udp;

use core::net::SocketAddr;
use core::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;

use sip::Flow;

pub use local::local_toward;
use udp::Udp;

/// A datagram from the network.
#[derive(Debug)]
pub struct Datagram {
    /// Where it came from, and the address of ours that it reached.
    pub flow: Flow,
    /// Its octets.
    pub bytes: Vec<u8>,
}

/// A socket could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen for SIP on {address}: {}", cause(.source))]
pub struct BindError {
    /// The address wanted.
    pub address: SocketAddr,
    /// What the system said.
    #[source]
    pub source: std::io::Error,
}

fn cause(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::AddrInUse => "another program uses this port".to_owned(),
        std::io::ErrorKind::AddrNotAvailable => "this machine has no such address".to_owned(),
        std::io::ErrorKind::PermissionDenied => "ports below 1024 need a privilege".to_owned(),
        _ => error.to_string(),
    }
}

/// What went wrong without being anybody's error.
#[derive(Debug, Default)]
pub struct Counts {
    unsent: AtomicU64,
}

impl Counts {
    /// Datagrams that the kernel did not take.
    #[must_use]
    pub fn unsent(&self) -> u64 {
        self.unsent.load(Ordering::Relaxed)
    }
}

/// The open sockets.
#[derive(Debug)]
pub struct Transport {
    sockets: Vec<Udp>,
    counts: Arc<Counts>,
}

impl Transport {
    /// Opens a UDP socket on each address and hands what arrives to `sink`, which must not block.
    ///
    /// Must be called within a tokio runtime. Port 0 means any free port.
    ///
    /// # Errors
    /// If an address cannot be bound; none stays open then.
    pub fn bind<S>(addresses: &[SocketAddr], sink: S) -> Result<Self, BindError>
    where
        S: Fn(Datagram) + Clone + Send + 'static,
    {
        let sockets = addresses
            .iter()
            .map(|address| {
                Udp::bind(*address, sink.clone()).map_err(|source| BindError {
                    address: *address,
                    source,
                })
            })
            .collect::<Result<_, _>>()?;
        Ok(Self {
            sockets,
            counts: Arc::default(),
        })
    }

    /// The addresses that are listened on, with their real ports.
    #[must_use]
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.sockets.iter().map(Udp::address).collect()
    }

    /// Sends a datagram on the socket of the flow.
    pub fn send(&self, flow: &Flow, bytes: &[u8]) {
        let exact = self
            .sockets
            .iter()
            .find(|socket| socket.address() == flow.local);
        let socket = exact.or_else(|| self.sockets.iter().find(|socket| socket.serves(flow.local)));
        let sent = socket.is_some_and(|socket| match socket.send(flow.remote, bytes) {
            Ok(()) => true,
            Err(error) => {
                tracing::debug!(remote = %flow.remote, %error, "datagram not sent");
                false
            }
        });
        if !sent {
            self.counts.unsent.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// What went wrong so far.
    #[must_use]
    pub fn counts(&self) -> &Counts {
        &self.counts
    }
}
