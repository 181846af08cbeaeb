//! Owns the descriptions that we send.

use sdp_types::{Attribute, Connection, Media, Origin, Session};
use vocab::media::{Codec, EventTypes, Rtcp};

use crate::Local;
use crate::browser;
use crate::crypto;
use crate::read::{Description, Stream};
use crate::stream::{Direction, Fit, Preference, RTCP_MUX, offered_events};

/// Milliseconds of audio per packet.
const PACKET_MS: &str = "20";
/// The keys 0-9, *, #, A-D (RFC 4733 §3.2).
const EVENTS: &str = "0-15";
/// What we want of Opus and what we make (RFC 7587 §6.1, §7): a repetition of what may be lost; packets in
/// pauses as well, for who sends none cannot be told from who is not heard; one channel. Nothing of
/// the rate: two who both have Opus hear each other in the band that they agree on.
const OPUS: &str = "useinbandfec=1;usedtx=0;stereo=0;sprop-stereo=0";

pub(crate) fn offer(local: &Local<'_>) -> String {
    // In clear for whom knows no SRTP, or wants none (RFC 8643 §3.1).
    let proto = match (local.srtp, local.browser) {
        (_, Some(_)) => browser::PROFILE,
        (Some(srtp), None) if srtp.required => "RTP/SAVP",
        (Some(_) | None, None) => "RTP/AVP",
    };
    let audio = offered_audio(proto, None, local);
    let lines = session_lines(local, &audio, true);
    text(session(local, lines, vec![audio]))
}

/// Our last description with its live stream offered anew; the first one if none is live.
pub(crate) fn offer_again(last: &Description, local: &Local<'_>) -> String {
    let live = last
        .streams()
        .position(|stream| stream.media.port != 0)
        .unwrap_or(0);
    let again = |(place, stream): (usize, Stream<'_>)| {
        if place == live {
            offered_audio(&stream.media.proto, Some(stream.media), local)
        } else {
            refused(stream.media)
        }
    };
    let medias: Vec<Media> = last.streams().enumerate().map(again).collect();
    let Some(audio) = medias.get(live) else {
        return offer(local);
    };
    let bundled = last.streams().nth(live);
    let bundled = bundled.is_some_and(|stream| browser::is_bundled(&stream));
    let lines = session_lines(local, audio, bundled);
    text(session(local, lines, medias))
}

/// The stream that we offer, with all we can.
fn offered_audio(proto: &str, last: Option<&Media>, local: &Local<'_>) -> Media {
    let with_type = |codec: &Codec| (*codec, codec.payload_type());
    let said = Said {
        codecs: local.codecs.iter().map(with_type).collect(),
        dtmf: offered_events(local),
        direction: Direction::Both,
        muxed: true,
    };
    let mut media = audio(proto, &said, local);
    if let Some(ours) = local.browser.filter(|_| browser::is_profile(proto)) {
        browser::describe(&mut media, &ours, last, Preference::Theirs);
    } else if let Some(srtp) = &local.srtp {
        let lines = crypto::offered(srtp).map(|value| attribute(crypto::NAME, value));
        media.attributes.extend(lines);
    }
    media
}

pub(crate) fn answer(offer: &Description, at: usize, fit: &Fit, local: &Local<'_>) -> String {
    let answered = |(place, stream): (usize, Stream<'_>)| {
        if place == at {
            let said = Said {
                codecs: vec![(fit.codec, fit.payload_type)],
                dtmf: fit.dtmf,
                direction: fit.direction.mirrored(),
                // RFC 5761 §5.1.1: only to one who offered it.
                muxed: fit.rtcp == Rtcp::Muxed,
            };
            let mut media = audio(&stream.media.proto, &said, local);
            if let (Some(_), Some(ours)) = (&fit.browser, &local.browser) {
                browser::describe(&mut media, ours, Some(stream.media), Preference::Ours);
            }
            if let (Some(chosen), Some(srtp)) = (&fit.crypto, &local.srtp) {
                let value = crypto::answered(chosen, srtp);
                media.attributes.push(attribute(crypto::NAME, value));
            }
            media
        } else {
            refused(stream.media)
        }
    };
    let medias: Vec<Media> = offer.streams().enumerate().map(answered).collect();
    let bundled = offer.streams().nth(at);
    let bundled = bundled.is_some_and(|stream| browser::is_bundled(&stream));
    let lines = match (medias.get(at), fit.browser) {
        (Some(audio), Some(_)) => session_lines(local, audio, bundled),
        _ => Vec::new(),
    };
    text(session(local, lines, medias))
}

/// What is said before the streams, of which one is live.
fn session_lines(local: &Local<'_>, audio: &Media, bundled: bool) -> Vec<Attribute> {
    match local.browser {
        Some(_) if browser::is_profile(&audio.proto) => browser::session_lines(audio, bundled),
        Some(_) | None => Vec::new(),
    }
}

fn session(local: &Local<'_>, attributes: Vec<Attribute>, medias: Vec<Media>) -> Session {
    let origin = Origin::with_ip_addr(local.session_id, local.version, local.address);
    Session {
        connection: Some(Connection::from_ip_addr(local.address)),
        attributes,
        medias,
        ..Session::new(origin, "-")
    }
}

/// What a live stream of ours says.
struct Said {
    /// With their payload types.
    codecs: Vec<(Codec, u8)>,
    dtmf: EventTypes,
    direction: Direction,
    /// RTCP may come on the port of RTP.
    muxed: bool,
}

