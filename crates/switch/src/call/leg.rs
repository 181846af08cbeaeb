//! Owns what both kinds of leg share: the state of their media and the text of their SDP.

use core::net::{IpAddr, Ipv4Addr};

use sip::{Flow, HeaderName, Message, Transport};
use vocab::browser::{Fingerprint, IceCredentials};
use vocab::media::{Codec, Codecs, Remote};
use vocab::srtp::Protection;

use crate::context::{ALLOW, Context};
use crate::entropy::Entropy;
use crate::trunk::KeysBy;

/// The payload type on which we take telephone-events (RFC 4733); 101 is what telephones expect.
const DTMF: u8 = 101;

/// The state of a leg's socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MediaState {
    /// Asked for.
    Opening,
    /// Bound to these ports.
    Open(Ports),
    /// Asked to close.
    Closing,
    /// Closed, or never opened.
    Closed,
}

/// Where the media plane takes the audio of a leg.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ports {
    /// Of a telephone or a trunk.
    pub(crate) rtp: u16,
    /// Of a browser, if any are served.
    pub(crate) browser: Option<u16>,
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
    /// How keys go to the peer.
    keys: KeysBy,
    /// Our key and whether audio goes without one.
    srtp: Option<sdp::Srtp>,
    /// What is said where the peer is a browser; `None`: none is served.
    browser: Option<ForBrowser>,
    /// The peer is one.
    is_browsers: bool,
    /// The peer is a telephone that is to talk as browsers do.
    dtls: bool,
    /// What the peer was told last.
    said: Vec<u8>,
    /// With which codecs its last offer could be answered.
    theirs: Codecs,
    /// Those that it would not take when they were offered later.
    refused: Codecs,
    /// While an offer of another codec is out.
    trial: Option<Box<Trial>>,
}

/// An offer of another codec, and what holds if it is refused.
#[derive(Clone)]
struct Trial {
    codec: Codec,
    said: Vec<u8>,
    codecs: Vec<Codec>,
}

/// What came of an offer of another codec.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Settled {
    /// The peer answered it, and is sent this codec.
    Answered(Codec),
    /// The peer does not want it.
    Refused,
    /// It met something else, and says nothing of the codec.
    Crossed,
}

/// What a browser is told.
#[derive(Clone)]
struct ForBrowser {
    port: u16,
    certificate: Fingerprint,
    addresses: Vec<IpAddr>,
    ice: IceCredentials,
    /// What the browser called itself last.
    theirs: Option<String>,
    /// Of what the next names are made, should ICE begin anew.
    entropy: Entropy,
}

impl ForBrowser {
    fn new(ctx: &mut Context, ports: Ports) -> Option<Self> {
        let port = ports.browser?;
        let crate::settings::Browsers {
            certificate,
            addresses,
        } = ctx.settings.browsers.clone()?;
        let mut entropy = Entropy::new(ctx.entropy.key());
        Some(Self {
            port,
            certificate,
            addresses,
            ice: entropy.ice(),
            theirs: None,
            entropy,
        })
    }

    /// RFC 8839 §4.4.2: when the browser takes another name, so do we.
    fn meet(&mut self, offer: &[u8]) {
        let named = sdp::ice_name(offer);
        if self.theirs.is_some() && named.is_some() && self.theirs != named {
            self.ice = self.entropy.ice();
        }
        self.theirs = named.or(self.theirs.take());
    }
}

/// What a leg may say of its audio.
pub(crate) struct Speech {
    /// Best first.
    pub(crate) codecs: Vec<Codec>,
    /// By whom the peer is.
    pub(crate) protection: Protection,
    /// How keys go to the peer.
    pub(crate) keys: KeysBy,
}

impl Description {
    /// For a peer that is not known yet: [`Self::at`] says who it is.
    pub(crate) fn new(ctx: &mut Context, ports: Ports, speech: Speech) -> Self {
        let Speech {
            codecs,
            protection,
            keys,
        } = speech;
        let srtp = match protection {
            Protection::Off | Protection::Dtls => None,
            Protection::Offered | Protection::Required => Some(sdp::Srtp {
                key: ctx.entropy.master_key(),
                required: protection == Protection::Required,
            }),
        };
        // RFC 8866 §5.2: a number; below 2^62 every implementation can read it.
        let session_id = ctx.entropy.number() >> 2;
        Self {
            address: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            port: ports.rtp,
            session_id,
            version: 1,
            codecs,
            keys,
            srtp,
            browser: ForBrowser::new(ctx, ports),
            dtls: protection == Protection::Dtls,
            is_browsers: false,
            said: Vec::new(),
            theirs: Codecs::default(),
            refused: Codecs::default(),
            trial: None,
        }
    }

