//! Owns what both kinds of leg share: the state of their media and the text of their SDP.

use core::net::IpAddr;

use sip::{Flow, HeaderName, Message};
use vocab::media::{Codec, Remote};
use vocab::srtp::Protection;

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

/// Our side of a leg's session description: its `o=` line stays one session, its version grows. Not
/// `Debug`: what was said holds keys.
#[derive(Clone)]
pub(crate) struct Description {
    address: IpAddr,
    port: u16,
    session_id: u64,
    version: u64,
    codecs: Vec<Codec>,
    /// Whether keys are telephone-events.
    events: bool,
    /// Our key and whether audio goes without one.
    srtp: Option<sdp::Srtp>,
    /// What the peer was told last.
    said: Vec<u8>,
}

/// What a leg may say of its audio.
pub(crate) struct Speech {
    /// Best first.
    pub(crate) codecs: Vec<Codec>,
    /// By whom the peer is.
    pub(crate) protection: Protection,
    /// Keys are telephone-events (RFC 4733); else they are tones.
    pub(crate) events: bool,
}

impl Description {
    pub(crate) fn new(ctx: &mut Context, address: IpAddr, port: u16, speech: Speech) -> Self {
        let Speech {
            codecs,
            protection,
            events,
        } = speech;
        let srtp = match protection {
            Protection::Off => None,
            Protection::Offered | Protection::Required => Some(sdp::Srtp {
                key: ctx.entropy.master_key(),
                required: protection == Protection::Required,
            }),
        };
        // RFC 8866 §5.2: a number; below 2^62 every implementation can read it.
        let session_id = ctx.entropy.number() >> 2;
        Self {
            address,
            port,
            session_id,
            version: 1,
            codecs,
            events,
            srtp,
            said: Vec::new(),
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
            dtmf: self.events.then_some(DTMF),
            srtp: self.srtp,
        }
    }

    /// What the peer was told last: said again it changes nothing.
    pub(crate) fn said(&self) -> &[u8] {
        &self.said
    }

    /// An offer of all we speak, in the place of what was said before.
    pub(crate) fn offer(&mut self) -> Vec<u8> {
        let said = core::mem::take(&mut self.said);
        let offer = |local: &sdp::Local<'_>| {
            if said.is_empty() {
                sdp::offer(local)
            } else {
                sdp::offer_again(&said, local)
            }
        };
        let mut body = offer(&self.local()).into_bytes();
        if !said.is_empty() && body != said {
            self.version += 1;
            body = offer(&self.local()).into_bytes();
        }
        self.said.clone_from(&body);
        body
    }

    /// The answer to an offer. One that is refused leaves the description as it was (RFC 3264 §8).
    pub(crate) fn answer(&mut self, offer: &[u8]) -> Result<(Vec<u8>, Remote), sdp::Refusal> {
        let (body, remote) = sdp::answer(offer, &self.local())?;
        let mut body = body.into_bytes();
        if !self.said.is_empty() && body != self.said {
            // RFC 3264 §8: one more with every change, and the same as long as nothing changes.
            self.version += 1;
            body = sdp::answer(offer, &self.local())?.0.into_bytes();
        }
        self.said.clone_from(&body);
        Ok((body, remote))
    }
}

/// Puts what every answer or request within a dialog carries.
/// `secure`: the secure flag of the dialog.
pub(crate) fn decorate(ctx: &Context, flow: &Flow, secure: bool, message: &mut Message) {
    let contact = if secure {
        ctx.contact_secured(flow, None)
    } else {
        ctx.contact(flow)
    };
    message.headers.set(HeaderName::Contact, contact);
    message.headers.set(HeaderName::Allow, ALLOW);
}
