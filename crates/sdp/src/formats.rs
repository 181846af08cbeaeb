//! Owns the reading of a stream's formats: which payload type is which codec, where telephone-events
//! are, and what is said of packets. Refuses to judge the rest of the stream.

use sdp_types::RtpMap;
use vocab::media::{Codec, Codecs, EventTypes, Events, OpusWish};

use crate::read::Stream;
use crate::stream::Preference;

/// Audio in a packet when nothing is said (RFC 3551 §4.2), and what we make at least and at most, ms.
const PACKET_MS: u8 = 20;
const PACKET_MS_MIN: u8 = 10;
const PACKET_MS_MAX: u8 = 60;
/// Formats of one stream that are read; those after them are left out.
const FORMATS_MAX: usize = 64;

/// What the formats of a stream mean, in the peer's order.
pub(crate) struct Formats<'a> {
    audio: Vec<(Codec, u8)>,
    events: EventTypes,
    stream: &'a Stream<'a>,
}

impl<'a> Formats<'a> {
    pub(crate) fn of(stream: &'a Stream<'a>) -> Self {
        let maps: Vec<RtpMap> = stream
            .media
            .attributes_typed::<RtpMap>()
            .flatten()
            .take(FORMATS_MAX)
            .collect();
        let mut formats = Self {
            audio: Vec::new(),
            events: EventTypes::NONE,
            stream,
        };
        let listed = stream.media.fmt.split_whitespace().take(FORMATS_MAX);
        for kind in listed
            .filter_map(|kind| kind.parse().ok())
            .filter(|kind: &u8| *kind < 128)
        {
            let map = maps.iter().find(|map| map.payload_type == kind);
            match map {
                Some(map) => formats.note(map),
                None => formats
                    .audio
                    .extend(static_codec(kind).map(|codec| (codec, kind))),
            }
        }
        formats
    }

    fn note(&mut self, map: &RtpMap) {
        let is = |name: &str| map.encoding_name.eq_ignore_ascii_case(name);
        let kind = map.payload_type;
        let channels = map.encoding_params.as_deref().unwrap_or("1");
        if is("telephone-event") && channels == "1" {
            let known = self.events.of_clock(map.clock_rate);
            let events = Events {
                payload_type: kind,
                clock: map.clock_rate,
            };
            // Of two for one clock the first counts, as of all formats.
            self.events = known.map_or(self.events.with(events), |_| self.events);
            return;
        }
        let codec = Codec::ALL.into_iter().find(|codec| is(codec.name()));
        let fits = codec.is_some_and(|codec| match codec {
            // RFC 7587 §7 always writes two channels, of which one may be used; some write one.
            Codec::Opus => map.clock_rate == codec.clock_rate(),
            // Some write what it samples (RFC 3551 §4.5.2).
            Codec::G722 => channels == "1" && matches!(map.clock_rate, 8_000 | 16_000),
            Codec::Pcmu | Codec::Pcma => channels == "1" && map.clock_rate == codec.clock_rate(),
        });
        self.audio
            .extend(codec.filter(|_| fits).map(|codec| (codec, kind)));
    }

    /// The codec of both sides and its payload type.
    pub(crate) fn choose(&self, ours: &[Codec], preference: Preference) -> Option<(Codec, u8)> {
        let theirs = |codec: &Codec| self.audio.iter().find(|(one, _)| one == codec).copied();
        match preference {
            Preference::Ours => ours.iter().find_map(theirs),
            Preference::Theirs => {
                let mut known = self.audio.iter();
                known.find(|(codec, _)| ours.contains(codec)).copied()
            }
        }
    }

    /// The codecs of both sides.
    pub(crate) fn in_common(&self, ours: &[Codec]) -> Codecs {
        let codecs = self.audio.iter().map(|(codec, _)| *codec);
        let common = codecs.filter(|codec| ours.contains(codec));
        common.fold(Codecs::default(), Codecs::with)
    }

    /// The telephone-events, of each clock, that are not on a type of audio.
    pub(crate) fn events(&self) -> EventTypes {
        let is_free = |events: &Events| {
            let mut audio = self.audio.iter();
            audio.all(|(_, kind)| *kind != events.payload_type)
        };
        let free = self.events.iter().filter(is_free);
        free.fold(EventTypes::NONE, EventTypes::with)
    }

    /// What the peer wants of the Opus of a payload type (RFC 7587 §6.1).
    pub(crate) fn opus(&self, kind: u8) -> OpusWish {
        let mut wish = OpusWish::default();
        for (name, value) in self.parameters(kind) {
            match name.to_ascii_lowercase().as_str() {
                "useinbandfec" => wish.fec = value == "1",
                "usedtx" => wish.dtx = value == "1",
                "cbr" => wish.constant = value == "1",
                "maxaveragebitrate" => {
                    let rate = value.parse().ok();
                    let rate = rate.filter(|rate| OpusWish::BIT_RATES.contains(rate));
                    wish.bit_rate_max = rate.unwrap_or(wish.bit_rate_max);
                }
                "maxplaybackrate" => {
                    wish.playback_rate = value.parse().unwrap_or(wish.playback_rate);
                }
                _ => {}
            }
        }
        wish
    }

    /// The parameters of a payload type.
    fn parameters(&self, kind: u8) -> impl Iterator<Item = (&str, &str)> {
        let lines = self.stream.attributes();
        let lines = lines.filter(|one| one.attribute.eq_ignore_ascii_case("fmtp"));
        let said = lines.filter_map(move |one| {
            let (of, said) = one
                .value
                .as_deref()?
                .trim()
                .split_once(char::is_whitespace)?;
            (of.parse() == Ok(kind)).then_some(said)
        });
        said.flat_map(|said| said.split(';'))
            .filter_map(|one| one.split_once('='))
            .map(|(name, value)| (name.trim(), value.trim()))
    }

    /// Audio in the packets that we make: whole tens of milliseconds of what the peer wants, and no
    /// more than it stands (RFC 8866 §6.4).
    pub(crate) fn packet_ms(&self) -> u8 {
        let said = |name: &str| {
            let mut lines = self.stream.attributes();
            let line = lines.find(|one| one.attribute.eq_ignore_ascii_case(name))?;
            line.value.as_deref()?.trim().parse::<f32>().ok()
        };
        let wanted = said("ptime").unwrap_or(f32::from(PACKET_MS));
        let most = said("maxptime").unwrap_or(f32::from(PACKET_MS_MAX));
        // A cast of a float ends at the ends of the scale.
        let ms = wanted.min(most) as u8 / 10 * 10;
        ms.clamp(PACKET_MS_MIN, PACKET_MS_MAX)
    }
}

/// What a payload type is of which nothing is said (RFC 3551 §6).
fn static_codec(kind: u8) -> Option<Codec> {
    vocab::media::PayloadTypes::STATIC.codec(kind)
}