    /// The same for the peer on this flow: where it reaches us, and whether it is a browser, which
    /// who comes by WebSocket is (RFC 7118).
    pub(crate) fn at(&self, ctx: &Context, flow: &Flow) -> Self {
        let mut here = self.clone();
        here.address = ctx.media_address(flow);
        here.is_browsers = self.dtls || matches!(flow.transport, Transport::Ws | Transport::Wss);
        if let Some(browser) = &mut here.browser
            && browser.addresses.is_empty()
        {
            browser.addresses.push(here.address);
        }
        here
    }

    /// The description as it stands.
    pub(crate) fn local(&self) -> sdp::Local<'_> {
        sdp::Local {
            address: self.address,
            port: self.port,
            session_id: self.session_id,
            version: self.version,
            codecs: &self.codecs,
            dtmf: (self.keys == KeysBy::Events).then_some(DTMF),
            srtp: self.srtp,
            browser: self
                .browser
                .as_ref()
                .filter(|_| self.is_browsers)
                .map(|browser| sdp::Browser {
                    port: browser.port,
                    addresses: &browser.addresses,
                    ice: browser.ice,
                    certificate: browser.certificate,
                }),
        }
    }

    /// Takes note of what a browser calls itself in its description.
    pub(crate) fn meet(&mut self, theirs: &[u8]) {
        if let Some(browser) = &mut self.browser {
            browser.meet(theirs);
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
        self.meet(offer);
        let (body, remote) = sdp::answer(offer, &self.local())?;
        let mut body = body.into_bytes();
        if !self.said.is_empty() && body != self.said {
            // RFC 3264 §8: one more with every change, and the same as long as nothing changes.
            self.version += 1;
            body = sdp::answer(offer, &self.local())?.0.into_bytes();
        }
        self.said.clone_from(&body);
        self.theirs = sdp::in_common(offer, &self.local());
        self.refused = Codecs::default();
        Ok((body, self.with_keys(remote)))
    }

    /// Reads the answer to an offer.
    pub(crate) fn accept(&self, answer: &[u8]) -> Result<Remote, sdp::Refusal> {
        sdp::accept(answer, &self.local()).map(|remote| self.with_keys(remote))
    }

    /// Whether the peer can be offered a codec: it is one of ours, and its last offer or answer had it. A
    /// browser is not: for its page an offer in mid-talk is more than a change of codec.
    pub(crate) fn may_offer(&self, codec: Codec, remote: &Remote) -> bool {
        let known = self.theirs.contains(codec) || remote.agreed.contains(codec);
        known && !self.is_browsers && self.codecs.contains(&codec) && !self.refused.contains(codec)
    }

    /// An offer with this codec before the others: [`Self::settle`] says what came of it.
    pub(crate) fn offer_first(&mut self, codec: Codec) -> Vec<u8> {
        self.trial = Some(Box::new(Trial {
            codec,
            said: self.said.clone(),
            codecs: self.codecs.clone(),
        }));
        self.codecs.sort_by_key(|one| *one != codec);
        self.offer()
    }

    /// The peer as it is to be heard while that offer is out: what is on its way by the answer is
    /// taken before that is read (RFC 3264 §5.1).
    pub(crate) fn awaiting(&self, mut remote: Remote) -> Remote {
        for codec in &self.codecs {
            let kind = codec.payload_type();
            let is_free = remote.takes.codec(kind).is_none() && remote.events_of(kind).is_none();
            if is_free && remote.takes.payload_type(*codec).is_none() {
                remote.takes = remote.takes.with(*codec, kind);
            }
        }
        remote
    }

    /// What came of the offer of another codec, if one was out. What was refused never was
    /// (RFC 3264 §8), but for the number of its version.
    pub(crate) fn settle(&mut self, settled: Settled) {
        let Some(trial) = self.trial.take() else {
            return;
        };
        if settled == Settled::Answered(trial.codec) {
            return;
        }
        self.codecs = trial.codecs;
        if settled != Settled::Crossed {
            self.refused = self.refused.with(trial.codec);
        }
        if !matches!(settled, Settled::Answered(_)) {
            self.said = trial.said;
        }
    }

    fn with_keys(&self, remote: Remote) -> Remote {
        Remote {
            keys_by_signalling: self.keys == KeysBy::Info,
            ..remote
        }
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
