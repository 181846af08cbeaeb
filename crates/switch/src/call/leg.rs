//! Owns what both kinds of leg share: the state of their media and the text of their SDP.

use core::net::IpAddr;

use sip::{Dialog, Flow, HeaderName, Message};
use vocab::media::Codec;

use crate::context::{ALLOW, Context};

/// The payload type on which we take telephone-events (RFC 4733); 101 is what telephones expect.
const DTMF: u8 = 101;

/// The state of a leg's socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MediaState {
    /// Asked for.
    Opening,
    /// Bound to this port.
    Open(u16),
    /// Asked to close.
    Closing,
    /// Closed, or never opened.
    Closed,
}

/// Our side of a leg's session description: its `o=` line stays one session, its version grows.
#[derive(Debug, Clone)]
pub(crate) struct Description {
    address: IpAddr,
    port: u16,
    session_id: u64,
    version: u64,
    codecs: Vec<Codec>,
}

impl Description {
    pub(crate) fn new(ctx: &mut Context, address: IpAddr, port: u16, codecs: Vec<Codec>) -> Self {
        // RFC 8866 §5.2: a number; below 2^62 every implementation can read it.
        let session_id = ctx.entropy.number() >> 2;
        Self {
            address,
            port,
            session_id,
            version: 1,
            codecs,
        }
    }

    /// The same with audio at another address of ours.
    pub(crate) fn at(&self, address: IpAddr) -> Self {
        Self {
            address,
            ..self.clone()
        }
    }

    /// The description as it stands.
    pub(crate) fn local(&self) -> sdp::Local<'_> {
        sdp::Local {
            address: self.address,
            port: self.port,
            session_id: self.session_id,
            version: self.version,
            codecs: &self.codecs,
            dtmf: Some(DTMF),
        }
    }

    /// The next version (RFC 3264 §8: grows by one with every changed description).
    pub(crate) fn next_version(&mut self) -> sdp::Local<'_> {
        self.version += 1;
        self.local()
    }
}

/// The flow on which the next request of a dialog goes.
pub(crate) fn next_hop(dialog: &Dialog) -> Flow {
    dialog.next_flow()
}

/// Puts what every answer or request within a dialog carries.
pub(crate) fn decorate(ctx: &Context, flow: &Flow, message: &mut Message) {
    message.headers.set(HeaderName::Contact, ctx.contact(flow));
    message.headers.set(HeaderName::Allow, ALLOW);
}
