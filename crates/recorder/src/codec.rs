//! Owns the codecs that a recording may be made of: which payload type of a side is which, how long
//! a payload lasts, and its samples. Refuses to know where they belong.
//!
//! G.711 and G.722 count 8,000 units a second in RTP, the latter although it has 16,000 samples
//! (RFC 3551 §4.5.2); Opus counts 48,000 (RFC 7587 §4.1). A *tick* is an 8,000th of a second.

use audio_codec::g722::G722Decoder;
use opus::Channels;
use vocab::media::{Codec, Law};

/// Samples a second of a recording with a wideband side.
pub(crate) const WIDE_RATE: u32 = 16_000;
/// Samples of the longest packet of Opus: 120 ms (RFC 6716 §3.2.5).
const OPUS_MAX: usize = WIDE_RATE as usize * 120 / 1_000;
/// Payload types of a side that can be told beside the static ones.
const TOLD_MAX: usize = 2;

/// A codec of audio.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AudioCodec {
    /// G.711 µ-law.
    Pcmu,
    /// G.711 A-law.
    Pcma,
    /// G.722 at 64 kbit/s.
    G722,
    /// Opus.
    Opus,
}

impl From<Codec> for AudioCodec {
    fn from(codec: Codec) -> Self {
        match codec {
            Codec::Pcmu => Self::Pcmu,
            Codec::Pcma => Self::Pcma,
            Codec::G722 => Self::G722,
            Codec::Opus => Self::Opus,
        }
    }
}

/// All of them, in the order of their numbers in the spool.
const ALL: [AudioCodec; 4] = [
    AudioCodec::Pcmu,
    AudioCodec::Pcma,
    AudioCodec::G722,
    AudioCodec::Opus,
];

impl AudioCodec {
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

    /// Whether it carries more than a telephone's band.
    #[must_use]
    pub const fn is_wideband(self) -> bool {
        matches!(self, Self::G722 | Self::Opus)
    }

    /// The law, if it is G.711.
    pub(crate) const fn law(self) -> Option<Law> {
        match self {
            Self::Pcmu => Some(Law::Pcmu),
            Self::Pcma => Some(Law::Pcma),
            Self::G722 | Self::Opus => None,
        }
    }

    /// Units of its RTP timestamp in a tick.
    pub(crate) const fn units(self) -> i64 {
        match self {
            Self::Pcmu | Self::Pcma | Self::G722 => 1,
            Self::Opus => 6,
        }
    }

    /// How long a payload lasts, in ticks; none if it is no audio.
    pub(crate) fn ticks(self, payload: &[u8]) -> Option<usize> {
        let ticks = match self {
            Self::Pcmu | Self::Pcma | Self::G722 => payload.len(),
            Self::Opus => opus::packet::get_nb_samples(payload, 8_000).unwrap_or(0),
        };
        // libopus says a negative number, which is an enormous one here, of what is no packet.
        (1..=usize::from(u16::MAX))
            .contains(&ticks)
            .then_some(ticks)
    }

    const fn number(self) -> u8 {
        match self {
            Self::Pcmu => 1,
            Self::Pcma => 2,
            Self::G722 => 3,
            Self::Opus => 4,
        }
    }
}

/// Which payload types of a side are which codec: those that were negotiated, and the static ones
/// (RFC 3551 §6) where nothing else was said of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Payloads([Option<(u8, AudioCodec)>; TOLD_MAX]);

impl Payloads {
    /// The static types alone.
    pub const STATIC: Self = Self([None; TOLD_MAX]);

    /// With these, of which the first two count: a session has one codec, and rarely a second.
    #[must_use]
    pub fn of(told: &[(u8, AudioCodec)]) -> Self {
        let mut payloads = Self::STATIC;
        for (place, (kind, codec)) in payloads.0.iter_mut().zip(told) {
            *place = Some((kind & 0x7f, *codec));
        }
        payloads
    }

    /// The codec of a payload type; telephone-events, comfort noise and the like are none.
    pub(crate) fn codec(&self, kind: u8) -> Option<AudioCodec> {
        let told = self.0.iter().flatten().find(|(told, _)| *told == kind);
        told.map(|(_, codec)| *codec).or(match kind {
            0 => Some(AudioCodec::Pcmu),
            8 => Some(AudioCodec::Pcma),
            9 => Some(AudioCodec::G722),
            _ => None,
        })
    }

    /// As it stands in ring and spool: type and number of each; a number of zero is none.
    pub(crate) fn to_bytes(self) -> [u8; 4] {
        let [a, b] = self
            .0
            .map(|told| told.map_or([0, 0], |(kind, codec)| [kind, codec.number()]));
        let ([a, b], [c, d]) = (a, b);
        [a, b, c, d]
    }

    pub(crate) fn from_bytes([a, b, c, d]: [u8; 4]) -> Self {
        Self([(a, b), (c, d)].map(|(kind, number)| {
            let codec = ALL.iter().find(|codec| codec.number() == number)?;
            Some((kind, *codec))
        }))
    }
}

