//! Owns the judgement whether one stream fits us, and how.

use core::net::{IpAddr, SocketAddr};

use vocab::browser::BrowserPeer;
use vocab::media::{Codec, Codecs, EventTypes, Events, OpusWish, PayloadTypes, Remote, Rtcp};

use crate::browser;
use crate::crypto::{self, Chosen, Lines};
use crate::formats::Formats;
use crate::read::Stream;
use crate::{DTMF_WIDE, Local};

/// RTP and RTCP on one port (RFC 5761).
pub(crate) const RTCP_MUX: &str = "rtcp-mux";

/// Who may send, as one side says it (RFC 8866 §6.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    Both,
    SendOnly,
    ReceiveOnly,
    Inactive,
}

impl Direction {
    fn of_attribute(name: &str) -> Option<Self> {
        [
            Self::Both,
            Self::SendOnly,
            Self::ReceiveOnly,
            Self::Inactive,
        ]
        .into_iter()
        .find(|direction| direction.as_str().eq_ignore_ascii_case(name))
    }

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Both => "sendrecv",
            Self::SendOnly => "sendonly",
            Self::ReceiveOnly => "recvonly",
            Self::Inactive => "inactive",
        }
    }

    /// What the other side answers (RFC 3264 §6.1).
    pub(crate) const fn mirrored(self) -> Self {
        match self {
            Self::Both => Self::Both,
            Self::SendOnly => Self::ReceiveOnly,
            Self::ReceiveOnly => Self::SendOnly,
            Self::Inactive => Self::Inactive,
        }
    }

    const fn without_receiving(self) -> Self {
        match self {
            Self::Both | Self::SendOnly => Self::SendOnly,
            Self::ReceiveOnly | Self::Inactive => Self::Inactive,
        }
    }

    const fn receives(self) -> bool {
        matches!(self, Self::Both | Self::ReceiveOnly)
    }
}

/// Whose order of codecs decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Preference {
    /// We answer.
    Ours,
    /// They answer our offer: what stands first is what they will send (RFC 3264 §6.1).
    Theirs,
}

/// A stream that fits.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fit {
    address: SocketAddr,
    /// How the peer wants RTCP; muxed only if it says so, whoever offers.
    pub(crate) rtcp: Rtcp,
    pub(crate) codec: Codec,
    /// Its payload type in what the peer said.
    pub(crate) payload_type: u8,
    /// The codecs of both sides; of an offer the one that is answered.
    agreed: Codecs,
    /// Those that both sides have.
    pub(crate) common: Codecs,
    /// What the peer wants of it, and in packets of what length.
    opus: OpusWish,
    packet_ms: u8,
    /// The peer's telephone-events, if both sides have them; of an offer those that are answered.
    pub(crate) dtmf: EventTypes,
    /// The peer's direction.
    pub(crate) direction: Direction,
    /// The peer's keys, if audio is protected by such.
    pub(crate) crypto: Option<Chosen>,
    /// The peer, if it is a browser.
    pub(crate) browser: Option<BrowserPeer>,
}

impl Fit {
    pub(crate) const fn is_protected(&self) -> bool {
        self.crypto.is_some() || self.browser.is_some()
    }

    /// How to reach the peer, where `takes` and `dtmf_receive` are what we said.
    fn remote(&self, local: &Local<'_>, takes: PayloadTypes, dtmf_receive: EventTypes) -> Remote {
        let ours = local.srtp.map(|srtp| srtp.key);
        let crypto = self.crypto.zip(ours);
        Remote {
            address: self.address,
            codec: self.codec,
            agreed: self.agreed,
            payload_type: self.payload_type,
            takes,
            packet_ms: self.packet_ms,
            opus: self.opus,
            dtmf_send: self.dtmf,
            dtmf_receive,
            rtcp: self.rtcp,
            keys_by_signalling: false,
            send: self.direction.receives(),
            crypto: crypto.map(|(theirs, ours)| theirs.with(ours)),
            browser: self.browser,
            receive: matches!(self.direction, Direction::Both),
        }
    }