fn audio(proto: &str, said: &Said, local: &Local<'_>) -> Media {
    let mut formats: Vec<String> = Vec::with_capacity(said.codecs.len() + 2);
    let mut attributes = Vec::with_capacity(said.codecs.len() + 7);
    for (codec, kind) in &said.codecs {
        let (name, clock) = (codec.name(), codec.clock_rate());
        formats.push(kind.to_string());
        // RFC 7587 §7: two channels are written, whatever is spoken.
        let channels = if *codec == Codec::Opus { "/2" } else { "" };
        attributes.push(attribute(
            "rtpmap",
            format!("{kind} {name}/{clock}{channels}"),
        ));
        if *codec == Codec::Opus {
            attributes.push(attribute("fmtp", format!("{kind} {OPUS}")));
        }
    }
    for events in said.dtmf.iter() {
        let (kind, clock) = (events.payload_type, events.clock);
        formats.push(kind.to_string());
        attributes.push(attribute(
            "rtpmap",
            format!("{kind} telephone-event/{clock}"),
        ));
        attributes.push(attribute("fmtp", format!("{kind} {EVENTS}")));
    }
    attributes.push(attribute("ptime", PACKET_MS.to_owned()));
    if said.muxed {
        attributes.push(flag(RTCP_MUX));
    }
    attributes.push(flag(said.direction.as_str()));
    Media {
        attributes,
        ..bare("audio", local.port, proto, &formats.join(" "))
    }
}

/// Port 0 refuses a stream (RFC 3264 §6).
fn refused(media: &Media) -> Media {
    let mut refused = bare(&media.media, 0, &media.proto, &media.fmt);
    // A browser finds its streams by their names (RFC 8829 §5.3.1).
    if let Some(mid) = browser::mid(media).filter(|_| browser::is_profile(&media.proto)) {
        let line = attribute(browser::MID, mid.to_owned());
        refused.attributes.push(line);
    }
    refused
}

fn bare(media: &str, port: u16, proto: &str, fmt: &str) -> Media {
    Media {
        media: media.to_owned(),
        port,
        num_ports: None,
        proto: proto.to_owned(),
        fmt: fmt.to_owned(),
        media_title: None,
        connections: Vec::new(),
        bandwidths: Vec::new(),
        key: None,
        attributes: Vec::new(),
    }
}

pub(crate) fn flag(name: &str) -> Attribute {
    Attribute {
        attribute: name.to_owned(),
        value: None,
    }
}

pub(crate) fn attribute(name: &str, value: String) -> Attribute {
    Attribute {
        attribute: name.to_owned(),
        value: Some(value),
    }
}

/// What a description of ours holds and no more, as `sdp-types` writes it, in a fifth of the time.
fn text(session: Session) -> String {
    let mut out = String::with_capacity(512);
    let origin = &session.origin;
    let username = origin.username.as_deref().filter(|name| !name.is_empty());
    let version = origin.sess_version.to_string();
    out.push_str("v=0\r\n");
    line(
        &mut out,
        &[
            "o=",
            username.unwrap_or("-"),
            " ",
            &origin.sess_id,
            " ",
            &version,
            " ",
            origin.nettype.as_str(),
            " ",
            origin.addrtype.as_str(),
            " ",
            &origin.unicast_address,
        ],
    );
    line(&mut out, &["s=", &session.session_name]);
    if let Some(at) = &session.connection {
        let parts = [
            "c=",
            at.nettype.as_str(),
            " ",
            at.addrtype.as_str(),
            " ",
            &at.connection_address,
        ];
        line(&mut out, &parts);
    }
    out.push_str("t=0 0\r\n");
    attribute_lines(&mut out, &session.attributes);
    for media in &session.medias {
        let port = media.port.to_string();
        let parts = [
            "m=",
            &media.media,
            " ",
            &port,
            " ",
            &media.proto,
            " ",
            &media.fmt,
        ];
        line(&mut out, &parts);
        attribute_lines(&mut out, &media.attributes);
    }
    out
}

fn attribute_lines(out: &mut String, attributes: &[Attribute]) {
    for attribute in attributes {
        match &attribute.value {
            Some(value) => line(out, &["a=", &attribute.attribute, ":", value]),
            None => line(out, &["a=", &attribute.attribute]),
        }
    }
}

/// NUL, CR and LF cannot stand in a line (RFC 8866 §5), so no value can add one.
fn line(out: &mut String, parts: &[&str]) {
    for part in parts {
        if part.bytes().any(|octet| breaks_line(octet.into())) {
            out.extend(part.chars().filter(|character| !breaks_line(*character)));
        } else {
            out.push_str(part);
        }
    }
    out.push_str("\r\n");
}

const fn breaks_line(character: char) -> bool {
    matches!(character, '\0' | '\r' | '\n')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_is_written_as_sdp_types_writes_it() {
        let local = Local {
            address: "2001:db8::1".parse().unwrap(),
            port: 40_000,
            session_id: 7,
            version: 3,
            codecs: &[Codec::Opus, Codec::Pcma],
            dtmf: Some(101),
            srtp: None,
            browser: None,
        };
        let mut audio = offered_audio("RTP/AVP", None, &local);
        audio
            .attributes
            .push(attribute("x", "a\r\nb\0c".to_owned()));
        let lines = vec![attribute("group", "BUNDLE 0".to_owned()), flag("ice-lite")];
        let refused = refused(&bare("video", 9, "RTP/SAVP", "96 97"));
        let session = session(&local, lines, vec![audio, refused]);
        let mut theirs = Vec::new();
        session.write(&mut theirs).unwrap();
        assert_eq!(text(session), String::from_utf8(theirs).unwrap());
    }
}
