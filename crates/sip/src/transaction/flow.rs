//! Owns what carries messages: the transports of RFC 3261 §18 and RFC 7118, and the pair of
//! addresses between which they pass. Refuses to open anything.

use core::net::SocketAddr;

use serde::{Deserialize, Serialize};

/// What carries the messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Transport {
    /// One message per datagram, unreliable.
    Udp,
    /// A stream, framed by Content-Length (RFC 3261 §18.3).
    Tcp,
    /// A stream in TLS.
    Tls,
    /// One message per WebSocket message (RFC 7118).
    Ws,
    /// The same within TLS.
    Wss,
}

impl Transport {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Udp, Self::Tcp, Self::Tls, Self::Ws, Self::Wss];

    /// The name in a Via header field.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Udp => "UDP",
            Self::Tcp => "TCP",
            Self::Tls => "TLS",
            Self::Ws => "WS",
            Self::Wss => "WSS",
        }
    }

    /// The name in the `transport` parameter of a `sip:` URI; `None` for UDP, which needs none.
    /// WebSocket has one name, in TLS or not (RFC 7118 §5.2).
    #[must_use]
    pub const fn uri_param(self) -> Option<&'static str> {
        match self {
            Self::Udp => None,
            Self::Tcp => Some("tcp"),
            Self::Tls => Some("tls"),
            Self::Ws | Self::Wss => Some("ws"),
        }
    }

    /// Whether what was sent arrives, in order, or the flow is lost: then nothing is repeated by
    /// the transaction layer (RFC 3261 §17.1.1.1).
    #[must_use]
    pub const fn is_reliable(self) -> bool {
        match self {
            Self::Udp => false,
            Self::Tcp | Self::Tls | Self::Ws | Self::Wss => true,
        }
    }

    /// Whether nobody on the way can read along.
    #[must_use]
    pub const fn is_secure(self) -> bool {
        match self {
            Self::Tls | Self::Wss => true,
            Self::Udp | Self::Tcp | Self::Ws => false,
        }
    }

    /// Whether only the peer can open such a flow: to a browser there is no way but its own.
    #[must_use]
    pub const fn is_accepted_only(self) -> bool {
        match self {
            Self::Ws | Self::Wss => true,
            Self::Udp | Self::Tcp | Self::Tls => false,
        }
    }

    /// The port where none is written (RFC 3261 §19.1.2; RFC 7118 §5.2.3 for WebSocket).
    #[must_use]
    pub const fn default_port(self) -> u16 {
        match self {
            Self::Udp | Self::Tcp => 5060,
            Self::Tls => 5061,
            Self::Ws => 80,
            Self::Wss => 443,
        }
    }
}

/// A pair of addresses between which messages pass. For all transports but UDP it names a
/// connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Flow {
    /// What carries them.
    pub transport: Transport,
    /// Our socket. Of a connection that we opened it is where we listen for this transport, not
    /// the passing port of that connection: it is what peers are told in Via and Contact.
    pub local: SocketAddr,
    /// The peer as we see it.
    pub remote: SocketAddr,
}
