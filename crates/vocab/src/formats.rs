//! Owns the formats of audio that two sides agree on: codecs, their payload types, what a peer wants of
//! them. Refuses to know addresses and who agreed.

use serde::{Deserialize, Serialize};

/// A G.711 law (RFC 3551 §4.5.14).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Law {
    /// µ-law, static payload type 0.
    Pcmu,
    /// A-law, static payload type 8.
    Pcma,
}

impl Law {
    /// The static RTP payload type (RFC 3551 §6).
    #[must_use]
    pub const fn payload_type(self) -> u8 {
        match self {
            Self::Pcmu => 0,
            Self::Pcma => 8,
        }
    }
}

/// A codec of audio.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Codec {
    /// G.711 µ-law.
    Pcmu,
    /// G.711 A-law.
    Pcma,
    /// G.722 at 64 kbit/s.
    G722,
    /// Opus (RFC 6716).
    Opus,
}

impl Codec {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Pcmu, Self::Pcma, Self::G722, Self::Opus];

    /// Its name in SDP.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pcmu => "PCMU",
            Self::Pcma => "PCMA",
            Self::G722 => "G722",
            Self::Opus => "opus",
        }
    }

    /// The law, if it is G.711.
    #[must_use]
    pub const fn law(self) -> Option<Law> {
        match self {
            Self::Pcmu => Some(Law::Pcmu),
            Self::Pcma => Some(Law::Pcma),
            Self::G722 | Self::Opus => None,
        }
    }

    /// The payload type in what we offer: the static one (RFC 3551 §6), and the one of Opus that
    /// browsers and telephones expect.
    #[must_use]
    pub const fn payload_type(self) -> u8 {
        match self {
            Self::Pcmu => 0,
            Self::Pcma => 8,
            Self::G722 => 9,
            Self::Opus => 111,
        }
    }

    /// Units of its RTP timestamp in a second. G.722 has 8,000, although 16,000 samples
    /// (RFC 3551 §4.5.2); Opus has 48,000, whatever is sampled (RFC 7587 §4.1).
    #[must_use]
    pub const fn clock_rate(self) -> u32 {
        match self {
            Self::Pcmu | Self::Pcma | Self::G722 => 8_000,
            Self::Opus => 48_000,
        }
    }

    /// Whether audio of it must be decoded for a peer who has another. Between the laws it need not.
    #[must_use]
    pub const fn is_translated_to(self, other: Self) -> bool {
        self as u8 != other as u8 && (self.is_wideband() || other.is_wideband())
    }

    /// Whether it carries more than a telephone's band.
    #[must_use]
    pub const fn is_wideband(self) -> bool {
        matches!(self, Self::G722 | Self::Opus)
    }
}

impl From<Law> for Codec {
    fn from(law: Law) -> Self {
        match law {
            Law::Pcmu => Self::Pcmu,
            Law::Pcma => Self::Pcma,
        }
    }
}

/// What a peer wants of the Opus that it is sent (RFC 7587 §6.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct OpusWish {
    /// It can make use of what is repeated of the packet before (`useinbandfec`).
    pub fec: bool,
    /// Pauses need not be sent (`usedtx`).
    pub dtx: bool,
    /// Above half of it nothing is played (`maxplaybackrate`), Hz.
    pub playback_rate: u32,
    /// More than so many bits a second, on average, it does not want (`maxaveragebitrate`).
    pub bit_rate_max: u32,
    /// Packets are all to be of one length (`cbr`).
    pub constant: bool,
}

impl OpusWish {
    /// The rates that may be wished for, bits a second (RFC 7587 §6.1).
    pub const BIT_RATES: core::ops::RangeInclusive<u32> = 6_000..=510_000;
}

impl Default for OpusWish {
    fn default() -> Self {
        Self {
            fec: false,
            dtx: false,
            playback_rate: 48_000,
            bit_rate_max: *Self::BIT_RATES.end(),
            constant: false,
        }
    }
}

/// The payload types on which audio is taken, by codec.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PayloadTypes([u8; 4]);

impl PayloadTypes {
    /// In the place of a payload type, which has seven bits.
    const NONE: u8 = 0xff;
    /// The static ones (RFC 3551 §6). Opus has none.
    pub const STATIC: Self = Self([0, 8, 9, Self::NONE]);

    /// The same with a codec on another type, which no other codec has then.
    #[must_use]
    pub fn with(self, codec: Codec, payload_type: u8) -> Self {
        let Self(mut types) = self;
        for (place, other) in types.iter_mut().zip(Codec::ALL) {
            if other == codec {
                *place = payload_type;
            } else if *place == payload_type {
                *place = Self::NONE;
            }
        }
        Self(types)
    }