/// Makes samples at 16 kHz of one side's payloads, in their order.
#[derive(Default)]
pub(crate) struct Decoder {
    g722: Option<Box<G722Decoder>>,
    opus: Option<opus::Decoder>,
    /// The last samples at 8 kHz.
    before: [i16; 2 * TAPS],
}

/// Neighbours on each side from which a sample between two is made.
const TAPS: usize = 4;
/// Samples at 16 kHz by which G.711 comes late out of the decoder.
const LATE: i64 = 2 * TAPS as i64;
/// A sinc under a Hann window, at half a sample, one and a half, …; a half-band filter.
const HALF_BAND: [f32; TAPS] = [0.617_4, -0.159_2, 0.052_6, -0.010_6];

impl Decoder {
    /// Samples are not what follows those before.
    pub(crate) fn gap(&mut self) {
        self.before = [0; 2 * TAPS];
    }

    /// Decodes a payload into `out`, which is emptied first; by how many samples they come late.
    /// None: it is none.
    pub(crate) fn decode(
        &mut self,
        codec: AudioCodec,
        payload: &[u8],
        out: &mut Vec<i16>,
    ) -> Option<i64> {
        out.clear();
        match codec {
            AudioCodec::Pcmu | AudioCodec::Pcma => {
                let law = codec.law()?;
                out.reserve(2 * payload.len());
                for code in payload {
                    self.double(g711::decode(law, *code), out);
                }
                Some(LATE)
            }
            AudioCodec::G722 => {
                let decoder = self.g722.get_or_insert_default();
                out.resize(2 * payload.len(), 0);
                let length = decoder.decode_frame_into(payload, out).ok()?;
                out.truncate(length);
                Some(0)
            }
            AudioCodec::Opus => {
                if self.opus.is_none() {
                    self.opus = opus::Decoder::new(WIDE_RATE, Channels::Mono).ok();
                }
                out.resize(OPUS_MAX, 0);
                let length = self.opus.as_mut()?.decode(payload, out, false).ok()?;
                out.truncate(length);
                Some(0)
            }
        }
    }

    /// Takes a sample at 8 kHz: out come the one four before it, and the one behind that.
    fn double(&mut self, sample: i16, out: &mut Vec<i16>) {
        self.before.rotate_left(1);
        let [.., last] = &mut self.before;
        *last = sample;
        let (left, right) = self.before.split_at(TAPS);
        out.push(left.last().copied().unwrap_or(0));
        let pairs = left.iter().rev().zip(right).zip(HALF_BAND);
        let between: f32 = pairs
            .map(|((left, right), weight)| (f32::from(*left) + f32::from(*right)) * weight)
            .sum();
        // A cast of a float ends at the end of the scale.
        out.push(between.round() as i16);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payload_types_come_back_as_they_were_told() {
        for codec in ALL {
            for told in [
                vec![],
                vec![(101, codec)],
                vec![(96, AudioCodec::Opus), (0, codec)],
            ] {
                let payloads = Payloads::of(&told);
                assert_eq!(Payloads::from_bytes(payloads.to_bytes()), payloads);
                for (kind, codec) in told {
                    assert_eq!(payloads.codec(kind), Some(codec));
                }
            }
        }
        assert_eq!(Payloads::STATIC.to_bytes(), [0; 4]);
        let kinds = [0, 8, 9, 13, 101].map(|kind| Payloads::STATIC.codec(kind));
        let expected = [AudioCodec::Pcmu, AudioCodec::Pcma, AudioCodec::G722].map(Some);
        assert_eq!(kinds[..3], expected);
        assert_eq!(kinds[3..], [None, None]);
    }

    #[test]
    fn a_tone_of_the_telephone_is_the_same_tone_at_twice_the_rate() {
        let tone = |n: f64, rate: f64| 8_000.0 * (n * 1_700.0 * std::f64::consts::TAU / rate).sin();
        let codes: Vec<u8> = (0..1_600)
            .map(|n| g711::encode(Law::Pcma, tone(f64::from(n), 8_000.0) as i16))
            .collect();
        let (mut decoder, mut out) = (Decoder::default(), Vec::new());
        let late = decoder.decode(AudioCodec::Pcma, &codes, &mut out).unwrap();
        assert_eq!(out.len(), 3_200);
        let (mut error, mut power) = (0.0, 0.0);
        for n in 100..3_000i64 {
            let expected = tone((n - late) as f64, 16_000.0);
            error += (f64::from(out[n as usize]) - expected).powi(2);
            power += expected.powi(2);
        }
        // What the law itself costs is 38 dB.
        assert!(error / power < 1e-3, "{}", error / power);
    }

    #[test]
    fn what_is_no_opus_has_no_length_and_no_samples() {
        assert_eq!(AudioCodec::Opus.ticks(&[]), None);
        assert_eq!(AudioCodec::Opus.ticks(&[0x03]), None);
        let mut out = vec![1];
        assert_eq!(
            Decoder::default().decode(AudioCodec::Opus, &[0x03], &mut out),
            None
        );
    }
}
