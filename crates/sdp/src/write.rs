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

fn text(session: Session) -> String {
    let mut octets = Vec::with_capacity(512);
    // Writing to a Vec cannot fail, and what is written is text.
    let _ = session.write(&mut octets);
    String::from_utf8(octets).unwrap_or_default()
}