    /// After an answer of ours: what is said in it comes on the types of the offer (RFC 3264 §6.1).
    pub(crate) fn answered(&self, local: &Local<'_>) -> Remote {
        let takes = PayloadTypes::STATIC.with(self.codec, self.payload_type);
        self.remote(local, takes, self.dtmf)
    }

    /// After an answer of theirs: what they send comes on the types of our offer.
    pub(crate) fn accepted(&self, local: &Local<'_>) -> Remote {
        let types = local.codecs.iter();
        let takes = types.fold(PayloadTypes::STATIC, |types, codec| {
            types.with(*codec, codec.payload_type())
        });
        let taken = |events: &Events| self.dtmf.of_clock(events.clock).is_some();
        let receive = offered_events(local).iter().filter(taken);
        self.remote(
            local,
            takes,
            receive.fold(EventTypes::NONE, EventTypes::with),
        )
    }
}

/// The telephone-events that we offer: those of the clock of each codec of ours (RFC 4733 §2.1).
pub(crate) fn offered_events(local: &Local<'_>) -> EventTypes {
    let Some(narrow) = local.dtmf else {
        return EventTypes::NONE;
    };
    let wide = Events {
        payload_type: DTMF_WIDE,
        clock: Codec::Opus.clock_rate(),
    };
    match local.codecs.contains(&Codec::Opus) {
        true => EventTypes::narrow(narrow).with(wide),
        false => EventTypes::narrow(narrow),
    }
}

/// Judges a stream. The error is `None` for what is no live audio at all, else the reason.
pub(crate) fn fit(
    stream: &Stream<'_>,
    local: &Local<'_>,
    preference: Preference,
) -> Result<Fit, Option<String>> {
    let media = stream.media;
    if !media.media.eq_ignore_ascii_case("audio") || media.port == 0 {
        return Err(None);
    }
    let browser = browser_of(stream, local, preference).map_err(Some)?;
    let (crypto, address) = match browser {
        Some(_) => (None, browser::nowhere()),
        None => (
            protection(stream, local, preference).map_err(Some)?,
            reachable(stream, local).map_err(Some)?,
        ),
    };
    let formats = Formats::of(stream);
    let chosen = formats.choose(local.codecs, preference).ok_or_else(|| {
        let names: Vec<&str> = local.codecs.iter().map(|codec| codec.name()).collect();
        Some(format!("{} expected", names.join(" or ")))
    })?;
    let (codec, payload_type) = chosen;
    let known = match local.dtmf {
        Some(_) => formats.events(),
        None => EventTypes::NONE,
    };
    let common = formats.in_common(local.codecs);
    let (agreed, dtmf) = match preference {
        // One codec is answered, and the events of its clock.
        Preference::Ours => {
            let with_codec = known.with_codec(codec).into_iter();
            (
                Codecs::default().with(codec),
                with_codec.fold(EventTypes::NONE, EventTypes::with),
            )
        }
        Preference::Theirs => (common, known),
    };
    let said = stream
        .attributes()
        .find_map(|attribute| Direction::of_attribute(&attribute.attribute))
        .unwrap_or(Direction::Both);
    // RFC 3264 §8.4: the old way of holding a call. A browser's address says nothing.
    let direction = if address.ip().is_unspecified() && browser.is_none() {
        said.without_receiving()
    } else {
        said
    };
    Ok(Fit {
        address,
        rtcp: rtcp(stream, address),
        codec,
        payload_type,
        agreed,
        common,
        opus: formats.opus(payload_type),
        packet_ms: formats.packet_ms(),
        dtmf,
        direction,
        crypto,
        browser,
    })
}

/// The browser that a stream is of, `None` if it is another kind of peer's; the reason if it is of the
/// wrong kind.
fn browser_of(
    stream: &Stream<'_>,
    local: &Local<'_>,
    preference: Preference,
) -> Result<Option<BrowserPeer>, String> {
    let proto = &stream.media.proto;
    match (&local.browser, browser::is_profile(proto)) {
        (Some(ours), true) => browser::judge(stream, ours, preference).map(Some),
        // An answer has the profile of its offer (RFC 3264 §6).
        (Some(_), false) if preference == Preference::Theirs => Err(format!(
            "{} expected, not {}",
            browser::PROFILE,
            shown(proto)
        )),
        (Some(_) | None, _) => Ok(None),
    }
}

