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
}

impl Default for OpusWish {
    fn default() -> Self {
        Self {
            fec: false,
            dtx: false,
            playback_rate: 48_000,
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