    /// What comes on a type.
    #[must_use]
    pub fn codec(&self, payload_type: u8) -> Option<Codec> {
        let mut known = self.0.iter().zip(Codec::ALL);
        let (_, codec) = known.find(|(one, _)| **one == payload_type && **one != Self::NONE)?;
        Some(codec)
    }

    /// The type of a codec.
    #[must_use]
    pub fn payload_type(&self, codec: Codec) -> Option<u8> {
        let mut known = self.0.iter().zip(Codec::ALL);
        let (one, _) = known.find(|(one, other)| *other == codec && **one != Self::NONE)?;
        Some(*one)
    }
}

/// Codecs that two sides agreed on: each may send any of them at any time (RFC 3264 §5.1).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Codecs(u8);

impl Codecs {
    /// The same with one more.
    #[must_use]
    pub const fn with(self, codec: Codec) -> Self {
        Self(self.0 | 1 << codec as u8)
    }

    /// Whether a codec is among them.
    #[must_use]
    pub const fn contains(self, codec: Codec) -> bool {
        self.0 & (1 << codec as u8) != 0
    }
}

/// Telephone-events (RFC 4733) as one payload type means them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Events {
    /// The payload type.
    pub payload_type: u8,
    /// Units of their durations in a second.
    pub clock: u32,
}

/// The payload types of telephone-events, one for each clock that audio has: an event has the clock
/// of the audio that it is among (RFC 4733 §2.1).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct EventTypes {
    narrow: Option<u8>,
    wide: Option<u8>,
}

impl EventTypes {
    /// None.
    pub const NONE: Self = Self {
        narrow: None,
        wide: None,
    };
    /// The clocks of audio, and so of events.
    pub const CLOCKS: [u32; 2] = [8_000, 48_000];

    /// Those of 8,000 Hz alone.
    #[must_use]
    pub const fn narrow(payload_type: u8) -> Self {
        Self {
            narrow: Some(payload_type),
            wide: None,
        }
    }

    /// The same with those of one clock more, in the place of what that had; of a clock that no audio
    /// has there are none.
    #[must_use]
    pub const fn with(mut self, events: Events) -> Self {
        match events.clock {
            8_000 => self.narrow = Some(events.payload_type),
            48_000 => self.wide = Some(events.payload_type),
            _ => {}
        }
        self
    }

    /// All of them, those of 8,000 Hz first.
    pub fn iter(self) -> impl Iterator<Item = Events> {
        let types = [self.narrow, self.wide].into_iter().zip(Self::CLOCKS);
        types.filter_map(|(kind, clock)| {
            Some(Events {
                payload_type: kind?,
                clock,
            })
        })
    }

    /// Those of a clock.
    #[must_use]
    pub fn of_clock(self, clock: u32) -> Option<Events> {
        self.iter().find(|events| events.clock == clock)
    }

    /// Those of a payload type.
    #[must_use]
    pub fn of_type(self, payload_type: u8) -> Option<Events> {
        self.iter()
            .find(|events| events.payload_type == payload_type)
    }

    /// Those that go with a codec: of its clock, else of 8,000 Hz, which many offer alone.
    #[must_use]
    pub fn with_codec(self, codec: Codec) -> Option<Events> {
        let [usual, _] = Self::CLOCKS;
        self.of_clock(codec.clock_rate())
            .or_else(|| self.of_clock(usual))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_go_with_the_clock_of_the_codec_else_with_that_of_8000() {
        let (narrow, wide) = (EventTypes::narrow(101), |kind| Events {
            payload_type: kind,
            clock: 48_000,
        });
        let both = narrow.with(wide(110));
        let kind = |types: EventTypes, codec| {
            let events = types.with_codec(codec)?;
            Some((events.payload_type, events.clock))
        };
        assert_eq!(kind(both, Codec::Opus), Some((110, 48_000)));
        for codec in [Codec::Pcma, Codec::Pcmu, Codec::G722] {
            assert_eq!(kind(both, codec), Some((101, 8_000)));
            assert_eq!(kind(EventTypes::NONE.with(wide(110)), codec), None);
        }
        assert_eq!(kind(narrow, Codec::Opus), Some((101, 8_000)));
        assert_eq!(both.of_type(110).map(|events| events.clock), Some(48_000));
        assert_eq!(both.of_type(96), None);
        assert_eq!(both.with(wide(97)).of_type(110), None, "in its place");
    }

    #[test]
    fn a_set_of_codecs_has_those_that_were_put_in() {
        let some = Codecs::default().with(Codec::Pcma).with(Codec::Opus);
        let held = Codec::ALL.map(|codec| some.contains(codec));
        assert_eq!(held, [false, true, false, true]);
    }
}
