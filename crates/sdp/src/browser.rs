//! Owns the lines by which a browser's stream differs (RFC 8829, RFC 8834): ICE (RFC 8839), of which we
//! are the lite side with one candidate for each address, and the certificate of DTLS (RFC 8122). Where the
//! browser is, its checks tell; so its candidates are read by nobody, whether they are addresses,
//! names of mDNS or come later (trickle, RFC 8838).

use core::net::{IpAddr, Ipv4Addr, SocketAddr};

use sdp_types::{Attribute, Media};
use vocab::browser::{BrowserPeer, Fingerprint, IceCredentials};

use crate::read::Stream;
use crate::stream::{Preference, RTCP_MUX};
use crate::write::{attribute, flag};

/// The profile of our offers.
pub(crate) const PROFILE: &str = "UDP/TLS/RTP/SAVPF";
/// The one without feedback, which nobody has to send.
const PROFILE_PLAIN: &str = "UDP/TLS/RTP/SAVP";
/// Names a stream in its description (RFC 5888 §4).
pub(crate) const MID: &str = "mid";
/// The name of our stream where we name it.
const OUR_MID: &str = "0";
/// Streams that go over one transport (RFC 9143).
const BUNDLE: &str = "BUNDLE";
/// The type preference of a host's own address (RFC 8445 §5.1.2.2).
const HOST: u32 = 126;
/// Addresses that are told; a browser checks each.
const ADDRESSES_MAX: usize = 8;

/// Our part where the peer is a browser.
#[derive(Debug, Clone, Copy)]
pub struct Browser<'a> {
    /// The port of all browsers.
    pub port: u16,
    /// Addresses at which it is reached, the best first.
    pub addresses: &'a [IpAddr],
    /// By what the browser's checks are known.
    pub ice: IceCredentials,
    /// Our certificate.
    pub certificate: Fingerprint,
}

/// Whether a stream is protected by DTLS.
pub(crate) fn is_profile(proto: &str) -> bool {
    [PROFILE, PROFILE_PLAIN]
        .iter()
        .any(|profile| proto.eq_ignore_ascii_case(profile))
}

/// What a browser calls itself in ICE, name and password: others than before mean that ICE begins
/// anew (RFC 8839 §4.4.1.1.1).
pub(crate) fn names<'a>(stream: &Stream<'a>) -> Option<(&'a str, &'a str)> {
    Some((value(stream, "ice-ufrag")?, value(stream, "ice-pwd")?))
}

/// Where SDP says that a browser's audio goes: nowhere. Only checks tell.
pub(crate) const fn nowhere() -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 9)
}

/// Who the browser is; the reason if we cannot talk to it.
pub(crate) fn judge(
    stream: &Stream<'_>,
    ours: &Browser<'_>,
    preference: Preference,
) -> Result<BrowserPeer, String> {
    let expected = |what: &str| Err(format!("{what} expected in a stream of DTLS"));
    if names(stream).is_none() {
        return expected("a=ice-ufrag and a=ice-pwd");
    }
    if !has(stream, RTCP_MUX) {
        return expected("a=rtcp-mux");
    }
    let prints = stream.attributes().filter(|one| is(one, "fingerprint"));
    let mut read = prints.filter_map(|one| {
        let (hash, print) = one.value.as_deref()?.split_once(' ')?;
        let known = hash.eq_ignore_ascii_case(Fingerprint::HASH);
        known.then(|| Fingerprint::parse(print)).flatten()
    });
    let Some(certificate) = read.next() else {
        return expected("a=fingerprint:sha-256");
    };
    // We are the server of DTLS. Who offers and says nothing is the client (RFC 4145 §4).
    let setup = value(stream, "setup").unwrap_or("active");
    let fits = match preference {
        Preference::Ours => ["actpass", "active"].contains(&setup),
        Preference::Theirs => setup == "active",
    };
    if !fits {
        return expected("a=setup:active");
    }
    Ok(BrowserPeer {
        ours: ours.ice,
        certificate,
    })
}

/// The lines of our stream, besides those of every stream. `last` is the stream it answers, or the
/// one of before.
pub(crate) fn describe(
    media: &mut Media,
    ours: &Browser<'_>,
    last: Option<&Media>,
    preference: Preference,
) {
    media.port = ours.port;
    let mid = match last {
        Some(last) => mid(last),
        None => Some(OUR_MID),
    };
    let setup = match preference {
        Preference::Ours => "passive",
        Preference::Theirs => "actpass",
    };
    let lines = &mut media.attributes;
    lines.extend(mid.map(|mid| attribute(MID, mid.to_owned())));
    lines.push(attribute("ice-ufrag", ours.ice.ufrag().to_owned()));
    lines.push(attribute("ice-pwd", ours.ice.password().to_owned()));
    let print = format!("{} {}", Fingerprint::HASH, ours.certificate);
    lines.push(attribute("fingerprint", print));
    lines.push(attribute("setup", setup.to_owned()));
    for (place, address) in ours.addresses.iter().take(ADDRESSES_MAX).enumerate() {
        // RFC 8445 §5.1.2.1: an earlier address is a better one.
        let priority = HOST << 24 | (0xffff - place as u32) << 8 | 0xff;
        let port = ours.port;
        let number = place + 1;
        let text = format!("{number} 1 udp {priority} {address} {port} typ host");
        lines.push(attribute("candidate", text));
    }
    lines.push(flag("end-of-candidates"));
}

/// The lines of the session. `last` is the description that is answered: what is bundled there may be
/// in ours (RFC 9143 §7.3).
pub(crate) fn session_lines(live: &Media, bundles: bool) -> Vec<Attribute> {
    let mut lines = vec![flag("ice-lite")];
    if let (Some(mid), true) = (mid(live), bundles) {
        lines.push(attribute("group", format!("{BUNDLE} {mid}")));
    }
    lines
}

/// Whether a stream stands in a bundle of its description.
pub(crate) fn is_bundled(stream: &Stream<'_>) -> bool {
    let Some(mid) = mid(stream.media) else {
        return false;
    };
    let mut groups = stream.attributes().filter(|one| is(one, "group"));
    groups.any(|group| {
        let mut words = group.value.as_deref().unwrap_or_default().split(' ');
        words.next() == Some(BUNDLE) && words.any(|word| word == mid)
    })
}

/// The name of a stream.
pub(crate) fn mid(media: &Media) -> Option<&str> {
    let mut lines = media.attributes.iter();
    lines.find(|one| is(one, MID))?.value.as_deref()
}

fn is(line: &Attribute, name: &str) -> bool {
    line.attribute.eq_ignore_ascii_case(name)
}

fn has(stream: &Stream<'_>, name: &str) -> bool {
    stream.attributes().any(|one| is(one, name))
}

fn value<'a>(stream: &Stream<'a>, name: &str) -> Option<&'a str> {
    stream
        .attributes()
        .find(|one| is(one, name))?
        .value
        .as_deref()
}