/// Where the peer's audio goes, if we can send there.
fn reachable(stream: &Stream<'_>, local: &Local<'_>) -> Result<SocketAddr, String> {
    let ip = address(stream)?;
    let reachable = ip.is_unspecified() || ip.is_ipv4() == local.address.is_ipv4();
    if ip.is_multicast() || !reachable {
        return Err(format!("no way from {} to {ip}", local.address));
    }
    Ok(SocketAddr::new(ip, stream.media.port))
}

/// The keys of the peer's audio, `None` if it is to be in clear; the reason if we cannot agree.
fn protection(
    stream: &Stream<'_>,
    local: &Local<'_>,
    preference: Preference,
) -> Result<Option<Chosen>, String> {
    let proto = &stream.media.proto;
    // The F only adds feedback, which nobody has to send (RFC 4585 §3.6.1).
    let is = |names: [&str; 2]| names.iter().any(|name| proto.eq_ignore_ascii_case(name));
    let (plain, secured) = (is(["RTP/AVP", "RTP/AVPF"]), is(["RTP/SAVP", "RTP/SAVPF"]));
    let Some(srtp) = local.srtp else {
        return match plain {
            true => Ok(None),
            false => Err(format!("RTP/AVP expected, not {}", shown(proto))),
        };
    };
    if !plain && !secured {
        return Err(format!(
            "RTP/AVP or RTP/SAVP expected, not {}",
            shown(proto)
        ));
    }
    let lines = match preference {
        Preference::Ours => Lines::Offered,
        Preference::Theirs => Lines::Answered,
    };
    match crypto::choose(stream, lines) {
        // Also in RTP/AVP: that is opportunistic SRTP (RFC 8643).
        Some(chosen) => Ok(Some(chosen)),
        None if secured || srtp.required => {
            Err("a=crypto with a suite and a key that fit expected".to_owned())
        }
        None => Ok(None),
    }
}

fn address(stream: &Stream<'_>) -> Result<IpAddr, String> {
    let connection = stream.connection().ok_or("c= line expected")?;
    let text = connection.connection_address.as_str();
    // A multicast address may have `/ttl/count`; brackets are a mistake of some.
    let text = text
        .split('/')
        .next()
        .unwrap_or(text)
        .trim_matches(['[', ']']);
    text.parse::<IpAddr>()
        .map(|address| address.to_canonical())
        .map_err(|_| format!("IP address expected in c=, not {}", shown(text)))
}

/// `a=rtcp-mux` (RFC 5761 §5.1.1), else what `a=rtcp` says (RFC 3605 §2.1), else the next port. An
/// `a=rtcp` that names no place counts for none.
fn rtcp(stream: &Stream<'_>, rtp: SocketAddr) -> Rtcp {
    let named = |name: &str| {
        stream
            .attributes()
            .find(|one| one.attribute.eq_ignore_ascii_case(name))
    };
    if named(RTCP_MUX).is_some() {
        return Rtcp::Muxed;
    }
    let said = named("rtcp").and_then(|rtcp| {
        let mut fields = rtcp.value.as_deref()?.split_whitespace();
        let port: u16 = fields.next()?.parse().ok()?;
        // Network type, address type, address.
        let ip = match fields.nth(2) {
            Some(ip) => ip.parse::<IpAddr>().ok()?.to_canonical(),
            None => rtp.ip(),
        };
        let reachable = !ip.is_unspecified() && !ip.is_multicast() && ip.is_ipv4() == rtp.is_ipv4();
        (port != 0 && reachable).then_some(Rtcp::Apart(SocketAddr::new(ip, port)))
    });
    said.unwrap_or(Rtcp::beside(rtp))
}

/// At most 40 characters of the peer's text, none of them able to break a header.
fn shown(text: &str) -> String {
    text.chars()
        .filter(|c| c.is_ascii_graphic() && !matches!(c, '"' | '\\'))
        .take(40)
        .collect()
}
