//! What makes a leg a browser's on the wire: the lite side of ICE, and the server's of DTLS-SRTP.
//!
//! Contract: a [`Session`] for each browser, a core without IO: it is told the time and what datagrams
//! came, and answers with [`Output`]s, which are drained after each input. Nothing is sent to whoever
//! does not know its password, and audio goes nowhere before the browser has shown the key of the
//! certificate that its session description names. Of audio it sees nothing: that is SRTP's, which
//! the media plane has, under the keys told here. [`Kind`] tells apart what comes to one port.
//!
//! Of webrtc-rs (`rtc`) only `rtc-dtls` is used: the lite side of ICE is one answer to one request, SRTP
//! is in the media plane, and sessions are negotiated by `sdp`.
//!
//! ```
//! use std::time::Instant;
//! use browser::{Identity, Kind, Session};
//! use vocab::Time;
//! use vocab::browser::{BrowserPeer, Fingerprint, IceCredentials};
//!
//! let identity = Identity::generate()?;
//! let peer = BrowserPeer {
//!     ours: IceCredentials::new([7; IceCredentials::OCTETS]),
//!     certificate: Fingerprint([0; 32]),
//! };
//! let mut session = Session::new(Time::ZERO, peer, &identity, Instant::now());
//! let from = "192.0.2.7:50000".parse().unwrap();
//! // Nobody has proved that this address is the browser's: it is not answered.
//! session.handshake(Time::ZERO, from, &[22, 254, 253]);
//! assert_eq!(session.poll(), None);
//! assert_eq!(Kind::of(&[22, 254, 253]), Some(Kind::Handshake));
//! # Ok::<(), browser::IdentityError>(())
//! ```
//!
//! Non-goals: the full side of ICE, TURN, data channels, DTLS as client.

#[doc(hidden)]
pub mod client;
mod dtls;
mod session;
pub mod stun;

pub use dtls::{Identity, IdentityError};
pub use session::{ARRIVAL, Output, PRESENCE, Session};

/// What a datagram at a port that all share is (RFC 7983 §7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// STUN.
    Check,
    /// DTLS.
    Handshake,
    /// RTP or RTCP.
    Audio,
}

impl Kind {
    /// By its first octet; `None`: nothing that we take.
    #[must_use]
    pub fn of(datagram: &[u8]) -> Option<Self> {
        match datagram.first()? {
            0..=3 => Some(Self::Check),
            20..=63 => Some(Self::Handshake),
            128..=191 => Some(Self::Audio),
            _ => None,
        }
    }
}
